/* How a matrix product is run: which form of it, on how many threads, and in how many slabs of K.
 * See gemm.h. */
#include "gemm.h"

#include <stdlib.h>

enum {
    SLAB = 4096, /* K of one slab, at least */
    MOST_SLABS = 16,
    SLAB_RESULT = 1 << 16, /* a product of more elements has tiles enough for all threads */
    LONG_LANE = 256,
    MOST_K = 4096, /* where c is narrow, sums of a longer K go through memory */
};
/* nanoseconds below which threads cost more than they save */
static const double parallel_work = 50e3;

/* Whether the large operand is used too few times to be worth packing: fewer still unless its lanes
 * are long and dense. */
static bool is_gemv(const mp_gemm *g) {
    bool along = (g->m <= g->n ? g->b_row : g->a_col) == 1 && g->k >= LONG_LANE;
    return (g->m <= g->n ? g->m : g->n) <= (along ? MP_GEMV_MOST : MP_GEMV_MOST / 2);
}

static mp_status run_one(const mp_gemm *g, int threads) {
    bool few = is_gemv(g);
    if (g->wide) return (few ? MP_TIERED(mp_gemv_f64) : MP_TIERED(mp_gemm_f64))(g, threads);
    return (few ? MP_TIERED(mp_gemv_f32) : MP_TIERED(mp_gemm_f32))(g, threads);
}

/* ---- through memory: parts[s][m][n] of float or double are summed in order, with the bias ---- */

typedef struct slabs {
    const mp_gemm *g;
    int64_t count;
    char *parts;
    mp_dtype dtype;
    mp_status status;
} slabs;

static mp_gemm slab_of(const slabs *x, int64_t s) {
    const mp_gemm *g = x->g;
    mp_gemm part = *g;
    int64_t begin = g->k * s / x->count;
    part.k = g->k * (s + 1) / x->count - begin;
    part.a = mp_gemm_at(g->a, g->a_dtype, begin * g->a_col);
    part.b = mp_gemm_at(g->b, g->b_dtype, begin * g->b_row);
    part.c = x->parts + s * g->m * g->n * mp_dtypes[x->dtype].bytes;
    part.c_dtype = x->dtype;
    part.c_row = g->n;
    part.bias = NULL;
    return part;
}

static void slab_tasks(void *ctx, int64_t begin, int64_t end) {
    slabs *x = ctx;
    for (int64_t s = begin; s < end; s++) {
        mp_gemm part = slab_of(x, s);
        mp_status status = run_one(&part, 1);
        if (status != MP_OK) x->status = status;
    }
}

/* The product in `count` slabs of K, each on a thread of its own if there are several; count 0: K
 * is 0. */
static mp_status run_slabs(const mp_gemm *g, int64_t count, int threads) {
    slabs x = {.g = g, .count = count, .dtype = g->wide ? MP_FLOAT64 : MP_FLOAT32};
    size_t bytes = mp_dtypes[x.dtype].bytes;
    char *room = malloc(((size_t)(count * g->m * g->n) + 2 * (size_t)g->n) * bytes);
    if (!room)
        return mp_fail(MP_ERR_MEMORY, "no room for sums of %lld x %lld", (long long)g->m,
                       (long long)g->n);
    x.parts = room + 2 * (size_t)g->n * bytes;
    if (count == 1) {
        mp_gemm part = slab_of(&x, 0);
        x.status = run_one(&part, threads);
    } else if (threads > 1) {
        mp_parallel_for(count, 1, slab_tasks, &x);
    } else {
        slab_tasks(&x, 0, count);
    }
    if (x.status != MP_OK)
        mp_fail(x.status, "no room to pack a slab of %lld",
                (long long)g->k); /* worker's text is its own */
    for (int64_t i = 0; x.status == MP_OK && i < g->m; i++) {
        if (g->wide) MP_TIERED(mp_gemm_sum_f64)(g, x.parts, count, i, room);
        else MP_TIERED(mp_gemm_sum_f32)(g, x.parts, count, i, room);
    }
    free(room);
    return x.status;
}

/* ---- the choice ---- */

mp_status MP_TIERED(mp_gemm_run)(const mp_gemm *g) {
    if (g->m <= 0 || g->n <= 0) return MP_OK;
    if (g->k <= 0) return run_slabs(g, 0, 1);
    int threads = mp_gemm_work(g->m, g->n, g->k) > parallel_work ? mp_num_threads() : 1;
    if (g->k >= 2 * SLAB && g->m * g->n <= SLAB_RESULT) {
        int64_t count = g->k / SLAB;
        return run_slabs(g, count < MOST_SLABS ? count : MOST_SLABS, threads);
    }
    bool direct = g->c_dtype == (g->wide ? MP_FLOAT64 : MP_FLOAT32);
    if (!direct && g->k > MOST_K) return run_slabs(g, 1, threads);
    return run_one(g, threads);
}
