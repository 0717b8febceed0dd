/* The inverse of the normal distribution function, from polynomials of our own: what every device
 * makes random_normal of. Relative error 1.5e-6, which no statistic sees; for float64 one step of
 * Halley's method follows. Inline, so that all devices have the same. */
#ifndef MP_NORMAL_H
#define MP_NORMAL_H

#include "mp.h"

/* p x + c, the product rounded before the sum: the same on every device, none of which may fuse. */
static inline MP_HOST_DEVICE float mp_normal_step(float p, float x, float c) {
#ifdef __CUDA_ARCH__
    return __fadd_rn(__fmul_rn(p, x), c);
#else
    return p * x + c;
#endif
}

/* z with P(Z > z) = p for p = 0.5 - q, |q| <= 0.425. */
static inline MP_HOST_DEVICE float mp_normal_central(float q) {
    float r = q * q;
    float p = 440742.207f;
    p = mp_normal_step(p, r, -246985.33f);
    p = mp_normal_step(p, r, 60554.9833f);
    p = mp_normal_step(p, r, -7542.35041f);
    p = mp_normal_step(p, r, 598.394067f);
    p = mp_normal_step(p, r, -5.91113206f);
    p = mp_normal_step(p, r, 6.18814302f);
    p = mp_normal_step(p, r, 2.62188782f);
    p = mp_normal_step(p, r, 2.50663193f);
    return q * p;
}

/* z with P(Z > z) = p < 0.075, from root = sqrt(-log p), up to 6.85. */
static inline MP_HOST_DEVICE float mp_normal_tail(float root) {
    float p = 7.60035067e-07f;
    p = mp_normal_step(p, root, -3.09514686e-05f);
    p = mp_normal_step(p, root, 0.000555392939f);
    p = mp_normal_step(p, root, -0.00578339418f);
    p = mp_normal_step(p, root, 0.038748644f);
    p = mp_normal_step(p, root, -0.175117551f);
    p = mp_normal_step(p, root, 0.544890323f);
    p = mp_normal_step(p, root, -1.17492021f);
    p = mp_normal_step(p, root, 3.18703295f);
    return mp_normal_step(p, root, -2.07514986f);
}

/* A word of Philox as a point of (0, 0.5), its upper bit left for the sign. */
static inline MP_HOST_DEVICE float mp_normal_point(uint32_t word) {
    return ((float)(int32_t)(word & 0x7fffffffu) + 0.5f) * 0x1p-32f;
}
/* The same from 64 bits, of which 53 are used. */
static inline MP_HOST_DEVICE double mp_normal_point64(uint64_t bits) {
    return ((double)(int64_t)(bits << 1 >> 12) + 0.5) * 0x1p-53;
}

#endif
