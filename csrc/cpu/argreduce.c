/* argmax and argmin: the first position of the extremum along an axis, or in the flat array; a NaN
 * is the extremum, and the first of them counts. x is dense; read once, positions are written once.
 */
#include "reduce.h"

enum {
    COLS = 128,         /* columns searched side by side */
    SEGMENT = 1 << 16,  /* elements of a long row searched by one task */
    PIECE_BYTES = 8192, /* of a row whose best is looked for at a time */
    LOOK = 64,          /* elements of a row looked at together */
    WORTH = 1 << 15,    /* elements worth a thread */
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
        enum { PIECE = PIECE_BYTES / sizeof(real) };                                               \
        real room[PIECE], best = 0;                                                                \
        int64_t found = -1, k = 0;                                                                 \
        for (int64_t i = 0; i < s->n; i += PIECE) {                                                \
            int64_t count = s->n - i < PIECE ? s->n - i : PIECE;                                   \
            mp_acc a = reducer.start;                                                              \
            reducer.row(&a, count, name##_piece(s, x, i, count, room), 0);                         \
            real top = (real)a.field;                                                              \
            if (found >= 0 && (best better top || best == top || is_nan(best))) continue;          \
            best = top;                                                                            \
            found = i;                                                                             \
        }                                                                                          \
        int64_t count = s->n - found < PIECE ? s->n - found : PIECE;                               \
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

#define LOAD_SAME(dtype) load_same
static void load_same(void *dst, const void *src, int64_t stride, int64_t n) {
    memcpy(dst, src, (size_t)(n * stride));
}
#define BOTH(name, real, load, rows, field, is_nan)                                                \
    SEARCH(max_##name, real, load, MP_TIERED(mp_reduce_max)[rows], field, >, is_nan)               \
    SEARCH(min_##name, real, load, MP_TIERED(mp_reduce_min)[rows], field, <, is_nan)
BOTH(f32, float, MP_LOAD, MP_ROWS_F32, f, FLOAT_NAN)
BOTH(f64, double, MP_LOAD_F64, MP_ROWS_F64, f, FLOAT_NAN)
BOTH(i64, int64_t, MP_LOAD_I64, MP_ROWS_I64, i, NO_NAN)
BOTH(u64, uint64_t, LOAD_SAME, MP_ROWS_U64, u, NO_NAN)
BOTH(i8, int8_t, LOAD_SAME, MP_ROWS_I8, i, NO_NAN)
BOTH(u8, uint8_t, LOAD_SAME, MP_ROWS_U8, u, NO_NAN)
BOTH(i16, int16_t, LOAD_SAME, MP_ROWS_I16, i, NO_NAN)
BOTH(u16, uint16_t, LOAD_SAME, MP_ROWS_U16, u, NO_NAN)
BOTH(i32, int32_t, LOAD_SAME, MP_ROWS_I32, i, NO_NAN)
BOTH(u32, uint32_t, LOAD_SAME, MP_ROWS_U32, u, NO_NAN)

/* The first byte of a row of bools that is zero, or is not; 0 without one. */
#define FIRST(name, test)                                                                          \
    static int64_t name(const search *s, const char *x) {                                          \
        int64_t k = 0;                                                                             \
        for (; k + LOOK <= s->n; k += LOOK) {                                                      \
            int here = 0;                                                                          \
            for (int m = 0; m < LOOK; m++) here |= x[k + m] test 0;                                \
            if (here) break;                                                                       \
        }                                                                                          \
        for (; k < s->n; k++)                                                                      \
            if (x[k] test 0) return k;                                                             \
        return 0;                                                                                  \
    }
FIRST(first_true, !=)
FIRST(first_false, ==)

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
    bool early = s->dtype == MP_BOOL; /* the place is often found soon */
    if (s->inner == 1 && !early && s->outer < mp_num_threads() && s->n >= 4 * SEGMENT) {
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

typedef struct functions {
    void (*columns)(const search *s, const char *x, int64_t cols, int64_t *y);
    int64_t (*row)(const search *s, const char *x);
} functions;
#define FUNCTIONS(op)                                                                              \
    static const functions op##_functions[MP_ROWS_COUNT] = {                                       \
        [MP_ROWS_F32] = {op##_f32_columns, op##_f32_row},                                          \
        [MP_ROWS_F64] = {op##_f64_columns, op##_f64_row},                                          \
        [MP_ROWS_I64] = {op##_i64_columns, op##_i64_row},                                          \
        [MP_ROWS_U64] = {op##_u64_columns, op##_u64_row},                                          \
        [MP_ROWS_I8] = {op##_i8_columns, op##_i8_row},                                             \
        [MP_ROWS_U8] = {op##_u8_columns, op##_u8_row},                                             \
        [MP_ROWS_I16] = {op##_i16_columns, op##_i16_row},                                          \
        [MP_ROWS_U16] = {op##_u16_columns, op##_u16_row},                                          \
        [MP_ROWS_I32] = {op##_i32_columns, op##_i32_row},                                          \
        [MP_ROWS_U32] = {op##_u32_columns, op##_u32_row},                                          \
    };
FUNCTIONS(max)
FUNCTIONS(min)

static mp_status search_for(mp_call *call, const functions *of,
                            int64_t (*bools)(const search *s, const char *x)) {
    mp_dtype dtype = (mp_dtype)call->in[0]->dtype;
    const functions *f = &of[mp_rows_of(dtype)];
    search s = {.columns = f->columns, .row = dtype == MP_BOOL ? bools : f->row};
    return run(call, &s);
}

MP_KERNEL(argmax) { return search_for(call, max_functions, first_true); }
MP_KERNEL(argmin) { return search_for(call, min_functions, first_false); }
