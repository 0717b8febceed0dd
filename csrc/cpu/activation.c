/* Functions of one input and the gradients of activations: gx from gy (A) and the kept x or y (B).
 * float32 uses vmath.h, float64 the C library. Limits are taken where a product would be 0 * inf.
 */
#include <math.h>

#include "pointwise.h"
#include "vmath.h"
#include "vmath_double.h"

#define HEAVY(op)                                                                                  \
    static const mp_pointwise op##_op = {.f32 = op##_f32, .f64 = op##_f64, .grain = MP_GRAIN_HEAVY};

/* y = f(x) */
#define UNARY(op, formula_f32, formula_f64)                                                        \
    MP_ROW_FN(op##_f32, float, float, float, formula_f32)                                          \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    HEAVY(op)                                                                                      \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 1); }

/* gx = f(gy, x or y) */
#define BACKWARD(op, formula_f32, formula_f64)                                                     \
    MP_ROW_FN(op##_f32, float, float, float, formula_f32)                                          \
    MP_ROW_FN(op##_f64, double, double, double, formula_f64)                                       \
    HEAVY(op)                                                                                      \
    MP_KERNEL(op) { return mp_pointwise_run(call, &op##_op, 2); }

/* ---- float64 forms of what vmath.h has ---- */

static inline double sigmoid(double x) {
    double e = exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
static inline double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static inline double normal_cdf(double x) { return 0.5 * erfc(x * -0.70710678118654752440); }

/* ---- functions ---- */

UNARY(exp, mp_fexp(A), mp_dexp(A))
UNARY(log, mp_flog(A), mp_dlog(A))
UNARY(sqrt, sqrtf(A), sqrt(A))
UNARY(rsqrt, 1 / sqrtf(A), 1 / sqrt(A))
UNARY(tanh, mp_ftanh(A), mp_dtanh(A))
UNARY(sigmoid, mp_fsigmoid(A), sigmoid(A))
UNARY(silu, (A)*mp_fsigmoid(A), (A)*sigmoid(A))
BACKWARD(tanh_bwd, (A) * (1 - B * B), (A) * (1 - B * B))
BACKWARD(sigmoid_bwd, (A) * (B * (1 - B)), (A) * (B * (1 - B)))

/* ---- with attributes: a constant, read once per row ---- */

UNARY(reciprocal, (float)attrs->value / (A), attrs->value / (A))

#define SLOPE ((float)attrs->negative_slope)
UNARY(leaky_relu, A > 0 ? A : (A)*SLOPE, A > 0 ? A : (A)*attrs->negative_slope)
BACKWARD(leaky_relu_bwd, B > 0 ? A : (A)*SLOPE, B > 0 ? A : (A)*attrs->negative_slope)

/* log(1 + exp(beta x)) / beta, and x where beta x is above the threshold */
static inline float softplus_f32_of(float x, float beta, float threshold) {
    float z = x * beta, y = mp_fsoftplus(z) / beta;
    return z > threshold ? x : y;
}
static inline double softplus_f64_of(double x, double beta, double threshold) {
    double z = x * beta;
    return z > threshold ? x : softplus(z) / beta;
}
static inline float softplus_slope_f32(float x, float beta, float threshold) {
    float z = x * beta, y = mp_fsigmoid(z);
    return z > threshold ? 1.0f : y;
}
static inline double softplus_slope_f64(double x, double beta, double threshold) {
    double z = x * beta;
    return z > threshold ? 1.0 : sigmoid(z);
}
#define BETA_F32 (float)attrs->beta, (float)attrs->threshold
#define BETA_F64 attrs->beta, attrs->threshold
UNARY(softplus, softplus_f32_of(A, BETA_F32), softplus_f64_of(A, BETA_F64))
BACKWARD(softplus_bwd, (A)*softplus_slope_f32(B, BETA_F32), (A)*softplus_slope_f64(B, BETA_F64))

/* ---- silu ---- */

/* s (1 + x (1 - s)) with s = sigmoid(x) */
static inline float silu_slope_f32(float x) {
    float s = mp_fsigmoid(x), bell = s * mp_fsigmoid(-x), y = s + x * bell;
    return bell == 0.0f ? s : y;
}
static inline double silu_slope_f64(double x) {
    double s = sigmoid(x), bell = s * sigmoid(-x);
    return bell == 0 ? s : s + x * bell;
}
BACKWARD(silu_bwd, (A)*silu_slope_f32(B), (A)*silu_slope_f64(B))

/* ---- gelu: x Phi(x), or its tanh form x (1 + tanh(u)) / 2 = x sigmoid(2 u) ---- */

#define GELU_SCALE 1.5957691216057308 /* 2 sqrt(2 / pi) */
#define GELU_CUBIC 0.044715
#define BELL_PEAK 0.3989422804014327 /* 1 / sqrt(2 pi) */

static inline float gelu_tanh_gate_f32(float x) {
    return mp_fsigmoid((float)GELU_SCALE * x * (1 + (float)GELU_CUBIC * (x * x)));
}
static inline double gelu_tanh_gate_f64(double x) {
    return sigmoid(GELU_SCALE * x * (1 + GELU_CUBIC * (x * x)));
}
static inline float gelu_slope_f32(float x) {
    float gate = mp_fnormal_cdf(x), bell = (float)BELL_PEAK * mp_fbell(x), y = gate + x * bell;
    return bell == 0.0f ? gate : y;
}
static inline double gelu_slope_f64(double x) {
    double gate = normal_cdf(x), bell = BELL_PEAK * exp(-0.5 * x * x);
    return bell == 0 ? gate : gate + x * bell;
}
/* gate + x gate' with gate' = gate (1 - gate) 2 u' */
static inline float gelu_tanh_slope_f32(float x) {
    float gate = gelu_tanh_gate_f32(x), bell = gate * gelu_tanh_gate_f32(-x);
    float du = (float)GELU_SCALE * (1 + 3 * (float)GELU_CUBIC * (x * x)), y = gate + x * bell * du;
    return bell == 0.0f ? gate : y;
}
static inline double gelu_tanh_slope_f64(double x) {
    double gate = gelu_tanh_gate_f64(x), bell = gate * gelu_tanh_gate_f64(-x);
    double du = GELU_SCALE * (1 + 3 * GELU_CUBIC * (x * x));
    return bell == 0 ? gate : gate + x * bell * du;
}

MP_ROW_FN(gelu_f32, float, float, float, (A)*mp_fnormal_cdf(A))
MP_ROW_FN(gelu_f64, double, double, double, (A)*normal_cdf(A))
MP_ROW_FN(gelu_bwd_f32, float, float, float, (A)*gelu_slope_f32(B))
MP_ROW_FN(gelu_bwd_f64, double, double, double, (A)*gelu_slope_f64(B))
MP_ROW_FN(gelu_tanh_f32, float, float, float, (A)*gelu_tanh_gate_f32(A))
MP_ROW_FN(gelu_tanh_f64, double, double, double, (A)*gelu_tanh_gate_f64(A))
MP_ROW_FN(gelu_tanh_bwd_f32, float, float, float, (A)*gelu_tanh_slope_f32(B))
MP_ROW_FN(gelu_tanh_bwd_f64, double, double, double, (A)*gelu_tanh_slope_f64(B))
HEAVY(gelu)
HEAVY(gelu_bwd)
HEAVY(gelu_tanh)
HEAVY(gelu_tanh_bwd)

MP_KERNEL(gelu) { return mp_pointwise_run(call, call->attrs.tanh ? &gelu_tanh_op : &gelu_op, 1); }
const mp_pointwise *MP_TIERED(mp_gelu_bwd_op)(const mp_attrs *attrs) {
    return attrs->tanh ? &gelu_tanh_bwd_op : &gelu_bwd_op;
}
MP_KERNEL(gelu_bwd) { return mp_pointwise_run(call, MP_TIERED(mp_gelu_bwd_op)(&call->attrs), 2); }
