/* Functions of one float64, inline and without branches: loops over them are vectorised. Right at
 * infinities, NaN, signed zeros and subnormals. Errors are below 1 unit in the last place of exp
 * and log, 2 of log2, log1p and expm1, 3 of tanh. The polynomials are Taylor's, long enough for
 * float64. The numbers ln 2 and parts of it: HIGH has so few bits that its products with exponents
 * are exact. */
#ifndef MP_CPU_VMATH_DOUBLE_H
#define MP_CPU_VMATH_DOUBLE_H

#include "vmath_wide.h"

#define MP_LN_2_HIGH 0x1.62e42fee00000p-1
#define MP_LN_2_LOW 0x1.a39ef35793c76p-33

/* 2^n for the n that adding MP_WIDE_MAGIC left in the last bits of x */
static inline double mp_double_power(double x) {
    return mp_from_bits64((mp_bits64(x) + 1023) << 52);
}

/* exp(x) - 1 of x less the nearest multiple of ln 2, *k times ln 2. |x| < 2000 */
static inline double mp_double_exp_part(double x, double *k) {
    *k = (x * 1.44269504088896340736 + MP_WIDE_MAGIC) - MP_WIDE_MAGIC;
    double r = (x - *k * MP_LN_2_HIGH) - *k * MP_LN_2_LOW;
    double q = 1.0 / 6227020800;
    q = q * r + 1.0 / 479001600;
    q = q * r + 1.0 / 39916800;
    q = q * r + 1.0 / 3628800;
    q = q * r + 1.0 / 362880;
    q = q * r + 1.0 / 40320;
    q = q * r + 1.0 / 5040;
    q = q * r + 1.0 / 720;
    q = q * r + 1.0 / 120;
    q = q * r + 1.0 / 24;
    q = q * r + 1.0 / 6;
    q = q * r + 1.0 / 2;
    return r + r * r * q;
}

/* Two factors make up the power of 2: subnormal and infinite results are rounded once, at the end.
 */
static inline double mp_dexp(double x) {
    double k, within = x > 710 ? 710 : x;
    within = within < -746 ? -746 : within;
    double part = mp_double_exp_part(within, &k);
    double shifted = 0.5 * k + MP_WIDE_MAGIC, half = shifted - MP_WIDE_MAGIC;
    return (1 + part) * mp_double_power(shifted) * mp_double_power(k - half + MP_WIDE_MAGIC);
}

/* 2^k (1 + part) - 1, halved on the way: 2^k alone may be too great. */
static inline double mp_dexpm1(double x) {
    double k, within = x > 710 ? 710 : x;
    within = within < -50 ? -50 : within;
    double part = mp_double_exp_part(within, &k), power = mp_double_power(k - 1 + MP_WIDE_MAGIC);
    double y = 2 * (power * part + (power - 0.5)); /* of subnormal x, half of it may be inexact */
    return copysign(fabs(x) < 0x1p-1000 ? x : y, x);
}

/* With m = expm1(2 |x|), m / (m + 2) */
static inline double mp_dtanh(double x) {
    double size = fabs(x), more = mp_dexpm1(2 * (size > 22 ? 22 : size));
    return copysign(more / (more + 2), x);
}

/* log(1 + f) = f - *less, for 1 + f between sqrt(1/2) and sqrt(2) */
static inline double mp_double_log_less(double f) {
    double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    double p = 2.0 / 23;
    p = p * z + 2.0 / 21;
    p = p * z + 2.0 / 19;
    p = p * z + 2.0 / 17;
    p = p * z + 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
    p = p * z + 2.0 / 7;
    p = p * z + 2.0 / 5;
    p = p * z + 2.0 / 3;
    return half - s * (half + z * p);
}

/* y, but x where that is infinite or NaN, -inf where x is `least`, NaN below it. */
static inline double mp_double_log_ends(double y, double x, double least) {
    y = x <= least ? -INFINITY : y;
    y = x < least ? NAN : y;
    return x <= DBL_MAX ? y : x;
}

/* x = 2^e (1 + *f), for every x > 0 */
static inline double mp_double_split(double x, double *f) {
    bool tiny = x < DBL_MIN;
    double m, e = mp_wide_split(tiny ? x * 0x1p54 : x, &m);
    *f = m - 1;
    return e - (tiny ? 54 : 0);
}

static inline double mp_dlog(double x) {
    double f, e = mp_double_split(x, &f), less = mp_double_log_less(f);
    double y = e * MP_LN_2_HIGH + (f - (less - e * MP_LN_2_LOW));
    return mp_double_log_ends(y, x, 0);
}

static inline double mp_dlog2(double x) {
    double f, e = mp_double_split(x, &f), part = f - mp_double_log_less(f);
    double y = e + (part * 1.44269504088896340736 + part * 0x1.777d0ffda0d24p-56);
    return mp_double_log_ends(y, x, 0);
}

/* log(u) for u = 1 + x, and what u lacks. */
static inline double mp_dlog1p(double x) {
    double u = 1 + x, m, e = mp_wide_split(u, &m);
    double lacks = (x > 1 ? 1 - (u - x) : x - (u - 1)) / u;
    double f = e == 0 ? x : m - 1, less = mp_double_log_less(f);
    less = e == 0 ? less : less - (e * MP_LN_2_LOW + lacks);
    return mp_double_log_ends(copysign(e * MP_LN_2_HIGH + (f - less), x), x, -1);
}

#endif
