/* Rules of layer_norm, rms_norm and add_layer_norm over the last n_axes axes. Weights may be of
 * another floating dtype than x; the result has x's. Statistics, and gradients of weight and bias,
 * are float32 (float64 where x is). */
#include <string.h>

#include "rules.h"

/* The number of leading axes, which are not normalised. */
static mp_status leading_axes(const mp_call *call, const mp_array *x, int *leading) {
    int64_t n = call->attrs.n_axes;
    MP_TRY(mp_rule_want_float(x, "x"));
    if (n < 1 || n > x->ndim)
        return mp_fail(MP_ERR_VALUE, "n_axes is %lld, an array of %d dimensions wants 1 to %d",
                       (long long)n, x->ndim, x->ndim);
    *leading = x->ndim - (int)n;
    return MP_OK;
}

/* An absent input, or a floating one of the normalised axes' shape. */
static mp_status check_parameter(const mp_array *a, const char *name, const mp_array *x,
                                 int leading) {
    if (!a) return MP_OK;
    MP_TRY(mp_rule_want_float(a, name));
    int n = x->ndim - leading;
    if (a->ndim == n && !memcmp(a->shape, x->shape + leading, (size_t)n * sizeof *a->shape))
        return MP_OK;
    return mp_fail(MP_ERR_VALUE, "%s has shape %s, the last axes of x have %s", name,
                   mp_shape_text(a->ndim, a->shape), mp_shape_text(n, x->shape + leading));
}

/* The statistics that a backward op gets: one number per element of the leading axes. */
static mp_status check_statistic(const mp_array *a, const char *name, const mp_array *x,
                                 int leading) {
    MP_TRY(mp_rule_want_float(a, name));
    return mp_rule_want_shape(a, name, leading, x->shape);
}

/* Checks x, eps and input `weight`. */
static mp_status check_forward(mp_call *call, int weight, int *leading) {
    const mp_array *x = call->in[0];
    MP_TRY(leading_axes(call, x, leading));
    if (!(call->attrs.eps >= 0))
        return mp_fail(MP_ERR_VALUE, "eps is %g, it must not be negative", call->attrs.eps);
    MP_TRY(check_parameter(call->in[weight], "weight", x, *leading));
    mp_rule_spec(call, 0, (mp_dtype)x->dtype, x->ndim, x->shape);
    call->work = 3.0 * (double)x->size;
    return MP_OK;
}

/* x, weight, bias -> y, and hidden mean and 1 / standard deviation, of the leading shape. */
mp_status mp_infer_layer_norm(mp_call *call) {
    const mp_array *x = call->in[0];
    int leading = 0;
    MP_TRY(check_forward(call, 1, &leading));
    MP_TRY(check_parameter(call->in[2], "bias", x, leading));
    for (int k = 1; k <= 2; k++) mp_rule_spec(call, k, mp_rule_accumulator(x), leading, x->shape);
    return MP_OK;
}

/* x, residual, weight, bias -> y and h = x + residual, both of the dtype these promote to, and
 * hidden mean and 1 / standard deviation of h. */
mp_status mp_infer_add_layer_norm(mp_call *call) {
    const mp_array *x = call->in[0], *residual = call->in[1];
    mp_dtype dtype;
    int leading = 0;
    MP_TRY(check_forward(call, 2, &leading));
    MP_TRY(mp_rule_want_float(residual, "residual"));
    MP_TRY(mp_rule_want_shape(residual, "residual", x->ndim, x->shape));
    MP_TRY(check_parameter(call->in[3], "bias", x, leading));
    MP_TRY(mp_rule_promote(2, call->in, &dtype));
    mp_dtype statistics = dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32;
    for (int k = 0; k < 2; k++) mp_rule_spec(call, k, dtype, x->ndim, x->shape);
    for (int k = 2; k < 4; k++) mp_rule_spec(call, k, statistics, leading, x->shape);
    return MP_OK;
}

/* x, weight -> y, and hidden 1 / root mean square, of the leading shape. */
mp_status mp_infer_rms_norm(mp_call *call) {
    const mp_array *x = call->in[0];
    int leading = 0;
    MP_TRY(check_forward(call, 1, &leading));
    mp_rule_spec(call, 1, mp_rule_accumulator(x), leading, x->shape);
    return MP_OK;
}

/* gy, and from input `at` on x, weight and `n_stats` statistics -> gx in x's dtype, and the
 * gradients of weight (and bias), made whether or not there is a weight. */
static mp_status infer_bwd(mp_call *call, int at, int n_stats) {
    const mp_array *gy = call->in[0], *x = call->in[at];
    int leading = 0;
    MP_TRY(leading_axes(call, x, &leading));
    MP_TRY(mp_rule_want_float(gy, "gy"));
    MP_TRY(mp_rule_want_shape(gy, "gy", x->ndim, x->shape));
    MP_TRY(check_parameter(call->in[at + 1], "weight", x, leading));
    for (int i = 0; i < n_stats; i++)
        MP_TRY(
            check_statistic(call->in[at + 2 + i], i < n_stats - 1 ? "mean" : "rstd", x, leading));
    mp_rule_spec(call, 0, (mp_dtype)x->dtype, x->ndim, x->shape);
    for (int k = 1; k < call->n_out; k++)
        mp_rule_spec(call, k, mp_rule_accumulator(x), x->ndim - leading, x->shape + leading);
    call->work = 5.0 * (double)x->size;
    return MP_OK;
}

mp_status mp_infer_layer_norm_bwd(mp_call *call) { return infer_bwd(call, 1, 2); }
mp_status mp_infer_rms_norm_bwd(mp_call *call) { return infer_bwd(call, 1, 1); }

/* Takes the gradient gh that comes to h itself, too. */
mp_status mp_infer_add_layer_norm_bwd(mp_call *call) {
    const mp_array *gh = call->in[1], *h = call->in[2];
    MP_TRY(infer_bwd(call, 2, 2));
    if (!gh) return MP_OK;
    MP_TRY(mp_rule_want_float(gh, "gh"));
    return mp_rule_want_shape(gh, "gh", h->ndim, h->shape);
}

/* Runs the backward op; its outputs are the gradients of the inputs, in order. */
static mp_status run_bwd(mp_backward *b, mp_op op, int n_in, mp_array **in) {
    mp_array *out[MP_MAX_OUT];
    MP_TRY(mp_op_call(op, n_in, in, b->attrs, out));
    for (int i = 0; i < b->n_in; i++) {
        if (b->need[i]) b->gx[i] = out[i];
        else mp_array_unref(out[i]);
    }
    return MP_OK;
}

/* ---- the same gradients as chains of ops, where they are to have gradients themselves ---- */

static mp_array *times(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_mul, x1, x2, NULL);
}
static mp_array *minus(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_sub, x1, x2, NULL);
}

/* The mean over the normalised axes. */
static mp_array *level(mp_chain *c, mp_array *x) {
    if (c->status != MP_OK) return NULL;
    int64_t axes[MP_MAX_DIMS], size = 1;
    int n = (int)c->b->attrs->n_axes;
    for (int i = 0; i < n; i++) {
        axes[i] = x->ndim - n + i;
        size *= x->shape[axes[i]];
    }
    return mp_chain_scalar(c, MP_OP_mul, mp_chain_sum(c, x, n, axes), 1.0 / (double)size);
}

/* Gives input i, of the normalised shape, the sum of x over all other axes. */
static void give_sum(mp_chain *c, int i, mp_array *x) {
    if (c->status != MP_OK || !c->b->need[i]) return;
    int64_t axes[MP_MAX_DIMS];
    int n = x->ndim - (int)c->b->attrs->n_axes;
    for (int k = 0; k < n; k++) axes[k] = k;
    mp_array *sum = n ? mp_chain_sum(c, x, n, axes) : x;
    mp_chain_give(c, i, mp_chain_reshape(c, sum, c->b->in_spec[i].ndim, c->b->in_spec[i].shape));
}

/* y = n weight + bias with n = d rstd, d = x - mean(x) (rms_norm: d = x). With g = gy weight:
 * gx = rstd (g - n mean(g n)), less its mean where x's was taken off, plus gh if there is one.
 * Inputs before `weight` have gx as their gradient. */
static mp_status recorded(mp_backward *b, mp_array *kept, mp_array *gh, int weight, bool centred) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *x = mp_chain_wide(&c, kept), *gy = mp_chain_wide(&c, b->gy[0]);
    mp_array *d = centred ? minus(&c, x, level(&c, x)) : x;
    mp_array *square = level(&c, times(&c, d, d));
    mp_array *rstd =
        mp_chain1(&c, MP_OP_rsqrt, mp_chain_scalar(&c, MP_OP_add, square, b->attrs->eps), NULL);
    mp_array *n = times(&c, d, rstd), *g = b->in[weight] ? times(&c, gy, b->in[weight]) : gy;
    mp_array *gx = times(&c, rstd, minus(&c, g, times(&c, n, level(&c, times(&c, g, n)))));
    if (centred) gx = minus(&c, gx, level(&c, gx));
    if (gh) gx = mp_chain2(&c, MP_OP_add, gx, gh, NULL);
    for (int i = 0; i < weight; i++) mp_chain_give(&c, i, gx);
    give_sum(&c, weight, times(&c, gy, n));
    if (weight + 1 < b->n_in) give_sum(&c, weight + 1, gy);
    return mp_chain_end(&c);
}

mp_status mp_vjp_layer_norm(mp_backward *b) {
    if (mp_grad_enabled()) return recorded(b, b->in[0], NULL, 1, true);
    mp_array *in[5] = {b->gy[0], b->in[0], b->in[1], b->out[1], b->out[2]};
    return run_bwd(b, MP_OP_layer_norm_bwd, 5, in);
}

mp_status mp_vjp_rms_norm(mp_backward *b) {
    if (mp_grad_enabled()) return recorded(b, b->in[0], NULL, 1, false);
    mp_array *in[4] = {b->gy[0], b->in[0], b->in[1], b->out[1]};
    return run_bwd(b, MP_OP_rms_norm_bwd, 4, in);
}

/* x and residual have one gradient: that of h. Where only h was used it is what came to it. */
mp_status mp_vjp_add_layer_norm(mp_backward *b) {
    mp_array *gy = b->gy[0], *gh = b->gy[1], *h = b->out[1], *out[MP_MAX_OUT] = {gh};
    if (gy && mp_grad_enabled()) return recorded(b, h, gh, 2, true);
    if (gy) {
        mp_array *in[6] = {gy, gh, h, b->in[2], b->out[2], b->out[3]};
        MP_TRY(mp_op_call(MP_OP_add_layer_norm_bwd, 6, in, b->attrs, out));
    } else {
        mp_array_ref(gh);
    }
    for (int i = 0; i < 2; i++)
        if (b->need[i]) b->gx[i] = mp_array_ref(out[0]);
    for (int i = 2; i < 4; i++)
        if (b->need[i]) b->gx[i] = mp_array_ref(out[i - 1]);
    for (int k = 0; k < 3; k++) mp_array_unref(out[k]);
    return MP_OK;
}
