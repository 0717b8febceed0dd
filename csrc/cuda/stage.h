/* Copies from host memory that the device cannot read at full speed, and readings that nobody waits
 * for. */
#ifndef MP_CUDA_STAGE_H
#define MP_CUDA_STAGE_H

#include "runtime.h"

/* Copies from pageable host memory: what is read is copied when the call returns, the device may
 * still be busy. Waits only where all pieces are still being read. */
mp_status mp_cuda_copy_staged(const mp_cuda_place *place, void *dst, const void *src, size_t bytes);

/* See mp_backend. */
mp_status mp_cuda_post(mp_device device, const void *src, size_t bytes, void **letter);
mp_status mp_cuda_fetch(mp_device device, void *letter, void *dst, size_t bytes, bool *there);

#endif
