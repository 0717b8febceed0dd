/* Staging: host memory goes to a device through pieces of pinned memory, which the device reads at
 * full speed and while the host goes on. The pieces of a device are shared by all threads and used
 * in turn. */
#include "stage.h"

#include "lane.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 2 << 20, PIECES = 8 };

typedef struct piece {
    void *data;
    cudaEvent_t free_at; /* the device has read it */
    struct piece *next;
} piece;

/* A queue, the piece that is free first at its head; guarded by the device's lock. */
static struct {
    piece *first, **last;
    int made;
} pieces[MP_CUDA_MAX_DEVICES];

static void put(int index, piece *p) {
    mp_cuda_lock(index);
    if (!pieces[index].first) pieces[index].last = &pieces[index].first;
    p->next = NULL;
    *pieces[index].last = p;
    pieces[index].last = &p->next;
    mp_cuda_unlock(index);
}

/* The piece at the head, if it is free or there are enough; else NULL, for a new one. */
static piece *next_made(int index, bool *busy) {
    mp_cuda_lock(index);
    piece *p = pieces[index].first;
    *busy = p && cudaEventQuery(p->free_at) == cudaErrorNotReady;
    if (*busy) cudaGetLastError(); /* no error of the next launch */
    if (*busy && pieces[index].made < PIECES) p = NULL;
    if (p) pieces[index].first = p->next;
    else pieces[index].made++;
    mp_cuda_unlock(index);
    return p;
}

static mp_status make(piece **out) {
    piece *p = calloc(1, sizeof *p);
    if (!p) return mp_fail(MP_ERR_MEMORY, "stage: no room for a piece of %zu bytes", sizeof *p);
    mp_cuda_note_wait();
    mp_status status =
        mp_cuda_check(cudaHostAlloc(&p->data, PIECE_BYTES, cudaHostAllocPortable), "cudaHostAlloc");
    if (status == MP_OK)
        status = mp_cuda_check(cudaEventCreateWithFlags(&p->free_at, cudaEventDisableTiming),
                               "cudaEventCreateWithFlags");
    if (status == MP_OK) {
        *out = p;
        return MP_OK;
    }
    if (p->data) cudaFreeHost(p->data);
    free(p);
    return status;
}

static mp_status take(int index, piece **out) {
    bool busy;
    *out = next_made(index, &busy);
    if (!*out) return make(out);
    if (!busy) return MP_OK;
    mp_cuda_note_wait();
    mp_status status = mp_cuda_check(cudaEventSynchronize((*out)->free_at), "cudaEventSynchronize");
    if (status != MP_OK) put(index, *out);
    return status;
}

mp_status mp_cuda_copy_staged(const mp_cuda_place *place, void *dst, const void *src,
                              size_t bytes) {
    if (bytes <= MP_CUDA_POKE_BYTES) return mp_cuda_poke(place, dst, src, bytes);
    for (size_t at = 0; at < bytes; at += PIECE_BYTES) {
        size_t n = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        piece *p;
        MP_TRY(take(place->index, &p));
        memcpy(p->data, (const char *)src + at, n);
        cudaError_t error =
            cudaMemcpyAsync((char *)dst + at, p->data, n, cudaMemcpyHostToDevice, place->stream);
        if (error == cudaSuccess) error = cudaEventRecord(p->free_at, place->stream);
        put(place->index, p);
        MP_TRY(mp_cuda_check(error, "cudaMemcpyAsync"));
    }
    return MP_OK;
}
