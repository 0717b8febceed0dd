/* What rules share: dtype promotion, checks with their error texts, and chains of ops for
 * gradients. */
#include "rules.h"

#include <string.h>

/* ---- dtypes ---- */

static int rank_of(mp_dtype dtype) {
    switch (mp_dtypes[dtype].kind) {
    case 'B': return 0;
    case 'F': return 2;
    default: return 1;
    }
}

mp_status mp_rule_promote(int n, mp_array *const *in, mp_dtype *out) {
    mp_dtype common = MP_NO_DTYPE;
    for (int weak = 0; weak < 2; weak++) {
        bool strong_found = common != MP_NO_DTYPE;
        for (int i = 0; i < n; i++) {
            if (!in[i] || in[i]->weak != (weak == 1)) continue;
            mp_dtype dtype = (mp_dtype)in[i]->dtype;
            if (strong_found && rank_of(dtype) <= rank_of(common)) continue;
            if (strong_found) dtype = mp_is_float(dtype) ? mp_default_float() : MP_INT64;
            if (common == MP_NO_DTYPE || strong_found) common = dtype;
            else if (common != dtype) MP_TRY(mp_promote(common, dtype, &common));
        }
    }
    *out = common;
    return MP_OK;
}

/* ---- checks ---- */

mp_status mp_rule_want_float(const mp_array *a, const char *name) {
    if (mp_is_float((mp_dtype)a->dtype)) return MP_OK;
    return mp_fail(MP_ERR_TYPE, "%s is %s, a floating dtype is wanted", name,
                   mp_dtypes[a->dtype].name);
}

mp_status mp_rule_want_integer(const mp_array *a, const char *name) {
    char kind = mp_dtypes[a->dtype].kind;
    if (kind == 'I' || kind == 'U') return MP_OK;
    return mp_fail(MP_ERR_TYPE, "%s is %s, an integer dtype is wanted", name,
                   mp_dtypes[a->dtype].name);
}

mp_status mp_rule_want_shape(const mp_array *a, const char *name, int ndim, const int64_t *shape) {
    if (a->ndim == ndim && !memcmp(a->shape, shape, (size_t)ndim * sizeof *shape)) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "%s has shape %s, %s is wanted", name,
                   mp_shape_text(a->ndim, a->shape), mp_shape_text(ndim, shape));
}

mp_status mp_rule_want_broadcast(const mp_array *a, const char *name, int ndim,
                                 const int64_t *shape) {
    bool fits = a->ndim <= ndim;
    for (int i = 0; fits && i < a->ndim; i++)
        fits = a->shape[i] == 1 || a->shape[i] == shape[ndim - a->ndim + i];
    if (fits) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "%s of shape %s cannot be broadcast to %s", name,
                   mp_shape_text(a->ndim, a->shape), mp_shape_text(ndim, shape));
}

mp_status mp_rule_sum_dtype(const mp_call *call, mp_dtype *dtype) {
    mp_dtype from = (mp_dtype)call->in[0]->dtype, to = (mp_dtype)call->attrs.dtype;
    if (to == MP_NO_DTYPE) {
        char kind = mp_dtypes[from].kind;
        to = kind == 'F' ? from : kind == 'U' ? MP_UINT64 : MP_INT64;
    } else if (mp_is_float(from) && !mp_is_float(to)) {
        return mp_fail(MP_ERR_TYPE, "a %s of %s in %s would lose its fractions", call->row->name,
                       mp_dtypes[from].name, mp_dtypes[to].name);
    }
    *dtype = to;
    return MP_OK;
}

mp_status mp_rule_axis(int64_t *axis, int ndim) {
    if (*axis < -ndim || *axis >= ndim)
        return mp_fail(MP_ERR_AXIS, "axis %lld is out of bounds for an array of %d dimensions",
                       (long long)*axis, ndim);
    if (*axis < 0) *axis += ndim;
    return MP_OK;
}

mp_status mp_rule_count(int ndim, const int64_t *shape, int64_t *count) {
    if (ndim > MP_MAX_DIMS)
        return mp_fail(MP_ERR_VALUE, "%d dimensions are asked for, at most %d are possible", ndim,
                       MP_MAX_DIMS);
    int64_t n = 1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return mp_fail(MP_ERR_VALUE, "shape %s has a negative extent",
                           mp_shape_text(ndim, shape));
        if (__builtin_mul_overflow(n, shape[i], &n))
            return mp_fail(MP_ERR_VALUE, "shape %s has more elements than 64 bits can count",
                           mp_shape_text(ndim, shape));
    }
    *count = n;
    return MP_OK;
}

mp_status mp_rule_ints(const mp_call *call, const char *name, int *n) {
    if (call->attrs.n_ints == MP_ALL) return mp_fail(MP_ERR_VALUE, "%s is missing", name);
    if (call->attrs.n_ints > MP_MAX_INTS)
        return mp_fail(MP_ERR_VALUE, "%s has %d integers, at most %d are possible", name,
                       call->attrs.n_ints, MP_MAX_INTS);
    *n = call->attrs.n_ints;
    return MP_OK;
}

void mp_rule_spec(mp_call *call, int k, mp_dtype dtype, int ndim, const int64_t *shape) {
    call->spec[k].dtype = (int8_t)dtype;
    call->spec[k].ndim = (int8_t)ndim;
    memcpy(call->spec[k].shape, shape, (size_t)ndim * sizeof *shape);
}

mp_status mp_rule_no_gradient(const mp_backward *b, int i, const char *name) {
    if (!b->need[i]) return MP_OK;
    return mp_fail(MP_ERR_NOT_IMPLEMENTED, "%s: no gradient rule for %s", b->row->name, name);
}

mp_status mp_rule_zero_gradient(mp_backward *b, int i) {
    if (!b->need[i]) return MP_OK;
    mp_spec spec = b->in_spec[i];
    spec.dtype = b->grad_dtype[i];
    return mp_full(b->device, &spec, 0, &b->gx[i]);
}

/* ---- chains ---- */

mp_status mp_chain_end(mp_chain *c) {
    for (int i = 0; i < c->n; i++) mp_array_unref(c->held[i]);
    return c->status;
}

void mp_chain_give(mp_chain *c, int i, mp_array *gx) {
    if (c->status == MP_OK && c->b->need[i]) c->b->gx[i] = mp_array_ref(gx);
}

/* Whether another step may run. */
static bool ready(mp_chain *c) {
    if (c->status == MP_OK && c->n == MP_CHAIN_MAX)
        c->status = mp_fail(MP_ERR_RUNTIME, "%s: its gradient rule takes more than %d steps",
                            c->b->row->name, MP_CHAIN_MAX);
    return c->status == MP_OK;
}

/* Takes what a step gave. */
static mp_array *hold(mp_chain *c, mp_status status, mp_array *y) {
    c->status = status;
    if (status != MP_OK) return NULL;
    c->held[c->n++] = y;
    return y;
}

mp_array *mp_chain_call(mp_chain *c, mp_op op, int n_in, mp_array *const *in,
                        const mp_attrs *attrs) {
    if (!ready(c)) return NULL;
    mp_array *out[MP_MAX_OUT] = {NULL};
    mp_status status = mp_op_call(op, n_in, in, attrs, out);
    return hold(c, status, out[0]);
}

mp_array *mp_chain1(mp_chain *c, mp_op op, mp_array *x, const mp_attrs *attrs) {
    return mp_chain_call(c, op, 1, &x, attrs);
}

mp_array *mp_chain2(mp_chain *c, mp_op op, mp_array *x1, mp_array *x2, const mp_attrs *attrs) {
    mp_array *in[2] = {x1, x2};
    return mp_chain_call(c, op, 2, in, attrs);
}

mp_array *mp_chain3(mp_chain *c, mp_op op, mp_array *x1, mp_array *x2, mp_array *x3,
                    const mp_attrs *attrs) {
    mp_array *in[3] = {x1, x2, x3};
    return mp_chain_call(c, op, 3, in, attrs);
}

mp_array *mp_chain_scalar(mp_chain *c, mp_op op, mp_array *x, double value) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_op_scalar(op, x, value, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_cast(mp_chain *c, mp_array *x, mp_dtype dtype) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_cast(x, dtype, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_wide(mp_chain *c, mp_array *x) {
    return x && mp_is_narrow((mp_dtype)x->dtype) ? mp_chain_cast(c, x, MP_FLOAT32) : x;
}

mp_array *mp_chain_reshape(mp_chain *c, mp_array *x, int ndim, const int64_t *shape) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_reshape(x, ndim, shape, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_expand(mp_chain *c, mp_array *x, int ndim, const int64_t *shape) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_expand(x, ndim, shape, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_transpose(mp_chain *c, mp_array *x) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_swap_last(x, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_full(mp_chain *c, const mp_spec *spec, double value) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_full(c->b->device, spec, value, &y);
    return hold(c, status, y);
}

mp_array *mp_chain_number(mp_chain *c, double value) {
    if (!ready(c)) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_array_scalar(MP_FLOAT32, value, &y);
    if (y) y->weak = true;
    return hold(c, status, y);
}

mp_array *mp_chain_sum(mp_chain *c, mp_array *x, int n_axes, const int64_t *axes) {
    if (c->status != MP_OK) return NULL;
    mp_attrs attrs = mp_attrs_new();
    attrs.keepdims = true;
    attrs.dtype = mp_is_narrow((mp_dtype)x->dtype) ? MP_FLOAT32
                  : x->dtype == MP_BOOL            ? MP_INT64
                                                   : x->dtype;
    attrs.n_ints = (uint8_t)n_axes;
    memcpy(attrs.ints, axes, (size_t)n_axes * sizeof *axes);
    return mp_chain1(c, MP_OP_sum, x, &attrs);
}
