/* argmax and argmin of contiguous arrays: the first position of the extremum along an axis, or in
 * the flat array; a NaN is the extremum, and the first of them counts. x is read once. */
#include "reduction.cuh"

/* The best element so far and where it is: nowhere before there is one. */
template <class C> struct best {
    C value;
    int64_t at;
};
constexpr int64_t NOWHERE = INT64_MAX;

template <class C_, bool LEAST> struct position_of {
    using C = C_;
    using Lane = best<C>;
    using Sum = best<C>;
    static __device__ inline Sum start() { return {C(0), NOWHERE}; }
    static __device__ inline Sum empty() { return start(); }
    static __device__ inline bool beats(C a, C b) {
        return (LEAST ? a < b : a > b) || (a != a && b == b);
    }
    static __device__ inline Sum join(Sum a, Sum b) {
        if (b.at == NOWHERE) return a;
        if (a.at == NOWHERE || beats(b.value, a.value)) return b;
        return b.at < a.at && !beats(a.value, b.value) ? b : a;
    }
    /* Positions ascend. */
    static __device__ inline void take(Sum &lane, C x, int64_t at, C) {
        if (lane.at == NOWHERE || beats(x, lane.value)) lane = {x, at};
    }
    static __device__ inline void fold(Sum &sum, Sum lane) { sum = join(sum, lane); }
    static __device__ inline Sum shuffle(Sum a, int width) {
        return {__shfl_xor_sync(0xffffffffu, a.value, width),
                __shfl_xor_sync(0xffffffffu, a.at, width)};
    }
    static __device__ inline void store(char *p, int, Sum sum, double) { *(int64_t *)p = sum.at; }
};

/* Infer refuses to search nothing. Reduced are one axis or, of the flat array, all: positions are
 * steps along them. */
template <bool LEAST> static mp_status run(const mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool flat = call->attrs.axis == INT64_MIN;
    int64_t axes[MP_CUDA_DIMS] = {call->attrs.axis};
    for (int d = 0; flat && d < x->ndim; d++) axes[d] = d;
    mp_dtype dtype = (mp_dtype)x->dtype;
    bool narrow_float = mp_is_float(dtype) && dtype != MP_FLOAT64;
    mp_reduce_plan plan = mp_reduce_plan_of(x, flat ? x->ndim : 1, axes, mp_operand_of(y),
                                            narrow_float, place.processors);
    if (narrow_float) return run_reduction<position_of<float, LEAST>>(plan, &place);
    if (dtype == MP_FLOAT64) return run_reduction<position_of<double, LEAST>>(plan, &place);
    if (dtype == MP_UINT64) return run_reduction<position_of<uint64_t, LEAST>>(plan, &place);
    return run_reduction<position_of<int64_t, LEAST>>(plan, &place);
}

extern "C" mp_status mp_cuda_argmax(mp_call *call) { return run<false>(call); }
extern "C" mp_status mp_cuda_argmin(mp_call *call) { return run<true>(call); }
