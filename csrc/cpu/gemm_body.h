/* One product with sums of type `real`, see real.h: included by gemm_f32.c and gemm_f64.c.
 *
 * The product is cut into chunks whose packed operands fit the room below; of each chunk all
 * threads first pack both operands, then multiply tiles of c. Within a tile the blocks of K come in
 * order, while its part of c stays in L2. */
#include <string.h>

#include "gemm.h"
#include "gemm_tile.h"
#include "gemm_pack.h"

enum {
    K_BLOCK = 1536 / sizeof(real), /* a panel of each operand stays in L1 and L2 over this many k */
    K_CHUNK = 2048,                /* most of K before c goes back to memory */
    ROOM_A = (4 << 20) / sizeof(real), /* elements packed at a time */
    ROOM_B = (8 << 20) / sizeof(real),
    TILE_A = (112 + ROWS - 1) / ROWS, /* panels of a tile of c */
    TILE_B = 256 / COLS,
};

typedef struct chunk {
    const mp_gemm *g;
    operand a, b;
    int64_t k0, k_size, blocks; /* blocks of K, all but the last equally deep */
    real *packed_a, *packed_b;
    int64_t groups_a, groups_b; /* of panels: what one packing task does */
    int64_t tile_a, tile_b, grid_a, grid_b;
    char *c;          /* element (0, 0) of the chunk */
    const real *bias; /* of the chunk's columns, with the last block; or NULL */
    bool direct, add; /* c holds reals; sums are added to what it holds */
} chunk;

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Block i of the chunk's K: where it begins and how deep it is. */
static int64_t block_begin(const chunk *x, int64_t i) { return x->k_size * i / x->blocks; }
static int64_t block_depth(const chunk *x, int64_t i) {
    return block_begin(x, i + 1) - block_begin(x, i);
}

/* ---- packing ---- */

static void pack_tasks(void *ctx, int64_t begin, int64_t end) {
    const chunk *x = ctx;
    int64_t groups = x->groups_a + x->groups_b;
    for (int64_t task = begin; task < end; task++) {
        int64_t i = task / groups, group = task % groups;
        bool is_a = group < x->groups_a;
        const operand *from = is_a ? &x->a : &x->b;
        int64_t p0 = (is_a ? group : group - x->groups_a) * GROUP, start = block_begin(x, i);
        real *block = (is_a ? x->packed_a : x->packed_b) + start * packed_width(from);
        pack_panels(from, p0, least(p0 + GROUP, from->panels), x->k0 + start, block_depth(x, i),
                    block);
    }
}

/* ---- multiplying ---- */

/* The sums of one panel of a and one of b over one block of K, into c or the tile's own room.
 * Columns beyond the matrix are computed aside. */
static void multiply_panels(const chunk *x, int64_t i, int64_t pa, int64_t pb, int64_t columns,
                            real *c, int64_t ldc) {
    int64_t start = block_begin(x, i), depth = block_depth(x, i);
    int64_t row0 = panel_start(&x->a, pa), row1 = panel_start(&x->a, pa + 1),
            width = panel_width(&x->b, pb);
    const real *a = x->packed_a + start * packed_width(&x->a) + panel_offset(&x->a, pa, depth);
    const real *b = x->packed_b + start * packed_width(&x->b) + panel_offset(&x->b, pb, depth);
    bool add = x->add || i > 0;
    const real *bias = x->bias && i + 1 == x->blocks ? x->bias + pb * COLS : NULL;
    tile_fn run = tiles[width / LANES - 1][row1 - row0 - 1];
    if (columns >= width) {
        run(depth, a, b, c, ldc, add, bias);
        return;
    }
    real edge[ROWS * COLS] __attribute__((aligned(64)));
    run(depth, a, b, edge, width, false, NULL);
    for (int64_t row = 0; row < row1 - row0; row++)
        for (int64_t j = 0; j < columns; j++) {
            real value = edge[row * width + j] + (add ? c[row * ldc + j] : 0);
            c[row * ldc + j] = bias ? value + bias[j] : value;
        }
}

/* One tile of c: panels [a0, a1) times [b0, b1) over the chunk's K. */
static void multiply_tile(const chunk *x, int64_t a0, int64_t a1, int64_t b0, int64_t b1,
                          real *aside) {
    int64_t row0 = panel_start(&x->a, a0), row1 = panel_start(&x->a, a1);
    int64_t col0 = b0 * COLS, columns = least(b1 * COLS, x->b.lanes) - col0;
    int64_t bytes = mp_dtypes[x->g->c_dtype].bytes;
    char *c = x->c + (row0 * x->g->c_row + col0) * bytes;
    real *sums = x->direct ? (real *)c : aside;
    int64_t ldc = x->direct ? x->g->c_row : ceil_div(columns, LANES) * LANES;
    int64_t room = x->direct ? columns : ldc;
    for (int64_t i = 0; i < x->blocks; i++)
        for (int64_t pb = b0; pb < b1; pb++)
            for (int64_t pa = a0; pa < a1; pa++)
                multiply_panels(x, i, pa, pb, room - (pb - b0) * COLS,
                                sums + (panel_start(&x->a, pa) - row0) * ldc + (pb - b0) * COLS,
                                ldc);
    if (x->direct) return;
    for (int64_t row = 0; row < row1 - row0; row++)
        R_STORE(x->g->c_dtype)(c + row * x->g->c_row * bytes, bytes, sums + row * ldc, columns);
}

static void multiply_tasks(void *ctx, int64_t begin, int64_t end) {
    const chunk *x = ctx;
    real aside[TILE_A * ROWS * TILE_B * COLS] __attribute__((aligned(64)));
    for (int64_t task = begin; task < end; task++) {
        int64_t i = task % x->grid_a, j = task / x->grid_a;
        multiply_tile(x, x->a.panels * i / x->grid_a, x->a.panels * (i + 1) / x->grid_a,
                      x->b.panels * j / x->grid_b, x->b.panels * (j + 1) / x->grid_b, aside);
    }
}

/* ---- cutting ---- */

/* Tiles small enough that every thread gets several. */
static void choose_tiles(chunk *x, int threads) {
    x->tile_a = TILE_A, x->tile_b = TILE_B;
    for (;;) {
        x->grid_a = ceil_div(x->a.panels, x->tile_a), x->grid_b = ceil_div(x->b.panels, x->tile_b);
        if (threads == 1 || x->grid_a * x->grid_b >= 4 * threads ||
            (x->tile_a == 1 && x->tile_b == 1))
            return;
        bool rows = x->tile_a * ROWS > x->tile_b * COLS || x->tile_b == 1;
        if (rows) x->tile_a = ceil_div(x->tile_a, 2);
        else x->tile_b = ceil_div(x->tile_b, 2);
    }
}

static void run_tasks(int64_t n, int threads, mp_parallel_fn run, chunk *x) {
    if (threads > 1) mp_parallel_for(n, 1, run, x);
    else run(x, 0, n);
}

/* Rows [m0, m0 + m) and columns [n0, n0 + n) of the chunk's K. With new_b, b is packed too. */
static void run_chunk(chunk *x, int64_t m0, int64_t m, int64_t n0, int64_t n, bool new_b,
                      const real *bias, int threads) {
    const mp_gemm *g = x->g;
    x->a.data = mp_gemm_at(g->a, g->a_dtype, m0 * g->a_row);
    x->b.data = mp_gemm_at(g->b, g->b_dtype, n0 * g->b_col);
    x->a.lanes = m, x->a.panels = ceil_div(m, ROWS);
    x->b.lanes = n, x->b.panels = ceil_div(n, COLS);
    x->c = (char *)g->c + (m0 * g->c_row + n0) * mp_dtypes[g->c_dtype].bytes;
    x->bias = bias && x->k0 + x->k_size == g->k ? bias + n0 : NULL;
    x->groups_a = ceil_div(x->a.panels, GROUP);
    x->groups_b = new_b ? ceil_div(x->b.panels, GROUP) : 0;
    choose_tiles(x, threads);
    run_tasks(x->blocks * (x->groups_a + x->groups_b), threads, pack_tasks, x);
    run_tasks(x->grid_a * x->grid_b, threads, multiply_tasks, x);
}

/* Extents of the chunks: as much as the rooms hold, in equal parts. */
static int64_t chunk_extent(int64_t n, int64_t room, int64_t k_size, int64_t unit) {
    int64_t most = room / k_size / unit * unit;
    if (most < unit) most = unit;
    return ceil_div(ceil_div(n, ceil_div(n, most)), unit) * unit;
}

/* The whole product. Where c is not real, K must not exceed K_CHUNK or all of K is packed at once.
 */
mp_status MP_TIERED(R(mp_gemm))(const mp_gemm *g, int threads) {
    int64_t a_bytes = mp_dtypes[g->a_dtype].bytes, b_bytes = mp_dtypes[g->b_dtype].bytes;
    chunk x = {.g = g, .direct = g->c_dtype == R_DTYPE};
    x.a = (operand){.dtype = g->a_dtype,
                    .lane_stride = g->a_row * a_bytes,
                    .k_stride = g->a_col * a_bytes,
                    .is_a = true};
    x.b = (operand){
        .dtype = g->b_dtype, .lane_stride = g->b_col * b_bytes, .k_stride = g->b_row * b_bytes};
    int64_t k_chunks = x.direct ? ceil_div(g->k, K_CHUNK) : 1, most_k = ceil_div(g->k, k_chunks);
    int64_t m_step = chunk_extent(g->m, ROOM_A, most_k, ROWS),
            n_step = chunk_extent(g->n, ROOM_B, most_k, COLS);
    int64_t height = ceil_div(least(m_step, g->m), ROWS) * HEIGHT,
            width = ceil_div(least(n_step, g->n), LANES) * LANES;
    x.packed_a = mp_scratch((size_t)(height * most_k) * sizeof(real), MP_SCRATCH_GEMM_A);
    x.packed_b = mp_scratch((size_t)(width * most_k) * sizeof(real), MP_SCRATCH_GEMM_B);
    real *bias = NULL;
    if (g->bias) bias = mp_scratch((size_t)(g->n + COLS) * sizeof(real), MP_SCRATCH_GEMM_BIAS);
    if (!x.packed_a || !x.packed_b || (g->bias && !bias))
        return mp_fail(MP_ERR_MEMORY, "no room to pack operands of %lld x %lld x %lld",
                       (long long)g->m, (long long)g->n, (long long)g->k);
    if (bias) {
        R_LOAD(g->bias_dtype)(bias, g->bias, g->bias_step * mp_dtypes[g->bias_dtype].bytes, g->n);
        memset(bias + g->n, 0, COLS * sizeof(real));
    }
    for (int64_t i = 0; i < k_chunks; i++) {
        x.k0 = g->k * i / k_chunks;
        x.k_size = g->k * (i + 1) / k_chunks - x.k0;
        x.blocks = ceil_div(x.k_size, K_BLOCK);
        x.add = i > 0;
        for (int64_t n0 = 0; n0 < g->n; n0 += n_step)
            for (int64_t m0 = 0; m0 < g->m; m0 += m_step)
                run_chunk(&x, m0, least(m_step, g->m - m0), n0, least(n_step, g->n - n0), m0 == 0,
                          bias, threads);
    }
    return MP_OK;
}

/* Row `row` of c from `count` parts of m x n sums, in order, with the bias. room holds 2 n. */
void MP_TIERED(R(mp_gemm_sum))(const mp_gemm *g, const void *parts, int64_t count, int64_t row,
                               void *room) {
    int64_t n = g->n, bytes = mp_dtypes[g->c_dtype].bytes;
    real *restrict sum = room, *restrict bias = sum + n;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t s = 0; s < count; s++) {
        const real *part = (const real *)parts + (s * g->m + row) * n;
        for (int64_t j = 0; j < n; j++) sum[j] += part[j];
    }
    if (g->bias) {
        R_LOAD(g->bias_dtype)(bias, g->bias, g->bias_step * mp_dtypes[g->bias_dtype].bytes, n);
        for (int64_t j = 0; j < n; j++) sum[j] += bias[j];
    }
    R_STORE(g->c_dtype)((char *)g->c + row * g->c_row * bytes, bytes, sum, n);
}
