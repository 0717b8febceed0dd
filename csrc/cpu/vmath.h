/* Functions of one float32, inline and without branches: loops over them are vectorised. They do
 * the same operations in every tier, so results are the same too. Right at infinities, NaN,
 * subnormals and overflow. Greatest errors, in units in the last place, over all floats:
 * exp 1.0, log 0.9, tanh 1.3, sigmoid 2.7, softplus 2.7; the normal CDF 7 down to x = -12.
 * Rows are vmath.c's. */
#ifndef MP_CPU_VMATH_H
#define MP_CPU_VMATH_H

#include <float.h>
#include <math.h>

#include "../narrow.h"

/* exp(x): with n = round(x / ln 2), 2^n exp(x - n ln 2), the latter by a polynomial. 2^n is two
 * factors, so that subnormal and infinite results are rounded once, at the end. */
static inline float mp_fexp(float x) {
    const float magic = 0x1.8p23f; /* adding it rounds to an integer */
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.5f ? -104.5f : x;
    float shifted = x * 0x1.715476p+0f + magic;
    float k = shifted - magic;
    uint32_t n = mp_bits32(shifted) - mp_bits32(magic);
    float r = (x - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f; /* the first product is exact */
    float q = 0.00138145964f;
    q = q * r + 0.00836871709f;
    q = q * r + 0.0416683881f;
    q = q * r + 0.166665206f;
    q = q * r + 0.499999934f;
    float p = 1.0f + (r + r * r * q);
    uint32_t half = (uint32_t)((int32_t)n >> 1);
    return p * mp_from_bits32((half + 127) << 23) * mp_from_bits32((n - half + 127) << 23);
}

/* log(x): with x = 2^e (1 + f) and 1 + f between sqrt(1/2) and sqrt(2), e ln 2 + log(1 + f). */
static inline float mp_flog(float x) {
    float normal = x < FLT_MIN ? x * 0x1p23f : x;
    float shift = x < FLT_MIN ? -23.0f : 0.0f;
    uint32_t bits = mp_bits32(normal), above = bits - 0x3f3504f3u;
    int32_t exponent = (int32_t)above >> 23;
    float f = mp_from_bits32(bits - ((uint32_t)exponent << 23)) - 1.0f;
    float e = (float)exponent + shift, s = f * f;
    float p = -0.0763442991f;
    p = p * f + 0.127615504f;
    p = p * f - 0.131601951f;
    p = p * f + 0.142017625f;
    p = p * f - 0.166233565f;
    p = p * f + 0.200012267f;
    p = p * f - 0.250008211f;
    p = p * f + 0.333333317f;
    float small = p * f * s + e * 0x1.7f7d1cp-20f - 0.5f * s;
    float y = (f + small) + e * 0x1.62e4p-1f;
    y = x > FLT_MAX ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    y = x < 0.0f ? NAN : y;
    return x != x ? x : y;
}

/* log(1 + u) for u in [0, 1], from atanh(u / (2 + u)). */
static inline float mp_flog1p_unit(float u) {
    float s = u / (2.0f + u), t = s * s;
    float p = 0.280244656f;
    p = p * t + 0.279991394f;
    p = p * t + 0.400216992f;
    p = p * t + 0.666664131f;
    return 2.0f * s + s * t * p;
}

static inline float mp_ftanh(float x) {
    float size = fabsf(x), s = x * x;
    float p = -0.00571703656f;
    p = p * s + 0.020650579f;
    p = p * s - 0.0537434953f;
    p = p * s + 0.133314912f;
    p = p * s - 0.333332839f;
    float small = size + size * s * p;
    float large = 1.0f - 2.0f / (mp_fexp(2.0f * size) + 1.0f);
    float y = size < 0.625f ? small : large;
    return copysignf(y, x);
}

/* 1 / (1 + exp(-x)), with small results to full precision. */
static inline float mp_fsigmoid(float x) {
    float e = mp_fexp(-fabsf(x)), y = 1.0f / (1.0f + e);
    return x < 0.0f ? e * y : y;
}

/* log(1 + exp(x)) */
static inline float mp_fsoftplus(float x) {
    float u = mp_flog1p_unit(mp_fexp(-fabsf(x)));
    return (x > 0.0f ? x : 0.0f) + (x != x ? x : u);
}

/* exp(-x^2 / 2), whose square is split so that its rounding does not count. */
static inline float mp_fbell(float x) {
    float size = fabsf(x);
    size = size > 20.0f ? 20.0f : size;
    float high = mp_from_bits32(mp_bits32(size) & 0xfffff000u);
    float rest = 0.5f * (size - high) * (size + high);
    float y = mp_fexp(-0.5f * high * high);
    float low = 1.0f - rest * (1.0f - rest * (0.5f - rest * 0.166666667f));
    return y * low;
}

/* The standard normal distribution function: of -|x| it is exp(-x^2 / 2) times a polynomial
 * in 2 / (2 + |x| / sqrt(2)). */
static inline float mp_fnormal_cdf(float x) {
    float size = fabsf(x);
    size = size > 20.0f ? 20.0f : size;
    float v = 2.0f / (2.0f + size * 0.707106781f) - 0.3f;
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
    float tail = 0.5f * mp_fbell(x) * p;
    return x > 0.0f ? 1.0f - tail : tail;
}

#endif
