/* Bits of integers and bools: and, or, xor, not, and shifts. A shift by a count that is negative or
 * not below the width leaves nothing, or the sign of a signed integer, as NumPy's does. */
#include "pointwise.h"

/* `truth` is what the op is for bools. */
#define BITWISE(op, inputs, formula, truth)                                                        \
    MP_ROW_FN(op##_u64, uint64_t, uint64_t, uint64_t, formula)                                     \
    MP_ROW_FN(op##_bool, uint8_t, uint8_t, uint8_t, truth)                                         \
    MP_WRAPPING_ROWS(op, formula)                                                                  \
    static const mp_row_fn op##_stored[MP_DTYPE_COUNT] = {[MP_BOOL] = op##_bool,                   \
                                                          MP_WRAPPING_TABLE(op)};                  \
    static const mp_pointwise op##_op = {                                                          \
        .i64 = op##_u64, .u64 = op##_u64, .stored = op##_stored, .grain = MP_GRAIN_LIGHT};         \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, inputs); }

BITWISE(bitwise_and, 2, A &B, TRUE_A &TRUE_B)
BITWISE(bitwise_or, 2, A | B, TRUE_A | TRUE_B)
BITWISE(bitwise_xor, 2, A ^ B, TRUE_A ^ TRUE_B)
BITWISE(bitwise_invert, 1, ~A, !TRUE_A)

/* Counts are compared as unsigned numbers, so that negative ones are too great. A left shift is
 * that of the bits alone; a right shift by the width less one is what is left of a sign. Narrow
 * integers are shifted as 32-bit ones, whose low bits are the same. */
MP_ROW_FN(left_u64, uint64_t, uint64_t, uint64_t, B < 64 ? A << (B & 63) : 0)
MP_ROW_FN(left_u8, uint8_t, uint8_t, uint8_t, B < 8 ? (uint32_t)A << (B & 7) : 0)
MP_ROW_FN(left_u16, uint16_t, uint16_t, uint16_t, B < 16 ? (uint32_t)A << (B & 15) : 0)
MP_ROW_FN(left_u32, uint32_t, uint32_t, uint32_t, B < 32 ? A << (B & 31) : 0)
static const mp_row_fn left_stored[MP_DTYPE_COUNT] = {MP_WRAPPING_TABLE(left)};
static const mp_pointwise left_op = {
    .i64 = left_u64, .u64 = left_u64, .stored = left_stored, .grain = MP_GRAIN_LIGHT};
MP_KERNEL(bitwise_left_shift) { return mp_pointwise_run(call, &left_op, 2); }

MP_ROW_FN(right_i64, int64_t, int64_t, int64_t, A >> ((uint64_t)B < 64 ? B : 63))
MP_ROW_FN(right_i8, int8_t, int8_t, int8_t, A >> ((uint8_t)B < 8 ? B : 7))
MP_ROW_FN(right_i16, int16_t, int16_t, int16_t, A >> ((uint16_t)B < 16 ? B : 15))
MP_ROW_FN(right_i32, int32_t, int32_t, int32_t, A >> ((uint32_t)B < 32 ? B : 31))
MP_ROW_FN(right_u64, uint64_t, uint64_t, uint64_t, B < 64 ? A >> (B & 63) : 0)
MP_ROW_FN(right_u8, uint8_t, uint8_t, uint8_t, B < 8 ? A >> (B & 7) : 0)
MP_ROW_FN(right_u16, uint16_t, uint16_t, uint16_t, B < 16 ? A >> (B & 15) : 0)
MP_ROW_FN(right_u32, uint32_t, uint32_t, uint32_t, B < 32 ? A >> (B & 31) : 0)
static const mp_row_fn right_stored[MP_DTYPE_COUNT] = {MP_INTEGER_TABLE(right)};
static const mp_pointwise right_op = {
    .i64 = right_i64, .u64 = right_u64, .stored = right_stored, .grain = MP_GRAIN_LIGHT};
MP_KERNEL(bitwise_right_shift) { return mp_pointwise_run(call, &right_op, 2); }
