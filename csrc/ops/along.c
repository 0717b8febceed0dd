/* Rules of taking elements along an axis, each line of x by its own indices. Whether an index is in
 * range is the kernels' to see. */
#include "rules.h"

/* MP_ERR_VALUE unless the indices have a's shape but for the axis. */
static mp_status check_shapes(const mp_array *a, const char *name, const mp_array *indices,
                              int64_t axis) {
    MP_TRY(mp_rule_want_integer(indices, "indices"));
    bool fits = a->ndim == indices->ndim;
    for (int i = 0; fits && i < a->ndim; i++) fits = i == axis || a->shape[i] == indices->shape[i];
    if (fits) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "indices have shape %s, %s has %s: they may differ at axis %lld",
                   mp_shape_text(indices->ndim, indices->shape), name,
                   mp_shape_text(a->ndim, a->shape), (long long)axis);
}

/* y has the indices' shape. */
mp_status mp_infer_take_along_axis(mp_call *call) {
    const mp_array *x = call->in[0], *indices = call->in[1];
    MP_TRY(mp_rule_axis(&call->attrs.axis, x->ndim));
    MP_TRY(check_shapes(x, "x", indices, call->attrs.axis));
    mp_rule_spec(call, 0, (mp_dtype)x->dtype, indices->ndim, indices->shape);
    call->work = 2.0 * (double)indices->size;
    return MP_OK;
}

mp_status mp_vjp_take_along_axis(mp_backward *b) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    attrs.count = b->in_spec[0].shape[attrs.axis];
    attrs.dtype = b->grad_dtype[0];
    return mp_op2(MP_OP_take_along_axis_bwd, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}

/* The sums of gy by index, along the axis, whose extent becomes `count`. */
mp_status mp_infer_take_along_axis_bwd(mp_call *call) {
    const mp_array *gy = call->in[0], *indices = call->in[1];
    MP_TRY(mp_rule_want_float(gy, "gy"));
    MP_TRY(mp_rule_axis(&call->attrs.axis, gy->ndim));
    MP_TRY(mp_rule_want_integer(indices, "indices"));
    MP_TRY(mp_rule_want_shape(indices, "indices", gy->ndim, gy->shape));
    mp_dtype dtype =
        call->attrs.dtype == MP_NO_DTYPE ? (mp_dtype)gy->dtype : (mp_dtype)call->attrs.dtype;
    if (!mp_is_float(dtype))
        return mp_fail(MP_ERR_TYPE, "dtype is %s, a floating one is wanted", mp_dtypes[dtype].name);
    int64_t shape[MP_MAX_DIMS], total;
    memcpy(shape, gy->shape, sizeof shape);
    shape[call->attrs.axis] = call->attrs.count;
    MP_TRY(mp_rule_count(gy->ndim, shape, &total));
    mp_rule_spec(call, 0, dtype, gy->ndim, shape);
    call->work = (double)total + 3.0 * (double)gy->size;
    return MP_OK;
}

mp_status mp_vjp_take_along_axis_bwd(mp_backward *b) {
    if (!b->need[0]) return MP_OK;
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    return mp_op2(MP_OP_take_along_axis, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}
