/* Whole quotients and what they leave: floor_divide, and the remainder that has the divisor's sign;
 * fmod, whose remainder has the dividend's. Integers: division by zero gives 0, and the least
 * number divided by -1 wraps around. Floats: division.h. */
#include <float.h>
#include <math.h>

#include "../division.h"
#include "pointwise.h"

/* ---- integers ---- */

/* a / b, towards zero. */
#define QUOTIENT(type, bits)                                                                       \
    static inline type quotient_##bits(type a, type b) {                                           \
        if (b == 0) return 0;                                                                      \
        return b == -1 ? (type)(0 - (u##type)a) : a / b;                                           \
    }                                                                                              \
    static inline type floor_divide_##bits(type a, type b) {                                       \
        type q = quotient_##bits(a, b);                                                            \
        return q - (type)(b != 0 && b != -1 && q * b != a && (a < 0) != (b < 0));                  \
    }                                                                                              \
    static inline type fmod_##bits(type a, type b) { return b == 0 || b == -1 ? 0 : a % b; }       \
    static inline type remainder_##bits(type a, type b) {                                          \
        type rest = fmod_##bits(a, b);                                                             \
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;                               \
    }
QUOTIENT(int64_t, i64)

/* The same by way of doubles, where both are below 2^52: a quotient that is no whole number is not
 * rounded to one then. Loops over it are vectorised. */
static inline int64_t quotient_near_i64(int64_t a, int64_t b) {
    return (int64_t)((double)a / (double)(b == 0 ? 1 : b)) & -(int64_t)(b != 0);
}
static inline int64_t fmod_near_i64(int64_t a, int64_t b) {
    return (a - quotient_near_i64(a, b) * b) & -(int64_t)(b != 0);
}
static inline int64_t floor_divide_near_i64(int64_t a, int64_t b) {
    int64_t q = quotient_near_i64(a, b), rest = (a - q * b) & -(int64_t)(b != 0);
    return q - (int64_t)((rest != 0) & ((rest ^ b) < 0));
}
static inline int64_t remainder_near_i64(int64_t a, int64_t b) {
    int64_t rest = fmod_near_i64(a, b);
    return rest + (b & -(int64_t)((rest != 0) & ((rest ^ b) < 0)));
}
static bool all_small(int64_t n, const int64_t *a, const int64_t *b) {
    const uint64_t most = (uint64_t)1 << 52;
    uint64_t bits = 0;
    for (int64_t i = 0; i < n; i++) bits |= ((uint64_t)a[i] + most) | ((uint64_t)b[i] + most);
    return bits < 2 * most;
}
#define WHOLE_ROWS(op, exact)                                                                      \
    MP_ROW_FN(op##_row_small, int64_t, int64_t, int64_t, op##_near_i64(A, B))                      \
    MP_ROW_FN(op##_row_large, int64_t, int64_t, int64_t, exact)                                    \
    static void op##_row_i64(int64_t n, void *y, const void *a, const void *b, const void *c,      \
                             const mp_attrs *attrs) {                                              \
        (all_small(n, a, b) ? op##_row_small : op##_row_large)(n, y, a, b, c, attrs);              \
    }

/* Of 32 bits by way of doubles, whose quotient is right when truncated: loops over it are
 * vectorised. */
static inline int32_t quotient_i32(int32_t a, int32_t b) {
    return (int32_t)(int64_t)((double)a / (double)(b == 0 ? 1 : b)) & -(int32_t)(b != 0);
}
static inline int32_t fmod_i32(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)quotient_i32(a, b) * (uint32_t)b) & -(int32_t)(b != 0);
}
static inline int32_t floor_divide_i32(int32_t a, int32_t b) {
    int32_t q = quotient_i32(a, b), rest = fmod_i32(a, b);
    return q - (int32_t)((rest != 0) & ((rest ^ b) < 0));
}
static inline int32_t remainder_i32(int32_t a, int32_t b) {
    int32_t rest = fmod_i32(a, b);
    return rest + (b & -(int32_t)((rest != 0) & ((rest ^ b) < 0)));
}
static inline uint32_t quotient_u32(uint32_t a, uint32_t b) {
    return (uint32_t)(int64_t)((double)a / (double)(b == 0 ? 1 : b)) & -(uint32_t)(b != 0);
}

/* ---- floats ---- */

/* Of float32 by way of doubles, in loops that are vectorised: right where the quotient is below
 * 2^24, since its products with the divisor are exact then. */
#define QUOTIENT_MOST 0x1p24
static inline double fmod_near(double a, double b) {
    double rest = a - trunc(a / b) * b; /* of a quotient that was rounded up, b too little */
    rest = (rest < 0) != (a < 0) && rest != 0 ? rest + copysign(b, a) : rest;
    return copysign(rest, a);
}
static inline double remainder_near(double a, double b) {
    double rest = fmod_near(a, b), moved = (rest < 0) != (b < 0) ? rest + b : rest;
    return rest == 0 ? copysign(0, b) : moved;
}
static inline double floor_divide_near(double a, double b) {
    double rest = fmod_near(a, b), q = (a - rest) / b;
    q = (rest != 0) & ((rest < 0) != (b < 0)) ? q - 1 : q;
    q = rint(q);
    return q == 0 ? copysign(0, a / b) : q;
}

static bool all_near(int64_t n, const float *a, const float *b) {
    uint32_t far = 0;
    for (int64_t i = 0; i < n; i++)
        far |= (uint32_t) !(fabsf(a[i]) < (float)QUOTIENT_MOST * fabsf(b[i])) |
               (uint32_t)(fabsf(b[i]) > FLT_MAX);
    return far == 0;
}
#define NEAR_ROWS(op, near, exact)                                                                 \
    MP_ROW_FN(op##_row_near, float, float, float, (float)(near))                                   \
    MP_ROW_FN(op##_row_exact, float, float, float, exact)                                          \
    static void op##_row_f32(int64_t n, void *y, const void *a, const void *b, const void *c,      \
                             const mp_attrs *attrs) {                                              \
        (all_near(n, a, b) ? op##_row_near : op##_row_exact)(n, y, a, b, c, attrs);                \
    }
NEAR_ROWS(floor_divide, floor_divide_near(A, B), mp_floor_divide_f32(A, B))
NEAR_ROWS(remainder, remainder_near(A, B), mp_remainder_f32(A, B))
NEAR_ROWS(fmod, fmod_near(A, B), fmodf(A, B))

/* ---- rows ---- */

#define DIVISION(op, f64_formula, signed_formula, narrow_formula, unsigned_formula,                \
                 narrow_unsigned_formula)                                                          \
    MP_ROW_FN(op##_row_f64, double, double, double, f64_formula)                                   \
    WHOLE_ROWS(op, signed_formula)                                                                 \
    MP_ROW_FN(op##_row_u64, uint64_t, uint64_t, uint64_t, unsigned_formula)                        \
    MP_ROW_FN(op##_row_i8, int8_t, int8_t, int8_t, narrow_formula)                                 \
    MP_ROW_FN(op##_row_i16, int16_t, int16_t, int16_t, narrow_formula)                             \
    MP_ROW_FN(op##_row_i32, int32_t, int32_t, int32_t, narrow_formula)                             \
    MP_ROW_FN(op##_row_u8, uint8_t, uint8_t, uint8_t, narrow_unsigned_formula)                     \
    MP_ROW_FN(op##_row_u16, uint16_t, uint16_t, uint16_t, narrow_unsigned_formula)                 \
    MP_ROW_FN(op##_row_u32, uint32_t, uint32_t, uint32_t, narrow_unsigned_formula)                 \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {MP_INTEGER_TABLE(op##_row)};             \
    static const mp_pointwise op##_op = {.f32 = op##_row_f32,                                      \
                                         .f64 = op##_row_f64,                                      \
                                         .i64 = op##_row_i64,                                      \
                                         .u64 = op##_row_u64,                                      \
                                         .stored = op##_stored,                                    \
                                         .grain = MP_GRAIN_LIBM};                                  \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 2); }

DIVISION(floor_divide, mp_floor_divide_f64(A, B), floor_divide_i64(A, B), floor_divide_i32(A, B),
         B == 0 ? 0 : A / B, quotient_u32(A, B))
DIVISION(remainder, mp_remainder_f64(A, B), remainder_i64(A, B), remainder_i32(A, B),
         B == 0 ? 0 : A % B, (A - quotient_u32(A, B) * B) * (B != 0))
DIVISION(fmod, fmod(A, B), fmod_i64(A, B), fmod_i32(A, B), B == 0 ? 0 : A % B,
         (A - quotient_u32(A, B) * B) * (B != 0))
