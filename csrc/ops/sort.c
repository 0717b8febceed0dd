/* Rules of sorting along an axis. */
#include "rules.h"

static mp_status along(mp_call *call, mp_dtype dtype) {
    const mp_array *x = call->in[0];
    MP_TRY(mp_rule_axis(&call->attrs.axis, x->ndim));
    mp_rule_spec(call, 0, dtype, x->ndim, x->shape);
    call->work = 20.0 * (double)x->size;
    return MP_OK;
}

mp_status mp_infer_sort(mp_call *call) { return along(call, (mp_dtype)call->in[0]->dtype); }

/* int64: which element comes to each place; equal ones stay in their order. */
mp_status mp_infer_argsort(mp_call *call) { return along(call, MP_INT64); }

/* Gradients go back to the places that the elements came from. */
mp_status mp_vjp_sort(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    attrs.descending = b->attrs->descending;
    mp_array *places = mp_chain1(&c, MP_OP_argsort, b->in[0], &attrs);
    attrs = mp_attrs_new();
    attrs.axis = b->attrs->axis;
    attrs.count = b->in_spec[0].shape[attrs.axis];
    attrs.dtype = b->grad_dtype[0];
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_take_along_axis_bwd, b->gy[0], places, &attrs));
    return mp_chain_end(&c);
}
