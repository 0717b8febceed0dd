/* Products of integers, products that cuBLASLt has no kernel for, copies of operands to where it
 * can read them, and the last step of results that it cannot write. */
#include "gemm_any.h"

#include "walk.cuh"

/* ---- products ---- */

enum {
    TILE = 64,
    STEP = 16,
    SIDE = 16,
    EACH = TILE / SIDE
}; /* SIDE * SIDE threads make EACH * EACH elements each */
static_assert(SIDE * SIDE == MP_CUDA_THREADS, "a thread for each place of a tile's grid");

/* c[i][j] = sum over k, in order, of a[i][k] * b[k][j]. A block makes tiles of TILE x TILE elements
 * of c; it reads a n / TILE times and b m / TILE times. */
template <class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    gemm_any(const __grid_constant__ mp_cuda_stack s, int a_bytes, int b_bytes, int c_bytes,
             int64_t tiles_m, int64_t tiles_n, int64_t tiles) {
    __shared__ C a_tile[STEP][TILE + 1], b_tile[STEP][TILE + 1];
    int x = threadIdx.x % SIDE, y = threadIdx.x / SIDE;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        int64_t item = tile / (tiles_m * tiles_n), place = tile - item * (tiles_m * tiles_n);
        int64_t first_row = place / tiles_n * TILE, first_col = place % tiles_n * TILE;
        int64_t a_at = first_row * s.a.row, b_at = first_col * s.b.col, rest = item;
        for (int d = s.ndim - 1; d >= 0; d--) {
            int64_t here = rest % s.shape[d];
            a_at += here * s.a.step[d];
            b_at += here * s.b.step[d];
            rest /= s.shape[d];
        }
        const char *a = (const char *)s.a.data + a_at * a_bytes,
                   *b = (const char *)s.b.data + b_at * b_bytes;
        int64_t rows = s.m - first_row,
                cols = s.n - first_col; /* that are left, of which TILE at most are made */
        C sum[EACH][EACH] = {};
        for (int64_t first = 0; first < s.k; first += STEP) {
            int64_t depth = s.k - first;
            __syncthreads(); /* the tiles of the last step may still be read */
            for (int i = threadIdx.x; i < TILE * STEP; i += MP_CUDA_THREADS) {
                int row = i / STEP, ak = i % STEP, bk = i / TILE, col = i % TILE;
                bool in_a = row < rows && ak < depth, in_b = col < cols && bk < depth;
                const char *from_a = a + (row * s.a.row + (first + ak) * s.a.col) * a_bytes;
                const char *from_b = b + ((first + bk) * s.b.row + col * s.b.col) * b_bytes;
                a_tile[ak][row] = in_a ? load_any<C>(from_a, s.a.dtype) : C(0);
                b_tile[bk][col] = in_b ? load_any<C>(from_b, s.b.dtype) : C(0);
            }
            __syncthreads();
#pragma unroll
            for (int k = 0; k < STEP; k++) {
                C left[EACH], right[EACH];
#pragma unroll
                for (int i = 0; i < EACH; i++)
                    left[i] = a_tile[k][y + SIDE * i], right[i] = b_tile[k][x + SIDE * i];
#pragma unroll
                for (int i = 0; i < EACH; i++)
#pragma unroll
                    for (int j = 0; j < EACH; j++) sum[i][j] += left[i] * right[j];
            }
        }
        char *c = (char *)s.c + ((item * s.m + first_row) * s.n + first_col) * c_bytes;
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                int row = y + SIDE * i, col = x + SIDE * j;
                if (row < rows && col < cols)
                    store_any<C>(c + (row * s.n + col) * c_bytes, s.c_dtype, sum[i][j]);
            }
    }
}

template <class C>
static mp_status launch_gemm(const mp_cuda_place *place, const mp_cuda_stack *s) {
    int64_t tiles_m = (s->m + TILE - 1) / TILE, tiles_n = (s->n + TILE - 1) / TILE,
            tiles = tiles_m * tiles_n;
    for (int d = 0; d < s->ndim; d++) tiles *= s->shape[d];
    gemm_any<C><<<mp_blocks(place, tiles, 1, 1), MP_CUDA_THREADS, 0, place->stream>>>(
        *s, mp_dtypes[s->a.dtype].bytes, mp_dtypes[s->b.dtype].bytes, mp_dtypes[s->c_dtype].bytes,
        tiles_m, tiles_n, tiles);
    return MP_CUDA_LAUNCHED();
}

extern "C" mp_status mp_cuda_gemm_any(const mp_cuda_place *place, const mp_cuda_stack *stack,
                                      mp_dtype sums) {
    if (sums == MP_INT64) return launch_gemm<uint64_t>(place, stack);
    return sums == MP_FLOAT64 ? launch_gemm<double>(place, stack)
                              : launch_gemm<float>(place, stack);
}

/* ---- copies ---- */

/* to[i] = element i of the walk. Reads and writes each element once. */
template <bool WIDE, class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    gather(const __grid_constant__ mp_walk<1> from, char *to, int to_dtype, int to_bytes) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < from.size;
         i += step) {
        char *p;
        from.at<WIDE>(i, &p);
        store_any<C>(to + i * to_bytes, to_dtype, load_any<C>(p, from.dtype[0]));
    }
}

/* The same for elements that keep their dtype, 16 bytes of them at a time. */
template <bool WIDE>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    gather_packs(const __grid_constant__ mp_walk<1> from, uint4 *to) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < from.size;
         i += step) {
        char *p;
        from.at<WIDE>(i, &p);
        to[i] = *(const uint4 *)p;
    }
}

/* The walk over dimensions in elements, those of extent 1 left out and neighbours joined where one
 * stride reaches both. */
static mp_walk<1> walk_over(const void *from, mp_dtype dtype, int ndim, const int64_t *shape,
                            const int64_t *strides) {
    mp_walk<1> w = {};
    int64_t bytes = mp_dtypes[dtype].bytes, extent[MP_CUDA_DIMS];
    w.data[0] = (char *)from;
    w.dtype[0] = (int8_t)dtype;
    w.size = 1;
    for (int d = 0; d < ndim; d++) {
        w.size *= shape[d];
        if (shape[d] == 1) continue;
        if (w.ndim > 0 && w.stride[0][w.ndim - 1] == strides[d] * shape[d] * bytes) {
            extent[w.ndim - 1] *= shape[d];
            w.stride[0][w.ndim - 1] = strides[d] * bytes;
        } else {
            extent[w.ndim] = shape[d];
            w.stride[0][w.ndim++] = strides[d] * bytes;
        }
    }
    if (w.ndim == 0) extent[0] = 1, w.ndim = 1;
    for (int d = 0; d < w.ndim; d++) w.extent[d] = mp_divider_of(extent[d]);
    return w;
}

/* Makes the walk one of 16-byte packs, if every pack is whole and aligned. */
static bool in_packs(mp_walk<1> *w, int64_t bytes) {
    int last = w->ndim - 1;
    int64_t row = w->extent[last].wide * bytes;
    if (w->stride[0][last] != bytes || row % 16 != 0 || !is_aligned(w->data[0])) return false;
    for (int d = 0; d < last; d++)
        if (w->stride[0][d] % 16 != 0) return false;
    w->size = w->size * bytes / 16;
    w->extent[last] = mp_divider_of(row / 16);
    w->stride[0][last] = 16;
    return true;
}

extern "C" mp_status mp_cuda_gather(const mp_cuda_place *place, const void *from,
                                    mp_dtype from_dtype, int ndim, const int64_t *shape,
                                    const int64_t *strides, void *to, mp_dtype to_dtype) {
    int bytes = mp_dtypes[to_dtype].bytes;
    mp_walk<1> w = walk_over(from, from_dtype, ndim, shape, strides);
    bool packs = from_dtype == to_dtype && is_aligned(to) && in_packs(&w, bytes);
    unsigned blocks = mp_blocks(place, w.size, MP_CUDA_THREADS, 1);
    mp_choose_width(w.size, [&](auto wide) {
        constexpr bool WIDE = decltype(wide)::value;
        if (packs)
            gather_packs<WIDE><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, (uint4 *)to);
        else if (to_dtype == MP_FLOAT64)
            gather<WIDE, double>
                <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, (char *)to, to_dtype, bytes);
        else
            gather<WIDE, float>
                <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, (char *)to, to_dtype, bytes);
    });
    return MP_CUDA_LAUNCHED();
}

/* ---- results ---- */

struct finish_from {
    const char *sum, *bias;
    int sum_dtype, sum_bytes, bias_dtype, y_dtype, y_bytes;
    int64_t bias_step, n; /* bias_step in bytes */
    mp_divider cols;
};

/* y[i] = sum[i] + bias[i % cols]. Reads the sums and writes y once. */
template <bool WIDE, class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    finish(const __grid_constant__ finish_from f, char *y) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < f.n; i += step) {
        int64_t col = i - mp_divide<WIDE>(f.cols, i) * f.cols.wide;
        C value = f.sum ? load_any<C>(f.sum + i * f.sum_bytes, f.sum_dtype) : C(0);
        if (f.bias) value += load_any<C>(f.bias + col * f.bias_step, f.bias_dtype);
        store_any<C>(y + i * f.y_bytes, f.y_dtype, value);
    }
}

extern "C" mp_status mp_cuda_finish(const mp_cuda_place *place, int64_t rows, int64_t cols,
                                    const void *sum, mp_dtype sum_dtype, const void *bias,
                                    mp_dtype bias_dtype, int64_t bias_step, void *y,
                                    mp_dtype y_dtype, bool wide) {
    finish_from f = {(const char *)sum,
                     (const char *)bias,
                     sum_dtype,
                     mp_dtypes[sum_dtype].bytes,
                     bias_dtype,
                     y_dtype,
                     mp_dtypes[y_dtype].bytes,
                     bias_step * mp_dtypes[bias_dtype].bytes,
                     rows * cols,
                     mp_divider_of(cols)};
    unsigned blocks = mp_blocks(place, f.n, MP_CUDA_THREADS, 1);
    mp_choose_width(f.n, [&](auto big) {
        constexpr bool WIDE = decltype(big)::value;
        if (wide) finish<WIDE, double><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(f, (char *)y);
        else finish<WIDE, float><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(f, (char *)y);
    });
    return MP_CUDA_LAUNCHED();
}
