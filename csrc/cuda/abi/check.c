/* Compares the ABI headers of this folder with NVIDIA's, where the compiler finds those. Nothing
 * here runs. */
#include "cublaslt.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

#define SAME(mine, theirs) _Static_assert((int)(mine) == (int)(theirs), #mine " is not " #theirs)
#define SAME_SIZE(mine, theirs)                                                                    \
    _Static_assert(sizeof(mine) == sizeof(theirs), #mine " has not the size of " #theirs)
#define SAME_PLACE(field, their_field)                                                             \
    _Static_assert(offsetof(mp_lt_choice, field) ==                                                \
                       offsetof(cublasLtMatmulHeuristicResult_t, their_field),                     \
                   #field " is not where " #their_field " is")

SAME(MP_LT_SUCCESS, CUBLAS_STATUS_SUCCESS);
SAME(MP_LT_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED);
SAME(MP_LT_NOT_SUPPORTED, CUBLAS_STATUS_NOT_SUPPORTED);
SAME(MP_LT_F32, CUDA_R_32F);
SAME(MP_LT_F64, CUDA_R_64F);
SAME(MP_LT_F16, CUDA_R_16F);
SAME(MP_LT_BF16, CUDA_R_16BF);
SAME(MP_LT_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(MP_LT_COMPUTE_64F, CUBLAS_COMPUTE_64F);
SAME(MP_LT_COMPUTE_TF32, CUBLAS_COMPUTE_32F_FAST_TF32);
SAME(MP_LT_OP_N, CUBLAS_OP_N);
SAME(MP_LT_OP_T, CUBLAS_OP_T);
SAME(MP_LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS);
SAME(MP_LT_REDUCE_IN_COMPUTE_TYPE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME(MP_LT_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(MP_LT_DESC_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(MP_LT_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(MP_LT_DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(MP_LT_LAYOUT_BATCH_COUNT, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
SAME(MP_LT_LAYOUT_BATCH_STEP, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
SAME(MP_LT_PREFERENCE_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(MP_LT_PREFERENCE_REDUCTION, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(MP_LT_PREFERENCE_ALIGNMENT_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(MP_LT_PREFERENCE_ALIGNMENT_B, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(MP_LT_PREFERENCE_ALIGNMENT_C, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(MP_LT_PREFERENCE_ALIGNMENT_D, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);

SAME_SIZE(mp_lt_algo, cublasLtMatmulAlgo_t);
SAME_SIZE(mp_lt_choice, cublasLtMatmulHeuristicResult_t);
SAME_SIZE(int, cublasStatus_t);
SAME_SIZE(int, cudaDataType_t);
SAME_SIZE(int, cublasComputeType_t);
SAME_SIZE(int, cublasLtMatmulDescAttributes_t);
SAME_SIZE(int, cublasLtMatrixLayoutAttribute_t);
SAME_SIZE(int, cublasLtMatmulPreferenceAttributes_t);
SAME_PLACE(algo, algo);
SAME_PLACE(workspace, workspaceSize);
SAME_PLACE(status, state);
SAME_PLACE(waves, wavesCount);
#endif
