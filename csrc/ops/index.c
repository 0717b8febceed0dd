/* Rules of lookups by integer arrays. Whether an index is in range is the kernels' to see. */
#include <string.h>

#include "rules.h"

/* Output 0: x's shape with `axis` replaced by the shape of the indices. */
static mp_status replace_axis(mp_call *call, const mp_array *x, const mp_array *indices, int axis,
                              mp_dtype dtype) {
    int64_t shape[2 * MP_MAX_DIMS], count;
    int n = axis, rest = x->ndim - axis - 1;
    MP_TRY(mp_rule_want_integer(indices, "indices"));
    memcpy(shape, x->shape, (size_t)axis * sizeof *shape);
    memcpy(shape + n, indices->shape, (size_t)indices->ndim * sizeof *shape);
    n += indices->ndim;
    memcpy(shape + n, x->shape + axis + 1, (size_t)rest * sizeof *shape);
    n += rest;
    MP_TRY(mp_rule_count(n, shape, &count));
    mp_rule_spec(call, 0, dtype, n, shape);
    return MP_OK;
}

/* Output 0 of a backward op: gy's shape, in which the axes of the indices, from `axis` on, are one
 * of extent `count`. */
static mp_status restore_axis(mp_call *call, const mp_array *gy, const mp_array *indices,
                              int64_t axis) {
    int64_t shape[MP_MAX_DIMS + 1], count = call->attrs.count, total;
    int rest = gy->ndim - indices->ndim - (int)axis;
    MP_TRY(mp_rule_want_float(gy, "gy"));
    MP_TRY(mp_rule_want_integer(indices, "indices"));
    if (rest < 0 || memcmp(gy->shape + axis, indices->shape, (size_t)indices->ndim * sizeof *shape))
        return mp_fail(MP_ERR_VALUE,
                       "gy of shape %s does not have the indices' %s from axis %lld on",
                       mp_shape_text(gy->ndim, gy->shape),
                       mp_shape_text(indices->ndim, indices->shape), (long long)axis);
    memcpy(shape, gy->shape, (size_t)axis * sizeof *shape);
    shape[axis] = count;
    memcpy(shape + axis + 1, gy->shape + axis + indices->ndim, (size_t)rest * sizeof *shape);
    MP_TRY(mp_rule_count((int)axis + 1 + rest, shape, &total));
    mp_dtype dtype =
        call->attrs.dtype == MP_NO_DTYPE ? (mp_dtype)gy->dtype : (mp_dtype)call->attrs.dtype;
    if (!mp_is_float(dtype))
        return mp_fail(MP_ERR_TYPE, "dtype is %s, a floating one is wanted", mp_dtypes[dtype].name);
    mp_rule_spec(call, 0, dtype, (int)axis + 1 + rest, shape);
    call->work = (double)total + 2.0 * (double)gy->size;
    return MP_OK;
}

/* ---- embedding ---- */

static mp_status check_padding(int64_t padding_idx, int64_t rows) {
    if (padding_idx >= -1 && padding_idx < rows) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "padding_idx is %lld, weight has %lld rows",
                   (long long)padding_idx, (long long)rows);
}

/* weight (rows, columns), indices of any shape -> a row of weight for each. padding_idx, -1 for
 * none, is the row that gets no gradient. */
mp_status mp_infer_embedding(mp_call *call) {
    const mp_array *weight = call->in[0];
    if (weight->ndim != 2)
        return mp_fail(MP_ERR_VALUE, "weight has %d dimensions, 2 are wanted", weight->ndim);
    MP_TRY(check_padding(call->attrs.padding_idx, weight->shape[0]));
    return replace_axis(call, weight, call->in[1], 0, (mp_dtype)weight->dtype);
}

mp_status mp_vjp_embedding(mp_backward *b) {
    mp_attrs attrs = mp_attrs_new();
    attrs.padding_idx = b->attrs->padding_idx;
    attrs.count = b->in_spec[0].shape[0];
    attrs.dtype = b->grad_dtype[0];
    return mp_op2(MP_OP_embedding_bwd, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}

/* gy (indices' shape, columns) -> sums of its rows by index, (count, columns). */
mp_status mp_infer_embedding_bwd(mp_call *call) {
    const mp_array *gy = call->in[0], *indices = call->in[1];
    if (gy->ndim != indices->ndim + 1)
        return mp_fail(MP_ERR_VALUE, "gy has %d dimensions, indices have %d", gy->ndim,
                       indices->ndim);
    MP_TRY(check_padding(call->attrs.padding_idx, call->attrs.count));
    return restore_axis(call, gy, indices, 0);
}

/* Rows of the padding index went nowhere, so nothing comes from them. */
mp_status mp_vjp_embedding_bwd(mp_backward *b) {
    if (!b->need[0]) return MP_OK;
    mp_attrs attrs = mp_attrs_new();
    attrs.padding_idx = b->attrs->padding_idx;
    if (attrs.padding_idx < 0)
        return mp_op2(MP_OP_embedding, b->gy[0], b->in[1], &attrs, &b->gx[0]);
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *rows = mp_chain2(&c, MP_OP_embedding, b->gy[0], b->in[1], &attrs);
    mp_spec number = {.dtype = MP_INT64}, mask = mp_spec_of(b->in[1]);
    mask.shape[mask.ndim++] = 1;
    mp_array *padding = mp_chain_full(&c, &number, (double)attrs.padding_idx);
    mp_array *counts = mp_chain2(&c, MP_OP_not_equal, b->in[1], padding, NULL);
    counts = mp_chain_reshape(&c, counts, mask.ndim, mask.shape);
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_mul, rows, counts, NULL));
    return mp_chain_end(&c);
}

/* ---- take ---- */

/* x's elements at the indices along `axis`, whose place the indices' shape takes. */
mp_status mp_infer_take(mp_call *call) {
    const mp_array *x = call->in[0];
    MP_TRY(mp_rule_axis(&call->attrs.axis, x->ndim));
    return replace_axis(call, x, call->in[1], (int)call->attrs.axis, (mp_dtype)x->dtype);
}

mp_status mp_vjp_take(mp_backward *b) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    attrs.count = b->in_spec[0].shape[attrs.axis];
    attrs.dtype = b->grad_dtype[0];
    return mp_op2(MP_OP_take_bwd, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}

/* The sums of gy by index, along `axis` of extent `count`. */
mp_status mp_infer_take_bwd(mp_call *call) {
    const mp_array *gy = call->in[0], *indices = call->in[1];
    if (gy->ndim < indices->ndim)
        return mp_fail(MP_ERR_VALUE, "gy has %d dimensions, indices have %d", gy->ndim,
                       indices->ndim);
    MP_TRY(mp_rule_axis(&call->attrs.axis, gy->ndim - indices->ndim + 1));
    return restore_axis(call, gy, indices, call->attrs.axis);
}

mp_status mp_vjp_take_bwd(mp_backward *b) {
    if (!b->need[0]) return MP_OK;
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    return mp_op2(MP_OP_take, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}
