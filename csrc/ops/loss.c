/* Rules of the losses, PyTorch's. With reduction none a loss has an element per row (or per element
 * of a pair), else it is 0-d. Backward ops get gy of the loss's shape and do the reduction's share
 * themselves. */
#include <math.h>

#include "rules.h"

/* ---- what all losses share ---- */

/* Output 0, the loss: of `rows`' shape, or 0-d. */
static void loss_spec(mp_call *call, mp_dtype dtype, const mp_spec *rows) {
    mp_rule_spec(call, 0, dtype, call->attrs.reduction == MP_REDUCE_NONE ? rows->ndim : 0,
                 rows->shape);
}

static mp_status check_reduction(const mp_call *call) {
    if (call->attrs.reduction <= MP_REDUCE_SUM) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "reduction %d is none of none, mean and sum",
                   call->attrs.reduction);
}

/* gy of a backward op, as loss_spec. */
static mp_status check_gy(const mp_call *call, const mp_spec *rows) {
    const mp_array *gy = call->in[0];
    MP_TRY(check_reduction(call));
    MP_TRY(mp_rule_want_float(gy, "gy"));
    return mp_rule_want_shape(gy, "gy", call->attrs.reduction == MP_REDUCE_NONE ? rows->ndim : 0,
                              rows->shape);
}

/* The promoted dtype of x and target, the default float for integers. */
static mp_status pair_dtype(mp_array **x_and_target, mp_dtype *dtype) {
    MP_TRY(mp_rule_promote(2, x_and_target, dtype));
    if (!mp_is_float(*dtype)) *dtype = mp_default_float();
    return MP_OK;
}

/* ---- losses over classes: axis 1 of x (N, C, d1, ...), axis 0 of x (C,) ---- */

static int class_axis(const mp_array *x) { return x->ndim > 1; }

/* x's shape without the classes. */
static void rows_of(const mp_array *x, mp_spec *rows) {
    int axis = class_axis(x);
    rows->ndim = (int8_t)(x->ndim - 1);
    for (int i = 0; i < rows->ndim; i++) rows->shape[i] = x->shape[i < axis ? i : i + 1];
}

/* Checks x and the class weights; *rows gets x's shape without the classes. */
static mp_status check_classes(const mp_array *x, const mp_array *weight, mp_spec *rows) {
    MP_TRY(mp_rule_want_float(x, "x"));
    if (x->ndim == 0) return mp_fail(MP_ERR_VALUE, "x has 0 dimensions, at least 1 is wanted");
    int64_t classes = x->shape[class_axis(x)];
    if (classes == 0)
        return mp_fail(MP_ERR_VALUE, "x of shape %s has 0 classes",
                       mp_shape_text(x->ndim, x->shape));
    rows_of(x, rows);
    if (!weight) return MP_OK;
    MP_TRY(mp_rule_want_float(weight, "weight"));
    if (weight->ndim == 1 && weight->shape[0] == classes) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "weight has shape %s, x has %lld classes",
                   mp_shape_text(weight->ndim, weight->shape), (long long)classes);
}

/* Class indices, one per row. */
static mp_status check_indices(const mp_array *x, const mp_array *target, const mp_spec *rows) {
    MP_TRY(mp_rule_want_integer(target, "target"));
    if (mp_same_shape(target, rows)) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "x has shape %s, target has %s, %s is wanted",
                   mp_shape_text(x->ndim, x->shape), mp_shape_text(target->ndim, target->shape),
                   mp_shape_text(rows->ndim, rows->shape));
}

static mp_status check_probabilities(const mp_array *x, const mp_array *target) {
    MP_TRY(mp_rule_want_float(target, "target"));
    return mp_rule_want_shape(target, "target", x->ndim, x->shape);
}

static mp_status check_smoothing(const mp_call *call) {
    double smoothing = call->attrs.label_smoothing;
    if (smoothing >= 0 && smoothing <= 1) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "label_smoothing is %g, a number between 0 and 1 is wanted",
                   smoothing);
}

/* x, target (class indices), weight -> the loss, and hidden log-sum-exp of each row. */
mp_status mp_infer_cross_entropy(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_spec rows;
    MP_TRY(check_reduction(call));
    MP_TRY(check_smoothing(call));
    MP_TRY(check_classes(x, call->in[2], &rows));
    MP_TRY(check_indices(x, call->in[1], &rows));
    loss_spec(call, (mp_dtype)x->dtype, &rows);
    mp_rule_spec(call, 1, mp_rule_accumulator(x), rows.ndim, rows.shape);
    call->work = 5.0 * (double)x->size;
    return MP_OK;
}

/* gy, x, target, weight, lse -> gx in x's dtype. */
mp_status mp_infer_cross_entropy_bwd(mp_call *call) {
    const mp_array *x = call->in[1];
    mp_spec rows;
    MP_TRY(check_classes(x, call->in[3], &rows));
    MP_TRY(check_indices(x, call->in[2], &rows));
    MP_TRY(check_gy(call, &rows));
    MP_TRY(mp_rule_want_float(call->in[4], "lse"));
    MP_TRY(mp_rule_want_shape(call->in[4], "lse", rows.ndim, rows.shape));
    mp_spec_take(&call->spec[0], x);
    call->work = 5.0 * (double)x->size;
    return MP_OK;
}

/* The log-sum-exp of each row of x, as part of the graph: x - log_softmax(x), the same for each
 * class. */
static mp_array *recorded_lse(mp_chain *c, mp_array *x) {
    x = mp_chain_wide(c, x);
    if (c->status != MP_OK) return NULL;
    mp_spec rows;
    rows_of(x, &rows);
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = class_axis(x);
    mp_array *each = mp_chain2(c, MP_OP_sub, x, mp_chain1(c, MP_OP_log_softmax, x, &attrs), NULL);
    mp_array *sum = mp_chain_sum(c, each, 1, &attrs.axis);
    mp_array *mean = mp_chain_scalar(c, MP_OP_mul, sum, 1.0 / (double)x->shape[attrs.axis]);
    return mp_chain_reshape(c, mean, rows.ndim, rows.shape);
}

mp_status mp_vjp_cross_entropy(mp_backward *b) {
    MP_TRY(mp_rule_no_gradient(b, 2, "weight"));
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *lse = mp_grad_enabled() ? recorded_lse(&c, b->in[0]) : b->out[1];
    mp_array *in[5] = {b->gy[0], b->in[0], b->in[1], b->in[2], lse};
    mp_chain_give(&c, 0, mp_chain_call(&c, MP_OP_cross_entropy_bwd, 5, in, b->attrs));
    return mp_chain_end(&c);
}

/* The gradient of gy in gx = gy f, given v f: its sum over the classes, or over everything. */
static void give_gy(mp_chain *c, mp_array *product) {
    const mp_spec *gy = &c->b->in_spec[0];
    if (c->status != MP_OK) return;
    int64_t axes[MP_MAX_DIMS];
    int n = 0;
    for (int i = 0; i < product->ndim; i++)
        if (gy->ndim == 0 || i == class_axis(product)) axes[n++] = i;
    mp_array *sum = n ? mp_chain_sum(c, product, n, axes) : product;
    mp_chain_give(c, 0, mp_chain_reshape(c, sum, gy->ndim, gy->shape));
}

/* gx = g (p sum(t) - t) with p = exp(x - lse), t the target's share of each class and g that of gy.
 * With v its gradient: that of x is v p g sum(t), that of lse is minus its sum over the classes;
 * where lse is inf, p is 0 and gx is -g t. */
mp_status mp_vjp_cross_entropy_bwd(mp_backward *b) {
    MP_TRY(mp_rule_no_gradient(b, 3, "weight"));
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *in[5] = {b->in[0], b->in[1], b->in[2], b->in[3], b->in[4]};
    mp_array *v = mp_chain_wide(&c, b->gy[0]), *x = mp_chain_wide(&c, b->in[1]), *lse = in[4];
    if (b->need[0]) {
        in[0] = mp_chain_full(&c, &b->in_spec[0], 1);
        give_gy(&c, mp_chain2(&c, MP_OP_mul, v,
                              mp_chain_call(&c, MP_OP_cross_entropy_bwd, 5, in, b->attrs), NULL));
        in[0] = b->in[0];
    }
    if ((b->need[1] || b->need[4]) && c.status == MP_OK) {
        int64_t axis = class_axis(x);
        mp_spec one_class = b->in_spec[1];
        one_class.shape[axis] = 1;
        in[4] = mp_chain_full(&c, &b->in_spec[4], (double)INFINITY);
        mp_array *targets =
            mp_chain_wide(&c, mp_chain_call(&c, MP_OP_cross_entropy_bwd, 5, in, b->attrs));
        mp_array *level = mp_chain_reshape(&c, lse, one_class.ndim, one_class.shape);
        mp_array *p = mp_chain1(&c, MP_OP_exp, mp_chain2(&c, MP_OP_sub, x, level, NULL), NULL);
        mp_array *share = mp_chain_sum(&c, targets, 1, &axis); /* minus g sum(t) */
        mp_array *minus =
            mp_chain2(&c, MP_OP_mul, mp_chain2(&c, MP_OP_mul, v, p, NULL), share, NULL);
        mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_neg, minus, NULL));
        const mp_spec *rows = &b->in_spec[4];
        mp_chain_give(
            &c, 4,
            mp_chain_reshape(&c, mp_chain_sum(&c, minus, 1, &axis), rows->ndim, rows->shape));
    }
    return mp_chain_end(&c);
}

/* x, target (probabilities of x's shape), weight -> the loss, and hidden log-sum-exp of each row.
 */
mp_status mp_infer_cross_entropy_soft(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_spec rows;
    mp_dtype dtype;
    MP_TRY(check_reduction(call));
    MP_TRY(check_smoothing(call));
    MP_TRY(check_classes(x, call->in[2], &rows));
    MP_TRY(check_probabilities(x, call->in[1]));
    MP_TRY(pair_dtype(call->in, &dtype));
    loss_spec(call, dtype, &rows);
    mp_rule_spec(call, 1, mp_rule_accumulator(x), rows.ndim, rows.shape);
    call->work = 6.0 * (double)x->size;
    return MP_OK;
}

/* gy, x, target, weight, lse -> gx in x's dtype, gtarget in target's. */
mp_status mp_infer_cross_entropy_soft_bwd(mp_call *call) {
    const mp_array *x = call->in[1];
    mp_spec rows;
    MP_TRY(check_classes(x, call->in[3], &rows));
    MP_TRY(check_probabilities(x, call->in[2]));
    MP_TRY(check_gy(call, &rows));
    MP_TRY(mp_rule_want_float(call->in[4], "lse"));
    MP_TRY(mp_rule_want_shape(call->in[4], "lse", rows.ndim, rows.shape));
    mp_spec_take(&call->spec[0], x);
    mp_spec_take(&call->spec[1], call->in[2]);
    call->work = 8.0 * (double)x->size;
    return MP_OK;
}

/* Gives the two outputs of a backward op to x and target. */
static mp_status give_pair(mp_backward *b, mp_op op, int n_in, mp_array **in) {
    mp_array *out[MP_MAX_OUT];
    MP_TRY(mp_op_call(op, n_in, in, b->attrs, out));
    for (int i = 0; i < 2; i++) {
        if (b->need[i]) b->gx[i] = out[i];
        else mp_array_unref(out[i]);
    }
    return MP_OK;
}

mp_status mp_vjp_cross_entropy_soft(mp_backward *b) {
    mp_array *in[5] = {b->gy[0], b->in[0], b->in[1], b->in[2], b->out[1]};
    MP_TRY(mp_rule_no_gradient(b, 2, "weight"));
    return give_pair(b, MP_OP_cross_entropy_soft_bwd, 5, in);
}

/* x (log-probabilities), target (class indices), weight -> the loss. */
mp_status mp_infer_nll_loss(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_spec rows;
    MP_TRY(check_reduction(call));
    MP_TRY(check_classes(x, call->in[2], &rows));
    MP_TRY(check_indices(x, call->in[1], &rows));
    loss_spec(call, (mp_dtype)x->dtype, &rows);
    call->work = 3.0 * (double)mp_spec_size(&rows);
    return MP_OK;
}

/* gy, x, target, weight -> gx in x's dtype; of x only the shape matters. */
mp_status mp_infer_nll_loss_bwd(mp_call *call) {
    const mp_array *x = call->in[1];
    mp_spec rows;
    MP_TRY(check_classes(x, call->in[3], &rows));
    MP_TRY(check_indices(x, call->in[2], &rows));
    MP_TRY(check_gy(call, &rows));
    mp_spec_take(&call->spec[0], x);
    return MP_OK;
}

mp_status mp_vjp_nll_loss(mp_backward *b) {
    mp_array *in[4] = {b->gy[0], b->in[0], b->in[1], b->in[2]}, *out[MP_MAX_OUT];
    MP_TRY(mp_rule_no_gradient(b, 2, "weight"));
    MP_TRY(mp_op_call(MP_OP_nll_loss_bwd, 4, in, b->attrs, out));
    b->gx[0] = out[0];
    return MP_OK;
}

/* gx is gy times what depends on the target alone. */
mp_status mp_vjp_nll_loss_bwd(mp_backward *b) {
    MP_TRY(mp_rule_no_gradient(b, 3, "weight"));
    MP_TRY(mp_rule_zero_gradient(b, 1));
    if (!b->need[0]) return MP_OK;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *in[4] = {mp_chain_full(&c, &b->in_spec[0], 1), b->in[1], b->in[2], b->in[3]};
    mp_array *f = mp_chain_call(&c, MP_OP_nll_loss_bwd, 4, in, b->attrs);
    give_gy(&c, mp_chain2(&c, MP_OP_mul, mp_chain_wide(&c, b->gy[0]), f, NULL));
    return mp_chain_end(&c);
}

/* ---- losses of pairs: x and target broadcast, the loss is of their difference ---- */

/* The shape and dtype of the differences. */
static mp_status pair_spec(mp_array **x_and_target, mp_spec *pairs) {
    mp_dtype dtype;
    MP_TRY(pair_dtype(x_and_target, &dtype));
    pairs->dtype = (int8_t)dtype;
    return mp_broadcast(2, x_and_target, &pairs->ndim, pairs->shape);
}

mp_status mp_infer_pair_loss(mp_call *call) {
    mp_spec pairs;
    int64_t count;
    MP_TRY(check_reduction(call));
    MP_TRY(pair_spec(call->in, &pairs));
    MP_TRY(mp_rule_count(pairs.ndim, pairs.shape, &count));
    loss_spec(call, (mp_dtype)pairs.dtype, &pairs);
    call->work = (double)count;
    return MP_OK;
}

mp_status mp_infer_smooth_l1_loss(mp_call *call) {
    if (call->attrs.beta >= 0) return mp_infer_pair_loss(call);
    return mp_fail(MP_ERR_VALUE, "beta is %g, it must not be negative", call->attrs.beta);
}

mp_status mp_infer_huber_loss(mp_call *call) {
    if (call->attrs.delta > 0) return mp_infer_pair_loss(call);
    return mp_fail(MP_ERR_VALUE, "delta is %g, it must be positive", call->attrs.delta);
}

/* gy, x, target -> gx of the broadcast shape; that of target is -gx. */
mp_status mp_infer_pair_loss_bwd(mp_call *call) {
    mp_spec pairs;
    MP_TRY(pair_spec(call->in + 1, &pairs));
    MP_TRY(check_gy(call, &pairs));
    call->spec[0] = pairs;
    return MP_OK;
}

static mp_status pair_gradient(mp_backward *b, mp_op op) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gx = mp_chain3(&c, op, b->gy[0], b->in[0], b->in[1], b->attrs);
    mp_chain_give(&c, 0, gx);
    if (b->need[1]) mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_neg, gx, NULL));
    return mp_chain_end(&c);
}

mp_status mp_vjp_mse_loss(mp_backward *b) { return pair_gradient(b, MP_OP_mse_loss_bwd); }
mp_status mp_vjp_l1_loss(mp_backward *b) { return pair_gradient(b, MP_OP_l1_loss_bwd); }
mp_status mp_vjp_smooth_l1_loss(mp_backward *b) {
    return pair_gradient(b, MP_OP_smooth_l1_loss_bwd);
}
mp_status mp_vjp_huber_loss(mp_backward *b) { return pair_gradient(b, MP_OP_huber_loss_bwd); }

/* ---- their gradients' gradients: gx = k gy f(x - target), with k = 1 / n for a mean and else 1
 * ---- */

static double share_of(const mp_backward *b) {
    return b->attrs->reduction == MP_REDUCE_MEAN ? 1.0 / (double)mp_spec_size(&b->out_spec[0])
                                                 : 1.0;
}

/* With v the gradient of gx: that of gy is k v f, and that of x, with f' = slope within `reach` of
 * 0 and else 0, is k v gy f'. reach < 0: f' is 0 everywhere; infinity: nowhere cut off. */
static mp_status pair_second_gradient(mp_backward *b, mp_op op, double slope, double reach) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = mp_chain_wide(&c, b->in[0]), *x = mp_chain_wide(&c, b->in[1]),
             *v = mp_chain_wide(&c, b->gy[0]);
    if (b->need[0] && c.status == MP_OK) {
        mp_spec spec = b->in_spec[0];
        spec.dtype = gy->dtype;
        mp_array *f = mp_chain3(&c, op, mp_chain_full(&c, &spec, 1), x, b->in[2], b->attrs);
        mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, v, f, NULL));
    }
    if (reach < 0) {
        for (int i = 1; i <= 2 && c.status == MP_OK; i++) c.status = mp_rule_zero_gradient(b, i);
    } else if (b->need[1] || b->need[2]) {
        mp_array *curve = mp_chain_scalar(&c, MP_OP_mul, mp_chain2(&c, MP_OP_mul, v, gy, NULL),
                                          slope * share_of(b));
        if (reach < (double)INFINITY) {
            mp_array *distance =
                mp_chain1(&c, MP_OP_abs, mp_chain2(&c, MP_OP_sub, x, b->in[2], NULL), NULL);
            curve = mp_chain2(&c, MP_OP_mul, curve,
                              mp_chain_scalar(&c, MP_OP_less, distance, reach), NULL);
        }
        mp_chain_give(&c, 1, curve);
        if (b->need[2]) mp_chain_give(&c, 2, mp_chain1(&c, MP_OP_neg, curve, NULL));
    }
    return mp_chain_end(&c);
}

mp_status mp_vjp_mse_loss_bwd(mp_backward *b) {
    return pair_second_gradient(b, MP_OP_mse_loss_bwd, 2, (double)INFINITY);
}
mp_status mp_vjp_l1_loss_bwd(mp_backward *b) {
    return pair_second_gradient(b, MP_OP_l1_loss_bwd, 0, -1);
}
mp_status mp_vjp_smooth_l1_loss_bwd(mp_backward *b) {
    double beta = b->attrs->beta;
    return pair_second_gradient(b, MP_OP_smooth_l1_loss_bwd, beta > 0 ? 1 / beta : 0,
                                beta > 0 ? beta : -1);
}
mp_status mp_vjp_huber_loss_bwd(mp_backward *b) {
    return pair_second_gradient(b, MP_OP_huber_loss_bwd, 1, b->attrs->delta);
}

/* ---- binary cross entropy of logits ---- */

/* x and target of one shape; weight and pos_weight broadcast to it. */
static mp_status check_logits(mp_array **in, mp_spec *rows) {
    const mp_array *x = in[0], *target = in[1];
    MP_TRY(mp_rule_want_float(x, "x"));
    MP_TRY(mp_rule_want_shape(target, "target", x->ndim, x->shape));
    for (int i = 2; i < 4; i++) {
        const char *name = i == 2 ? "weight" : "pos_weight";
        if (!in[i]) continue;
        MP_TRY(mp_rule_want_float(in[i], name));
        MP_TRY(mp_rule_want_broadcast(in[i], name, x->ndim, x->shape));
    }
    mp_spec_take(rows, x);
    return MP_OK;
}

mp_status mp_infer_bce_with_logits(mp_call *call) {
    mp_spec rows;
    mp_dtype dtype;
    MP_TRY(check_reduction(call));
    MP_TRY(check_logits(call->in, &rows));
    MP_TRY(pair_dtype(call->in, &dtype));
    loss_spec(call, dtype, &rows);
    call->work = 8.0 * (double)call->in[0]->size;
    return MP_OK;
}

/* gy, x, target, weight, pos_weight -> gx in x's dtype, gtarget in target's if that is floating,
 * else in x's. */
mp_status mp_infer_bce_with_logits_bwd(mp_call *call) {
    const mp_array *target = call->in[2];
    mp_spec rows;
    MP_TRY(check_logits(call->in + 1, &rows));
    MP_TRY(check_gy(call, &rows));
    call->spec[0] = call->spec[1] = rows;
    if (mp_is_float((mp_dtype)target->dtype)) call->spec[1].dtype = target->dtype;
    call->work = 8.0 * (double)call->in[1]->size;
    return MP_OK;
}

mp_status mp_vjp_bce_with_logits(mp_backward *b) {
    mp_array *in[5] = {b->gy[0], b->in[0], b->in[1], b->in[2], b->in[3]};
    MP_TRY(mp_rule_no_gradient(b, 2, "weight"));
    MP_TRY(mp_rule_no_gradient(b, 3, "pos_weight"));
    return give_pair(b, MP_OP_binary_cross_entropy_with_logits_bwd, 5, in);
}
