/* Functions of one input and the gradients of activations on CUDA: gx from gy and the kept x or y.
 * Limits are taken where a product would be 0 * inf, as on the CPU. Within 4 units in the last
 * place of float32; gelu as accurate as the normal distribution function, relatively to it in its
 * tails too. */
#include "pointwise.cuh"

/* ---- float and double under one name ---- */

static __device__ inline float exp_at(float x) { return expf(x); }
static __device__ inline double exp_at(double x) { return exp(x); }
static __device__ inline float log1p_at(float x) { return log1pf(x); }
static __device__ inline double log1p_at(double x) { return log1p(x); }
static __device__ inline float magnitude(float x) { return fabsf(x); }
static __device__ inline double magnitude(double x) { return fabs(x); }

/* 1 / x for x between 1 and 2. */
static __device__ inline float inverse_at(float x) { return __fdividef(1.0f, x); }
static __device__ inline double inverse_at(double x) { return 1 / x; }

/* 1 / (1 + exp(-x)), with small results to full precision. */
template <class C> static __device__ inline C sigmoid_at(C x) {
    C e = exp_at(-magnitude(x)), y = inverse_at(1 + e);
    return x < 0 ? e * y : y;
}

/* log(1 + exp(x)) */
template <class C> static __device__ inline C softplus_at(C x) {
    return (x > 0 ? x : C(0)) + log1p_at(exp_at(-magnitude(x)));
}

/* The standard normal distribution function. */
static __device__ inline double normal_cdf(double x) {
    return 0.5 * erfc(x * -0.70710678118654752440);
}
static __device__ inline double normal_bell(double x) { return exp(-0.5 * x * x); }

/* exp(-x^2 / 2), whose square is split so that its rounding does not count. */
static __device__ inline float normal_bell(float x) {
    float size = fminf(fabsf(x), 20.0f);
    if (x != x) size = x;
    float high = __uint_as_float(__float_as_uint(size) & 0xfffff000u);
    float rest = 0.5f * (size - high) * (size + high);
    float low = 1.0f - rest * (1.0f - rest * (0.5f - rest * 0.166666667f));
    return expf(-0.5f * high * high) * low;
}

/* Of -|x| it is exp(-x^2 / 2) times a polynomial in 2 / (2 + |x| / sqrt(2)). */
static __device__ inline float normal_cdf(float x) {
    float size = fminf(fabsf(x), 20.0f);
    float v = __fdividef(2.0f, 2.0f + size * 0.707106781f) - 0.3f;
    float p = -0.0553822618f;
    p = p * v + 0.11609525f;
    p = p * v + 0.0127208271f;
    p = p * v - 0.165370017f;
    p = p * v - 0.0764028531f;
    p = p * v + 0.221054311f;
    p = p * v + 0.509489912f;
    p = p * v + 0.61769787f;
    p = p * v + 0.539992626f;
    p = p * v + 0.118294236f;
    float tail = 0.5f * normal_bell(x) * p;
    return x > 0.0f ? 1.0f - tail : tail;
}

/* ---- functions ---- */

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
FUNCTION(sigmoid, sigmoid_at(a))
FUNCTION(silu, sigmoid_at(a) * a)
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

/* ---- silu: its slope is s (1 + x (1 - s)) with s = sigmoid(x) ---- */

template <class C> static __device__ inline C silu_slope(C x) {
    C e = exp_at(-magnitude(x)), y = inverse_at(1 + e), small = e * y;
    C s = x < 0 ? small : y, bell = y * small;
    return bell == 0 ? s : s + x * bell;
}
GRADIENT(silu_bwd, silu_slope(b) * gy)

/* ---- gelu: x Phi(x), or its tanh form x (1 + tanh(u)) / 2 = x sigmoid(2 u) ---- */

constexpr double gelu_scale = 1.5957691216057308; /* 2 sqrt(2 / pi) */
constexpr double gelu_cubic = 0.044715;
constexpr double bell_peak = 0.3989422804014327; /* 1 / sqrt(2 pi) */

template <class C> static __device__ inline C gelu_slope(C x) {
    C gate = normal_cdf(x), bell = (C)bell_peak * normal_bell(x);
    return bell == 0 ? gate : gate + x * bell;
}

/* 2 u */
template <class C> static __device__ inline C gelu_tanh_argument(C x) {
    return (C)gelu_scale * x * (1 + (C)gelu_cubic * (x * x));
}
/* gate + x gate' with gate' = gate (1 - gate) 2 u' */
template <class C> static __device__ inline C gelu_tanh_slope(C x) {
    C z = gelu_tanh_argument(x), e = exp_at(-magnitude(z)), y = inverse_at(1 + e), small = e * y;
    C gate = z < 0 ? small : y, bell = y * small;
    C du = (C)gelu_scale * (1 + 3 * (C)gelu_cubic * (x * x));
    return bell == 0 ? gate : gate + x * bell * du;
}

struct gelu_of {
    template <class C> __device__ inline C operator()(C x) const { return x * normal_cdf(x); }
};
struct gelu_tanh_of {
    template <class C> __device__ inline C operator()(C x) const {
        return x * sigmoid_at(gelu_tanh_argument(x));
    }
};
struct gelu_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C x) const {
        return gy * gelu_slope(x);
    }
};
struct gelu_tanh_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C x) const {
        return gy * gelu_tanh_slope(x);
    }
};

extern "C" mp_status mp_cuda_gelu(mp_call *call) {
    return call->attrs.tanh ? pointwise_real<1>(call, gelu_tanh_of{})
                            : pointwise_real<1>(call, gelu_of{});
}
extern "C" mp_status mp_cuda_gelu_bwd(mp_call *call) {
    return call->attrs.tanh ? pointwise_real<2>(call, gelu_tanh_bwd_of{})
                            : pointwise_real<2>(call, gelu_bwd_of{});
}
