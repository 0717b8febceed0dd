/* Rules of functions: of one input beyond those that activations need, of two, and of rounding.
 * Gradients are chains of ops; where a formula's parts overflow though the whole does not, they are
 * put otherwise. */
#include "rules.h"

/* x1, x2 -> their promoted dtype; integers give the default float. */
mp_status mp_infer_float_binary(mp_call *call) {
    MP_TRY(mp_infer_divide(call));
    call->work = 4.0 * (double)mp_spec_size(&call->spec[0]);
    return MP_OK;
}

/* As unary; booleans have no sign to leave. */
mp_status mp_infer_positive(mp_call *call) {
    if (call->in[0]->dtype == MP_BOOL)
        return mp_fail(MP_ERR_TYPE, "bool has no sign; use copy or astype");
    return mp_infer_unary(call);
}

/* ---- one input ---- */

static mp_array *times(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_mul, x1, x2, NULL);
}
static mp_array *over(mp_chain *c, mp_array *x1, mp_array *x2) {
    return mp_chain2(c, MP_OP_div, x1, x2, NULL);
}
static mp_array *square(mp_chain *c, mp_array *x) { return times(c, x, x); }
/* a x + b */
static mp_array *affine(mp_chain *c, mp_array *x, double a, double b) {
    if (a != 1) x = mp_chain_scalar(c, MP_OP_mul, x, a);
    return mp_chain_scalar(c, MP_OP_add, x, b);
}
/* (1 - x) (1 + x), which is 1 - x^2 without its cancellation */
static mp_array *one_less_square(mp_chain *c, mp_array *x) {
    return times(c, affine(c, x, -1, 1), affine(c, x, 1, 1));
}

/* mp_vjp_<op>: the gradient of input 0 is `formula` of gy and x, the kept input or output. */
#define GRADIENT(op, kept, formula)                                                                \
    mp_status mp_vjp_##op(mp_backward *b) {                                                        \
        mp_chain c_, *c = &c_;                                                                     \
        mp_chain_begin(c, b);                                                                      \
        mp_array *gy = mp_chain_wide(c, b->gy[0]), *x = mp_chain_wide(c, b->kept[0]);              \
        mp_chain_give(c, 0, formula);                                                              \
        return mp_chain_end(c);                                                                    \
    }

#define LN_2 0.69314718055994530942
#define LN_10 2.30258509299404568402
#define ERF_SLOPE 1.12837916709551257390 /* 2 / sqrt(pi) */

GRADIENT(sin, in, times(c, gy, mp_chain1(c, MP_OP_cos, x, NULL)))
GRADIENT(cos, in, times(c, gy, mp_chain1(c, MP_OP_neg, mp_chain1(c, MP_OP_sin, x, NULL), NULL)))
GRADIENT(tan, out, times(c, gy, affine(c, square(c, x), 1, 1)))
GRADIENT(asin, in, times(c, gy, mp_chain1(c, MP_OP_rsqrt, one_less_square(c, x), NULL)))
GRADIENT(acos, in,
         mp_chain1(c, MP_OP_neg,
                   times(c, gy, mp_chain1(c, MP_OP_rsqrt, one_less_square(c, x), NULL)), NULL))
GRADIENT(atan, in, over(c, gy, affine(c, square(c, x), 1, 1)))
GRADIENT(sinh, in, times(c, gy, mp_chain1(c, MP_OP_cosh, x, NULL)))
GRADIENT(cosh, in, times(c, gy, mp_chain1(c, MP_OP_sinh, x, NULL)))
/* hypot(x, 1) is the root of x^2 + 1 that does not overflow */
GRADIENT(asinh, in, over(c, gy, mp_chain2(c, MP_OP_hypot, x, mp_chain_number(c, 1), NULL)))
GRADIENT(acosh, in,
         over(c, gy,
              times(c, mp_chain1(c, MP_OP_sqrt, affine(c, x, 1, -1), NULL),
                    mp_chain1(c, MP_OP_sqrt, affine(c, x, 1, 1), NULL))))
GRADIENT(atanh, in, over(c, gy, one_less_square(c, x)))
GRADIENT(exp2, out, times(c, gy, mp_chain_scalar(c, MP_OP_mul, x, LN_2)))
GRADIENT(expm1, out, times(c, gy, affine(c, x, 1, 1)))
GRADIENT(log1p, in, over(c, gy, affine(c, x, 1, 1)))
GRADIENT(log2, in, over(c, gy, mp_chain_scalar(c, MP_OP_mul, x, LN_2)))
GRADIENT(log10, in, over(c, gy, mp_chain_scalar(c, MP_OP_mul, x, LN_10)))
/* gy / (3 y^2) */
GRADIENT(cbrt, out, over(c, over(c, mp_chain_scalar(c, MP_OP_mul, gy, 1.0 / 3), x), x))
GRADIENT(erf, in,
         times(c, mp_chain_scalar(c, MP_OP_mul, gy, ERF_SLOPE),
               mp_chain1(c, MP_OP_exp, mp_chain1(c, MP_OP_neg, square(c, x), NULL), NULL)))

/* Steps. */
mp_status mp_vjp_floor(mp_backward *b) { return mp_rule_zero_gradient(b, 0); }
mp_status mp_vjp_ceil(mp_backward *b) { return mp_rule_zero_gradient(b, 0); }
mp_status mp_vjp_trunc(mp_backward *b) { return mp_rule_zero_gradient(b, 0); }
mp_status mp_vjp_round(mp_backward *b) { return mp_rule_zero_gradient(b, 0); }

mp_status mp_vjp_positive(mp_backward *b) {
    b->gx[0] = mp_array_ref(b->gy[0]);
    return MP_OK;
}

/* ---- two inputs ---- */

/* Both inputs in the accumulator's dtype, whatever they are. */
static void both_wide(mp_chain *c, mp_array **x1, mp_array **x2) {
    mp_dtype wide = mp_rule_accumulator(c->b->gy[0]);
    *x1 = mp_chain_cast(c, c->b->in[0], wide);
    *x2 = mp_chain_cast(c, c->b->in[1], wide);
}

/* With h = hypot(x1, x2): gx1 = gy x2 / h^2, gx2 = -gy x1 / h^2; 0 at the origin. */
mp_status mp_vjp_atan2(mp_backward *b) {
    mp_chain c;
    mp_array *x1, *x2;
    mp_chain_begin(&c, b);
    both_wide(&c, &x1, &x2);
    mp_array *h = mp_chain2(&c, MP_OP_hypot, x1, x2, NULL);
    mp_array *origin = mp_chain2(&c, MP_OP_equal, h, mp_chain_number(&c, 0), NULL);
    h = mp_chain3(&c, MP_OP_where, origin, mp_chain_number(&c, 1), h, NULL);
    mp_array *part = over(&c, mp_chain_wide(&c, b->gy[0]), h);
    if (b->need[0]) mp_chain_give(&c, 0, times(&c, part, over(&c, x2, h)));
    if (b->need[1])
        mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_neg, times(&c, part, over(&c, x1, h)), NULL));
    return mp_chain_end(&c);
}

/* gx = gy x / y; 0 at the origin */
mp_status mp_vjp_hypot(mp_backward *b) {
    mp_chain c;
    mp_array *x[2];
    mp_chain_begin(&c, b);
    both_wide(&c, &x[0], &x[1]);
    mp_array *y = mp_chain_wide(&c, b->out[0]);
    mp_array *origin = mp_chain2(&c, MP_OP_equal, y, mp_chain_number(&c, 0), NULL);
    y = mp_chain3(&c, MP_OP_where, origin, mp_chain_number(&c, 1), y, NULL);
    for (int i = 0; i < 2; i++)
        if (b->need[i]) mp_chain_give(&c, i, times(&c, b->gy[0], over(&c, x[i], y)));
    return mp_chain_end(&c);
}

/* gx1 = gy, or -gy where the sign was changed; 0 where x1 is. x2 only lends its sign. */
mp_status mp_vjp_copysign(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    if (b->need[0]) {
        mp_array *x1 = mp_chain_cast(&c, b->in[0], (mp_dtype)b->out_spec[0].dtype);
        mp_array *changed = times(&c, mp_chain1(&c, MP_OP_sign, x1, NULL),
                                  mp_chain1(&c, MP_OP_sign, b->out[0], NULL));
        mp_chain_give(&c, 0, times(&c, b->gy[0], changed));
    }
    MP_TRY(mp_chain_end(&c));
    return mp_rule_zero_gradient(b, 1);
}

/* gx1 = gy sigmoid(x1 - x2), gx2 = gy sigmoid(x2 - x1) */
mp_status mp_vjp_logaddexp(mp_backward *b) {
    mp_chain c;
    mp_array *x[2];
    mp_chain_begin(&c, b);
    both_wide(&c, &x[0], &x[1]);
    for (int i = 0; i < 2; i++) {
        if (!b->need[i]) continue;
        mp_array *ahead = mp_chain2(&c, MP_OP_sub, x[i], x[1 - i], NULL);
        mp_chain_give(&c, i, times(&c, b->gy[0], mp_chain1(&c, MP_OP_sigmoid, ahead, NULL)));
    }
    return mp_chain_end(&c);
}

/* As maximum's and minimum's, but an input that alone is NaN loses: the gradient goes to the chosen
 * input, halves where they are equal. `loses` compares an input with the other. */
static mp_status choose_number(mp_backward *b, mp_op loses) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *zero = mp_chain_number(&c, 0), *nan[2], *number[2];
    for (int i = 0; i < 2; i++) {
        nan[i] = mp_chain1(&c, MP_OP_isnan, b->in[i], NULL);
        number[i] = mp_chain1(&c, MP_OP_logical_not, nan[i], NULL);
    }
    mp_array *tie = mp_chain2(&c, MP_OP_equal, b->in[0], b->in[1], NULL);
    mp_array *half = mp_chain_scalar(&c, MP_OP_mul, b->gy[0], 0.5);
    mp_array *shared = mp_chain3(&c, MP_OP_where, tie, half, b->gy[0], NULL);
    for (int i = 0; i < 2; i++) {
        if (!b->need[i]) continue;
        mp_array *beaten = mp_chain2(&c, loses, b->in[i], b->in[1 - i], NULL);
        mp_array *absent = mp_chain2(&c, MP_OP_logical_and, nan[i], number[1 - i], NULL);
        mp_array *lost = mp_chain2(&c, MP_OP_logical_or, beaten, absent, NULL);
        mp_chain_give(&c, i, mp_chain3(&c, MP_OP_where, lost, zero, shared, NULL));
    }
    return mp_chain_end(&c);
}

mp_status mp_vjp_fmax(mp_backward *b) { return choose_number(b, MP_OP_less); }
mp_status mp_vjp_fmin(mp_backward *b) { return choose_number(b, MP_OP_greater); }
