/* A few bytes from the host to the device as parameters of a launch: a copy from pageable memory
 * would wait for the stream. */
#include "memory.h"

#include <string.h>

struct poke_bytes {
    unsigned char at[MP_CUDA_POKE_BYTES];
};

/* dst[i] = bytes[i]; one block. */
static __global__ void poke(unsigned char *dst, const __grid_constant__ poke_bytes bytes, int n) {
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) dst[i] = bytes.at[i];
}

extern "C" mp_status mp_cuda_poke(const mp_cuda_place *place, void *dst, const void *src,
                                  size_t bytes) {
    poke_bytes given;
    memcpy(given.at, src, bytes);
    poke<<<1, MP_CUDA_THREADS, 0, place->stream>>>((unsigned char *)dst, given, (int)bytes);
    return MP_CUDA_LAUNCHED();
}
