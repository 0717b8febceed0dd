/* Rules of softmax and log_softmax along one axis, and of scaled_masked_softmax along the last one.
 */
#include "rules.h"

/* x floating -> y of its shape, in dtype if one is given. */
mp_status mp_infer_softmax(mp_call *call) {
    mp_array *x = call->in[0];
    mp_dtype dtype =
        call->attrs.dtype == MP_NO_DTYPE ? (mp_dtype)x->dtype : (mp_dtype)call->attrs.dtype;
    MP_TRY(mp_rule_axis(&call->attrs.axis, x->ndim));
    if (call->attrs.dtype == MP_NO_DTYPE) MP_TRY(mp_rule_want_float(x, "x"));
    if (!mp_is_float(dtype))
        return mp_fail(MP_ERR_TYPE, "dtype is %s, a floating one is wanted", mp_dtypes[dtype].name);
    mp_rule_spec(call, 0, dtype, x->ndim, x->shape);
    call->work = 5.0 * (double)x->size;
    return MP_OK;
}

/* x floating, mask bool or floating, broadcast -> y of x's shape and dtype. */
mp_status mp_infer_scaled_masked_softmax(mp_call *call) {
    mp_array *x = call->in[0], *mask = call->in[1];
    int least = call->attrs.causal ? 2 : 1;
    MP_TRY(mp_rule_want_float(x, "x"));
    if (x->ndim < least)
        return mp_fail(MP_ERR_VALUE, "x has %d dimensions, at least %d %s wanted", x->ndim, least,
                       least == 1 ? "is" : "are");
    if (mask && mask->dtype != MP_BOOL && !mp_is_float((mp_dtype)mask->dtype))
        return mp_fail(MP_ERR_TYPE, "mask is %s, bool or a floating dtype is wanted",
                       mp_dtypes[mask->dtype].name);
    if (mask) MP_TRY(mp_rule_want_broadcast(mask, "mask", x->ndim, x->shape));
    mp_spec_take(&call->spec[0], x);
    call->work = 6.0 * (double)x->size;
    return MP_OK;
}

mp_status mp_vjp_softmax(mp_backward *b) {
    return mp_op2(MP_OP_softmax_bwd, b->gy[0], b->out[0], b->attrs, &b->gx[0]);
}

mp_status mp_vjp_log_softmax(mp_backward *b) {
    return mp_op2(MP_OP_log_softmax_bwd, b->gy[0], b->out[0], b->attrs, &b->gx[0]);
}

/* A mask that is added has the gradient of scale x. */
mp_status mp_vjp_scaled_masked_softmax(mp_backward *b) {
    const mp_op op = MP_OP_scaled_masked_softmax_bwd;
    if (b->need[0]) MP_TRY(mp_op2(op, b->gy[0], b->out[0], b->attrs, &b->gx[0]));
    if (!b->need[1]) return MP_OK;
    mp_attrs attrs = mp_rule_attrs(b->attrs);
    attrs.scale = 1;
    return mp_op2(op, b->gy[0], b->out[0], &attrs, &b->gx[1]);
}

/* gy and y of one shape, floating; gx in y's dtype. */
static mp_status infer_bwd(mp_call *call) {
    mp_array *gy = call->in[0], *y = call->in[1];
    MP_TRY(mp_rule_want_float(gy, "gy"));
    MP_TRY(mp_rule_want_float(y, "y"));
    MP_TRY(mp_rule_want_shape(gy, "gy", y->ndim, y->shape));
    MP_TRY(mp_rule_axis(&call->attrs.axis, y->ndim));
    mp_spec_take(&call->spec[0], y);
    call->work = 5.0 * (double)y->size;
    return MP_OK;
}

mp_status mp_infer_softmax_bwd(mp_call *call) {
    call->attrs.scale = 1;
    return infer_bwd(call);
}
mp_status mp_infer_scaled_masked_softmax_bwd(mp_call *call) {
    call->attrs.axis = -1;
    return infer_bwd(call);
}

/* The sum of x along the op's axis. */
static mp_array *sum_along(mp_chain *c, mp_array *x) {
    return mp_chain_sum(c, x, 1, &c->b->attrs->axis);
}

static mp_array *times(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_mul, x1, x2, NULL);
}
static mp_array *minus(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_sub, x1, x2, NULL);
}

/* gx = y (gy - sum(gy y)) scale. With v its gradient: that of gy is y (v - sum(v y)) scale, that of
 * y is (v (gy - sum(gy y)) - gy sum(v y)) scale. */
static mp_status vjp_bwd(mp_backward *b, mp_op op) {
    if (b->need[0]) MP_TRY(mp_op2(op, b->gy[0], b->in[1], b->attrs, &b->gx[0]));
    if (!b->need[1]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *v = mp_chain_wide(&c, b->gy[0]), *gy = mp_chain_wide(&c, b->in[0]), *y = b->in[1];
    mp_array *centred = minus(&c, gy, sum_along(&c, times(&c, gy, y)));
    mp_array *rest = times(&c, gy, sum_along(&c, times(&c, v, y)));
    mp_array *slope = minus(&c, times(&c, v, centred), rest);
    if (b->attrs->scale != 1) slope = mp_chain_scalar(&c, MP_OP_mul, slope, b->attrs->scale);
    mp_chain_give(&c, 1, slope);
    return mp_chain_end(&c);
}

mp_status mp_vjp_softmax_bwd(mp_backward *b) { return vjp_bwd(b, MP_OP_softmax_bwd); }
mp_status mp_vjp_scaled_masked_softmax_bwd(mp_backward *b) {
    return vjp_bwd(b, MP_OP_scaled_masked_softmax_bwd);
}

/* gx = gy - exp(y) sum(gy). With v its gradient: that of gy is v - sum(v exp(y)), that of y is -v
 * exp(y) sum(gy). */
mp_status mp_vjp_log_softmax_bwd(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *v = mp_chain_wide(&c, b->gy[0]), *gy = mp_chain_wide(&c, b->in[0]);
    mp_array *weighted = times(&c, v, mp_chain1(&c, MP_OP_exp, mp_chain_wide(&c, b->in[1]), NULL));
    if (b->need[0]) mp_chain_give(&c, 0, minus(&c, v, sum_along(&c, weighted)));
    if (b->need[1])
        mp_chain_give(&c, 1,
                      mp_chain1(&c, MP_OP_neg, times(&c, weighted, sum_along(&c, gy)), NULL));
    return mp_chain_end(&c);
}
