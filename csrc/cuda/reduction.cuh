/* The engine of the reductions over any axes and strides. The dimension with the shortest steps in
 * memory decides the form:
 *
 * - rows: it is reduced. One thread, some lanes of a warp or a block walk over what goes into a
 * result.
 * - columns: it is kept. Neighbouring threads have neighbouring results, the lines of a block walk
 * over what is reduced.
 *
 * float16, bfloat16 and float32 are read in packs of 16 bytes where they lie densely, UNROLL of
 * them a thread at a time; other elements one by one. x is read once, results are written once.
 * Where results are few, what goes into one is cut into segments whose results lie in scratch,
 * [segments][results], and a second kernel joins them in order.
 *
 * A reducer R says what is done: elements are loaded as R::C, some of them go into an R::Lane by
 * take(), lanes into an R::Sum by fold(), and sums are joined by join() and written by store(). */
#ifndef MP_CUDA_REDUCTION_CUH
#define MP_CUDA_REDUCTION_CUH

#include "rows.cuh"
#include "walk.cuh"

enum { MP_UNROLL = 4, MP_FOLD = 4 /* rounds of UNROLL after which columns are folded */ };

/* Dimensions, the last one innermost. */
struct mp_axes {
    int ndim;
    mp_divider extent[MP_CUDA_DIMS];
    int64_t x[MP_CUDA_DIMS], y[MP_CUDA_DIMS]; /* steps: in bytes of x, in results */
};

struct mp_reduce_job {
    const char *x;
    int dtype;
    bool wide;          /* indices exceed 31 bits */
    mp_axes kept, gone; /* columns: kept without the dimension of the columns */
    int64_t results;
    int64_t steps;          /* elements that go into a result, or packs of them in rows of packs */
    int tail;               /* elements after the last pack of such a row */
    int64_t segments, each; /* steps of a segment */
    int shift; /* rows: 1 << shift threads share a result; columns: so many are side by side */
    int64_t outer, columns, across; /* columns, in packs, and tiles of them */
    int64_t column_x, column_y;     /* steps of a pack in bytes, of a column in results */
    const double *center;           /* per result, or NULL */
    mp_operand out;
    double by;   /* what results are divided by */
    void *parts; /* [segments][results], NULL for one segment */
};

/* The byte of x, and the result, at flat index `index` of some dimensions. */
static __device__ inline int64_t locate(const mp_axes &a, int64_t index, bool wide, int64_t *y) {
    int64_t at = 0, result = 0;
#pragma unroll 1
    for (int d = a.ndim - 1; d > 0; d--) {
        int64_t rest =
            wide ? mp_divide<true>(a.extent[d], index) : mp_divide<false>(a.extent[d], index);
        int64_t here = index - rest * a.extent[d].wide;
        at += here * a.x[d];
        if (y) result += here * a.y[d];
        index = rest;
    }
    if (a.ndim > 0) {
        at += index * a.x[0];
        if (y) result += index * a.y[0];
    }
    if (y) *y = result;
    return at;
}

/* A step's elements as they were loaded, and as C. */
template <class T, class C> struct mp_held {
    uint4 raw;
    __device__ inline void load(const char *p, int) { raw = load_raw(p); }
    __device__ inline void widen(C (&x)[mp_row_pack<T>]) const { widen_raw<T>(raw, x); }
};
template <class C> struct mp_held<mp_any, C> {
    C value;
    __device__ inline void load(const char *p, int dtype) { value = load_any<C>(p, dtype); }
    __device__ inline void widen(C (&x)[1]) const { x[0] = value; }
};

template <class R>
static __device__ inline void put_result(const mp_reduce_job &job, int64_t segment, int64_t y,
                                         typename R::Sum sum) {
    if (job.parts) ((typename R::Sum *)job.parts)[segment * job.results + y] = sum;
    else R::store(job.out.data + y * job.out.bytes, job.out.dtype, sum, job.by);
}

/* Joins the sums of the lines of a block, 1 << shift columns side by side: line 0 gets them. */
template <class R, int V>
static __device__ inline void join_block(typename R::Sum (&sum)[V],
                                         typename R::Sum (&room)[V][MP_CUDA_THREADS], int shift) {
    const int line = threadIdx.x >> shift;
#pragma unroll
    for (int i = 0; i < V; i++) room[i][threadIdx.x] = sum[i];
    for (int half = (MP_CUDA_THREADS >> shift) / 2; half > 0; half /= 2) {
        __syncthreads();
        if (line >= half) continue;
#pragma unroll
        for (int i = 0; i < V; i++) {
            sum[i] = R::join(sum[i], room[i][threadIdx.x + (half << shift)]);
            room[i][threadIdx.x] = sum[i];
        }
    }
}

template <class R, class T>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    reduce_rows(const __grid_constant__ mp_reduce_job job) {
    using C = typename R::C;
    constexpr int V = mp_row_pack<T>;
    __shared__ typename R::Sum room[MP_CUDA_THREADS / MP_WARP];
    const int threads = 1 << job.shift, t = threadIdx.x & (threads - 1);
    const int64_t groups = MP_CUDA_THREADS >> job.shift, tasks = job.results * job.segments;
    for (int64_t first = blockIdx.x * groups; first < tasks; first += gridDim.x * groups) {
        const int64_t task = first + (threadIdx.x >> job.shift);
        const int64_t result = job.segments == 1 ? task : task / job.segments,
                      segment = task - result * job.segments;
        typename R::Sum sum = R::start();
        if (task < tasks) {
            const char *x = job.x + locate(job.kept, result, job.wide, NULL);
            const C center = job.center ? (C)job.center[result] : C(0);
            const int64_t begin = segment * job.each;
            const int64_t end = job.steps - begin < job.each ? job.steps : begin + job.each;
            for (int64_t i = begin + t; i < end; i += threads * MP_UNROLL) {
                mp_held<T, C> held[MP_UNROLL];
#pragma unroll
                for (int u = 0; u < MP_UNROLL; u++)
                    if (i + u * threads < end)
                        held[u].load(x + locate(job.gone, i + u * threads, job.wide, NULL),
                                     job.dtype);
                typename R::Lane lane = R::empty();
#pragma unroll
                for (int u = 0; u < MP_UNROLL; u++) {
                    if (i + u * threads >= end) continue;
                    C value[V];
                    held[u].widen(value);
#pragma unroll
                    for (int k = 0; k < V; k++)
                        R::take(lane, value[k], (i + u * threads) * V + k, center);
                }
                R::fold(sum, lane);
            }
            if constexpr (V > 1) {
                for (int k = t; segment == job.segments - 1 && k < job.tail; k += threads) {
                    typename R::Lane lane = R::empty();
                    R::take(lane, widen<C>(((const T *)x)[job.steps * V + k]), job.steps * V + k,
                            center);
                    R::fold(sum, lane);
                }
            }
        }
        for (int width = (threads < MP_WARP ? threads : MP_WARP) / 2; width > 0; width /= 2)
            sum = R::join(sum, R::shuffle(sum, width));
        if (threads > MP_WARP) { /* the whole block */
            __syncthreads();     /* room may still be read for the last task */
            if (t % MP_WARP == 0) room[t / MP_WARP] = sum;
            __syncthreads();
            for (int w = 1; t == 0 && w < MP_CUDA_THREADS / MP_WARP; w++)
                sum = R::join(sum, room[w]);
        }
        if (t == 0 && task < tasks) put_result<R>(job, segment, result, sum);
    }
}

template <class R, class T>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    reduce_columns(const __grid_constant__ mp_reduce_job job) {
    using C = typename R::C;
    constexpr int V = mp_row_pack<T>;
    __shared__ typename R::Sum room[V][MP_CUDA_THREADS];
    const int width = 1 << job.shift, lines = MP_CUDA_THREADS >> job.shift,
              line = threadIdx.x >> job.shift;
    const int64_t tasks = job.outer * job.across * job.segments;
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const int64_t tile = task / job.segments, segment = task - tile * job.segments,
                      outer = tile / job.across;
        const int64_t pack = (tile - outer * job.across) * width + (threadIdx.x & (width - 1));
        const int64_t begin = segment * job.each;
        const int64_t end = job.steps - begin < job.each ? job.steps : begin + job.each;
        int64_t y;
        const char *x = job.x + locate(job.kept, outer, job.wide, &y) + pack * job.column_x;
        typename R::Sum sum[V];
        typename R::Lane lane[V];
        C center[V];
        y += pack * V * job.column_y;
#pragma unroll
        for (int k = 0; k < V; k++) {
            sum[k] = R::start();
            lane[k] = R::empty();
            center[k] =
                job.center && pack < job.columns ? (C)job.center[y + k * job.column_y] : C(0);
        }
        int round = 0;
        for (int64_t i = begin + line; pack < job.columns && i < end; i += lines * MP_UNROLL) {
            mp_held<T, C> held[MP_UNROLL];
#pragma unroll
            for (int u = 0; u < MP_UNROLL; u++)
                if (i + u * lines < end)
                    held[u].load(x + locate(job.gone, i + u * lines, job.wide, NULL), job.dtype);
#pragma unroll
            for (int u = 0; u < MP_UNROLL; u++) {
                if (i + u * lines >= end) continue;
                C value[V];
                held[u].widen(value);
#pragma unroll
                for (int k = 0; k < V; k++) R::take(lane[k], value[k], i + u * lines, center[k]);
            }
            if (++round % MP_FOLD) continue;
#pragma unroll
            for (int k = 0; k < V; k++) {
                R::fold(sum[k], lane[k]);
                lane[k] = R::empty();
            }
        }
#pragma unroll
        for (int k = 0; k < V; k++) R::fold(sum[k], lane[k]);
        __syncthreads(); /* room may still be read for the last tile */
        join_block<R, V>(sum, room, job.shift);
        if (line > 0 || pack >= job.columns) continue;
#pragma unroll
        for (int k = 0; k < V; k++) put_result<R>(job, segment, y + k * job.column_y, sum[k]);
    }
}

/* Joins the segments: 1 << shift results side by side. Of none it writes what the reducer starts
 * with. */
template <class R>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    reduce_join(const typename R::Sum *parts, int64_t segments, int64_t results, int shift,
                mp_operand out, double by) {
    __shared__ typename R::Sum room[1][MP_CUDA_THREADS];
    const int width = 1 << shift, lines = MP_CUDA_THREADS >> shift, line = threadIdx.x >> shift;
    for (int64_t first = (int64_t)blockIdx.x * width; first < results;
         first += (int64_t)gridDim.x * width) {
        const int64_t y = first + (threadIdx.x & (width - 1));
        typename R::Sum sum[1] = {R::start()};
#pragma unroll 8
        for (int64_t s = line; s < segments && y < results; s += lines)
            sum[0] = R::join(sum[0], parts[s * results + y]);
        __syncthreads();
        join_block<R, 1>(sum, room, shift);
        if (line == 0 && y < results) R::store(out.data + y * out.bytes, out.dtype, sum[0], by);
    }
}

/* ---- planning ---- */

struct mp_dim {
    int64_t n, x, y;
};

struct mp_reduce_plan {
    mp_reduce_job job;
    bool columns; /* form */
    bool packs;   /* kernels of x's type, if it is a common one; else those of any */
};

/* What x (not empty), reduced over axes[0 ... n_axes) into `out`, which is contiguous, asks for.
 * floats: x is computed in float, and is read in packs if it is of one of the common types. In
 * reduction_plan.cu. */
mp_reduce_plan mp_reduce_plan_of(const mp_array *x, int n_axes, const int64_t *axes, mp_operand out,
                                 bool floats, int processors);

/* log2 of the power of two at or above n, no more than `most`. */
static inline int mp_log2_up(int64_t n, int most) {
    int shift = 0;
    while (shift < most && ((int64_t)1 << shift) < n) shift++;
    return shift;
}

/* ---- launching ---- */

template <class R, class T>
static inline void launch_reduction(const mp_reduce_plan &plan, const mp_cuda_place *place) {
    const mp_reduce_job &job = plan.job;
    int64_t groups = plan.columns ? 1 : MP_CUDA_THREADS >> job.shift;
    int64_t tasks = (plan.columns ? job.outer * job.across : job.results) * job.segments;
    int64_t blocks = (tasks + groups - 1) / groups;
    if (blocks > INT32_MAX) blocks = INT32_MAX;
    if (plan.columns)
        reduce_columns<R, T><<<(unsigned)blocks, MP_CUDA_THREADS, 0, place->stream>>>(job);
    else reduce_rows<R, T><<<(unsigned)blocks, MP_CUDA_THREADS, 0, place->stream>>>(job);
}

template <class R>
static inline void launch_join(const mp_reduce_job &job, int64_t segments,
                               const mp_cuda_place *place) {
    int shift = mp_log2_up(job.results, 5);
    unsigned blocks = mp_blocks(place, job.results, 1 << shift, 1);
    reduce_join<R><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(
        (const typename R::Sum *)job.parts, segments, job.results, shift, job.out, job.by);
}

/* Runs a plan. R computes in float where T is one of the common types. */
template <class R>
static inline mp_status run_reduction(mp_reduce_plan plan, const mp_cuda_place *place) {
    mp_reduce_job &job = plan.job;
    size_t bytes = (size_t)job.segments * (size_t)job.results * sizeof(typename R::Sum);
    bool parts = job.segments > 1, done = false;
    mp_status status;
    if (parts) MP_TRY(mp_cuda_scratch(place, bytes, &job.parts));
    if constexpr (std::is_same_v<typename R::C, float>) {
        if (plan.packs)
            done = visit_common(job.dtype, &status, [&](auto type) {
                launch_reduction<R, typename decltype(type)::type>(plan, place);
                return MP_OK;
            });
    }
    if (!done) launch_reduction<R, mp_any>(plan, place);
    if (parts) {
        launch_join<R>(job, job.segments, place);
        mp_cuda_scratch_free(place, job.parts, bytes);
    }
    return MP_CUDA_LAUNCHED();
}

#endif
