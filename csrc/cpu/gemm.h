/* Matrix products of any float dtypes and strides: c[m][n] = sum over k of a[m][k] * b[k][n], plus
 * a bias per column.
 *
 * Operands are converted while they are packed, sums run in float32 (float64 if `wide`) in one
 * order over K that depends on nothing but K, M and N: never on the number of threads. gemm.c
 * decides how a product is cut; gemm_body.h, included by gemm_f32.c and gemm_f64.c, does the work;
 * gemm_pack.h and gemm_tile.h are its packing and its inner loops. */
#ifndef MP_CPU_GEMM_H
#define MP_CPU_GEMM_H

#include "cpu.h"

typedef struct mp_gemm {
    int64_t m, n, k;
    const void *a, *b, *bias; /* bias: n elements, or NULL */
    void *c;                  /* overwritten; rows are contiguous */
    mp_dtype a_dtype, b_dtype, c_dtype, bias_dtype;
    /* strides in elements; may be 0, and negative but for c */
    int64_t a_row, a_col, b_row, b_col, c_row, bias_step;
    bool wide;
} mp_gemm;

/* Runs one product, on several threads where that pays. MP_ERR_MEMORY where packing finds no room.
 */
mp_status MP_TIERED(mp_gemm_run)(const mp_gemm *g);

/* The parts of it for one type of sum; `threads` is the most to use. */
mp_status MP_TIERED(mp_gemm_f32)(const mp_gemm *g, int threads);
mp_status MP_TIERED(mp_gemm_f64)(const mp_gemm *g, int threads);
/* The same for a product with few rows or columns, m or n <= MP_GEMV_MOST, read at memory speed
 * without packing. */
mp_status MP_TIERED(mp_gemv_f32)(const mp_gemm *g, int threads);
mp_status MP_TIERED(mp_gemv_f64)(const mp_gemm *g, int threads);

enum { MP_GEMV_MOST = 16 };
/* Row `row` of c from `count` dense parts of m x n sums, in order, with the bias. room holds 2 n
 * sums. */
void MP_TIERED(mp_gemm_sum_f32)(const mp_gemm *g, const void *parts, int64_t count, int64_t row,
                                void *room);
void MP_TIERED(mp_gemm_sum_f64)(const mp_gemm *g, const void *parts, int64_t count, int64_t row,
                                void *room);

/* Its nanoseconds on one thread, roughly. */
static inline double mp_gemm_work(int64_t m, int64_t n, int64_t k) {
    return (double)m * (double)n * (double)k / 25 + 200;
}

static inline const char *mp_gemm_at(const void *data, mp_dtype dtype, int64_t index) {
    return (const char *)data + index * mp_dtypes[dtype].bytes;
}

#endif
