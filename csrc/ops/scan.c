/* Rules of running results along an axis. */
#include <string.h>

#include "rules.h"

/* ---- shapes and dtypes ---- */

/* Output 0 is as x, in dtype; the axis becomes non-negative. */
static mp_status like_x(mp_call *call, mp_dtype dtype) {
    const mp_array *x = call->in[0];
    MP_TRY(mp_rule_axis(&call->attrs.axis, x->ndim));
    mp_rule_spec(call, 0, dtype, x->ndim, x->shape);
    call->work = 2.0 * (double)x->size;
    return MP_OK;
}

mp_status mp_infer_cumulate(mp_call *call) { /* cumsum, cumprod */
    mp_dtype dtype;
    MP_TRY(mp_rule_sum_dtype(call, &dtype));
    return like_x(call, dtype);
}

/* cummax, cummin */
mp_status mp_infer_cumulate_extremum(mp_call *call) {
    return like_x(call, (mp_dtype)call->in[0]->dtype);
}

/* y_0 = b_0, y_i = a_i y_{i-1} + b_i along the axis; a and b are floating and of one shape. */
mp_status mp_infer_recurrence(mp_call *call) {
    const mp_array *a = call->in[0], *b = call->in[1];
    mp_dtype dtype;
    MP_TRY(mp_rule_want_float(a, "a"));
    MP_TRY(mp_rule_want_float(b, "b"));
    MP_TRY(mp_rule_want_shape(b, "b", a->ndim, a->shape));
    MP_TRY(mp_promote((mp_dtype)a->dtype, (mp_dtype)b->dtype, &dtype));
    return like_x(call, dtype);
}

/* ---- pieces of gradient rules ---- */

/* `count` elements of the axis, from `start` on in steps of 1 or -1; a view. */
static mp_array *part(mp_chain *c, mp_array *x, int axis, int64_t start, int64_t step,
                      int64_t count) {
    if (!x) return NULL;
    mp_attrs attrs = mp_attrs_new();
    int64_t *starts = attrs.ints, *steps = starts + x->ndim, *extents = steps + x->ndim;
    attrs.n_ints = (uint8_t)(3 * x->ndim);
    for (int i = 0; i < x->ndim; i++) {
        starts[i] = i == axis ? start : 0;
        steps[i] = i == axis ? step : 1;
        extents[i] = i == axis ? count : x->shape[i];
    }
    return mp_chain1(c, MP_OP_slice, x, &attrs);
}

mp_array *mp_rule_flip(mp_chain *c, mp_array *x, int axis) {
    if (!x || x->shape[axis] <= 1) return x;
    return part(c, x, axis, x->shape[axis] - 1, -1, x->shape[axis]);
}

/* x moved `by` places on (back where it is negative), with `fill` where nothing came. */
static mp_array *shift(mp_chain *c, mp_array *x, int axis, int by, double fill) {
    if (!x || x->shape[axis] == 0) return x;
    mp_attrs attrs = mp_attrs_new();
    attrs.n_ints = (uint8_t)(2 * x->ndim);
    memset(attrs.ints, 0, (size_t)attrs.n_ints * sizeof *attrs.ints);
    attrs.ints[2 * axis + (by < 0)] = 1;
    attrs.value = fill;
    return mp_chain1(c, MP_OP_pad, part(c, x, axis, by < 0, 1, x->shape[axis] - 1), &attrs);
}

static mp_array *scan(mp_chain *c, mp_op op, mp_array *x, int axis) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = axis;
    return mp_chain1(c, op, x, &attrs);
}

mp_array *mp_rule_cumprod_before(mp_chain *c, mp_array *x, int axis) {
    return shift(c, scan(c, MP_OP_cumprod, x, axis), axis, 1, 1);
}

/* r_i = gy_i + a_{i+1} r_{i+1}: what comes back to place i of y_i = a_i y_{i-1} + b_i. */
static mp_array *backwards(mp_chain *c, mp_array *a, mp_array *gy, int axis) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = axis;
    a = mp_rule_flip(c, shift(c, a, axis, -1, 0), axis);
    mp_array *r = mp_chain2(c, MP_OP_recurrence, a, mp_rule_flip(c, gy, axis), &attrs);
    return mp_rule_flip(c, r, axis);
}

/* ---- gradients ---- */

/* gx_i = gy_i + gy_{i+1} + ... */
mp_status mp_vjp_cumsum(mp_backward *b) {
    int axis = (int)b->attrs->axis;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = mp_rule_flip(&c, mp_chain_wide(&c, b->gy[0]), axis);
    mp_chain_give(&c, 0, mp_rule_flip(&c, scan(&c, MP_OP_cumsum, gy, axis), axis));
    return mp_chain_end(&c);
}

/* gx_i = x_0 ... x_{i-1} (gy_i + x_{i+1} (gy_{i+1} + ...)): no quotient, so that zeros do no harm.
 */
mp_status mp_vjp_cumprod(mp_backward *b) {
    int axis = (int)b->attrs->axis;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = mp_chain_wide(&c, b->gy[0]);
    mp_array *x = mp_chain_cast(&c, b->in[0], (mp_dtype)(gy ? gy->dtype : b->in[0]->dtype));
    mp_array *after = backwards(&c, x, gy, axis), *before = mp_rule_cumprod_before(&c, x, axis);
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, before, after, NULL));
    return mp_chain_end(&c);
}

/* gb = r, ga_i = y_{i-1} r_i */
mp_status mp_vjp_recurrence(mp_backward *b) {
    int axis = (int)b->attrs->axis;
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *r = backwards(&c, b->in[0], mp_chain_wide(&c, b->gy[0]), axis);
    mp_chain_give(&c, 1, r);
    if (b->need[0]) {
        mp_array *before = shift(&c, b->out[0], axis, 1, 0);
        mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, before, r, NULL));
    }
    return mp_chain_end(&c);
}

/* Where y became another, x won: an extremum's gradients go to the place where it was first met. */
mp_status mp_vjp_cumulate_extremum(mp_backward *b) {
    int axis = (int)b->attrs->axis;
    const mp_spec *x = &b->in_spec[0];
    int64_t n = x->shape[axis];
    mp_chain c;
    mp_chain_begin(&c, b);
    if (n <= 1) {
        mp_chain_give(&c, 0, b->gy[0]);
        return mp_chain_end(&c);
    }
    mp_array *y = b->out[0];
    mp_array *won = mp_chain2(&c, MP_OP_not_equal, part(&c, y, axis, 1, 1, n - 1),
                              part(&c, y, axis, 0, 1, n - 1), NULL);
    mp_attrs attrs = mp_attrs_new();
    attrs.dtype = MP_INT64;
    attrs.device = b->device;
    attrs.start = attrs.step = 1;
    attrs.n_ints = (uint8_t)(x->ndim - axis);
    for (int i = axis; i < x->ndim; i++) attrs.ints[i - axis] = i == axis ? n - 1 : 1;
    mp_array *places = mp_chain_call(&c, MP_OP_arange, 0, NULL, &attrs);
    places = mp_chain2(&c, MP_OP_mul, won, places, NULL);
    attrs = mp_attrs_new();
    attrs.n_ints = (uint8_t)(2 * x->ndim);
    memset(attrs.ints, 0, (size_t)attrs.n_ints * sizeof *attrs.ints);
    attrs.ints[2 * axis] = 1;
    attrs.value = 0;
    places = scan(&c, MP_OP_cummax, mp_chain1(&c, MP_OP_pad, places, &attrs), axis);
    attrs = mp_attrs_new();
    attrs.axis = axis;
    attrs.count = n;
    attrs.dtype = b->grad_dtype[0];
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_take_along_axis_bwd, b->gy[0], places, &attrs));
    return mp_chain_end(&c);
}
