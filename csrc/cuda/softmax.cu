/* softmax and log_softmax along one axis of contiguous arrays, and their gradients. An array is
 * outer x n x inner; sums are float32, float64 where an array is.
 *
 * - rows (inner is 1) in registers, to 16384 elements of float16, bfloat16 and float32: each
 * element is read once and written once.
 * - longer rows, and those of other dtypes: maximum and sum in one pass, the result in a second,
 * which finds a row in the cache.
 * - columns (inner > 1): the same two passes for neighbouring columns side by side. */
#include "softmax.cuh"

struct softmax_job {
    mp_operand x, y, out; /* backward: x is gy, y the output of the forward op */
    int64_t outer, n, inner;
    double scale; /* of softmax's gradient */
    bool logarithm;
};

static __device__ inline float logarithm(float x) { return logf(x); }
static __device__ inline double logarithm(double x) { return log(x); }

/* What the second pass needs of a row: forward the maximum and the sum, made ready; backward the
 * sum. */
template <class C> static __device__ inline C finish_sum(bool as_logarithm, C sum) {
    return as_logarithm ? logarithm(sum) : 1 / sum;
}
template <class C> static __device__ inline C forward_one(bool as_logarithm, C x, C most, C sum) {
    return as_logarithm ? x - most - sum : power(x - most) * sum;
}
template <class C>
static __device__ inline C backward_one(const softmax_job &job, C gy, C y, C sum) {
    return job.logarithm ? gy - power(y) * sum : y * (gy - sum) * (C)job.scale;
}

/* ---- rows in registers ---- */

/* y = exp(x - max) / sum(exp(x - max)), or x - max - log(sum(exp(x - max))) */
template <class S, class T, class TO>
__global__ void __launch_bounds__(S::threads, softmax_resident<S>)
    softmax_rows(const __grid_constant__ softmax_job job) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V;
    __shared__ float room[2 * S::warps];
    const int n = (int)job.n, t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    unsigned turn = 0;
    float x[P][V], most[1] = {-INFINITY}, sum[1] = {0};
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
#pragma unroll
        for (int i = 0; i < V; i++) x[p][i] = -INFINITY;
        if (row < job.outer && at < n) load_elements<T>(job.x, row * n + at, x[p]);
    }
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int i = 0; i < V; i++) most[0] = fmaxf(most[0], x[p][i]);
    group_reduce<G>(most, highest_of{}, room, turn);
#pragma unroll
    for (int p = 0; p < P; p++) {
        if ((p * G + t) * V >= n) continue;
#pragma unroll
        for (int i = 0; i < V; i++) {
            float e = expf(x[p][i] - most[0]);
            sum[0] += e;
            if (!job.logarithm) x[p][i] = e;
        }
    }
    group_reduce<G>(sum, mp_add{}, room, turn);
    float last = finish_sum(job.logarithm, sum[0]);
    if (row >= job.outer) return;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        if (at >= n) continue;
#pragma unroll
        for (int i = 0; i < V; i++)
            x[p][i] = job.logarithm ? x[p][i] - most[0] - last : x[p][i] * last;
        store_elements<TO>(job.out, row * n + at, x[p]);
    }
}

/* gx = y (gy - sum(gy y)) scale, or gy - exp(y) sum(gy). Packs stay as they are at rest, to need
 * fewer registers. */
template <class S, class T>
__global__ void __launch_bounds__(S::threads, softmax_resident<S>)
    softmax_bwd_rows(const __grid_constant__ softmax_job job) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V;
    __shared__ float room[2 * S::warps];
    const int n = (int)job.n, t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    unsigned turn = 0;
    uint4 gy_raw[P], y_raw[P];
    float gy[V], y[V], sum[1] = {0};
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        gy_raw[p] = y_raw[p] = make_uint4(0, 0, 0, 0);
        if (row >= job.outer || at >= n) continue;
        gy_raw[p] = load_raw((const T *)job.x.data + row * n + at);
        y_raw[p] = load_raw((const T *)job.y.data + row * n + at);
    }
#pragma unroll
    for (int p = 0; p < P; p++) {
        widen_raw<T>(gy_raw[p], gy);
        widen_raw<T>(y_raw[p], y);
#pragma unroll
        for (int i = 0; i < V; i++) sum[0] += job.logarithm ? gy[i] : gy[i] * y[i];
    }
    group_reduce<G>(sum, mp_add{}, room, turn);
    if (row >= job.outer) return;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        if (at >= n) continue;
        widen_raw<T>(gy_raw[p], gy);
        widen_raw<T>(y_raw[p], y);
#pragma unroll
        for (int i = 0; i < V; i++) gy[i] = backward_one(job, gy[i], y[i], sum[0]);
        store_elements<T>(job.out, row * n + at, gy);
    }
}

/* ---- rows that are read twice ---- */

template <int G, bool BACKWARD, class C, class T, class TO>
__global__ void __launch_bounds__(softmax_group<G>::threads)
    softmax_long(const __grid_constant__ softmax_job job) {
    constexpr int V = mp_row_pack<T>;
    __shared__ C room[2 * softmax_group<G>::warps];
    const int t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * softmax_group<G>::groups + threadIdx.x / G,
                  begin = row * job.n;
    const int64_t count = row < job.outer ? job.n : 0;
    unsigned turn = 0;
    running<C> all;
    all.start();
    C x[V], y[V], most[1], sum[1];
#pragma unroll 4
    for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
        load_elements<T>(job.x, begin + at, x);
        if constexpr (BACKWARD) {
            load_elements<T>(job.y, begin + at, y);
#pragma unroll
            for (int i = 0; i < V; i++) all.sum += job.logarithm ? x[i] : x[i] * y[i];
        } else {
            all.add(x);
        }
    }
    if constexpr (!BACKWARD) {
        most[0] = all.most;
        group_reduce<G>(most, highest_of{}, room, turn);
        all.raise(most[0]);
    }
    sum[0] = all.sum;
    group_reduce<G>(sum, mp_add{}, room, turn);
    C last = BACKWARD ? sum[0] : finish_sum(job.logarithm, sum[0]);
#pragma unroll 4
    for (int64_t at = (int64_t)t * V; at < count; at += G * V) {
        load_elements<T>(job.x, begin + at, x);
        if constexpr (BACKWARD) load_elements<T>(job.y, begin + at, y);
#pragma unroll
        for (int i = 0; i < V; i++) {
            if constexpr (BACKWARD) x[i] = backward_one(job, x[i], y[i], last);
            else x[i] = forward_one(job.logarithm, x[i], most[0], last);
        }
        store_elements<TO>(job.out, begin + at, x);
    }
}

/* ---- columns: a lane has V of them, the LINES warps of a block walk over n together ---- */

template <int LINES, bool BACKWARD, class C, class T, class TO>
__global__ void __launch_bounds__(LINES *MP_WARP)
    softmax_columns(const __grid_constant__ softmax_job job) {
    constexpr int V = mp_row_pack<T>;
    __shared__ C room[LINES > 1 ? 2 : 1][LINES][V][MP_WARP];
    const int lane = threadIdx.x % MP_WARP, line = threadIdx.x / MP_WARP;
    const int64_t across = (job.inner + MP_WARP * V - 1) / (MP_WARP * V);
    for (int64_t tile = blockIdx.x; tile < job.outer * across; tile += gridDim.x) {
        const int64_t outer = tile / across,
                      column = ((tile - outer * across) * MP_WARP + lane) * V;
        const int64_t begin = outer * job.n * job.inner + column,
                      count = column < job.inner ? job.n : 0;
        running<C> all[V];
        C x[V], y[V];
#pragma unroll
        for (int i = 0; i < V; i++) all[i].start();
#pragma unroll 2
        for (int64_t j = line; j < count; j += LINES) {
            load_elements<T>(job.x, begin + j * job.inner, x);
            if constexpr (BACKWARD) load_elements<T>(job.y, begin + j * job.inner, y);
#pragma unroll
            for (int i = 0; i < V; i++) {
                C one[1] = {x[i]};
                if constexpr (BACKWARD) all[i].sum += job.logarithm ? x[i] : x[i] * y[i];
                else all[i].add(one);
            }
        }
        if constexpr (LINES > 1) {
            __syncthreads(); /* room may still be read for the last tile */
#pragma unroll
            for (int i = 0; i < V; i++)
                room[0][line][i][lane] = all[i].most, room[1][line][i][lane] = all[i].sum;
            __syncthreads();
#pragma unroll
            for (int i = 0; i < V; i++) {
                C most = room[0][0][i][lane], sum = 0;
                if constexpr (!BACKWARD)
                    for (int k = 1; k < LINES; k++) most = highest(most, room[0][k][i][lane]);
                for (int k = 0; k < LINES; k++) {
                    running<C> part = {room[0][k][i][lane], room[1][k][i][lane]};
                    if constexpr (!BACKWARD) part.raise(most);
                    sum += part.sum;
                }
                all[i] = running<C>{most, sum};
            }
        }
#pragma unroll
        for (int i = 0; i < V; i++)
            if constexpr (!BACKWARD) all[i].sum = finish_sum(job.logarithm, all[i].sum);
#pragma unroll 2
        for (int64_t j = line; j < count; j += LINES) {
            load_elements<T>(job.x, begin + j * job.inner, x);
            if constexpr (BACKWARD) load_elements<T>(job.y, begin + j * job.inner, y);
#pragma unroll
            for (int i = 0; i < V; i++) {
                if constexpr (BACKWARD) x[i] = backward_one(job, x[i], y[i], all[i].sum);
                else x[i] = forward_one(job.logarithm, x[i], all[i].most, all[i].sum);
            }
            store_elements<TO>(job.out, begin + j * job.inner, x);
        }
    }
}

/* ---- launching ---- */

template <int LINES, bool BACKWARD, class C, class T, class TO>
static void launch_columns(const softmax_job &job, const mp_cuda_place *place) {
    int64_t width = MP_WARP * mp_row_pack<T>, tiles = job.outer * ((job.inner + width - 1) / width);
    unsigned blocks = (unsigned)(tiles < INT32_MAX ? tiles : INT32_MAX);
    softmax_columns<LINES, BACKWARD, C, T, TO><<<blocks, LINES * MP_WARP, 0, place->stream>>>(job);
}

template <bool BACKWARD, class C, class T, class TO>
static void launch_twice(const softmax_job &job, const mp_cuda_place *place) {
    if (job.inner > 1) {
        if (job.n < 16) launch_columns<1, BACKWARD, C, T, TO>(job, place);
        else launch_columns<8, BACKWARD, C, T, TO>(job, place);
    } else if (job.n <= 1024) {
        int64_t blocks = mp_row_blocks(job.outer, softmax_group<32>::groups);
        softmax_long<32, BACKWARD, C, T, TO>
            <<<(unsigned)blocks, softmax_group<32>::threads, 0, place->stream>>>(job);
    } else {
        softmax_long<512, BACKWARD, C, T, TO>
            <<<(unsigned)job.outer, softmax_group<512>::threads, 0, place->stream>>>(job);
    }
}

/* Rows or columns of packs: backward gy, y and gx are of one type T, forward x is of T and the
 * result of TO. */
template <bool BACKWARD, class T, class TO>
static void launch_packs(const softmax_job &job, const mp_cuda_place *place) {
    bool registers = job.inner == 1 && visit_softmax_shape<BACKWARD>(job.n, [&](auto shape) {
                         using S = decltype(shape);
                         unsigned blocks = (unsigned)mp_row_blocks(job.outer, S::groups);
                         if constexpr (BACKWARD)
                             softmax_bwd_rows<S, T><<<blocks, S::threads, 0, place->stream>>>(job);
                         else softmax_rows<S, T, TO><<<blocks, S::threads, 0, place->stream>>>(job);
                     });
    if (!registers) launch_twice<BACKWARD, float, T, TO>(job, place);
}

static bool can_pack(const softmax_job &job) {
    int64_t along = job.inner == 1 ? job.n : job.inner;
    return along % (16 / job.x.bytes) == 0 && is_aligned(job.x.data) && is_aligned(job.out.data) &&
           (!job.y.data ||
            (is_aligned(job.y.data) && job.y.dtype == job.x.dtype && job.out.dtype == job.x.dtype));
}

template <bool BACKWARD> static mp_status run(mp_call *call, bool as_logarithm) {
    mp_cuda_place place;
    mp_status status;
    const mp_array *out = call->out[0];
    softmax_job job = {mp_operand_of(call->in[0]),
                       mp_operand_of(BACKWARD ? call->in[1] : NULL),
                       mp_operand_of(out),
                       1,
                       1,
                       1,
                       call->attrs.scale,
                       as_logarithm};
    if (out->size == 0) return MP_OK;
    for (int d = 0; d < out->ndim; d++)
        *(d < call->attrs.axis    ? &job.outer
          : d == call->attrs.axis ? &job.n
                                  : &job.inner) *= out->shape[d];
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool done = false;
    if (can_pack(job)) {
        visit_common(job.x.dtype, &status, [&](auto type) {
            using T = typename decltype(type)::type;
            done = true;
            if (job.out.dtype == job.x.dtype) launch_packs<BACKWARD, T, T>(job, &place);
            else if constexpr (BACKWARD || std::is_same_v<T, float>) done = false;
            else if (job.out.dtype == MP_FLOAT32) launch_packs<BACKWARD, T, float>(job, &place);
            else done = false;
            return MP_OK;
        });
    }
    bool wide = job.x.dtype == MP_FLOAT64 || job.out.dtype == MP_FLOAT64 ||
                (BACKWARD && job.y.dtype == MP_FLOAT64);
    if (!done && wide) launch_twice<BACKWARD, double, mp_any, mp_any>(job, &place);
    else if (!done) launch_twice<BACKWARD, float, mp_any, mp_any>(job, &place);
    return MP_CUDA_LAUNCHED();
}

extern "C" mp_status mp_cuda_softmax(mp_call *call) { return run<false>(call, false); }
extern "C" mp_status mp_cuda_log_softmax(mp_call *call) { return run<false>(call, true); }
extern "C" mp_status mp_cuda_softmax_bwd(mp_call *call) { return run<true>(call, false); }
extern "C" mp_status mp_cuda_scaled_masked_softmax_bwd(mp_call *call) {
    return run<true>(call, false);
}
extern "C" mp_status mp_cuda_log_softmax_bwd(mp_call *call) { return run<true>(call, true); }
