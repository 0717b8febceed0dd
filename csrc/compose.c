/* Short forms of mp_op_call, for gradient rules and the tape, recorded like any other op. */
#include "mp.h"

#include <stdatomic.h>

mp_status mp_op1(mp_op op, mp_array *x, const mp_attrs *attrs, mp_array **y) {
    mp_array *out[MP_MAX_OUT];
    MP_TRY(mp_op_call(op, 1, &x, attrs, out));
    *y = out[0];
    return MP_OK;
}

mp_status mp_op2(mp_op op, mp_array *a, mp_array *b, const mp_attrs *attrs, mp_array **y) {
    mp_array *in[2] = {a, b}, *out[MP_MAX_OUT];
    MP_TRY(mp_op_call(op, 2, in, attrs, out));
    *y = out[0];
    return MP_OK;
}

mp_status mp_cast(mp_array *x, mp_dtype dtype, mp_array **y) {
    if (x->dtype == (int8_t)dtype) {
        *y = mp_array_ref(x);
        return MP_OK;
    }
    mp_attrs attrs = mp_attrs_new();
    attrs.dtype = (int8_t)dtype;
    return mp_op1(MP_OP_cast, x, &attrs, y);
}

/* Attributes whose one list is `n` integers. */
static mp_attrs with_ints(int n, const int64_t *ints) {
    mp_attrs attrs = mp_attrs_new();
    attrs.n_ints = (uint8_t)n;
    for (int i = 0; i < n; i++) attrs.ints[i] = ints[i];
    return attrs;
}

mp_status mp_reshape(mp_array *x, int ndim, const int64_t *shape, mp_array **y) {
    mp_attrs attrs = with_ints(ndim, shape);
    return mp_op1(MP_OP_reshape, x, &attrs, y);
}

mp_status mp_expand(mp_array *x, int ndim, const int64_t *shape, mp_array **y) {
    mp_attrs attrs = with_ints(ndim, shape);
    return mp_op1(MP_OP_expand, x, &attrs, y);
}

mp_status mp_swap_last(mp_array *x, mp_array **y) {
    int64_t perm[MP_MAX_DIMS];
    for (int i = 0; i < x->ndim; i++) perm[i] = i;
    perm[x->ndim - 1] = x->ndim - 2;
    perm[x->ndim - 2] = x->ndim - 1;
    mp_attrs attrs = with_ints(x->ndim, perm);
    return mp_op1(MP_OP_permute, x, &attrs, y);
}

mp_status mp_sum_to(mp_array *x, int ndim, const int64_t *shape, mp_array **y) {
    int64_t axes[MP_MAX_DIMS];
    int n = 0, extra = x->ndim - ndim;
    for (int i = 0; i < x->ndim; i++)
        if (i < extra || (shape[i - extra] == 1 && x->shape[i] != 1)) axes[n++] = i;
    if (n == 0) {
        *y = mp_array_ref(x);
        return MP_OK;
    }
    mp_attrs attrs = with_ints(n, axes);
    attrs.keepdims = true;
    attrs.dtype = x->dtype;
    mp_array *kept;
    MP_TRY(mp_op1(MP_OP_sum, x, &attrs, &kept));
    mp_status status = MP_OK;
    if (extra) {
        status = mp_reshape(kept, ndim, shape, y);
        mp_array_unref(kept);
    } else {
        *y = kept;
    }
    return status;
}

mp_status mp_op_scalar(mp_op op, mp_array *x, double value, mp_array **y) {
    mp_array *number;
    mp_dtype dtype = x->dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32;
    MP_TRY(mp_array_scalar(dtype, value, &number));
    number->weak = true;
    mp_status status = mp_op2(op, x, number, NULL, y);
    mp_array_unref(number);
    return status;
}

mp_status mp_full(mp_device device, const mp_spec *spec, double value, mp_array **y) {
    mp_attrs attrs = with_ints(spec->ndim, spec->shape);
    attrs.dtype = spec->dtype;
    attrs.device = device;
    attrs.value = value;
    mp_array *out[MP_MAX_OUT];
    MP_TRY(mp_op_call(MP_OP_full, 0, NULL, &attrs, out));
    *y = out[0];
    return MP_OK;
}

/* The factor was set for every element of the storage, all of a's dtype. */
mp_status mp_array_settle(mp_array *a) {
    mp_storage *s = a->storage;
    mp_array *factor = s->pending;
    if (!factor) return MP_OK;
    s->pending = NULL;
    int64_t size = (int64_t)(s->bytes / (size_t)mp_itemsize(a)), one = 1;
    mp_array *all;
    mp_status status = mp_array_over(s, (mp_dtype)a->dtype, 1, &size, &one, 0, &all);
    if (status == MP_OK) {
        bool grad, inference;
        mp_grad_mode_get(&grad, &inference);
        mp_grad_mode_set(false, inference);
        mp_array *in[2] = {all, factor};
        status = mp_op_call_into(MP_OP_mul, 2, in, NULL, all);
        mp_grad_mode_set(grad, inference);
        mp_array_unref(all);
    }
    mp_array_unref(factor);
    return status;
}
