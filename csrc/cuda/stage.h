/* Copies from host memory that the device cannot read at full speed. */
#ifndef MP_CUDA_STAGE_H
#define MP_CUDA_STAGE_H

#include "runtime.h"

/* Copies from pageable host memory: what is read is copied when the call returns, the device may
 * still be busy. Waits only where all pieces are still being read. */
mp_status mp_cuda_copy_staged(const mp_cuda_place *place, void *dst, const void *src, size_t bytes);

#endif
