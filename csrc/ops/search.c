/* Rules of searching what is sorted. */
#include "rules.h"

/* int64, of the values' shape: where each goes among the ascending elements of `sorted`, before
 * those equal to it or, if `right`, after them. */
mp_status mp_infer_searchsorted(mp_call *call) {
    const mp_array *sorted = call->in[0], *values = call->in[1];
    mp_dtype common;
    if (sorted->ndim != 1)
        return mp_fail(MP_ERR_VALUE, "the sorted array has %d dimensions, 1 is wanted",
                       sorted->ndim);
    MP_TRY(mp_promote((mp_dtype)sorted->dtype, (mp_dtype)values->dtype, &common));
    mp_rule_spec(call, 0, MP_INT64, values->ndim, values->shape);
    call->work = 20.0 * (double)values->size;
    return MP_OK;
}
