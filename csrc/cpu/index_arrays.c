/* Indexing by arrays: reading, replacing and adding to the elements of x that index arrays select.
 *
 * y[s] = x[place(s)] for every element s of the selection, whose axes are some of x's and those of
 * the broadcast arrays. Places are bytes from where the walk along x's own axes has come to. They
 * are made of the arrays first; one dense int64 array along axes with even
 * steps is used as it is. An index
 * out of range is found before anything is written. */
#include "../index.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "cpu.h"

enum {
    PIECE = 512,     /* elements converted at a time */
    GRAIN = 1 << 14, /* elements worth a thread */
};

typedef struct index_job {
    mp_iter walk; /* 0: y or the value, 1: x, 2: places, as int64 */
    mp_dtype x, y;
    int bytes;                   /* of an element of x */
    int64_t step, wrap;          /* a place p is (p < 0 ? p + wrap : p) * step bytes */
    mp_storage places, elements; /* what the walk's stand-ins for arrays lie in */
    int64_t *made;               /* places made for this call, or NULL */
} index_job;

/* ---- indices in range ---- */

typedef struct check {
    const int64_t *index;
    int64_t extent;
    _Atomic bool failed;
} check;

static void check_tasks(void *ctx, int64_t begin, int64_t end) {
    check *c = ctx;
    uint64_t extent = (uint64_t)c->extent, bad = 0;
    for (int64_t i = begin; i < end; i++) bad |= (uint64_t)c->index[i] + extent >= 2 * extent;
    if (bad) atomic_store(&c->failed, true);
}

/* The first index out of range, with the axis as users know it. */
static mp_status report(const mp_array *x, int n, mp_array *const *arrays, const mp_attrs *attrs) {
    for (int k = 0; k < n; k++) {
        const mp_array *a = arrays[k];
        mp_index_part part = mp_index_part_of(attrs, k);
        int64_t extent = mp_index_extent(x, part);
        bool is_signed = mp_dtypes[a->dtype].kind == 'I';
        for (int64_t i = 0; i < a->size && !part.distinct; i++) {
            int64_t place = mp_index_place(i, a->ndim, a->shape, a->strides) * mp_itemsize(a);
            int64_t index = mp_load_int((mp_dtype)a->dtype, (char *)mp_data(a) + place);
            if (index < extent && index >= (is_signed ? -extent : 0)) continue;
            return mp_fail(MP_ERR_INDEX, "%lld is out of range for axis %d of size %lld",
                           (long long)index, part.label, (long long)extent);
        }
    }
    return MP_OK;
}

/* ---- places ---- */

typedef struct place_job {
    mp_iter walk; /* 0: places, 1: an index array */
    mp_dtype dtype;
    mp_index_part part;
    bool first, is_signed; /* first: places are written, not added to */
    int bytes;
    int64_t extent;
    const int64_t *shape, *strides; /* of the axes that the array counts through */
    _Atomic bool failed;
} place_job;

static void place_stretch(void *ctx, int64_t count, char *const *ptr, const int64_t *stride) {
    place_job *job = ctx;
    int64_t index[PIECE], *to = (int64_t *)ptr[0], extent = job->extent;
    bool bad = false;
    for (int64_t at = 0; at < count; at += PIECE) {
        int64_t n = count - at < PIECE ? count - at : PIECE;
        MP_LOAD_I64(job->dtype)(index, ptr[1] + at * stride[1], stride[1], n);
        for (int64_t i = 0; i < n; i++) {
            int64_t given = index[i];
            if (given < 0 && job->is_signed) given += extent;
            bool out = given < 0 || given >= extent;
            bad |= out;
            int64_t place =
                out ? 0 : mp_index_place(given, job->part.span, job->shape, job->strides);
            place *= job->bytes;
            int64_t *here = to + (at + i) * (stride[0] / (int64_t)sizeof *to);
            *here = job->first ? place : *here + place;
        }
    }
    if (bad) atomic_store(&job->failed, true);
}

static void place_tasks(void *ctx, int64_t begin, int64_t end) {
    place_job *job = ctx;
    mp_iter_run(&job->walk, begin, end, INT64_MAX, place_stretch, ctx);
}

/* Adds what one array says to the places, which have the arrays' common shape. */
static bool add_places(mp_array *places, const mp_array *x, mp_array *array, mp_index_part part,
                       bool first) {
    place_job job;
    job.dtype = (mp_dtype)array->dtype;
    job.part = part;
    job.first = first;
    job.is_signed = mp_dtypes[array->dtype].kind == 'I';
    job.bytes = mp_itemsize(x);
    job.extent = mp_index_extent(x, part);
    job.shape = x->shape + part.axis;
    job.strides = x->strides + part.axis;
    atomic_init(&job.failed, false);
    if (mp_index_even(x, part)) { /* as one axis */
        job.strides += part.span - 1;
        job.part.span = 1;
    }
    mp_array *operands[2] = {places, array};
    mp_iter_init(&job.walk, 2, operands, places->ndim, places->shape);
    if (job.walk.size > 0) mp_parallel_for(job.walk.size, GRAIN, place_tasks, &job);
    return !job.failed;
}

/* A header over a storage on the caller's frame. */
static mp_array stand_in(mp_storage *storage, mp_dtype dtype, int ndim, const int64_t *shape,
                         const int64_t *strides) {
    mp_array a;
    memset(&a, 0, offsetof(mp_array, shape));
    memset(&a.storage, 0, sizeof a - offsetof(mp_array, storage));
    a.dtype = (int8_t)dtype, a.ndim = (int8_t)ndim, a.storage = storage;
    for (int d = 0; d < ndim; d++) {
        a.shape[d] = shape[d];
        a.strides[d] = strides[d];
    }
    return a;
}

/* Places of the selection from the arrays, into job->made. */
static mp_status make_places(index_job *job, const mp_array *x, int n, mp_array *const *arrays,
                             const mp_attrs *attrs, const mp_selection *s) {
    job->made = malloc((size_t)(s->count + 1) * sizeof *job->made);
    if (!job->made) return mp_fail(MP_ERR_MEMORY, "no room for %lld indices", (long long)s->count);
    job->places.data = job->made;
    mp_array places =
        stand_in(&job->places, MP_INT64, s->wide, s->array_shape, s->place_strides + attrs->axis);
    for (int k = 0; k < n; k++) {
        if (add_places(&places, x, arrays[k], mp_index_part_of(attrs, k), k == 0)) continue;
        free(job->made);
        return report(x, n, arrays, attrs);
    }
    job->step = 1, job->wrap = 0;
    return MP_OK;
}

/* One dense array of int64 along axes with even steps needs no places of its own. */
static mp_status use_indices(index_job *job, const mp_array *x, mp_array *array,
                             const mp_attrs *attrs) {
    mp_index_part part = mp_index_part_of(attrs, 0);
    check c = {.index = mp_data(array), .extent = mp_index_extent(x, part)};
    if (!part.distinct && array->size > 0) mp_parallel_for(array->size, GRAIN, check_tasks, &c);
    if (c.failed) return report(x, 1, &array, attrs);
    job->places.data = mp_data(array);
    job->step = x->strides[part.axis + part.span - 1] * mp_itemsize(x);
    job->wrap = c.extent;
    return MP_OK;
}

/* The walk over the selection of x by the arrays; `other` is y, or the value. `x` may lie where
 * call->in[0] does not. */
static mp_status open_job(index_job *job, const mp_call *call, int first, mp_array *x,
                          mp_array *other) {
    mp_selection s;
    int n = call->n_in - first;
    mp_array *const *arrays = call->in + first;
    mp_select(x, n, arrays, &call->attrs, &s);
    memset(&job->x, 0, sizeof *job - offsetof(index_job, x)); /* the walk is written below */
    job->x = (mp_dtype)x->dtype, job->y = (mp_dtype)other->dtype;
    job->bytes = mp_itemsize(x);
    bool plain = n == 1 && arrays[0]->dtype == MP_INT64 && arrays[0]->contiguous &&
                 mp_index_even(x, mp_index_part_of(&call->attrs, 0));
    MP_TRY(plain ? use_indices(job, x, arrays[0], &call->attrs)
                 : make_places(job, x, n, arrays, &call->attrs, &s));
    job->elements.data = mp_data(x);
    mp_array elements = stand_in(&job->elements, job->x, s.ndim, s.shape, s.strides);
    mp_array places = stand_in(&job->places, MP_INT64, s.ndim, s.shape, s.place_strides);
    mp_array *operands[3] = {other, &elements, &places};
    mp_iter_init(&job->walk, 3, operands, s.ndim, s.shape);
    return MP_OK;
}

static inline int64_t place_at(const index_job *job, const char *place) {
    int64_t p = *(const int64_t *)place;
    return (p < 0 ? p + job->wrap : p) * job->step;
}

/* ---- elements of a width, wherever they lie ---- */

/* ptr and stride as in a stretch of the walk; Y and X are the addresses of one element. */
#define MOVE(name, ctype, from, to)                                                                \
    static void name(const index_job *job, int64_t n, char *const *ptr, const int64_t *stride) {   \
        char *y = ptr[0], *x = ptr[1];                                                             \
        const char *place = ptr[2];                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            char *X = x + place_at(job, place), *Y = y;                                            \
            *(ctype *)(to) = *(const ctype *)(from);                                               \
            y += stride[0], x += stride[1], place += stride[2];                                    \
        }                                                                                          \
    }
MOVE(get_1, uint8_t, X, Y)
MOVE(get_2, uint16_t, X, Y)
MOVE(get_4, uint32_t, X, Y)
MOVE(get_8, uint64_t, X, Y)
MOVE(put_1, uint8_t, Y, X)
MOVE(put_2, uint16_t, Y, X)
MOVE(put_4, uint32_t, Y, X)
MOVE(put_8, uint64_t, Y, X)

typedef void (*move_fn)(const index_job *job, int64_t n, char *const *ptr, const int64_t *stride);

static move_fn get_of(int bytes) {
    return bytes == 1 ? get_1 : bytes == 2 ? get_2 : bytes == 4 ? get_4 : get_8;
}

static move_fn put_of(int bytes) {
    return bytes == 1 ? put_1 : bytes == 2 ? put_2 : bytes == 4 ? put_4 : put_8;
}

/* A stretch along an axis of x: all of it lies at one place. */
static bool is_run(const int64_t *stride) { return stride[2] == 0; }

/* ---- whole rows: the last axis is x's, and dense on both sides ---- */

typedef struct row_job {
    const index_job *job;
    bool put;
} row_job;

enum { AHEAD = 8 }; /* rows that are asked of memory before they are moved */

static bool has_rows(const index_job *job) {
    const mp_iter *it = &job->walk;
    return it->ndim == 2 && job->x == job->y && it->strides[2][1] == 0 &&
           it->strides[0][1] == job->bytes && it->strides[1][1] == job->bytes;
}

static void row_tasks(void *ctx, int64_t begin, int64_t end) {
    const row_job *rows = ctx;
    const mp_iter *it = &rows->job->walk;
    size_t bytes = (size_t)(it->shape[1] * rows->job->bytes);
    int64_t y_step = it->strides[0][0], x_step = it->strides[1][0], step = it->strides[2][0];
    char *y = it->data[0] + begin * y_step, *x = it->data[1] + begin * x_step;
    const char *place = it->data[2] + begin * step;
    for (int64_t i = begin; i < end; i++, y += y_step, x += x_step, place += step) {
        char *row = x + place_at(rows->job, place);
        if (i + AHEAD < end)
            __builtin_prefetch(x + AHEAD * x_step + place_at(rows->job, place + AHEAD * step));
        if (rows->put) memcpy(row, y, bytes);
        else memcpy(y, row, bytes);
    }
}

/* ---- reading ---- */

static void get_stretch(void *ctx, int64_t count, char *const *ptr, const int64_t *stride) {
    const index_job *job = ctx;
    if (is_run(stride)) {
        const char *x = ptr[1] + place_at(job, ptr[2]);
        mp_convert(job->y, ptr[0], stride[0], job->x, x, stride[1], count);
        return;
    }
    if (job->x == job->y) {
        get_of(job->bytes)(job, count, ptr, stride);
        return;
    }
    char piece[PIECE * 8] __attribute__((aligned(64)));
    for (int64_t at = 0; at < count; at += PIECE) {
        int64_t n = count - at < PIECE ? count - at : PIECE;
        char *part[3] = {piece, ptr[1] + at * stride[1], ptr[2] + at * stride[2]};
        int64_t steps[3] = {job->bytes, stride[1], stride[2]};
        get_of(job->bytes)(job, n, part, steps);
        mp_convert(job->y, ptr[0] + at * stride[0], stride[0], job->x, piece, job->bytes, n);
    }
}

static void get_tasks(void *ctx, int64_t begin, int64_t end) {
    mp_iter_run(&((index_job *)ctx)->walk, begin, end, INT64_MAX, get_stretch, ctx);
}

MP_KERNEL(index) {
    index_job job;
    MP_TRY(open_job(&job, call, 1, call->in[0], call->out[0]));
    row_job rows = {.job = &job};
    if (job.walk.size > 0 && has_rows(&job)) {
        mp_parallel_for(job.walk.shape[0], GRAIN / job.walk.shape[1] + 1, row_tasks, &rows);
    } else if (job.walk.size > 0) {
        mp_parallel_for(job.walk.size, GRAIN, get_tasks, &job);
    }
    free(job.made);
    return MP_OK;
}

/* ---- writing ---- */

static void put_stretch(void *ctx, int64_t count, char *const *ptr, const int64_t *stride) {
    const index_job *job = ctx;
    if (is_run(stride)) {
        char *x = ptr[1] + place_at(job, ptr[2]);
        mp_convert(job->x, x, stride[1], job->y, ptr[0], stride[0], count);
        return;
    }
    if (job->x == job->y) {
        put_of(job->bytes)(job, count, ptr, stride);
        return;
    }
    char piece[PIECE * 8] __attribute__((aligned(64)));
    for (int64_t at = 0; at < count; at += PIECE) {
        int64_t n = count - at < PIECE ? count - at : PIECE;
        char *part[3] = {piece, ptr[1] + at * stride[1], ptr[2] + at * stride[2]};
        int64_t steps[3] = {job->bytes, stride[1], stride[2]};
        mp_convert(job->x, piece, job->bytes, job->y, ptr[0] + at * stride[0], stride[0], n);
        put_of(job->bytes)(job, n, part, steps);
    }
}

static void put_tasks(void *ctx, int64_t begin, int64_t end) {
    mp_iter_run(&((index_job *)ctx)->walk, begin, end, INT64_MAX, put_stretch, ctx);
}

/* Out of place, what stays is copied first. */
static void keep_rest(const mp_call *call) {
    if (!mp_same_view(call->in[0], call->out[0])) mp_transfer(call->out[0], call->in[0]);
}

/* Of an element that is selected several times the last value stays, so that only a mask's
 * positions go to several threads. */
MP_KERNEL(index_put) {
    index_job job;
    MP_TRY(open_job(&job, call, 2, call->out[0], call->in[1]));
    keep_rest(call);
    bool distinct = call->n_in == 3 && mp_index_part_of(&call->attrs, 0).distinct;
    row_job rows = {.job = &job, .put = true};
    if (job.walk.size > 0 && has_rows(&job)) {
        row_tasks(&rows, 0, job.walk.shape[0]);
    } else if (job.walk.size > 0 && distinct) {
        mp_parallel_for(job.walk.size, GRAIN, put_tasks, &job);
    } else {
        put_tasks(&job, 0, job.walk.size);
    }
    free(job.made);
    return MP_OK;
}

/* ---- adding: one element after the other, in the order of the selection ---- */

static void add_f32(const index_job *job, int64_t n, char *const *ptr, const int64_t *stride,
                    const float *value) {
    char *x = ptr[1];
    const char *place = ptr[2];
    for (int64_t i = 0; i < n; i++, x += stride[1], place += stride[2])
        *(float *)(x + place_at(job, place)) += value[i];
}

static void add_f64(const index_job *job, int64_t n, char *const *ptr, const int64_t *stride,
                    const double *value) {
    char *x = ptr[1];
    const char *place = ptr[2];
    for (int64_t i = 0; i < n; i++, x += stride[1], place += stride[2])
        *(double *)(x + place_at(job, place)) += value[i];
}

/* Integers wrap around; the sum of bools is true where one is. */
static void add_integers(const index_job *job, int64_t n, char *const *ptr, const int64_t *stride,
                         const int64_t *value) {
    char *x = ptr[1];
    const char *place = ptr[2];
    for (int64_t i = 0; i < n; i++, x += stride[1], place += stride[2]) {
        char *to = x + place_at(job, place);
        int64_t sum = (int64_t)((uint64_t)mp_load_int(job->x, to) + (uint64_t)value[i]);
        mp_store_int(job->x, to, sum);
    }
}

static void add_stretch(void *ctx, int64_t count, char *const *ptr, const int64_t *stride) {
    const index_job *job = ctx;
    char piece[PIECE * 8] __attribute__((aligned(64)));
    for (int64_t at = 0; at < count; at += PIECE) {
        int64_t n = count - at < PIECE ? count - at : PIECE;
        char *part[3] = {NULL, ptr[1] + at * stride[1], ptr[2] + at * stride[2]};
        const char *value = ptr[0] + at * stride[0];
        if (job->x == MP_FLOAT32) {
            MP_LOAD(job->y)((float *)piece, value, stride[0], n);
            add_f32(job, n, part, stride, (const float *)piece);
        } else if (job->x == MP_FLOAT64) {
            MP_LOAD_F64(job->y)((double *)piece, value, stride[0], n);
            add_f64(job, n, part, stride, (const double *)piece);
        } else {
            MP_LOAD_I64(job->y)((int64_t *)piece, value, stride[0], n);
            add_integers(job, n, part, stride, (const int64_t *)piece);
        }
    }
}

static mp_status add(const mp_call *call, mp_array *x) {
    index_job job;
    MP_TRY(open_job(&job, call, 2, x, call->in[1]));
    mp_iter_run(&job.walk, 0, job.walk.size, INT64_MAX, add_stretch, &job);
    free(job.made);
    return MP_OK;
}

/* Narrow elements are summed in float32, in a copy, and rounded once. */
static mp_status add_wide(const mp_call *call) {
    mp_array *y = call->out[0];
    mp_storage storage = {.data = malloc((size_t)(y->size + 1) * sizeof(float))};
    if (!storage.data) return mp_fail(MP_ERR_MEMORY, "no room for %lld sums", (long long)y->size);
    mp_array sum = *y;
    sum.storage = &storage;
    sum.dtype = MP_FLOAT32;
    sum.offset = 0;
    sum.contiguous = true;
    for (int64_t d = y->ndim - 1, stride = 1; d >= 0; stride *= y->shape[d--])
        sum.strides[d] = stride;
    mp_transfer(&sum, call->in[0]);
    mp_status status = add(call, &sum);
    if (status == MP_OK) mp_transfer(y, &sum);
    free(storage.data);
    return status;
}

MP_KERNEL(index_add) {
    if (mp_is_narrow((mp_dtype)call->out[0]->dtype)) return add_wide(call);
    keep_rest(call);
    return add(call, call->out[0]);
}
