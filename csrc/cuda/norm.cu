/* layer_norm and rms_norm over the trailing axes of contiguous arrays. Statistics and sums are
 * float32, float64 where x is.
 *
 * - rows in registers, to 16384 elements of float16, bfloat16 and float32. A persistent grid walks
 * over the rows, the next one on its way while one is reduced: x is read once, y written once.
 * - other rows: read again from the cache for each of the steps. */
#include "norm.cuh"

/* ---- rows in registers ---- */

/* Blocks that a multiprocessor holds at once. */
template <class S> constexpr int forward_resident = S::E > 16 ? 2 : 1024 / S::threads;

template <class S> constexpr size_t forward_shared = 2 * S::G *S::E * sizeof(float);

/* y = (x - mean) rstd weight + bias, mean = sum(x) / n, rstd = 1 / sqrt(sum((x - mean)^2) / n +
 * eps). */
template <class S, class T, class TO>
__global__ void __launch_bounds__(S::threads, forward_resident<S>)
    norm_forward(const __grid_constant__ norm_job job) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V;
    extern __shared__ float4 parameters[];
    __shared__ float room[2 * S::warps];
    float *weight = (float *)parameters, *bias = weight + G * S::E;
    const int n = (int)job.n, t = threadIdx.x % G;
    const int64_t step = (int64_t)gridDim.x * S::groups;
    int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    unsigned turn = 0;

    const float share = 1 / (float)n, eps = (float)job.eps;
    uint4 next[P];
    auto load = [&](int64_t from) {
        const T *x = (const T *)job.x.data + from * n;
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            next[p] = make_uint4(0, 0, 0, 0);
            if (from < job.rows && at < n) next[p] = load_raw(x + at);
        }
    };
    load(row);
    keep_parameter<S, V>(weight, job.weight, n, 1);
    keep_parameter<S, V>(bias, job.bias, n, 0);
    __syncthreads();

    for (int64_t first = (int64_t)blockIdx.x * S::groups; first < job.rows;
         first += step, row += step) {
        float x[P][V], mean = 0, sum[1] = {0};
#pragma unroll
        for (int p = 0; p < P; p++) widen_raw<T>(next[p], x[p]);
        load(row + step);
        if (job.centred) {
#pragma unroll
            for (int p = 0; p < P; p++)
#pragma unroll
                for (int i = 0; i < V; i++) sum[0] += x[p][i];
            group_reduce<G>(sum, mp_add{}, room, turn);
            mean = sum[0] * share;
            sum[0] = 0;
        }
#pragma unroll
        for (int p = 0; p < P; p++) {
            if ((p * G + t) * V >= n) continue;
#pragma unroll
            for (int i = 0; i < V; i++) {
                x[p][i] -= mean;
                sum[0] += x[p][i] * x[p][i];
            }
        }
        group_reduce<G>(sum, mp_add{}, room, turn);
        float rstd = 1 / sqrtf(sum[0] * share + eps);
        if (row >= job.rows) continue; /* the last rows may be fewer than the groups of a block */
        TO *y = (TO *)job.out.data + row * n;
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (at >= n) continue;
            float w[V], b[V];
            parameter_pack<S>(weight, p, t, w);
            parameter_pack<S>(bias, p, t, b);
#pragma unroll
            for (int i = 0; i < V; i++) x[p][i] = x[p][i] * rstd * w[i] + b[i];
            store_values(y + at, x[p]);
        }
        if (t == 0) {
            if (job.centred) ((float *)job.mean.data)[row] = mean;
            ((float *)job.rstd.data)[row] = rstd;
        }
    }
}

/* ---- other rows ---- */

/* The same as norm_forward; y is of x's type T, or of any. */
template <int G, class C, class T>
__global__ void __launch_bounds__(norm_group<G>::threads)
    norm_forward_long(const __grid_constant__ norm_job job) {
    constexpr int V = mp_row_pack<T>;
    __shared__ C room[2 * norm_group<G>::warps];
    const int64_t n = job.n, groups = norm_group<G>::groups, step = (int64_t)gridDim.x * groups;
    const int t = threadIdx.x % G;
    unsigned turn = 0;
    int64_t row = blockIdx.x * groups + threadIdx.x / G;
    for (int64_t first = blockIdx.x * groups; first < job.rows; first += step, row += step) {
        const int64_t begin = row * n, count = row < job.rows ? n : 0;
        C x[V], mean = 0, sum[1] = {0};
        if (job.centred) {
#pragma unroll 4
            for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
                load_elements<T>(job.x, begin + at, x);
#pragma unroll
                for (int i = 0; i < V; i++) sum[0] += x[i];
            }
            group_reduce<G>(sum, mp_add{}, room, turn);
            mean = sum[0] / (C)n;
            sum[0] = 0;
        }
#pragma unroll 4
        for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
            load_elements<T>(job.x, begin + at, x);
#pragma unroll
            for (int i = 0; i < V; i++) sum[0] += (x[i] - mean) * (x[i] - mean);
        }
        group_reduce<G>(sum, mp_add{}, room, turn);
        C rstd = 1 / sqrt(sum[0] / (C)n + (C)job.eps);
        for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
            load_elements<T>(job.x, begin + at, x);
#pragma unroll
            for (int i = 0; i < V; i++) {
                C w[1] = {1}, b[1] = {0};
                if (job.weight.data) load_elements<mp_any>(job.weight, at + i, w);
                if (job.bias.data) load_elements<mp_any>(job.bias, at + i, b);
                x[i] = (x[i] - mean) * rstd * w[0] + b[0];
            }
            store_elements<T>(job.out, begin + at, x);
        }
        if (t == 0 && row < job.rows) {
            if (job.centred) store_any(job.mean.data + row * job.mean.bytes, job.mean.dtype, mean);
            store_any(job.rstd.data + row * job.rstd.bytes, job.rstd.dtype, rstd);
        }
    }
}

/* ---- launching ---- */

/* f(shape) with the smallest of the shapes that a row of n fits into. False: none. */
template <class F> static bool visit_forward_shape(int64_t n, F f) {
    if (n <= 64) return f(mp_row_shape<8, 8>{});
    if (n <= 256) return f(mp_row_shape<32, 8>{});
    if (n <= 512) return f(mp_row_shape<32, 16>{});
    if (n <= 1024) return f(mp_row_shape<32, 32>{});
    if (n <= 2048) return f(mp_row_shape<128, 16>{});
    if (n <= 4096) return f(mp_row_shape<256, 16>{});
    if (n <= 8192) return f(mp_row_shape<512, 16>{});
    return n <= 16384 && f(mp_row_shape<1024, 16>{});
}

template <class T, class TO>
static bool launch_forward(const norm_job &job, const mp_cuda_place *place) {
    return visit_forward_shape(job.n, [&](auto shape) {
        using S = decltype(shape);
        auto kernel = norm_forward<S, T, TO>;
        if (!have_shared((const void *)kernel, place, forward_shared<S>)) return false;
        int64_t blocks = mp_row_blocks(job.rows, S::groups),
                most = (int64_t)place->processors * forward_resident<S>;
        kernel<<<(unsigned)(blocks < most ? blocks : most), S::threads, forward_shared<S>,
                 place->stream>>>(job);
        return true;
    });
}

template <class C, class T>
static void launch_forward_long(const norm_job &job, const mp_cuda_place *place) {
    visit_long_group(job, place, [&](auto group, unsigned blocks) {
        using S = decltype(group);
        norm_forward_long<S::G, C, T><<<blocks, S::threads, 0, place->stream>>>(job);
    });
}

static mp_status forward(mp_call *call, norm_job &job) {
    mp_cuda_place place;
    mp_status status;
    if (job.rows == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    job.eps = call->attrs.eps;
    bool done = false;
    if (can_pack(job) && job.rstd.dtype == MP_FLOAT32) {
        visit_common(job.x.dtype, &status, [&](auto type) {
            using T = typename decltype(type)::type;
            if (job.out.dtype == job.x.dtype) {
                done = launch_forward<T, T>(job, &place);
                if (!done) launch_forward_long<float, T>(job, &place);
                done = true;
            } else if constexpr (!std::is_same_v<T, float>) {
                if (job.out.dtype == MP_FLOAT32) done = launch_forward<T, float>(job, &place);
            }
            return MP_OK;
        });
    }
    if (!done && job.x.dtype == MP_FLOAT64) launch_forward_long<double, mp_any>(job, &place);
    else if (!done) launch_forward_long<float, mp_any>(job, &place);
    return MP_CUDA_LAUNCHED();
}

extern "C" mp_status mp_cuda_layer_norm(mp_call *call) {
    norm_job job = norm_job_of(call, call->in[0], call->in[1], call->in[2]);
    job.centred = true;
    job.mean = mp_operand_of(call->out[1]);
    job.rstd = mp_operand_of(call->out[2]);
    return forward(call, job);
}

/* y = x rstd weight, rstd = 1 / sqrt(sum(x^2) / n + eps) */
extern "C" mp_status mp_cuda_rms_norm(mp_call *call) {
    norm_job job = norm_job_of(call, call->in[0], call->in[1], NULL);
    job.rstd = mp_operand_of(call->out[1]);
    return forward(call, job);
}
