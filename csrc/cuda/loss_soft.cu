/* Cross entropy with targets that are probabilities, and its gradient. PyTorch's formulas; the
 * kernels are in loss.cuh. */
#include "loss.cuh"

/* Of a row: sum(weight (target (1 - s) + s / classes) (lse - x)), s the label smoothing; a mean
 * divides by the number of rows. Reads x and target once. */
extern "C" mp_status mp_cuda_cross_entropy_soft(mp_call *call) {
    const mp_array *x = call->in[0], *target = call->in[1];
    mp_cuda_place place;
    if (x->size == 0 && call->attrs.reduction == MP_REDUCE_NONE) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, true, true);
    job.target = class_array_of(target), job.weight = class_array_of(call->in[2]);
    job.y = class_array_of(call->out[0]), job.lse = class_array_of(call->out[1]);
    bool wide = x->dtype == MP_FLOAT64 || target->dtype == MP_FLOAT64;
    return launch_columns<true>(job, place, wide, x->dtype == target->dtype);
}

/* gx and gtarget. Reads x once and target twice, writes both. */
extern "C" mp_status mp_cuda_cross_entropy_soft_bwd(mp_call *call) {
    const mp_array *x = call->in[1], *target = call->in[2];
    mp_cuda_place place;
    if (x->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, true, true);
    job.gy = class_array_of(call->in[0]), job.target = class_array_of(target);
    job.weight = class_array_of(call->in[3]), job.lse = class_array_of(call->in[4]);
    job.gx = class_array_of(call->out[0]), job.gtarget = class_array_of(call->out[1]);
    bool wide = x->dtype == MP_FLOAT64 || target->dtype == MP_FLOAT64;
    return launch_columns_bwd<true>(job, place, wide, x->dtype == target->dtype);
}
