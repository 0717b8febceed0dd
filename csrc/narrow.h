/* Bit-level conversions between the narrow floats and float32/float64, inline and without branches,
 * so that a loop over them can be vectorised. dtype.c gives them names, cpu/convert.c makes rows of
 * them: one source, so that all agree bit for bit. Round to nearest even; NaN becomes the format's
 * quiet NaN of its sign (widening keeps the payload of 16-bit NaNs). */
#ifndef MP_NARROW_H
#define MP_NARROW_H

#include <string.h>

#include "mp.h"

static inline MP_HOST_DEVICE uint32_t mp_bits32(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline MP_HOST_DEVICE float mp_from_bits32(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* if_true where the condition holds; a mask, lest the compiler makes a jump of it. */
static inline MP_HOST_DEVICE uint32_t mp_pick(int condition, uint32_t if_true, uint32_t if_false) {
    uint32_t mask = 0u - (uint32_t)condition;
    return (if_true & mask) | (if_false & ~mask);
}

/* ---- widening: exact ---- */

static inline MP_HOST_DEVICE float mp_widen_bf16(uint16_t h) {
    return mp_from_bits32((uint32_t)h << 16);
}

static inline MP_HOST_DEVICE float mp_widen_f16(uint16_t h) {
    uint32_t magnitude = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t normal = (magnitude << 13) + (112u << 23);
    uint32_t small = mp_bits32((float)(int32_t)magnitude * 0x1p-24f); /* subnormal */
    uint32_t special = (magnitude << 13) | 0x7f800000u;               /* infinity and NaN */
    special |= mp_pick(magnitude > 0x7c00u, 0x400000u, 0);
    uint32_t bits = mp_pick(magnitude < 0x400u, small, normal);
    bits = mp_pick(magnitude >= 0x7c00u, special, bits);
    return mp_from_bits32(bits | sign);
}

static inline MP_HOST_DEVICE float mp_widen_e4m3(uint8_t v) {
    uint32_t magnitude = v & 0x7fu, sign = (uint32_t)(v & 0x80u) << 24;
    uint32_t normal = (magnitude << 20) + (120u << 23);
    uint32_t small = mp_bits32((float)(int32_t)magnitude * 0x1p-9f);
    uint32_t bits = mp_pick(magnitude < 8u, small, normal);
    bits = mp_pick(magnitude == 0x7fu, 0x7fc00000u, bits);
    return mp_from_bits32(bits | sign);
}

static inline MP_HOST_DEVICE float mp_widen_e5m2(uint8_t v) {
    uint32_t magnitude = v & 0x7fu, sign = (uint32_t)(v & 0x80u) << 24;
    uint32_t normal = (magnitude << 21) + (112u << 23);
    uint32_t small = mp_bits32((float)(int32_t)magnitude * 0x1p-16f);
    uint32_t bits = mp_pick(magnitude < 4u, small, normal);
    bits = mp_pick(magnitude == 0x7cu, 0x7f800000u, bits);
    bits = mp_pick(magnitude > 0x7cu, 0x7fc00000u, bits);
    return mp_from_bits32(bits | sign);
}

/* ---- narrowing ---- */

static inline MP_HOST_DEVICE uint16_t mp_narrow_bf16(float f) {
    uint32_t bits = mp_bits32(f);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t nan = 0x7fc0u | ((bits >> 16) & 0x8000u);
    return (uint16_t)mp_pick((bits & 0x7fffffffu) > 0x7f800000u, nan, rounded);
}

/* Adding `magic`, whose last bit has the value of the format's smallest number, rounds to a
 * multiple of that; its bits less those of magic are the subnormal. */
static inline MP_HOST_DEVICE uint32_t mp_narrow_small(uint32_t magnitude, float magic) {
    return mp_bits32(mp_from_bits32(magnitude) + magic) - mp_bits32(magic);
}

static inline MP_HOST_DEVICE uint16_t mp_narrow_f16(float f) {
    uint32_t bits = mp_bits32(f), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    uint32_t small = mp_narrow_small(magnitude, 0.5f);
    uint32_t half = mp_pick(magnitude < 0x38800000u, small, normal);
    half = mp_pick(magnitude >= 0x477ff000u, 0x7c00u, half); /* from 65520 on */
    half = mp_pick(magnitude > 0x7f800000u, 0x7e00u, half);
    return (uint16_t)(half | sign);
}

static inline MP_HOST_DEVICE uint8_t mp_narrow_e4m3(float f) {
    uint32_t bits = mp_bits32(f), sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude - (120u << 23) + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
    uint32_t small = mp_narrow_small(magnitude, 0x1p14f);
    uint32_t value = mp_pick(magnitude < 0x3c800000u, small, normal);
    value = mp_pick(magnitude > 0x43e80000u, 0x7fu, value); /* beyond 464, and NaN */
    return (uint8_t)(value | sign);
}

static inline MP_HOST_DEVICE uint8_t mp_narrow_e5m2(float f) {
    uint32_t bits = mp_bits32(f), sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude - (112u << 23) + 0xfffffu + ((magnitude >> 21) & 1u)) >> 21;
    uint32_t small = mp_narrow_small(magnitude, 0x1p7f);
    uint32_t value = mp_pick(magnitude < 0x38800000u, small, normal);
    value = mp_pick(magnitude >= 0x47700000u, 0x7cu, value); /* from 61440 on */
    value = mp_pick(magnitude > 0x7f800000u, 0x7eu, value);
    return (uint8_t)(value | sign);
}

/* The float next to d whose last bit is 1 where d is not a float itself. Rounding that to a narrow
 * format gives what rounding d gives. */
static inline MP_HOST_DEVICE float mp_round_to_odd(double d) {
    float nearest = (float)d;
    double back = (double)nearest;
    uint32_t bits = mp_bits32(nearest);
    double size = d < 0 ? -d : d, back_size = back < 0 ? -back : back;
    bits -= back_size > size ? 1u : 0;
    bits |= back != d ? 1u : 0;
    return mp_from_bits32(bits);
}

/* ---- to integers ---- */

/* Truncated; saturated beyond int64, NaN gives INT64_MIN. */
static inline MP_HOST_DEVICE int64_t mp_double_to_int(double d) {
    if (!(d < 0x1p63)) return d >= 0x1p63 ? INT64_MAX : INT64_MIN;
    return d < -0x1p63 ? INT64_MIN : (int64_t)d;
}
/* The same for uint64; negative values wrap around, as NumPy's do. */
static inline MP_HOST_DEVICE uint64_t mp_double_to_uint(double d) {
    if (!(d >= 0x1p63)) return (uint64_t)mp_double_to_int(d);
    return d >= 0x1p64 ? UINT64_MAX : (uint64_t)d;
}

#endif
