/* Multi-tensor ops on CUDA: unscale with inf check and gradient norm, and the scaler's update and
 * schedules. What they find stays in device memory. */
#include "lists.cuh"

#include <cfloat>

enum {
    CHECK_WAVES = 32, /* chunks per multiprocessor, about; one block joins what they found */
    JOIN_THREADS = 1024,
};

/* What a block has found. */
struct list_found {
    double squares; /* the sum of the squares of its unscaled elements */
    int64_t bad;    /* index of its item if one of them is inf or NaN, else INT64_MAX */
};

static kind unscale_kind(const mp_list_item *item) {
    if (!item->grad || !item->size) return NONE;
    if (item->grad_dtype == MP_FLOAT64) return WIDE;
    bool common = item->grad_dtype == MP_FLOAT32 || is_half(item->grad_dtype);
    return common && is_aligned(item->grad) ? FAST : ANY;
}

static __device__ inline bool is_bad(float y) { return !(fabsf(y) <= FLT_MAX); }
static __device__ inline bool is_bad(double y) { return !(fabs(y) <= DBL_MAX); }

/* A thread's part of what a block finds. */
struct list_tally {
    double squares;
    bool bad;
};

template <class C> static __device__ inline void count_one(list_tally *tally, C value) {
    tally->squares += (double)value * (double)value;
    tally->bad |= is_bad(value);
}

/* x[i] * by, written back with `write`: then it may overflow once more on its way to T. Four loads
 * of 16 bytes are in flight. Their squares are summed in float32 where that neither overflows nor
 * underflows, which a finite sum of some size shows; else once more in float64. */
template <class T>
static __device__ inline void unscale_run(T *x, int n, float by, bool write, list_tally *tally) {
    constexpr int V = pack_size<T>, PACKS = 4;
    const int packs = n / V;
    for (int first = threadIdx.x; first < packs; first += THREADS * PACKS) {
        mp_pack<T, V> raw[PACKS];
        float sum[PACKS] = {0};
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
            int at = first + p * THREADS;
            raw[p] = at < packs ? load_pack<T, V>(x + (int64_t)at * V) : mp_pack<T, V>{};
        }
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
#pragma unroll
            for (int i = 0; i < V; i++) {
                float value = widen<float>(raw[p].v[i]) * by;
                sum[p] += value * value;
            }
        }
        float total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        if (total <= FLT_MAX && total >= 1e-20f) {
            tally->squares += (double)total;
        } else {
#pragma unroll
            for (int p = 0; p < PACKS; p++) {
#pragma unroll
                for (int i = 0; i < V; i++) count_one(tally, widen<float>(raw[p].v[i]) * by);
            }
        }
        if (!write) continue;
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
            int at = first + p * THREADS;
#pragma unroll
            for (int i = 0; i < V; i++) {
                raw[p].v[i] = narrow<T>(widen<float>(raw[p].v[i]) * by);
                tally->bad |= is_bad(widen<float>(raw[p].v[i]));
            }
            if (at < packs) store_pack<T, V>(x + (int64_t)at * V, raw[p]);
        }
    }
    int rest = packs * V + threadIdx.x; /* fewer than V are left */
    if (rest >= n) return;
    float value = widen<float>(x[rest]) * by;
    count_one(tally, value);
    if (!write) return;
    x[rest] = narrow<T>(value);
    tally->bad |= is_bad(widen<float>(x[rest]));
}

static __device__ inline double unscale_factor(const mp_list_item &item) {
    return item.scale ? 1 / (double)*item.scale : 1;
}

/* The block's result, from those of all its threads. */
static __device__ inline void write_found(list_found *found, list_tally tally, int index) {
    __shared__ double room[THREADS / MP_WARP];
    double squares = block_reduce<THREADS>(tally.squares, mp_add{}, room);
    bool bad = __syncthreads_or(tally.bad);
    if (threadIdx.x == 0) found[blockIdx.x] = {squares, bad ? (int64_t)index : INT64_MAX};
}

/* Reads every gradient once, and writes it with `write`. */
template <int CAPACITY>
__global__ void __launch_bounds__(THREADS)
    unscale_fast(const __grid_constant__ list_part<CAPACITY> part, bool write, list_found *found) {
    const list_run run = run_of(part, blockIdx.x);
    const mp_list_item &item = part.items[run.item];
    void *x = element(item.grad, item.grad_dtype, run.begin);
    const float by = (float)unscale_factor(item);
    write = write && item.scale;
    list_tally tally = {0, false};
    if (item.grad_dtype == MP_FLOAT32) unscale_run((float *)x, run.size, by, write, &tally);
    else if (item.grad_dtype == MP_FLOAT16) unscale_run((__half *)x, run.size, by, write, &tally);
    else unscale_run((__nv_bfloat16 *)x, run.size, by, write, &tally);
    write_found(found, tally, part.index[run.item]);
}

/* The same for any dtype and address, computing in C. */
template <class C, int CAPACITY>
__global__ void __launch_bounds__(THREADS)
    unscale_any(const __grid_constant__ list_part<CAPACITY> part, bool write, list_found *found) {
    const list_run run = run_of(part, blockIdx.x);
    const mp_list_item &item = part.items[run.item];
    const C by = (C)unscale_factor(item);
    list_tally tally = {0, false};
    for (int i = threadIdx.x; i < run.size; i += THREADS) {
        void *x = element(item.grad, item.grad_dtype, run.begin + i);
        C value = load_any<C>(x, item.grad_dtype) * by;
        count_one(&tally, value);
        if (!write || !item.scale) continue;
        store_any(x, item.grad_dtype, value);
        tally.bad |= is_bad(load_any<C>(x, item.grad_dtype));
    }
    write_found(found, tally, part.index[run.item]);
}

/* One block: joins what n blocks have found, in a fixed order. */
__global__ void __launch_bounds__(JOIN_THREADS)
    unscale_join(const list_found *found, int64_t n, double max_norm, mp_stats *stats) {
    __shared__ double room[JOIN_THREADS / MP_WARP];
    __shared__ int64_t first_room[JOIN_THREADS / MP_WARP];
    double squares = 0;
    int64_t bad = INT64_MAX;
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < n; i += JOIN_THREADS) {
        squares += found[i].squares;
        bad = found[i].bad < bad ? found[i].bad : bad;
    }
    squares = block_reduce<JOIN_THREADS>(squares, mp_add{}, room);
    bad = block_reduce<JOIN_THREADS>(bad, mp_lesser{}, first_room);
    if (threadIdx.x) return;
    double norm = sqrt(squares), factor = max_norm / (norm + 1e-6);
    bool any = bad != INT64_MAX, clip = norm <= DBL_MAX && factor < 1;
    *stats = {any ? 1.0f : 0.0f, (float)norm, clip ? (float)factor : 1.0f,
              any ? (float)bad : -1.0f};
}

/* found_inf, the norm of all gradients times 1 / scale, the clip coefficient for max_norm, and the
 * first item with inf or NaN. With `write` the gradients are left unscaled. */
extern "C" mp_status mp_cuda_list_unscale(const mp_list_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    const list_plan plan = plan_of(call, unscale_kind, (int64_t)place.processors * CHECK_WAVES);
    const size_t bytes = (size_t)(plan.blocks ? plan.blocks : 1) * sizeof(list_found);
    void *memory;
    MP_TRY(mp_cuda_scratch(&place, bytes, &memory));
    list_found *at = (list_found *)memory;
    launch_kind(&plan, FAST, [&](const auto &part, unsigned blocks) {
        unscale_fast<<<blocks, THREADS, 0, place.stream>>>(part, call->write, at);
        at += blocks;
    });
    launch_parts<MANY>(&plan, ANY, [&](const auto &part, unsigned blocks) {
        unscale_any<float><<<blocks, THREADS, 0, place.stream>>>(part, call->write, at);
        at += blocks;
    });
    launch_parts<MANY>(&plan, WIDE, [&](const auto &part, unsigned blocks) {
        unscale_any<double><<<blocks, THREADS, 0, place.stream>>>(part, call->write, at);
        at += blocks;
    });
    if (call->stats)
        unscale_join<<<1, JOIN_THREADS, 0, place.stream>>>((const list_found *)memory, plan.blocks,
                                                           call->max_norm, call->stats);
    mp_status status = MP_CUDA_LAUNCHED();
    mp_cuda_scratch_free(&place, memory, bytes);
    return status;
}

/* ---- the scaler ---- */

__global__ void scaler_update(mp_scaler *scaler, const mp_stats *stats, float *scale_after,
                              double growth, double backoff, double interval, double min_scale,
                              double max_scale, double hysteresis) {
    if (stats && stats->found_inf != 0) scaler->found_inf = 1;
    mp_scaler_law(scaler, growth, backoff, interval, min_scale, max_scale, hysteresis);
    if (scale_after) *scale_after = scaler->scale;
}

extern "C" mp_status mp_cuda_list_scaler_update(const mp_list_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    scaler_update<<<1, 1, 0, place.stream>>>(
        call->scaler, call->stats, call->scale_after, call->growth_factor, call->backoff_factor,
        call->growth_interval, call->min_scale, call->max_scale, call->hysteresis);
    return MP_CUDA_LAUNCHED();
}

/* ---- schedules ---- */

__global__ void count_step(double *count, const mp_stats *stats) {
    if (stats->found_inf == 0) *count += 1;
}

extern "C" mp_status mp_cuda_list_count(const mp_list_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    count_step<<<1, 1, 0, place.stream>>>(call->count, call->stats);
    return MP_CUDA_LAUNCHED();
}

/* One block. */
__global__ void schedule(const mp_schedule s) {
    const double count = *s.count, now = s.place[0] + (s.sure || count != s.place[1] ? 1 : 0);
    const double *rates = now != s.place[0] ? s.table + (int64_t)now * s.n : s.before;
    for (int64_t k = threadIdx.x; k < s.n; k += blockDim.x) s.after[k] = rates[k];
    __syncthreads(); /* all have read the place */
    if (threadIdx.x) return;
    s.place[0] = now;
    s.place[1] = count;
}

extern "C" mp_status mp_cuda_list_schedule(const mp_list_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    schedule<<<1, MP_WARP, 0, place.stream>>>(call->schedule);
    return MP_CUDA_LAUNCHED();
}
