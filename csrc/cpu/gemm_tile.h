/* The inner loops of a product, for the type `real` of its includer: a tile of up to ROWS x COLS
 * sums in registers, and the transposition that packing needs. Included by gemm_body.h only. */

/* ROWS * VECS sums, VECS registers for b and one for a must fit in the register file. */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, ROWS = 14 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, ROWS = 6 };
#else
enum { VECTOR_BYTES = 16, ROWS = 4 };
#endif
enum {
    VECS = 2,
    LANES = VECTOR_BYTES / sizeof(real),
    COLS = LANES * VECS,
    HEIGHT = (ROWS + LANES - 1) / LANES * LANES, /* the room of ROWS elements in whole vectors */
};

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real vec_any __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

/* c[rows][vecs * LANES] = (add ? c : 0) + sum over k < depth of a[k][rows] * b[k][vecs * LANES] (+
 * bias). Panels: a[k] lies at a + k * HEIGHT, b[k] at b + k * vecs * LANES. Inlined with constant
 * rows and vecs, so that sums stay in registers. */
static inline __attribute__((always_inline)) void tile(int rows, int vecs, int64_t depth,
                                                       const real *restrict a,
                                                       const real *restrict b, real *restrict c,
                                                       int64_t ldc, bool add, const real *bias) {
    vec sum[ROWS][VECS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * ldc, 1);
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) sum[i][v] = (vec){0};
    }
    for (int64_t k = 0; k < depth; k++, a += HEIGHT, b += vecs * LANES) {
        const vec *line = (const vec *)b;
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) sum[i][v] += a[i] * line[v];
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            vec_any *out = (vec_any *)(c + i * ldc + v * LANES);
            vec value = sum[i][v];
            if (add) value += *out;
            if (bias) value += *(const vec_any *)(bias + v * LANES);
            *out = value;
        }
}

typedef void (*tile_fn)(int64_t depth, const real *a, const real *b, real *c, int64_t ldc, bool add,
                        const real *bias);

#define TILE(rows, vecs)                                                                           \
    static void tile_##rows##_##vecs(int64_t depth, const real *a, const real *b, real *c,         \
                                     int64_t ldc, bool add, const real *bias) {                    \
        tile(rows, vecs, depth, a, b, c, ldc, add, bias);                                          \
    }
/* clang-format off */
#if defined(__AVX512F__)
#define EACH_ROWS(F, vecs)                                                                         \
    F(1, vecs) F(2, vecs) F(3, vecs) F(4, vecs) F(5, vecs) F(6, vecs) F(7, vecs)                   \
    F(8, vecs) F(9, vecs) F(10, vecs) F(11, vecs) F(12, vecs) F(13, vecs) F(14, vecs)
#elif defined(__AVX2__)
#define EACH_ROWS(F, vecs) F(1, vecs) F(2, vecs) F(3, vecs) F(4, vecs) F(5, vecs) F(6, vecs)
#else
#define EACH_ROWS(F, vecs) F(1, vecs) F(2, vecs) F(3, vecs) F(4, vecs)
#endif
/* clang-format on */
EACH_ROWS(TILE, 1)
EACH_ROWS(TILE, 2)

#define ENTRY(rows, vecs) tile_##rows##_##vecs,
static const tile_fn tiles[VECS][ROWS] = {{EACH_ROWS(ENTRY, 1)}, {EACH_ROWS(ENTRY, 2)}};
#undef ENTRY
#undef EACH_ROWS
#undef TILE

/* x transposed as a LANES x LANES matrix: log2(LANES) perfect shuffles of the whole. */
static inline __attribute__((always_inline)) void transpose(vec x[LANES]) {
    typedef
#if REAL_BITS == 32
        int32_t
#else
        int64_t
#endif
            index __attribute__((vector_size(VECTOR_BYTES)));
    index low, high;
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
        low[i] = i / 2 + i % 2 * LANES;
        high[i] = low[i] + LANES / 2;
    }
#pragma GCC unroll 4
    for (int round = 1; round < LANES; round *= 2) {
        vec y[LANES];
#pragma GCC unroll 8
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = __builtin_shuffle(x[i], x[i + LANES / 2], low);
            y[2 * i + 1] = __builtin_shuffle(x[i], x[i + LANES / 2], high);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
}
