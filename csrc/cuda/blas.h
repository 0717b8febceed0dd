/* Products of matrices of one floating dtype, by cuBLASLt. */
#ifndef MP_CUDA_BLAS_H
#define MP_CUDA_BLAS_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For i in [0, batch): c_i[m][n] = sum over k of a_i[m][k] * b_i[k][n], plus bias[n]. Operand x_i
 * lies at x + i * x_step. Rows are x_ld apart, and the elements of a row are neighbours; of a
 * `transposed` operand columns are x_ld apart, and the elements of a column are neighbours. Steps
 * and ld are in elements and not negative, ld is at least the length of what is contiguous. m, n, k
 * and batch are at least 1. */
typedef struct mp_cuda_product {
    int64_t m, n, k, batch;
    const void *a, *b,
        *bias; /* bias: of c's dtype, 16-byte aligned, shared by the batch; or NULL */
    void *c;   /* overwritten; does not overlap a or b */
    int64_t a_ld, b_ld, c_ld, a_step, b_step, c_step;
    mp_dtype dtype, c_dtype; /* see mp_cuda_blas_takes */
    bool a_transposed, b_transposed;
} mp_cuda_product;

/* Whether a product of `dtype` can be written as c_dtype: float16 and bfloat16 as themselves and as
 * float32, float32 and float64 as themselves. Sums are float32, or float64 for float64. */
bool mp_cuda_blas_takes(mp_dtype dtype, mp_dtype c_dtype);

/* Launches the product; *done is false, and nothing was launched, where cuBLASLt has no kernel for
 * it. MP_ERR_NOT_IMPLEMENTED where the library is missing: the text says which file was looked for,
 * where, and how to get it. */
mp_status mp_cuda_blas_run(const mp_cuda_place *place, const mp_cuda_product *product, bool *done);

/* Whether products of float32 may round their inputs to TF32 (10 bits of fraction); off at first.
 * For the whole process. */
void mp_cuda_set_tf32(bool on);

#ifdef __cplusplus
}
#endif
#endif
