/* take_along_axis and its gradient. An array is seen as outer x extent x inner; every line along
 * the axis has its own indices. Gradients are summed in float32 (float64 where an array is) in the
 * order of the positions, whatever the number of threads. */
#include "cpu.h"

enum {
    WORTH = 8192, /* elements worth a thread */
    WIDTH = 64,   /* inner elements of a task */
};

typedef struct along_job {
    int64_t outer, extent, count, inner; /* count: indices of a line */
    const mp_array *from, *to;
    const int64_t *index; /* [outer][count][inner], all in [0, extent) */
    int64_t item, blocks; /* blocks of WIDTH inner elements */
    mp_status status;
} along_job;

static along_job job_of(const mp_array *x, const mp_array *indices, int axis, const mp_array *from,
                        const mp_array *to) {
    along_job job = {.outer = 1,
                     .extent = x->shape[axis],
                     .count = indices->shape[axis],
                     .inner = 1,
                     .from = from,
                     .to = to,
                     .item = mp_itemsize(x)};
    for (int d = 0; d < axis; d++) job.outer *= x->shape[d];
    for (int d = axis + 1; d < x->ndim; d++) job.inner *= x->shape[d];
    job.blocks = (job.inner + WIDTH - 1) / WIDTH;
    return job;
}

/* The indices as int64 in [0, extent): themselves where they are so, else in scratch memory. */
static mp_status read_indices(along_job *job, const mp_array *a, int64_t axis) {
    const int64_t *given = mp_data(a);
    bool is_signed = mp_dtypes[a->dtype].kind == 'I', wraps = false;
    int64_t *index = NULL;
    if (a->dtype != MP_INT64) {
        index = mp_scratch((size_t)(a->size + 1) * sizeof *index, MP_SCRATCH_KERNEL);
        if (!index) return mp_fail(MP_ERR_MEMORY, "no room for %lld indices", (long long)a->size);
        MP_LOAD_I64(a->dtype)(index, mp_data(a), mp_itemsize(a), a->size);
        given = index;
    }
    for (int64_t i = 0; i < a->size; i++) {
        int64_t at = given[i];
        if ((uint64_t)at < (uint64_t)job->extent) continue;
        if (is_signed && at < 0 && at >= -job->extent) {
            wraps = true;
            continue;
        }
        return mp_fail(MP_ERR_INDEX,
                       "index %lld at position %lld is out of range for axis %lld of size %lld",
                       (long long)at, (long long)i, (long long)axis, (long long)job->extent);
    }
    if (wraps) {
        if (!index) {
            index = mp_scratch((size_t)(a->size + 1) * sizeof *index, MP_SCRATCH_KERNEL);
            if (!index)
                return mp_fail(MP_ERR_MEMORY, "no room for %lld indices", (long long)a->size);
        }
        for (int64_t i = 0; i < a->size; i++)
            index[i] = given[i] < 0 ? given[i] + job->extent : given[i];
        given = index;
    }
    job->index = given;
    return MP_OK;
}

/* ---- forward ---- */

/* Tasks: elements of y. */
#define TAKE(bits)                                                                                 \
    static void take_##bits(void *ctx, int64_t begin, int64_t end) {                               \
        const along_job *job = ctx;                                                                \
        const uint##bits##_t *x = mp_data(job->from);                                              \
        uint##bits##_t *y = mp_data(job->to);                                                      \
        int64_t line = job->count * job->inner, outer = begin / line, at = begin % line;           \
        for (int64_t i = begin; i < end; outer++, at = 0) {                                        \
            const uint##bits##_t *from = x + outer * job->extent * job->inner;                     \
            int64_t stop = i + line - at < end ? i + line - at : end;                              \
            if (job->inner == 1) {                                                                 \
                for (; i < stop; i++) y[i] = from[job->index[i]];                                  \
                continue;                                                                          \
            }                                                                                      \
            for (int64_t column = at % job->inner; i < stop; i++) {                                \
                y[i] = from[job->index[i] * job->inner + column];                                  \
                if (++column == job->inner) column = 0;                                            \
            }                                                                                      \
        }                                                                                          \
    }
TAKE(8)
TAKE(16)
TAKE(32)
TAKE(64)

MP_KERNEL(take_along_axis) {
    const mp_array *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    int axis = (int)call->attrs.axis;
    along_job job = job_of(x, indices, axis, x, y);
    MP_TRY(read_indices(&job, indices, axis));
    if (y->size == 0) return MP_OK;
    mp_parallel_fn fn = job.item == 1   ? take_8
                        : job.item == 2 ? take_16
                        : job.item == 4 ? take_32
                                        : take_64;
    mp_parallel_for(y->size, WORTH, fn, &job);
    return MP_OK;
}

/* ---- backward ---- */

#define REAL_BITS 32
#include "real.h"
#include "along_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "along_body.h"

/* gx[o, indices[o, j, i], i] += gy[o, j, i] */
MP_KERNEL(take_along_axis_bwd) {
    const mp_array *gy = call->in[0], *indices = call->in[1], *gx = call->out[0];
    int axis = (int)call->attrs.axis;
    along_job job = job_of(gx, indices, axis, gy, gx);
    MP_TRY(read_indices(&job, indices, axis));
    if (gx->size == 0) return MP_OK;
    bool wide = gy->dtype == MP_FLOAT64 || gx->dtype == MP_FLOAT64;
    int64_t width = job.inner < WIDTH ? job.inner : WIDTH;
    mp_parallel_for(job.outer * job.blocks, WORTH / ((job.extent + job.count) * width) + 1,
                    wide ? add_tasks_f64 : add_tasks_f32, &job);
    if (job.status == MP_OK) return MP_OK;
    return mp_fail(MP_ERR_MEMORY, "no room for the sums of %lld elements", (long long)job.extent);
}
