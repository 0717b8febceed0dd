/* max and min over any axes and strides. NaN goes through. x is read once. */
#include "reduction.cuh"

template <class C_, bool LEAST> struct extremum_of {
    using C = C_;
    using Lane = C;
    using Sum = C;
    static __device__ inline C start() {
        if constexpr (std::is_floating_point_v<C>) return LEAST ? (C)INFINITY : -(C)INFINITY;
        else if constexpr (std::is_same_v<C, uint64_t>) return LEAST ? UINT64_MAX : 0;
        else return LEAST ? INT64_MAX : INT64_MIN;
    }
    static __device__ inline C empty() { return start(); }
    static __device__ inline C join(C a, C b) {
        if constexpr (LEAST) return mp_lesser{}(a, b);
        else return mp_greater{}(a, b);
    }
    static __device__ inline void take(C &lane, C x, int64_t, C) { lane = join(lane, x); }
    static __device__ inline void fold(C &sum, C lane) { sum = join(sum, lane); }
    static __device__ inline C shuffle(C a, int width) {
        return __shfl_xor_sync(0xffffffffu, a, width);
    }
    static __device__ inline void store(char *p, int dtype, C x, double) {
        store_any<C>(p, dtype, x);
    }
};

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
