/* What the files of the CUDA library share: the stream of a device, and the way from a CUDA error to a status. */
#ifndef MP_CUDA_RUNTIME_H
#define MP_CUDA_RUNTIME_H

#include "mp.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MP_CUDA_THREADS 256 /* of a block, where a kernel has no reason for another number */

/* The stream that all work of a device goes to, with the device made current. MP_ERR_DEVICE in a forked child, where
 * CUDA cannot be used. */
mp_status mp_cuda_stream(mp_device device, cudaStream_t *out);
/* MP_OK, or MP_ERR_DEVICE "what: CUDA's name and text of the error". */
mp_status mp_cuda_check(cudaError_t error, const char *what);

#define MP_CUDA_TRY(call) MP_TRY(mp_cuda_check((call), #call))

#ifdef __cplusplus
}
#endif
#endif
