/* Functions of one input on CUDA beyond those of activation.cu: the device's own, in float32 or
 * double. */
#include "pointwise.cuh"

#define FUNCTION(name, formula_f32, formula_f64)                                                   \
    struct name##_of {                                                                             \
        __device__ inline float operator()(float a) const { return formula_f32; }                  \
        __device__ inline double operator()(double a) const { return formula_f64; }                \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return pointwise_real<1>(call, name##_of{});                                               \
    }

FUNCTION(sin, sinf(a), sin(a))
FUNCTION(cos, cosf(a), cos(a))
FUNCTION(tan, tanf(a), tan(a))
FUNCTION(asin, asinf(a), asin(a))
FUNCTION(acos, acosf(a), acos(a))
FUNCTION(atan, atanf(a), atan(a))

FUNCTION(sinh, sinhf(a), sinh(a))
FUNCTION(cosh, coshf(a), cosh(a))
FUNCTION(asinh, asinhf(a), asinh(a))
FUNCTION(acosh, acoshf(a), acosh(a))
FUNCTION(atanh, atanhf(a), atanh(a))

FUNCTION(exp2, exp2f(a), exp2(a))
FUNCTION(expm1, expm1f(a), expm1(a))
FUNCTION(log1p, log1pf(a), log1p(a))
FUNCTION(log2, log2f(a), log2(a))
FUNCTION(log10, log10f(a), log10(a))

FUNCTION(cbrt, cbrtf(a), cbrt(a))
FUNCTION(erf, erff(a), erf(a))
