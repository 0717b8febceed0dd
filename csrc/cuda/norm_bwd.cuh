/* The kernels of the gradients of layer_norm and rms_norm, and of add_layer_norm (norm_add.cu),
 * where a gradient gh is added to gx.
 *
 * - rows in registers, to 8192 elements of float16, bfloat16 and float32, with a weight of x's
 * dtype or float32, which stays in registers too. A persistent grid walks over the rows, the next
 * ones on their way while one is reduced: gy, x and gh are read once, gx is written once, and
 * column sums of each block, which a second kernel joins in order.
 * - other rows: read again from the cache for the second step; the column sums read gy and x once
 * more. */
#ifndef MP_CUDA_NORM_BWD_CUH
#define MP_CUDA_NORM_BWD_CUH

#include "norm.cuh"

#include <cuda_pipeline.h>

/* ---- rows in registers ---- */

/* As mp_row_shape, with several groups to a block also where G is more than a warp: fewer blocks
 * make fewer sums. A multiprocessor holds RESIDENT of them at once. */
template <int G_, int E_, int RESIDENT> struct backward_shape : mp_row_shape<G_, E_> {
    static constexpr int threads = G_ < 256 ? 256 : 512;
    static constexpr int groups = threads / G_;
    static constexpr int resident = RESIDENT;
};

/* Rows of a group in shared memory, on their way or in use: fewer of float32 where a third array is
 * read. */
template <class T, bool ADDED> constexpr int backward_stages = ADDED && sizeof(T) == 4 ? 2 : 3;

template <class S, class T, bool ADDED>
constexpr size_t backward_shared =
    (size_t)backward_stages<T, ADDED> *(ADDED ? 3 : 2) * S::threads *S::E * sizeof(T);

/* Sums of the thread's columns to sums[block]. Groups of a block are joined in `room`, which has 2
 * threads E floats. */
template <class S, int V, int P>
static __device__ inline void write_sums(const norm_job &job, const float (&sum)[2][P][V],
                                         float *room) {
    constexpr int G = S::G;
    const int n = (int)job.n, t = threadIdx.x % G, group = threadIdx.x / G,
              kinds = job.centred ? 2 : 1;
    float *to = (float *)job.sums + (int64_t)blockIdx.x * 2 * n;
#pragma unroll
    for (int k = 0; k < 2; k++) {
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (k >= kinds || at >= n) continue;
            float *line = S::groups > 1 ? room + (group * 2 + k) * G * S::E : to + k * n;
#pragma unroll
            for (int i = 0; i < V; i += 4)
                *(float4 *)(line + at + i) =
                    make_float4(sum[k][p][i], sum[k][p][i + 1], sum[k][p][i + 2], sum[k][p][i + 3]);
        }
    }
    if constexpr (S::groups > 1) {
        __syncthreads();
        for (int i = threadIdx.x; i < kinds * n; i += S::threads) {
            const float *line = room + (i < n ? i : G * S::E + i - n);
            float all = line[0];
            for (int g = 1; g < S::groups; g++) all += line[g * 2 * G * S::E];
            to[i] = all;
        }
    }
}

/* With u = (x - mean) rstd and g = gy weight: gx = rstd (g - sum(g) / n - u sum(g u) / n), plus gh
 * if ADDED, and the block's sums over rows of gy u and gy. A thread copies the elements it will use
 * itself, so that copies need no barrier. */
template <class S, class T, bool ADDED>
__global__ void __launch_bounds__(S::threads, S::resident)
    norm_backward(const __grid_constant__ norm_job job) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V, STAGES = backward_stages<T, ADDED>,
                  ARRAYS = ADDED ? 3 : 2;
    extern __shared__ uint4 stages[]; /* [STAGES][gy, x, gh][P][threads] */
    __shared__ float room[4 * S::threads / MP_WARP];
    const int n = (int)job.n, t = threadIdx.x % G;
    const float share = 1 / (float)n;
    const int64_t step = (int64_t)gridDim.x * S::groups;
    int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    unsigned turn = 0;
    int slot = 0;

    auto stage = [&](int which, int array, int p) {
        return stages + ((which * ARRAYS + array) * P + p) * S::threads + threadIdx.x;
    };
    auto fetch = [&](int which, int64_t from) {
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (from >= job.rows || at >= n) continue;
            __pipeline_memcpy_async(stage(which, 0, p), (const T *)job.gy.data + from * n + at, 16);
            __pipeline_memcpy_async(stage(which, 1, p), (const T *)job.x.data + from * n + at, 16);
            if constexpr (ADDED)
                __pipeline_memcpy_async(stage(which, 2, p), (const T *)job.gh.data + from * n + at,
                                        16);
        }
        __pipeline_commit();
    };
    float next_mean = 0, next_rstd = 0;
    auto load_statistics = [&](int64_t from) {
        if (from >= job.rows) return;
        if (job.centred) next_mean = ((const float *)job.mean.data)[from];
        next_rstd = ((const float *)job.rstd.data)[from];
    };

#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) fetch(s, row + s * step);
    load_statistics(row);
    float w[P][V] = {};
    visit_parameters<T>(job, [&](auto type) {
        using TW = typename decltype(type)::type;
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (at < n) load_parameter<TW>(job.weight, at, 1, w[p]);
        }
    });

    float sums[2][P][V] = {};
    for (int64_t first = (int64_t)blockIdx.x * S::groups; first < job.rows;
         first += step, row += step) {
        float u[P][V], g[P][V], whole[2] = {0, 0}, mean = next_mean, rstd = next_rstd;
        __pipeline_wait_prior(STAGES - 2);
        fetch(slot == 0 ? STAGES - 1 : slot - 1,
              row + (STAGES - 1) * step); /* to where the last row was */
        load_statistics(row + step);
#pragma unroll
        for (int p = 0; p < P; p++) {
            if (row >= job.rows || (p * G + t) * V >= n) continue;
            float gy[V];
            widen_raw<T>(*stage(slot, 0, p), gy);
            widen_raw<T>(*stage(slot, 1, p), u[p]);
#pragma unroll
            for (int i = 0; i < V; i++) {
                u[p][i] = (u[p][i] - mean) * rstd;
                g[p][i] = gy[i] * w[p][i];
                sums[0][p][i] += gy[i] * u[p][i];
                sums[1][p][i] += gy[i];
                whole[0] += g[p][i] * u[p][i];
                whole[1] += g[p][i];
            }
        }
        group_reduce<G, S::groups>(whole, mp_add{}, room, turn);
        float along = whole[0] * share, level = job.centred ? whole[1] * share : 0;
        T *gx = (T *)job.out.data + row * n;
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (row >= job.rows || at >= n) continue;
#pragma unroll
            for (int i = 0; i < V; i++) g[p][i] = rstd * (g[p][i] - level - u[p][i] * along);
            if constexpr (ADDED) {
                float gh[V];
                widen_raw<T>(*stage(slot, 2, p), gh);
#pragma unroll
                for (int i = 0; i < V; i++) g[p][i] += gh[i];
            }
            store_values(gx + at, g[p]);
        }
        slot = slot == STAGES - 1 ? 0 : slot + 1;
    }
    if constexpr (S::groups > 1) {
        __pipeline_wait_prior(0);
        __syncthreads(); /* stages become room for the sums */
    }
    write_sums<S, V, P>(job, sums, (float *)stages);
}

/* ---- other rows ---- */

/* gx; gy, gh and gx are of x's type T, or all of any. */
template <int G, class C, class T>
__global__ void __launch_bounds__(norm_group<G>::threads)
    norm_backward_long(const __grid_constant__ norm_job job) {
    constexpr int V = mp_row_pack<T>;
    __shared__ C room[4 * norm_group<G>::warps];
    const int64_t n = job.n, groups = norm_group<G>::groups, step = (int64_t)gridDim.x * groups;
    const int t = threadIdx.x % G;
    unsigned turn = 0;
    int64_t row = blockIdx.x * groups + threadIdx.x / G;
    for (int64_t first = blockIdx.x * groups; first < job.rows; first += step, row += step) {
        const int64_t begin = row * n, count = row < job.rows ? n : 0;
        C mean[1] = {0}, rstd[1] = {0}, whole[2] = {0, 0};
        if (count > 0) {
            if (job.centred) load_elements<mp_any>(job.mean, row, mean);
            load_elements<mp_any>(job.rstd, row, rstd);
        }
        auto load = [&](int64_t at, C(&u)[V], C(&g)[V]) {
            load_elements<T>(job.x, begin + at, u);
            load_elements<T>(job.gy, begin + at, g);
#pragma unroll
            for (int i = 0; i < V; i++) {
                C w[1] = {1};
                if (job.weight.data) load_elements<mp_any>(job.weight, at + i, w);
                u[i] = (u[i] - mean[0]) * rstd[0];
                g[i] *= w[0];
            }
        };
        for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
            C u[V], g[V];
            load(at, u, g);
#pragma unroll
            for (int i = 0; i < V; i++) whole[0] += g[i] * u[i], whole[1] += g[i];
        }
        group_reduce<G>(whole, mp_add{}, room, turn);
        C along = whole[0] / (C)n, level = job.centred ? whole[1] / (C)n : 0;
        for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
            C u[V], g[V];
            load(at, u, g);
#pragma unroll
            for (int i = 0; i < V; i++) g[i] = rstd[0] * (g[i] - level - u[i] * along);
            if (job.gh.data) {
                load_elements<T>(job.gh, begin + at, u);
#pragma unroll
                for (int i = 0; i < V; i++) g[i] += u[i];
            }
            store_elements<T>(job.out, begin + at, g);
        }
    }
}

enum { LINES = 16 }; /* rows that a block of the two kernels below sums side by side */

/* Joins what the warps of a block have for 32 columns, in order: the first warp gets it. */
template <int N, class C>
static __device__ inline void join_lines(C (&sum)[N], C (&room)[N][LINES][MP_WARP]) {
    int line = threadIdx.x / MP_WARP, column = threadIdx.x % MP_WARP;
#pragma unroll
    for (int k = 0; k < N; k++) room[k][line][column] = sum[k];
    __syncthreads();
    if (line > 0) return;
#pragma unroll
    for (int k = 0; k < N; k++)
        for (int i = 1; i < LINES; i++) sum[k] += room[k][i][column];
}

/* The sums of block y's rows: gy u and gy. Blocks: x of 32 columns, y of rows. */
template <class C>
__global__ void __launch_bounds__(LINES *MP_WARP)
    norm_backward_columns(const __grid_constant__ norm_job job) {
    __shared__ C room[2][LINES][MP_WARP];
    const int64_t at = (int64_t)blockIdx.x * MP_WARP + threadIdx.x % MP_WARP;
    const int64_t begin = job.rows * blockIdx.y / gridDim.y,
                  end = job.rows * (blockIdx.y + 1) / gridDim.y;
    C sum[2] = {0, 0};
    if (at < job.n) {
#pragma unroll 4
        for (int64_t row = begin + threadIdx.x / MP_WARP; row < end; row += LINES) {
            C x[1], gy[1], mean[1] = {0}, rstd[1];
            load_elements<mp_any>(job.x, row * job.n + at, x);
            load_elements<mp_any>(job.gy, row * job.n + at, gy);
            if (job.centred) load_elements<mp_any>(job.mean, row, mean);
            load_elements<mp_any>(job.rstd, row, rstd);
            sum[0] += gy[0] * ((x[0] - mean[0]) * rstd[0]);
            sum[1] += gy[0];
        }
    }
    join_lines(sum, room);
    if (threadIdx.x >= MP_WARP || at >= job.n) return;
    C *to = (C *)job.sums + (int64_t)blockIdx.y * 2 * job.n + at;
    to[0] = sum[0];
    to[job.n] = sum[1];
}

/* gweight[i] = sum over blocks of sums[block][0][i], gbias the same of [1]. Blocks of 32 columns.
 */
template <class C>
__global__ void __launch_bounds__(LINES *MP_WARP)
    norm_join(const C *sums, int64_t blocks, int64_t n, int64_t columns, mp_operand gweight,
              mp_operand gbias) {
    __shared__ C room[1][LINES][MP_WARP];
    const int64_t at = (int64_t)blockIdx.x * MP_WARP + threadIdx.x % MP_WARP;
    C sum[1] = {0};
    if (at < columns) {
#pragma unroll 8
        for (int64_t block = threadIdx.x / MP_WARP; block < blocks; block += LINES)
            sum[0] += sums[block * 2 * n + at];
    }
    join_lines(sum, room);
    if (threadIdx.x >= MP_WARP || at >= columns) return;
    if (at < n) store_any(gweight.data + at * gweight.bytes, gweight.dtype, sum[0]);
    else store_any(gbias.data + (at - n) * gbias.bytes, gbias.dtype, sum[0]);
}

/* ---- launching ---- */

/* f(shape) with the smallest of the shapes that a row of n, in packs of V, fits into. False: none.
 */
template <int V, class F> static bool visit_backward_shape(int64_t n, F f) {
    int64_t packs = n / V;
    constexpr int some = V == 4 ? 3 : 2;
    if (packs <= 8) return f(backward_shape<8, V, 4>{});
    if (packs <= 32) return f(backward_shape<32, V, 4>{});
    if (packs <= 64) return f(backward_shape<32, 2 * V, some>{});
    if (packs <= 128) return f(backward_shape<64, 2 * V, some>{});
    if (packs <= 256) return f(backward_shape<128, 2 * V, some>{});
    if (packs <= 512) return f(backward_shape<256, 2 * V, 1>{});
    if (packs <= 1024) return f(backward_shape<512, 2 * V, 1>{});
    return packs <= 2048 && V == 4 && f(backward_shape<512, 16, 1>{});
}

/* Blocks of a persistent grid: few enough that their sums are little beside the rows, if that
 * leaves no processor idle. */
static int64_t backward_blocks(const norm_job &job, const mp_cuda_place *place, int groups,
                               int resident) {
    int64_t all = mp_row_blocks(job.rows, groups), some = mp_row_blocks(job.rows, 4 * groups);
    int64_t least = all < place->processors ? all : place->processors,
            most = (int64_t)place->processors * resident;
    int64_t blocks = some > least ? some : least;
    return blocks < most ? blocks : most;
}

/* Room for the sums of `blocks`. */
template <class C> static size_t sums_bytes(const norm_job &job, int64_t blocks) {
    return (size_t)(blocks > 0 ? blocks : 1) * 2 * (size_t)job.n * sizeof(C);
}

template <class C>
static void launch_join(const mp_call *call, const norm_job &job, const mp_cuda_place *place,
                        int64_t blocks) {
    int64_t columns = job.centred ? 2 * job.n : job.n;
    norm_join<C>
        <<<(unsigned)((columns + MP_WARP - 1) / MP_WARP), LINES * MP_WARP, 0, place->stream>>>(
            (const C *)job.sums, blocks, job.n, columns, mp_operand_of(call->out[1]),
            mp_operand_of(job.centred ? call->out[2] : NULL));
}

/* False where no shape fits; *status is set where one does. */
template <class T, bool ADDED>
static bool launch_backward(const mp_call *call, norm_job job, const mp_cuda_place *place,
                            mp_status *status) {
    return visit_backward_shape<pack_size<T>>(job.n, [&](auto shape) {
        using S = decltype(shape);
        auto kernel = norm_backward<S, T, ADDED>;
        constexpr size_t shared = backward_shared<S, T, ADDED>;
        if (!have_shared((const void *)kernel, place, shared)) return false;
        int64_t blocks = backward_blocks(job, place, S::groups, S::resident);
        size_t bytes = sums_bytes<float>(job, blocks);
        *status = mp_cuda_scratch(place, bytes, &job.sums);
        if (*status != MP_OK) return true;
        kernel<<<(unsigned)blocks, S::threads, shared, place->stream>>>(job);
        launch_join<float>(call, job, place, blocks);
        mp_cuda_scratch_free(place, job.sums, bytes);
        *status = MP_CUDA_LAUNCHED();
        return true;
    });
}

template <class C, class T>
static mp_status launch_backward_long(const mp_call *call, norm_job job,
                                      const mp_cuda_place *place) {
    int64_t across = (job.n + MP_WARP - 1) / MP_WARP, down = job.rows / (4 * LINES);
    int64_t most = (int64_t)place->processors * 8 / across;
    if (down > most) down = most;
    if (down < 1) down = job.rows > 0;
    size_t bytes = sums_bytes<C>(job, down);
    MP_TRY(mp_cuda_scratch(place, bytes, &job.sums));
    if (job.rows > 0) {
        visit_long_group(job, place, [&](auto group, unsigned blocks) {
            using S = decltype(group);
            norm_backward_long<S::G, C, T><<<blocks, S::threads, 0, place->stream>>>(job);
        });
        norm_backward_columns<C>
            <<<dim3((unsigned)across, (unsigned)down), LINES * MP_WARP, 0, place->stream>>>(job);
    }
    launch_join<C>(call, job, place, down);
    mp_cuda_scratch_free(place, job.sums, bytes);
    return MP_CUDA_LAUNCHED();
}

/* The call's first input is gy; job has x, weight, the statistics, and gh if ADDED. */
template <bool ADDED> static mp_status backward(mp_call *call, norm_job &job) {
    mp_cuda_place place;
    mp_status status = MP_OK;
    if (job.n == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    job.gy = mp_operand_of(call->in[0]);
    bool plain_weight = have_plain_parameters(job);
    bool plain = can_pack(job) && is_aligned(job.gy.data) && job.gy.dtype == job.x.dtype &&
                 job.out.dtype == job.x.dtype && job.rows > 0 &&
                 (!ADDED || (is_aligned(job.gh.data) && job.gh.dtype == job.x.dtype));
    bool float_statistics =
        job.rstd.dtype == MP_FLOAT32 && (!job.centred || job.mean.dtype == MP_FLOAT32);
    if (plain) {
        bool done = visit_common(job.x.dtype, &status, [&](auto type) {
            using T = typename decltype(type)::type;
            mp_status result;
            if (plain_weight && float_statistics &&
                launch_backward<T, ADDED>(call, job, &place, &result))
                return result;
            return launch_backward_long<float, T>(call, job, &place);
        });
        if (done) return status;
    }
    return job.x.dtype == MP_FLOAT64 ? launch_backward_long<double, mp_any>(call, job, &place)
                                     : launch_backward_long<float, mp_any>(call, job, &place);
}

#endif
