/* What the files of the CUDA library share: the stream that work goes to, memory for the duration
 * of a call, the way from a CUDA error to a status, and the way a kernel says that an input was
 * wrong. */
#ifndef MP_CUDA_RUNTIME_H
#define MP_CUDA_RUNTIME_H

#include "mp.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MP_CUDA_DIMS 8      /* of the arrays that kernels take: kernels keep them in registers */
#define MP_CUDA_THREADS 256 /* of a block, where a kernel has no reason for another number */

/* ---- stream.c ---- */

/* A stream with the memory that is reused in its order. The first lane of a device is the one that
 * all threads share. */
typedef struct mp_cuda_lane mp_cuda_lane;
/* Where kernels report an input that was wrong, see fault.cuh. */
typedef struct mp_cuda_fault mp_cuda_fault;

/* Where the calling thread's work on a device goes. */
typedef struct mp_cuda_place {
    cudaStream_t stream;
    mp_cuda_lane *lane;
    mp_cuda_fault *fault; /* in device memory */
    int index;            /* of the device, as CUDA counts */
    int processors;       /* streaming multiprocessors */
} mp_cuda_place;

/* The thread's place on `device`, which is made current. MP_ERR_DEVICE in a forked child, where
 * CUDA cannot be used. */
mp_status mp_cuda_enter(mp_device device, mp_cuda_place *out);
/* What kernels have reported since the last look: MP_ERR_INDEX with its text, once. Costs one read
 * of host memory. */
mp_status mp_cuda_look(mp_device device);

/* Before the host waits for a device, or calls what may wait for one (memory from the driver). */
void mp_cuda_note_wait(void);

/* MP_OK, or MP_ERR_DEVICE "what: CUDA's name and text of the error". */
mp_status mp_cuda_check(cudaError_t error, const char *what);
#define MP_CUDA_TRY(call) MP_TRY(mp_cuda_check((call), #call))
/* After a launch: whether it could be made. */
#define MP_CUDA_LAUNCHED() mp_cuda_check(cudaGetLastError(), "launch")

/* ---- memory.c ---- */

/* Memory in the order of the thread's stream: what is freed is reused by later work of the stream,
 * so that a call may free its scratch as soon as its kernels are launched. */
mp_status mp_cuda_scratch(const mp_cuda_place *place, size_t bytes, void **out);
void mp_cuda_scratch_free(const mp_cuda_place *place, void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
