/* What mixprec uses of cuBLASLt 12 and 13: types, values and prototypes, under names of its own, so
 * that a machine without cublasLt.h can build the library. The functions are found at run time
 * (../library.h). Where NVIDIA's header is found, check.c compares the two. Enumerations are passed
 * as int. */
#ifndef MP_CUDA_ABI_CUBLASLT_H
#define MP_CUDA_ABI_CUBLASLT_H

#include <cuda_runtime_api.h>

#include <stddef.h>
#include <stdint.h>

/* opaque */
typedef struct mp_lt_context *mp_lt_handle;
typedef struct mp_lt_operation *mp_lt_desc;
typedef struct mp_lt_matrix *mp_lt_layout;
typedef struct mp_lt_wishes *mp_lt_preference;

typedef struct mp_lt_algo {
    uint64_t data[8];
} mp_lt_algo;

typedef struct mp_lt_choice {
    mp_lt_algo algo;
    size_t workspace;
    int status;
    float waves;
    int reserved[4];
} mp_lt_choice;

enum { MP_LT_SUCCESS = 0, MP_LT_ALLOC_FAILED = 3, MP_LT_NOT_SUPPORTED = 15 };
enum { MP_LT_F32 = 0, MP_LT_F64 = 1, MP_LT_F16 = 2, MP_LT_BF16 = 14 };
enum { MP_LT_COMPUTE_32F = 68, MP_LT_COMPUTE_64F = 70, MP_LT_COMPUTE_TF32 = 77 };
enum { MP_LT_OP_N = 0, MP_LT_OP_T = 1 };
enum { MP_LT_EPILOGUE_BIAS = 4 };
enum { MP_LT_REDUCE_IN_COMPUTE_TYPE = 2 };

/* attributes, and the type of each */
enum {
    MP_LT_DESC_TRANSA = 3,       /* int32_t */
    MP_LT_DESC_TRANSB = 4,       /* int32_t */
    MP_LT_DESC_EPILOGUE = 7,     /* uint32_t */
    MP_LT_DESC_BIAS_POINTER = 8, /* const void * */
};
enum {
    MP_LT_LAYOUT_BATCH_COUNT = 5, /* int32_t */
    MP_LT_LAYOUT_BATCH_STEP = 6,  /* int64_t, in elements */
};
enum {
    MP_LT_PREFERENCE_WORKSPACE = 1,   /* uint64_t, bytes */
    MP_LT_PREFERENCE_REDUCTION = 3,   /* uint32_t, mask */
    MP_LT_PREFERENCE_ALIGNMENT_A = 5, /* uint32_t, bytes; of B, C and D follow */
    MP_LT_PREFERENCE_ALIGNMENT_B = 6,
    MP_LT_PREFERENCE_ALIGNMENT_C = 7,
    MP_LT_PREFERENCE_ALIGNMENT_D = 8,
};

/* The functions, in the order of ../blas.c's list of their names. */
typedef struct mp_lt_functions {
    int (*create)(mp_lt_handle *out);
    const char *(*status_name)(int status);
    int (*desc_create)(mp_lt_desc *out, int compute, int scale_type);
    int (*desc_destroy)(mp_lt_desc desc);
    int (*desc_set)(mp_lt_desc desc, int attribute, const void *value, size_t bytes);
    int (*layout_create)(mp_lt_layout *out, int type, uint64_t rows, uint64_t cols, int64_t ld);
    int (*layout_destroy)(mp_lt_layout layout);
    int (*layout_set)(mp_lt_layout layout, int attribute, const void *value, size_t bytes);
    int (*preference_create)(mp_lt_preference *out);
    int (*preference_destroy)(mp_lt_preference preference);
    int (*preference_set)(mp_lt_preference preference, int attribute, const void *value,
                          size_t bytes);
    int (*heuristic)(mp_lt_handle handle, mp_lt_desc desc, mp_lt_layout a, mp_lt_layout b,
                     mp_lt_layout c, mp_lt_layout d, mp_lt_preference preference, int wanted,
                     mp_lt_choice *choices, int *found);
    int (*matmul)(mp_lt_handle handle, mp_lt_desc desc, const void *alpha, const void *a,
                  mp_lt_layout a_layout, const void *b, mp_lt_layout b_layout, const void *beta,
                  const void *c, mp_lt_layout c_layout, void *d, mp_lt_layout d_layout,
                  const mp_lt_algo *algo, void *workspace, size_t bytes, cudaStream_t stream);
} mp_lt_functions;

#endif
