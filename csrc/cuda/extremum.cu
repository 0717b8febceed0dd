/* max and min over any axes and strides. NaN goes through. x is read once. */
#include "extremum.cuh"

/* Infer refuses to reduce nothing. */
template <bool LEAST> static mp_status run(const mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    mp_dtype dtype = (mp_dtype)x->dtype;
    bool narrow_float = mp_is_float(dtype) && dtype != MP_FLOAT64;
    mp_reduce_plan plan = mp_reduce_plan_of(x, call->attrs.n_ints, call->attrs.ints,
                                            mp_operand_of(y), narrow_float, place.processors);
    if (narrow_float) return run_reduction<extremum_of<float, LEAST>>(plan, &place);
    if (dtype == MP_FLOAT64) return run_reduction<extremum_of<double, LEAST>>(plan, &place);
    if (dtype == MP_UINT64) return run_reduction<extremum_of<uint64_t, LEAST>>(plan, &place);
    return run_reduction<extremum_of<int64_t, LEAST>>(plan, &place);
}

extern "C" mp_status mp_cuda_max(mp_call *call) { return run<false>(call); }
extern "C" mp_status mp_cuda_min(mp_call *call) { return run<true>(call); }
