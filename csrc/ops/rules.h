/* What ops.def names: an infer rule and a gradient rule per row, and the helpers they share
 * (rules.c). Rules check shapes and dtypes and call ops; they name no device and read no element.
 */
#ifndef MP_RULES_H
#define MP_RULES_H

#include <string.h>

#include "../mp.h"

/* Prototypes of every rule that the table names. A rule named twice is declared twice, which C
 * allows. */
#define MP_OP(op, inputs, outputs, attrs, mixprec, torch, torch_cuda, infer, vjp, keep, flags)     \
    mp_status mp_infer_##infer(mp_call *call);                                                     \
    mp_status mp_vjp_##vjp(mp_backward *b);
#include "../ops.def"
#undef MP_OP

/* ---- checks and specs ---- */

/* The dtype that n inputs (NULL: absent) promote to; weak ones count only if of a higher kind than
 * all others. */
mp_status mp_rule_promote(int n, mp_array *const *in, mp_dtype *out);
/* float32, or float64 where x is: what statistics and gradients of norm weights are kept in. */
static inline mp_dtype mp_rule_accumulator(const mp_array *x) {
    return x->dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32;
}
/* MP_ERR_TYPE unless `a` is floating; `name` is what the text calls it. */
mp_status mp_rule_want_float(const mp_array *a, const char *name);
mp_status mp_rule_want_integer(const mp_array *a, const char *name);
/* MP_ERR_VALUE unless `a` has the shape. */
mp_status mp_rule_want_shape(const mp_array *a, const char *name, int ndim, const int64_t *shape);
/* MP_ERR_VALUE unless `a` broadcasts to the shape. */
mp_status mp_rule_want_broadcast(const mp_array *a, const char *name, int ndim,
                                 const int64_t *shape);
/* The dtype of sums and products of x, attrs.dtype where it is given: else booleans and integers in
 * 64 bits. Floating x gives a floating dtype. */
mp_status mp_rule_sum_dtype(const mp_call *call, mp_dtype *dtype);
/* *axis in [-ndim, ndim) made non-negative. */
mp_status mp_rule_axis(int64_t *axis, int ndim);
/* The number of elements of a shape; MP_ERR_VALUE for a negative extent, too many dimensions or
 * elements. */
mp_status mp_rule_count(int ndim, const int64_t *shape, int64_t *count);
/* The n integers of the call's list attribute `name`; MP_ERR_VALUE if None was given. */
mp_status mp_rule_ints(const mp_call *call, const char *name, int *n);
/* A copy of a node's attributes, which has only the integers in use. */
static inline mp_attrs mp_rule_attrs(const mp_attrs *attrs) {
    mp_attrs copy = mp_attrs_new();
    size_t ints = attrs->n_ints == MP_ALL ? 0 : attrs->n_ints;
    memcpy(&copy, attrs, offsetof(mp_attrs, ints) + ints * sizeof *attrs->ints);
    return copy;
}
/* Output k: a shape and a dtype. */
void mp_rule_spec(mp_call *call, int k, mp_dtype dtype, int ndim, const int64_t *shape);

/* ---- gradients as chains of ops ---- */

/* A chain owns what its ops give and remembers the first failure: after one every step does nothing
 * and gives NULL. Arrays it gives are borrowed from it; mp_chain_give keeps one as a gradient. */
enum { MP_CHAIN_MAX = 48 };
typedef struct mp_chain {
    mp_backward *b;
    mp_status status;
    int n;
    mp_array *held[MP_CHAIN_MAX];
} mp_chain;

static inline void mp_chain_begin(mp_chain *c, mp_backward *b) {
    c->b = b;
    c->status = MP_OK;
    c->n = 0;
}
/* Drops what the chain holds. */
mp_status mp_chain_end(mp_chain *c);
/* The gradient of input i, if it is wanted. */
void mp_chain_give(mp_chain *c, int i, mp_array *gx);

mp_array *mp_chain_call(mp_chain *c, mp_op op, int n_in, mp_array *const *in,
                        const mp_attrs *attrs);
mp_array *mp_chain1(mp_chain *c, mp_op op, mp_array *x, const mp_attrs *attrs);
mp_array *mp_chain2(mp_chain *c, mp_op op, mp_array *x1, mp_array *x2, const mp_attrs *attrs);
mp_array *mp_chain3(mp_chain *c, mp_op op, mp_array *x1, mp_array *x2, mp_array *x3,
                    const mp_attrs *attrs);
mp_array *mp_chain_scalar(mp_chain *c, mp_op op, mp_array *x, double value);
mp_array *mp_chain_cast(mp_chain *c, mp_array *x, mp_dtype dtype);
/* x, or x in float32 if it is narrow. */
mp_array *mp_chain_wide(mp_chain *c, mp_array *x);
mp_array *mp_chain_reshape(mp_chain *c, mp_array *x, int ndim, const int64_t *shape);
mp_array *mp_chain_expand(mp_chain *c, mp_array *x, int ndim, const int64_t *shape);
/* x with its last two axes exchanged, a view. */
mp_array *mp_chain_transpose(mp_chain *c, mp_array *x);
mp_array *mp_chain_full(mp_chain *c, const mp_spec *spec, double value);
/* A number that takes part in promotion as a Python float does. */
mp_array *mp_chain_number(mp_chain *c, double value);
/* A sum over some axes, which stay with extent 1; narrow x gives float32, bool int64. */
mp_array *mp_chain_sum(mp_chain *c, mp_array *x, int n_axes, const int64_t *axes);

/* Pieces of gradient rules along one axis, in scan.c: x backwards, a view; the product of the
 * elements before each. */
mp_array *mp_rule_flip(mp_chain *c, mp_array *x, int axis);
mp_array *mp_rule_cumprod_before(mp_chain *c, mp_array *x, int axis);

/* MP_ERR_NOT_IMPLEMENTED if the gradient of input i is wanted: for inputs without a rule. */
mp_status mp_rule_no_gradient(const mp_backward *b, int i, const char *name);
/* Zeros for input i, if its gradient is wanted: for steps, whose slope is 0 wherever there is one.
 */
mp_status mp_rule_zero_gradient(mp_backward *b, int i);

#endif
