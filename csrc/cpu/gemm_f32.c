/* Products with float32 sums: see gemm.h. */
#include "gemm.h"

#define REAL_BITS 32
#include "real.h"
#include "gemm_body.h"
#include "gemm_gemv.h"
