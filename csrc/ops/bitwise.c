/* Rules of the ops on bits: integers and bools go in and come out. */
#include "rules.h"

static mp_status want_bits(const mp_array *a, const char *name) {
    if (!mp_is_float((mp_dtype)a->dtype)) return MP_OK;
    return mp_fail(MP_ERR_TYPE, "%s is %s, an integer dtype or bool is wanted", name,
                   mp_dtypes[a->dtype].name);
}

/* x1, x2 -> their promoted dtype, which no float must be (that of uint64 and int64 is). */
mp_status mp_infer_bitwise(mp_call *call) {
    MP_TRY(want_bits(call->in[0], "x1"));
    MP_TRY(want_bits(call->in[1], "x2"));
    MP_TRY(mp_infer_binary(call));
    if (!mp_is_float((mp_dtype)call->spec[0].dtype)) return MP_OK;
    return mp_fail(MP_ERR_TYPE, "%s and %s have no common integer dtype",
                   mp_dtypes[call->in[0]->dtype].name, mp_dtypes[call->in[1]->dtype].name);
}

/* As bitwise; bools are shifted as int8. */
mp_status mp_infer_shift(mp_call *call) {
    MP_TRY(mp_infer_bitwise(call));
    if (call->spec[0].dtype == MP_BOOL) call->spec[0].dtype = MP_INT8;
    return MP_OK;
}

/* y has x's dtype. */
mp_status mp_infer_invert(mp_call *call) {
    MP_TRY(want_bits(call->in[0], "x"));
    return mp_infer_unary(call);
}
