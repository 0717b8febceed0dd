/* The formulas of sigmoid and gelu, which activation.cu shares with linear_gelu.cu; how exact they
 * are, and what QUICK means, is said there. */
#ifndef MP_CUDA_ACTIVATION_CUH
#define MP_CUDA_ACTIVATION_CUH

#include "convert.cuh"

/* ---- float and double under one name ---- */

template <bool QUICK = false> static __device__ inline float exp_at(float x) {
    return QUICK ? __expf(x) : expf(x);
}
template <bool QUICK = false> static __device__ inline double exp_at(double x) { return exp(x); }
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
#endif
