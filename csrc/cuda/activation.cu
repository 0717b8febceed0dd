/* Functions of one input and the gradients of activations on CUDA: gx from gy and the kept x or y.
 * Limits are taken where a product would be 0 * inf, as on the CPU. Within 4 units in the last
 * place of float32; gelu as accurate as the normal distribution function, relatively to it in its
 * tails too. Forms marked QUICK are for results of at most 11 bits: relative errors below 1e-5, for
 * half the instructions, which in 16 bits are what limits the others. */
#include "activation.cuh"
#include "pointwise.cuh"

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

static __device__ inline float log1p_at(float x) { return log1pf(x); }
static __device__ inline double log1p_at(double x) { return log1p(x); }

/* log(1 + exp(x)) */
template <class C> static __device__ inline C softplus_at(C x) {
    return (x > 0 ? x : C(0)) + log1p_at(exp_at(-magnitude(x)));
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

/* ---- gelu ---- */

extern "C" mp_status mp_cuda_gelu(mp_call *call) {
    return call->attrs.tanh ? by_width<1, gelu_tanh_of>(call) : by_width<1, gelu_of>(call);
}
extern "C" mp_status mp_cuda_gelu_bwd(mp_call *call) {
    return call->attrs.tanh ? by_width<2, gelu_tanh_bwd_of>(call) : by_width<2, gelu_bwd_of>(call);
}
