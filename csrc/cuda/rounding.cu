/* To whole numbers on CUDA: down, up, towards zero, to the nearest (halves to the even one).
 * Integers and bools stay as they are, as all do in positive. */
#include "pointwise.cuh"

#define ROUNDING(name, formula_f32, formula_f64)                                                   \
    struct name##_of {                                                                             \
        __device__ inline float operator()(float a) const { return formula_f32; }                  \
        __device__ inline double operator()(double a) const { return formula_f64; }                \
        __device__ inline int64_t operator()(int64_t a) const { return a; }                        \
        __device__ inline uint64_t operator()(uint64_t a) const { return a; }                      \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) { return pointwise<1>(call, name##_of{}); }

ROUNDING(floor, floorf(a), floor(a))
ROUNDING(ceil, ceilf(a), ceil(a))
ROUNDING(trunc, truncf(a), trunc(a))
ROUNDING(round, rintf(a), rint(a))
ROUNDING(positive, a, a)
