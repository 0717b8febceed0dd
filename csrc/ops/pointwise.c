/* Rules of the pointwise ops: dtypes and broadcasting, and gradients element by element. Sums that
 * undo broadcasting are the tape's. */
#include <math.h>
#include <string.h>

#include "rules.h"

/* ---- shapes and dtypes ---- */

/* Output 0: what inputs [first, n_in) broadcast to. */
static mp_status broadcast(mp_call *call, mp_dtype dtype) {
    mp_array *a = call->in[0], *last = call->in[call->n_in - 1];
    call->spec[0].dtype = (int8_t)dtype;
    if (call->n_in <= 2 && a->ndim == last->ndim &&
        !memcmp(a->shape, last->shape, (size_t)a->ndim * sizeof *a->shape)) {
        call->spec[0].ndim = a->ndim;
        memcpy(call->spec[0].shape, a->shape, (size_t)a->ndim * sizeof *a->shape);
        return MP_OK;
    }
    return mp_broadcast(call->n_in, call->in, &call->spec[0].ndim, call->spec[0].shape);
}

/* x1, x2 -> their promoted dtype. */
mp_status mp_infer_binary(mp_call *call) {
    mp_dtype dtype;
    MP_TRY(mp_rule_promote(2, call->in, &dtype));
    return broadcast(call, dtype);
}

/* As binary; booleans have no difference. */
mp_status mp_infer_subtract(mp_call *call) {
    MP_TRY(mp_infer_binary(call));
    if (call->spec[0].dtype != MP_BOOL) return MP_OK;
    return mp_fail(MP_ERR_TYPE, "bool has no difference; use != or astype");
}

/* As binary, but integers give the default float. */
mp_status mp_infer_divide(mp_call *call) {
    MP_TRY(mp_infer_binary(call));
    if (!mp_is_float((mp_dtype)call->spec[0].dtype))
        call->spec[0].dtype = (int8_t)mp_default_float();
    return MP_OK;
}

/* x1, x2 of dtypes that promote -> bool. */
mp_status mp_infer_compare(mp_call *call) {
    mp_dtype dtype;
    MP_TRY(mp_rule_promote(2, call->in, &dtype));
    return broadcast(call, MP_BOOL);
}

/* condition of any dtype, true where it is not zero; x1, x2 -> their promoted dtype. */
mp_status mp_infer_where(mp_call *call) {
    mp_dtype dtype;
    MP_TRY(mp_rule_promote(2, call->in + 1, &dtype));
    return broadcast(call, dtype);
}

/* y has x's dtype. */
mp_status mp_infer_unary(mp_call *call) {
    mp_spec_take(&call->spec[0], call->in[0]);
    return MP_OK;
}

/* As unary; booleans have no negative. */
mp_status mp_infer_negate(mp_call *call) {
    if (call->in[0]->dtype == MP_BOOL)
        return mp_fail(MP_ERR_TYPE, "bool has no negative; use == False or astype");
    return mp_infer_unary(call);
}

/* y has x's dtype, integers give the default float. */
mp_status mp_infer_float_unary(mp_call *call) {
    MP_TRY(mp_infer_unary(call));
    if (!mp_is_float((mp_dtype)call->spec[0].dtype))
        call->spec[0].dtype = (int8_t)mp_default_float();
    call->work = 4.0 * (double)call->in[0]->size;
    return MP_OK;
}

/* gy, and x or y of the forward op, broadcast; gx has the dtype of the latter. */
mp_status mp_infer_pointwise_bwd(mp_call *call) {
    MP_TRY(mp_rule_want_float(call->in[0], "gy"));
    MP_TRY(mp_rule_want_float(call->in[1], "input 1"));
    return broadcast(call, (mp_dtype)call->in[1]->dtype);
}

/* x floating, s one number; y = x * s in float32 (float64 for float64). */
mp_status mp_infer_scale(mp_call *call) {
    mp_array *x = call->in[0], *s = call->in[1];
    MP_TRY(mp_rule_want_float(x, "x"));
    MP_TRY(mp_rule_want_float(s, "the scale"));
    if (s->size != 1 || s->ndim > x->ndim)
        return mp_fail(MP_ERR_VALUE, "the scale has shape %s, one number is wanted",
                       mp_shape_text(s->ndim, s->shape));
    mp_rule_spec(call, 0, mp_rule_accumulator(x), x->ndim, x->shape);
    return MP_OK;
}

/* ---- gradients: two inputs ---- */

mp_status mp_vjp_add(mp_backward *b) {
    for (int i = 0; i < 2; i++)
        if (b->need[i]) b->gx[i] = mp_array_ref(b->gy[0]);
    return MP_OK;
}

mp_status mp_vjp_sub(mp_backward *b) {
    if (b->need[0]) b->gx[0] = mp_array_ref(b->gy[0]);
    return b->need[1] ? mp_op1(MP_OP_neg, b->gy[0], NULL, &b->gx[1]) : MP_OK;
}

mp_status mp_vjp_mul(mp_backward *b) {
    if (b->need[0]) MP_TRY(mp_op2(MP_OP_mul, b->gy[0], b->in[1], NULL, &b->gx[0]));
    return b->need[1] ? mp_op2(MP_OP_mul, b->gy[0], b->in[0], NULL, &b->gx[1]) : MP_OK;
}

/* gx1 = gy / x2, gx2 = -(gy / x2) y */
mp_status mp_vjp_div(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *quotient = mp_chain2(&c, MP_OP_div, b->gy[0], b->in[1], NULL);
    mp_chain_give(&c, 0, quotient);
    if (b->need[1]) {
        mp_array *product = mp_chain2(&c, MP_OP_mul, quotient, b->out[0], NULL);
        mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_neg, product, NULL));
    }
    return mp_chain_end(&c);
}

/* gx1 = gy x2 x1^e with e = x2 - 1, and 0 where x2 is 0: there the product is 0 * x1^0, so no 0 *
 * inf arises. */
static mp_array *pow_base_gradient(mp_chain *c, mp_array *x1, mp_array *x2) {
    mp_array *gy = c->b->gy[0];
    bool weak = x2->weak;
    if (!mp_is_float((mp_dtype)x2->dtype)) {
        x2 = mp_chain_cast(c, x2, mp_rule_accumulator(gy));
        if (x2) x2->weak = weak;
    }
    mp_array *one = mp_chain2(c, MP_OP_not_equal, x2, mp_chain_number(c, 0), NULL);
    mp_array *less = mp_chain2(c, MP_OP_sub, x2,
                               mp_chain_cast(c, one, x2 ? (mp_dtype)x2->dtype : MP_FLOAT32), NULL);
    if (less) less->weak = weak;
    mp_array *power =
        mp_chain2(c, MP_OP_pow, mp_chain_cast(c, x1, (mp_dtype)gy->dtype), less, NULL);
    return mp_chain2(c, MP_OP_mul, mp_chain2(c, MP_OP_mul, gy, x2, NULL), power, NULL);
}

/* gx2 = gy y log x1, and 0 where x1 is 0 and x2 >= 0: there the logarithm is taken of 1. */
static mp_array *pow_exponent_gradient(mp_chain *c, mp_array *x1, mp_array *x2, mp_array *y) {
    mp_array *gy = c->b->gy[0], *zero = mp_chain_number(c, 0);
    mp_array *flat = mp_chain2(c, MP_OP_mul, mp_chain2(c, MP_OP_equal, x1, zero, NULL),
                               mp_chain2(c, MP_OP_greater_equal, x2, zero, NULL), NULL);
    mp_array *base = mp_chain3(c, MP_OP_where, flat, mp_chain_number(c, 1),
                               mp_chain_cast(c, x1, (mp_dtype)gy->dtype), NULL);
    mp_array *slope = mp_chain2(c, MP_OP_mul, y, mp_chain1(c, MP_OP_log, base, NULL), NULL);
    return mp_chain2(c, MP_OP_mul, gy, slope, NULL);
}

mp_status mp_vjp_pow(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    if (b->need[0]) mp_chain_give(&c, 0, pow_base_gradient(&c, b->in[0], b->in[1]));
    if (b->need[1]) mp_chain_give(&c, 1, pow_exponent_gradient(&c, b->in[0], b->in[1], b->out[0]));
    return mp_chain_end(&c);
}

/* The gradient goes to the chosen input, halves where they are equal, to both where either is NaN.
 * `first_loses` and `second_loses` compare x1 with x2. */
static mp_status choose_gradient(mp_backward *b, mp_op first_loses, mp_op second_loses) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *x1 = b->in[0], *x2 = b->in[1], *zero = mp_chain_number(&c, 0);
    mp_array *tie = mp_chain2(&c, MP_OP_equal, x1, x2, NULL);
    mp_array *half = mp_chain_scalar(&c, MP_OP_mul, b->gy[0], 0.5);
    mp_array *shared = mp_chain3(&c, MP_OP_where, tie, half, b->gy[0], NULL);
    for (int i = 0; i < 2; i++) {
        if (!b->need[i]) continue;
        mp_array *loses = mp_chain2(&c, i ? second_loses : first_loses, x1, x2, NULL);
        mp_chain_give(&c, i, mp_chain3(&c, MP_OP_where, loses, zero, shared, NULL));
    }
    return mp_chain_end(&c);
}

mp_status mp_vjp_maximum(mp_backward *b) { return choose_gradient(b, MP_OP_less, MP_OP_greater); }
mp_status mp_vjp_minimum(mp_backward *b) { return choose_gradient(b, MP_OP_greater, MP_OP_less); }

mp_status mp_vjp_where(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *condition = b->in[0], *gy = b->gy[0], *zero = mp_chain_number(&c, 0);
    if (b->need[1]) mp_chain_give(&c, 1, mp_chain3(&c, MP_OP_where, condition, gy, zero, NULL));
    if (b->need[2]) mp_chain_give(&c, 2, mp_chain3(&c, MP_OP_where, condition, zero, gy, NULL));
    return mp_chain_end(&c);
}

/* ---- gradients: one input ---- */

mp_status mp_vjp_neg(mp_backward *b) { return mp_op1(MP_OP_neg, b->gy[0], NULL, &b->gx[0]); }

mp_status mp_vjp_abs(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_chain_give(
        &c, 0, mp_chain2(&c, MP_OP_mul, b->gy[0], mp_chain1(&c, MP_OP_sign, b->in[0], NULL), NULL));
    return mp_chain_end(&c);
}

mp_status mp_vjp_sign(mp_backward *b) { return mp_rule_zero_gradient(b, 0); }

mp_status mp_vjp_exp(mp_backward *b) {
    return mp_op2(MP_OP_mul, b->gy[0], b->out[0], NULL, &b->gx[0]);
}
mp_status mp_vjp_log(mp_backward *b) {
    return mp_op2(MP_OP_div, b->gy[0], b->in[0], NULL, &b->gx[0]);
}

/* gx = gy / (2 y) */
mp_status mp_vjp_sqrt(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_chain_give(
        &c, 0,
        mp_chain2(&c, MP_OP_div, mp_chain_scalar(&c, MP_OP_mul, b->gy[0], 0.5), b->out[0], NULL));
    return mp_chain_end(&c);
}

/* gx = -gy y^3 / 2 */
mp_status mp_vjp_rsqrt(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *g = mp_chain_scalar(&c, MP_OP_mul, b->gy[0], -0.5);
    for (int i = 0; i < 3; i++) g = mp_chain2(&c, MP_OP_mul, g, b->out[0], NULL);
    mp_chain_give(&c, 0, g);
    return mp_chain_end(&c);
}

/* y = value / x; gx = -gy y / x */
mp_status mp_vjp_reciprocal(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *product = mp_chain2(&c, MP_OP_mul, b->gy[0], b->out[0], NULL);
    mp_array *quotient = mp_chain2(&c, MP_OP_div, product, b->in[0], NULL);
    mp_chain_give(&c, 0, mp_chain1(&c, MP_OP_neg, quotient, NULL));
    return mp_chain_end(&c);
}

mp_status mp_vjp_tanh(mp_backward *b) {
    return mp_op2(MP_OP_tanh_bwd, b->gy[0], b->out[0], NULL, &b->gx[0]);
}
mp_status mp_vjp_sigmoid(mp_backward *b) {
    return mp_op2(MP_OP_sigmoid_bwd, b->gy[0], b->out[0], NULL, &b->gx[0]);
}
mp_status mp_vjp_relu(mp_backward *b) {
    return mp_op2(MP_OP_relu_bwd, b->gy[0], b->out[0], NULL, &b->gx[0]);
}

mp_status mp_vjp_leaky_relu(mp_backward *b) {
    return mp_op2(MP_OP_leaky_relu_bwd, b->gy[0], b->in[0], b->attrs, &b->gx[0]);
}
mp_status mp_vjp_gelu(mp_backward *b) {
    return mp_op2(MP_OP_gelu_bwd, b->gy[0], b->in[0], b->attrs, &b->gx[0]);
}
mp_status mp_vjp_silu(mp_backward *b) {
    return mp_op2(MP_OP_silu_bwd, b->gy[0], b->in[0], NULL, &b->gx[0]);
}
mp_status mp_vjp_softplus(mp_backward *b) {
    return mp_op2(MP_OP_softplus_bwd, b->gy[0], b->in[0], b->attrs, &b->gx[0]);
}

/* Multiplied in float32: a scaled gradient may be far outside of float16's range. The run learns
 * its loss scale here. */
mp_status mp_vjp_scale(mp_backward *b) {
    if (!*b->scale) *b->scale = mp_array_ref(b->in[1]);
    MP_TRY(mp_rule_no_gradient(b, 1, "the scale"));
    return mp_op2(MP_OP_mul, b->gy[0], b->in[1], NULL, &b->gx[0]);
}

/* ---- gradients of gradients: gx = gy f(x), so that of gy is v f(x), the same op, and that of x is
 * v gy f'(x) ---- */

/* The gradient of gy: the op itself, applied to the gradient that comes. */
static mp_status linear_in_gy(mp_backward *b, mp_op op) {
    if (!b->need[0]) return MP_OK;
    return mp_op2(op, b->gy[0], b->in[1], b->attrs, &b->gx[0]);
}

/* relu and leaky_relu are straight: f' is 0. */
mp_status mp_vjp_relu_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_relu_bwd));
    return mp_rule_zero_gradient(b, 1);
}
mp_status mp_vjp_leaky_relu_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_leaky_relu_bwd));
    return mp_rule_zero_gradient(b, 1);
}

/* v gy, which every f' is multiplied by; in float32 if narrow. */
static mp_array *second_order(mp_chain *c) {
    return mp_chain2(c, MP_OP_mul, mp_chain_wide(c, c->b->gy[0]), mp_chain_wide(c, c->b->in[0]),
                     NULL);
}

/* a x + b */
static mp_array *affine(mp_chain *c, mp_array *x, double a, double b) {
    return mp_chain_scalar(c, MP_OP_add, mp_chain_scalar(c, MP_OP_mul, x, a), b);
}

static mp_array *times(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_mul, x1, x2, NULL);
}

/* f = 1 - y^2, f' = -2 y */
mp_status mp_vjp_tanh_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_tanh_bwd));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *slope = mp_chain_scalar(&c, MP_OP_mul, mp_chain_wide(&c, b->in[1]), -2);
    mp_chain_give(&c, 1, times(&c, second_order(&c), slope));
    return mp_chain_end(&c);
}

/* f = y (1 - y), f' = 1 - 2 y */
mp_status mp_vjp_sigmoid_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_sigmoid_bwd));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *slope = affine(&c, mp_chain_wide(&c, b->in[1]), -2, 1);
    mp_chain_give(&c, 1, times(&c, second_order(&c), slope));
    return mp_chain_end(&c);
}

/* With s = sigmoid(x): f = s (1 + x (1 - s)), f' = s (1 - s) (2 + x (1 - 2 s)) */
mp_status mp_vjp_silu_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_silu_bwd));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *x = mp_chain_wide(&c, b->in[1]), *s = mp_chain1(&c, MP_OP_sigmoid, x, NULL);
    mp_array *bell = times(&c, s, affine(&c, s, -1, 1));
    mp_array *rest = mp_chain_scalar(&c, MP_OP_add, times(&c, x, affine(&c, s, -2, 1)), 2);
    mp_chain_give(&c, 1, times(&c, second_order(&c), times(&c, bell, rest)));
    return mp_chain_end(&c);
}

/* f = sigmoid(beta x), and 1 beyond the threshold; f' = beta f (1 - f) */
mp_status mp_vjp_softplus_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_softplus_bwd));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *x = mp_chain_wide(&c, b->in[1]);
    mp_array *f = mp_chain2(&c, MP_OP_softplus_bwd, mp_chain_number(&c, 1), x, b->attrs);
    mp_array *slope = times(&c, f, affine(&c, f, -b->attrs->beta, b->attrs->beta));
    mp_chain_give(&c, 1, times(&c, second_order(&c), slope));
    return mp_chain_end(&c);
}

/* f' of the erf form: phi(x) (2 - x^2), with phi the normal density. */
static mp_array *gelu_curvature(mp_chain *c, mp_array *x) {
    mp_array *square = times(c, x, x);
    mp_array *density = mp_chain1(c, MP_OP_exp, mp_chain_scalar(c, MP_OP_mul, square, -0.5), NULL);
    return times(c, density, affine(c, square, -0.3989422804014327, 2 * 0.3989422804014327));
}

/* f' of the tanh form: with u = k (x + a x^3) and t = tanh(u), f = (1 + t) / 2 + x (1 - t^2) u' / 2
 * and f' = (1 - t^2) (u' + x u'' / 2 - x t u'^2). */
static mp_array *gelu_tanh_curvature(mp_chain *c, mp_array *x) {
    const double k = 0.7978845608028654, a = 0.044715;
    mp_array *square = times(c, x, x);
    mp_array *t = mp_chain1(c, MP_OP_tanh, times(c, x, affine(c, square, k * a, k)), NULL);
    mp_array *du = affine(c, square, 3 * k * a, k);
    mp_array *bent = mp_chain2(c, MP_OP_sub, affine(c, square, 6 * k * a, k),
                               times(c, times(c, x, t), times(c, du, du)), NULL);
    return times(c, affine(c, times(c, t, t), -1, 1), bent);
}

mp_status mp_vjp_gelu_bwd(mp_backward *b) {
    MP_TRY(linear_in_gy(b, MP_OP_gelu_bwd));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *x = mp_chain_wide(&c, b->in[1]);
    mp_array *slope = b->attrs->tanh ? gelu_tanh_curvature(&c, x) : gelu_curvature(&c, x);
    mp_chain_give(&c, 1, times(&c, second_order(&c), slope));
    return mp_chain_end(&c);
}
