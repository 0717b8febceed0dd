/* How a pointwise op runs. Dense operands of one size (and numbers) are one flat row; everything
 * else goes through mp_iter. Rows are cut into chunks that stay in the first-level cache: operands
 * of another type or stride are converted to a buffer, the others are read and written in place. */
#include "pointwise.h"

enum {
    CHUNK_BYTES = 4096,
    MOST_IN = 3,
    SMALL = 4096,        /* elements done without a plan */
    SHORT = 32,          /* a row of fewer elements is not worth a call */
    SMALL_NUMBERS = 256, /* the same where a number is spread out */
    TILE = 32,           /* columns of a tile, see start_tiled */
    FAR = 256,           /* bytes between neighbours that are worth tiles */
};

/* Where the inputs come to be before the op: as floats or integers of one type, or as stored. */
typedef enum domain { F32, F64, I64, U64, STORED } domain;
static const mp_dtype dtype_of[] = {
    [F32] = MP_FLOAT32, [F64] = MP_FLOAT64, [I64] = MP_INT64, [U64] = MP_UINT64};

/* A call made ready: operand 0 is the output, 1 ... n_in the inputs. */
typedef struct plan {
    mp_row_fn fn;
    const mp_attrs *attrs;
    domain in;
    int n_in;
    int64_t chunk;                   /* elements */
    mp_dtype dtype[1 + MOST_IN];     /* as stored */
    mp_dtype row_dtype[1 + MOST_IN]; /* as fn wants them; MP_BOOL for conditions and comparisons */
    char *data[1 + MOST_IN];
    int64_t stride[1 + MOST_IN]; /* flat rows: 0 for a number, else the size of an element */
    const mp_iter *iter;
} plan;

typedef struct rooms {
    char of[1 + MOST_IN][CHUNK_BYTES] __attribute__((aligned(64)));
} rooms;

/* ---- which type to compute in ---- */

/* Facts about the operands that decide it. */
typedef struct operands {
    bool any_float, any_wide_float, any_uint64, any_signed, any_wide_int, weak_float;
} operands;

static operands look(const mp_call *call, int first, int n_in) {
    operands o = {0};
    for (int k = first; k < n_in; k++) {
        const mp_array *a = call->in[k];
        const mp_dtype_row *row = &mp_dtypes[a->dtype];
        if (row->kind == 'F') {
            o.any_float = true;
            o.weak_float |= a->weak;
            o.any_wide_float |= row->bytes == 8 && !a->weak;
            continue;
        }
        o.any_uint64 |= a->dtype == MP_UINT64;
        o.any_signed |= row->kind == 'I';
        o.any_wide_int |= row->bytes >= 4 && !a->weak;
    }
    return o;
}

/* float64 where an operand or the result is, or where integers of 32 bits or more become floats;
 * a Python float does not widen what it is combined with. */
static domain choose_domain(const mp_call *call, const mp_pointwise *op, int n_in) {
    operands o = look(call, op->selects, n_in);
    mp_dtype out = (mp_dtype)call->out[0]->dtype;
    if (o.any_wide_float || out == MP_FLOAT64) return F64;
    if (op->compares) {
        if (o.weak_float && o.any_wide_int) return F64;
        if (o.any_float) return F32;
    } else if (o.any_float || mp_is_float(out)) {
        return !o.any_float && o.any_wide_int && !op->selects ? F64 : F32;
    }
    return o.any_uint64 || (!op->compares && out == MP_UINT64) ? U64 : I64;
}

/* Whether a Python number is one of a dtype: comparisons take any, other ops have checked it. */
static bool is_within(const mp_array *number, mp_dtype dtype) {
    uint64_t bits = 0;
    if (mp_is_float(dtype)) return true;
    if (mp_is_float((mp_dtype)number->dtype)) return false;
    int64_t value = mp_load_int((mp_dtype)number->dtype, mp_data(number));
    mp_store_int(dtype, &bits, value);
    return mp_load_int(dtype, &bits) == value && number->dtype != MP_UINT64;
}

/* The dtype whose stored rows do the call, or MP_NO_DTYPE. */
static mp_dtype choose_stored(const mp_call *call, const mp_pointwise *op, int n_in) {
    mp_dtype common = MP_NO_DTYPE;
    if (!op->stored) return MP_NO_DTYPE;
    if (!op->compares) common = (mp_dtype)call->out[0]->dtype;
    for (int k = op->selects; k < n_in; k++) {
        const mp_array *a = call->in[k];
        if (a->weak || op->converts) continue;
        if (common == MP_NO_DTYPE) common = (mp_dtype)a->dtype;
        if (a->dtype != (int)common) return MP_NO_DTYPE;
    }
    if (common == MP_NO_DTYPE || !op->stored[common]) return MP_NO_DTYPE;
    for (int k = op->selects; k < n_in; k++)
        if (call->in[k]->weak && !is_within(call->in[k], common)) return MP_NO_DTYPE;
    return common;
}

static mp_row_fn choose_fn(const mp_call *call, const mp_pointwise *op, domain in, int n_in) {
    if (op->compares && in == U64 && n_in > 1 && call->in[0]->dtype != call->in[1]->dtype) {
        if (mp_dtypes[call->in[0]->dtype].kind == 'I') return op->i64_u64;
        if (mp_dtypes[call->in[1]->dtype].kind == 'I') return op->u64_i64;
    }
    return in == F32 ? op->f32 : in == F64 ? op->f64 : in == I64 ? op->i64 : op->u64;
}

/* ---- rows ---- */

static void load_row(domain in, mp_dtype want, mp_dtype dtype, void *dst, const void *src,
                     int64_t stride, int64_t n) {
    if (in == STORED) mp_convert(want, dst, mp_dtypes[want].bytes, dtype, src, stride, n);
    else if (in == F32) MP_LOAD(dtype)(dst, src, stride, n);
    else if (in == F64) MP_LOAD_F64(dtype)(dst, src, stride, n);
    else MP_LOAD_I64(dtype)(dst, src, stride, n);
}

static void store_row(domain in, mp_dtype dtype, void *dst, int64_t stride, const void *src,
                      int64_t n) {
    int64_t item = mp_dtypes[dtype].bytes;
    if (in == STORED) mp_convert(dtype, dst, stride, dtype, src, item, n);
    else if (in == F32) MP_STORE(dtype)(dst, stride, src, n);
    else if (in == F64) MP_STORE_F64(dtype)(dst, stride, src, n);
    else MP_STORE_I64(dtype)(dst, stride, src, n);
}

/* Operand k as a dense row of the type that fn wants: where it lies, or converted to room. */
static const void *read_row(const plan *p, int k, const char *at, int64_t stride, int64_t n,
                            char *room) {
    mp_dtype want = p->row_dtype[k];
    if (p->dtype[k] == want && stride == mp_dtypes[want].bytes) return at;
    if (want == MP_BOOL) mp_convert(MP_BOOL, room, 1, p->dtype[k], at, stride, n);
    else load_row(p->in, want, p->dtype[k], room, at, stride, n);
    return room;
}

/* One chunk. */
static void run_chunk(const plan *p, int64_t n, char *const *ptr, const int64_t *stride,
                      rooms *room) {
    const void *x[MOST_IN] = {NULL};
    for (int k = 1; k <= p->n_in; k++) x[k - 1] = read_row(p, k, ptr[k], stride[k], n, room->of[k]);
    bool direct = p->dtype[0] == p->row_dtype[0] && stride[0] == mp_dtypes[p->dtype[0]].bytes;
    void *y = direct ? ptr[0] : room->of[0];
    p->fn(n, y, x[0], x[1], x[2], p->attrs);
    if (direct) return;
    if (p->row_dtype[0] == MP_BOOL) mp_convert(p->dtype[0], ptr[0], stride[0], MP_BOOL, y, 1, n);
    else store_row(p->in, p->dtype[0], ptr[0], stride[0], y, n);
}

/* Elements [begin, end) of flat rows; numbers are spread out once. */
static void run_flat(void *ctx, int64_t begin, int64_t end) {
    plan own = *(const plan *)ctx;
    rooms room, numbers;
    int64_t longest = end - begin < own.chunk ? end - begin : own.chunk;
    int64_t step[1 + MOST_IN];
    char *ptr[1 + MOST_IN];
    for (int k = 0; k <= own.n_in; k++) {
        step[k] = own.stride[k];
        ptr[k] = own.data[k] + begin * step[k];
        if (k == 0 || step[k] != 0) continue;
        ptr[k] = (char *)(uintptr_t)read_row(&own, k, ptr[k], 0, longest, numbers.of[k]);
        own.dtype[k] = own.row_dtype[k];
        own.stride[k] = mp_dtypes[own.dtype[k]].bytes;
    }
    for (int64_t i = begin; i < end; i += own.chunk) {
        int64_t n = end - i < own.chunk ? end - i : own.chunk;
        run_chunk(&own, n, ptr, own.stride, &room);
        for (int k = 0; k <= own.n_in; k++) ptr[k] += n * step[k];
    }
}

typedef struct strided_chunk {
    const plan *p;
    rooms room;
} strided_chunk;

static void run_stretch(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    strided_chunk *s = ctx;
    run_chunk(s->p, n, ptr, stride, &s->room);
}

static void run_strided(void *ctx, int64_t begin, int64_t end) {
    strided_chunk s;
    s.p = ctx;
    mp_iter_run(s.p->iter, begin, end, s.p->chunk, run_stretch, &s);
}

/* ---- short rows ---- */

/* Rows of fewer than SHORT elements are taken many at a time, or calls would cost more than they
 * do: `outer` walks from row to row, column by column they are brought into place. */
typedef struct short_rows {
    const plan *p;
    mp_iter outer;
    int64_t cols, step[1 + MOST_IN]; /* bytes along a row */
} short_rows;

/* room[r * cols + j] = element j of row r, in a type of `item` bytes. */
#define SPREAD(ctype)                                                                              \
    for (int64_t r = 0; r < rows; r++)                                                             \
    ((ctype *)(void *)room)[r * cols + j] = ((const ctype *)(const void *)column)[r]
#define COLLECT(ctype)                                                                             \
    for (int64_t r = 0; r < rows; r++)                                                             \
    ((ctype *)(void *)column)[r] = ((const ctype *)(const void *)room)[r * cols + j]

static void put_column(int item, char *room, const char *column, int64_t rows, int64_t cols,
                       int64_t j) {
    if (item == 1) SPREAD(uint8_t);
    else if (item == 2) SPREAD(uint16_t);
    else if (item == 4) SPREAD(uint32_t);
    else SPREAD(uint64_t);
}

static void take_column(int item, char *column, const char *room, int64_t rows, int64_t cols,
                        int64_t j) {
    if (item == 1) COLLECT(uint8_t);
    else if (item == 2) COLLECT(uint16_t);
    else if (item == 4) COLLECT(uint32_t);
    else COLLECT(uint64_t);
}

/* Rows that lie apart, each of them dense, into room and back. */
static void put_rows(const short_rows *s, int k, char *room, const char *from, int64_t down,
                     int64_t rows) {
    int64_t bytes = s->cols * mp_dtypes[s->p->row_dtype[k]].bytes;
    for (int64_t r = 0; r < rows; r++, room += bytes, from += down) {
        const void *row = read_row(s->p, k, from, s->step[k], s->cols, room);
        if (row != room) memcpy(room, row, (size_t)bytes);
    }
}

static void take_rows(const short_rows *s, char *to, int64_t down, const char *room, int64_t rows) {
    const plan *p = s->p;
    int64_t bytes = s->cols * mp_dtypes[p->row_dtype[0]].bytes;
    for (int64_t r = 0; r < rows; r++, room += bytes, to += down) {
        if (p->dtype[0] == p->row_dtype[0]) memcpy(to, room, (size_t)bytes);
        else if (p->row_dtype[0] == MP_BOOL)
            mp_convert(p->dtype[0], to, s->step[0], MP_BOOL, room, 1, s->cols);
        else store_row(p->in, p->dtype[0], to, s->step[0], room, s->cols);
    }
}

/* `rows` rows, no more elements than a chunk; ptr and down as mp_iter gives them. */
static void run_rows(void *ctx, int64_t rows, char *const *ptr, const int64_t *down) {
    const short_rows *s = ctx;
    const plan *p = s->p;
    plan dense = *p;
    rooms room, columns;
    char *at[1 + MOST_IN];
    int64_t stride[1 + MOST_IN], cols = s->cols;
    for (int k = 0; k <= p->n_in; k++) {
        mp_dtype want = p->row_dtype[k];
        int item = mp_dtypes[want].bytes, stored = mp_dtypes[p->dtype[k]].bytes;
        bool flat = s->step[k] == stored && (down[k] == stored * cols || rows == 1);
        at[k] = flat ? ptr[k] : room.of[k];
        stride[k] = flat ? stored : item;
        if (flat) continue;
        dense.dtype[k] = want;
        bool apart = k > 0 && cols >= TILE && s->step[k] == stored;
        if (apart) put_rows(s, k, room.of[k], ptr[k], down[k], rows);
        for (int64_t j = 0; k > 0 && !apart && j < cols; j++) {
            const char *from = ptr[k] + j * s->step[k];
            put_column(item, room.of[k], read_row(p, k, from, down[k], rows, columns.of[k]), rows,
                       cols, j);
        }
    }
    rooms converted;
    run_chunk(&dense, rows * cols, at, stride, &converted);
    if (at[0] != room.of[0]) return;
    if (cols >= TILE && s->step[0] == mp_dtypes[p->dtype[0]].bytes) {
        take_rows(s, ptr[0], down[0], room.of[0], rows);
        return;
    }
    for (int64_t j = 0; j < cols; j++) {
        take_column(mp_dtypes[p->row_dtype[0]].bytes, columns.of[0], room.of[0], rows, cols, j);
        char *to = ptr[0] + j * s->step[0];
        if (p->row_dtype[0] == MP_BOOL)
            mp_convert(p->dtype[0], to, down[0], MP_BOOL, columns.of[0], 1, rows);
        else store_row(p->in, p->dtype[0], to, down[0], columns.of[0], rows);
    }
}

static void run_short(void *ctx, int64_t begin, int64_t end) {
    short_rows *s = ctx;
    mp_iter_run(&s->outer, begin, end, s->p->chunk / s->cols, run_rows, s);
}

static short_rows rows_of(const plan *p) {
    short_rows s = {.p = p, .outer = *p->iter};
    int inner = --s.outer.ndim;
    s.cols = s.outer.shape[inner];
    s.outer.size /= s.cols;
    for (int k = 0; k <= p->n_in; k++) s.step[k] = p->iter->strides[k][inner];
    return s;
}

static void start_short(const plan *p, int64_t grain) {
    short_rows s = rows_of(p);
    mp_parallel_for(s.outer.size, grain / s.cols, run_short, &s);
}

/* ---- tiles ---- */

/* Whether neighbours of a row lie far apart in an input, and those of its columns side by side:
 * rows are done as tiles of TILE columns then, or each element would cost a line of memory. */
static bool wants_tiles(const plan *p) {
    const mp_iter *it = p->iter;
    int inner = it->ndim - 1;
    if (it->ndim < 2 || it->shape[inner] < TILE || it->shape[inner - 1] < TILE) return false;
    for (int k = 1; k <= p->n_in; k++) {
        int64_t along = it->strides[k][inner], down = it->strides[k][inner - 1];
        if ((along >= FAR || -along >= FAR) && down == mp_dtypes[p->dtype[k]].bytes) return true;
    }
    return false;
}

/* Tasks: rows of a block of columns, block after block. */
static void run_tiles(void *ctx, int64_t begin, int64_t end) {
    const short_rows *all = ctx;
    while (begin < end) {
        int64_t block = begin / all->outer.size, first = begin % all->outer.size;
        int64_t last =
            all->outer.size - first < end - begin ? all->outer.size : first + end - begin;
        short_rows s = *all;
        int64_t skipped = block * TILE;
        s.cols = all->cols - skipped < TILE ? all->cols - skipped : TILE;
        for (int k = 0; k <= s.p->n_in; k++) s.outer.data[k] += skipped * s.step[k];
        mp_iter_run(&s.outer, first, last, s.p->chunk / TILE, run_rows, &s);
        begin += last - first;
    }
}

static void start_tiled(const plan *p, int64_t grain) {
    short_rows s = rows_of(p);
    int64_t blocks = (s.cols + TILE - 1) / TILE;
    mp_parallel_for(blocks * s.outer.size, grain / TILE, run_tiles, &s);
}

/* ---- calls ---- */

/* Sets the strides of flat rows; false if an operand is neither dense and of y's size nor a number.
 */
static bool make_flat(plan *p, mp_array *const *operands) {
    const mp_array *y = operands[0];
    if (!y->contiguous) return false;
    for (int k = 0; k <= p->n_in; k++) {
        const mp_array *a = operands[k];
        bool dense = a->contiguous && a->size == y->size;
        if (!dense && a->size != 1) return false;
        p->stride[k] = dense ? mp_itemsize(a) : 0;
    }
    return true;
}

/* A row of n floats for run_small: a dense float32 input of n elements, or a number spread out to
 * room; NULL for anything else. */
static const float *small_row(const mp_array *x, int64_t n, float *room) {
    if (x->dtype == MP_FLOAT32 && x->contiguous && x->size == n) return mp_data(x);
    if (x->size != 1 || n > SMALL_NUMBERS || (x->dtype == MP_FLOAT64 && !x->weak)) return NULL;
    MP_LOAD(x->dtype)(room, mp_data(x), 0, n);
    return room;
}

/* Small dense float32 rows, with numbers: done at once, for what a call costs then is overhead. */
static bool run_small(mp_call *call, const mp_pointwise *op, int n_in) {
    const mp_array *y = call->out[0];
    int64_t n = y->size;
    if (y->dtype != MP_FLOAT32 || n > SMALL || !y->contiguous || n_in > 2) return false;
    if (call->in[0]->dtype != MP_FLOAT32 && (n_in < 2 || call->in[1]->dtype != MP_FLOAT32))
        return false;
    float room[2][SMALL_NUMBERS] __attribute__((aligned(64)));
    const float *a = small_row(call->in[0], n, room[0]);
    const float *b = n_in > 1 ? small_row(call->in[1], n, room[1]) : a;
    if (!a || !b) return false;
    op->f32(n, mp_data(y), a, b, NULL, &call->attrs);
    return true;
}

mp_status MP_TIERED(mp_pointwise_run_op)(mp_call *call, const mp_pointwise *op, int n_in) {
    if (run_small(call, op, n_in)) return MP_OK;
    mp_array *operands[1 + MOST_IN] = {call->out[0]}, *y = call->out[0];
    plan p;
    mp_dtype stored = choose_stored(call, op, n_in);
    p.in = stored != MP_NO_DTYPE ? STORED : choose_domain(call, op, n_in);
    p.fn = p.in == STORED ? op->stored[stored] : choose_fn(call, op, p.in, n_in);
    mp_dtype type = p.in == STORED ? stored : dtype_of[p.in];
    p.attrs = &call->attrs;
    p.n_in = n_in;
    p.chunk = CHUNK_BYTES / mp_dtypes[type].bytes;
    for (int k = 0; k < n_in; k++) operands[k + 1] = call->in[k];
    for (int k = 0; k <= n_in; k++) {
        bool flags = k == 0 ? op->compares : k == 1 && op->selects;
        p.dtype[k] = (mp_dtype)operands[k]->dtype;
        p.row_dtype[k] = flags ? MP_BOOL : type;
        p.data[k] = mp_data(operands[k]);
    }
    int64_t grain = p.in == F64 && op->grain == MP_GRAIN_HEAVY ? MP_GRAIN_LIBM : op->grain;
    if (make_flat(&p, operands)) {
        if (y->size <= grain) run_flat(&p, 0, y->size);
        else mp_parallel_for(y->size, grain, run_flat, &p);
        return MP_OK;
    }
    mp_iter it;
    mp_iter_init(&it, n_in + 1, operands, y->ndim, y->shape);
    p.iter = &it;
    if (it.ndim > 1 && it.size > 0 && it.shape[it.ndim - 1] < SHORT) start_short(&p, grain);
    else if (wants_tiles(&p)) start_tiled(&p, grain);
    else mp_parallel_for(it.size, grain, run_strided, &p);
    return MP_OK;
}
