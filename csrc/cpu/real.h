/* What row kernels need for one type of their sums. A body is written once in terms of `real` and
 * R(name) and included twice: after #define REAL_BITS 32 and this file for float32 sums, after 64
 * and this file again for float64. No include guard: that is the point. */
#include <math.h>
#include <string.h>

#include "cpu.h"

#undef real
#undef R
#undef R_DTYPE
#undef R_LOAD
#undef R_LOAD_FN
#undef R_STORE
#undef R_SQRT
#undef R_ABS

#if REAL_BITS == 32
#define real float
#define R(name) name##_f32
#define R_DTYPE MP_FLOAT32
#define R_LOAD(dtype) MP_LOAD(dtype)
#define R_LOAD_FN mp_load_fn
#define R_STORE(dtype) MP_STORE(dtype)
#define R_SQRT sqrtf
#define R_ABS fabsf
#else
#define real double
#define R(name) name##_f64
#define R_DTYPE MP_FLOAT64
#define R_LOAD(dtype) MP_LOAD_F64(dtype)
#define R_LOAD_FN mp_load_f64_fn
#define R_STORE(dtype) MP_STORE_F64(dtype)
#define R_SQRT sqrt
#define R_ABS fabs
#endif

/* y = exp(x), log(x); y may be x. */
static inline __attribute__((unused)) void R(row_exp)(int64_t n, real *y, const real *x) {
#if REAL_BITS == 32
    mp_vexp(n, y, x);
#else
    for (int64_t i = 0; i < n; i++) y[i] = exp(x[i]);
#endif
}

static inline __attribute__((unused)) void R(row_log)(int64_t n, real *y, const real *x) {
#if REAL_BITS == 32
    mp_vlog(n, y, x);
#else
    for (int64_t i = 0; i < n; i++) y[i] = log(x[i]);
#endif
}

/* y = exp(x - shift); y may be x. Returns the sum of y. */
static inline __attribute__((unused)) real R(row_exp_sum)(int64_t n, real *y, const real *x,
                                                          real shift) {
#if REAL_BITS == 32
    return mp_vexp_sum(n, y, x, shift);
#else
    real sum = 0;
    for (int64_t i = 0; i < n; i++) sum += y[i] = exp(x[i] - shift);
    return sum;
#endif
}

/* Reductions keep 16 running results, whatever the vector width, so that every tier gives the same.
 */

/* NaN if any is. n > 0. */
static inline __attribute__((unused)) real R(row_max)(int64_t n, const real *x) {
#if REAL_BITS == 32
    return mp_row_max(n, x);
#else
    real most = x[0];
    for (int64_t i = 0; i < n; i++) most = x[i] > most || x[i] != x[i] ? x[i] : most;
    return most;
#endif
}

static inline __attribute__((unused)) real R(fold)(real sum[16]) {
    for (int width = 8; width > 0; width /= 2)
        for (int k = 0; k < width; k++) sum[k] += sum[k + width];
    return sum[0];
}

static inline __attribute__((unused)) real R(row_sum)(int64_t n, const real *x) {
    real sum[16] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) sum[k] += x[i + k];
    for (; i < n; i++) rest += x[i];
    return R(fold)(sum) + rest;
}

static inline __attribute__((unused)) real R(row_dot)(int64_t n, const real *x, const real *y) {
    real sum[16] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) sum[k] += x[i + k] * y[i + k];
    for (; i < n; i++) rest += x[i] * y[i];
    return R(fold)(sum) + rest;
}

/* The sum of (x - centre)^2. */
static inline __attribute__((unused)) real R(row_spread)(int64_t n, const real *x, real centre) {
    real sum[16] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) sum[k] += (x[i + k] - centre) * (x[i + k] - centre);
    for (; i < n; i++) rest += (x[i] - centre) * (x[i] - centre);
    return R(fold)(sum) + rest;
}
