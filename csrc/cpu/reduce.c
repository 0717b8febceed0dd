/* sum, prod, mean, var, logsumexp, max, min over any axes and strides; argmax and argmin are in
 * argreduce.c, all, any and count_nonzero in truth.c.
 *
 * The dimension with the shortest steps in memory decides: if it is reduced, each result is made of
 * dense rows; if not, columns of many results are made side by side. Work is cut into segments
 * whose size depends on shape and strides only, and what they give is joined in order: the number
 * of threads changes no bit. x is read once (twice by var and logsumexp), results are written once.
 */
#include <math.h>
#include <stdlib.h>

#include "reduce.h"

enum {
    SEGMENT = 1 << 16,  /* elements of a row reduced by one task */
    SEGMENT_ROWS = 512, /* rows reduced by one task, where results are columns */
    WORTH = 1 << 16,    /* elements worth a thread */
};

typedef struct dim {
    int64_t n, x, y; /* extent, step in bytes of x, step in elements of y */
} dim;

typedef struct plan {
    const mp_reducer *reducer;
    const char *x;
    mp_dtype dtype; /* of x */
    int n_kept, n_gone;
    dim kept[MP_MAX_DIMS + 1], gone[MP_MAX_DIMS + 1]; /* kept: of the results; gone: reduced */
    int64_t results, rows; /* rows: the product of gone, but for the innermost in row form */
    int64_t segments;      /* of one result, or of one block of columns */
    bool columns;
    const double *center; /* per result in y's order, or NULL */
    mp_acc *out;          /* per result */
    mp_acc *partial;      /* [segments][results], NULL for one segment */
} plan;

/* ---- planning ---- */

static int64_t size_of(const dim *d) { return llabs(d->x); }

/* Merges neighbours that are walked through evenly. */
static int merge(dim *d, int n) {
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (kept > 0 && d[kept - 1].x == d[i].x * d[i].n && d[kept - 1].y == d[i].y * d[i].n) {
            d[kept - 1] = (dim){d[kept - 1].n * d[i].n, d[i].x, d[i].y};
        } else {
            d[kept++] = d[i];
        }
    }
    return kept;
}

static int by_step(const void *a, const void *b) {
    int64_t first = size_of(a), second = size_of(b);
    return first < second ? 1 : first > second ? -1 : 0;
}

/* Splits x's dimensions; extents of 1 fall out. An array of nothing left to reduce has one row of
 * one element. */
static void split_dims(plan *p, const mp_array *x, const mp_attrs *attrs) {
    int64_t step = 1, item = mp_itemsize(x);
    unsigned gone = 0;
    for (int i = 0; i < attrs->n_ints; i++) gone |= 1u << attrs->ints[i];
    p->n_kept = p->n_gone = 0;
    for (int i = x->ndim - 1; i >= 0; i--) { /* last first: y's steps are known from the end */
        dim d = {x->shape[i], x->strides[i] * item, 0};
        if (gone & (1u << i)) {
            if (d.n != 1) p->gone[p->n_gone++] = d;
        } else {
            d.y = step;
            step *= d.n;
            if (d.n != 1) p->kept[p->n_kept++] = d;
        }
    }
    p->results = step;
    for (int i = 0; i < p->n_kept / 2; i++) {
        dim swap = p->kept[i];
        p->kept[i] = p->kept[p->n_kept - 1 - i];
        p->kept[p->n_kept - 1 - i] = swap;
    }
    qsort(p->gone, (size_t)p->n_gone, sizeof *p->gone, by_step);
    p->n_gone = merge(p->gone, p->n_gone);
    if (p->n_gone == 0) p->gone[p->n_gone++] = (dim){1, item, 0};
}

static void choose_form(plan *p) {
    int inner = -1;
    for (int i = 0; i < p->n_kept; i++)
        if (inner < 0 || size_of(&p->kept[i]) < size_of(&p->kept[inner])) inner = i;
    const dim *last = &p->gone[p->n_gone - 1];
    p->columns = inner >= 0 && last->n > 1 && size_of(&p->kept[inner]) < size_of(last);
    if (p->columns) { /* the dimension of the columns goes to the end */
        dim columns = p->kept[inner];
        memmove(p->kept + inner, p->kept + inner + 1,
                (size_t)(p->n_kept - 1 - inner) * sizeof *p->kept);
        p->n_kept = merge(p->kept, p->n_kept - 1);
        p->kept[p->n_kept++] = columns;
        p->n_kept = merge(p->kept, p->n_kept);
    } else {
        p->n_kept = merge(p->kept, p->n_kept);
    }
    p->rows = 1;
    for (int i = 0; i < p->n_gone - !p->columns; i++) p->rows *= p->gone[i].n;
    if (p->columns) {
        p->segments = (p->rows + SEGMENT_ROWS - 1) / SEGMENT_ROWS;
    } else if (last->n >= SEGMENT) {
        p->segments = p->rows * ((last->n + SEGMENT - 1) / SEGMENT);
    } else {
        int64_t rows = SEGMENT / last->n;
        p->segments = (p->rows + rows - 1) / rows;
    }
}

/* The byte of x at flat index `index` of some dimensions; *y: the element of y. */
static const char *locate(const char *x, const dim *d, int n, int64_t index, int64_t *y) {
    int64_t at = 0, element = 0;
    for (int i = n - 1; i > 0; i--) {
        int64_t rest = index / d[i].n, here = index - rest * d[i].n;
        at += here * d[i].x;
        element += here * d[i].y;
        index = rest;
    }
    if (n > 0) at += index * d[0].x, element += index * d[0].y;
    if (y) *y = element;
    return x + at;
}

static const void *load(mp_dtype to, mp_dtype from, const void *src, int64_t stride, int64_t n,
                        void *room) {
    if (from == to && stride == mp_dtypes[to].bytes) return src;
    if (to == MP_FLOAT32) MP_LOAD(from)(room, src, stride, n);
    else if (to == MP_FLOAT64) MP_LOAD_F64(from)(room, src, stride, n);
    else if (mp_dtypes[to].bytes == 8) MP_LOAD_I64(from)(room, src, stride, n);
    else mp_convert(to, room, mp_dtypes[to].bytes, from, src, stride, n);
    return room;
}

/* ---- rows ---- */

/* Elements [begin, end) of one row into *a. */
static void reduce_row(const plan *p, const char *row, int64_t begin, int64_t end, double center,
                       mp_acc *a) {
    char room[MP_REDUCE_PIECE * 8] __attribute__((aligned(64)));
    const mp_reducer *r = p->reducer;
    int64_t step = p->gone[p->n_gone - 1].x;
    if (r->any_length && r->dtype == p->dtype && step == mp_dtypes[p->dtype].bytes) {
        if (begin < end) r->row(a, end - begin, row + begin * step, center);
        return;
    }
    for (int64_t i = begin; i < end; i += MP_REDUCE_PIECE) {
        int64_t n = end - i < MP_REDUCE_PIECE ? end - i : MP_REDUCE_PIECE;
        r->row(a, n, load(r->dtype, p->dtype, row + i * step, step, n, room), center);
    }
}

/* Segment s of one result. */
static void reduce_segment(const plan *p, const char *x, int64_t s, double center, mp_acc *a) {
    int64_t n = p->gone[p->n_gone - 1].n;
    if (n >= SEGMENT) {
        int64_t each = (n + SEGMENT - 1) / SEGMENT, begin = s % each * SEGMENT;
        const char *row = locate(x, p->gone, p->n_gone - 1, s / each, NULL);
        reduce_row(p, row, begin, n - begin < SEGMENT ? n : begin + SEGMENT, center, a);
        return;
    }
    int64_t rows = n ? SEGMENT / n : 0, begin = s * rows;
    int64_t end = p->rows - begin < rows ? p->rows : begin + rows;
    for (int64_t i = begin; i < end; i++)
        reduce_row(p, locate(x, p->gone, p->n_gone - 1, i, NULL), 0, n, center, a);
}

/* Tasks: segments of results, those of one result one after the other. */
static void row_tasks(void *ctx, int64_t begin, int64_t end) {
    const plan *p = ctx;
    for (int64_t task = begin; task < end; task++) {
        int64_t result = task / p->segments, s = task % p->segments, y;
        const char *x = locate(p->x, p->kept, p->n_kept, result, &y);
        mp_acc *a = p->partial ? &p->partial[s * p->results + y] : &p->out[y];
        *a = p->reducer->start;
        reduce_segment(p, x, s, p->center ? p->center[y] : 0, a);
    }
}

/* ---- columns ---- */

/* Up to MP_REDUCE_ROWS rows from `row` on that lie at one distance; returns how many. */
static int64_t run_of_rows(const plan *p, int64_t row, int64_t end) {
    int64_t n = p->gone[p->n_gone - 1].n, left = n - row % n;
    if (left > end - row) left = end - row;
    return left < MP_REDUCE_ROWS ? left : MP_REDUCE_ROWS;
}

/* Rows [begin, end) of `cols` columns into a[0 ... cols). */
static void reduce_columns(const plan *p, const char *x, int64_t cols, int64_t begin, int64_t end,
                           const double *center, mp_acc *a) {
    enum { CONVERTED = 4 }; /* rows */
    char room[CONVERTED * MP_REDUCE_COLS * 8] __attribute__((aligned(64)));
    const mp_reducer *r = p->reducer;
    int64_t step = p->kept[p->n_kept - 1].x, down = p->gone[p->n_gone - 1].x;
    int64_t item = mp_dtypes[r->dtype].bytes;
    bool direct = r->dtype == p->dtype && step == item;
    for (int64_t row = begin, rows; row < end; row += rows) {
        const char *at = locate(x, p->gone, p->n_gone, row, NULL);
        rows = run_of_rows(p, row, end);
        if (direct) {
            r->columns(a, cols, rows, at, down, center);
            continue;
        }
        if (rows > CONVERTED) rows = CONVERTED;
        for (int64_t i = 0; i < rows; i++) {
            char *line = room + i * cols * item;
            const void *from = load(r->dtype, p->dtype, at + i * down, step, cols, line);
            if (from != line) memcpy(line, from, (size_t)(cols * item));
        }
        r->columns(a, cols, rows, room, cols * item, center);
    }
}

static int64_t column_blocks(const plan *p) {
    return (p->kept[p->n_kept - 1].n + MP_REDUCE_COLS - 1) / MP_REDUCE_COLS;
}

/* Tasks: segments of blocks of columns. */
static void column_tasks(void *ctx, int64_t begin, int64_t end) {
    const plan *p = ctx;
    const dim *last = &p->kept[p->n_kept - 1];
    int64_t blocks = column_blocks(p);
    mp_acc a[MP_REDUCE_COLS];
    double center[MP_REDUCE_COLS];
    for (int64_t task = begin; task < end; task++) {
        int64_t s = task % p->segments, block = task / p->segments % blocks, y;
        const char *x = locate(p->x, p->kept, p->n_kept - 1, task / p->segments / blocks, &y);
        int64_t first = block * MP_REDUCE_COLS, row = s * SEGMENT_ROWS;
        int64_t cols = last->n - first < MP_REDUCE_COLS ? last->n - first : MP_REDUCE_COLS;
        int64_t stop = p->rows - row < SEGMENT_ROWS ? p->rows : row + SEGMENT_ROWS;
        y += first * last->y;
        for (int64_t j = 0; j < cols; j++) {
            a[j] = p->reducer->start;
            center[j] = p->center ? p->center[y + j * last->y] : 0;
        }
        reduce_columns(p, x + first * last->x, cols, row, stop, center, a);
        mp_acc *out = p->partial ? p->partial + s * p->results : p->out;
        for (int64_t j = 0; j < cols; j++) out[y + j * last->y] = a[j];
    }
}

/* ---- running ---- */

static void join_tasks(void *ctx, int64_t begin, int64_t end) {
    const plan *p = ctx;
    for (int64_t i = begin; i < end; i++) {
        p->out[i] = p->partial[i];
        for (int64_t s = 1; s < p->segments; s++)
            p->reducer->join(&p->out[i], &p->partial[s * p->results + i]);
    }
}

/* Fills p->out for the reducer; p is planned. */
static mp_status run(plan *p, const mp_reducer *reducer, int64_t elements) {
    p->reducer = reducer;
    p->partial = NULL;
    if (p->segments > 1) {
        size_t bytes = (size_t)p->segments * (size_t)p->results * sizeof *p->partial;
        p->partial = mp_scratch(bytes, MP_SCRATCH_KERNEL_2);
        if (!p->partial)
            return mp_fail(MP_ERR_MEMORY, "no room for %lld partial results",
                           (long long)(p->segments * p->results));
    }
    int64_t tasks = p->columns
                        ? p->results / p->kept[p->n_kept - 1].n * column_blocks(p) * p->segments
                        : p->results * p->segments;
    int64_t grain = elements / tasks >= WORTH ? 1 : WORTH * tasks / (elements + 1) + 1;
    mp_parallel_for(tasks, grain, p->columns ? column_tasks : row_tasks, p);
    if (p->partial) mp_parallel_for(p->results, WORTH / p->segments + 1, join_tasks, p);
    return MP_OK;
}

static void plan_call(plan *p, const mp_call *call, mp_acc *out) {
    const mp_array *x = call->in[0];
    p->x = mp_data(x);
    p->dtype = (mp_dtype)x->dtype;
    p->center = NULL;
    p->out = out;
    split_dims(p, x, &call->attrs);
    choose_form(p);
}

/* Where float results are wanted: 1 (float64) or 0 (float32), as an index of the tables. */
static int float_type(const mp_call *call) {
    mp_dtype x = (mp_dtype)call->in[0]->dtype;
    bool wide_int = !mp_is_float(x) && mp_dtypes[x].bytes >= 4;
    return x == MP_FLOAT64 || call->out[0]->dtype == MP_FLOAT64 || wide_int;
}

/* The type that x adds up and compares in. */
static int own_type(const mp_call *call) {
    mp_dtype x = (mp_dtype)call->in[0]->dtype;
    return mp_is_float(x) ? float_type(call) : x == MP_UINT64 ? 3 : 2;
}

/* Room for one result per element of y, in `slot`. */
static mp_status result_room(const mp_call *call, int slot, mp_acc **out) {
    *out = mp_scratch((size_t)call->out[0]->size * sizeof **out, slot);
    if (*out) return MP_OK;
    return mp_fail(MP_ERR_MEMORY, "no room for %lld results", (long long)call->out[0]->size);
}

/* y = the results of reducer `type` of a table, each divided by `by`. */
static void write_results(mp_call *call, const mp_acc *a, bool floats, double by) {
    mp_array *y = call->out[0];
    mp_dtype dtype = (mp_dtype)y->dtype;
    int64_t item = mp_itemsize(y);
    double room[256];
    for (int64_t i = 0; i < y->size; i += 256) {
        int64_t n = y->size - i < 256 ? y->size - i : 256;
        void *to = (char *)mp_data(y) + i * item;
        if (!floats) {
            MP_STORE_I64(dtype)(to, item, &a[i].i, n);
            continue;
        }
        for (int64_t k = 0; k < n; k++) room[k] = by == 1 ? a[i + k].f : a[i + k].f / by;
        MP_STORE_F64(dtype)(to, item, room, n);
    }
}

/* y = the results of a table's reducer for x's type. */
static mp_status reduce(mp_call *call, const mp_reducer *table, int type, double by) {
    plan p;
    mp_acc *out;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(result_room(call, MP_SCRATCH_KERNEL, &out));
    if (call->in[0]->size == 0) {
        for (int64_t i = 0; i < call->out[0]->size; i++) out[i] = table[type].start;
    } else {
        plan_call(&p, call, out);
        MP_TRY(run(&p, &table[type], call->in[0]->size));
    }
    write_results(call, out, type < 2, by);
    return MP_OK;
}

/* The number of elements that go into one result. */
static double reduced_count(const mp_call *call) {
    double n = 1;
    for (int i = 0; i < call->attrs.n_ints; i++)
        n *= (double)call->in[0]->shape[call->attrs.ints[i]];
    return n;
}

MP_KERNEL(sum) { return reduce(call, MP_TIERED(mp_reduce_sum), own_type(call), 1); }
MP_KERNEL(prod) { return reduce(call, MP_TIERED(mp_reduce_prod), own_type(call), 1); }
mp_status MP_TIERED(mp_cpu_any)(mp_call *call);
mp_status MP_TIERED(mp_cpu_all)(mp_call *call);
MP_KERNEL(max) {
    mp_dtype x = (mp_dtype)call->in[0]->dtype;
    if (x == MP_BOOL) return MP_TIERED(mp_cpu_any)(call);
    return reduce(call, MP_TIERED(mp_reduce_max), mp_rows_of(x), 1);
}
MP_KERNEL(min) {
    mp_dtype x = (mp_dtype)call->in[0]->dtype;
    if (x == MP_BOOL) return MP_TIERED(mp_cpu_all)(call);
    return reduce(call, MP_TIERED(mp_reduce_min), mp_rows_of(x), 1);
}
/* of nothing it is 0 / 0 */
MP_KERNEL(mean) {
    return reduce(call, MP_TIERED(mp_reduce_sum), float_type(call), reduced_count(call));
}

/* The sum of (x - mean)^2, over max(0, n - ddof). */
MP_KERNEL(var) {
    plan p;
    mp_acc *out;
    mp_array *y = call->out[0];
    int type = float_type(call);
    double n = reduced_count(call), freedom = n - (double)call->attrs.ddof;
    if (y->size == 0) return MP_OK;
    MP_TRY(result_room(call, MP_SCRATCH_KERNEL, &out));
    for (int64_t i = 0; i < y->size; i++) out[i].f = 0;
    if (call->in[0]->size > 0) {
        size_t bytes = (size_t)y->size * sizeof(double);
        double *center = mp_scratch(bytes, MP_SCRATCH_TASK);
        if (!center) return mp_fail(MP_ERR_MEMORY, "no room for %lld means", (long long)y->size);
        plan_call(&p, call, out);
        MP_TRY(run(&p, &MP_TIERED(mp_reduce_sum)[type], call->in[0]->size));
        for (int64_t i = 0; i < y->size; i++) center[i] = out[i].f / n;
        p.center = center;
        MP_TRY(run(&p, &MP_TIERED(mp_reduce_deviation)[type], call->in[0]->size));
    }
    write_results(call, out, true, freedom > 0 ? freedom : 0);
    return MP_OK;
}

/* log(sum of exp(x - c)) + c, where c is the greatest x if that is finite, else 0. */
MP_KERNEL(logsumexp) {
    plan p;
    mp_acc *out;
    mp_array *y = call->out[0];
    int type = float_type(call);
    if (y->size == 0) return MP_OK;
    MP_TRY(result_room(call, MP_SCRATCH_KERNEL, &out));
    for (int64_t i = 0; i < y->size; i++) out[i].f = -INFINITY;
    if (call->in[0]->size > 0) {
        double *center = mp_scratch((size_t)y->size * sizeof *center, MP_SCRATCH_TASK);
        if (!center) return mp_fail(MP_ERR_MEMORY, "no room for %lld maxima", (long long)y->size);
        plan_call(&p, call, out);
        MP_TRY(run(&p, &MP_TIERED(mp_reduce_max)[type], call->in[0]->size));
        for (int64_t i = 0; i < y->size; i++) center[i] = isfinite(out[i].f) ? out[i].f : 0;
        p.center = center;
        MP_TRY(run(&p, &MP_TIERED(mp_reduce_exp)[type], call->in[0]->size));
        for (int64_t i = 0; i < y->size; i++) out[i].f = log(out[i].f) + center[i];
    }
    write_results(call, out, true, 1);
    return MP_OK;
}
