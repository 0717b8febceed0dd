/* Rules of the matrix products. Gradients are products too, of transposed views, written straight
 * in the dtype that the gradient is wanted in. */
#include <string.h>

#include "rules.h"

enum { FLOP_PER_NS = 30 };

/* The result's dtype: what the operands promote to, or the attribute. */
static mp_status result_dtype(mp_call *call, mp_dtype *dtype) {
    MP_TRY(mp_rule_promote(2, call->in, dtype));
    if (call->attrs.dtype == MP_NO_DTYPE) return MP_OK;
    mp_dtype asked = (mp_dtype)call->attrs.dtype;
    if (mp_is_float(*dtype) && !mp_is_float(asked))
        return mp_fail(MP_ERR_TYPE, "dtype is %s, the product of %s and %s is floating",
                       mp_dtypes[asked].name, mp_dtypes[call->in[0]->dtype].name,
                       mp_dtypes[call->in[1]->dtype].name);
    *dtype = asked;
    return MP_OK;
}

/* ---- matmul ---- */

/* What the leading axes of a and b, all but the last two, broadcast to. */
static mp_status broadcast_batch(const mp_array *a, const mp_array *b, int *ndim, int64_t *shape) {
    int na = a->ndim > 2 ? a->ndim - 2 : 0, nb = b->ndim > 2 ? b->ndim - 2 : 0,
        n = na > nb ? na : nb;
    for (int i = 0; i < n; i++) {
        int64_t from_a = i < n - na ? 1 : a->shape[i - (n - na)],
                from_b = i < n - nb ? 1 : b->shape[i - (n - nb)];
        if (from_a != from_b && from_a != 1 && from_b != 1)
            return mp_fail(MP_ERR_VALUE,
                           "the leading axes of a, %s, and b, %s, cannot be broadcast together",
                           mp_shape_text(a->ndim, a->shape), mp_shape_text(b->ndim, b->shape));
        shape[i] = from_a == 1 ? from_b : from_a;
    }
    *ndim = n;
    return MP_OK;
}

/* a (..., M, K) or (K,), b (..., K, N) or (K,): the product over K, leading axes broadcast, without
 * M or N where an operand has one dimension. */
mp_status mp_infer_matmul(mp_call *call) {
    const mp_array *a = call->in[0], *b = call->in[1];
    mp_dtype dtype;
    int64_t shape[MP_MAX_DIMS];
    int ndim = 0;
    if (a->ndim == 0 || b->ndim == 0)
        return mp_fail(MP_ERR_VALUE, "%s has 0 dimensions, at least 1 is wanted",
                       a->ndim ? "b" : "a");
    int64_t k = a->shape[a->ndim - 1], rows = b->shape[b->ndim > 1 ? b->ndim - 2 : 0];
    if (k != rows)
        return mp_fail(MP_ERR_VALUE, "a has %lld %s, b has %lld %s", (long long)k,
                       a->ndim > 1 ? "columns" : "elements", (long long)rows,
                       b->ndim > 1 ? "rows" : "elements");
    MP_TRY(result_dtype(call, &dtype));
    MP_TRY(broadcast_batch(a, b, &ndim, shape));
    if (a->ndim > 1) shape[ndim++] = a->shape[a->ndim - 2];
    if (b->ndim > 1) shape[ndim++] = b->shape[b->ndim - 1];
    double flops = 2.0 * (double)k;
    for (int i = 0; i < ndim; i++) flops *= (double)shape[i];
    call->work = flops / FLOP_PER_NS;
    mp_rule_spec(call, 0, dtype, ndim, shape);
    return MP_OK;
}

/* The operands of a gradient as matrices: a (..., M, K), b (..., K, N), gy (..., M, N); NULL where
 * not kept. */
typedef struct matrices {
    mp_array *a, *b, *gy;
} matrices;

static matrices as_matrices(mp_chain *c) {
    const mp_backward *b = c->b;
    const mp_spec *a_spec = &b->in_spec[0], *b_spec = &b->in_spec[1], *y_spec = &b->out_spec[0];
    matrices m = {b->in[0], b->in[1], b->gy[0]};
    if (a_spec->ndim > 1 && b_spec->ndim > 1) return m;
    int64_t k = a_spec->shape[a_spec->ndim - 1], row[2] = {1, k}, column[2] = {k, 1},
            shape[MP_MAX_DIMS + 2];
    int n_batch = y_spec->ndim - (a_spec->ndim > 1) - (b_spec->ndim > 1), ndim = n_batch;
    memcpy(shape, y_spec->shape, (size_t)n_batch * sizeof *shape);
    shape[ndim++] = a_spec->ndim > 1 ? a_spec->shape[a_spec->ndim - 2] : 1;
    shape[ndim++] = b_spec->ndim > 1 ? b_spec->shape[b_spec->ndim - 1] : 1;
    if (m.a && a_spec->ndim == 1) m.a = mp_chain_reshape(c, m.a, 2, row);
    if (m.b && b_spec->ndim == 1) m.b = mp_chain_reshape(c, m.b, 2, column);
    m.gy = mp_chain_reshape(c, m.gy, ndim, shape);
    return m;
}

/* x as (rows, its last extent). */
static mp_array *collapse(mp_chain *c, mp_array *x) {
    if (!x || x->ndim == 2) return x;
    int64_t columns = x->shape[x->ndim - 1], rows = 1;
    for (int i = 0; i < x->ndim - 1; i++) rows *= x->shape[i];
    int64_t shape[2] = {rows, columns};
    return mp_chain_reshape(c, x, 2, shape);
}

/* The product as the gradient of input i: in the dtype that is wanted, unless broadcast axes are
 * still to be summed. */
static mp_array *product(mp_chain *c, int i, mp_array *a, mp_array *b) {
    if (c->status != MP_OK) return NULL;
    mp_attrs attrs = mp_attrs_new();
    attrs.dtype = c->b->grad_dtype[i];
    int batch = a->ndim > b->ndim ? a->ndim : b->ndim;
    if (batch > 2 && mp_is_narrow((mp_dtype)attrs.dtype)) {
        int64_t count = 1, wanted = mp_spec_size(&c->b->in_spec[i]);
        const mp_spec *y = &c->b->out_spec[0];
        int matrix_dims = (c->b->in_spec[0].ndim > 1) + (c->b->in_spec[1].ndim > 1);
        for (int d = 0; d < y->ndim - matrix_dims; d++) count *= y->shape[d];
        if (count * a->shape[a->ndim - 2] * b->shape[b->ndim - 1] != wanted)
            attrs.dtype = MP_FLOAT32;
    }
    return mp_chain2(c, MP_OP_matmul, a, b, &attrs);
}

/* ga = gy b^T, gb = a^T gy. Where b has no leading axes, both are one product over all rows of a.
 */
mp_status mp_vjp_matmul(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    matrices m = as_matrices(&c);
    bool flat = b->in_spec[1].ndim <= 2;
    mp_array *gy = flat ? collapse(&c, m.gy) : m.gy;
    if (b->need[0]) {
        mp_array *ga = product(&c, 0, gy, mp_chain_transpose(&c, m.b));
        if (flat) ga = mp_chain_reshape(&c, ga, b->in_spec[0].ndim, b->in_spec[0].shape);
        mp_chain_give(&c, 0, ga);
    }
    if (b->need[1]) {
        mp_array *gb = product(&c, 1, mp_chain_transpose(&c, flat ? collapse(&c, m.a) : m.a), gy);
        if (b->in_spec[1].ndim == 1) gb = mp_chain_reshape(&c, gb, 1, b->in_spec[1].shape);
        mp_chain_give(&c, 1, gb);
    }
    return mp_chain_end(&c);
}

/* ---- linear ---- */

/* x (..., K), weight (N, K), bias (N,) or absent -> x weight^T + bias, (..., N). */
mp_status mp_infer_linear(mp_call *call) {
    const mp_array *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    mp_dtype dtype;
    if (x->ndim == 0) return mp_fail(MP_ERR_VALUE, "x has 0 dimensions, at least 1 is wanted");
    if (weight->ndim != 2)
        return mp_fail(MP_ERR_VALUE, "weight has %d dimensions, 2 are wanted", weight->ndim);
    int64_t k = x->shape[x->ndim - 1], n = weight->shape[0];
    if (k != weight->shape[1])
        return mp_fail(MP_ERR_VALUE, "x has %lld columns, weight has %lld", (long long)k,
                       (long long)weight->shape[1]);
    if (bias && (bias->ndim != 1 || bias->shape[0] != n))
        return mp_fail(MP_ERR_VALUE, "bias has shape %s, weight has %lld rows",
                       mp_shape_text(bias->ndim, bias->shape), (long long)n);
    if (bias) MP_TRY(mp_rule_want_float(bias, "bias"));
    MP_TRY(result_dtype(call, &dtype));
    if (!mp_is_float(dtype))
        return mp_fail(MP_ERR_TYPE, "x is %s and weight %s, a floating dtype is wanted",
                       mp_dtypes[x->dtype].name, mp_dtypes[weight->dtype].name);
    mp_rule_spec(call, 0, dtype, x->ndim, x->shape);
    call->spec[0].shape[x->ndim - 1] = n;
    call->work = 2.0 * (double)x->size * (double)n / FLOP_PER_NS;
    return MP_OK;
}

/* x, weight, bias -> y = gelu(z), and hidden z = linear(x, weight, bias). */
mp_status mp_infer_linear_gelu(mp_call *call) {
    MP_TRY(mp_infer_linear(call));
    call->spec[1] = call->spec[0];
    call->work += 5.0 * (double)mp_spec_size(&call->spec[0]);
    return MP_OK;
}

/* gy and z of one shape, floating -> gz in z's dtype, and its sum over all axes but the last. */
mp_status mp_infer_linear_gelu_bwd(mp_call *call) {
    const mp_array *gy = call->in[0], *z = call->in[1];
    MP_TRY(mp_rule_want_float(gy, "gy"));
    MP_TRY(mp_rule_want_float(z, "z"));
    MP_TRY(mp_rule_want_shape(gy, "gy", z->ndim, z->shape));
    if (z->ndim == 0) return mp_fail(MP_ERR_VALUE, "z has 0 dimensions, at least 1 is wanted");
    mp_spec_take(&call->spec[0], z);
    mp_rule_spec(call, 1, mp_rule_accumulator(z), 1, z->shape + z->ndim - 1);
    call->work = 6.0 * (double)z->size;
    return MP_OK;
}

/* Gives the inputs of a linear their gradients: with the gradient at its result and x as matrices
 * of one row per element of the leading axes, gx = gy weight, gw = gy^T x, gb = the sum of gy's
 * rows, unless it is there already. */
static void give_linear(mp_chain *c, mp_array *at_result, mp_array *gbias) {
    mp_backward *b = c->b;
    const mp_spec *x = &b->in_spec[0];
    int64_t k = x->shape[x->ndim - 1], n = b->in_spec[1].shape[0], rows = 1;
    for (int i = 0; i < x->ndim - 1; i++) rows *= x->shape[i];
    int64_t flat_y[2] = {rows, n}, flat_x[2] = {rows, k};
    mp_array *gy = x->ndim == 2 ? at_result : mp_chain_reshape(c, at_result, 2, flat_y);
    if (b->need[0]) {
        mp_array *gx = product(c, 0, gy, b->in[1]);
        mp_chain_give(c, 0, x->ndim == 2 ? gx : mp_chain_reshape(c, gx, x->ndim, x->shape));
    }
    if (b->need[1]) {
        mp_array *flat = x->ndim == 2 ? b->in[0] : mp_chain_reshape(c, b->in[0], 2, flat_x);
        mp_chain_give(c, 1, product(c, 1, mp_chain_transpose(c, gy), flat));
    }
    if (gbias) {
        mp_chain_give(c, 2, gbias);
    } else if (b->need[2] && c->status == MP_OK) {
        mp_attrs attrs = mp_attrs_new();
        attrs.dtype = b->grad_dtype[2];
        attrs.n_ints = 1;
        attrs.ints[0] = 0;
        mp_chain_give(c, 2, mp_chain1(c, MP_OP_sum, gy, &attrs));
    }
}

mp_status mp_vjp_linear(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    give_linear(&c, b->gy[0], NULL);
    return mp_chain_end(&c);
}

/* gz = gy gelu'(z). Where it is to have gradients itself, z is made again: what is kept has no
 * place in the graph. */
mp_status mp_vjp_linear_gelu(mp_backward *b) {
    mp_array *gy = b->gy[0], *z = b->out[1], *pair[MP_MAX_OUT] = {NULL};
    mp_chain c;
    mp_chain_begin(&c, b);
    if (mp_grad_enabled() || !b->need[2]) {
        if (mp_grad_enabled())
            z = mp_chain3(&c, MP_OP_linear, b->in[0], b->in[1], b->in[2], b->attrs);
        pair[0] = mp_array_ref(mp_chain2(&c, MP_OP_gelu_bwd, gy, z, b->attrs));
    } else {
        mp_array *in[2] = {gy, z};
        c.status = mp_op_call(MP_OP_linear_gelu_bwd, 2, in, b->attrs, pair);
    }
    if (c.status == MP_OK) give_linear(&c, pair[0], pair[1]);
    for (int k = 0; k < 2; k++) mp_array_unref(pair[k]);
    return mp_chain_end(&c);
}
