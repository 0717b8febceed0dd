/* Functions of one input beyond those of activation.c: float32 by way of double, in loops that are
 * vectorised (vmath_wide.h), float64 by the C library or vmath_double.h. */
#include <math.h>

#include "pointwise.h"
#include "vmath_double.h"

/* y = f(x) */
#define FUNCTION(op, formula_f32, formula_f64)                                                     \
    MP_ROW_FN(op##_f32, float, float, float, formula_f32)                                          \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    static const mp_pointwise op##_op = {                                                          \
        .f32 = op##_f32, .f64 = op##_f64, .grain = MP_GRAIN_HEAVY};                                \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 1); }

/* The same for periodic functions: rows with an element too large to be reduced go to the C
 * library. */
#define PERIODIC(op, formula_f32, exact, formula_f64)                                              \
    MP_ROW_FN(op##_reduced, float, float, float, formula_f32)                                      \
    MP_ROW_FN(op##_exact, float, float, float, exact)                                              \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    static void op##_f32(int64_t n, void *y, const void *a, const void *b, const void *c,          \
                         const mp_attrs *attrs) {                                                  \
        (any_large(n, a) ? op##_exact : op##_reduced)(n, y, a, b, c, attrs);                       \
    }                                                                                              \
    static const mp_pointwise op##_op = {                                                          \
        .f32 = op##_f32, .f64 = op##_f64, .grain = MP_GRAIN_HEAVY};                                \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 1); }

static bool any_large(int64_t n, const float *x) {
    uint32_t large = 0;
    for (int64_t i = 0; i < n; i++)
        large |= (uint32_t)((fabsf(x[i]) > MP_TRIG_MOST) & (fabsf(x[i]) <= FLT_MAX));
    return large != 0;
}

PERIODIC(sin, mp_fsin(A), sinf(A), sin(A))
PERIODIC(cos, mp_fcos(A), cosf(A), cos(A))
PERIODIC(tan, mp_ftan(A), tanf(A), tan(A))
FUNCTION(asin, mp_fasin(A), asin(A))
FUNCTION(acos, mp_facos(A), acos(A))
FUNCTION(atan, mp_fatan(A), atan(A))

FUNCTION(sinh, mp_fsinh(A), sinh(A))
FUNCTION(cosh, mp_fcosh(A), cosh(A))
FUNCTION(asinh, mp_fasinh(A), asinh(A))
FUNCTION(acosh, mp_facosh(A), acosh(A))
FUNCTION(atanh, mp_fatanh(A), atanh(A))

FUNCTION(exp2, mp_fexp2(A), exp2(A))
FUNCTION(expm1, mp_fexpm1(A), mp_dexpm1(A))
FUNCTION(log1p, mp_flog1p(A), mp_dlog1p(A))
FUNCTION(log2, mp_flog2(A), mp_dlog2(A))
FUNCTION(log10, mp_flog10(A), log10(A))

FUNCTION(cbrt, mp_fcbrt(A), cbrt(A))
FUNCTION(erf, mp_ferf(A), erf(A))
