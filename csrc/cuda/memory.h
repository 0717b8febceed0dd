/* Memory for the table of backend.c. */
#ifndef MP_CUDA_MEMORY_H
#define MP_CUDA_MEMORY_H

#include "lane.h"

/* Memory of the thread's lane on a device; *home is that lane. */
mp_status mp_cuda_allocate(mp_device device, size_t bytes, void **out, void **home);
/* Gives memory back to its lane, to be used again after what `guest` (a lane, MP_MANY_GUESTS or
 * NULL) has been given. */
void mp_cuda_release(mp_device device, void *data, size_t bytes, void *home, void *guest);
mp_status mp_cuda_memory(mp_device device, mp_memory_info *out);
/* poke.cu: a few bytes of the host into device memory, in the order of the stream and without
 * waiting: they travel with the launch. */
#define MP_CUDA_POKE_BYTES 2048
#ifdef __cplusplus
extern "C"
#endif
    mp_status
    mp_cuda_poke(const mp_cuda_place *place, void *dst, const void *src, size_t bytes);
/* Waits for the device, and gives the driver what nobody uses. */
mp_status mp_cuda_empty_cache(mp_device device);

#endif
