/* Losses of pairs of elements, and their gradients: mse, l1, smooth_l1, huber, binary cross entropy
 * of logits. Operands have any strides and broadcast. What lies dense in common dtypes goes in
 * 16-byte accesses; sums are float32 in a thread's packs, and float64 beyond, joined in a fixed
 * order. */
#include <float.h>
#include <math.h>

#include "pointwise.cuh"
#include "reduce.cuh"

enum {
    PAIR_PACKS = 2, /* of each operand that a thread has in flight */
    PAIR_TURNS = 4, /* of one block up to which it does a call alone, in one launch */
};

/* ---- the losses ---- */

/* With a = |x - target|: curve a^2 where a < reach, else slope (a - offset). A reach of NaN is
 * none. */
struct difference_loss {
    double reach, curve, slope, offset;

    template <class C> __device__ inline C operator()(C x, C t) const {
        C d = x - t, a = d < 0 ? -d : d;
        return a >= (C)reach ? (C)slope * (a - (C)offset) : (C)curve * a * a;
    }
    template <class C> __device__ inline C operator()(C x, C t, C, C) const {
        return (*this)(x, t);
    }
};

/* The gradient of that for x, which is less that for the target. share: what gy is multiplied by
 * for the reduction. */
struct difference_slope {
    difference_loss loss;
    double share;

    template <class C> __device__ inline C operator()(C gy, C x, C t) const {
        C d = x - t, a = d < 0 ? -d : d, sign = d > 0 ? C(1) : d < 0 ? C(-1) : d;
        return gy * (C)share * (a >= (C)loss.reach ? (C)loss.slope * sign : 2 * (C)loss.curve * d);
    }
};

static __device__ inline float log_of_one_and(float p) { return log1pf(p); }
static __device__ inline double log_of_one_and(double p) { return log1p(p); }

/* log(1 + exp(-x)) and the logistic function of x. */
template <class C> struct logistic {
    C soft, sigmoid;

    __device__ inline explicit logistic(C x) {
        C power = exp(x < 0 ? x : -x), inverse = 1 / (1 + power);
        soft = log_of_one_and(power) + (x < 0 ? -x : C(0));
        sigmoid = x < 0 ? power * inverse : inverse;
    }
};

/* weight ((1 - target) x + (1 + (positive - 1) target) log(1 + exp(-x))) */
struct logits_loss {
    template <class C> __device__ inline C operator()(C x, C t, C weight, C positive) const {
        return weight * ((1 - t) * x + (1 + (positive - 1) * t) * logistic<C>(x).soft);
    }
    template <class C> __device__ inline C operator()(C x, C t) const {
        return (*this)(x, t, C(1), C(1));
    }
};

/* gx = gy weight ((positive target + 1 - target) sigmoid(x) - positive target),
 * gtarget = gy weight ((positive - 1) log(1 + exp(-x)) - x) */
struct logits_slope {
    double share;

    template <class C>
    __device__ inline C operator()(C gy, C x, C t, C weight, C positive, C *gtarget) const {
        logistic<C> of_x(x);
        C g = gy * (C)share * weight;
        *gtarget = g * ((positive - 1) * of_x.soft - x);
        return g * ((positive * t + (1 - t)) * of_x.sigmoid - positive * t);
    }
};

/* ---- sums of losses ---- */

/* Where a loss goes: one element of any dtype, divided by `by`; with several blocks by way of their
 * sums. */
struct pair_result {
    void *y;
    int dtype;
    double by;
    double *sums;
};

static __device__ inline void finish_pair(const pair_result &to, double sum) {
    store_any<double>(to.y, to.dtype, sum / to.by);
}

/* All threads of the block must be there. */
static __device__ inline void give_pair(const pair_result &to, double mine) {
    __shared__ double room[MP_CUDA_THREADS / MP_WARP];
    double sum = block_reduce<MP_CUDA_THREADS>(mine, mp_add(), room);
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) finish_pair(to, sum);
    else to.sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(MP_CUDA_THREADS) join_pairs(const pair_result to, int n) {
    __shared__ double room[MP_CUDA_THREADS / MP_WARP];
    double mine = 0;
    for (int i = threadIdx.x; i < n; i += MP_CUDA_THREADS) mine += to.sums[i];
    mine = block_reduce<MP_CUDA_THREADS>(mine, mp_add(), room);
    if (threadIdx.x == 0) finish_pair(to, mine);
}

/* Runs launch(to) of `blocks` blocks, which writes y or, with several blocks, sums that are joined
 * here. */
template <class L>
static mp_status sum_pairs(const mp_call *call, const mp_cuda_place *place, int64_t n,
                           unsigned blocks, L launch) {
    mp_array *y = call->out[0];
    bool mean = call->attrs.reduction == MP_REDUCE_MEAN;
    pair_result to = {mp_data(y), y->dtype, mean ? (double)n : 1.0, NULL};
    size_t bytes = blocks * sizeof *to.sums;
    if (blocks > 1) MP_TRY(mp_cuda_scratch(place, bytes, (void **)&to.sums));
    launch(to);
    if (blocks > 1) {
        join_pairs<<<1, MP_CUDA_THREADS, 0, place->stream>>>(to, (int)blocks);
        mp_cuda_scratch_free(place, to.sums, bytes);
    }
    return MP_CUDA_LAUNCHED();
}

/* ---- dense kernels ---- */

/* Elements of a pack: 16 bytes of the narrower type. */
template <class TX, class TT>
constexpr int pair_pack = 16 / (int)(sizeof(TX) < sizeof(TT) ? sizeof(TX) : sizeof(TT));

/* The sum of f(x[i], t[i]). Reads each once. */
template <class TX, class TT, class F>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pair_dense(const TX *x, const TT *t, int64_t n, const pair_result to, const F f) {
    constexpr int V = pair_pack<TX, TT>;
    int64_t packs = n / V, step = (int64_t)gridDim.x * MP_CUDA_THREADS * PAIR_PACKS;
    int64_t start = (int64_t)blockIdx.x * MP_CUDA_THREADS * PAIR_PACKS + threadIdx.x;
    double sum = 0;
    for (int64_t first = start; first < packs; first += step) {
        mp_pack<TX, V> xs[PAIR_PACKS];
        mp_pack<TT, V> ts[PAIR_PACKS];
#pragma unroll
        for (int p = 0; p < PAIR_PACKS; p++) {
            int64_t at = first + p * MP_CUDA_THREADS;
            if (at >= packs) continue;
            xs[p] = load_pack<TX, V>(x + at * V);
            ts[p] = load_pack<TT, V>(t + at * V);
        }
        float part = 0;
#pragma unroll
        for (int p = 0; p < PAIR_PACKS; p++) {
            if (first + p * MP_CUDA_THREADS >= packs) continue;
#pragma unroll
            for (int i = 0; i < V; i++)
                part += f(widen<float>(xs[p].v[i]), widen<float>(ts[p].v[i]));
        }
        sum += part;
    }
    int64_t rest = packs * V + start;
    if (blockIdx.x == 0 && rest < n) sum += f(widen<float>(x[rest]), widen<float>(t[rest]));
    give_pair(to, sum);
}

/* The operands of a dense gradient; gtarget may be NULL. gy is one element. */
template <class TX, class TT, class TO> struct pair_dense_grad {
    const TX *x;
    const TT *t;
    TO *gx;
    TT *gtarget;
    const void *gy;
    int gy_dtype;
    int64_t n;
};

template <class F, class TT>
static __device__ inline float slope_at(const F &f, float gy, float x, float t, TT *gtarget) {
    if constexpr (std::is_same_v<F, logits_slope>) {
        float other;
        float gx = f(gy, x, t, 1.0f, 1.0f, &other);
        *gtarget = narrow<TT>(other);
        return gx;
    } else return f(gy, x, t);
}

/* gx (and gtarget) from one gy. Reads x and target, writes the gradients, each once. */
template <class TX, class TT, class TO, class F>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pair_dense_bwd(const __grid_constant__ pair_dense_grad<TX, TT, TO> a, const F f) {
    constexpr int V = pair_pack<TX, TT>;
    constexpr bool logits = std::is_same_v<F, logits_slope>;
    int64_t packs = a.n / V,
            first = (int64_t)blockIdx.x * MP_CUDA_THREADS * PAIR_PACKS + threadIdx.x;
    float gy = load_any<float>(a.gy, a.gy_dtype);
    mp_pack<TX, V> xs[PAIR_PACKS];
    mp_pack<TT, V> ts[PAIR_PACKS];
#pragma unroll
    for (int p = 0; p < PAIR_PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        xs[p] = load_pack<TX, V>(a.x + at * V);
        ts[p] = load_pack<TT, V>(a.t + at * V);
    }
#pragma unroll
    for (int p = 0; p < PAIR_PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        mp_pack<TO, V> gx;
        mp_pack<TT, V> gt;
#pragma unroll
        for (int i = 0; i < V; i++)
            gx.v[i] = narrow<TO>(
                slope_at(f, gy, widen<float>(xs[p].v[i]), widen<float>(ts[p].v[i]), &gt.v[i]));
        store_pack<TO, V>(a.gx + at * V, gx);
        if constexpr (logits) store_pack<TT, V>(a.gtarget + at * V, gt);
    }
    int64_t rest = packs * V + first;
    if (blockIdx.x == 0 && rest < a.n)
        a.gx[rest] = narrow<TO>(
            slope_at(f, gy, widen<float>(a.x[rest]), widen<float>(a.t[rest]), a.gtarget + rest));
}

/* f(mp_type<TX>{}, mp_type<TT>{}) for x and target that lie dense and as one: both of a common
 * dtype, or x narrow and the target float32. Others: false. */
template <class F>
static inline bool visit_dense(const mp_array *x, const mp_array *t, int64_t n, mp_status *status,
                               F f) {
    bool dense = x->contiguous && t->contiguous && x->size == n && t->size == n;
    if (!dense || !is_aligned(mp_data(x)) || !is_aligned(mp_data(t))) return false;
    if (x->dtype == t->dtype)
        return visit_common(x->dtype, status, [&](auto both) { return f(both, both); });
    if (t->dtype != MP_FLOAT32 || !mp_is_narrow((mp_dtype)x->dtype)) return false;
    return visit_common(x->dtype, status,
                        [&](auto narrower) { return f(narrower, mp_type<float>{}); });
}

/* ---- walked kernels ---- */

enum { LOSS, LOSS_X, LOSS_TARGET, LOSS_WEIGHT, LOSS_POSITIVE, LOSS_OPERANDS };
enum { GX, GTARGET, GY, BWD_X, BWD_TARGET, BWD_WEIGHT, BWD_POSITIVE, BWD_OPERANDS };

/* An operand that is absent (data NULL) is 1. */
template <class C, int N>
static __device__ inline C pair_operand(const mp_walk<N> &w, char *const *p, int k) {
    return w.data[k] ? load_any<C>(p[k], w.dtype[k]) : C(1);
}

/* Losses to operand LOSS, or where that is absent their sum. */
template <bool WIDE, class C, class F>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pair_walked(const __grid_constant__ mp_walk<LOSS_OPERANDS> w, const pair_result to, const F f) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    double sum = 0;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < w.size; i += step) {
        char *p[LOSS_OPERANDS];
        w.template at<WIDE>(i, p);
        C loss = f(pair_operand<C>(w, p, LOSS_X), pair_operand<C>(w, p, LOSS_TARGET),
                   pair_operand<C>(w, p, LOSS_WEIGHT), pair_operand<C>(w, p, LOSS_POSITIVE));
        if (w.data[LOSS]) store_any(p[LOSS], w.dtype[LOSS], loss);
        sum += loss;
    }
    if (!w.data[LOSS]) give_pair(to, sum);
}

template <bool WIDE, class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pair_walked_bwd(const __grid_constant__ mp_walk<BWD_OPERANDS> w, const logits_slope f) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < w.size; i += step) {
        char *p[BWD_OPERANDS];
        C gtarget;
        w.template at<WIDE>(i, p);
        C gx = f(pair_operand<C>(w, p, GY), pair_operand<C>(w, p, BWD_X),
                 pair_operand<C>(w, p, BWD_TARGET), pair_operand<C>(w, p, BWD_WEIGHT),
                 pair_operand<C>(w, p, BWD_POSITIVE), &gtarget);
        store_any(p[GX], w.dtype[GX], gx);
        store_any(p[GTARGET], w.dtype[GTARGET], gtarget);
    }
}

/* The walk of operands of which some are NULL; operand `there` is not. */
template <int N>
static mp_walk<N> pair_walk(mp_array *const *operands, int there, int ndim, const int64_t *shape) {
    mp_array *all[N];
    for (int k = 0; k < N; k++) all[k] = operands[k] ? operands[k] : operands[there];
    mp_walk<N> w = mp_walk_of<N>(all, ndim, shape);
    for (int k = 0; k < N; k++)
        if (!operands[k]) w.data[k] = NULL;
    return w;
}

static bool any_wide(mp_array *const *operands, int n) {
    bool wide = false;
    for (int k = 0; k < n; k++) wide |= operands[k] && operands[k]->dtype == MP_FLOAT64;
    return wide;
}

/* ---- forward ---- */

/* The shape that x and target, which do, broadcast to; its size. */
static int64_t pair_shape(const mp_array *x, const mp_array *t, int *ndim, int64_t *shape) {
    int64_t n = 1;
    *ndim = x->ndim > t->ndim ? x->ndim : t->ndim;
    for (int d = 0; d < *ndim; d++) {
        int of_x = d - (*ndim - x->ndim), of_t = d - (*ndim - t->ndim);
        shape[d] = of_x >= 0 ? x->shape[of_x] : 1;
        if (of_t >= 0 && shape[d] == 1) shape[d] = t->shape[of_t];
        n *= shape[d];
    }
    return n;
}

template <class F>
static mp_status forward_walked(const mp_call *call, const mp_cuda_place *place, F f) {
    bool none = call->attrs.reduction == MP_REDUCE_NONE, weights = call->n_in > 2;
    mp_array *operands[LOSS_OPERANDS] = {none ? call->out[0] : NULL, call->in[0], call->in[1],
                                         weights ? call->in[2] : NULL,
                                         weights ? call->in[3] : NULL};
    int ndim;
    int64_t shape[MP_CUDA_DIMS];
    pair_shape(call->in[0], call->in[1], &ndim, shape);
    mp_walk<LOSS_OPERANDS> w = pair_walk<LOSS_OPERANDS>(operands, LOSS_X, ndim, shape);
    bool wide_real = any_wide(operands, LOSS_OPERANDS) || call->out[0]->dtype == MP_FLOAT64;
    unsigned blocks = mp_blocks(place, w.size, MP_CUDA_THREADS,
                                w.size <= PAIR_TURNS * MP_CUDA_THREADS ? PAIR_TURNS : 1);
    auto launch = [&](const pair_result &to) {
        visit_real(wide_real, [&](auto c) {
            mp_choose_width(w.size, [&](auto wide) {
                pair_walked<wide.value, typename decltype(c)::type>
                    <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, to, f);
            });
            return MP_OK;
        });
    };
    if (!none) return sum_pairs(call, place, w.size, blocks, launch);
    launch(pair_result{});
    return MP_CUDA_LAUNCHED();
}

template <class F> static mp_status forward(mp_call *call, F f) {
    const mp_array *x = call->in[0], *t = call->in[1];
    bool none = call->attrs.reduction == MP_REDUCE_NONE;
    bool weights = call->n_in > 2 && (call->in[2] || call->in[3]);
    mp_cuda_place place;
    mp_status status;
    int ndim;
    int64_t shape[MP_CUDA_DIMS], n = pair_shape(x, t, &ndim, shape);
    if (none && n == 0) return MP_OK;
    if (none && !weights) return pointwise_real<2>(call, f);
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool done = !none && !weights && visit_dense(x, t, n, &status, [&](auto x_type, auto t_type) {
        using TX = typename decltype(x_type)::type;
        using TT = typename decltype(t_type)::type;
        int64_t per_turn = (int64_t)MP_CUDA_THREADS * PAIR_PACKS * pair_pack<TX, TT>;
        int64_t turns = (n + per_turn - 1) / per_turn, most = (int64_t)place.processors * 8;
        unsigned blocks = (unsigned)(turns <= PAIR_TURNS ? 1 : turns < most ? turns : most);
        return sum_pairs(call, &place, n, blocks, [&](const pair_result &to) {
            pair_dense<TX, TT><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(
                (const TX *)mp_data(x), (const TT *)mp_data(t), n, to, f);
        });
    });
    return done ? status : forward_walked(call, &place, f);
}

/* ---- backward ---- */

static double share_of(const mp_call *call) {
    return call->attrs.reduction == MP_REDUCE_MEAN ? 1 / (double)call->out[0]->size : 1;
}

/* Whether the dense kernel did the call: one gy, and gx of x's dtype or promoted. */
template <class F>
static bool backward_dense(const mp_call *call, const mp_cuda_place *place, F f,
                           mp_status *status) {
    const mp_array *gy = call->in[0], *x = call->in[1], *t = call->in[2], *gx = call->out[0];
    constexpr bool logits = std::is_same_v<F, logits_slope>;
    if (gy->size != 1 || !gx->contiguous || !is_aligned(mp_data(gx))) return false;
    if (gx->dtype != (logits ? x : t)->dtype || (logits && (call->in[3] || call->in[4])))
        return false;
    if (logits && (!call->out[1]->contiguous || !is_aligned(mp_data(call->out[1])))) return false;
    return visit_dense(x, t, gx->size, status, [&](auto x_type, auto t_type) {
        using TX = typename decltype(x_type)::type;
        using TT = typename decltype(t_type)::type;
        using TO = std::conditional_t<logits, TX, TT>; /* TT is as wide as TX, or wider */
        TT *gtarget = logits ? (TT *)mp_data(call->out[1]) : NULL;
        pair_dense_grad<TX, TT, TO> a = {(const TX *)mp_data(x),
                                         (const TT *)mp_data(t),
                                         (TO *)mp_data(gx),
                                         gtarget,
                                         mp_data(gy),
                                         gy->dtype,
                                         gx->size};
        int64_t per_block = (int64_t)MP_CUDA_THREADS * PAIR_PACKS * pair_pack<TX, TT>;
        unsigned blocks = (unsigned)((gx->size + per_block - 1) / per_block);
        pair_dense_bwd<TX, TT, TO><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(a, f);
        return MP_CUDA_LAUNCHED();
    });
}

static mp_status backward(mp_call *call, difference_loss loss) {
    difference_slope f = {loss, share_of(call)};
    mp_cuda_place place;
    mp_status status;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return backward_dense(call, &place, f, &status) ? status : pointwise_real<3>(call, f);
}

static mp_status backward(mp_call *call, logits_slope f) {
    mp_array *gx = call->out[0];
    mp_cuda_place place;
    mp_status status;
    if (gx->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (backward_dense(call, &place, f, &status)) return status;
    mp_array *operands[BWD_OPERANDS] = {gx,          call->out[1], call->in[0], call->in[1],
                                        call->in[2], call->in[3],  call->in[4]};
    mp_walk<BWD_OPERANDS> w = pair_walk<BWD_OPERANDS>(operands, GX, gx->ndim, gx->shape);
    unsigned blocks = mp_blocks(&place, w.size, MP_CUDA_THREADS, 1);
    return visit_real(any_wide(operands, BWD_OPERANDS), [&](auto c) {
        mp_choose_width(w.size, [&](auto wide) {
            pair_walked_bwd<wide.value, typename decltype(c)::type>
                <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(w, f);
        });
        return MP_CUDA_LAUNCHED();
    });
}

/* ---- ops; d is x - target ---- */

/* d^2 */
static const difference_loss mse = {NAN, 1, 0, 0};
/* |d| */
static const difference_loss l1 = {0, 0, 1, 0};
/* d^2 / (2 beta) where |d| < beta, else |d| - beta / 2. A beta whose inverse may overflow is 0. */
static difference_loss smooth_l1(double beta) {
    return beta < (double)FLT_MIN ? l1 : difference_loss{beta, 0.5 / beta, 1, beta / 2};
}
/* d^2 / 2 where |d| < delta, else delta (|d| - delta / 2) */
static difference_loss huber(double delta) { return {delta, 0.5, delta, delta / 2}; }

extern "C" mp_status mp_cuda_mse_loss(mp_call *call) { return forward(call, mse); }
extern "C" mp_status mp_cuda_mse_loss_bwd(mp_call *call) { return backward(call, mse); }
extern "C" mp_status mp_cuda_l1_loss(mp_call *call) { return forward(call, l1); }
extern "C" mp_status mp_cuda_l1_loss_bwd(mp_call *call) { return backward(call, l1); }
extern "C" mp_status mp_cuda_smooth_l1_loss(mp_call *call) {
    return forward(call, smooth_l1(call->attrs.beta));
}
extern "C" mp_status mp_cuda_smooth_l1_loss_bwd(mp_call *call) {
    return backward(call, smooth_l1(call->attrs.beta));
}
extern "C" mp_status mp_cuda_huber_loss(mp_call *call) {
    return forward(call, huber(call->attrs.delta));
}
extern "C" mp_status mp_cuda_huber_loss_bwd(mp_call *call) {
    return backward(call, huber(call->attrs.delta));
}
extern "C" mp_status mp_cuda_binary_cross_entropy_with_logits(mp_call *call) {
    return forward(call, logits_loss{});
}
extern "C" mp_status mp_cuda_binary_cross_entropy_with_logits_bwd(mp_call *call) {
    return backward(call, logits_slope{share_of(call)});
}
