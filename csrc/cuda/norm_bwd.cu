/* The gradients of layer_norm and rms_norm: what the kernels are, norm_bwd.cuh says. */
#include "norm_bwd.cuh"

extern "C" mp_status mp_cuda_layer_norm_bwd(mp_call *call) {
    norm_job job = norm_job_of(call, call->in[1], call->in[2], NULL);
    job.centred = true;
    job.mean = mp_operand_of(call->in[3]);
    job.rstd = mp_operand_of(call->in[4]);
    return backward<false>(call, job);
}

/* The same without mean and sum(g). */
extern "C" mp_status mp_cuda_rms_norm_bwd(mp_call *call) {
    norm_job job = norm_job_of(call, call->in[1], call->in[2], NULL);
    job.rstd = mp_operand_of(call->in[3]);
    return backward<false>(call, job);
}
