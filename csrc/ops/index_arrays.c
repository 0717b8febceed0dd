/* Rules of indexing by arrays: index reads a selection, index_put replaces it, index_add adds to
 * it; nonzero makes positions of a mask. Whether an index is in range is the kernels' to see. */
#include "../index.h"

#include <string.h>

#include "rules.h"

/* ---- the selection ---- */

/* MP_ERR_VALUE unless the parts name axes of x in order, none twice. */
static mp_status check_parts(const mp_call *call, const mp_array *x, int n) {
    int n_ints, next = 0, indexed = 0;
    MP_TRY(mp_rule_ints(call, "axes", &n_ints));
    if (n < 1 || n_ints != 3 * n)
        return mp_fail(MP_ERR_VALUE, "axes has %d integers, %d index arrays want %d", n_ints, n,
                       3 * n);
    for (int k = 0; k < n; k++) {
        mp_index_part part = mp_index_part_of(&call->attrs, k);
        if (part.axis < next || part.span < 0 || part.axis + part.span > x->ndim)
            return mp_fail(MP_ERR_VALUE,
                           "axes name %d axes from %d on of an array of %d dimensions", part.span,
                           part.axis, x->ndim);
        next = part.axis + part.span;
        indexed += part.span;
    }
    if (call->attrs.axis < 0 || call->attrs.axis > x->ndim - indexed)
        return mp_fail(MP_ERR_VALUE, "axis is %lld, the selection has %d axes beside the arrays'",
                       (long long)call->attrs.axis, x->ndim - indexed);
    return MP_OK;
}

/* MP_ERR_INDEX names the first shape that does not broadcast to those before it. */
static mp_status check_broadcast(int n, mp_array *const *arrays) {
    int8_t ndim;
    int64_t shape[MP_MAX_DIMS];
    for (int k = 1; k < n; k++) {
        if (mp_broadcast(k + 1, arrays, &ndim, shape) == MP_OK) continue;
        for (int j = 0; j < k; j++) {
            mp_array *pair[2] = {arrays[j], arrays[k]};
            if (mp_broadcast(2, pair, &ndim, shape) != MP_OK)
                return mp_fail(MP_ERR_INDEX,
                               "index arrays of shapes %s and %s cannot be broadcast together",
                               mp_shape_text(pair[0]->ndim, pair[0]->shape),
                               mp_shape_text(pair[1]->ndim, pair[1]->shape));
        }
    }
    return MP_OK;
}

/* The selection that a call's arrays, in[first ...], make of in[0]. */
static mp_status select_of(mp_call *call, int first, mp_selection *s) {
    mp_array *x = call->in[0], **arrays = call->in + first;
    int n = call->n_in - first;
    MP_TRY(check_parts(call, x, n));
    for (int k = 0; k < n; k++) {
        MP_TRY(mp_rule_want_integer(arrays[k], "an index array"));
        mp_index_part part = mp_index_part_of(&call->attrs, k);
        if (arrays[k]->size > 0 && mp_index_extent(x, part) == 0)
            return mp_fail(MP_ERR_INDEX, "an index is out of range for axis %d of size 0",
                           part.label);
    }
    MP_TRY(check_broadcast(n, arrays));
    if (mp_select(x, n, arrays, &call->attrs, s)) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "the result has %d dimensions, at most %d are possible", s->ndim,
                   MP_MAX_DIMS);
}

/* x, arrays... -> the selection, a copy. */
mp_status mp_infer_index(mp_call *call) {
    mp_selection s;
    int64_t count;
    MP_TRY(select_of(call, 1, &s));
    MP_TRY(mp_rule_count(s.ndim, s.shape, &count));
    mp_rule_spec(call, 0, (mp_dtype)call->in[0]->dtype, s.ndim, s.shape);
    call->work = (double)s.count + 2.0 * (double)count;
    return MP_OK;
}

/* x, value, arrays... -> x with other elements at the selection, to which value broadcasts. */
mp_status mp_infer_index_write(mp_call *call) {
    mp_selection s;
    int64_t count;
    if (call->n_in < 3)
        return mp_fail(MP_ERR_TYPE, "x, value and index arrays are wanted, %d given", call->n_in);
    MP_TRY(select_of(call, 2, &s));
    MP_TRY(mp_rule_count(s.ndim, s.shape, &count));
    const mp_array *value = call->in[1];
    bool fits = value->ndim <= s.ndim;
    for (int d = 0; fits && d < value->ndim; d++) {
        int64_t extent = value->shape[d];
        fits = extent == 1 || extent == s.shape[s.ndim - value->ndim + d];
    }
    if (!fits)
        return mp_fail(MP_ERR_VALUE,
                       "a value of shape %s cannot be broadcast to the selection's %s",
                       mp_shape_text(value->ndim, value->shape), mp_shape_text(s.ndim, s.shape));
    mp_spec_take(&call->spec[0], call->in[0]);
    call->work = (double)s.count + 3.0 * (double)count;
    return MP_OK;
}

/* ---- gradients ---- */

/* Inputs of a row for `arrays`, which lie from in[first] on in b: lead... first, then they. */
static int inputs_of(const mp_backward *b, int first, int n_lead, mp_array **in) {
    int n = b->n_in - first;
    for (int k = 0; k < n; k++) in[n_lead + k] = b->in[first + k];
    return n_lead + n;
}

/* gy's selection. */
static mp_status selected(const mp_backward *b, mp_array **gx) {
    mp_array *in[2 + MP_MAX_DIMS] = {b->gy[0]};
    int n = inputs_of(b, 2, 1, in);
    return mp_op_call(MP_OP_index, n, in, b->attrs, gx);
}

/* One array along one axis is what take_bwd sums, with threads. */
static mp_status take_back(mp_backward *b, mp_index_part part) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = part.axis;
    attrs.count = b->in_spec[0].shape[part.axis];
    attrs.dtype = b->grad_dtype[0];
    return mp_op2(MP_OP_take_bwd, b->gy[0], b->in[1], &attrs, &b->gx[0]);
}

/* gx is zeros with gy added at the selection; narrow gradients are summed in float32. */
mp_status mp_vjp_index(mp_backward *b) {
    mp_index_part part = mp_index_part_of(b->attrs, 0);
    if (b->n_in == 2 && part.span == 1 && b->attrs->axis == part.axis) return take_back(b, part);
    mp_array *in[2 + MP_MAX_DIMS] = {NULL, b->gy[0]};
    mp_spec spec = b->in_spec[0];
    spec.dtype = (int8_t)(b->gy[0]->dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32);
    MP_TRY(mp_full(b->device, &spec, 0, &in[0]));
    int n = inputs_of(b, 1, 2, in);
    mp_attrs attrs = mp_rule_attrs(b->attrs);
    mp_status status = mp_op_call_into(MP_OP_index_add, n, in, &attrs, in[0]);
    if (status == MP_OK) b->gx[0] = in[0];
    else mp_array_unref(in[0]);
    return status;
}

/* gx is gy with zeros at the selection, gvalue is gy's selection. */
mp_status mp_vjp_index_put(mp_backward *b) {
    mp_attrs attrs = mp_rule_attrs(b->attrs);
    if (b->need[0]) {
        mp_array *in[2 + MP_MAX_DIMS] = {b->gy[0]};
        mp_spec number = {.dtype = b->gy[0]->dtype};
        int n = inputs_of(b, 2, 2, in);
        MP_TRY(mp_full(b->device, &number, 0, &in[1]));
        mp_status status = mp_op_call(MP_OP_index_put, n, in, &attrs, &b->gx[0]);
        mp_array_unref(in[1]);
        MP_TRY(status);
    }
    return b->need[1] ? selected(b, &b->gx[1]) : MP_OK;
}

/* gx is gy, gvalue is gy's selection. */
mp_status mp_vjp_index_add(mp_backward *b) {
    if (b->need[0]) b->gx[0] = mp_array_ref(b->gy[0]);
    return b->need[1] ? selected(b, &b->gx[1]) : MP_OK;
}

/* ---- nonzero ---- */

/* A mask -> the positions of its true elements in C order, of which the caller found `count`. */
mp_status mp_infer_nonzero(mp_call *call) {
    const mp_array *x = call->in[0];
    int64_t shape[1] = {call->attrs.count};
    if (x->dtype != MP_BOOL)
        return mp_fail(MP_ERR_TYPE, "x is %s, bool is wanted", mp_dtypes[x->dtype].name);
    if (shape[0] < 0 || shape[0] > x->size)
        return mp_fail(MP_ERR_VALUE, "count is %lld, x has %lld elements", (long long)shape[0],
                       (long long)x->size);
    mp_rule_spec(call, 0, MP_INT64, 1, shape);
    call->work = 0.2 * (double)x->size + (double)shape[0];
    return MP_OK;
}
