/* What the losses over classes share: the job of a call, the sums of rows, and kernels for any
 * layout and dtype. x is seen as outer x classes x inner; a row is one outer and inner index.
 * loss.cu has the ops with class indices and faster kernels for them, loss_soft.cu those with
 * probabilities. */
#ifndef MP_CUDA_LOSS_CUH
#define MP_CUDA_LOSS_CUH

#include "fault.cuh"
#include "reduce.cuh"
#include "walk.cuh"

#define MP_CLASS_BLOCK                                                                             \
    1024 /* threads of a block that does a small call alone, the most of any here */

/* ---- the job ---- */

struct class_array {
    void *data; /* NULL: absent */
    int dtype, bytes;
};

/* Summed over rows: the losses, and the weights of the targets, which a mean divides by. */
struct class_sums {
    double loss, weight;
};

/* What the gradient of a mean divides by, and the sum of the weights of all classes. */
struct class_totals {
    double divisor, weights;
};

struct class_job {
    class_array x, target, weight, gy, y, lse, gx, gtarget;
    int64_t rows, classes, inner, ignore;
    double main, rest; /* the shares of the target and of each class: 1 - s and s / classes, s the
                          label smoothing */
    double divisor;    /* of a mean; 0: the sum of the targets' weights */
    int reduction, op, slices;
    bool counted;               /* backward needs class_totals of the targets */
    const class_totals *totals; /* they, or NULL: each block counts */
    mp_cuda_fault *fault;
};

static inline class_array class_array_of(const mp_array *a) {
    if (!a) return {NULL, MP_FLOAT32, 0};
    return {mp_data(a), a->dtype, mp_itemsize(a)};
}

/* The job of a call on x, with what follows from the attributes and from x's shape. */
static inline class_job class_job_of(const mp_call *call, const mp_cuda_place &place,
                                     const mp_array *x, bool smooth, bool soft) {
    class_job job = {};
    int axis = x->ndim > 1;
    job.x = class_array_of(x);
    job.classes = x->shape[axis];
    job.inner = 1;
    for (int d = axis + 1; d < x->ndim; d++) job.inner *= x->shape[d];
    job.rows = x->size / job.classes;
    double smoothing = smooth ? call->attrs.label_smoothing : 0;
    job.main = 1 - smoothing, job.rest = smoothing / (double)job.classes;
    job.ignore = soft ? 0 : call->attrs.ignore_index;
    job.divisor = soft ? (double)job.rows : 0;
    job.reduction = call->attrs.reduction;
    job.op = call->op;
    job.fault = place.fault;
    return job;
}

/* ---- elements ---- */

template <class C> static __device__ inline C load_real(const class_array &a, int64_t i) {
    const char *p = (const char *)a.data + i * a.bytes;
    switch (a.dtype) {
    case MP_FLOAT16: return widen<C>(*(const __half *)p);
    case MP_BFLOAT16: return widen<C>(*(const __nv_bfloat16 *)p);
    case MP_FLOAT8_E4M3FN: return widen<C>(*(const mp_e4m3 *)p);
    case MP_FLOAT8_E5M2: return widen<C>(*(const mp_e5m2 *)p);
    case MP_FLOAT32: return widen<C>(*(const float *)p);
    default: return widen<C>(*(const double *)p);
    }
}

template <class C> static __device__ inline void store_real(const class_array &a, int64_t i, C y) {
    char *p = (char *)a.data + i * a.bytes;
    switch (a.dtype) {
    case MP_FLOAT16: *(__half *)p = narrow<__half>(y); break;
    case MP_BFLOAT16: *(__nv_bfloat16 *)p = narrow<__nv_bfloat16>(y); break;
    case MP_FLOAT8_E4M3FN: *(mp_e4m3 *)p = narrow<mp_e4m3>(y); break;
    case MP_FLOAT8_E5M2: *(mp_e5m2 *)p = narrow<mp_e5m2>(y); break;
    case MP_FLOAT32: *(float *)p = narrow<float>(y); break;
    default: *(double *)p = narrow<double>(y); break;
    }
}

static __device__ inline int64_t load_index(const class_array &a, int64_t i) {
    const char *p = (const char *)a.data + i * a.bytes;
    switch (a.dtype) {
    case MP_INT8: return *(const int8_t *)p;
    case MP_INT16: return *(const int16_t *)p;
    case MP_INT32: return *(const int32_t *)p;
    case MP_UINT8: return *(const uint8_t *)p;
    case MP_UINT16: return *(const uint16_t *)p;
    case MP_UINT32: return *(const uint32_t *)p;
    default: return *(const int64_t *)p;
    }
}

/* Elements of type T, or of the array's dtype where T is void. */
template <class C, class T> static __device__ inline C load_class(const class_array &a, int64_t i) {
    if constexpr (std::is_void_v<T>) return load_real<C>(a, i);
    else return widen<C>(((const T *)a.data)[i]);
}
template <class C, class T>
static __device__ inline void store_class(const class_array &a, int64_t i, C y) {
    if constexpr (std::is_void_v<T>) store_real(a, i, y);
    else ((T *)a.data)[i] = narrow<T>(y);
}

/* The row's class, -1 where it is ignored or out of range. */
static __device__ inline int64_t target_of(const class_job &job, int64_t row) {
    int64_t t = load_index(job.target, row);
    return t == job.ignore || t < 0 || t >= job.classes ? -1 : t;
}

/* Says so if the row's class is out of range. */
static __device__ inline void check_target(const class_job &job, int64_t row) {
    int64_t t = load_index(job.target, row);
    if (t != job.ignore && (t < 0 || t >= job.classes))
        mp_cuda_report(job.fault, job.op, t, row, job.classes);
}

template <class C> static __device__ inline C class_weight(const class_job &job, int64_t t) {
    return job.weight.data ? load_real<C>(job.weight, t) : C(1);
}

/* ---- running sums of exponentials ---- */

static __device__ inline float larger(float a, float b) { return fmaxf(a, b); }
static __device__ inline double larger(double a, double b) { return fmax(a, b); }
struct mp_larger { /* of NaN and a number the number: NaN goes its way through the sums */
    template <class C> __device__ inline C operator()(C a, C b) const { return larger(a, b); }
};

/* What exponents are taken relative to: the largest x, or 0 where there is none above -inf. */
template <class C> static __device__ inline C reference(C most) {
    return most == -INFINITY ? C(0) : most;
}

/* e^x, to the precision that x of type T asks for. */
template <class T, class C> static __device__ inline C exp_of(C x) {
    if constexpr (std::is_same_v<C, double>) return exp(x);
    else if constexpr (std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>) {
        float y;
        asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * 1.4426950408889634f));
        return y;
    } else return expf(x);
}

/* Of the elements seen so far, with r = reference(most): sum of e^(x - r), and with factors q, sums
 * of q (x - r) and of q. */
template <class C> struct class_state {
    C most, sum, spread, share;

    /* Moves on to a maximum that is not less. */
    template <class T> __device__ inline void raise(C high) {
        C r = reference(high);
        sum *= exp_of<T>(most - r);
        spread += share * (reference(most) - r);
        most = high;
    }
};

/* ---- sums of rows ---- */

/* Every thread gets the sums over the block, all threads of which must be there. */
static __device__ inline class_sums block_sums(class_sums mine) {
    __shared__ class_sums room[MP_CLASS_BLOCK / MP_WARP];
    mine = {warp_reduce(mine.loss, mp_add()), warp_reduce(mine.weight, mp_add())};
    __syncthreads();
    if (threadIdx.x % MP_WARP == 0) room[threadIdx.x / MP_WARP] = mine;
    __syncthreads();
    class_sums all = room[0];
    for (int w = 1; w < (int)blockDim.x / MP_WARP; w++) {
        all.loss += room[w].loss;
        all.weight += room[w].weight;
    }
    return all;
}

/* y from the sums of all rows. */
template <class C> static __device__ inline void finish_loss(const class_job &job, class_sums all) {
    double divisor = job.divisor > 0 ? job.divisor : all.weight;
    store_real(job.y, 0, (C)(job.reduction == MP_REDUCE_MEAN ? all.loss / divisor : all.loss));
}

/* A block's sums go to y where the block is alone, else to its place in `sums`. */
template <class C>
static __device__ inline void give_sums(const class_job &job, class_sums all, class_sums *sums) {
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) finish_loss<C>(job, all);
    else sums[blockIdx.x] = all;
}

/* y from the sums of n blocks. */
template <class C>
__global__ void __launch_bounds__(MP_CLASS_BLOCK)
    join_losses(const __grid_constant__ class_job job, const class_sums *sums, int n) {
    class_sums mine = {0, 0};
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        mine.loss += sums[i].loss;
        mine.weight += sums[i].weight;
    }
    mine = block_sums(mine);
    if (threadIdx.x == 0) finish_loss<C>(job, mine);
}

/* Runs launch(sums) of `blocks` blocks, and what makes y of their sums where there are several. */
template <class F>
static inline mp_status class_forward(const class_job &job, const mp_cuda_place &place, bool wide,
                                      unsigned blocks, F launch) {
    bool join = job.reduction != MP_REDUCE_NONE && blocks > 1;
    class_sums *sums = NULL;
    size_t bytes = blocks * sizeof *sums;
    if (join) MP_TRY(mp_cuda_scratch(&place, bytes, (void **)&sums));
    launch(sums);
    if (join) {
        if (wide)
            join_losses<double><<<1, MP_CLASS_BLOCK, 0, place.stream>>>(job, sums, (int)blocks);
        else join_losses<float><<<1, MP_CLASS_BLOCK, 0, place.stream>>>(job, sums, (int)blocks);
        mp_cuda_scratch_free(&place, sums, bytes);
    }
    return MP_CUDA_LAUNCHED();
}

/* ---- totals that backward needs ---- */

/* The weights of the targets of rows `first`, first + step, ... */
static __device__ inline double target_weights(const class_job &job, int64_t first, int64_t step) {
    double weights = 0;
    if (!job.weight.data && job.target.dtype == MP_INT64) { /* no branch, so that loads overlap */
        const int64_t *target = (const int64_t *)job.target.data;
        int count = 0;
#pragma unroll 8
        for (int64_t row = first; row < job.rows; row += step) {
            int64_t t = target[row];
            count += t != job.ignore && (uint64_t)t < (uint64_t)job.classes;
        }
        return count;
    }
    for (int64_t row = first; row < job.rows; row += step) {
        int64_t t = target_of(job, row);
        if (t >= 0) weights += class_weight<double>(job, t);
    }
    return weights;
}

/* Of rows `first`, first + step, ... and, if asked for, of all classes. Every thread gets the
 * block's. */
static __device__ inline class_totals count_targets(const class_job &job, int64_t first,
                                                    int64_t step, bool all) {
    class_sums mine = {target_weights(job, first, step), 0};
    if (all && job.weight.data && job.rest > 0)
        for (int64_t j = threadIdx.x; j < job.classes; j += blockDim.x)
            mine.weight += class_weight<double>(job, j);
    mine = block_sums(mine);
    return {mine.loss, job.weight.data ? mine.weight : (double)job.classes};
}

/* What all blocks of a backward kernel begin with. */
static __device__ inline class_totals totals_of(const class_job &job) {
    if (!job.counted) return {job.divisor, (double)job.classes};
    return job.totals ? *job.totals : count_targets(job, threadIdx.x, blockDim.x, true);
}

/* The gradient of a row's loss: gy, times the reduction's share. */
template <class C>
static __device__ inline C row_gradient(const class_job &job, const class_totals &totals,
                                        int64_t row) {
    C g = load_real<C>(job.gy, job.reduction == MP_REDUCE_NONE ? row : 0);
    return job.reduction == MP_REDUCE_MEAN ? (C)(g / totals.divisor) : g;
}

/* gx = scale p - share weight, less `own` at the target's class, p = e^(x - lse). */
template <class C> struct class_slope {
    int64_t target;
    C own, share, scale, lse;
};

template <class C>
static __device__ inline class_slope<C> slope_of(const class_job &job, const class_totals &totals,
                                                 int64_t row) {
    class_slope<C> s = {target_of(job, row), 0, 0, 0, 0};
    if (s.target < 0) return s;
    C g = row_gradient<C>(job, totals, row);
    s.own = (C)job.main * class_weight<C>(job, s.target) * g;
    s.share = (C)job.rest * g;
    s.scale = s.own + s.share * (C)totals.weights;
    s.lse = load_real<C>(job.lse, row);
    return s;
}

/* ---- kernels for any layout: a block has slices x columns threads, a column of them works on a
 * row ---- */

struct class_lane {
    int slice, column, columns, at; /* at: in shared memory */
};

/* Neighbouring threads get neighbouring elements: along the classes if inner is 1, else across
 * rows. */
static __device__ inline class_lane lane_of(const class_job &job) {
    int thread = threadIdx.x, columns = blockDim.x / job.slices;
    class_lane lane = {thread / columns, thread % columns, columns, 0};
    if (job.inner == 1) lane.slice = thread % job.slices, lane.column = thread / job.slices;
    lane.at = lane.slice * columns + lane.column;
    return lane;
}

/* Every thread gets the result of its column. All threads of the block must be there. */
template <class C, class F>
static __device__ inline C column_reduce(const class_job &job, const class_lane &lane, C x, F join,
                                         C *room) {
    if (job.slices == 1) return x;
    __syncthreads(); /* room may still be read from an earlier use */
    room[lane.at] = x;
    __syncthreads();
    for (int width = job.slices / 2; width > 0; width /= 2) {
        if (lane.slice < width)
            room[lane.at] = join(room[lane.at], room[lane.at + width * lane.columns]);
        __syncthreads();
    }
    return room[lane.column];
}

static __device__ inline int64_t row_start(const class_job &job, int64_t row) {
    return row / job.inner * job.classes * job.inner + row % job.inner;
}

/* The factor of class j in a row's loss: that of a soft target t, or of smoothing alone. */
template <class C, class T, bool SOFT>
static __device__ inline C class_factor(const class_job &job, int64_t at, int64_t j) {
    C w = class_weight<C>(job, j);
    if constexpr (!SOFT) return w;
    else return w * (load_class<C, T>(job.target, at + j * job.inner) * (C)job.main + (C)job.rest);
}

enum { CLASS_BATCH = 4 }; /* elements that a thread loads before it uses one */

/* What a thread's slice of a row adds up to. */
template <class C, class T, bool SOFT>
static __device__ inline class_state<C> slice_state(const class_job &job, const class_lane &lane,
                                                    int64_t row) {
    class_state<C> state = {C(-INFINITY), 0, 0, 0};
    if (row >= job.rows) return state;
    int64_t at = row_start(job, row);
    bool factors = SOFT || job.rest > 0;
    for (int64_t first = lane.slice; first < job.classes; first += CLASS_BATCH * job.slices) {
        C x[CLASS_BATCH], q[CLASS_BATCH], high = state.most;
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            int64_t j = first + u * job.slices;
            bool inside = j < job.classes;
            x[u] = inside ? load_class<C, T>(job.x, at + j * job.inner) : C(-INFINITY);
            q[u] = inside && factors ? class_factor<C, T, SOFT>(job, at, j) : C(0);
        }
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) high = larger(high, x[u]);
        state.template raise<T>(high);
        C r = reference(high);
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            if (first + u * job.slices >= job.classes) continue;
            state.sum += exp_of<T>(x[u] - r);
            if (!factors) continue;
            state.spread += q[u] * (x[u] - r);
            state.share += q[u];
        }
    }
    return state;
}

/* A row's loss; of the row's state, sum and spread are relative to most. */
template <class C, class T, bool SOFT>
static __device__ inline void row_loss(const class_job &job, const class_state<C> &state,
                                       int64_t row, class_sums *sums) {
    C log_sum = log(state.sum), loss = 0;
    store_real(job.lse, row, state.most + log_sum);
    if constexpr (SOFT) loss = state.share * log_sum - state.spread;
    else {
        int64_t t = target_of(job, row);
        check_target(job, row);
        if (t >= 0) {
            C x = load_class<C, T>(job.x, row_start(job, row) + t * job.inner);
            loss = (C)job.main * class_weight<C>(job, t) * (log_sum - (x - state.most));
            if (job.rest > 0) loss += (C)job.rest * (state.share * log_sum - state.spread);
            sums->weight += class_weight<double>(job, t);
        }
    }
    if (job.reduction == MP_REDUCE_NONE) store_real(job.y, row, loss);
    sums->loss += loss;
}

/* Losses and lse of rows. Reads x (and a soft target) once. */
template <class C, class T, bool SOFT>
__global__ void __launch_bounds__(MP_CLASS_BLOCK)
    class_columns(const __grid_constant__ class_job job, class_sums *sums) {
    __shared__ C room[MP_CLASS_BLOCK];
    class_lane lane = lane_of(job);
    class_sums mine = {0, 0};
    bool factors = SOFT || job.rest > 0;
    for (int64_t first = (int64_t)blockIdx.x * lane.columns; first < job.rows;
         first += (int64_t)gridDim.x * lane.columns) {
        int64_t row = first + lane.column;
        class_state<C> state = slice_state<C, T, SOFT>(job, lane, row);
        state.template raise<T>(column_reduce(job, lane, state.most, mp_larger(), room));
        state.sum = column_reduce(job, lane, state.sum, mp_add(), room);
        if (factors) {
            state.spread = column_reduce(job, lane, state.spread, mp_add(), room);
            state.share = column_reduce(job, lane, state.share, mp_add(), room);
        }
        if (row < job.rows && lane.slice == 0) row_loss<C, T, SOFT>(job, state, row, &mine);
    }
    if (job.reduction != MP_REDUCE_NONE) give_sums<C>(job, block_sums(mine), sums);
}

/* gx of a slice of a row whose target is a class. */
template <class C, class T>
static __device__ inline void slice_slopes(const class_job &job, const class_lane &lane,
                                           const class_slope<C> &s, int64_t at) {
    bool weighted = job.weight.data && job.rest > 0;
    for (int64_t first = lane.slice; first < job.classes; first += CLASS_BATCH * job.slices) {
        C x[CLASS_BATCH];
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            int64_t j = first + u * job.slices;
            x[u] = j < job.classes && s.target >= 0 ? load_class<C, T>(job.x, at + j * job.inner)
                                                    : C(0);
        }
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            int64_t j = first + u * job.slices;
            if (j >= job.classes) continue;
            C gx = s.scale * exp_of<T>(x[u] - s.lse) -
                   s.share * (weighted ? class_weight<C>(job, j) : C(1));
            if (j == s.target) gx -= s.own;
            store_class<C, T>(job.gx, at + j * job.inner, s.target < 0 ? C(0) : gx);
        }
    }
}

/* gx = g (p sum(q) - q), gtarget = g (1 - smoothing) weight (lse - x), of a slice of a row with
 * soft target; q are its factors, `share` their sum. */
template <class C, class T>
static __device__ inline void slice_soft_slopes(const class_job &job, const class_lane &lane,
                                                int64_t at, C g, C lse, C share) {
    for (int64_t first = lane.slice; first < job.classes; first += CLASS_BATCH * job.slices) {
        C x[CLASS_BATCH], q[CLASS_BATCH];
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            int64_t j = first + u * job.slices;
            if (j >= job.classes) continue;
            x[u] = load_class<C, T>(job.x, at + j * job.inner);
            q[u] = class_factor<C, T, true>(job, at, j);
        }
#pragma unroll
        for (int u = 0; u < CLASS_BATCH; u++) {
            int64_t j = first + u * job.slices;
            if (j >= job.classes) continue;
            store_class<C, T>(job.gx, at + j * job.inner,
                              g * (exp_of<T>(x[u] - lse) * share - q[u]));
            store_class<C, T>(job.gtarget, at + j * job.inner,
                              g * (C)job.main * class_weight<C>(job, j) * (lse - x[u]));
        }
    }
}

/* gx of rows (and gtarget of soft ones). Reads x once and a soft target twice, writes the
 * gradients. */
template <class C, class T, bool SOFT>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    class_columns_bwd(const __grid_constant__ class_job job) {
    class_lane lane = lane_of(job);
    class_totals totals = {job.divisor, 0};
    if constexpr (!SOFT) totals = totals_of(job);
    for (int64_t first = (int64_t)blockIdx.x * lane.columns; first < job.rows;
         first += (int64_t)gridDim.x * lane.columns) {
        int64_t row = first + lane.column;
        bool live = row < job.rows;
        int64_t at = live ? row_start(job, row) : 0;
        if constexpr (SOFT) {
            __shared__ C room[MP_CUDA_THREADS];
            C share = 0;
            for (int64_t j = lane.slice; live && j < job.classes; j += job.slices)
                share += class_factor<C, T, true>(job, at, j);
            share = column_reduce(job, lane, share, mp_add(), room);
            if (!live) continue;
            C g = row_gradient<C>(job, totals, row), lse = load_real<C>(job.lse, row);
            slice_soft_slopes<C, T>(job, lane, at, g, lse, share);
        } else if (live) {
            if (lane.slice == 0) check_target(job, row);
            slice_slopes<C, T>(job, lane, slope_of<C>(job, totals, row), at);
        }
    }
}

/* ---- launches ---- */

/* How many slices of a row a block of `threads` works on at a time. */
static inline int class_slices(const class_job &job, int threads, int64_t most) {
    int slices = 1;
    while (slices < threads && slices < most && slices * CLASS_BATCH < job.classes) slices *= 2;
    return slices;
}

static inline unsigned class_blocks(const class_job &job, const mp_cuda_place &place,
                                    int64_t rows_each) {
    int64_t blocks = (job.rows + rows_each - 1) / rows_each, most = (int64_t)place.processors * 16;
    return (unsigned)(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

/* f(mp_type<C>{}, mp_type<T>{}): sums in C, elements of type T, or void for those of any dtype. */
template <class F> static inline mp_status visit_class(int dtype, bool wide, bool alike, F f) {
    mp_status status;
    if (wide) return f(mp_type<double>{}, mp_type<void>{});
    if (alike && visit_common(dtype, &status, [&](auto t) { return f(mp_type<float>{}, t); }))
        return status;
    return f(mp_type<float>{}, mp_type<void>{});
}

/* Whether a call is so small that one block does it in one launch. */
static inline bool class_is_small(const class_job &job) {
    return job.reduction != MP_REDUCE_NONE && job.rows * job.classes <= 16 * MP_CLASS_BLOCK;
}

template <bool SOFT>
static inline mp_status launch_columns(class_job job, const mp_cuda_place &place, bool wide,
                                       bool alike) {
    bool small = class_is_small(job);
    int threads = small ? MP_CLASS_BLOCK : MP_CUDA_THREADS;
    int64_t most = small ? threads / (job.rows + 1) + 1 : job.inner == 1 ? threads : 8;
    job.slices = class_slices(job, threads, most);
    unsigned blocks = small ? 1 : class_blocks(job, place, threads / job.slices);
    return class_forward(job, place, wide, blocks, [&](class_sums *sums) {
        visit_class(job.x.dtype, wide, alike, [&](auto c, auto t) {
            using C = typename decltype(c)::type;
            using T = typename decltype(t)::type;
            class_columns<C, T, SOFT><<<blocks, threads, 0, place.stream>>>(job, sums);
            return MP_OK;
        });
    });
}

template <bool SOFT>
static inline mp_status launch_columns_bwd(class_job job, const mp_cuda_place &place, bool wide,
                                           bool alike) {
    job.slices = class_slices(job, MP_CUDA_THREADS, job.inner == 1 ? MP_CUDA_THREADS : 8);
    unsigned blocks = class_blocks(job, place, MP_CUDA_THREADS / job.slices);
    return visit_class(job.x.dtype, wide, alike, [&](auto c, auto t) {
        using C = typename decltype(c)::type;
        using T = typename decltype(t)::type;
        class_columns_bwd<C, T, SOFT><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
        return MP_CUDA_LAUNCHED();
    });
}

#endif
