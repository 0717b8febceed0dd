/* pow: powers to one number as NumPy does them, integers by squaring, float32 by way of double. */
#include <float.h>
#include <math.h>

#include "pointwise.h"
#include "vmath_wide.h"

static inline uint64_t integer_power(uint64_t base, uint64_t exponent) {
    uint64_t y = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) y *= base;
    return y;
}

/* float32 by way of double in a loop that is vectorised, where all of a row is positive and finite;
 * else by the C library. */
MP_ROW_FN(pow_plain, float, float, float, mp_fpow_plain(A, B))
MP_ROW_FN(pow_any, float, float, float, powf(A, B))
static void pow_f32(int64_t n, void *y, const void *pa, const void *pb, const void *c,
                    const mp_attrs *attrs) {
    const float *a = pa, *b = pb;
    uint32_t plain = 1;
    for (int64_t i = 0; i < n; i++)
        plain &= (uint32_t)((a[i] > 0) & (a[i] <= FLT_MAX) & (fabsf(b[i]) <= FLT_MAX));
    (plain ? pow_plain : pow_any)(n, y, a, b, c, attrs);
}
MP_ROW_FN(pow_f64, double, double, double, pow(A, B))
MP_ROW_FN(pow_u64, uint64_t, uint64_t, uint64_t, integer_power(A, B))
static const mp_pointwise pow_op = {
    .f32 = pow_f32, .f64 = pow_f64, .i64 = pow_u64, .u64 = pow_u64, .grain = MP_GRAIN_LIBM};

/* Powers to one number, as NumPy does them. */
MP_ROW_FN(square_f32, float, float, float, (A) * (A))
MP_ROW_FN(square_f64, double, double, double, (A) * (A))
MP_ROW_FN(square_u64, uint64_t, uint64_t, uint64_t, (A) * (A))
static const mp_pointwise square_op = {.f32 = square_f32,
                                       .f64 = square_f64,
                                       .i64 = square_u64,
                                       .u64 = square_u64,
                                       .grain = MP_GRAIN_LIGHT};
MP_ROW_FN(cube_f32, float, float, float, (A) * (A) * (A))
MP_ROW_FN(cube_f64, double, double, double, (A) * (A) * (A))
static const mp_pointwise cube_op = {.f32 = cube_f32, .f64 = cube_f64, .grain = MP_GRAIN_LIGHT};
/* unlike sqrt, the power of -0 is 0 and that of -inf is inf */
MP_ROW_FN(root_f32, float, float, float, A == -INFINITY ? INFINITY : sqrtf(A + 0.0f))
MP_ROW_FN(root_f64, double, double, double, A == -INFINITY ? INFINITY : sqrt(A + 0.0))
static const mp_pointwise root_op = {.f32 = root_f32, .f64 = root_f64, .grain = MP_GRAIN_LIGHT};
MP_ROW_FN(inverse_f32, float, float, float, 1 / A)
MP_ROW_FN(inverse_f64, double, double, double, 1 / A)
static const mp_pointwise inverse_op = {
    .f32 = inverse_f32, .f64 = inverse_f64, .grain = MP_GRAIN_LIGHT};
MP_ROW_FN(same_f32, float, float, float, A)
MP_ROW_FN(same_f64, double, double, double, A)
MP_ROW_FN(same_u64, uint64_t, uint64_t, uint64_t, A)
static const mp_pointwise same_op = {
    .f32 = same_f32, .f64 = same_f64, .i64 = same_u64, .u64 = same_u64, .grain = MP_GRAIN_LIGHT};

/* The cheaper op for an exponent that is one number, or pow_op. */
static const mp_pointwise *power_op(const mp_call *call) {
    const mp_array *exponent = call->in[1];
    if (exponent->size != 1) return &pow_op;
    double value = mp_load_double((mp_dtype)exponent->dtype, mp_data(exponent));
    if (value == 2) return &square_op;
    if (value == 1) return &same_op;
    if (!mp_is_float((mp_dtype)call->out[0]->dtype)) return &pow_op;
    if (value == 3) return &cube_op;
    return value == 0.5 ? &root_op : value == -1 ? &inverse_op : &pow_op;
}

typedef struct search {
    mp_dtype dtype;
    bool found;
} search;

static void find_negative(void *ctx, int64_t n, char *const *ptr, const int64_t *stride) {
    search *s = ctx;
    int64_t room[256];
    MP_LOAD_I64(s->dtype)(room, ptr[0], stride[0], n);
    for (int64_t i = 0; i < n; i++) s->found |= room[i] < 0;
}

/* x1 ^ x2; an integer to a negative integer power is refused, as NumPy does. */
MP_KERNEL(pow) {
    mp_array *exponent = call->in[1];
    bool whole =
        !mp_is_float((mp_dtype)call->in[0]->dtype) && !mp_is_float((mp_dtype)call->out[0]->dtype);
    if (whole && mp_dtypes[exponent->dtype].kind == 'I') {
        search s = {.dtype = (mp_dtype)exponent->dtype};
        mp_iter it;
        mp_iter_init(&it, 1, &exponent, exponent->ndim, exponent->shape);
        mp_iter_run(&it, 0, it.size, 256, find_negative, &s);
        if (s.found && call->out[0]->size > 0)
            return mp_fail(MP_ERR_VALUE, "integers to negative integer powers are not allowed");
    }
    const mp_pointwise *op = power_op(call);
    return mp_pointwise_run(call, op, op == &pow_op ? 2 : 1);
}
