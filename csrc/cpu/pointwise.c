/* Arithmetic, comparisons and selection: the rows of the pointwise ops that need no function beyond
 * the processor's own. Integers wrap around as NumPy's do, NaN goes through maximum, minimum, sign
 * and relu. Functions and their gradients are in activation.c. */
#include <math.h>

#include "pointwise.h"

/* ---- arithmetic ---- */

/* `truth` is what the op is for bools; 1u keeps products of short integers from becoming int. */
#define ARITHMETIC(op, sign, truth)                                                                \
    MP_ROW_FN(op##_f32, float, float, float, A sign B)                                             \
    MP_ROW_FN(op##_f64, double, double, double, A sign B)                                          \
    MP_ROW_FN(op##_u64, uint64_t, uint64_t, uint64_t, A sign B)                                    \
    MP_ROW_FN(op##_bool, uint8_t, uint8_t, uint8_t, TRUE_A truth TRUE_B)                           \
    MP_WRAPPING_ROWS(op, 1u * A sign B)                                                            \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {[MP_BOOL] = op##_bool,                   \
                                                          MP_WRAPPING_TABLE(op)};                  \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = op##_u64,                                          \
                                         .u64 = op##_u64,                                          \
                                         .stored = op##_stored,                                    \
                                         .grain = MP_GRAIN_LIGHT};

ARITHMETIC(add, +, |)
ARITHMETIC(sub, -, ^) /* infer keeps bools from it */
ARITHMETIC(mul, *, &)
MP_ROW_FN(div_f32, float, float, float, A / B)
MP_ROW_FN(div_f64, double, double, double, A / B)
static const mp_pointwise div_op = {.f32 = div_f32, .f64 = div_f64, .grain = MP_GRAIN_LIGHT};

MP_KERNEL(add) { return mp_pointwise_run(call, &add_op, 2); }
MP_KERNEL(sub) { return mp_pointwise_run(call, &sub_op, 2); }
MP_KERNEL(mul) { return mp_pointwise_run(call, &mul_op, 2); }
MP_KERNEL(div) { return mp_pointwise_run(call, &div_op, 2); }
/* x * s, s one number */
MP_KERNEL(scale) { return mp_pointwise_run(call, &mul_op, 2); }

#define EXTREMUM(op, sign, truth)                                                                  \
    MP_ROW_FN(op##_f32, float, float, float, ((A sign B) | (A != A)) ? A : B)                      \
    MP_ROW_FN(op##_f64, double, double, double, ((A sign B) | (A != A)) ? A : B)                   \
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
                                         .grain = MP_GRAIN_LIGHT};

EXTREMUM(maximum, >, |)
EXTREMUM(minimum, <, &)
MP_KERNEL(maximum) { return mp_pointwise_run(call, &maximum_op, 2); }
MP_KERNEL(minimum) { return mp_pointwise_run(call, &minimum_op, 2); }

/* ---- comparisons ---- */

#define COMPARE(op, sign, mixed_signed_first, mixed_signed_second)                                 \
    MP_ROW_FN(op##_f32, uint8_t, float, float, A sign B)                                           \
    MP_ROW_FN(op##_f64, uint8_t, double, double, A sign B)                                         \
    MP_ROW_FN(op##_i64, uint8_t, int64_t, int64_t, A sign B)                                       \
    MP_ROW_FN(op##_u64, uint8_t, uint64_t, uint64_t, A sign B)                                     \
    MP_ROW_FN(op##_i64_u64, uint8_t, uint64_t, uint64_t,                                           \
              (int64_t)A < 0 ? mixed_signed_first : A sign B)                                      \
    MP_ROW_FN(op##_u64_i64, uint8_t, uint64_t, uint64_t,                                           \
              (int64_t)B < 0 ? mixed_signed_second : A sign B)                                     \
    MP_ROW_FN(op##_bool, uint8_t, uint8_t, uint8_t, TRUE_A sign TRUE_B)                            \
    MP_INTEGER_TESTS(op, A sign B)                                                                 \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {[MP_BOOL] = op##_bool,                   \
                                                          MP_INTEGER_TABLE(op)};                   \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = op##_i64,                                          \
                                         .u64 = op##_u64,                                          \
                                         .i64_u64 = op##_i64_u64,                                  \
                                         .u64_i64 = op##_u64_i64,                                  \
                                         .stored = op##_stored,                                    \
                                         .compares = true,                                         \
                                         .grain = MP_GRAIN_LIGHT};                                 \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 2); }

/* what they give where the first, and where the second is negative and the other unsigned */
COMPARE(equal, ==, false, false)
COMPARE(not_equal, !=, true, true)
COMPARE(less, <, true, false)
COMPARE(less_equal, <=, true, false)
COMPARE(greater, >, false, true)
COMPARE(greater_equal, >=, false, true)

/* ---- selection ---- */

MP_ROW_FN(where_f32, float, float, uint8_t, A ? B : C)
MP_ROW_FN(where_f64, double, double, uint8_t, A ? B : C)
MP_ROW_FN(where_u64, uint64_t, uint64_t, uint8_t, A ? B : C)
MP_ROW_FN(where_u8, uint8_t, uint8_t, uint8_t, A ? B : C)
MP_ROW_FN(where_u16, uint16_t, uint16_t, uint8_t, A ? B : C)
MP_ROW_FN(where_u32, uint32_t, uint32_t, uint8_t, A ? B : C)
static const mp_row_fn where_stored[MP_DTYPE_COUNT] = {
    MP_WRAPPING_TABLE(where),  [MP_BOOL] = where_u8,          [MP_FLOAT16] = where_u16,
    [MP_BFLOAT16] = where_u16, [MP_FLOAT8_E4M3FN] = where_u8, [MP_FLOAT8_E5M2] = where_u8};
static const mp_pointwise where_op = {.f32 = where_f32,
                                      .f64 = where_f64,
                                      .i64 = where_u64,
                                      .u64 = where_u64,
                                      .stored = where_stored,
                                      .selects = true,
                                      .grain = MP_GRAIN_LIGHT};
MP_KERNEL(where) { return mp_pointwise_run(call, &where_op, 3); }

/* ---- one input ---- */

MP_ROW_FN(same_u64, uint64_t, uint64_t, uint64_t, A)

MP_ROW_FN(neg_f32, float, float, float, -A)
MP_ROW_FN(neg_f64, double, double, double, -A)
MP_ROW_FN(neg_u64, uint64_t, uint64_t, uint64_t, 0 - A)
MP_WRAPPING_ROWS(neg, 0 - A)
MP_ROW_FN(neg_f16, uint16_t, uint16_t, uint16_t, A ^ 0x8000)
static const mp_row_fn neg_stored[MP_DTYPE_COUNT] = {
    MP_WRAPPING_TABLE(neg), [MP_FLOAT16] = neg_f16, [MP_BFLOAT16] = neg_f16};
static const mp_pointwise neg_op = {.f32 = neg_f32,
                                    .f64 = neg_f64,
                                    .i64 = neg_u64,
                                    .u64 = neg_u64,
                                    .stored = neg_stored,
                                    .grain = MP_GRAIN_LIGHT};
MP_KERNEL(neg) { return mp_pointwise_run(call, &neg_op, 1); }

MP_ROW_FN(abs_f32, float, float, float, fabsf(A))
MP_ROW_FN(abs_f64, double, double, double, fabs(A))
MP_ROW_FN(abs_i64, uint64_t, uint64_t, uint64_t, (int64_t)A < 0 ? 0 - A : A)
MP_INTEGER_ROWS(abs, A > 0 ? (uint32_t)A : 0 - (uint32_t)A)
MP_ROW_FN(abs_f16, uint16_t, uint16_t, uint16_t, A & 0x7fff)
static const mp_row_fn abs_stored[MP_DTYPE_COUNT] = {
    MP_INTEGER_TABLE(abs), [MP_FLOAT16] = abs_f16, [MP_BFLOAT16] = abs_f16};
static const mp_pointwise abs_op = {.f32 = abs_f32,
                                    .f64 = abs_f64,
                                    .i64 = abs_i64,
                                    .u64 = same_u64,
                                    .stored = abs_stored,
                                    .grain = MP_GRAIN_LIGHT};
MP_KERNEL(abs) { return mp_pointwise_run(call, &abs_op, 1); }

MP_ROW_FN(sign_f32, float, float, float, A != A ? A : (float)((A > 0) - (A < 0)))
MP_ROW_FN(sign_f64, double, double, double, A != A ? A : (double)((A > 0) - (A < 0)))
MP_ROW_FN(sign_i64, int64_t, int64_t, int64_t, (A > 0) - (A < 0))
MP_ROW_FN(sign_u64, uint64_t, uint64_t, uint64_t, A != 0)
MP_INTEGER_ROWS(sign, A == 0 ? 0 : A > 0 ? 1 : -1)
static const mp_row_fn sign_stored[MP_DTYPE_COUNT] = {MP_INTEGER_TABLE(sign)};
static const mp_pointwise sign_op = {.f32 = sign_f32,
                                     .f64 = sign_f64,
                                     .i64 = sign_i64,
                                     .u64 = sign_u64,
                                     .stored = sign_stored,
                                     .grain = MP_GRAIN_LIGHT};
MP_KERNEL(sign) { return mp_pointwise_run(call, &sign_op, 1); }

MP_ROW_FN(relu_f32, float, float, float, A <= 0 ? 0 : A)
MP_ROW_FN(relu_f64, double, double, double, A <= 0 ? 0 : A)
MP_ROW_FN(relu_i64, int64_t, int64_t, int64_t, A < 0 ? 0 : A)
static const mp_pointwise relu_op = {
    .f32 = relu_f32, .f64 = relu_f64, .i64 = relu_i64, .u64 = same_u64, .grain = MP_GRAIN_LIGHT};
MP_KERNEL(relu) { return mp_pointwise_run(call, &relu_op, 1); }

/* gx = gy where y > 0, and where y is NaN */
MP_ROW_FN(relu_bwd_f32, float, float, float, B <= 0 ? 0 : A)
MP_ROW_FN(relu_bwd_f64, double, double, double, B <= 0 ? 0 : A)
static const mp_pointwise relu_bwd_op = {
    .f32 = relu_bwd_f32, .f64 = relu_bwd_f64, .grain = MP_GRAIN_LIGHT};
MP_KERNEL(relu_bwd) { return mp_pointwise_run(call, &relu_bwd_op, 2); }
