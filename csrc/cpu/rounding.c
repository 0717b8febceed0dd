/* To whole numbers: down, up, towards zero, to the nearest (halves to the even one). Integers and
 * bools stay as they are, as all do in positive. */
#include <math.h>

#include "pointwise.h"

MP_ROW_FN(same_f32, float, float, float, A)
MP_ROW_FN(same_f64, double, double, double, A)
MP_ROW_FN(same_u64, uint64_t, uint64_t, uint64_t, A)
MP_WRAPPING_ROWS(same, A)
static const mp_row_fn integers_stored[MP_DTYPE_COUNT] = {MP_WRAPPING_TABLE(same), [MP_BOOL] =
                                                                                       same_u8};

#define ROUNDING(op, formula_f32, formula_f64)                                                     \
    MP_ROW_FN(op##_f32, float, float, float, formula_f32)                                          \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    static const mp_pointwise op##_op = {.f32 = op##_f32,                                          \
                                         .f64 = op##_f64,                                          \
                                         .i64 = same_u64,                                          \
                                         .u64 = same_u64,                                          \
                                         .stored = integers_stored,                                \
                                         .grain = MP_GRAIN_LIGHT};                                 \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 1); }

ROUNDING(floor, floorf(A), floor(A))
ROUNDING(ceil, ceilf(A), ceil(A))
ROUNDING(trunc, truncf(A), trunc(A))
ROUNDING(round, rintf(A), rint(A))

static const mp_row_fn same_stored[MP_DTYPE_COUNT] = {
    MP_WRAPPING_TABLE(same),  [MP_BOOL] = same_u8,          [MP_FLOAT16] = same_u16,
    [MP_BFLOAT16] = same_u16, [MP_FLOAT8_E4M3FN] = same_u8, [MP_FLOAT8_E5M2] = same_u8};
static const mp_pointwise positive_op = {.f32 = same_f32,
                                         .f64 = same_f64,
                                         .i64 = same_u64,
                                         .u64 = same_u64,
                                         .stored = same_stored,
                                         .grain = MP_GRAIN_LIGHT};
MP_KERNEL(positive) { return mp_pointwise_run(call, &positive_op, 1); }
