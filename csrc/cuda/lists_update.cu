/* Multi-tensor updates on CUDA: SGD and Adam(W), with unscale, clip, masters and shadows in one
 * pass. What they depend on (found_inf, clip factor, loss scale, step count) is read from device
 * memory, so that nothing waits for the host. */
#include "lists.cuh"

enum {
    UPDATE_WAVES = 64, /* chunks per multiprocessor, about */
    STEPS = 256,       /* step counts that one launch advances */
};

/* What all items share. */
struct list_hyper {
    double lr, beta1, beta2, eps, weight_decay, momentum, dampening;
    bool decoupled, nesterov, maximize;
    const mp_stats *stats;
    const double *rate; /* stands for lr; or NULL */
};

static __device__ inline double rate_of(const list_hyper &hyper) {
    return hyper.rate ? *hyper.rate : hyper.lr;
}

/* What a gradient is multiplied by: the clip coefficient over the loss scale. */
static __device__ inline double grad_factor(const list_hyper &hyper, const mp_list_item &item) {
    double factor = hyper.stats ? hyper.stats->factor : 1;
    if (item.scale) factor /= *item.scale;
    return hyper.maximize ? -factor : factor;
}

/* PyTorch's SGD. g = grad * factor + decay * p; buffer m: g at first, then first * m + dampened *
 * g; p -= rate * g without buffer. */
struct sgd_rule {
    static constexpr bool two_moments = false;
    template <class C> struct factors { C grad, decay, rate, first, dampened, own, buffer; };

    template <class C>
    static __device__ inline factors<C> of(const list_hyper &hyper, const mp_list_item &item) {
        bool start = *item.step == 0;
        return {(C)grad_factor(hyper, item),
                (C)hyper.weight_decay,
                (C)rate_of(hyper),
                (C)(start ? 0 : hyper.momentum),
                (C)(start ? 1 : 1 - hyper.dampening),
                (C)(hyper.nesterov ? 1 : 0),
                (C)(hyper.nesterov ? hyper.momentum : 1)};
    }
    template <class C>
    static __device__ inline void step(const factors<C> &f, C grad, C &p, C &m, C &, bool with_m) {
        C g = grad * f.grad + f.decay * p;
        if (!with_m) {
            p -= f.rate * g;
            return;
        }
        m = (f.first == 0 ? 0 : f.first * m) + f.dampened * g; /* at first it may hold anything */
        p -= f.rate * (f.own * g + f.buffer * m);
    }
};

/* PyTorch's Adam(W): p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps). */
struct adam_rule {
    static constexpr bool two_moments = true;
    template <class C> struct factors {
        C grad, decay, keep, rate, first, second, rest, unbias, eps;
    };

    template <class C>
    static __device__ inline factors<C> of(const list_hyper &hyper, const mp_list_item &item) {
        const double t = (double)*item.step + 1, first = 1 - pow(hyper.beta1, t);
        const double unbias = 1 / sqrt(1 - pow(hyper.beta2, t)), lr = rate_of(hyper);
        return {(C)grad_factor(hyper, item),
                (C)(hyper.decoupled ? 0 : hyper.weight_decay),
                (C)(hyper.decoupled ? 1 - lr * hyper.weight_decay : 1),
                (C)(lr / first),
                (C)(1 - hyper.beta1),
                (C)hyper.beta2,
                (C)(1 - hyper.beta2),
                (C)unbias,
                (C)hyper.eps};
    }
    static __device__ inline float root(float y) { return sqrtf(y); }
    static __device__ inline double root(double y) { return sqrt(y); }
    template <class C>
    static __device__ inline void step(const factors<C> &f, C grad, C &p, C &m, C &v, bool) {
        C g = grad * f.grad + f.decay * p;
        m += f.first * (g - m);
        v = f.second * v + f.rest * (g * g);
        p = p * f.keep - f.rate * (m / (root(v) * f.unbias + f.eps));
    }
};

static kind update_kind(const mp_list_item *item) {
    if (!item->grad || !item->size) return NONE;
    if (item->param_dtype == MP_FLOAT64) return WIDE;
    bool param = item->param_dtype == MP_FLOAT32 || (is_half(item->param_dtype) && item->master);
    bool grad = item->grad_dtype == MP_FLOAT32 || is_half(item->grad_dtype);
    bool shadow = !item->shadow || is_half(item->shadow_dtype);
    const void *data[] = {item->param, item->grad, item->shadow, item->master, item->m, item->v};
    for (const void *each : data) param = param && is_aligned(each);
    return param && grad && shadow ? FAST : ANY;
}

/* The first moment of an item, or NULL where the rule keeps none. */
template <class R>
static __device__ inline void *first_moment(const list_hyper &hyper, const mp_list_item &item) {
    return R::two_moments || hyper.momentum != 0 ? item.m : NULL;
}

/* Element i, computed in C. Without a master a narrow param is the only copy. */
template <class R, class C, class F>
static __device__ inline void update_one(const list_hyper &hyper, const mp_list_item &item,
                                         int64_t i, const F &f) {
    const bool own = item.param_dtype == (std::is_same_v<C, double> ? MP_FLOAT64 : MP_FLOAT32);
    C *wide = own ? (C *)item.param : (C *)item.master;
    void *param = element(item.param, item.param_dtype, i);
    C *moment = (C *)first_moment<R>(hyper, item), *second = R::two_moments ? (C *)item.v : NULL;
    C p = wide ? wide[i] : load_any<C>(param, item.param_dtype);
    C g = load_any<C>(element(item.grad, item.grad_dtype, i), item.grad_dtype);
    C m = moment ? moment[i] : 0, v = second ? second[i] : 0;
    R::step(f, g, p, m, v, moment != NULL);
    if (moment) moment[i] = m;
    if (second) second[i] = v;
    if (wide) wide[i] = p;
    if (!own) store_any(param, item.param_dtype, p);
    if (item.shadow) store_any(element(item.shadow, item.shadow_dtype, i), item.shadow_dtype, p);
}

enum { PACK = 4 }; /* elements: 16 bytes of float32 */
typedef mp_pack<float, PACK> float_pack;

/* Pack `at` of a gradient as its bits, of which a 16-bit dtype fills half. */
static __device__ inline uint4 load_bits(const void *grad, int dtype, int at) {
    if (dtype == MP_FLOAT32) return ((const uint4 *)grad)[at];
    uint2 bits = ((const uint2 *)grad)[at];
    return make_uint4(bits.x, bits.y, 0, 0);
}

static __device__ inline float_pack widen_bits(uint4 bits, int dtype) {
    if (dtype == MP_FLOAT32)
        return {__uint_as_float(bits.x), __uint_as_float(bits.y), __uint_as_float(bits.z),
                __uint_as_float(bits.w)};
    if (dtype == MP_BFLOAT16)
        return {__uint_as_float(bits.x << 16), __uint_as_float(bits.x & 0xffff0000u),
                __uint_as_float(bits.y << 16), __uint_as_float(bits.y & 0xffff0000u)};
    return {__half2float(__ushort_as_half((unsigned short)bits.x)),
            __half2float(__ushort_as_half((unsigned short)(bits.x >> 16))),
            __half2float(__ushort_as_half((unsigned short)bits.y)),
            __half2float(__ushort_as_half((unsigned short)(bits.y >> 16)))};
}

template <class T>
static __device__ inline void store_narrow_as(void *to, int at, const float_pack &y) {
    mp_pack<T, PACK> out;
#pragma unroll
    for (int i = 0; i < PACK; i++) out.v[i] = narrow<T>(y.v[i]);
    store_pack<T, PACK>((T *)to + (int64_t)at * PACK, out);
}

static __device__ inline void store_narrow(void *to, int dtype, int at, const float_pack &y) {
    if (dtype == MP_FLOAT16) store_narrow_as<__half>(to, at, y);
    else store_narrow_as<__nv_bfloat16>(to, at, y);
}

/* Float32 in flight: reads and writes param (or master) and moments, reads the gradient, writes
 * shadow and narrow param: 28 + 2 bytes per element for Adam. Up to eight loads of 16 bytes are in
 * flight, the first of them while thread 0 computes the factors. The blocks go from the last to the
 * first, since the last gradients that unscale read may still be cached. */
template <class R, int CAPACITY>
__global__ void __launch_bounds__(THREADS, 4)
    update_fast(const __grid_constant__ list_part<CAPACITY> part,
                const __grid_constant__ list_hyper hyper) {
    constexpr int PACKS = 2;
    __shared__ typename R::template factors<float> room;
    const float found = hyper.stats ? hyper.stats->found_inf : 0;
    const list_run run = run_of(part, gridDim.x - 1 - blockIdx.x);
    const mp_list_item &item = part.items[run.item];
    const bool own = item.param_dtype == MP_FLOAT32;
    const int param_dtype = item.param_dtype, grad_dtype = item.grad_dtype,
              shadow_dtype = item.shadow_dtype;
    float *p_data = (own ? (float *)item.param : item.master) + run.begin;
    float *m_data = (float *)first_moment<R>(hyper, item), *v_data = (float *)item.v + run.begin;
    const void *g_data = element(item.grad, grad_dtype, run.begin);
    void *param = own ? NULL : element(item.param, param_dtype, run.begin);
    void *shadow = item.shadow ? element(item.shadow, shadow_dtype, run.begin) : NULL;
    const bool with_m = R::two_moments || m_data != NULL;
    if (with_m) m_data += run.begin;

    const int packs = run.size / PACK;
    float_pack p[PACKS], m[PACKS], v[PACKS];
    uint4 g[PACKS];
    auto load = [&](int first) {
#pragma unroll
        for (int k = 0; k < PACKS; k++) {
            int at = first + k * THREADS;
            if (at >= packs) continue;
            p[k] = load_pack<float, PACK>(p_data + (int64_t)at * PACK);
            g[k] = load_bits(g_data, grad_dtype, at);
            if (with_m) m[k] = load_pack<float, PACK>(m_data + (int64_t)at * PACK);
            if (R::two_moments) v[k] = load_pack<float, PACK>(v_data + (int64_t)at * PACK);
        }
    };
    load(threadIdx.x);
    if (threadIdx.x == 0) room = R::template of<float>(hyper, item);
    __syncthreads();
    if (found != 0) return;
    const auto f = room;
    for (int first = threadIdx.x; first < packs;) {
#pragma unroll
        for (int k = 0; k < PACKS; k++) {
            int at = first + k * THREADS;
            if (at >= packs) continue;
            float_pack grad = widen_bits(g[k], grad_dtype);
#pragma unroll
            for (int i = 0; i < PACK; i++)
                R::step(f, grad.v[i], p[k].v[i], m[k].v[i], v[k].v[i], with_m);
            store_pack<float, PACK>(p_data + (int64_t)at * PACK, p[k]);
            if (with_m) store_pack<float, PACK>(m_data + (int64_t)at * PACK, m[k]);
            if (R::two_moments) store_pack<float, PACK>(v_data + (int64_t)at * PACK, v[k]);
            if (param) store_narrow(param, param_dtype, at, p[k]);
            if (shadow) store_narrow(shadow, shadow_dtype, at, p[k]);
        }
        first += THREADS * PACKS;
        load(first);
    }
    int rest = packs * PACK + threadIdx.x; /* fewer than PACK are left */
    if (rest < run.size) update_one<R, float>(hyper, item, run.begin + rest, f);
}

/* The same for any dtype and address, computing in C. */
template <class R, class C, int CAPACITY>
__global__ void __launch_bounds__(THREADS)
    update_any(const __grid_constant__ list_part<CAPACITY> part,
               const __grid_constant__ list_hyper hyper) {
    __shared__ typename R::template factors<C> room;
    if (hyper.stats && hyper.stats->found_inf != 0) return;
    const list_run run = run_of(part, blockIdx.x);
    const mp_list_item &item = part.items[run.item];
    if (threadIdx.x == 0) room = R::template of<C>(hyper, item);
    __syncthreads();
    const auto f = room;
    for (int i = threadIdx.x; i < run.size; i += THREADS)
        update_one<R, C>(hyper, item, run.begin + i, f);
}

struct list_steps {
    int n;
    const mp_stats *stats;
    float *step[STEPS];
};

/* Steps advance last: the blocks of one item all read the same. */
__global__ void __launch_bounds__(STEPS) advance(const __grid_constant__ list_steps steps) {
    if (steps.stats && steps.stats->found_inf != 0) return;
    if (threadIdx.x < steps.n) *steps.step[threadIdx.x] += 1;
}

static void launch_advance(const mp_list_call *call, cudaStream_t stream) {
    list_steps steps;
    steps.stats = call->stats;
    for (int64_t i = 0; i < call->n;) {
        for (steps.n = 0; i < call->n && steps.n < STEPS; i++)
            if (call->items[i].grad) steps.step[steps.n++] = call->items[i].step;
        if (steps.n) advance<<<1, STEPS, 0, stream>>>(steps);
    }
}

template <class R> static mp_status update(const mp_list_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    const list_plan plan = plan_of(call, update_kind, (int64_t)place.processors * UPDATE_WAVES);
    const list_hyper hyper = {call->lr,           call->beta1,    call->beta2,     call->eps,
                              call->weight_decay, call->momentum, call->dampening, call->decoupled,
                              call->nesterov,     call->maximize, call->stats,     call->rate};
    launch_kind(&plan, FAST, [&](const auto &part, unsigned blocks) {
        update_fast<R><<<blocks, THREADS, 0, place.stream>>>(part, hyper);
    });
    launch_parts<MANY>(&plan, ANY, [&](const auto &part, unsigned blocks) {
        update_any<R, float><<<blocks, THREADS, 0, place.stream>>>(part, hyper);
    });
    launch_parts<MANY>(&plan, WIDE, [&](const auto &part, unsigned blocks) {
        update_any<R, double><<<blocks, THREADS, 0, place.stream>>>(part, hyper);
    });
    launch_advance(call, place.stream);
    return MP_CUDA_LAUNCHED();
}

extern "C" mp_status mp_cuda_list_sgd(const mp_list_call *call) { return update<sgd_rule>(call); }
extern "C" mp_status mp_cuda_list_adam(const mp_list_call *call) { return update<adam_rule>(call); }
