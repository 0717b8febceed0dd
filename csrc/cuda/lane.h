/* A lane, between stream.c (makes and uses it) and memory.c (keeps its free memory). */
#ifndef MP_CUDA_LANE_H
#define MP_CUDA_LANE_H

#include "runtime.h"

#define MP_CUDA_MAX_DEVICES 64

/* Sizes of memory: 512 bytes, and eight steps from each power of two to the next. Smaller classes
 * are cut from slabs. */
enum { MP_CUDA_CLASSES = 8 * 36, MP_CUDA_SLAB_CLASSES = 8 * 10 };

typedef struct mp_cuda_block {
    void *data;
    struct mp_cuda_block *next;
} mp_cuda_block;

struct mp_cuda_lane {
    cudaStream_t stream;
    int index; /* of its device, as CUDA counts */
    int priority;
    cudaEvent_t passed; /* marks its place for another stream; NULL until it is needed */
    bool idle;          /* nobody holds it: the next new stream of its priority takes it */
    struct {
        mp_cuda_block *blocks; /* free ones */
        mp_cuda_block *slabs;  /* what small blocks are cut from */
        int64_t used;          /* blocks in use */
    } classes[MP_CUDA_CLASSES];
    struct mp_cuda_lane *next; /* of the device */
};

/* All lanes of a device, guarded by the device's lock. */
mp_cuda_lane *mp_cuda_lanes(int index);
void mp_cuda_lock(int index);
/* Later work of stream `then` waits for what `first` has now. The event is a lane's, whose device's
 * lock is held. */
mp_status mp_cuda_order(mp_cuda_lane *lane, cudaStream_t first, cudaStream_t then);
void mp_cuda_unlock(int index);

#endif
