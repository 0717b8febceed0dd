/* Functions of float32 by way of double, inline and without branches: loops over them are
 * vectorised. Their polynomials are good to 3e-9 or better, so results are within 0.6 units in the
 * last place; subnormal and infinite ones are rounded once, by the conversion to float32. Right at
 * infinities, NaN and signed zeros: ends are put right in float32, which takes half the vectors.
 * The trigonometric ones reduce up to MP_TRIG_MOST, the others take every float. Files of these
 * (math*.c) may fuse products with sums: tiers differ by what that does to a double, which is seen
 * in one result of many millions. What logaddexp adds to the larger one is as good, not a sum that
 * cancels. */
#ifndef MP_CPU_VMATH_WIDE_H
#define MP_CPU_VMATH_WIDE_H

#include <float.h>
#include <math.h>

#include "../narrow.h"

static inline uint64_t mp_bits64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline double mp_from_bits64(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define MP_WIDE_MAGIC                                                                              \
    0x1.8p52 /* adding it rounds to an integer, which is then in the last bits                     \
              */
#define MP_LN_2 0.69314718055994530942
#define MP_HALF_PI 1.57079632679489661923

/* ---- exponentials ---- */

/* exp(r) - 1 for |r| <= ln 2 / 2 */
static inline double mp_wide_expm1_part(double r) {
    double p = 0x1.a1256cd2f13c2p-13;
    p = p * r + 0x1.6d43af18200d3p-10;
    p = p * r + 0x1.1110e0c5c7f50p-7;
    p = p * r + 0x1.5554e8a22b84cp-5;
    p = p * r + 0x1.5555555a800cdp-3;
    p = p * r + 0x1.0000000ba132cp-1;
    return r * (1 + r * p);
}

/* exp(x) = (1 + *part) times what is returned, a power of 2. |x| <= 600 */
static inline double mp_wide_exp_parts(double x, double *part) {
    double shifted = x * 1.44269504088896340736 + MP_WIDE_MAGIC, k = shifted - MP_WIDE_MAGIC;
    *part = mp_wide_expm1_part(x - k * MP_LN_2);
    return mp_from_bits64((mp_bits64(shifted) + 1023) << 52);
}
static inline double mp_wide_exp(double x) {
    double part, power = mp_wide_exp_parts(x, &part);
    return power + power * part;
}
static inline double mp_wide_exp2(double x) {
    double shifted = x + MP_WIDE_MAGIC, k = shifted - MP_WIDE_MAGIC;
    double power = mp_from_bits64((mp_bits64(shifted) + 1023) << 52);
    return power + power * mp_wide_expm1_part((x - k) * MP_LN_2);
}

/* x in [-most, most]; NaN stays */
static inline float mp_within(float x, float most) {
    x = x > most ? most : x;
    return x < -most ? -most : x;
}

static inline float mp_fexpm1(float x) {
    double part, power = mp_wide_exp_parts(mp_within(x, 200), &part);
    return copysignf((float)(power * part + (power - 1)), x);
}
static inline float mp_fexp2(float x) { return (float)mp_wide_exp2(mp_within(x, 300)); }
static inline float mp_fsinh(float x) {
    float size = fabsf(x);
    double part, power = mp_wide_exp_parts(size > 200 ? 200 : size, &part);
    double less = power * part + (power - 1);
    return copysignf((float)(0.5 * (less + less / (less + 1))), x);
}
static inline float mp_fcosh(float x) {
    double e = mp_wide_exp(mp_within(x, 200));
    return (float)(0.5 * (e + 1 / e));
}

/* ---- logarithms ---- */

/* log(1 + f) from s = f / (2 + f) */
static inline double mp_wide_log_part(double s) {
    double z = s * s;
    double p = 0x1.ddd4dad98e4c4p-3;
    p = p * z + 0x1.245c273432202p-2;
    p = p * z + 0x1.9999eb9d6ddfep-2;
    p = p * z + 0x1.5555554ba8b0ep-1;
    return s * (2 + z * p);
}

/* u = 2^e m with m between sqrt(1/2) and sqrt(2): gives e and m. u > 0 and finite. */
static inline double mp_wide_split(double u, double *m) {
    const uint64_t root_half = 0x3fe6a09e667f3bcd, bias = 1023;
    uint64_t bits = mp_bits64(u), biased = (bits - root_half + (bias << 52)) >> 52;
    *m = mp_from_bits64(bits - ((biased - bias) << 52));
    return mp_from_bits64(biased | 0x4330000000000000) - (0x1p52 + (double)bias);
}

/* log(1 + x) for finite x > -1 */
static inline double mp_wide_log1p(double x) {
    double u = 1 + x, m, e = mp_wide_split(u, &m), f = e == 0 ? x : m - 1;
    return e * MP_LN_2 + mp_wide_log_part(f / (2 + f));
}

/* y, but x where that is infinite or NaN, -inf where x is `least`, NaN below it. */
static inline float mp_log_ends(float y, float x, float least) {
    y = x <= least ? -INFINITY : y;
    y = x < least ? NAN : y;
    return x <= FLT_MAX ? y : x;
}
static inline float mp_flog1p(float x) {
    return mp_log_ends(copysignf((float)mp_wide_log1p(x), x), x, -1);
}
/* log(x) to a base: e * of_2 + log(m) * of_e, which are the logarithms of 2 and e to it. */
static inline float mp_flog_to(float x, double of_2, double of_e) {
    double m, e = mp_wide_split(x, &m), f = m - 1;
    return mp_log_ends((float)(e * of_2 + mp_wide_log_part(f / (2 + f)) * of_e), x, 0);
}
static inline float mp_flog2(float x) { return mp_flog_to(x, 1, 1.44269504088896340736); }
static inline float mp_flog10(float x) {
    return mp_flog_to(x, 0.30102999566398119521, 0.43429448190325182765);
}

/* Of small a, where the root says little of it, the series. */
static inline float mp_fasinh(float x) {
    float size = fabsf(x);
    double a = size, y = mp_wide_log1p(a + (sqrt(a * a + 1) - 1));
    y = a < 1e-3 ? a - a * a * a * (1.0 / 6) : y;
    return copysignf(size <= FLT_MAX ? (float)y : size, x);
}
static inline float mp_facosh(float x) {
    double t = (double)x - 1;
    float y = (float)mp_wide_log1p(t + sqrt(t * (t + 2)));
    y = x <= FLT_MAX ? y : x;
    return x < 1 ? NAN : y;
}
static inline float mp_fatanh(float x) {
    float size = fabsf(x), end = size == 1 ? INFINITY : NAN;
    double a = size;
    float y = (float)(0.5 * mp_wide_log1p(2 * a / (1 - a)));
    return copysignf(size < 1 ? y : end, x);
}
static inline float mp_flogaddexp(float a, float b) {
    float apart = -fabsf(a - b);
    double more = mp_wide_log1p(mp_wide_exp(apart < -200 ? -200 : apart));
    float y = (float)((a > b ? a : b) + more);
    y = a == b ? (float)(a + MP_LN_2) : y;
    return (a != a) | (b != b) ? a + b : y;
}

/* x^y for finite x > 0 and finite y: exp2(y log2 x), the logarithm to 1e-14 */
static inline float mp_fpow_plain(float x, float y) {
    double m, e = mp_wide_split(x, &m), s = (m - 1) / (m + 1), z = s * s;
    double p = 0x1.54710166f7a8cp-3;
    p = p * z + 0x1.7382687cd8370p-3;
    p = p * z + 0x1.c71fcf7df6060p-3;
    p = p * z + 0x1.24924627dc195p-2;
    p = p * z + 0x1.9999999b88f9dp-2;
    p = p * z + 0x1.55555555553b6p-1;
    double power = y * (e + s * (2 + z * p) * 1.44269504088896340736);
    power = power > 300 ? 300 : power;
    power = power < -300 ? -300 : power;
    return (float)mp_wide_exp2(power);
}

/* ---- trigonometry ---- */

#define MP_TRIG_MOST 0x1p26f /* up to here the quadrant's number times parts of pi / 2 is exact */

/* x less the nearest multiple of pi / 2, and the multiple in the last bits of *n. */
static inline double mp_wide_reduce(double x, uint64_t *n) {
    double shifted = x * 0.63661977236758134308 + MP_WIDE_MAGIC, k = shifted - MP_WIDE_MAGIC;
    *n = mp_bits64(shifted);
    return ((x - k * 0x1.921fb54000000p+0) - k * 0x1.10b4610000000p-30) - k * 0x1.a62633145c06ep-58;
}
/* of |r| <= pi / 4 */
static inline double mp_wide_sin_part(double r) {
    double z = r * r, p = 0x1.6dbcfb4dee452p-19;
    p = p * z - 0x1.a013a455bd213p-13;
    p = p * z + 0x1.11110decc73fdp-7;
    p = p * z - 0x1.555555545d0dap-3;
    return r * (1 + z * p);
}
static inline double mp_wide_cos_part(double r) {
    double z = r * r, p = 0x1.9a6dbaa8b8ee6p-16;
    p = p * z - 0x1.6c0e040c547dap-10;
    p = p * z + 0x1.55554cb4ac619p-5;
    p = p * z - 0x1.fffffffaac6ccp-2;
    return 1 + z * p;
}
/* sin(r + n pi / 2) */
static inline double mp_wide_quadrant(double r, uint64_t n) {
    double s = mp_wide_sin_part(r), c = mp_wide_cos_part(r), y = n & 1 ? c : s;
    return mp_from_bits64(mp_bits64(y) ^ (n & 2) << 62);
}
static inline float mp_fsin(float x) {
    uint64_t n;
    double r = mp_wide_reduce(x, &n);
    return (float)mp_wide_quadrant(r, n);
}
static inline float mp_fcos(float x) {
    uint64_t n;
    double r = mp_wide_reduce(x, &n);
    return (float)mp_wide_quadrant(r, n + 1);
}
static inline float mp_ftan(float x) {
    uint64_t n;
    double r = mp_wide_reduce(x, &n), s = mp_wide_sin_part(r), c = mp_wide_cos_part(r);
    double y = (n & 1 ? c : s) / (n & 1 ? s : c);
    return (float)mp_from_bits64(mp_bits64(y) ^ (n & 1) << 63);
}

/* asin(s) for z = s^2 <= 1/4 */
static inline double mp_wide_asin_part(double s, double z) {
    double p = 0x1.e0231588b1e55p-6;
    p = p * z + 0x1.64b97e009bd03p-8;
    p = p * z + 0x1.3c5053c2afce1p-6;
    p = p * z + 0x1.6a9e3262c37dbp-6;
    p = p * z + 0x1.f208eb1ddd0fbp-6;
    p = p * z + 0x1.6db5cfb6af282p-5;
    p = p * z + 0x1.333334ceb6520p-4;
    p = p * z + 0x1.55555554ee47bp-3;
    return s * (1 + z * p);
}
/* Beyond 1/2 by the half angle: asin(a) = pi / 2 - 2 asin(sqrt((1 - a) / 2)) */
static inline float mp_fasin(float x) {
    double a = fabsf(x), half = 0.5 * (1 - a), z = a > 0.5 ? half : a * a;
    double part = mp_wide_asin_part(a > 0.5 ? sqrt(half) : a, z);
    return copysignf((float)(a > 0.5 ? MP_HALF_PI - 2 * part : part), x);
}
static inline float mp_facos(float x) {
    double a = fabsf(x), half = 0.5 * (1 - a), z = a > 0.5 ? half : a * a;
    double part = mp_wide_asin_part(a > 0.5 ? sqrt(half) : (double)x, z);
    double beyond = x < 0 ? 2 * MP_HALF_PI - 2 * part : 2 * part;
    return (float)(a > 0.5 ? beyond : MP_HALF_PI - part);
}

/* atan(low / high) for 0 <= low <= high, not both 0 nor both infinite */
static inline double mp_wide_atan_part(double low, double high) {
    double t = low / high, z = t * t, p = 0x1.86406cc5c4982p-10;
    p = p * z - 0x1.2ba6b6e0bd288p-7;
    p = p * z + 0x1.aefb2bdf4b25ap-6;
    p = p * z - 0x1.9115a3d155a2fp-5;
    p = p * z + 0x1.2006f71525126p-4;
    p = p * z - 0x1.6dd8fdf061e31p-4;
    p = p * z + 0x1.c62cd9aa62ae5p-4;
    p = p * z - 0x1.2489515c587b6p-3;
    p = p * z + 0x1.999955947a191p-3;
    p = p * z - 0x1.55555529fed15p-2;
    return t * (1 + z * p);
}
static inline float mp_fatan(float x) {
    float size = fabsf(x);
    bool steep = size > 1;
    double angle = mp_wide_atan_part(steep ? 1 : size, steep ? size : 1);
    return copysignf((float)(steep ? MP_HALF_PI - angle : angle), x);
}
static inline float mp_fatan2(float y, float x) {
    float rise = fabsf(y), run = fabsf(x);
    bool steep = rise > run;
    float low = steep ? run : rise, high = steep ? rise : run;
    bool endless = (low == high) & (low > FLT_MAX); /* as 1 / 1, and 0 / 0 as 0 / 1 */
    high = (high == 0) | endless ? 1 : high;
    low = endless ? 1 : low;
    double angle = mp_wide_atan_part(low, high);
    angle = steep ? MP_HALF_PI - angle : angle;
    angle = mp_bits32(x) >> 31 ? 2 * MP_HALF_PI - angle : angle;
    return copysignf((float)angle, y);
}

/* ---- others ---- */

/* From a guess by a third of the exponent, a step of Newton's in float32 and one of Halley's,
 * t (t^3 + 2 a) / (2 t^3 + a), in double */
static inline float mp_fcbrt(float x) {
    float size = fabsf(x), normal = size < FLT_MIN ? size * 0x1p24f : size;
    float guess = mp_from_bits32(mp_bits32(normal) / 3 + 709958130u);
    guess = (2 * guess + normal / (guess * guess)) * (1.0f / 3);
    double a = normal, t = guess, cube = t * t * t;
    float y = (float)(t * (cube + 2 * a) / (2 * cube + a));
    y = size < FLT_MIN ? y * 0x1p-8f : y;
    y = (size > 0) & (size <= FLT_MAX) ? y : size;
    return copysignf(y, x);
}

/* Beyond 1 it is 1 - exp of a polynomial, the logarithm of 1 - erf. */
static inline float mp_ferf(float x) {
    float size = fabsf(x);
    double a = size, z = a * a, p = 0x1.1c41ab6eec487p-20;
    p = p * z - 0x1.d2b8522d6f7cbp-17;
    p = p * z + 0x1.f57e9cee106c1p-14;
    p = p * z - 0x1.bfe158a7be278p-11;
    p = p * z + 0x1.56588b32275a7p-8;
    p = p * z - 0x1.b82cbae7577a7p-6;
    p = p * z + 0x1.ce2f20a7415c6p-4;
    p = p * z - 0x1.812746ade3c08p-2;
    p = p * z + 0x1.20dd750428cb9p+0;
    double b = size > 4 ? 4 : size, q = 0x1.b7783044b6881p-20;
    q = q * b - 0x1.825ce4bea3989p-15;
    q = q * b + 0x1.38e5e5277d407p-11;
    q = q * b - 0x1.37ecc66bf73f2p-8;
    q = q * b + 0x1.b0e246c451d48p-6;
    q = q * b - 0x1.c2e355434c642p-4;
    q = q * b - 0x1.437eb4486a325p-1;
    q = q * b - 0x1.2156fa777dfb0p+0;
    q = q * b + 0x1.4fb06741d39a1p-12;
    double y = a < 1 ? a * p : 1 - mp_wide_exp(q);
    return copysignf(size <= FLT_MAX ? (float)y : size > 0 ? 1 : size, x);
}

static inline float mp_fhypot(float x, float y) {
    double a = x, b = y;
    float h = (float)sqrt(a * a + b * b);
    return (fabsf(x) > FLT_MAX) | (fabsf(y) > FLT_MAX) ? INFINITY : h;
}

#endif
