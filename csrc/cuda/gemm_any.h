/* Stacks of matrix products with any strides and dtypes: what cuBLASLt cannot do, and what brings
 * operands and results to where it can. */
#ifndef MP_CUDA_GEMM_ANY_H
#define MP_CUDA_GEMM_ANY_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A matrix for each item of a stack; strides in elements, of any sign, 0 where broadcast. */
typedef struct mp_cuda_matrix {
    const void *data;
    mp_dtype dtype;
    int64_t row, col;
    int64_t step[MP_CUDA_DIMS]; /* one for each dimension of the stack */
} mp_cuda_matrix;

/* c (m, n) = a (m, k) b (k, n) for each item; the c's are contiguous and follow each other. */
typedef struct mp_cuda_stack {
    int64_t m, n, k;
    int ndim; /* of the stack; with 0 there is one item */
    int64_t shape[MP_CUDA_DIMS];
    mp_cuda_matrix a, b;
    void *c;
    mp_dtype c_dtype;
} mp_cuda_stack;

/* Runs a stack that has elements in c. `sums` is MP_FLOAT32, MP_FLOAT64, or MP_INT64: sums of
 * integers wrap around, to bool they give whether they are not 0. The order of a sum depends on k
 * alone. */
mp_status mp_cuda_gemm_any(const mp_cuda_place *place, const mp_cuda_stack *stack, mp_dtype sums);

/* Writes the elements that shape and strides (in elements) give, in C order, to contiguous memory
 * of dtype `to_dtype`, which is floating. At most MP_CUDA_DIMS of the ndim <= MP_CUDA_DIMS + 2
 * extents are not 1. */
mp_status mp_cuda_gather(const mp_cuda_place *place, const void *from, mp_dtype from_dtype,
                         int ndim, const int64_t *shape, const int64_t *strides, void *to,
                         mp_dtype to_dtype);

/* y[r][c] = sum[r][c] + bias[c], rounded once. sum (float32 or float64) NULL: 0; bias NULL: 0. sum
 * may be y itself, where the dtypes are the same. Computed in float64 if `wide`. */
mp_status mp_cuda_finish(const mp_cuda_place *place, int64_t rows, int64_t cols, const void *sum,
                         mp_dtype sum_dtype, const void *bias, mp_dtype bias_dtype,
                         int64_t bias_step, void *y, mp_dtype y_dtype, bool wide);

#ifdef __cplusplus
}
#endif
#endif
