/* sum, prod, mean, var and logsumexp over any axes and strides; max and min are in extremum.cu,
 * all, any and count_nonzero in truth.cu. Floats add up in float32, a few of them at a time, and
 * those sums in float64, so that the error of a sum does not grow with its length; integers in 64
 * bits. Products run in float64. Sum, prod and mean read x once, var and logsumexp twice. */
#include "extremum.cuh"

static __device__ inline int64_t add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static __device__ inline double add(double a, double b) { return a + b; }
static __device__ inline float add(float a, float b) { return a + b; }

template <class S> struct sum_of_sums {
    using Sum = S;
    static __device__ inline S start() { return 0; }
    static __device__ inline S join(S a, S b) { return add(a, b); }
    static __device__ inline S shuffle(S a, int width) {
        return __shfl_xor_sync(0xffffffffu, a, width);
    }
    static __device__ inline void store(char *p, int dtype, S sum, double by) {
        if constexpr (std::is_same_v<S, double>)
            store_any<double>(p, dtype, by == 1 ? sum : sum / by);
        else store_any<int64_t>(p, dtype, sum);
    }
};

template <class C_>
struct sum_of : sum_of_sums<std::conditional_t<std::is_same_v<C_, int64_t>, int64_t, double>> {
    using C = C_;
    using Lane = C;
    using Sum = typename sum_of::Sum;
    static __device__ inline C empty() { return 0; }
    static __device__ inline void take(C &lane, C x, int64_t, C) { lane = add(lane, x); }
    static __device__ inline void fold(Sum &sum, C lane) { sum = add(sum, (Sum)lane); }
};

/* The sum of (x - center)^2. */
template <class C_> struct deviation_of : sum_of<C_> {
    static __device__ inline void take(C_ &lane, C_ x, int64_t, C_ center) {
        lane += (x - center) * (x - center);
    }
};

/* The sum of exp(x - center). */
template <class C_> struct exp_of : sum_of<C_> {
    static __device__ inline void take(C_ &lane, C_ x, int64_t, C_ center) {
        lane += exp(x - center);
    }
};

template <class C_> struct prod_of {
    using C = C_;
    using Sum = std::conditional_t<std::is_same_v<C_, int64_t>, int64_t, double>;
    using Lane = Sum;
    static __device__ inline Sum start() { return 1; }
    static __device__ inline Sum empty() { return 1; }
    static __device__ inline Sum join(Sum a, Sum b) {
        if constexpr (std::is_same_v<Sum, int64_t>) return (int64_t)((uint64_t)a * (uint64_t)b);
        else return a * b;
    }
    static __device__ inline void take(Lane &lane, C x, int64_t, C) { lane = join(lane, (Sum)x); }
    static __device__ inline void fold(Sum &sum, Lane lane) { sum = join(sum, lane); }
    static __device__ inline Sum shuffle(Sum a, int width) {
        return __shfl_xor_sync(0xffffffffu, a, width);
    }
    static __device__ inline void store(char *p, int dtype, Sum sum, double) {
        store_any<Sum>(p, dtype, sum);
    }
};

/* Whether results that are floats are summed from doubles: of float64, or of integers of 32 bits or
 * more. */
static bool is_wide(const mp_call *call) {
    mp_dtype x = (mp_dtype)call->in[0]->dtype;
    bool wide_int = !mp_is_float(x) && mp_dtypes[x].bytes >= 4;
    return x == MP_FLOAT64 || call->out[0]->dtype == MP_FLOAT64 || wide_int;
}

static mp_reduce_plan plan_of(const mp_call *call, mp_operand out, bool wide,
                              const mp_cuda_place *place) {
    return mp_reduce_plan_of(call->in[0], call->attrs.n_ints, call->attrs.ints, out, !wide,
                             place->processors);
}

/* The number of elements that go into one result. */
static double reduced_count(const mp_call *call) {
    double n = 1;
    for (int i = 0; i < call->attrs.n_ints; i++)
        n *= (double)call->in[0]->shape[call->attrs.ints[i]];
    return n;
}

/* Of nothing: every result is 0 / by. */
template <class S>
static mp_status write_nothing(const mp_array *y, double by, const mp_cuda_place *place) {
    mp_reduce_job job = {};
    job.results = y->size;
    job.out = mp_operand_of(y);
    job.by = by;
    launch_join<sum_of_sums<S>>(job, 0, place);
    return MP_CUDA_LAUNCHED();
}

static mp_status run_sum(const mp_call *call, const mp_operand &out, double by,
                         const mp_cuda_place *place) {
    bool wide = is_wide(call);
    mp_reduce_plan plan = plan_of(call, out, wide, place);
    plan.job.by = by;
    return wide ? run_reduction<sum_of<double>>(plan, place)
                : run_reduction<sum_of<float>>(plan, place);
}

extern "C" mp_status mp_cuda_sum(mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool floating = mp_is_float((mp_dtype)x->dtype);
    if (x->size == 0)
        return floating ? write_nothing<double>(y, 1, &place)
                        : write_nothing<int64_t>(y, 1, &place);
    if (floating) return run_sum(call, mp_operand_of(y), 1, &place);
    return run_reduction<sum_of<int64_t>>(plan_of(call, mp_operand_of(y), true, &place), &place);
}

/* Of nothing it is 0 / 0. */
extern "C" mp_status mp_cuda_mean(mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    double n = reduced_count(call);
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return x->size == 0 ? write_nothing<double>(y, n, &place)
                        : run_sum(call, mp_operand_of(y), n, &place);
}

/* The sum of (x - mean)^2, over max(0, n - ddof). The means are kept as float64. */
extern "C" mp_status mp_cuda_var(mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    double n = reduced_count(call), freedom = n - (double)call->attrs.ddof;
    size_t bytes = (size_t)y->size * sizeof(double);
    bool wide = is_wide(call);
    void *means;
    if (freedom < 0) freedom = 0;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (x->size == 0) return write_nothing<double>(y, freedom, &place);
    MP_TRY(mp_cuda_scratch(&place, bytes, &means));
    mp_status status =
        run_sum(call, mp_operand{(char *)means, MP_FLOAT64, sizeof(double)}, n, &place);
    if (status == MP_OK) {
        mp_reduce_plan plan = plan_of(call, mp_operand_of(y), wide, &place);
        plan.job.center = (const double *)means;
        plan.job.by = freedom;
        status = wide ? run_reduction<deviation_of<double>>(plan, &place)
                      : run_reduction<deviation_of<float>>(plan, &place);
    }
    mp_cuda_scratch_free(&place, means, bytes);
    return status;
}

extern "C" mp_status mp_cuda_prod(mp_call *call) {
    mp_cuda_place place;
    const mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (x->size == 0) {
        mp_reduce_job job = {};
        job.results = y->size;
        job.out = mp_operand_of(y);
        job.by = 1;
        launch_join<prod_of<double>>(job, 0, &place);
        return MP_CUDA_LAUNCHED();
    }
    bool wide = is_wide(call);
    if (!mp_is_float((mp_dtype)x->dtype)) {
        mp_reduce_plan plan = plan_of(call, mp_operand_of(y), true, &place);
        return run_reduction<prod_of<int64_t>>(plan, &place);
    }
    mp_reduce_plan plan = plan_of(call, mp_operand_of(y), wide, &place);
    return wide ? run_reduction<prod_of<double>>(plan, &place)
                : run_reduction<prod_of<float>>(plan, &place);
}

/* ---- logsumexp ---- */

/* Centers that are not finite become 0. */
__global__ void __launch_bounds__(MP_CUDA_THREADS) finite_centers(double *center, int64_t n) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += step)
        if (!isfinite(center[i])) center[i] = 0;
}

/* y = log(sum) + center; where x is empty both are NULL, and y is -inf. */
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    log_sums(const double *sum, const double *center, mp_operand y, int64_t n) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += step)
        store_any<double>(y.data + i * y.bytes, y.dtype,
                          sum ? log(sum[i]) + center[i] : -(double)INFINITY);
}

static mp_status sum_exps(const mp_call *call, double *center, double *sum,
                          const mp_cuda_place *place) {
    int64_t n = call->out[0]->size;
    bool wide = is_wide(call);
    mp_operand to_center = {(char *)center, MP_FLOAT64, sizeof(double)};
    mp_reduce_plan plan = plan_of(call, to_center, wide, place);
    mp_status status = wide ? run_reduction<extremum_of<double, false>>(plan, place)
                            : run_reduction<extremum_of<float, false>>(plan, place);
    MP_TRY(status);
    unsigned blocks = mp_blocks(place, n, MP_CUDA_THREADS, 1);
    finite_centers<<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(center, n);
    plan = plan_of(call, mp_operand{(char *)sum, MP_FLOAT64, sizeof(double)}, wide, place);
    plan.job.center = center;
    MP_TRY(wide ? run_reduction<exp_of<double>>(plan, place)
                : run_reduction<exp_of<float>>(plan, place));
    log_sums<<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(sum, center,
                                                            mp_operand_of(call->out[0]), n);
    return MP_CUDA_LAUNCHED();
}

extern "C" mp_status mp_cuda_logsumexp(mp_call *call) {
    mp_cuda_place place;
    const mp_array *y = call->out[0];
    size_t bytes = 2 * (size_t)y->size * sizeof(double);
    void *room;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (call->in[0]->size == 0) {
        log_sums<<<mp_blocks(&place, y->size, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0,
                   place.stream>>>(NULL, NULL, mp_operand_of(y), y->size);
        return MP_CUDA_LAUNCHED();
    }
    MP_TRY(mp_cuda_scratch(&place, bytes, &room));
    mp_status status = sum_exps(call, (double *)room, (double *)room + y->size, &place);
    mp_cuda_scratch_free(&place, room, bytes);
    return status;
}
