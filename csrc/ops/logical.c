/* Rules of tests: any dtype goes in, bool comes out. Those of two inputs are comparisons. */
#include "rules.h"

mp_status mp_infer_test(mp_call *call) {
    mp_spec_take(&call->spec[0], call->in[0]);
    call->spec[0].dtype = MP_BOOL;
    return MP_OK;
}
