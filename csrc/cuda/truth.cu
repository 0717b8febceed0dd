/* all, any and count_nonzero over any axes and strides. x is read once. */
#include "reduction.cuh"

enum wanted { ALL, ANY, COUNT };

/* The number of elements that are 0 (all) or are not. NaN is not 0. */
template <class C_, wanted WANTED> struct truth_of {
    using C = C_;
    using Lane = int64_t;
    using Sum = int64_t;
    static __device__ inline Sum start() { return 0; }
    static __device__ inline Sum empty() { return 0; }
    static __device__ inline Sum join(Sum a, Sum b) { return a + b; }
    static __device__ inline void take(Lane &lane, C x, int64_t, C) {
        lane += WANTED == ALL ? x == 0 : x != 0;
    }
    static __device__ inline void fold(Sum &sum, Lane lane) { sum += lane; }
    static __device__ inline Sum shuffle(Sum a, int width) {
        return __shfl_xor_sync(0xffffffffu, a, width);
    }
    static __device__ inline void store(char *p, int, Sum sum, double) {
        if constexpr (WANTED == COUNT) *(int64_t *)p = sum;
        else *(uint8_t *)p = WANTED == ALL ? sum == 0 : sum > 0;
    }
};

template <wanted WANTED> static mp_status run(const mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (x->size == 0) {
        mp_reduce_job job = {};
        job.results = y->size;
        job.out = mp_operand_of(y);
        launch_join<truth_of<float, WANTED>>(job, 0, &place);
        return MP_CUDA_LAUNCHED();
    }
    mp_dtype dtype = (mp_dtype)x->dtype;
    bool narrow_float = mp_is_float(dtype) && dtype != MP_FLOAT64;
    mp_reduce_plan plan = mp_reduce_plan_of(x, call->attrs.n_ints, call->attrs.ints,
                                            mp_operand_of(y), narrow_float, place.processors);
    if (narrow_float) return run_reduction<truth_of<float, WANTED>>(plan, &place);
    if (dtype == MP_FLOAT64) return run_reduction<truth_of<double, WANTED>>(plan, &place);
    return run_reduction<truth_of<int64_t, WANTED>>(plan, &place);
}

extern "C" mp_status mp_cuda_all(mp_call *call) { return run<ALL>(call); }
extern "C" mp_status mp_cuda_any(mp_call *call) { return run<ANY>(call); }
extern "C" mp_status mp_cuda_count_nonzero(mp_call *call) { return run<COUNT>(call); }
