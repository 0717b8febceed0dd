/* Casts, copies, joins and paddings: every one is elements moved from a strided place to another,
 * converted on the way. Large dense results are written past the caches; transposes go tile by
 * tile. */
#include "cpu.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum {
    GRAIN = 1 << 16,        /* elements worth a thread */
    STREAM_BYTES = 8 << 20, /* a dense result this large does not stay in the caches */
    PIECE_BYTES = 4096,     /* of a result on its way past them */
    TILE = 32,              /* edge of a transposed tile */
    SHORT = 16,             /* a row of fewer elements is not worth a call */
    SHORT_ROWS = 512,       /* such rows done at a time */
};

typedef struct transfer {
    mp_dtype to, from;
    char *dst;
    const char *src;
    const mp_iter *iter; /* operand 0 is dst, 1 is src; not used for dense rows */
} transfer;

/* ---- dense rows ---- */

static void convert_dense(void *ctx, int64_t begin, int64_t end) {
    const transfer *t = ctx;
    int64_t to = mp_dtypes[t->to].bytes, from = mp_dtypes[t->from].bytes;
    mp_convert(t->to, t->dst + begin * to, to, t->from, t->src + begin * from, from, end - begin);
}

/* memcpy with stores that leave the caches alone; the caller fences. */
static void stream(char *dst, const char *src, int64_t bytes) {
    int64_t done = 0;
#if defined(__SSE2__)
    if (((uintptr_t)dst & 15) == 0)
        for (; done + 16 <= bytes; done += 16)
            _mm_stream_si128((__m128i *)(dst + done),
                             _mm_load_si128((const __m128i *)(src + done)));
#endif
    memcpy(dst + done, src + done, (size_t)(bytes - done));
}

/* convert_dense for large results: piece by piece through a buffer in the first-level cache. */
static void convert_streaming(void *ctx, int64_t begin, int64_t end) {
    const transfer *t = ctx;
    char piece[PIECE_BYTES] __attribute__((aligned(64)));
    int64_t to = mp_dtypes[t->to].bytes, from = mp_dtypes[t->from].bytes, most = PIECE_BYTES / to;
    for (int64_t i = begin; i < end; i += most) {
        int64_t n = end - i < most ? end - i : most;
        mp_convert(t->to, piece, to, t->from, t->src + i * from, from, n);
        stream(t->dst + i * to, piece, n * to);
    }
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

static void transfer_dense(transfer *t, int64_t n) {
    bool large = n * mp_dtypes[t->to].bytes >= STREAM_BYTES;
    if (n <= GRAIN) convert_dense(t, 0, n);
    else
        mp_parallel_for(n, GRAIN, large && t->to != t->from ? convert_streaming : convert_dense, t);
}

/* ---- tiles ---- */

/* A tile whose source lies dense along its rows' direction, through a buffer: every line of memory
 * is read and written once, whatever the strides. d and s: bytes from row to row, and along a row.
 */
#define TILE_COPY(name, ctype)                                                                     \
    static void name(char *dst, const char *src, const int64_t *d, const int64_t *s, int64_t rows, \
                     int64_t cols) {                                                               \
        ctype tile[TILE][TILE + 64 / sizeof(ctype)];                                               \
        for (int64_t j = 0; j < cols; j++)                                                         \
            for (int64_t i = 0; i < rows; i++) tile[i][j] = ((const ctype *)(src + j * s[1]))[i];  \
        for (int64_t i = 0; i < rows; i++)                                                         \
            for (int64_t j = 0; j < cols; j++) *(ctype *)(dst + i * d[0] + j * d[1]) = tile[i][j]; \
    }
TILE_COPY(tile_1, uint8_t)
TILE_COPY(tile_2, uint16_t)
TILE_COPY(tile_4, uint32_t)
TILE_COPY(tile_8, uint64_t)

static int64_t tiles_of(int64_t extent) { return (extent + TILE - 1) / TILE; }

/* Tiles [begin, end): of the last two dimensions, for every index of those before. */
static void copy_tiles(void *ctx, int64_t begin, int64_t end) {
    const transfer *t = ctx;
    const mp_iter *it = t->iter;
    int inner = it->ndim - 2, bytes = mp_dtypes[t->to].bytes;
    int64_t rows = it->shape[inner], cols = it->shape[inner + 1];
    int64_t across = tiles_of(cols), each = tiles_of(rows) * across;
    for (int64_t i = begin; i < end; i++) {
        int64_t outer = i / each, row = i % each / across * TILE, col = i % across * TILE;
        char *dst = it->data[0] + row * it->strides[0][inner] + col * it->strides[0][inner + 1];
        char *src = it->data[1] + row * it->strides[1][inner] + col * it->strides[1][inner + 1];
        for (int d = inner - 1; d >= 0; d--) {
            dst += outer % it->shape[d] * it->strides[0][d];
            src += outer % it->shape[d] * it->strides[1][d];
            outer /= it->shape[d];
        }
        (bytes == 1   ? tile_1
         : bytes == 2 ? tile_2
         : bytes == 4 ? tile_4
                      : tile_8)(dst, src, &it->strides[0][inner], &it->strides[1][inner],
                                rows - row < TILE ? rows - row : TILE,
                                cols - col < TILE ? cols - col : TILE);
    }
}

/* Whether the source lies dense along the last dimension but one: a transpose. */
static bool is_transpose(const transfer *t) {
    const mp_iter *it = t->iter;
    if (t->to != t->from || it->ndim < 2) return false;
    int inner = it->ndim - 2;
    return it->shape[inner] >= TILE && it->shape[inner + 1] >= TILE &&
           it->strides[1][inner] == mp_dtypes[t->from].bytes &&
           it->strides[1][inner + 1] != mp_dtypes[t->from].bytes;
}

static void transfer_tiles(transfer *t) {
    const mp_iter *it = t->iter;
    int64_t rows = it->shape[it->ndim - 2], cols = it->shape[it->ndim - 1];
    int64_t tiles = it->size / (rows * cols) * tiles_of(rows) * tiles_of(cols);
    mp_parallel_for(tiles, GRAIN / (TILE * TILE), copy_tiles, t);
}

/* ---- any strides ---- */

static void convert_stretch(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    const transfer *t = ctx;
    mp_convert(t->to, ptr[0], stride[0], t->from, ptr[1], stride[1], n);
}

static void convert_strided(void *ctx, int64_t begin, int64_t end) {
    const transfer *t = ctx;
    mp_iter_run(t->iter, begin, end, INT64_MAX, convert_stretch, ctx);
}

/* Rows of few elements go column by column, many rows at a time: a row is not worth a call. */
typedef struct short_rows {
    const transfer *t;
    mp_iter outer;
    int64_t cols, d, s; /* steps along a row */
} short_rows;

static void convert_columns(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    const short_rows *r = ctx;
    for (int64_t j = 0; j < r->cols; j++)
        mp_convert(r->t->to, ptr[0] + j * r->d, stride[0], r->t->from, ptr[1] + j * r->s, stride[1],
                   n);
}

static void convert_short(void *ctx, int64_t begin, int64_t end) {
    short_rows *r = ctx;
    mp_iter_run(&r->outer, begin, end, SHORT_ROWS, convert_columns, r);
}

static void transfer_short(const transfer *t) {
    short_rows r = {.t = t, .outer = *t->iter};
    int inner = --r.outer.ndim;
    r.cols = r.outer.shape[inner];
    r.outer.size /= r.cols;
    r.d = r.outer.strides[0][inner], r.s = r.outer.strides[1][inner];
    mp_parallel_for(r.outer.size, GRAIN / r.cols, convert_short, &r);
}

void MP_TIERED(mp_transfer_elements)(mp_array *dst, mp_array *src) {
    transfer t = {(mp_dtype)dst->dtype, (mp_dtype)src->dtype, mp_data(dst), mp_data(src), NULL};
    if (dst->size == 0) return;
    if (dst->contiguous && src->contiguous && dst->size == src->size) {
        transfer_dense(&t, dst->size);
        return;
    }
    mp_array *operands[2] = {dst, src};
    mp_iter it;
    mp_iter_init(&it, 2, operands, dst->ndim, dst->shape);
    t.iter = &it;
    if (is_transpose(&t)) transfer_tiles(&t);
    else if (it.ndim > 1 && it.shape[it.ndim - 1] < SHORT &&
             it.shape[it.ndim - 2] > it.shape[it.ndim - 1])
        transfer_short(&t);
    else if (it.size <= GRAIN) convert_strided(&t, 0, it.size);
    else mp_parallel_for(it.size, GRAIN, convert_strided, &t);
}

/* ---- filling ---- */

typedef struct fill {
    char *dst;
    int bytes;
    uint64_t bits;
} fill;

static void fill_part(void *ctx, int64_t begin, int64_t end) {
    const fill *f = ctx;
    char *at = f->dst + begin * f->bytes;
    int64_t n = end - begin;
    switch (f->bytes) {
    case 1: memset(at, (int)(f->bits & 0xff), (size_t)n); break;
    case 2:
        for (int64_t i = 0; i < n; i++) ((uint16_t *)at)[i] = (uint16_t)f->bits;
        break;
    case 4:
        for (int64_t i = 0; i < n; i++) ((uint32_t *)at)[i] = (uint32_t)f->bits;
        break;
    default:
        for (int64_t i = 0; i < n; i++) ((uint64_t *)at)[i] = f->bits;
    }
}

void MP_TIERED(mp_fill_row)(mp_dtype dtype, void *dst, int64_t n, double value) {
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } bits = {.u64 = 0};
    int bytes = mp_dtypes[dtype].bytes;
    mp_store_double(dtype, &bits, value);
    uint64_t wide = bytes == 1 ? bits.u8 : bytes == 2 ? bits.u16 : bytes == 4 ? bits.u32 : bits.u64;
    fill f = {dst, bytes, wide};
    if (n <= GRAIN) fill_part(&f, 0, n);
    else mp_parallel_for(n, GRAIN, fill_part, &f);
}

/* ---- the ops ---- */

MP_KERNEL(cast) {
    mp_transfer(call->out[0], call->in[0]);
    return MP_OK;
}
MP_KERNEL(copy) {
    mp_transfer(call->out[0], call->in[0]);
    return MP_OK;
}

/* Part of an array, as a header that lives as long as the caller's frame: it holds no reference. */
static mp_array part_of(const mp_array *whole, int ndim, const int64_t *shape,
                        const int64_t *strides, int64_t offset) {
    mp_array part = {.dtype = whole->dtype, .ndim = (int8_t)ndim, .size = 1};
    part.storage = whole->storage;
    part.offset = whole->offset + offset;
    for (int d = 0; d < ndim; d++) {
        part.shape[d] = shape[d];
        part.strides[d] = strides[d];
        part.size *= shape[d];
    }
    return part;
}

/* gx = zeros, with gy at starts + i * steps. geometry: starts, steps, extents. */
MP_KERNEL(slice_bwd) {
    mp_array *gy = call->in[0], *gx = call->out[0];
    const int64_t *starts = call->attrs.ints, *steps = starts + gy->ndim;
    int64_t strides[MP_MAX_DIMS], offset = 0;
    for (int d = 0; d < gy->ndim; d++) {
        strides[d] = gx->strides[d] * steps[d];
        offset += gx->strides[d] * starts[d];
    }
    mp_fill((mp_dtype)gx->dtype, mp_data(gx), gx->size, 0);
    mp_array part = part_of(gx, gy->ndim, gy->shape, strides, offset);
    mp_transfer(&part, gy);
    return MP_OK;
}

/* y = x, with value at offset + i * strides of the elements. geometry: extents, strides, offset. */
MP_KERNEL(view_set) {
    mp_array *value = call->in[1], *y = call->out[0];
    const int64_t *strides = call->attrs.ints + value->ndim;
    mp_transfer(y, call->in[0]);
    mp_array part = part_of(y, value->ndim, value->shape, strides, strides[value->ndim]);
    mp_transfer(&part, value);
    return MP_OK;
}

/* The inputs one after the other along the axis. */
MP_KERNEL(concatenate) {
    mp_array *y = call->out[0];
    int64_t at = 0, axis = call->attrs.axis;
    for (int k = 0; k < call->n_in; k++) {
        mp_array *x = call->in[k];
        mp_array part = part_of(y, x->ndim, x->shape, y->strides, at * y->strides[axis]);
        mp_transfer(&part, x);
        at += x->shape[axis];
    }
    return MP_OK;
}

/* x with pads[2 d] and pads[2 d + 1] elements of `value` before and after axis d. */
MP_KERNEL(pad) {
    mp_array *x = call->in[0], *y = call->out[0];
    int64_t offset = 0;
    for (int d = 0; d < x->ndim; d++) offset += call->attrs.ints[2 * d] * y->strides[d];
    mp_fill((mp_dtype)y->dtype, mp_data(y), y->size, call->attrs.value);
    mp_array part = part_of(y, x->ndim, x->shape, y->strides, offset);
    mp_transfer(&part, x);
    return MP_OK;
}
