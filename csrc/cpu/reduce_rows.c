/* Reductions of dense rows and of columns. Float32 is added up in 64 lanes over at most 1024
 * elements, and those sums in double: the error of a sum does not grow with its length, and the
 * order of additions is the same in every tier. */
#include <float.h>
#include <math.h>

#include "reduce.h"
#include "vmath.h"

enum { LANES = 64, FEW = 32 };

#define SUM(s, v) ((s) + (v))
#define SQUARE(v, c) (((v) - (c)) * ((v) - (c)))
#define SELF(v, c) (v)
#define EXP_F32(v, c) mp_fexp((v) - (c))
#define EXP_F64(v, c) exp((v) - (c))
/* The one that is NaN wins. No jumps: loops are to be vectorised. */
#define MAX_F(s, v) ((((s) > (v)) | ((s) != (s))) ? (s) : (v))
#define MIN_F(s, v) ((((s) < (v)) | ((s) != (s))) ? (s) : (v))
#define MAX_I(s, v) ((s) > (v) ? (s) : (v))
#define MIN_I(s, v) ((s) < (v) ? (s) : (v))

/* ---- rows ---- */

/* Few elements one after another, more of them in lanes that are joined pairwise. */
#define ROW(name, real, wide, field, first, join, term)                                            \
    static void name(mp_acc *a, int64_t n, const void *px, double center) {                        \
        const real *x = px;                                                                        \
        const real middle = (real)center;                                                          \
        (void)middle;                                                                              \
        if (n <= FEW) {                                                                            \
            wide s = a->field;                                                                     \
            for (int64_t i = 0; i < n; i++) s = join(s, (wide)term(x[i], middle));                 \
            a->field = s;                                                                          \
            return;                                                                                \
        }                                                                                          \
        real lane[LANES];                                                                          \
        for (int k = 0; k < LANES; k++) lane[k] = first;                                           \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= n; i += LANES)                                                         \
            for (int k = 0; k < LANES; k++) lane[k] = join(lane[k], term(x[i + k], middle));       \
        for (int k = 0; i < n; i++, k++) lane[k] = join(lane[k], term(x[i], middle));              \
        for (int width = LANES / 2; width > 0; width /= 2)                                         \
            for (int k = 0; k < width; k++) lane[k] = join(lane[k], lane[k + width]);              \
        a->field = join(a->field, (wide)lane[0]);                                                  \
    }

ROW(sum_row_f32, float, double, f, 0, SUM, SELF)
ROW(sum_row_f64, double, double, f, 0, SUM, SELF)
ROW(sum_row_u64, uint64_t, uint64_t, u, 0, SUM, SELF)
ROW(deviation_row_f32, float, double, f, 0, SUM, SQUARE)
ROW(deviation_row_f64, double, double, f, 0, SUM, SQUARE)
ROW(exp_row_f32, float, double, f, 0, SUM, EXP_F32)
ROW(exp_row_f64, double, double, f, 0, SUM, EXP_F64)
ROW(max_row_f32, float, double, f, -INFINITY, MAX_F, SELF)
ROW(max_row_f64, double, double, f, -INFINITY, MAX_F, SELF)
ROW(max_row_i64, int64_t, int64_t, i, INT64_MIN, MAX_I, SELF)
ROW(max_row_u64, uint64_t, uint64_t, u, 0, MAX_I, SELF)
ROW(min_row_f32, float, double, f, INFINITY, MIN_F, SELF)
ROW(min_row_f64, double, double, f, INFINITY, MIN_F, SELF)
ROW(min_row_i64, int64_t, int64_t, i, INT64_MAX, MIN_I, SELF)
ROW(min_row_u64, uint64_t, uint64_t, u, UINT64_MAX, MIN_I, SELF)

/* ---- columns: four rows at a time if `four`, but for extrema of floats, which would not be
 * vectorised ---- */

#define COLUMNS(name, real, wide, field, first, join, term, four)                                  \
    static void name(mp_acc *a, int64_t cols, int64_t rows, const void *px, int64_t stride,        \
                     const double *center) {                                                       \
        real column[MP_REDUCE_COLS], middle[MP_REDUCE_COLS];                                       \
        for (int64_t j = 0; j < cols; j++) column[j] = first;                                      \
        for (int64_t j = 0; center && j < cols; j++) middle[j] = (real)center[j];                  \
        (void)middle;                                                                              \
        const char *at = px;                                                                       \
        int64_t r = 0;                                                                             \
        for (; four && r + 4 <= rows; r += 4, at += 4 * stride) {                                  \
            const real *x0 = (const real *)at, *x1 = (const real *)(at + stride);                  \
            const real *x2 = (const real *)(at + 2 * stride);                                      \
            const real *x3 = (const real *)(at + 3 * stride);                                      \
            for (int64_t j = 0; j < cols; j++) {                                                   \
                real s0 = join(term(x0[j], middle[j]), term(x1[j], middle[j]));                    \
                real s1 = join(term(x2[j], middle[j]), term(x3[j], middle[j]));                    \
                real s = join(s0, s1);                                                             \
                column[j] = join(column[j], s);                                                    \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, at += stride) {                                                      \
            const real *x = (const real *)at;                                                      \
            for (int64_t j = 0; j < cols; j++) column[j] = join(column[j], term(x[j], middle[j])); \
        }                                                                                          \
        for (int64_t j = 0; j < cols; j++) a[j].field = join(a[j].field, (wide)column[j]);         \
    }

COLUMNS(sum_columns_f32, float, double, f, 0, SUM, SELF, 1)
COLUMNS(sum_columns_f64, double, double, f, 0, SUM, SELF, 1)
COLUMNS(sum_columns_u64, uint64_t, uint64_t, u, 0, SUM, SELF, 1)
COLUMNS(deviation_columns_f32, float, double, f, 0, SUM, SQUARE, 1)
COLUMNS(deviation_columns_f64, double, double, f, 0, SUM, SQUARE, 1)
COLUMNS(exp_columns_f32, float, double, f, 0, SUM, EXP_F32, 0)
COLUMNS(exp_columns_f64, double, double, f, 0, SUM, EXP_F64, 0)
COLUMNS(max_columns_f32, float, double, f, -INFINITY, MAX_F, SELF, 0)
COLUMNS(max_columns_f64, double, double, f, -INFINITY, MAX_F, SELF, 0)
COLUMNS(max_columns_i64, int64_t, int64_t, i, INT64_MIN, MAX_I, SELF, 1)
COLUMNS(max_columns_u64, uint64_t, uint64_t, u, 0, MAX_I, SELF, 1)
COLUMNS(min_columns_f32, float, double, f, INFINITY, MIN_F, SELF, 0)
COLUMNS(min_columns_f64, double, double, f, INFINITY, MIN_F, SELF, 0)
COLUMNS(min_columns_i64, int64_t, int64_t, i, INT64_MAX, MIN_I, SELF, 1)
COLUMNS(min_columns_u64, uint64_t, uint64_t, u, UINT64_MAX, MIN_I, SELF, 1)

/* Integers of less than 64 bits are compared as they are stored. */
#define NARROW(name, real, wide, field, least, most)                                               \
    ROW(max_row_##name, real, wide, field, least, MAX_I, SELF)                                     \
    ROW(min_row_##name, real, wide, field, most, MIN_I, SELF)                                      \
    COLUMNS(max_columns_##name, real, wide, field, least, MAX_I, SELF, 1)                          \
    COLUMNS(min_columns_##name, real, wide, field, most, MIN_I, SELF, 1)
NARROW(i8, int8_t, int64_t, i, INT8_MIN, INT8_MAX)
NARROW(u8, uint8_t, uint64_t, u, 0, UINT8_MAX)
NARROW(i16, int16_t, int64_t, i, INT16_MIN, INT16_MAX)
NARROW(u16, uint16_t, uint64_t, u, 0, UINT16_MAX)
NARROW(i32, int32_t, int64_t, i, INT32_MIN, INT32_MAX)
NARROW(u32, uint32_t, uint64_t, u, 0, UINT32_MAX)

/* ---- products: in double, whose range takes in what float32 overflows to on the way ---- */

/* Lanes of four elements, joined with their neighbours: great and small factors of a stretch meet
 * before any of them grows. */
static void prod_row_f32(mp_acc *a, int64_t n, const void *px, double center) {
    enum { WIDTH = 32, BLOCK = 4 * WIDTH };
    const float *x = px;
    double product = a->f;
    int64_t i = 0;
    (void)center;
    for (; i + BLOCK <= n; i += BLOCK) {
        double lane[WIDTH];
        for (int k = 0; k < WIDTH; k++)
            lane[k] = ((double)x[i + k] * (double)x[i + WIDTH + k]) *
                      ((double)x[i + 2 * WIDTH + k] * (double)x[i + 3 * WIDTH + k]);
        for (int width = WIDTH / 2; width > 0; width /= 2)
            for (int k = 0; k < width; k++) lane[k] = lane[2 * k] * lane[2 * k + 1];
        product *= lane[0];
    }
    for (; i < n; i++) product *= (double)x[i];
    a->f = product;
}

/* One after the other: float64 has no wider type to keep lanes in. */
#define PROD_ROW(name, real, field)                                                                \
    static void name(mp_acc *a, int64_t n, const void *px, double center) {                        \
        const real *x = px;                                                                        \
        real product = a->field;                                                                   \
        (void)center;                                                                              \
        for (int64_t i = 0; i < n; i++) product *= x[i];                                           \
        a->field = product;                                                                        \
    }
#define PROD_COLUMNS(name, real, wide, field)                                                      \
    static void name(mp_acc *a, int64_t cols, int64_t rows, const void *px, int64_t stride,        \
                     const double *center) {                                                       \
        wide column[MP_REDUCE_COLS];                                                               \
        const char *at = px;                                                                       \
        int64_t r = 0;                                                                             \
        (void)center;                                                                              \
        for (int64_t j = 0; j < cols; j++) column[j] = a[j].field;                                 \
        for (; r + 4 <= rows; r += 4, at += 4 * stride) {                                          \
            const real *x0 = (const real *)at, *x1 = (const real *)(at + stride);                  \
            const real *x2 = (const real *)(at + 2 * stride);                                      \
            const real *x3 = (const real *)(at + 3 * stride);                                      \
            for (int64_t j = 0; j < cols; j++)                                                     \
                column[j] = column[j] * (wide)x0[j] * (wide)x1[j] * (wide)x2[j] * (wide)x3[j];     \
        }                                                                                          \
        for (; r < rows; r++, at += stride) {                                                      \
            const real *x = (const real *)at;                                                      \
            for (int64_t j = 0; j < cols; j++) column[j] *= (wide)x[j];                            \
        }                                                                                          \
        for (int64_t j = 0; j < cols; j++) a[j].field = column[j];                                 \
    }
PROD_ROW(prod_row_f64, double, f)
PROD_ROW(prod_row_u64, uint64_t, u)
PROD_COLUMNS(prod_columns_f32, float, double, f)
PROD_COLUMNS(prod_columns_f64, double, double, f)
PROD_COLUMNS(prod_columns_u64, uint64_t, uint64_t, u)

/* ---- tables ---- */

#define PRODUCT(s, v) ((s) * (v))

#define JOIN(name, field, join)                                                                    \
    static void name(mp_acc *a, const mp_acc *b) { a->field = join(a->field, b->field); }
JOIN(sum_join_f, f, SUM)
JOIN(sum_join_u, u, SUM)
JOIN(prod_join_f, f, PRODUCT)
JOIN(prod_join_u, u, PRODUCT)
JOIN(max_join_f, f, MAX_F)
JOIN(max_join_i, i, MAX_I)
JOIN(max_join_u, u, MAX_I)
JOIN(min_join_f, f, MIN_F)
JOIN(min_join_i, i, MIN_I)
JOIN(min_join_u, u, MIN_I)

const mp_reducer MP_TIERED(mp_reduce_sum)[4] = {
    {MP_FLOAT32, {.f = 0}, sum_row_f32, sum_columns_f32, sum_join_f, false},
    {MP_FLOAT64, {.f = 0}, sum_row_f64, sum_columns_f64, sum_join_f, false},
    {MP_INT64, {.u = 0}, sum_row_u64, sum_columns_u64, sum_join_u, false},
    {MP_UINT64, {.u = 0}, sum_row_u64, sum_columns_u64, sum_join_u, false},
};
const mp_reducer MP_TIERED(mp_reduce_deviation)[2] = {
    {MP_FLOAT32, {.f = 0}, deviation_row_f32, deviation_columns_f32, sum_join_f, false},
    {MP_FLOAT64, {.f = 0}, deviation_row_f64, deviation_columns_f64, sum_join_f, false},
};
const mp_reducer MP_TIERED(mp_reduce_exp)[2] = {
    {MP_FLOAT32, {.f = 0}, exp_row_f32, exp_columns_f32, sum_join_f, false},
    {MP_FLOAT64, {.f = 0}, exp_row_f64, exp_columns_f64, sum_join_f, false},
};
const mp_reducer MP_TIERED(mp_reduce_prod)[4] = {
    {MP_FLOAT32, {.f = 1}, prod_row_f32, prod_columns_f32, prod_join_f, false},
    {MP_FLOAT64, {.f = 1}, prod_row_f64, prod_columns_f64, prod_join_f, false},
    {MP_INT64, {.u = 1}, prod_row_u64, prod_columns_u64, prod_join_u, false},
    {MP_UINT64, {.u = 1}, prod_row_u64, prod_columns_u64, prod_join_u, false},
};
#define EXTREMUM(op, type, name, field, first)                                                     \
    { type, {.field = first}, op##_row_##name, op##_columns_##name, op##_join_##field, true }
const mp_reducer MP_TIERED(mp_reduce_max)[MP_ROWS_COUNT] = {
    [MP_ROWS_F32] = EXTREMUM(max, MP_FLOAT32, f32, f, -INFINITY),
    [MP_ROWS_F64] = EXTREMUM(max, MP_FLOAT64, f64, f, -INFINITY),
    [MP_ROWS_I64] = EXTREMUM(max, MP_INT64, i64, i, INT64_MIN),
    [MP_ROWS_U64] = EXTREMUM(max, MP_UINT64, u64, u, 0),
    [MP_ROWS_I8] = EXTREMUM(max, MP_INT8, i8, i, INT8_MIN),
    [MP_ROWS_U8] = EXTREMUM(max, MP_UINT8, u8, u, 0),
    [MP_ROWS_I16] = EXTREMUM(max, MP_INT16, i16, i, INT16_MIN),
    [MP_ROWS_U16] = EXTREMUM(max, MP_UINT16, u16, u, 0),
    [MP_ROWS_I32] = EXTREMUM(max, MP_INT32, i32, i, INT32_MIN),
    [MP_ROWS_U32] = EXTREMUM(max, MP_UINT32, u32, u, 0),
};
const mp_reducer MP_TIERED(mp_reduce_min)[MP_ROWS_COUNT] = {
    [MP_ROWS_F32] = EXTREMUM(min, MP_FLOAT32, f32, f, INFINITY),
    [MP_ROWS_F64] = EXTREMUM(min, MP_FLOAT64, f64, f, INFINITY),
    [MP_ROWS_I64] = EXTREMUM(min, MP_INT64, i64, i, INT64_MAX),
    [MP_ROWS_U64] = EXTREMUM(min, MP_UINT64, u64, u, UINT64_MAX),
    [MP_ROWS_I8] = EXTREMUM(min, MP_INT8, i8, i, INT8_MAX),
    [MP_ROWS_U8] = EXTREMUM(min, MP_UINT8, u8, u, UINT8_MAX),
    [MP_ROWS_I16] = EXTREMUM(min, MP_INT16, i16, i, INT16_MAX),
    [MP_ROWS_U16] = EXTREMUM(min, MP_UINT16, u16, u, UINT16_MAX),
    [MP_ROWS_I32] = EXTREMUM(min, MP_INT32, i32, i, INT32_MAX),
    [MP_ROWS_U32] = EXTREMUM(min, MP_UINT32, u32, u, UINT32_MAX),
};

/* ---- for other kernels ---- */

float MP_TIERED(mp_max_row)(int64_t n, const float *x) {
    mp_acc a = {.f = -INFINITY};
    for (int64_t i = 0; i < n; i += MP_REDUCE_PIECE)
        max_row_f32(&a, n - i < MP_REDUCE_PIECE ? n - i : MP_REDUCE_PIECE, x + i, 0);
    return (float)a.f;
}
