/* argmax and argmin: the first position of the extremum along an axis, or in the flat array; a NaN
 * is the extremum, and the first of them counts. x is dense; read once, positions are written once.
 */
#include "reduce.h"

enum {
    COLS = 128,        /* columns searched side by side */
    SEGMENT = 1 << 16, /* elements of a long row searched by one task */
    LOOK = 64,         /* elements of a row looked at together */
    WORTH = 1 << 15,   /* elements worth a thread */
};

/* x seen as [outer][n][inner]; y as [outer][inner]. */
typedef struct search {
    const char *x;
    mp_dtype dtype;
    int64_t outer, n, inner;
    int64_t *y;
    /* searches `cols` columns; see SEARCH */
    void (*columns)(const struct search *s, const char *x, int64_t cols, int64_t *y);
    /* searches one dense row */
    int64_t (*row)(const struct search *s, const char *x);
} search;

/* Per type `real` and comparison `better`: a row, in pieces the best of which is looked through in
 * the end; and columns, row by row. is_nan is 0 for integers. */
#define SEARCH(name, real, load, reducer, field, better, is_nan)                                   \
    static const real *name##_piece(const search *s, const char *x, int64_t i, int64_t count,      \
                                    real *room) {                                                  \
        int64_t item = mp_dtypes[s->dtype].bytes;                                                  \
        if (s->dtype == reducer.dtype) return (const real *)(x + i * item);                        \
        load(s->dtype)(room, x + i * item, item, count);                                           \
        return room;                                                                               \
    }                                                                                              \
    static int64_t name##_row(const search *s, const char *x) {                                    \
        real room[MP_REDUCE_PIECE], best = 0;                                                      \
        int64_t found = -1, k = 0;                                                                 \
        for (int64_t i = 0; i < s->n; i += MP_REDUCE_PIECE) {                                      \
            int64_t count = s->n - i < MP_REDUCE_PIECE ? s->n - i : MP_REDUCE_PIECE;               \
            mp_acc a = reducer.start;                                                              \
            reducer.row(&a, count, name##_piece(s, x, i, count, room), 0);                         \
            real top = (real)a.field;                                                              \
            if (found >= 0 && (best better top || best == top || is_nan(best))) continue;          \
            best = top;                                                                            \
            found = i;                                                                             \
        }                                                                                          \
        int64_t count = s->n - found < MP_REDUCE_PIECE ? s->n - found : MP_REDUCE_PIECE;           \
        const real *piece = name##_piece(s, x, found, count, room);                                \
        for (; k < count; k += LOOK) {                                                             \
            int32_t most = count - k < LOOK ? (int32_t)(count - k) : LOOK, first = LOOK;           \
            for (int32_t m = 0; m < most; m++) {                                                   \
                int32_t here = (piece[k + m] == best) | is_nan(piece[k + m]) ? m : LOOK;           \
                first = here < first ? here : first;                                               \
            }                                                                                      \
            if (first < LOOK) return found + k + first;                                            \
        }                                                                                          \
        return found + k;                                                                          \
    }                                                                                              \
    static void name##_columns(const search *s, const char *x, int64_t cols, int64_t *y) {         \
        real room[COLS], best[COLS];                                                               \
        int64_t item = mp_dtypes[s->dtype].bytes;                                                  \
        load(s->dtype)(best, x, item, cols);                                                       \
        for (int64_t j = 0; j < cols; j++) y[j] = 0;                                               \
        for (int64_t i = 1; i < s->n; i++) {                                                       \
            load(s->dtype)(room, x + i * s->inner * item, item, cols);                             \
            for (int64_t j = 0; j < cols; j++) {                                                   \
                bool stays = best[j] better room[j] || best[j] == room[j] || is_nan(best[j]);      \
                y[j] = stays ? y[j] : i;                                                           \
                best[j] = stays ? best[j] : room[j];                                               \
            }                                                                                      \
        }                                                                                          \
    }
#define FLOAT_NAN(v) ((v) != (v))
#define NO_NAN(v) false

#define MAX(type) MP_TIERED(mp_reduce_max)[type]
#define MIN(type) MP_TIERED(mp_reduce_min)[type]
#define LOAD_U64(dtype) load_u64
static void load_u64(uint64_t *dst, const void *src, int64_t stride, int64_t n) {
    (void)stride;
    memcpy(dst, src, (size_t)n * sizeof *dst);
}
SEARCH(max_f32, float, MP_LOAD, MAX(0), f, >, FLOAT_NAN)
SEARCH(max_f64, double, MP_LOAD_F64, MAX(1), f, >, FLOAT_NAN)
SEARCH(max_i64, int64_t, MP_LOAD_I64, MAX(2), i, >, NO_NAN)
SEARCH(max_u64, uint64_t, LOAD_U64, MAX(3), u, >, NO_NAN)
SEARCH(min_f32, float, MP_LOAD, MIN(0), f, <, FLOAT_NAN)
SEARCH(min_f64, double, MP_LOAD_F64, MIN(1), f, <, FLOAT_NAN)
SEARCH(min_i64, int64_t, MP_LOAD_I64, MIN(2), i, <, NO_NAN)
SEARCH(min_u64, uint64_t, LOAD_U64, MIN(3), u, <, NO_NAN)

static void search_rows(void *ctx, int64_t begin, int64_t end) {
    const search *s = ctx;
    int64_t bytes = s->n * mp_dtypes[s->dtype].bytes;
    for (int64_t i = begin; i < end; i++) s->y[i] = s->row(s, s->x + i * bytes);
}

/* Tasks: segments of a long row; y has a place for each. */
static void search_segments(void *ctx, int64_t begin, int64_t end) {
    const search *s = ctx;
    int64_t item = mp_dtypes[s->dtype].bytes;
    for (int64_t i = begin; i < end; i++) {
        search part = *s;
        int64_t first = i * SEGMENT;
        part.n = s->n - first < SEGMENT ? s->n - first : SEGMENT;
        s->y[i] = first + s->row(&part, s->x + first * item);
    }
}

/* A long row: the best of its segments, in their order, are searched like a row. */
static mp_status search_long(const search *s, int64_t row) {
    int64_t item = mp_dtypes[s->dtype].bytes, n = (s->n + SEGMENT - 1) / SEGMENT;
    int64_t *found = mp_scratch((size_t)n * 16, MP_SCRATCH_KERNEL);
    if (!found) return mp_fail(MP_ERR_MEMORY, "no room for %lld places", (long long)n);
    search parts = *s;
    char *best = (char *)(found + n);
    parts.x += row * s->n * item;
    parts.y = found;
    mp_parallel_for(n, 1, search_segments, &parts);
    for (int64_t i = 0; i < n; i++)
        memcpy(best + i * item, parts.x + found[i] * item, (size_t)item);
    parts.n = n;
    s->y[row] = found[s->row(&parts, best)];
    return MP_OK;
}

/* Tasks: blocks of columns of each outer index. */
static void search_columns(void *ctx, int64_t begin, int64_t end) {
    const search *s = ctx;
    int64_t blocks = (s->inner + COLS - 1) / COLS, item = mp_dtypes[s->dtype].bytes;
    for (int64_t task = begin; task < end; task++) {
        int64_t outer = task / blocks, first = task % blocks * COLS;
        int64_t cols = s->inner - first < COLS ? s->inner - first : COLS;
        s->columns(s, s->x + (outer * s->n * s->inner + first) * item, cols,
                   s->y + outer * s->inner + first);
    }
}

static mp_status run(mp_call *call, search *s) {
    const mp_array *x = call->in[0];
    int64_t axis = call->attrs.axis;
    bool flat = axis == INT64_MIN;
    s->x = mp_data(x);
    s->dtype = (mp_dtype)x->dtype;
    s->y = mp_data(call->out[0]);
    s->outer = s->inner = 1;
    s->n = flat ? x->size : x->shape[axis];
    for (int d = 0; !flat && d < x->ndim; d++) {
        if (d < axis) s->outer *= x->shape[d];
        if (d > axis) s->inner *= x->shape[d];
    }
    if (call->out[0]->size == 0) return MP_OK;
    if (s->inner == 1 && s->outer < mp_num_threads() && s->n >= 4 * SEGMENT) {
        for (int64_t row = 0; row < s->outer; row++) MP_TRY(search_long(s, row));
    } else if (s->inner == 1) {
        mp_parallel_for(s->outer, WORTH / s->n + 1, search_rows, s);
    } else {
        int64_t tasks = s->outer * ((s->inner + COLS - 1) / COLS);
        mp_parallel_for(tasks, WORTH / (s->n * (s->inner < COLS ? s->inner : COLS)) + 1,
                        search_columns, s);
    }
    return MP_OK;
}

/* The functions of one comparison for x's type. */
#define CHOOSE(name)                                                                               \
    do {                                                                                           \
        mp_dtype dtype = (mp_dtype)call->in[0]->dtype;                                             \
        search s;                                                                                  \
        if (dtype == MP_FLOAT64) s.row = name##_f64_row, s.columns = name##_f64_columns;           \
        else if (mp_is_float(dtype)) s.row = name##_f32_row, s.columns = name##_f32_columns;       \
        else if (dtype == MP_UINT64) s.row = name##_u64_row, s.columns = name##_u64_columns;       \
        else s.row = name##_i64_row, s.columns = name##_i64_columns;                               \
        return run(call, &s);                                                                      \
    } while (0)

MP_KERNEL(argmax) { CHOOSE(max); }
MP_KERNEL(argmin) { CHOOSE(min); }
