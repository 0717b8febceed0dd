/* layer_norm and rms_norm over the trailing axes of contiguous arrays. Statistics and sums are
 * float32, float64 where x is.
 *
 * - rows in registers, to 16384 elements of float32, 32768 of float16 and bfloat16, with parameters
 * of x's dtype or float32. A group of threads has one row and ends: what hides its waiting is the
 * number of blocks beside it, so registers are few. x is read once, y written once; the parameters
 * come from the nearest cache.
 * - other rows: read again from the cache for each of the steps. */
#include "norm.cuh"

/* ---- rows in registers ---- */

/* Blocks that a multiprocessor holds at once: 40 warps, of up to 48 registers a thread. */
template <class S> constexpr int forward_resident = S::threads < 1024 ? 1280 / S::threads : 1;

/* y = (x - mean) rstd weight + bias, mean = sum(x) / n, rstd = 1 / sqrt(sum((x - mean)^2) / n +
 * eps). The row stays as it was loaded and is widened for each of the steps. */
template <class S, class T, class TO>
__global__ void __launch_bounds__(S::threads, forward_resident<S>)
    norm_forward(const __grid_constant__ norm_job job) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V;
    __shared__ float room[2 * S::warps];
    const int n = (int)job.n, t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    const float share = 1 / (float)n;
    unsigned turn = 0;

    uint4 raw[P];
    const T *from = (const T *)job.x.data + row * n;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        raw[p] = make_uint4(0, 0, 0, 0);
        if (row < job.rows && at < n) raw[p] = load_raw(from + at);
    }
    float mean = 0, sum[1] = {0};
    if (job.centred) {
#pragma unroll
        for (int p = 0; p < P; p++) {
            float x[V];
            widen_raw<T>(raw[p], x);
#pragma unroll
            for (int i = 0; i < V; i++) sum[0] += x[i];
        }
        group_reduce<G>(sum, mp_add{}, room, turn);
        mean = sum[0] * share;
        sum[0] = 0;
    }
#pragma unroll
    for (int p = 0; p < P; p++) {
        if ((p * G + t) * V >= n) continue;
        float x[V];
        widen_raw<T>(raw[p], x);
#pragma unroll
        for (int i = 0; i < V; i++) sum[0] += (x[i] - mean) * (x[i] - mean);
    }
    group_reduce<G>(sum, mp_add{}, room, turn);
    float rstd = 1 / sqrtf(sum[0] * share + (float)job.eps);
    if (row >= job.rows) return;
    TO *y = (TO *)job.out.data + row * n;
    visit_parameters<T>(job, [&](auto type) {
        using TW = typename decltype(type)::type;
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (at >= n) continue;
            float x[V], w[V], b[V];
            load_parameter<TW>(job.weight, at, 1, w);
            load_parameter<TW>(job.bias, at, 0, b);
            widen_raw<T>(raw[p], x);
#pragma unroll
            for (int i = 0; i < V; i++) x[i] = (x[i] - mean) * rstd * w[i] + b[i];
            store_values(y + at, x);
        }
    });
    if (t == 0) {
        if (job.centred) ((float *)job.mean.data)[row] = mean;
        ((float *)job.rstd.data)[row] = rstd;
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

/* f(shape) with the smallest of the shapes that a row of n, in packs of V, fits into. False: none.
 */
template <int V, class F> static bool visit_forward_shape(int64_t n, F f) {
    int64_t packs = n / V;
    if (packs <= 8) return f(mp_row_shape<4, 2 * V>{});
    if (packs <= 32) return f(mp_row_shape<8, 4 * V>{});
    if (packs <= 64) return f(mp_row_shape<16, 4 * V>{});
    if (packs <= 128) return f(mp_row_shape<32, 4 * V>{});
    if (packs <= 256) return f(mp_row_shape<64, 4 * V>{});
    if (packs <= 512) return f(mp_row_shape<128, 4 * V>{});
    if (packs <= 1024) return f(mp_row_shape<256, 4 * V>{});
    if (packs <= 2048) return f(mp_row_shape<512, 4 * V>{});
    return packs <= 4096 && f(mp_row_shape<1024, 4 * V>{});
}

template <class T, class TO>
static bool launch_forward(const norm_job &job, const mp_cuda_place *place) {
    return visit_forward_shape<pack_size<T>>(job.n, [&](auto shape) {
        using S = decltype(shape);
        int64_t blocks = mp_row_blocks(job.rows, S::groups);
        if (blocks > INT32_MAX) return false;
        norm_forward<S, T, TO><<<(unsigned)blocks, S::threads, 0, place->stream>>>(job);
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
    bool done = false, plain = have_plain_parameters(job);
    if (can_pack(job) && job.rstd.dtype == MP_FLOAT32) {
        visit_common(job.x.dtype, &status, [&](auto type) {
            using T = typename decltype(type)::type;
            if (job.out.dtype == job.x.dtype) {
                done = plain && launch_forward<T, T>(job, &place);
                if (!done) launch_forward_long<float, T>(job, &place);
                done = true;
            } else if constexpr (!std::is_same_v<T, float>) {
                if (job.out.dtype == MP_FLOAT32)
                    done = plain && launch_forward<T, float>(job, &place);
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
