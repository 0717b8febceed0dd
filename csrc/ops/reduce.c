/* Rules of the reductions. Infer writes the axes out: kernels and gradient rules find them
 * ascending and non-negative in attrs.ints, whatever the caller gave. */
#include <math.h>
#include <string.h>

#include "rules.h"

/* ---- shapes and dtypes ---- */

/* Writes the axes out, and output 0 without them (or with extents of 1); *reduced is the number of
 * elements that go into one of the output. */
static mp_status reduce_axes(mp_call *call, mp_dtype dtype, int64_t *reduced) {
    const mp_array *x = call->in[0];
    mp_attrs *attrs = &call->attrs;
    unsigned gone = 0;
    if (attrs->n_ints == MP_ALL) {
        gone = (unsigned)(((uint64_t)1 << x->ndim) - 1);
    } else {
        for (int i = 0; i < attrs->n_ints; i++) {
            MP_TRY(mp_rule_axis(&attrs->ints[i], x->ndim));
            if (gone & (1u << attrs->ints[i]))
                return mp_fail(MP_ERR_VALUE, "axis %d is given twice", (int)attrs->ints[i]);
            gone |= 1u << attrs->ints[i];
        }
    }
    mp_spec *spec = &call->spec[0];
    int n = 0, ndim = 0;
    *reduced = 1;
    for (int i = 0; i < x->ndim; i++) {
        if (gone & (1u << i)) {
            attrs->ints[n++] = i;
            *reduced *= x->shape[i];
            if (attrs->keepdims) spec->shape[ndim++] = 1;
        } else {
            spec->shape[ndim++] = x->shape[i];
        }
    }
    attrs->n_ints = (uint8_t)n;
    spec->ndim = (int8_t)ndim;
    spec->dtype = (int8_t)dtype;
    call->work = 0.5 * (double)x->size;
    return MP_OK;
}

static mp_dtype float_of(const mp_array *x) {
    return mp_is_float((mp_dtype)x->dtype) ? (mp_dtype)x->dtype : mp_default_float();
}

mp_status mp_infer_sum(mp_call *call) { /* sum, prod */
    mp_dtype dtype;
    int64_t reduced;
    MP_TRY(mp_rule_sum_dtype(call, &dtype));
    return reduce_axes(call, dtype, &reduced);
}

/* Integers have a mean in the default float. */
mp_status mp_infer_mean(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_dtype dtype = call->attrs.dtype == MP_NO_DTYPE ? float_of(x) : (mp_dtype)call->attrs.dtype;
    int64_t reduced;
    if (!mp_is_float(dtype))
        return mp_fail(MP_ERR_TYPE, "dtype is %s, a floating one is wanted", mp_dtypes[dtype].name);
    return reduce_axes(call, dtype, &reduced);
}

/* The sum of squared deviations, divided by max(0, n - ddof). */
mp_status mp_infer_var(mp_call *call) {
    int64_t reduced;
    MP_TRY(reduce_axes(call, float_of(call->in[0]), &reduced));
    call->work = (double)call->in[0]->size;
    return MP_OK;
}

/* max, min: x's dtype. Of nothing there is none. */
mp_status mp_infer_extremum(mp_call *call) {
    const mp_array *x = call->in[0];
    int64_t reduced;
    MP_TRY(reduce_axes(call, (mp_dtype)x->dtype, &reduced));
    if (reduced > 0 || mp_spec_size(&call->spec[0]) == 0) return MP_OK;
    return mp_fail(
        MP_ERR_VALUE,
        "zero-size array to reduction operation %simum which has no identity: the shape is %s",
        call->row->name, mp_shape_text(x->ndim, x->shape));
}

/* The log of the sum of exponentials; integers give the default float. */
mp_status mp_infer_logsumexp(mp_call *call) {
    int64_t reduced;
    MP_TRY(reduce_axes(call, float_of(call->in[0]), &reduced));
    call->work = 2.0 * (double)call->in[0]->size;
    return MP_OK;
}

/* all, any: whether elements are not 0. */
mp_status mp_infer_truth(mp_call *call) {
    int64_t reduced;
    return reduce_axes(call, MP_BOOL, &reduced);
}

/* count_nonzero */
mp_status mp_infer_count(mp_call *call) {
    int64_t reduced;
    return reduce_axes(call, MP_INT64, &reduced);
}

/* argmax, argmin: int64, the first position along `axis`; INT64_MIN stands for None, the position
 * in the flat array. */
mp_status mp_infer_arg_extremum(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_attrs *attrs = &call->attrs;
    mp_spec *spec = &call->spec[0];
    bool flat = attrs->axis == INT64_MIN;
    int ndim = 0;
    if (!flat) MP_TRY(mp_rule_axis(&attrs->axis, x->ndim));
    int64_t reduced = flat ? x->size : x->shape[attrs->axis];
    for (int i = 0; i < x->ndim; i++) {
        bool gone = flat || i == attrs->axis;
        if (!gone || attrs->keepdims) spec->shape[ndim++] = gone ? 1 : x->shape[i];
    }
    spec->ndim = (int8_t)ndim;
    spec->dtype = MP_INT64;
    call->work = (double)x->size;
    if (reduced > 0 || mp_spec_size(spec) == 0) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "attempt to get %s of an empty sequence: the shape is %s",
                   call->row->name, mp_shape_text(x->ndim, x->shape));
}

/* ---- gradients ---- */

/* The output's shape with the reduced axes back as extents of 1. */
static mp_array *with_axes(mp_chain *c, mp_array *y) {
    int64_t shape[MP_MAX_DIMS];
    const mp_spec *x = &c->b->in_spec[0];
    if (c->b->attrs->keepdims) return y;
    memcpy(shape, x->shape, sizeof shape);
    for (int i = 0; i < c->b->attrs->n_ints; i++) shape[c->b->attrs->ints[i]] = 1;
    return mp_chain_reshape(c, y, x->ndim, shape);
}

/* The number of elements that went into one of the output. */
static int64_t reduced_count(const mp_backward *b) {
    int64_t n = 1;
    for (int i = 0; i < b->attrs->n_ints; i++) n *= b->in_spec[0].shape[b->attrs->ints[i]];
    return n;
}

/* Every element of x gets gy, cast before it is spread. */
static mp_status spread(mp_chain *c, mp_array *gy) {
    const mp_spec *x = &c->b->in_spec[0];
    mp_array *narrow = mp_chain_cast(c, gy, (mp_dtype)c->b->grad_dtype[0]);
    mp_chain_give(c, 0, mp_chain_expand(c, narrow, x->ndim, x->shape));
    return mp_chain_end(c);
}

mp_status mp_vjp_sum(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    return spread(&c, with_axes(&c, b->gy[0]));
}

/* gy / n, which float16 may be too coarse for before the loss scale is out: divided in float32. */
mp_status mp_vjp_mean(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = mp_chain_wide(&c, with_axes(&c, b->gy[0]));
    return spread(&c, mp_chain_scalar(&c, MP_OP_div, gy, (double)reduced_count(b)));
}

/* gx = 2 / max(0, n - ddof) (x - mean) gy */
mp_status mp_vjp_var(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_attrs attrs = mp_rule_attrs(b->attrs);
    attrs.keepdims = true;
    attrs.dtype = (int8_t)mp_rule_accumulator(b->in[0]);
    attrs.ddof = 0;
    double freedom = (double)reduced_count(b) - (double)b->attrs->ddof;
    mp_array *mean = mp_chain1(&c, MP_OP_mean, b->in[0], &attrs);
    mp_array *gy = mp_chain_wide(&c, with_axes(&c, b->gy[0]));
    gy = mp_chain_scalar(&c, MP_OP_mul, gy, 2.0 / (freedom > 0 ? freedom : 0));
    mp_chain_give(
        &c, 0, mp_chain2(&c, MP_OP_mul, mp_chain2(&c, MP_OP_sub, b->in[0], mean, NULL), gy, NULL));
    return mp_chain_end(&c);
}

/* The elements that are the extremum share its gradient. */
mp_status mp_vjp_extremum(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *y = with_axes(&c, b->out[0]), *gy = mp_chain_wide(&c, with_axes(&c, b->gy[0]));
    mp_array *chosen = mp_chain2(&c, MP_OP_equal, b->in[0], y, NULL);
    mp_array *share = mp_chain2(&c, MP_OP_div, gy,
                                mp_chain_sum(&c, chosen, b->attrs->n_ints, b->attrs->ints), NULL);
    share = mp_chain_cast(&c, share, (mp_dtype)b->grad_dtype[0]);
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, chosen, share, NULL));
    return mp_chain_end(&c);
}

/* x with the axes that stay first and the reduced ones, in one, last. perm: the order of the axes.
 */
static mp_array *reduced_last(mp_chain *c, mp_array *x, int64_t *perm) {
    const mp_spec *spec = &c->b->in_spec[0];
    mp_attrs attrs = mp_attrs_new();
    int64_t shape[MP_MAX_DIMS + 1], rest = 1;
    unsigned gone = 0;
    int n = 0;
    for (int i = 0; i < c->b->attrs->n_ints; i++) gone |= 1u << c->b->attrs->ints[i];
    for (int i = 0; i < spec->ndim; i++) {
        if (gone & (1u << i)) continue;
        shape[n] = spec->shape[i];
        perm[n++] = i;
    }
    int kept = n;
    for (int i = 0; i < spec->ndim; i++) {
        if (!(gone & (1u << i))) continue;
        rest *= spec->shape[i];
        perm[n++] = i;
    }
    shape[kept] = rest;
    attrs.n_ints = (uint8_t)n;
    memcpy(attrs.ints, perm, (size_t)n * sizeof *perm);
    return mp_chain_reshape(c, mp_chain1(c, MP_OP_permute, x, &attrs), kept + 1, shape);
}

/* What reduced_last made, in the order and shape of x. */
static mp_array *reduced_back(mp_chain *c, mp_array *y, const int64_t *perm) {
    const mp_spec *spec = &c->b->in_spec[0];
    mp_attrs attrs = mp_attrs_new();
    int64_t shape[MP_MAX_DIMS];
    attrs.n_ints = (uint8_t)spec->ndim;
    for (int i = 0; i < spec->ndim; i++) {
        shape[i] = spec->shape[perm[i]];
        attrs.ints[perm[i]] = i;
    }
    return mp_chain1(c, MP_OP_permute, mp_chain_reshape(c, y, spec->ndim, shape), &attrs);
}

/* gx = gy times the product of the other elements: of those before times of those after, so that
 * zeros do no harm. */
mp_status mp_vjp_prod(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = mp_chain_wide(&c, with_axes(&c, b->gy[0]));
    if (b->attrs->n_ints == 0 || mp_spec_size(&b->in_spec[0]) == 0) return spread(&c, gy);
    int64_t perm[MP_MAX_DIMS];
    mp_array *x = mp_chain_cast(&c, b->in[0], (mp_dtype)(gy ? gy->dtype : b->in[0]->dtype));
    mp_array *row = reduced_last(&c, x, perm);
    if (!row) return mp_chain_end(&c);
    int axis = row->ndim - 1;
    mp_array *after = mp_rule_flip(&c, row, axis);
    after = mp_rule_flip(&c, mp_rule_cumprod_before(&c, after, axis), axis);
    mp_array *before = mp_rule_cumprod_before(&c, row, axis);
    mp_array *others = reduced_back(&c, mp_chain2(&c, MP_OP_mul, before, after, NULL), perm);
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, others, gy, NULL));
    return mp_chain_end(&c);
}

/* gx = gy exp(x - y); where y is -inf, all of x is, and gx is 0. */
mp_status mp_vjp_logsumexp(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *y = mp_chain_wide(&c, with_axes(&c, b->out[0]));
    mp_array *gy = mp_chain_wide(&c, with_axes(&c, b->gy[0])), *x = mp_chain_wide(&c, b->in[0]);
    mp_array *nothing = mp_chain2(&c, MP_OP_equal, y, mp_chain_number(&c, -INFINITY), NULL);
    y = mp_chain3(&c, MP_OP_where, nothing, mp_chain_number(&c, 0), y, NULL);
    mp_array *share = mp_chain1(&c, MP_OP_exp, mp_chain2(&c, MP_OP_sub, x, y, NULL), NULL);
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, share, gy, NULL));
    return mp_chain_end(&c);
}
