/* Losses over classes with class indices, and their gradients: cross_entropy, nll_loss. PyTorch's
 * formulas. Here are the kernels for rows whose classes lie side by side; other layouts and dtypes
 * go to those of loss.cuh. */
#include "loss.cuh"

enum {
    ROW_LOADS = 4,       /* 16-byte loads that a thread has in flight */
    BWD_LOADS = 2,       /* the same where it also stores */
    SHORT_ROW = 4096,    /* bytes of a row up to which a warp works on it, above a block */
    MOST_SUMS = 16384,   /* blocks whose sums the last block joins */
    COUNTED_HERE = 1024, /* rows or classes up to which each backward block counts them itself */
};

/* ---- rows ---- */

/* A row in memory: `head` elements up to a 16-byte boundary, packs of V, `tail` elements. */
template <class T> struct row_parts {
    int head, packs, tail;

    __device__ inline row_parts(const T *row, int n) {
        constexpr int V = pack_size<T>;
        int to_boundary = (int)((16 - ((uintptr_t)row & 15)) & 15) / (int)sizeof(T);
        head = to_boundary < n ? to_boundary : n;
        packs = (n - head) / V;
        tail = n - head - packs * V;
    }
};

/* One 16-byte store, which the compiler does not always make of store_pack here. */
template <class T>
static __device__ inline void store_words(T *p, const mp_pack<T, pack_size<T>> &pack) {
    uint4 words;
    memcpy(&words, &pack, sizeof words);
    __stwb((uint4 *)p, words);
}

template <class T, bool SMOOTH>
static __device__ inline void take_element(class_state<float> *state, T element) {
    float x = widen<float>(element);
    state->raise<T>(larger(state->most, x));
    float d = x - reference(state->most);
    state->sum += exp_of<T>(d);
    if constexpr (SMOOTH) {
        state->spread += d;
        state->share += 1;
    }
}

/* What thread `lane` of GROUP sees of a row of n elements. One rescaling per ROW_LOADS packs. */
template <class T, int GROUP, bool SMOOTH>
static __device__ inline class_state<float> row_state(const T *row, int n, int lane) {
    constexpr int V = pack_size<T>;
    class_state<float> state = {-INFINITY, 0, 0, 0};
    row_parts<T> parts(row, n);
    const T *body = row + parts.head;
    for (int first = lane; first < parts.packs; first += ROW_LOADS * GROUP) {
        mp_pack<T, V> x[ROW_LOADS];
#pragma unroll
        for (int u = 0; u < ROW_LOADS; u++)
            if (first + u * GROUP < parts.packs)
                x[u] = load_pack<T, V>(body + (first + u * GROUP) * V);
        float high = state.most;
#pragma unroll
        for (int u = 0; u < ROW_LOADS; u++) {
            if (first + u * GROUP >= parts.packs) continue;
#pragma unroll
            for (int i = 0; i < V; i++) high = larger(high, widen<float>(x[u].v[i]));
        }
        state.template raise<T>(high);
        float r = reference(high);
#pragma unroll
        for (int u = 0; u < ROW_LOADS; u++) {
            if (first + u * GROUP >= parts.packs) continue;
            float sum = 0, spread = 0;
#pragma unroll
            for (int i = 0; i < V; i++) {
                float d = widen<float>(x[u].v[i]) - r;
                sum += exp_of<T>(d);
                if constexpr (SMOOTH) spread += d;
            }
            state.sum += sum;
            if constexpr (SMOOTH) {
                state.spread += spread;
                state.share += V;
            }
        }
    }
    if (lane < parts.head) take_element<T, SMOOTH>(&state, row[lane]);
    if (lane < parts.tail) take_element<T, SMOOTH>(&state, body[parts.packs * V + lane]);
    return state;
}

template <int GROUP, class F>
static __device__ inline float group_reduce(float x, F join, float *room) {
    if constexpr (GROUP == MP_WARP) return warp_reduce(x, join);
    else return block_reduce<GROUP>(x, join, room);
}

/* Losses and lse of rows, GROUP threads a row. Reads x once, keeping a running maximum. */
template <class T, int GROUP, bool SMOOTH>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    class_rows(const __grid_constant__ class_job job, class_sums *sums) {
    constexpr int GROUPS = MP_CUDA_THREADS / GROUP;
    __shared__ float room[MP_CUDA_THREADS / MP_WARP];
    int lane = threadIdx.x % GROUP, n = (int)job.classes;
    class_sums mine = {0, 0};
    for (int64_t row = (int64_t)blockIdx.x * GROUPS + threadIdx.x / GROUP; row < job.rows;
         row += (int64_t)gridDim.x * GROUPS) {
        class_state<float> state =
            row_state<T, GROUP, SMOOTH>((const T *)job.x.data + row * n, n, lane);
        state.template raise<T>(group_reduce<GROUP>(state.most, mp_larger(), room));
        state.sum = group_reduce<GROUP>(state.sum, mp_add(), room);
        if constexpr (SMOOTH) {
            state.spread = group_reduce<GROUP>(state.spread, mp_add(), room);
            state.share = (float)n;
        }
        if (lane == 0) row_loss<float, T, false>(job, state, row, &mine);
    }
    if (job.reduction != MP_REDUCE_NONE)
        give_sums<float>(job, GROUPS == 1 ? mine : block_sums(mine), sums);
}

/* gx of an element; `own`: it is the target's. */
template <class T>
static __device__ inline T element_slope(const class_slope<float> &s, T x, bool own) {
    float gx = s.scale * exp_of<T>(widen<float>(x) - s.lse) - s.share;
    return narrow<T>(own ? gx - s.own : gx);
}

/* gx of a row of n elements, by GROUP threads. */
template <class T, int GROUP>
static __device__ inline void row_slopes(const class_slope<float> &s, const T *x, T *gx, int n,
                                         int lane) {
    constexpr int V = pack_size<T>;
    row_parts<T> parts(x, n);
    int target = (int)s.target - parts.head, end = parts.packs * V;
    const T *body = x + parts.head;
    T *to = gx + parts.head;
    for (int first = lane; first < parts.packs; first += BWD_LOADS * GROUP) {
        mp_pack<T, V> in[BWD_LOADS];
#pragma unroll
        for (int u = 0; u < BWD_LOADS; u++)
            if (first + u * GROUP < parts.packs)
                in[u] = load_pack<T, V>(body + (first + u * GROUP) * V);
#pragma unroll
        for (int u = 0; u < BWD_LOADS; u++) {
            int at = (first + u * GROUP) * V;
            if (at >= end) continue;
            mp_pack<T, V> out;
#pragma unroll
            for (int i = 0; i < V; i++) out.v[i] = element_slope(s, in[u].v[i], target - at == i);
            store_words(to + at, out);
        }
    }
    if (lane < parts.head) gx[lane] = element_slope(s, x[lane], s.target == lane);
    if (lane < parts.tail)
        to[end + lane] = element_slope(s, body[end + lane], target == end + lane);
}

/* The same of a row that is ignored. */
template <class T, int GROUP> static __device__ inline void row_zeros(T *gx, int n, int lane) {
    constexpr int V = pack_size<T>;
    row_parts<T> parts(gx, n);
    mp_pack<T, V> zeros;
#pragma unroll
    for (int i = 0; i < V; i++) zeros.v[i] = narrow<T>(0.0f);
    for (int at = lane; at < parts.packs; at += GROUP) store_words(gx + parts.head + at * V, zeros);
    if (lane < parts.head) gx[lane] = zeros.v[0];
    if (lane < parts.tail) gx[n - 1 - lane] = zeros.v[0];
}

/* gx of rows, GROUP threads a row. Reads x once, writes gx; row by row from the last, which the L2
 * cache may still hold from the forward pass. */
template <class T, int GROUP>
__global__ void __launch_bounds__(MP_CUDA_THREADS, 4)
    class_rows_bwd(const __grid_constant__ class_job job) {
    constexpr int GROUPS = MP_CUDA_THREADS / GROUP;
    int lane = threadIdx.x % GROUP, n = (int)job.classes;
    class_totals totals = totals_of(job);
    for (int64_t turn = (int64_t)blockIdx.x * GROUPS + threadIdx.x / GROUP; turn < job.rows;
         turn += (int64_t)gridDim.x * GROUPS) {
        int64_t row = job.rows - 1 - turn;
        T *gx = (T *)job.gx.data + row * n;
        class_slope<float> s = slope_of<float>(job, totals, row);
        if (lane == 0) check_target(job, row);
        if (s.target >= 0) row_slopes<T, GROUP>(s, (const T *)job.x.data + row * n, gx, n, lane);
        else row_zeros<T, GROUP>(gx, n, lane);
    }
}

/* ---- totals, where there are too many rows for each block to count them ---- */

__global__ void __launch_bounds__(MP_CLASS_BLOCK)
    class_count(const __grid_constant__ class_job job, class_totals *totals) {
    int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x,
            step = (int64_t)gridDim.x * blockDim.x;
    class_totals mine = count_targets(job, first, step, blockIdx.x == 0);
    if (threadIdx.x == 0) totals[blockIdx.x] = mine;
}

/* The divisors of n blocks, added up into the first. */
__global__ void join_totals(class_totals *totals, int n) {
    double divisor = threadIdx.x < n ? totals[threadIdx.x].divisor : 0;
    divisor = warp_reduce(divisor, mp_add());
    if (threadIdx.x == 0) totals->divisor = divisor;
}

/* Runs launch(), with job->totals where backward needs them and does not count for itself. */
template <class F>
static inline mp_status class_backward(class_job *job, const mp_cuda_place &place, F launch) {
    bool weighted = job->rest > 0 && job->weight.data;
    job->counted = job->reduction == MP_REDUCE_MEAN || weighted;
    class_totals *totals = NULL;
    int blocks = job->rows > 32 * MP_CLASS_BLOCK ? MP_WARP : 1;
    size_t bytes = blocks * sizeof *totals;
    if (job->counted && (job->rows > COUNTED_HERE || (weighted && job->classes > COUNTED_HERE))) {
        MP_TRY(mp_cuda_scratch(&place, bytes, (void **)&totals));
        class_count<<<blocks, MP_CLASS_BLOCK, 0, place.stream>>>(*job, totals);
        if (blocks > 1) join_totals<<<1, MP_WARP, 0, place.stream>>>(totals, blocks);
    }
    job->totals = totals;
    mp_status status = launch();
    if (totals) mp_cuda_scratch_free(&place, totals, bytes);
    return status;
}

/* ---- cross entropy ---- */

/* Whether the kernels for rows can do the job; those of columns are as quick where a row is shorter
 * than a warp's loads. */
static inline bool class_has_rows(const class_job &job) {
    bool common =
        job.x.dtype == MP_FLOAT16 || job.x.dtype == MP_BFLOAT16 || job.x.dtype == MP_FLOAT32;
    bool weighted = job.weight.data && job.rest > 0;
    return common && job.inner == 1 && job.classes >= 64 && job.classes < 1 << 30 && !weighted;
}

/* Runs launch(group, blocks) with group an std::integral_constant. */
template <class F>
static inline void choose_group(const class_job &job, const mp_cuda_place &place, F launch) {
    if (job.classes * job.x.bytes <= SHORT_ROW) {
        launch(std::integral_constant<int, MP_WARP>{},
               class_blocks(job, place, MP_CUDA_THREADS / MP_WARP));
    } else {
        unsigned blocks = (unsigned)(job.rows < MOST_SUMS ? job.rows : MOST_SUMS);
        launch(std::integral_constant<int, MP_CUDA_THREADS>{}, blocks);
    }
}

static mp_status launch_rows(const class_job &job, const mp_cuda_place &place) {
    mp_status status = MP_OK;
    choose_group(job, place, [&](auto group, unsigned blocks) {
        status = class_forward(job, place, false, blocks, [&](class_sums *sums) {
            mp_status unused;
            visit_common(job.x.dtype, &unused, [&](auto t) {
                using T = typename decltype(t)::type;
                constexpr int GROUP = decltype(group)::value;
                if (job.rest > 0)
                    class_rows<T, GROUP, true>
                        <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, sums);
                else
                    class_rows<T, GROUP, false>
                        <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, sums);
                return MP_OK;
            });
        });
    });
    return status;
}

static mp_status launch_rows_bwd(const class_job &job, const mp_cuda_place &place) {
    mp_status status = MP_OK;
    choose_group(job, place, [&](auto group, unsigned blocks) {
        visit_common(job.x.dtype, &status, [&](auto t) {
            using T = typename decltype(t)::type;
            class_rows_bwd<T, decltype(group)::value>
                <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
            return MP_CUDA_LAUNCHED();
        });
    });
    return status;
}

/* Of a row with target t: (1 - s) weight[t] (lse - x[t]) + s / classes sum(weight (lse - x)), s the
 * label smoothing. Rows whose target is ignore_index count as 0, and nothing in the mean, which
 * divides by the sum of weight[t]. Reads x once. */
extern "C" mp_status mp_cuda_cross_entropy(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_cuda_place place;
    if (x->size == 0 && call->attrs.reduction == MP_REDUCE_NONE) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, true, false);
    job.target = class_array_of(call->in[1]), job.weight = class_array_of(call->in[2]);
    job.y = class_array_of(call->out[0]), job.lse = class_array_of(call->out[1]);
    if (class_has_rows(job) && !class_is_small(job)) return launch_rows(job, place);
    return launch_columns<false>(job, place, x->dtype == MP_FLOAT64, true);
}

/* gx = (a + b sum(weight)) p - b weight, less a at the target's class; a and b are the shares of
 * target and smoothing. Reads x, writes gx. */
extern "C" mp_status mp_cuda_cross_entropy_bwd(mp_call *call) {
    const mp_array *x = call->in[1];
    mp_cuda_place place;
    if (x->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, true, false);
    job.gy = class_array_of(call->in[0]), job.target = class_array_of(call->in[2]);
    job.weight = class_array_of(call->in[3]), job.lse = class_array_of(call->in[4]);
    job.gx = class_array_of(call->out[0]);
    bool level = (((uintptr_t)job.x.data ^ (uintptr_t)job.gx.data) & 15) ==
                 0; /* rows of both are cut alike */
    bool rows = level && class_has_rows(job);
    return class_backward(&job, place, [&] {
        return rows ? launch_rows_bwd(job, place)
                    : launch_columns_bwd<false>(job, place, x->dtype == MP_FLOAT64, true);
    });
}

/* ---- nll_loss ---- */

/* Of a row with target t: -weight[t] x[t]. Reads an element of x a row. */
template <class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    nll_rows(const __grid_constant__ class_job job, class_sums *sums) {
    class_sums mine = {0, 0};
    int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t row = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; row < job.rows;
         row += step) {
        int64_t t = target_of(job, row);
        C loss = 0;
        check_target(job, row);
        if (t >= 0) {
            loss =
                -class_weight<C>(job, t) * load_real<C>(job.x, row_start(job, row) + t * job.inner);
            mine.weight += class_weight<double>(job, t);
        }
        if (job.reduction == MP_REDUCE_NONE) store_real(job.y, row, loss);
        mine.loss += loss;
    }
    if (job.reduction != MP_REDUCE_NONE) give_sums<C>(job, block_sums(mine), sums);
}

/* gx, zeros before, gets -g weight[t] at the rows' targets. */
template <class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    nll_rows_bwd(const __grid_constant__ class_job job) {
    class_totals totals = totals_of(job);
    int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t row = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; row < job.rows;
         row += step) {
        int64_t t = target_of(job, row);
        check_target(job, row);
        if (t < 0) continue;
        C g = row_gradient<C>(job, totals, row) * -class_weight<C>(job, t);
        store_real(job.gx, row_start(job, row) + t * job.inner, g);
    }
}

extern "C" mp_status mp_cuda_nll_loss(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_cuda_place place;
    if (x->size == 0 && call->attrs.reduction == MP_REDUCE_NONE) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, false, false);
    job.target = class_array_of(call->in[1]), job.weight = class_array_of(call->in[2]);
    job.y = class_array_of(call->out[0]);
    bool wide = x->dtype == MP_FLOAT64;
    unsigned blocks = class_blocks(
        job, place, job.rows > 4 * MP_CUDA_THREADS ? MP_CUDA_THREADS : 4 * MP_CUDA_THREADS);
    return class_forward(job, place, wide, blocks, [&](class_sums *sums) {
        if (wide) nll_rows<double><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, sums);
        else nll_rows<float><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, sums);
    });
}

extern "C" mp_status mp_cuda_nll_loss_bwd(mp_call *call) {
    const mp_array *x = call->in[1];
    mp_cuda_place place;
    if (x->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    class_job job = class_job_of(call, place, x, false, false);
    job.gy = class_array_of(call->in[0]), job.target = class_array_of(call->in[2]);
    job.weight = class_array_of(call->in[3]), job.gx = class_array_of(call->out[0]);
    MP_CUDA_TRY(cudaMemsetAsync(job.gx.data, 0, (size_t)x->size * job.gx.bytes, place.stream));
    return class_backward(&job, place, [&] {
        unsigned blocks = class_blocks(job, place, MP_CUDA_THREADS);
        if (x->dtype == MP_FLOAT64)
            nll_rows_bwd<double><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
        else nll_rows_bwd<float><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
        return MP_CUDA_LAUNCHED();
    });
}
