/* Tests of elements, which give bools: of floats' kinds, and of truth (what is not zero, NaN too).
 * Integers are finite. */
#include <float.h>
#include <math.h>

#include "../narrow.h"
#include "pointwise.h"

/* y = test of x; 16-bit floats are looked at as they are stored. */
#define TEST(op, f32_formula, f64_formula, i64_formula, u64_formula, f16_formula, bf16_formula)    \
    MP_ROW_FN(op##_f32, uint8_t, float, float, f32_formula)                                        \
    MP_ROW_FN(op##_f64, uint8_t, double, double, f64_formula)                                      \
    MP_ROW_FN(op##_i64, uint8_t, int64_t, int64_t, i64_formula)                                    \
    MP_ROW_FN(op##_u64, uint8_t, uint64_t, uint64_t, u64_formula)                                  \
    MP_ROW_FN(op##_f16, uint8_t, uint16_t, uint16_t, f16_formula)                                  \
    MP_ROW_FN(op##_bf16, uint8_t, uint16_t, uint16_t, bf16_formula)                                \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {                                         \
        [MP_FLOAT16] = op##_f16, [MP_BFLOAT16] = op##_bf16};                                       \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = op##_i64,                                          \
                                         .u64 = op##_u64,                                          \
                                         .stored = op##_stored,                                    \
                                         .compares = true,                                         \
                                         .grain = MP_GRAIN_LIGHT};                                 \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 1); }

#define SIZE_16 (A & 0x7fff)
TEST(isnan, A != A, A != A, 0, 0, SIZE_16 > 0x7c00, SIZE_16 > 0x7f80)
TEST(isinf, fabsf(A) > FLT_MAX, fabs(A) > DBL_MAX, 0, 0, SIZE_16 == 0x7c00, SIZE_16 == 0x7f80)
TEST(isfinite, fabsf(A) <= FLT_MAX, fabs(A) <= DBL_MAX, 1, 1, SIZE_16 < 0x7c00, SIZE_16 < 0x7f80)

static inline uint8_t sign_of_f64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint8_t)(bits >> 63);
}
TEST(signbit, mp_bits32(A) >> 31, sign_of_f64(A), A < 0, 0, A >> 15, A >> 15)

/* y = formula of the truth of the inputs */
#define LOGICAL(op, inputs, formula)                                                               \
    MP_ROW_FN(op##_f32, uint8_t, float, float, formula)                                            \
    MP_ROW_FN(op##_f64, uint8_t, double, double, formula)                                          \
    MP_ROW_FN(op##_u64, uint8_t, uint64_t, uint64_t, formula)                                      \
    MP_INTEGER_TESTS(op, formula)                                                                  \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {[MP_BOOL] = op##_u8,                     \
                                                          MP_INTEGER_TABLE(op)};                   \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = op##_u64,                                          \
                                         .u64 = op##_u64,                                          \
                                         .i64_u64 = op##_u64,                                      \
                                         .u64_i64 = op##_u64,                                      \
                                         .stored = op##_stored,                                    \
                                         .compares = true,                                         \
                                         .grain = MP_GRAIN_LIGHT};                                 \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, inputs); }

LOGICAL(logical_and, 2, TRUE_A &TRUE_B)
LOGICAL(logical_or, 2, TRUE_A | TRUE_B)
LOGICAL(logical_xor, 2, TRUE_A ^ TRUE_B)
LOGICAL(logical_not, 1, !TRUE_A)
