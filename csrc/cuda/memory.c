/* Memory of the devices. What is freed is kept by its lane and given out again in the order of the
 * lane's stream, without asking the driver: a training loop allocates nothing from its second step
 * on. Memory that another stream used goes back when that stream has passed the point where it was
 * freed. */
#include "memory.h"

#include <stdlib.h>

enum {
    SMALLEST = 9,         /* log2 of the first class */
    SLAB_BYTES = 2 << 20, /* small blocks are cut from these */
    NODES = 256,          /* list nodes made at a time */
};

static struct {
    size_t reserved, cached; /* bytes from the driver; those of them that nobody uses */
} totals[MP_CUDA_MAX_DEVICES];

/* ---- classes ---- */

/* The class of a size, and the bytes its blocks have: (8 + step) / 8 of a power of two. */
static int class_of(size_t bytes, size_t *rounded) {
    if (bytes <= (size_t)1 << SMALLEST) {
        *rounded = (size_t)1 << SMALLEST;
        return 0;
    }
    int log =
        63 - __builtin_clzll((unsigned long long)(bytes - 1)); /* 2^log < bytes <= 2^(log + 1) */
    size_t step = (size_t)1 << (log - 3), steps = (bytes - ((size_t)1 << log) + step - 1) / step;
    *rounded = ((size_t)1 << log) + steps * step;
    return 8 * (log - SMALLEST) + (int)steps;
}

static size_t bytes_of(int c) {
    if (c == 0) return (size_t)1 << SMALLEST;
    int steps = (c - 1) % 8 + 1, log = (c - steps) / 8 + SMALLEST;
    return ((size_t)1 << log) + ((size_t)steps << (log - 3));
}

/* ---- list nodes ---- */

static mp_cuda_block *spare[MP_CUDA_MAX_DEVICES];

static mp_cuda_block *new_node(int index) {
    if (!spare[index]) {
        mp_cuda_block *many = calloc(NODES, sizeof *many);
        for (int i = 0; many && i < NODES; i++) {
            many[i].next = spare[index];
            spare[index] = &many[i];
        }
    }
    mp_cuda_block *node = spare[index];
    if (node) spare[index] = node->next;
    return node;
}

static void push(mp_cuda_block **list, int index, void *data) {
    mp_cuda_block *node = new_node(index);
    if (!node) return; /* no memory for a list node: the block is lost until the process ends */
    node->data = data;
    node->next = *list;
    *list = node;
}

static void *pop(mp_cuda_block **list, int index) {
    mp_cuda_block *node = *list;
    if (!node) return NULL;
    void *data = node->data;
    *list = node->next;
    node->next = spare[index];
    spare[index] = node;
    return data;
}

/* ---- the driver ---- */

/* Gives what a lane keeps back to the driver. */
static void release_lane(mp_cuda_lane *lane) {
    for (int c = 0; c < MP_CUDA_CLASSES; c++) {
        size_t bytes = bytes_of(c);
        bool small = c <= MP_CUDA_SLAB_CLASSES;
        if (small && lane->classes[c].used) continue; /* slabs are in use */
        for (void *data; (data = pop(&lane->classes[c].blocks, lane->index));) {
            totals[lane->index].cached -= bytes;
            if (small) continue;
            cudaFree(data);
            totals[lane->index].reserved -= bytes;
        }
        for (void *slab; small && (slab = pop(&lane->classes[c].slabs, lane->index));) {
            cudaFree(slab);
            totals[lane->index].reserved -= SLAB_BYTES;
        }
    }
}

static void release_all(int index) {
    mp_cuda_note_wait();
    cudaDeviceSynchronize();
    for (mp_cuda_lane *lane = mp_cuda_lanes(index); lane; lane = lane->next) release_lane(lane);
    cudaGetLastError();
}

static mp_status out_of_memory(int index, size_t bytes) {
    size_t available = 0, total = 0;
    cudaMemGetInfo(&available, &total);
    cudaGetLastError();
    return mp_fail(MP_ERR_MEMORY,
                   "memory: %zu bytes were asked for on cuda:%d, which holds %zu, keeps %zu for "
                   "reuse and has %zu of %zu free",
                   bytes, index, totals[index].reserved - totals[index].cached,
                   totals[index].cached, available, total);
}

/* Memory from the driver for a request of `asked` bytes; what is kept is given back first if there
 * is none. */
static mp_status ask_driver(int index, size_t bytes, size_t asked, void **out) {
    mp_cuda_note_wait();
    cudaError_t error = cudaMalloc(out, bytes);
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        release_all(index);
        error = cudaMalloc(out, bytes);
    }
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return out_of_memory(index, asked);
    }
    MP_TRY(mp_cuda_check(error, "cudaMalloc"));
    totals[index].reserved += bytes;
    return MP_OK;
}

/* ---- giving out and taking back; the device's lock is held ---- */

static mp_status cut_slab(mp_cuda_lane *lane, int c, size_t bytes) {
    void *slab;
    MP_TRY(ask_driver(lane->index, SLAB_BYTES, bytes, &slab));
    push(&lane->classes[c].slabs, lane->index, slab);
    for (size_t at = 0; at + bytes <= SLAB_BYTES; at += bytes) {
        push(&lane->classes[c].blocks, lane->index, (char *)slab + at);
        totals[lane->index].cached += bytes;
    }
    return MP_OK;
}

static mp_status take(mp_cuda_lane *lane, size_t bytes, void **out) {
    size_t rounded;
    if (bytes > (size_t)1 << 44) return out_of_memory(lane->index, bytes);
    int c = class_of(bytes, &rounded);
    if (!lane->classes[c].blocks && c <= MP_CUDA_SLAB_CLASSES) MP_TRY(cut_slab(lane, c, rounded));
    *out = pop(&lane->classes[c].blocks, lane->index);
    if (*out) totals[lane->index].cached -= rounded;
    else MP_TRY(ask_driver(lane->index, rounded, bytes, out));
    lane->classes[c].used++;
    return MP_OK;
}

static void give_back(mp_cuda_lane *lane, void *data, size_t bytes) {
    size_t rounded;
    int c = class_of(bytes, &rounded);
    push(&lane->classes[c].blocks, lane->index, data);
    totals[lane->index].cached += rounded;
    lane->classes[c].used--;
}

/* ---- what others call ---- */

mp_status mp_cuda_scratch(const mp_cuda_place *place, size_t bytes, void **out) {
    mp_cuda_lock(place->index);
    mp_status status = take(place->lane, bytes ? bytes : 1, out);
    mp_cuda_unlock(place->index);
    return status;
}

void mp_cuda_scratch_free(const mp_cuda_place *place, void *data, size_t bytes) {
    if (!data) return;
    mp_cuda_lock(place->index);
    give_back(place->lane, data, bytes ? bytes : 1);
    mp_cuda_unlock(place->index);
}

mp_status mp_cuda_allocate(mp_device device, size_t bytes, void **out, void **home) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    *home = place.lane;
    return mp_cuda_scratch(&place, bytes, out);
}

void mp_cuda_release(mp_device device, void *data, size_t bytes, void *home, void *guest) {
    mp_cuda_place place;
    mp_cuda_lane *lane = home;
    if (mp_cuda_enter(device, &place) != MP_OK)
        return; /* a forked child: the memory is its parent's */
    mp_cuda_lock(place.index);
    if (guest == MP_MANY_GUESTS) {
        for (mp_cuda_lane *other = mp_cuda_lanes(place.index); other; other = other->next)
            if (other != lane) mp_cuda_order(other, other->stream, lane->stream);
    } else if (guest) {
        mp_cuda_order(guest, ((mp_cuda_lane *)guest)->stream, lane->stream);
    }
    give_back(lane, data, bytes ? bytes : 1);
    mp_cuda_unlock(place.index);
}

mp_status mp_cuda_memory(mp_device device, mp_memory_info *out) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_lock(place.index);
    out->reserved = totals[place.index].reserved;
    out->cached = totals[place.index].cached;
    mp_cuda_unlock(place.index);
    MP_CUDA_TRY(cudaMemGetInfo(&out->free, &out->total));
    return MP_OK;
}

mp_status mp_cuda_empty_cache(mp_device device) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_lock(place.index);
    release_all(place.index);
    mp_cuda_unlock(place.index);
    return MP_OK;
}
