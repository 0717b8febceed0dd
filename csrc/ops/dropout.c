/* Rules of dropout. The mask is a function of seed and offset, so that backward draws it again and
 * keeps nothing. */
#include "rules.h"

/* Elements of x are 0 with probability p, else divided by 1 - p. */
mp_status mp_infer_dropout(mp_call *call) {
    mp_array *x = call->in[0];
    MP_TRY(mp_rule_want_float(x, "x"));
    if (!(call->attrs.p >= 0 && call->attrs.p <= 1))
        return mp_fail(MP_ERR_VALUE, "p is %g, a probability between 0 and 1 is wanted",
                       call->attrs.p);
    mp_spec_take(&call->spec[0], x);
    call->work = 4.0 * (double)x->size;
    return MP_OK;
}

mp_status mp_vjp_dropout(mp_backward *b) {
    return mp_op1(MP_OP_dropout, b->gy[0], b->attrs, &b->gx[0]);
}
