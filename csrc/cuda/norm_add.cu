/* add_layer_norm: h = x + residual and y = layer_norm(h) in one pass, and its gradient.
 *
 * - rows in registers, to 8192 elements of float16, bfloat16 and float32, and narrow ones added to
 * float32. A persistent grid walks over the rows, the next ones on their way while one is reduced:
 * x and residual are read once, h and y written once. The gradient reads gy, gh and h once and
 * writes gx once (norm_bwd.cuh).
 * - other rows: the sum, then the norm. */
#include "norm_bwd.cuh"

/* ---- weight and bias, as float in shared memory ---- */

/* Where element i of a parameter lies in shared memory: such that a warp's 16-byte reads of its
 * elements are neighbours. */
template <class S, int V> static __device__ inline int parameter_slot(int i) {
    int pack = i / V, e = i % V;
    return ((pack / S::G * (V / 4) + e / 4) * S::G + pack % S::G) * 4 + e % 4;
}

template <class S, int V>
static __device__ inline void keep_parameter(float *room, const mp_operand &a, int n, float none) {
    for (int i = threadIdx.x; i < n; i += S::threads)
        room[parameter_slot<S, V>(i)] =
            a.data ? load_any<float>(a.data + (int64_t)i * a.bytes, a.dtype) : none;
}

/* Pack p of thread t. */
template <class S, int V>
static __device__ inline void parameter_pack(const float *room, int p, int t, float (&x)[V]) {
#pragma unroll
    for (int q = 0; q < V / 4; q++) {
        float4 four = ((const float4 *)room)[(p * (V / 4) + q) * S::G + t];
        x[4 * q] = four.x, x[4 * q + 1] = four.y, x[4 * q + 2] = four.z, x[4 * q + 3] = four.w;
    }
}

/* ---- h and y of rows in registers ---- */

/* Blocks that a multiprocessor holds at once. */
template <class S> constexpr int staged_resident = S::E > 8 ? 512 / S::threads : 1024 / S::threads;

/* f(shape) with the smallest of the shapes that a row of n fits into. False: none. */
template <class F> static bool visit_staged_shape(int64_t n, F f) {
    if (n <= 64) return f(mp_row_shape<8, 8>{});
    if (n <= 256) return f(mp_row_shape<32, 8>{});
    if (n <= 512) return f(mp_row_shape<32, 16>{});
    if (n <= 1024) return f(mp_row_shape<128, 8>{});
    if (n <= 2048) return f(mp_row_shape<128, 16>{});
    if (n <= 4096) return f(mp_row_shape<256, 16>{});
    return n <= 8192 && f(mp_row_shape<512, 16>{});
}

/* Rows of a group in shared memory, on their way or in use. */
template <class TX, class T> constexpr int add_stages = sizeof(TX) + sizeof(T) > 6 ? 2 : 3;

template <class S, class TX, class T>
constexpr size_t add_shared = (size_t)S::G *S::E * 2 * sizeof(float) +
                              (size_t)add_stages<TX, T> *S::threads *S::E *(sizeof(TX) + sizeof(T));

/* V elements of T from packs that lie `step` apart. */
template <class T, int V>
static __device__ inline void widen_packs(const uint4 *from, int step, float (&x)[V]) {
    constexpr int each = pack_size<T>;
#pragma unroll
    for (int q = 0; q < V / each; q++) {
        float part[each];
        widen_raw<T>(from[q * step], part);
#pragma unroll
        for (int i = 0; i < each; i++) x[q * each + i] = part[i];
    }
}

/* Stores x and rounds it to what is stored. */
template <class T, int V> static __device__ inline void store_rounded(T *to, float (&x)[V]) {
    if constexpr (std::is_same_v<T, float>) {
        store_values(to, x);
    } else {
        mp_pack<uint32_t, V / 2> words;
#pragma unroll
        for (int k = 0; k < V / 2; k++) {
            words.v[k] = narrow_pair(mp_type<T>{}, x[2 * k], x[2 * k + 1]);
            float2 pair = widen_pair(mp_type<T>{}, words.v[k]);
            x[2 * k] = pair.x, x[2 * k + 1] = pair.y;
        }
        store_pack<uint32_t, V / 2>((uint32_t *)to, words);
    }
}

/* h = x + residual, y = (h - mean) rstd weight + bias with mean = sum(h) / n and rstd = 1 /
 * sqrt(sum((h - mean)^2) / n + eps). residual, h and y are of T. A thread copies the elements it
 * will use itself, so that copies need no barrier. */
template <class S, class TX, class T>
__global__ void __launch_bounds__(S::threads, staged_resident<S>)
    norm_add_forward(const __grid_constant__ norm_job job) {
    constexpr int G = S::G, V = pack_size<TX>, P = S::E / V, PACKS = V / pack_size<T>,
                  STAGES = add_stages<TX, T>;
    extern __shared__ float4 memory[];
    __shared__ float room[2 * S::warps];
    float *weight = (float *)memory, *bias = weight + G * S::E;
    uint4 *stages = (uint4 *)(bias + G * S::E); /* [STAGES][P][x, residual of PACKS][threads] */
    const int n = (int)job.n, t = threadIdx.x % G;
    const float share = 1 / (float)n, eps = (float)job.eps;
    const int64_t step = (int64_t)gridDim.x * S::groups;
    int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    unsigned turn = 0;
    int slot = 0;

    auto stage = [&](int which, int p, int pack) {
        return stages + ((which * P + p) * (1 + PACKS) + pack) * S::threads + threadIdx.x;
    };
    auto fetch = [&](int which, int64_t from) {
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (from >= job.rows || at >= n) continue;
            const T *residual = (const T *)job.residual.data + from * n + at;
            __pipeline_memcpy_async(stage(which, p, 0), (const TX *)job.x.data + from * n + at, 16);
#pragma unroll
            for (int q = 0; q < PACKS; q++)
                __pipeline_memcpy_async(stage(which, p, 1 + q), residual + q * pack_size<T>, 16);
        }
        __pipeline_commit();
    };

#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) fetch(s, row + s * step);
    keep_parameter<S, V>(weight, job.weight, n, 1);
    keep_parameter<S, V>(bias, job.bias, n, 0);
    __syncthreads();

    for (int64_t first = (int64_t)blockIdx.x * S::groups; first < job.rows;
         first += step, row += step) {
        float h[P][V], sum[1] = {0};
        __pipeline_wait_prior(STAGES - 2);
        fetch(slot == 0 ? STAGES - 1 : slot - 1,
              row + (STAGES - 1) * step); /* to where the last row was */
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (row >= job.rows || at >= n) continue;
            float residual[V];
            widen_raw<TX>(*stage(slot, p, 0), h[p]);
            widen_packs<T>(stage(slot, p, 1), S::threads, residual);
#pragma unroll
            for (int i = 0; i < V; i++) h[p][i] += residual[i];
            store_rounded((T *)job.h.data + row * n + at, h[p]);
#pragma unroll
            for (int i = 0; i < V; i++) sum[0] += h[p][i];
        }
        slot = slot == STAGES - 1 ? 0 : slot + 1;
        group_reduce<G>(sum, mp_add{}, room, turn);
        const float mean = sum[0] * share;
        sum[0] = 0;
#pragma unroll
        for (int p = 0; p < P; p++) {
            if (row >= job.rows || (p * G + t) * V >= n) continue;
#pragma unroll
            for (int i = 0; i < V; i++) {
                h[p][i] -= mean;
                sum[0] += h[p][i] * h[p][i];
            }
        }
        group_reduce<G>(sum, mp_add{}, room, turn);
        const float rstd = 1 / sqrtf(sum[0] * share + eps);
        if (row >= job.rows) continue; /* the last rows may be fewer than the groups of a block */
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
            if (at >= n) continue;
            float w[V], b[V];
            parameter_pack<S>(weight, p, t, w);
            parameter_pack<S>(bias, p, t, b);
#pragma unroll
            for (int i = 0; i < V; i++) h[p][i] = h[p][i] * rstd * w[i] + b[i];
            store_values((T *)job.out.data + row * n + at, h[p]);
        }
        if (t == 0) {
            ((float *)job.mean.data)[row] = mean;
            ((float *)job.rstd.data)[row] = rstd;
        }
    }
}

/* False where no shape fits. */
template <class TX, class T>
static bool launch_add(const norm_job &job, const mp_cuda_place *place) {
    return visit_staged_shape(job.n, [&](auto shape) {
        using S = decltype(shape);
        auto kernel = norm_add_forward<S, TX, T>;
        constexpr size_t shared = add_shared<S, TX, T>;
        if (!have_shared((const void *)kernel, place, shared)) return false;
        int64_t blocks = mp_row_blocks(job.rows, S::groups),
                most = (int64_t)place->processors * staged_resident<S>;
        kernel<<<(unsigned)(blocks < most ? blocks : most), S::threads, shared, place->stream>>>(
            job);
        return true;
    });
}

/* ---- the ops ---- */

extern "C" mp_status mp_cuda_add(mp_call *call);
extern "C" mp_status mp_cuda_layer_norm(mp_call *call);
extern "C" mp_status mp_cuda_layer_norm_bwd(mp_call *call);

static mp_status one_by_one(const mp_call *call) {
    mp_call sum = *call, norm = *call;
    mp_array *normed[3] = {call->out[1], call->in[2], call->in[3]};
    sum.out[0] = call->out[1];
    norm.in = normed;
    norm.out[0] = call->out[0], norm.out[1] = call->out[2], norm.out[2] = call->out[3];
    MP_TRY(mp_cuda_add(&sum)); /* of the first two inputs */
    return mp_cuda_layer_norm(&norm);
}

/* x is the narrower of the two terms; residual has the dtype of h and y. */
static bool have_plain_rows(const norm_job &job) {
    return can_pack(job) && is_aligned(job.residual.data) && is_aligned(job.h.data) &&
           job.residual.dtype == job.h.dtype && job.out.dtype == job.h.dtype &&
           job.rstd.dtype == MP_FLOAT32 && job.rows > 0;
}

extern "C" mp_status mp_cuda_add_layer_norm(mp_call *call) {
    mp_cuda_place place;
    mp_status status = MP_OK;
    bool swap = mp_itemsize(call->in[1]) < mp_itemsize(call->in[0]), done = false;
    norm_job job = norm_job_of(call, call->in[swap], call->in[2], call->in[3]);
    job.residual = mp_operand_of(call->in[!swap]);
    job.h = mp_operand_of(call->out[1]);
    job.mean = mp_operand_of(call->out[2]);
    job.rstd = mp_operand_of(call->out[3]);
    job.eps = call->attrs.eps;
    if (!have_plain_rows(job)) return one_by_one(call);
    MP_TRY(mp_cuda_enter(call->device, &place));
    visit_common(job.x.dtype, &status, [&](auto type) {
        using T = typename decltype(type)::type;
        if (job.h.dtype == job.x.dtype) done = launch_add<T, T>(job, &place);
        else if constexpr (!std::is_same_v<T, float>)
            done = job.h.dtype == MP_FLOAT32 && launch_add<T, float>(job, &place);
        return MP_OK;
    });
    return done ? MP_CUDA_LAUNCHED() : one_by_one(call);
}

extern "C" mp_status mp_cuda_add_layer_norm_bwd(mp_call *call) {
    mp_array *gy = call->in[0], *gh = call->in[1], **rest = call->in + 2;
    if (!gh) {
        mp_call plain = *call;
        mp_array *in[5] = {gy, rest[0], rest[1], rest[2], rest[3]};
        plain.in = in;
        return mp_cuda_layer_norm_bwd(&plain);
    }
    norm_job job = norm_job_of(call, rest[0], rest[1], NULL);
    job.centred = true;
    job.gh = mp_operand_of(gh);
    job.mean = mp_operand_of(rest[2]);
    job.rstd = mp_operand_of(rest[3]);
    return backward<true>(call, job);
}
