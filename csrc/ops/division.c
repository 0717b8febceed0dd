/* Rules of whole quotients and remainders. */
#include "rules.h"

/* x1, x2 -> their promoted dtype; bools give int8, as NumPy's do. */
mp_status mp_infer_divide_whole(mp_call *call) {
    MP_TRY(mp_infer_binary(call));
    if (call->spec[0].dtype == MP_BOOL) call->spec[0].dtype = MP_INT8;
    call->work = 4.0 * (double)mp_spec_size(&call->spec[0]);
    return MP_OK;
}

/* Steps: flat wherever there is a slope. */
mp_status mp_vjp_floor_divide(mp_backward *b) {
    for (int i = 0; i < 2; i++) MP_TRY(mp_rule_zero_gradient(b, i));
    return MP_OK;
}

/* y = x1 - x2 q with q whole: gx1 = gy, gx2 = -gy q. */
static mp_status rest_gradient(mp_backward *b, mp_op whole, bool divided) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_chain_give(&c, 0, b->gy[0]);
    if (b->need[1]) {
        mp_array *x1 = mp_chain_cast(&c, b->in[0], (mp_dtype)b->out_spec[0].dtype);
        mp_array *q = divided ? mp_chain2(&c, MP_OP_div, x1, b->in[1], NULL)
                              : mp_chain2(&c, whole, x1, b->in[1], NULL);
        if (divided) q = mp_chain1(&c, whole, q, NULL);
        mp_array *product = mp_chain2(&c, MP_OP_mul, b->gy[0], q, NULL);
        mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_neg, product, NULL));
    }
    return mp_chain_end(&c);
}

mp_status mp_vjp_remainder(mp_backward *b) { return rest_gradient(b, MP_OP_floor_divide, false); }
mp_status mp_vjp_fmod(mp_backward *b) { return rest_gradient(b, MP_OP_trunc, true); }
