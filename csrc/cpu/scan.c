/* Running results along an axis: cumsum, cumprod, cummax, cummin and y_i = a_i y_{i-1} + b_i.
 * Floats run in float64, whatever their dtype, so that the error does not grow with the length;
 * integers in 64 bits. One element after the other, as NumPy does: the results of float64 are the
 * same. Lines along the axis are done one by one where it is the innermost, else side by side. Each
 * input is read once, y is written once. */
#include <math.h>

#include "cpu.h"

enum {
    PIECE = 1024,    /* elements of a line converted at a time */
    COLS = 128,      /* lines done side by side */
    WORTH = 1 << 14, /* elements worth a thread */
};

typedef union value {
    double f;
    int64_t i;
    uint64_t u;
} value;

/* What happens to a piece: y from x (and a), which are rows of double or int64; y may be x. The
 * running value goes on. */
typedef void (*line_fn)(int64_t n, void *y, const void *x, const void *a, value *running);
/* The same for one row of n lines that lie side by side. */
typedef void (*row_fn)(int64_t n, void *y, const void *x, const void *a, value *running);

typedef struct job {
    const mp_array *x, *a; /* a: the factors of a recurrence, or NULL */
    mp_array *y;
    line_fn line;
    row_fn row;
    value start;
    bool floats;
    int axis;
    int64_t n;
    /* dimensions but the axis (and but the lines done side by side), and steps in bytes */
    int ndim;
    int64_t shape[MP_MAX_DIMS], x_step[MP_MAX_DIMS], a_step[MP_MAX_DIMS], y_step[MP_MAX_DIMS];
    int64_t lines, blocks, side; /* side: lines side by side, in `blocks` of COLS; 1: none */
    int64_t side_x, side_a;
} job;

/* ---- rows of elements ---- */

static const void *load(const job *j, const mp_array *x, const char *from, int64_t step, int64_t n,
                        void *room) {
    mp_dtype dtype = (mp_dtype)x->dtype, wanted = j->floats ? MP_FLOAT64 : MP_INT64;
    if ((dtype == wanted || (!j->floats && dtype == MP_UINT64)) && step == 8) return from;
    if (j->floats) MP_LOAD_F64(dtype)(room, from, step, n);
    else MP_LOAD_I64(dtype)(room, from, step, n);
    return room;
}

static void store(const job *j, char *to, int64_t step, const void *from, int64_t n) {
    mp_dtype dtype = (mp_dtype)j->y->dtype;
    if (j->floats) MP_STORE_F64(dtype)(to, step, from, n);
    else MP_STORE_I64(dtype)(to, step, from, n);
}

/* ---- what runs ---- */

#define ADD(s, v) ((s) + (v))
#define TIMES(s, v) ((s) * (v))
#define MAX_F(s, v) ((((s) > (v)) | ((s) != (s))) ? (s) : (v))
#define MIN_F(s, v) ((((s) < (v)) | ((s) != (s))) ? (s) : (v))
#define MAX_I(s, v) ((s) > (v) ? (s) : (v))
#define MIN_I(s, v) ((s) < (v) ? (s) : (v))

#define SCAN(name, type, field, join)                                                              \
    static void name##_line(int64_t n, void *py, const void *px, const void *pa, value *running) { \
        const type *x = px;                                                                        \
        type *y = py, s = running->field;                                                          \
        (void)pa;                                                                                  \
        for (int64_t i = 0; i < n; i++) y[i] = s = join(s, x[i]);                                  \
        running->field = s;                                                                        \
    }                                                                                              \
    static void name##_row(int64_t n, void *py, const void *px, const void *pa, value *running) {  \
        const type *x = px;                                                                        \
        type *y = py;                                                                              \
        (void)pa;                                                                                  \
        for (int64_t i = 0; i < n; i++) y[i] = running[i].field = join(running[i].field, x[i]);    \
    }
SCAN(sum_f, double, f, ADD)
SCAN(sum_u, uint64_t, u, ADD)
SCAN(prod_f, double, f, TIMES)
SCAN(prod_u, uint64_t, u, TIMES)
SCAN(max_f, double, f, MAX_F)
SCAN(max_i, int64_t, i, MAX_I)
SCAN(max_u, uint64_t, u, MAX_I)
SCAN(min_f, double, f, MIN_F)
SCAN(min_i, int64_t, i, MIN_I)
SCAN(min_u, uint64_t, u, MIN_I)

static void recurrence_line(int64_t n, void *py, const void *px, const void *pa, value *running) {
    const double *x = px, *a = pa;
    double *y = py, s = running->f;
    for (int64_t i = 0; i < n; i++) y[i] = s = s * a[i] + x[i];
    running->f = s;
}
static void recurrence_row(int64_t n, void *py, const void *px, const void *pa, value *running) {
    const double *x = px, *a = pa;
    double *y = py;
    for (int64_t i = 0; i < n; i++) y[i] = running[i].f = running[i].f * a[i] + x[i];
}

/* ---- walking ---- */

/* Dimensions and lines, from the end of x's shape: those after the axis that are walked through
 * evenly lie side by side. */
static void plan(job *j) {
    const mp_array *x = j->x, *a = j->a;
    int64_t steps[MP_MAX_DIMS], step = mp_itemsize(j->y);
    for (int d = x->ndim - 1; d >= 0; d--) {
        steps[d] = step;
        step *= x->shape[d];
    }
    int last = x->ndim - 1;
    while (last > j->axis && x->shape[last] == 1) last--;
    j->n = x->shape[j->axis];
    j->side = 1, j->side_x = 0, j->side_a = 0;
    if (last > j->axis) {
        j->side = x->shape[last];
        j->side_x = x->strides[last];
        j->side_a = a ? a->strides[last] : 0;
        for (last--; last > j->axis; last--) {
            if (x->shape[last] == 1) continue;
            bool even = x->strides[last] == j->side_x * j->side &&
                        (!a || a->strides[last] == j->side_a * j->side);
            if (!even) break;
            j->side *= x->shape[last];
        }
    }
    j->ndim = 0;
    j->lines = 1;
    for (int d = 0; d <= last; d++) {
        if (d == j->axis) continue;
        j->shape[j->ndim] = x->shape[d];
        j->x_step[j->ndim] = x->strides[d] * mp_itemsize(x);
        j->a_step[j->ndim] = a ? a->strides[d] * mp_itemsize(a) : 0;
        j->y_step[j->ndim++] = steps[d];
        j->lines *= x->shape[d];
    }
    j->blocks = (j->side + COLS - 1) / COLS;
}

typedef struct place {
    const char *x, *a;
    char *y;
} place;

static place locate(const job *j, int64_t line) {
    place p = {mp_data(j->x), j->a ? mp_data(j->a) : NULL, mp_data(j->y)};
    for (int d = j->ndim - 1; d >= 0; d--) {
        int64_t at = line % j->shape[d];
        line /= j->shape[d];
        p.x += at * j->x_step[d];
        p.y += at * j->y_step[d];
        if (p.a) p.a += at * j->a_step[d];
    }
    return p;
}

/* Tasks: lines. */
static void line_tasks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    double x_room[PIECE], a_room[PIECE];
    int64_t item = mp_itemsize(j->y), x_step = j->x->strides[j->axis] * mp_itemsize(j->x);
    int64_t a_step = j->a ? j->a->strides[j->axis] * mp_itemsize(j->a) : 0;
    for (int64_t line = begin; line < end; line++) {
        place p = locate(j, line);
        value running = j->start;
        for (int64_t i = 0; i < j->n; i += PIECE) {
            int64_t n = j->n - i < PIECE ? j->n - i : PIECE;
            const void *x = load(j, j->x, p.x + i * x_step, x_step, n, x_room), *a = NULL;
            if (p.a) a = load(j, j->a, p.a + i * a_step, a_step, n, a_room);
            j->line(n, x_room, x, a, &running);
            store(j, p.y + i * item, item, x_room, n);
        }
    }
}

/* Tasks: blocks of lines side by side. */
static void row_tasks(void *ctx, int64_t begin, int64_t end) {
    const job *j = ctx;
    double x_room[COLS], a_room[COLS];
    value running[COLS];
    int64_t item = mp_itemsize(j->y), x_item = mp_itemsize(j->x), y_down = item;
    int64_t x_down = j->x->strides[j->axis] * x_item, a_item = j->a ? mp_itemsize(j->a) : 0;
    int64_t a_down = j->a ? j->a->strides[j->axis] * a_item : 0;
    for (int d = j->axis + 1; d < j->y->ndim; d++) y_down *= j->y->shape[d];
    for (int64_t task = begin; task < end; task++) {
        place p = locate(j, task / j->blocks);
        int64_t first = task % j->blocks * COLS;
        int64_t n = j->side - first < COLS ? j->side - first : COLS;
        const char *x = p.x + first * j->side_x * x_item, *a = p.a;
        char *y = p.y + first * item;
        if (a) a += first * j->side_a * a_item;
        for (int64_t k = 0; k < n; k++) running[k] = j->start;
        for (int64_t i = 0; i < j->n; i++) {
            const void *row = load(j, j->x, x + i * x_down, j->side_x * x_item, n, x_room);
            const void *factors = NULL;
            if (a) factors = load(j, j->a, a + i * a_down, j->side_a * a_item, n, a_room);
            j->row(n, x_room, row, factors, running);
            store(j, y + i * y_down, item, x_room, n);
        }
    }
}

static mp_status run(job *j) {
    if (j->y->size == 0) return MP_OK;
    plan(j);
    bool rows = j->side > 1;
    int64_t tasks = j->lines * (rows ? j->blocks : 1), each = j->y->size / tasks;
    mp_parallel_for(tasks, WORTH / each + 1, rows ? row_tasks : line_tasks, j);
    return MP_OK;
}

#define FUNCTIONS(name) j.line = name##_line, j.row = name##_row

/* Sums and products run in y's kind: integers in uint64, whose bits are those of int64. */
static job job_of(mp_call *call, bool floats) {
    return (job){
        .x = call->in[0], .y = call->out[0], .axis = (int)call->attrs.axis, .floats = floats};
}

MP_KERNEL(cumsum) {
    job j = job_of(call, mp_is_float((mp_dtype)call->out[0]->dtype));
    if (j.floats) FUNCTIONS(sum_f), j.start.f = 0;
    else FUNCTIONS(sum_u), j.start.u = 0;
    return run(&j);
}

MP_KERNEL(cumprod) {
    job j = job_of(call, mp_is_float((mp_dtype)call->out[0]->dtype));
    if (j.floats) FUNCTIONS(prod_f), j.start.f = 1;
    else FUNCTIONS(prod_u), j.start.u = 1;
    return run(&j);
}

MP_KERNEL(cummax) {
    mp_dtype dtype = (mp_dtype)call->in[0]->dtype;
    job j = job_of(call, mp_is_float(dtype));
    if (j.floats) FUNCTIONS(max_f), j.start.f = -INFINITY;
    else if (dtype == MP_UINT64) FUNCTIONS(max_u), j.start.u = 0;
    else FUNCTIONS(max_i), j.start.i = INT64_MIN;
    return run(&j);
}

MP_KERNEL(cummin) {
    mp_dtype dtype = (mp_dtype)call->in[0]->dtype;
    job j = job_of(call, mp_is_float(dtype));
    if (j.floats) FUNCTIONS(min_f), j.start.f = INFINITY;
    else if (dtype == MP_UINT64) FUNCTIONS(min_u), j.start.u = UINT64_MAX;
    else FUNCTIONS(min_i), j.start.i = INT64_MAX;
    return run(&j);
}

MP_KERNEL(recurrence) {
    job j = job_of(call, true);
    j.a = call->in[0], j.x = call->in[1];
    FUNCTIONS(recurrence);
    j.start.f = 0;
    return run(&j);
}
