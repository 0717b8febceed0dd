/* Running results along an axis: cumsum, cumprod, cummax, cummin and y_i = a_i y_{i-1} + b_i, in
 * float64 or in integers of 64 bits.
 *
 * Lines are cut into segments where there are few: their totals are made first, then what comes
 * before each, then the results; each input is read twice then, else once. A block has a segment of
 * a line whose elements lie side by side; where the lines do, a thread has a segment, and its
 * neighbours have those of the next lines. */
#include <cfloat>

#include <cub/block/block_scan.cuh>

#include "lines.cuh"
#include "reduce.cuh"

enum {
    ITEMS = 4, /* elements of a thread in a tile */
    TILE = MP_CUDA_THREADS * ITEMS,
    MOST_SEGMENTS = 64, /* of a line that a thread goes along */
};

/* ---- what runs: totals of stretches, joined in order ---- */

template <class C_> struct run_sum {
    using C = C_;
    using State = C;
    static __device__ inline State identity() { return 0; }
    static __device__ inline State lift(C x, C) { return x; }
    static __device__ inline C value(State s) { return s; }
    __device__ inline State operator()(State a, State b) const { return a + b; }
};
template <class C_> struct run_prod {
    using C = C_;
    using State = C;
    static __device__ inline State identity() { return 1; }
    static __device__ inline State lift(C x, C) { return x; }
    static __device__ inline C value(State s) { return s; }
    __device__ inline State operator()(State a, State b) const { return a * b; }
};
template <class C_, bool LEAST> struct run_extremum {
    using C = C_;
    using State = C;
    static __device__ inline State identity() {
        if constexpr (std::is_floating_point_v<C>) return LEAST ? (C)INFINITY : -(C)INFINITY;
        else if constexpr (std::is_same_v<C, uint64_t>) return LEAST ? UINT64_MAX : 0;
        else return LEAST ? INT64_MAX : INT64_MIN;
    }
    static __device__ inline State lift(C x, C) { return x; }
    static __device__ inline C value(State s) { return s; }
    __device__ inline State operator()(State a, State b) const {
        if constexpr (LEAST) return mp_lesser{}(a, b);
        else return mp_greater{}(a, b);
    }
};
/* y -> factor y + term */
struct affine {
    double factor, term;
};
/* Factors are multiplied before it is known what by: a product that grows too large stays finite,
 * so that a y of 0 stays 0 as it does one element after the other. */
static __device__ inline double joined(double a, double b) {
    double product = a * b;
    return isinf(product) && isfinite(a) && isfinite(b) ? copysign(DBL_MAX, product) : product;
}
struct run_affine {
    using C = double;
    using State = affine;
    static __device__ inline State identity() { return {1, 0}; }
    static __device__ inline State lift(C x, C a) { return {a, x}; }
    static __device__ inline C value(State s) { return s.term; }
    __device__ inline State operator()(State first, State then) const {
        return {joined(first.factor, then.factor), first.term * then.factor + then.term};
    }
};

struct scan_job {
    mp_lines x, a, y; /* a.data is NULL: there is none */
    int64_t segments, each;
    void *before; /* what comes before each segment; NULL for one segment */
};

template <class R>
static __device__ inline typename R::State lifted(const scan_job &job, const char *x, const char *a,
                                                  int64_t i) {
    using C = typename R::C;
    C factor = a ? load_any<C>(a + i * job.a.step, job.a.dtype) : C(0);
    return R::lift(load_any<C>(x + i * job.x.step, job.x.dtype), factor);
}

/* ---- a block has a segment; parts are [line][segment] ---- */

/* WRITE: the results, else the totals. */
template <class R, bool WRITE>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    scan_lines(const __grid_constant__ scan_job job, typename R::State *totals) {
    using State = typename R::State;
    using Scan = cub::BlockScan<State, MP_CUDA_THREADS>;
    __shared__ typename Scan::TempStorage room;
    const R join;
    for (int64_t task = blockIdx.x; task < job.x.lines * job.segments; task += gridDim.x) {
        const int64_t line = task / job.segments, segment = task - line * job.segments;
        const int64_t begin = segment * job.each;
        const int64_t end = job.x.n - begin < job.each ? job.x.n : begin + job.each;
        const char *x = mp_line_at(job.x, line);
        const char *a = job.a.data ? mp_line_at(job.a, line) : NULL;
        char *y = mp_line_at(job.y, line);
        State running = WRITE && job.before ? ((const State *)job.before)[task] : R::identity();
        for (int64_t first = begin; first < end; first += TILE) {
            State item[ITEMS], total = R::identity(), before, all;
            const int64_t at = first + (int64_t)threadIdx.x * ITEMS;
#pragma unroll
            for (int k = 0; k < ITEMS; k++) {
                item[k] = at + k < end ? lifted<R>(job, x, a, at + k) : R::identity();
                total = join(total, item[k]);
            }
            __syncthreads(); /* room may still be read for the last tile */
            Scan(room).ExclusiveScan(total, before, R::identity(), join, all);
            if constexpr (WRITE) {
                before = join(running, before);
#pragma unroll
                for (int k = 0; k < ITEMS; k++) {
                    before = join(before, item[k]);
                    if (at + k < end)
                        store_any<typename R::C>(y + (at + k) * job.y.step, job.y.dtype,
                                                 R::value(before));
                }
            }
            running = join(running, all);
        }
        if (!WRITE && threadIdx.x == 0) totals[task] = running;
    }
}

/* A block has a line: totals become what comes before them. */
template <class R>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    scan_totals(typename R::State *totals, int64_t segments, int64_t lines) {
    using State = typename R::State;
    using Scan = cub::BlockScan<State, MP_CUDA_THREADS>;
    __shared__ typename Scan::TempStorage room;
    const R join;
    for (int64_t line = blockIdx.x; line < lines; line += gridDim.x) {
        State running = R::identity(), *total = totals + line * segments;
        for (int64_t first = 0; first < segments; first += MP_CUDA_THREADS) {
            const int64_t at = first + threadIdx.x;
            State here = at < segments ? total[at] : R::identity(), before, all;
            __syncthreads();
            Scan(room).ExclusiveScan(here, before, R::identity(), join, all);
            if (at < segments) total[at] = join(running, before);
            running = join(running, all);
        }
    }
}

/* ---- a thread has a segment; parts are [segment][line] ---- */

template <class R, bool WRITE>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    scan_beside(const __grid_constant__ scan_job job, typename R::State *totals) {
    using State = typename R::State;
    const int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS, tasks = job.x.lines * job.segments;
    const R join;
    for (int64_t task = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; task < tasks;
         task += step) {
        const int64_t segment = task / job.x.lines, line = task - segment * job.x.lines;
        const int64_t begin = segment * job.each;
        const int64_t end = job.x.n - begin < job.each ? job.x.n : begin + job.each;
        const char *x = mp_line_at(job.x, line);
        const char *a = job.a.data ? mp_line_at(job.a, line) : NULL;
        char *y = mp_line_at(job.y, line);
        State running = WRITE && job.before ? ((const State *)job.before)[task] : R::identity();
#pragma unroll 4
        for (int64_t i = begin; i < end; i++) {
            running = join(running, lifted<R>(job, x, a, i));
            if constexpr (WRITE)
                store_any<typename R::C>(y + i * job.y.step, job.y.dtype, R::value(running));
        }
        if (!WRITE) totals[task] = running;
    }
}

/* A thread has a line. */
template <class R>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    scan_totals_beside(typename R::State *totals, int64_t segments, int64_t lines) {
    const int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    const R join;
    for (int64_t line = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; line < lines;
         line += step) {
        typename R::State running = R::identity();
        for (int64_t s = 0; s < segments; s++) {
            typename R::State here = totals[s * lines + line];
            totals[s * lines + line] = running;
            running = join(running, here);
        }
    }
}

/* ---- launching ---- */

/* Cuts lines so that `wanted` tasks come of them, each worth `least` elements. */
static void cut(scan_job *job, int64_t wanted, int64_t least, int64_t most) {
    int64_t segments = (wanted + job->x.lines - 1) / job->x.lines;
    int64_t possible = (job->x.n + least - 1) / least;
    if (segments > possible) segments = possible;
    if (segments > most) segments = most;
    if (segments < 1) segments = 1;
    job->each = (job->x.n + segments - 1) / segments;
    job->segments = (job->x.n + job->each - 1) / job->each;
}

static unsigned grid(int64_t tasks) {
    return (unsigned)(tasks < 1 ? 1 : tasks > INT32_MAX ? INT32_MAX : tasks);
}

template <class R> static mp_status launch_lines(scan_job job, const mp_cuda_place *place) {
    using State = typename R::State;
    cut(&job, (int64_t)place->processors * 8, 4 * TILE, INT32_MAX);
    int64_t tasks = job.x.lines * job.segments;
    size_t bytes = (size_t)tasks * sizeof(State);
    if (job.segments > 1) {
        MP_TRY(mp_cuda_scratch(place, bytes, &job.before));
        State *totals = (State *)job.before;
        scan_lines<R, false><<<grid(tasks), MP_CUDA_THREADS, 0, place->stream>>>(job, totals);
        scan_totals<R><<<grid(job.x.lines), MP_CUDA_THREADS, 0, place->stream>>>(
            totals, job.segments, job.x.lines);
    }
    scan_lines<R, true><<<grid(tasks), MP_CUDA_THREADS, 0, place->stream>>>(job, NULL);
    if (job.before) mp_cuda_scratch_free(place, job.before, bytes);
    return MP_CUDA_LAUNCHED();
}

template <class R> static mp_status launch_beside(scan_job job, const mp_cuda_place *place) {
    using State = typename R::State;
    cut(&job, (int64_t)place->processors * 1024, 32, MOST_SEGMENTS);
    int64_t tasks = job.x.lines * job.segments;
    size_t bytes = (size_t)tasks * sizeof(State);
    unsigned blocks = mp_blocks(place, tasks, MP_CUDA_THREADS, 1);
    if (job.segments > 1) {
        MP_TRY(mp_cuda_scratch(place, bytes, &job.before));
        State *totals = (State *)job.before;
        scan_beside<R, false><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(job, totals);
        scan_totals_beside<R><<<mp_blocks(place, job.x.lines, MP_CUDA_THREADS, 1), MP_CUDA_THREADS,
                                0, place->stream>>>(totals, job.segments, job.x.lines);
    }
    scan_beside<R, true><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(job, NULL);
    if (job.before) mp_cuda_scratch_free(place, job.before, bytes);
    return MP_CUDA_LAUNCHED();
}

/* x scanned into output 0; a: the factors of a recurrence, or NULL. */
template <class R>
static mp_status scan(const mp_call *call, const mp_array *x, const mp_array *a) {
    mp_cuda_place place;
    int axis = (int)call->attrs.axis;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    scan_job job = {};
    job.x = mp_lines_of(x, axis);
    job.y = mp_lines_of(call->out[0], axis);
    if (a) job.a = mp_lines_of(a, axis);
    bool beside = job.y.step != job.y.bytes && job.x.lines >= MP_WARP;
    return beside ? launch_beside<R>(job, &place) : launch_lines<R>(job, &place);
}

extern "C" mp_status mp_cuda_cumsum(mp_call *call) {
    return mp_is_float((mp_dtype)call->out[0]->dtype)
               ? scan<run_sum<double>>(call, call->in[0], NULL)
               : scan<run_sum<uint64_t>>(call, call->in[0], NULL);
}

extern "C" mp_status mp_cuda_cumprod(mp_call *call) {
    return mp_is_float((mp_dtype)call->out[0]->dtype)
               ? scan<run_prod<double>>(call, call->in[0], NULL)
               : scan<run_prod<uint64_t>>(call, call->in[0], NULL);
}

template <bool LEAST> static mp_status extremum(const mp_call *call) {
    mp_dtype dtype = (mp_dtype)call->in[0]->dtype;
    if (mp_is_float(dtype)) return scan<run_extremum<double, LEAST>>(call, call->in[0], NULL);
    if (dtype == MP_UINT64) return scan<run_extremum<uint64_t, LEAST>>(call, call->in[0], NULL);
    return scan<run_extremum<int64_t, LEAST>>(call, call->in[0], NULL);
}

extern "C" mp_status mp_cuda_cummax(mp_call *call) { return extremum<false>(call); }
extern "C" mp_status mp_cuda_cummin(mp_call *call) { return extremum<true>(call); }

extern "C" mp_status mp_cuda_recurrence(mp_call *call) {
    return scan<run_affine>(call, call->in[1], call->in[0]);
}
