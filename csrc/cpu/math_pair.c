/* Functions of two inputs. float32 by way of double where that takes a function (vmath_wide.h),
 * float64 by the C library. nextafter goes by the bits of the result's own dtype. */
#include <math.h>

#include "pointwise.h"
#include "vmath_wide.h"

#define PAIR(op, cost, formula_f32, formula_f64)                                                   \
    MP_ROW_FN(op##_f32, float, float, float, formula_f32)                                          \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    static const mp_pointwise op##_op = {.f32 = op##_f32, .f64 = op##_f64, .grain = cost};         \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 2); }

static inline double logaddexp(double a, double b) {
    if (a == b) return a + MP_LN_2;
    if (a != a || b != b) return a + b;
    return (a > b ? a : b) + log1p(exp(-fabs(a - b)));
}

PAIR(atan2, MP_GRAIN_HEAVY, mp_fatan2(A, B), atan2(A, B))
PAIR(hypot, MP_GRAIN_HEAVY, mp_fhypot(A, B), hypot(A, B))
PAIR(logaddexp, MP_GRAIN_HEAVY, mp_flogaddexp(A, B), logaddexp(A, B))
PAIR(copysign, MP_GRAIN_LIGHT, copysignf(A, B), copysign(A, B))

/* ---- nextafter: floats in the order of their bits, from -NaN up ---- */

/* `most` is infinity's magnitude, or that of the greatest number, `last` the number of the sign's
 * bit. A zero keeps x's sign. */
#define NEXT(name, bits, wide, last, most)                                                         \
    static inline bits next_##name(bits x, bits y) {                                               \
        const bits sizes = (bits)(((bits)1 << last) - 1);                                          \
        wide x_size = (wide)(x & sizes), y_size = (wide)(y & sizes);                               \
        wide x_minus = -(wide)(x >> last), y_minus = -(wide)(y >> last);                           \
        wide from = (x_size ^ x_minus) - x_minus, to = (y_size ^ y_minus) - y_minus;               \
        wide next = from + (to > from) - (to < from);                                              \
        wide minus = next == 0 ? x_minus : -(wide)(next < 0);                                      \
        bits result = (bits)((next ^ minus) - minus) | (bits)((bits)minus << last);                \
        result = from == to ? y : result;                                                          \
        result = y_size > (wide)most ? y : result;                                                 \
        return x_size > (wide)most ? x : result;                                                   \
    }                                                                                              \
    MP_ROW_FN(nextafter_##name, bits, bits, bits, next_##name(A, B))

NEXT(f64, uint64_t, int64_t, 63, 0x7ff0000000000000)
NEXT(f32, uint32_t, int32_t, 31, 0x7f800000)
NEXT(f16, uint16_t, int32_t, 15, 0x7c00)
NEXT(bf16, uint16_t, int32_t, 15, 0x7f80)
NEXT(e4m3, uint8_t, int32_t, 7, 0x7e)
NEXT(e5m2, uint8_t, int32_t, 7, 0x7c)
static const mp_row_fn nextafter_stored[MP_DTYPE_COUNT] = {
    [MP_FLOAT64] = nextafter_f64,        [MP_FLOAT32] = nextafter_f32,
    [MP_FLOAT16] = nextafter_f16,        [MP_BFLOAT16] = nextafter_bf16,
    [MP_FLOAT8_E4M3FN] = nextafter_e4m3, [MP_FLOAT8_E5M2] = nextafter_e5m2};
static const mp_pointwise nextafter_op = {.f32 = nextafter_f32,
                                          .f64 = nextafter_f64,
                                          .stored = nextafter_stored,
                                          .converts = true,
                                          .grain = MP_GRAIN_LIGHT};
MP_KERNEL(nextafter) { return mp_pointwise_run(call, &nextafter_op, 2); }

/* ---- fmax, fmin: the other one where one is NaN ---- */

#define CHOICE(op, sign, truth)                                                                    \
    MP_ROW_FN(op##_f32, float, float, float, ((A sign B) | (B != B)) ? A : B)                      \
    MP_ROW_FN(op##_f64, double, double, double, ((A sign B) | (B != B)) ? A : B)                   \
    MP_ROW_FN(op##_i64, int64_t, int64_t, int64_t, A sign B ? A : B)                               \
    MP_ROW_FN(op##_u64, uint64_t, uint64_t, uint64_t, A sign B ? A : B)                            \
    MP_ROW_FN(op##_bool, uint8_t, uint8_t, uint8_t, TRUE_A truth TRUE_B)                           \
    MP_INTEGER_ROWS(op, A sign B ? A : B)                                                          \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {[MP_BOOL] = op##_bool,                   \
                                                          MP_INTEGER_TABLE(op)};                   \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = op##_i64,                                          \
                                         .u64 = op##_u64,                                          \
                                         .stored = op##_stored,                                    \
                                         .grain = MP_GRAIN_LIGHT};                                 \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 2); }

CHOICE(fmax, >=, |)
CHOICE(fmin, <=, &)
