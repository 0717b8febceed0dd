/* Lookups by integer arrays and their gradients: take along an axis, embedding. An array is seen as
 * outer x extent x inner; an index moves `inner` elements that lie side by side. Gradients are
 * summed in float32 (float64 where an array is) in the order of the indices, whatever the number of
 * threads. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum {
    PIECE = 512,      /* elements converted at a time */
    SHORT_INNER = 16, /* below, gradients are scattered element by element */
};

typedef struct index_job {
    int64_t outer, extent, inner, count; /* count: of indices */
    int64_t *index;                      /* of each position; -1: left out */
    /* positions whose index is i: order[start[i]] .. order[start[i + 1] - 1] */
    const int64_t *start, *order;
    const mp_array *from, *to;
    mp_status status;
} index_job;

static char *element(const mp_array *a, int64_t i) {
    return (char *)mp_data(a) + i * mp_itemsize(a);
}

static mp_status no_room(int64_t n) {
    return mp_fail(MP_ERR_MEMORY, "no room for %lld indices", (long long)n);
}

/* The indices in [0, extent), in scratch memory. `wrap`: negative ones count from the end. */
static mp_status read_indices(const mp_array *a, int64_t axis, int64_t extent, bool wrap,
                              int64_t **out) {
    int64_t *index = mp_scratch((size_t)(a->size + 1) * sizeof *index, MP_SCRATCH_KERNEL);
    bool is_signed = mp_dtypes[a->dtype].kind == 'I';
    if (!index) return no_room(a->size);
    MP_LOAD_I64(a->dtype)(index, mp_data(a), mp_itemsize(a), a->size);
    for (int64_t i = 0; i < a->size; i++) {
        int64_t given = index[i];
        if (given < 0 && wrap && is_signed) index[i] += extent;
        if (index[i] >= 0 && index[i] < extent) continue;
        return mp_fail(MP_ERR_INDEX,
                       "index %lld at position %lld is out of range for axis %lld of size %lld",
                       (long long)given, (long long)i, (long long)axis, (long long)extent);
    }
    *out = index;
    return MP_OK;
}

static int64_t product(const int64_t *shape, int begin, int end) {
    int64_t n = 1;
    for (int d = begin; d < end; d++) n *= shape[d];
    return n;
}

/* ---- forward ---- */

typedef struct check {
    const int64_t *index;
    int64_t least, extent;
    _Atomic bool failed;
} check;

static void check_tasks(void *ctx, int64_t begin, int64_t end) {
    check *c = ctx;
    uint64_t bad = 0, span = (uint64_t)(c->extent - c->least);
    for (int64_t i = begin; i < end; i++) bad |= (uint64_t)(c->index[i] - c->least) >= span;
    if (bad) atomic_store(&c->failed, true);
}

/* Dense int64 indices are used where they lie, if all are in range; others as read_indices gives
 * them. */
static mp_status indices_of(const mp_array *a, int64_t axis, int64_t extent, bool wrap,
                            int64_t **out) {
    check c = {.index = mp_data(a), .least = wrap ? -extent : 0, .extent = extent};
    if (a->dtype == MP_INT64) {
        mp_parallel_for(a->size, 1 << 16, check_tasks, &c);
        *out = mp_data(a);
        if (!c.failed) return MP_OK;
    }
    return read_indices(a, axis, extent, wrap, out);
}

/* y[i] = x[index[i]] for elements of `type`: outer rows one after the other. */
#define TAKE(type)                                                                                 \
    for (int64_t left = end - begin; left > 0; left--, to += bytes) {                              \
        int64_t at = job->index[j];                                                                \
        at = at < 0 ? at + job->extent : at;                                                       \
        *(type *)(void *)to = *(const type *)(const void *)(from + at * bytes);                    \
        if (++j == job->count) j = 0, from += job->extent * bytes;                                 \
    }

static void take_tasks(void *ctx, int64_t begin, int64_t end) {
    const index_job *job = ctx;
    const mp_array *x = job->from, *y = job->to;
    int64_t bytes = job->inner * mp_itemsize(x), j = begin % job->count;
    const char *from = mp_data(x);
    char *to = element(y, begin * job->inner);
    from += begin / job->count * job->extent * bytes;
    bool converts = x->dtype != y->dtype;
    if (!converts && bytes == 8) {
        TAKE(uint64_t)
    } else if (!converts && bytes == 4) {
        TAKE(uint32_t)
    } else if (!converts && bytes == 2) {
        TAKE(uint16_t)
    } else if (!converts && bytes == 1) {
        TAKE(uint8_t)
    } else {
        for (int64_t i = begin; i < end; i++, to += job->inner * mp_itemsize(y)) {
            int64_t at = job->index[j] < 0 ? job->index[j] + job->extent : job->index[j];
            const char *row = from + at * bytes;
            if (converts)
                mp_convert((mp_dtype)y->dtype, to, mp_itemsize(y), (mp_dtype)x->dtype, row,
                           mp_itemsize(x), job->inner);
            else memcpy(to, row, (size_t)bytes);
            if (++j == job->count) j = 0, from += job->extent * bytes;
        }
    }
}

static mp_status take(mp_call *call, int axis, bool wrap) {
    const mp_array *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    index_job job = {.outer = product(x->shape, 0, axis),
                     .extent = x->shape[axis],
                     .count = indices->size,
                     .from = x,
                     .to = y};
    job.inner = product(x->shape, axis + 1, x->ndim);
    MP_TRY(indices_of(indices, axis, job.extent, wrap, &job.index));
    if (y->size == 0) return MP_OK;
    mp_parallel_for(job.outer * job.count, 16384 / (job.inner + 4) + 1, take_tasks, &job);
    return MP_OK;
}

/* y[o, j, :] = x[o, indices[j], :] */
MP_KERNEL(take) { return take(call, (int)call->attrs.axis, true); }
/* y[j, :] = weight[indices[j], :] */
MP_KERNEL(embedding) { return take(call, 0, false); }

/* ---- backward ---- */

#define REAL_BITS 32
#include "real.h"
#include "index_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "index_body.h"

/* Positions by index, in their own order, into room for count + extent + 1 numbers: a counting
 * sort. */
static void sort_positions(index_job *job, int64_t *room) {
    int64_t *start = room, *order = room + job->extent + 1;
    memset(start, 0, (size_t)(job->extent + 1) * sizeof *start);
    for (int64_t j = 0; j < job->count; j++)
        if (job->index[j] >= 0) start[job->index[j] + 1]++;
    for (int64_t i = 0; i < job->extent; i++) start[i + 1] += start[i];
    for (int64_t j = 0; j < job->count; j++)
        if (job->index[j] >= 0) order[start[job->index[j]]++] = j;
    memmove(start + 1, start, (size_t)job->extent * sizeof *start);
    start[0] = 0;
    job->start = start, job->order = order;
}

/* gx[o, i, :] = sum over j with indices[j] == i of gy[o, j, :]; positions with index `left_out` add
 * nothing. */
static mp_status add_back(mp_call *call, int axis, bool wrap, int64_t left_out) {
    const mp_array *gy = call->in[0], *indices = call->in[1], *gx = call->out[0];
    index_job job = {.outer = product(gx->shape, 0, axis),
                     .extent = gx->shape[axis],
                     .count = indices->size,
                     .from = gy,
                     .to = gx};
    job.inner = product(gx->shape, axis + 1, gx->ndim);
    MP_TRY(read_indices(indices, axis, job.extent, wrap, &job.index));
    if (gx->size == 0) return MP_OK;
    if (left_out >= 0)
        for (int64_t j = 0; j < job.count; j++)
            if (job.index[j] == left_out) job.index[j] = -1;
    bool wide = gy->dtype == MP_FLOAT64 || gx->dtype == MP_FLOAT64;
    if (job.inner < SHORT_INNER) {
        int64_t grain = 16384 / ((job.extent + job.count) * job.inner) + 1;
        mp_parallel_for(job.outer, grain, wide ? scatter_tasks_f64 : scatter_tasks_f32, &job);
    } else {
        int64_t *room =
            mp_scratch((size_t)(job.count + job.extent + 1) * sizeof *room, MP_SCRATCH_KERNEL_2);
        if (!room) return no_room(job.count);
        sort_positions(&job, room);
        mp_parallel_for(job.outer * job.extent, 8192 / job.inner + 1,
                        wide ? gather_tasks_f64 : gather_tasks_f32, &job);
    }
    return job.status == MP_OK ? MP_OK : no_room(job.extent);
}

MP_KERNEL(take_bwd) { return add_back(call, (int)call->attrs.axis, true, -1); }
MP_KERNEL(embedding_bwd) { return add_back(call, 0, false, call->attrs.padding_idx); }
