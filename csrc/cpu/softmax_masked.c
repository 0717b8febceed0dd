/* scaled_masked_softmax: y = softmax(scale x + mask) along the last axis, x and mask of any
 * strides, the mask broadcast. Sums are float32, float64 where x or y is. Each element is read
 * once, those that causal masks not at all, and y is written once. Its gradient is softmax's,
 * scaled (softmax.c). */
#include <math.h>
#include <string.h>

#include "cpu.h"

typedef struct masked_job {
    const mp_array *x, *mask, *y; /* mask may be NULL */
    mp_iter rows;                 /* of x and mask, without the last axis */
    int64_t n, x_step, mask_step; /* a row's elements, and the bytes from one to the next */
    int64_t queries;              /* row r keeps its first r % queries + 1 elements; 0: all */
    double scale;
    mp_status status;
} masked_job;

/* Rows from `row` on, with scratch for two of them. */
typedef struct masked_task {
    const masked_job *job;
    int64_t row;
    void *room;
} masked_task;

#define REAL_BITS 32
#include "real.h"
#include "softmax_masked_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "softmax_masked_body.h"

/* `a` without its last axis, along which elements lie *step bytes apart. */
static mp_array rows_of(const mp_array *a, int64_t *step) {
    mp_array rows = {.dtype = a->dtype, .storage = a->storage, .offset = a->offset};
    int last = a->ndim - 1;
    *step = last >= 0 && a->shape[last] != 1 ? a->strides[last] * mp_itemsize(a) : 0;
    rows.ndim = (int8_t)(last > 0 ? last : 0);
    memcpy(rows.shape, a->shape, sizeof rows.shape);
    memcpy(rows.strides, a->strides, sizeof rows.strides);
    return rows;
}

MP_KERNEL(scaled_masked_softmax) {
    const mp_array *x = call->in[0], *mask = call->in[1], *y = call->out[0];
    masked_job job = {.x = x, .mask = mask, .y = y, .scale = call->attrs.scale};
    if (y->size == 0) return MP_OK;
    int last = y->ndim - 1;
    mp_array x_rows = rows_of(x, &job.x_step), mask_rows = {0};
    mp_array *operands[2] = {&x_rows, &mask_rows};
    if (mask) mask_rows = rows_of(mask, &job.mask_step);
    job.n = y->shape[last];
    if (call->attrs.causal) job.queries = y->shape[last - 1];
    mp_iter_init(&job.rows, mask ? 2 : 1, operands, last, y->shape);
    bool wide = x->dtype == MP_FLOAT64 || y->dtype == MP_FLOAT64;
    mp_parallel_for(job.rows.size, 8192 / (job.n + 1) + 1,
                    wide ? masked_tasks_f64 : masked_tasks_f32, &job);
    return job.status == MP_OK
               ? MP_OK
               : mp_fail(job.status, "no room for rows of %lld elements", (long long)job.n);
}
