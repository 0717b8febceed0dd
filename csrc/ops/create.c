/* Rules of the ops that make arrays from nothing. Nothing here has a gradient; op.c takes the
 * device from the attributes. */
#include "rules.h"

/* Output 0 of the call's shape and dtype, or of `usual` if none is given. */
static mp_status create(mp_call *call, mp_dtype usual) {
    mp_attrs *attrs = &call->attrs;
    int ndim;
    int64_t count;
    MP_TRY(mp_rule_ints(call, "shape", &ndim));
    MP_TRY(mp_rule_count(ndim, attrs->ints, &count));
    if (attrs->dtype == MP_NO_DTYPE) attrs->dtype = (int8_t)usual;
    mp_rule_spec(call, 0, (mp_dtype)attrs->dtype, ndim, attrs->ints);
    return MP_OK;
}

/* full, arange: any dtype, the default float if none is given. */
mp_status mp_infer_create(mp_call *call) { return create(call, mp_default_float()); }

/* random_uniform, random_normal: floating dtypes. */
mp_status mp_infer_create_float(mp_call *call) {
    MP_TRY(create(call, mp_default_float()));
    call->work = 8.0 * (double)mp_spec_size(&call->spec[0]);
    if (mp_is_float((mp_dtype)call->spec[0].dtype)) return MP_OK;
    return mp_fail(MP_ERR_TYPE, "dtype is %s, a floating one is wanted",
                   mp_dtypes[call->spec[0].dtype].name);
}

/* MP_ERR_TYPE unless output 0 is integer, MP_ERR_VALUE unless low and last fit in it. */
static mp_status check_range(const mp_call *call, int64_t low, int64_t last) {
    const mp_dtype_row *row = &mp_dtypes[call->spec[0].dtype];
    if (row->kind != 'I' && row->kind != 'U')
        return mp_fail(MP_ERR_TYPE, "dtype is %s, an integer one is wanted", row->name);
    bool is_signed = row->kind == 'I';
    int value_bits = row->bits - is_signed;
    int64_t most = value_bits >= 63 ? INT64_MAX : ((int64_t)1 << value_bits) - 1,
            least = is_signed ? -most - 1 : 0;
    if (low >= least && last <= most) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "%lld to %lld does not fit in %s", (long long)low, (long long)last,
                   row->name);
}

/* Integers in [low, high), int64 if no dtype is given. */
mp_status mp_infer_random_integers(mp_call *call) {
    int64_t low = call->attrs.low_int, high = call->attrs.high_int;
    MP_TRY(create(call, MP_INT64));
    call->work = 8.0 * (double)mp_spec_size(&call->spec[0]);
    if (low >= high)
        return mp_fail(MP_ERR_VALUE, "low is %lld, high is %lld: low must be less", (long long)low,
                       (long long)high);
    return check_range(call, low, high - 1);
}

/* The integers 0 ... n - 1 in random order, for shape (n,); int64 if no dtype is given. */
mp_status mp_infer_random_permutation(mp_call *call) {
    MP_TRY(create(call, MP_INT64));
    const mp_spec *spec = &call->spec[0];
    call->work = 12.0 * (double)mp_spec_size(spec);
    if (spec->ndim != 1)
        return mp_fail(MP_ERR_VALUE, "shape %s has not one dimension",
                       mp_shape_text(spec->ndim, spec->shape));
    return check_range(call, 0, spec->shape[0] - 1 > 0 ? spec->shape[0] - 1 : 0);
}
