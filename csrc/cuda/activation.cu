/* Functions of one input and the gradients of activations on CUDA: gx from gy and the kept x or y.
 * Limits are taken where a product would be 0 * inf, as on the CPU. Within 4 units in the last
 * place of float32; gelu as accurate as the normal distribution function, relatively to it in its
 * tails too. Forms marked QUICK are for results of at most 11 bits: relative errors below 1e-5, for
 * half the instructions, which in 16 bits are what limits the others. */
#include "pointwise.cuh"

/* ---- float and double under one name ---- */

template <bool QUICK = false> static __device__ inline float exp_at(float x) {
    return QUICK ? __expf(x) : expf(x);
}
template <bool QUICK = false> static __device__ inline double exp_at(double x) { return exp(x); }
static __device__ inline float log1p_at(float x) { return log1pf(x); }
static __device__ inline double log1p_at(double x) { return log1p(x); }
static __device__ inline float magnitude(float x) { return fabsf(x); }
static __device__ inline double magnitude(double x) { return fabs(x); }

/* 1 / x for x from 1 on, within a unit in the last place. */
static __device__ inline float inverse_at(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
static __device__ inline double inverse_at(double x) { return 1 / x; }

/* 1 / (1 + exp(-x)) of -|x| and of |x|, with small results to full precision. */
template <bool QUICK, class C> static __device__ inline void sigmoids_at(C x, C *lower, C *upper) {
    C e = exp_at<QUICK>(-magnitude(x));
    *upper = inverse_at(1 + e);
    *lower = e * *upper;
}

template <bool QUICK = false, class C> static __device__ inline C sigmoid_at(C x) {
    C lower, upper;
    sigmoids_at<QUICK>(x, &lower, &upper);
    return x < 0 ? lower : upper;
}

/* log(1 + exp(x)) */
template <class C> static __device__ inline C softplus_at(C x) {
    return (x > 0 ? x : C(0)) + log1p_at(exp_at(-magnitude(x)));
}

/* exp(-x^2 / 2), whose square is split so that its rounding does not count. */
template <bool QUICK> static __device__ inline float normal_bell(float x) {
    if (QUICK) return __expf(-0.5f * x * x);
    float size = fminf(fabsf(x), 20.0f);
    if (x != x) size = x;
    float high = __uint_as_float(__float_as_uint(size) & 0xfffff000u);
    float rest = 0.5f * (size - high) * (size + high);
    float low = 1.0f - rest * (1.0f - rest * (0.5f - rest * 0.166666667f));
    return expf(-0.5f * high * high) * low;
}
template <bool QUICK> static __device__ inline double normal_bell(double x) {
    return exp(-0.5 * x * x);
}

/* The standard normal distribution function, `bell` being normal_bell(x): of -|x| it is that times
 * a polynomial in 1 / (1 + |x| / sqrt(8)); QUICK: in 1 / (1 + 0.31 |x|). */
template <bool QUICK> static __device__ inline float normal_cdf(float x, float bell) {
    float p;
    if (QUICK) {
        float v = inverse_at(1.0f + 0.31f * fabsf(x));
        p = -0.073924087f;
        p = p * v + 0.180435449f;
        p = p * v + 0.0157617275f;
        p = p * v + 0.133420393f;
        p = p * v + 0.120443784f;
        p = p * v + 0.123860441f;
        p *= v;
    } else {
        float size = fminf(fabsf(x), 20.0f);
        float v = inverse_at(1.0f + size * 0.353553391f) - 0.3f;
        p = -0.0553822618f;
        p = p * v + 0.11609525f;
        p = p * v + 0.0127208271f;
        p = p * v - 0.165370017f;
        p = p * v - 0.0764028531f;
        p = p * v + 0.221054311f;
        p = p * v + 0.509489912f;
        p = p * v + 0.61769787f;
        p = p * v + 0.539992626f;
        p = p * v + 0.118294236f;
        bell *= 0.5f;
    }
    float tail = bell * p;
    return x > 0.0f ? 1.0f - tail : tail;
}
template <bool QUICK> static __device__ inline double normal_cdf(double x, double) {
    return 0.5 * erfc(x * -0.70710678118654752440);
}

/* ---- functions ---- */

/* y = F<QUICK>(inputs), quick where the result is narrow. */
template <int N, template <bool> class F> static mp_status by_width(mp_call *call) {
    const mp_array *y = call->out[0];
    mp_cuda_place place;
    mp_dense<float, N> in;
    if (!mp_is_narrow((mp_dtype)y->dtype) || mp_compute_of(call, 0, N, false) == MP_IN_DOUBLE)
        return pointwise_real<N>(call, F<false>{});
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool dense = dense_inputs<float, N>(call, y->dtype, &in);
    if (dense && y->dtype == MP_FLOAT16)
        return launch_dense<float, __half, __half, N>(call, &place, in, F<true>{});
    if (dense && y->dtype == MP_BFLOAT16)
        return launch_dense<float, __nv_bfloat16, __nv_bfloat16, N>(call, &place, in, F<true>{});
    return launch_walked<float, N>(call, &place, F<true>{});
}

/* mp_cuda_<name> is y = formula of a; functions of <cmath> are overloaded for float and double. */
#define FUNCTION(name, formula)                                                                    \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C a) const { return formula; }           \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return pointwise_real<1>(call, name##_of{});                                               \
    }

/* mp_cuda_<name> is gx = formula of gy and b, the kept x or y. */
#define GRADIENT(name, formula)                                                                    \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C gy, C b) const { return formula; }     \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return pointwise_real<2>(call, name##_of{});                                               \
    }

FUNCTION(exp, exp_at(a))
FUNCTION(log, log(a))
FUNCTION(sqrt, sqrt(a))
FUNCTION(rsqrt, 1 / sqrt(a))
FUNCTION(tanh, tanh(a))
GRADIENT(tanh_bwd, gy *(1 - b * b))
GRADIENT(sigmoid_bwd, gy *(b *(1 - b)))

/* ---- with attributes ---- */

struct reciprocal_of {
    double value;
    template <class C> __device__ inline C operator()(C a) const { return (C)value / a; }
};
extern "C" mp_status mp_cuda_reciprocal(mp_call *call) {
    return pointwise_real<1>(call, reciprocal_of{call->attrs.value});
}

struct leaky_relu_of {
    double slope;
    template <class C> __device__ inline C operator()(C a) const {
        return a > 0 ? a : a * (C)slope;
    }
};
struct leaky_relu_bwd_of {
    double slope;
    template <class C> __device__ inline C operator()(C gy, C x) const {
        return x > 0 ? gy : gy * (C)slope;
    }
};
extern "C" mp_status mp_cuda_leaky_relu(mp_call *call) {
    return pointwise_real<1>(call, leaky_relu_of{call->attrs.negative_slope});
}
extern "C" mp_status mp_cuda_leaky_relu_bwd(mp_call *call) {
    return pointwise_real<2>(call, leaky_relu_bwd_of{call->attrs.negative_slope});
}

/* log(1 + exp(beta x)) / beta, and x where beta x is above the threshold */
struct softplus_of {
    double beta, threshold;
    template <class C> __device__ inline C operator()(C x) const {
        C z = x * (C)beta;
        return z > (C)threshold ? x : softplus_at(z) / (C)beta;
    }
};
struct softplus_bwd_of {
    double beta, threshold;
    template <class C> __device__ inline C operator()(C gy, C x) const {
        C z = x * (C)beta;
        return z > (C)threshold ? gy : gy * sigmoid_at(z);
    }
};
extern "C" mp_status mp_cuda_softplus(mp_call *call) {
    return pointwise_real<1>(call, softplus_of{call->attrs.beta, call->attrs.threshold});
}
extern "C" mp_status mp_cuda_softplus_bwd(mp_call *call) {
    return pointwise_real<2>(call, softplus_bwd_of{call->attrs.beta, call->attrs.threshold});
}

/* ---- sigmoid and silu, whose slope is s (1 + x (1 - s)) with s = sigmoid(x) ---- */

template <bool QUICK> struct sigmoid_of {
    template <class C> __device__ inline C operator()(C x) const { return sigmoid_at<QUICK>(x); }
};
template <bool QUICK> struct silu_of {
    template <class C> __device__ inline C operator()(C x) const {
        return x * sigmoid_at<QUICK>(x);
    }
};
template <bool QUICK> struct silu_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C x) const {
        C lower, upper;
        sigmoids_at<QUICK>(x, &lower, &upper);
        C s = x < 0 ? lower : upper, bell = lower * upper;
        return gy * (bell == 0 ? s : s + x * bell);
    }
};
extern "C" mp_status mp_cuda_sigmoid(mp_call *call) { return by_width<1, sigmoid_of>(call); }
extern "C" mp_status mp_cuda_silu(mp_call *call) { return by_width<1, silu_of>(call); }
extern "C" mp_status mp_cuda_silu_bwd(mp_call *call) { return by_width<2, silu_bwd_of>(call); }

/* ---- gelu: x Phi(x), or its tanh form x (1 + tanh(u)) / 2 = x sigmoid(2 u) ---- */

constexpr double gelu_scale = 1.5957691216057308; /* 2 sqrt(2 / pi) */
constexpr double gelu_cubic = 0.044715;
constexpr double bell_peak = 0.3989422804014327; /* 1 / sqrt(2 pi) */

/* 2 u */
template <class C> static __device__ inline C gelu_argument(C x) {
    return (C)gelu_scale * x * (1 + (C)gelu_cubic * (x * x));
}

template <bool QUICK> struct gelu_of {
    template <class C> __device__ inline C operator()(C x) const {
        return x * normal_cdf<QUICK>(x, normal_bell<QUICK>(x));
    }
};
template <bool QUICK> struct gelu_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C x) const {
        C bell = normal_bell<QUICK>(x), gate = normal_cdf<QUICK>(x, bell);
        return gy * (bell == 0 ? gate : gate + x * ((C)bell_peak * bell));
    }
};
template <bool QUICK> struct gelu_tanh_of {
    template <class C> __device__ inline C operator()(C x) const {
        return x * sigmoid_at<QUICK>(gelu_argument(x));
    }
};
/* gate + x gate' with gate' = gate (1 - gate) 2 u' */
template <bool QUICK> struct gelu_tanh_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C x) const {
        C lower, upper, z = gelu_argument(x);
        sigmoids_at<QUICK>(z, &lower, &upper);
        C gate = z < 0 ? lower : upper, bell = lower * upper;
        C du = (C)gelu_scale * (1 + 3 * (C)gelu_cubic * (x * x));
        return gy * (bell == 0 ? gate : gate + x * bell * du);
    }
};
extern "C" mp_status mp_cuda_gelu(mp_call *call) {
    return call->attrs.tanh ? by_width<1, gelu_tanh_of>(call) : by_width<1, gelu_of>(call);
}
extern "C" mp_status mp_cuda_gelu_bwd(mp_call *call) {
    return call->attrs.tanh ? by_width<2, gelu_tanh_bwd_of>(call) : by_width<2, gelu_bwd_of>(call);
}
