/* Staging: host memory goes to a device through pieces of pinned memory, which the device reads at
 * full speed and while the host goes on. The pieces of a device are shared by all threads and used
 * in turn. */
#include "stage.h"

#include "memory.h"
#include "stream.h"

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

/* ---- letters ---- */

enum { LETTER_BYTES = 256, LETTERS = 64 };

typedef struct letter {
    void *data;       /* pinned */
    cudaEvent_t come; /* the device has written it */
    bool used;
} letter;

static letter letters[MP_CUDA_MAX_DEVICES][LETTERS]; /* guarded by the device's lock */

static mp_status make_letters(int index) {
    void *data;
    mp_cuda_note_wait();
    MP_CUDA_TRY(cudaHostAlloc(&data, LETTERS * LETTER_BYTES, cudaHostAllocPortable));
    for (int i = 0; i < LETTERS; i++) letters[index][i].data = (char *)data + i * LETTER_BYTES;
    return MP_OK;
}

/* One that nobody has and no copy is on its way to; NULL if there is none. */
static mp_status free_letter(int index, letter **out) {
    *out = NULL;
    if (!letters[index][0].data) MP_TRY(make_letters(index));
    for (int i = 0; i < LETTERS && !*out; i++) {
        letter *l = &letters[index][i];
        if (l->used) continue;
        if (!l->come) MP_CUDA_TRY(cudaEventCreateWithFlags(&l->come, cudaEventDisableTiming));
        bool done;
        MP_TRY(mp_cuda_event_done(l->come, &done));
        if (done) *out = l;
    }
    if (*out) (*out)->used = true;
    return MP_OK;
}

static void end_letter(int index, letter *l) {
    mp_cuda_lock(index);
    l->used = false;
    mp_cuda_unlock(index);
}

mp_status mp_cuda_post(mp_device device, const void *src, size_t bytes, void **out) {
    mp_cuda_place place;
    letter *l;
    if (bytes > LETTER_BYTES)
        return mp_fail(MP_ERR_VALUE, "post: %zu bytes, at most %d are possible", bytes,
                       LETTER_BYTES);
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_lock(place.index);
    mp_status status = free_letter(place.index, &l);
    mp_cuda_unlock(place.index);
    *out = l;
    if (status != MP_OK || !l) return status;
    cudaError_t error = cudaMemcpyAsync(l->data, src, bytes, cudaMemcpyDeviceToHost, place.stream);
    if (error == cudaSuccess) error = cudaEventRecord(l->come, place.stream);
    if (error != cudaSuccess) end_letter(place.index, l);
    return mp_cuda_check(error, "cudaMemcpyAsync");
}

mp_status mp_cuda_fetch(mp_device device, void *posted, void *dst, size_t bytes, bool *there) {
    mp_cuda_place place;
    letter *l = posted;
    MP_TRY(mp_cuda_enter(device, &place));
    if (dst) MP_TRY(mp_cuda_event_done(l->come, there));
    if (dst && !*there) return MP_OK;
    if (dst) memcpy(dst, l->data, bytes < LETTER_BYTES ? bytes : LETTER_BYTES);
    end_letter(place.index, l);
    return MP_OK;
}
