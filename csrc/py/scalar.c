/* Operators on numbers: two 0-d arrays of the CPU, or one and a Python number. They give what the
 * op would give, to the bit, without calling it; what is unusual in any way is left to the op. */
#include <math.h>

#include "../division.h"
#include "py.h"

#include <numpy/arrayscalars.h>

/* What comes before the sum of two numbers would cost more than it if it were called. */
#define INLINE static inline __attribute__((always_inline))

/* A number as an operand. Narrow floats and float32 are exact in `real`. */
typedef struct operand {
    mp_dtype dtype; /* of an array */
    bool weak;      /* a Python number */
    bool floating;
    double real;
    int64_t whole;
} operand;

/* What an op does with two numbers, in the type that its kernel computes in; NULL: left to it. */
typedef struct arithmetic {
    float (*f32)(float a, float b);
    double (*f64)(double a, double b);
    bool (*i64)(int64_t a, int64_t b, int64_t *y); /* false: left to the kernel */
    bool bits;                                     /* takes bools as numbers of one bit */
} arithmetic;

#define ARITHMETIC(op, sign)                                                                       \
    static float op##_f32(float a, float b) { return a sign b; }                                   \
    static double op##_f64(double a, double b) { return a sign b; }                                \
    static bool op##_i64(int64_t a, int64_t b, int64_t *y) {                                       \
        *y = (int64_t)((uint64_t)a sign(uint64_t) b);                                              \
        return true;                                                                               \
    }
ARITHMETIC(add, +)
ARITHMETIC(sub, -)
ARITHMETIC(mul, *)
static float div_f32(float a, float b) { return a / b; }
static double div_f64(double a, double b) { return a / b; }

/* Powers as the kernel does them where the exponent is one number. */
static float pow_f32(float a, float b) {
    if (b == 2) return a * a;
    if (b == 1) return a;
    if (b == 3) return a * a * a;
    return b == 0.5f ? sqrtf(a) : b == -1 ? 1 / a : powf(a, b);
}
static double pow_f64(double a, double b) {
    if (b == 2) return a * a;
    if (b == 1) return a;
    if (b == 3) return a * a * a;
    return b == 0.5 ? sqrt(a) : b == -1 ? 1 / a : pow(a, b);
}
static bool pow_i64(int64_t a, int64_t b, int64_t *y) {
    if (b != 1 && b != 2) return false;
    *y = b == 1 ? a : (int64_t)((uint64_t)a * (uint64_t)a);
    return true;
}

/* Whole quotients and remainders as the kernel has them: integers by zero give 0. */
static bool floor_divide_i64(int64_t a, int64_t b, int64_t *y) {
    if (b == 0) *y = 0;
    else if (b == -1) *y = (int64_t)(0 - (uint64_t)a);
    else *y = a / b - (a % b != 0 && (a < 0) != (b < 0));
    return true;
}
static bool remainder_i64(int64_t a, int64_t b, int64_t *y) {
    int64_t rest = b == 0 || b == -1 ? 0 : a % b;
    *y = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    return true;
}
#define BITS(op, sign)                                                                             \
    static bool op##_i64(int64_t a, int64_t b, int64_t *y) {                                       \
        *y = a sign b;                                                                             \
        return true;                                                                               \
    }
BITS(bitwise_and, &)
BITS(bitwise_or, |)
BITS(bitwise_xor, ^)
static bool left_shift_i64(int64_t a, int64_t b, int64_t *y) {
    *y = (uint64_t)b < 64 ? (int64_t)((uint64_t)a << b) : 0;
    return true;
}
static bool right_shift_i64(int64_t a, int64_t b, int64_t *y) {
    *y = a >> ((uint64_t)b < 64 ? b : 63);
    return true;
}

static const arithmetic arithmetics[MP_OP_COUNT] = {
    [MP_OP_add] = {add_f32, add_f64, add_i64, false},
    [MP_OP_sub] = {sub_f32, sub_f64, sub_i64, false},
    [MP_OP_mul] = {mul_f32, mul_f64, mul_i64, false},
    [MP_OP_div] = {div_f32, div_f64, NULL, false},
    [MP_OP_pow] = {pow_f32, pow_f64, pow_i64, false},
    [MP_OP_floor_divide] = {mp_floor_divide_f32, mp_floor_divide_f64, floor_divide_i64, false},
    [MP_OP_remainder] = {mp_remainder_f32, mp_remainder_f64, remainder_i64, false},
    [MP_OP_bitwise_and] = {NULL, NULL, bitwise_and_i64, true},
    [MP_OP_bitwise_or] = {NULL, NULL, bitwise_or_i64, true},
    [MP_OP_bitwise_xor] = {NULL, NULL, bitwise_xor_i64, true},
    [MP_OP_bitwise_left_shift] = {NULL, NULL, left_shift_i64, false},
    [MP_OP_bitwise_right_shift] = {NULL, NULL, right_shift_i64, false},
};
/* ---- operands ---- */

INLINE bool read_array(const mp_array *a, operand *out) {
    if (a->ndim || a->weak || mp_array_device(a) != MP_CPU || !mp_py_is_plain(a)) return false;
    const void *data = a->storage->data;
    out->dtype = (mp_dtype)a->dtype;
    out->weak = false;
    out->floating = true;
    switch (a->dtype) {
    case MP_FLOAT32: out->real = ((const float *)data)[a->offset]; return true;
    case MP_FLOAT64: out->real = ((const double *)data)[a->offset]; return true;
    case MP_FLOAT16:
    case MP_BFLOAT16: out->real = mp_load_double(out->dtype, mp_data(a)); return true;
    case MP_INT64: out->whole = ((const int64_t *)data)[a->offset]; break;
    case MP_BOOL: out->whole = ((const uint8_t *)data)[a->offset] != 0; break;
    case MP_INT8:
    case MP_INT16:
    case MP_INT32:
    case MP_UINT8:
    case MP_UINT16:
    case MP_UINT32: out->whole = mp_load_int(out->dtype, mp_data(a)); break;
    default: return false;
    }
    out->floating = false;
    return true;
}

/* A NumPy scalar of a frequent dtype: not weak. */
static bool read_scalar(PyObject *object, operand *out) {
    out->weak = false;
    out->floating = true;
    if (PyArray_IsScalar(object, Double)) {
        out->dtype = MP_FLOAT64;
        out->real = PyArrayScalar_VAL(object, Double);
    } else if (PyArray_IsScalar(object, Float)) {
        out->dtype = MP_FLOAT32;
        out->real = PyArrayScalar_VAL(object, Float);
    } else {
        out->floating = false;
        if (PyArray_IsScalar(object, Long)) {
            out->dtype = MP_INT64;
            out->whole = PyArrayScalar_VAL(object, Long);
        } else if (PyArray_IsScalar(object, UInt)) {
            out->dtype = MP_UINT32;
            out->whole = PyArrayScalar_VAL(object, UInt);
        } else {
            return false;
        }
    }
    return true;
}

INLINE bool read_operand(PyObject *object, operand *out) {
    if (Py_TYPE(object) == mp_py->ndarray) return read_array(mp_py_array_of(object), out);
    out->weak = true;
    if (PyFloat_CheckExact(object)) {
        out->floating = true;
        out->real = PyFloat_AS_DOUBLE(object);
        return true;
    }
    if (!PyLong_CheckExact(object)) return read_scalar(object, out);
    int overflow;
    out->floating = false;
    out->whole = PyLong_AsLongAndOverflow(object, &overflow);
    return !overflow;
}

static double real_of(const operand *o) { return o->floating ? o->real : (double)o->whole; }
static float float_of(const operand *o) { return o->floating ? (float)o->real : (float)o->whole; }

/* A Python float beside anything but float64 is a float32. */
static void round_weak(operand *weak, const operand *strong) {
    bool wide = strong->floating ? strong->dtype == MP_FLOAT64 : mp_default_float() == MP_FLOAT64;
    if (weak->floating && !wide) weak->real = (float)weak->real;
}

/* Both operands, one of them an array at least, and the dtype that they promote to. */
INLINE bool read_pair(PyObject *left, PyObject *right, operand *a, operand *b, mp_dtype *common) {
    if (!read_operand(left, a) || !read_operand(right, b)) return false;
    if (!a->weak && !b->weak) {
        *common = a->dtype;
        if (a->dtype == MP_BOOL || b->dtype == MP_BOOL) return a->dtype == b->dtype;
        return a->dtype == b->dtype || mp_promote(a->dtype, b->dtype, common) == MP_OK;
    }
    const operand *strong = a->weak ? b : a;
    if (strong->weak || strong->dtype == MP_BOOL) return false;
    operand *weak = a->weak ? a : b;
    round_weak(weak, strong);
    *common = weak->floating && !strong->floating ? mp_default_float() : strong->dtype;
    return true;
}

/* ---- results ---- */

/* Without memory the op is left to fail. */
static PyObject *new_value(mp_dtype dtype, void **at) {
    PyObject *y = mp_py_new_value(dtype, at);
    if (!y) PyErr_Clear();
    return y;
}

static PyObject *new_real(mp_dtype dtype, double value) {
    void *at;
    PyObject *y = new_value(dtype, &at);
    if (!y) return NULL;
    if (dtype == MP_FLOAT32) *(float *)at = (float)value;
    else if (dtype == MP_FLOAT64) *(double *)at = value;
    else mp_store_double(dtype, at, value);
    return y;
}

/* Wrapped to the dtype. */
static PyObject *new_whole(mp_dtype dtype, int64_t value) {
    void *at;
    PyObject *y = new_value(dtype, &at);
    if (!y) return NULL;
    if (dtype == MP_INT64) *(int64_t *)at = value;
    else mp_store_int(dtype, at, value);
    return y;
}

/* A Python integer beside a dtype that does not hold it is the op's error. */
static bool fits(const operand *weak, mp_dtype dtype) {
    if (!weak->weak || weak->floating || dtype == MP_INT64 || mp_is_float(dtype)) return true;
    int bits = mp_dtypes[dtype].bits;
    if (mp_dtypes[dtype].kind == 'U') return weak->whole >= 0 && weak->whole >> bits == 0;
    return weak->whole >> (bits - 1) == (weak->whole < 0 ? -1 : 0);
}

static PyObject *compute(const arithmetic *op, const operand *a, const operand *b, mp_dtype dtype) {
    int64_t whole;
    if (dtype == MP_BOOL) {
        if (!op->bits) return NULL;
        op->i64(a->whole, b->whole, &whole);
        return Py_NewRef(mp_py->truths[whole]);
    }
    if (!a->floating && !b->floating) {
        if (op->i64) {
            bool here = fits(a, dtype) && fits(b, dtype) && op->i64(a->whole, b->whole, &whole);
            return here ? new_whole(dtype, whole) : NULL;
        }
        return new_real(mp_default_float(), op->f64((double)a->whole, (double)b->whole));
    }
    if (!op->f64) return NULL;
    if (dtype == MP_FLOAT64) return new_real(dtype, op->f64(real_of(a), real_of(b)));
    return new_real(dtype, op->f32(float_of(a), float_of(b)));
}

#define RELATE(type, kind)                                                                         \
    INLINE bool relate_##kind(int relation, type a, type b) {                                      \
        switch (relation) {                                                                        \
        case Py_LT: return a < b;                                                                  \
        case Py_LE: return a <= b;                                                                 \
        case Py_EQ: return a == b;                                                                 \
        case Py_NE: return a != b;                                                                 \
        case Py_GT: return a > b;                                                                  \
        default: return a >= b;                                                                    \
        }                                                                                          \
    }
RELATE(double, real) /* float32 compares as it does in float64 */
RELATE(int64_t, whole)

/* Whether two objects are numbers of one dtype in memory that can be read as it is. Neither the
 * graph nor autocast matters to a comparison of them. */
INLINE bool are_alike(PyObject *left, PyObject *right) {
    if (Py_TYPE(left) != mp_py->ndarray || Py_TYPE(right) != mp_py->ndarray) return false;
    const mp_array *a = mp_py_array_of(left), *b = mp_py_array_of(right);
    const mp_storage *s = a->storage, *t = b->storage;
    return a->dtype == b->dtype && !(a->ndim | b->ndim) && !a->base && !b->base &&
           s->device == MP_CPU && t->device == MP_CPU && !s->pending && !t->pending;
}

PyObject *mp_py_direct_compare(PyObject *left, PyObject *right, int relation) {
    operand a, b;
    mp_dtype dtype;
    bool y;
    if (are_alike(left, right)) {
        const mp_array *l = mp_py_array_of(left), *r = mp_py_array_of(right);
        const void *x = l->storage->data, *z = r->storage->data;
        if (l->dtype == MP_FLOAT32) {
            y = relate_real(relation, ((const float *)x)[l->offset], ((const float *)z)[r->offset]);
            return Py_NewRef(mp_py->truths[y]);
        }
        if (l->dtype == MP_INT64) {
            y = relate_whole(relation, ((const int64_t *)x)[l->offset],
                             ((const int64_t *)z)[r->offset]);
            return Py_NewRef(mp_py->truths[y]);
        }
    }
    if (!read_pair(left, right, &a, &b, &dtype)) return NULL;
    if (!a.floating && !b.floating) y = relate_whole(relation, a.whole, b.whole);
    else if (a.floating && b.floating) y = relate_real(relation, a.real, b.real);
    else if (dtype == MP_FLOAT64 || (a.floating ? a.weak : b.weak))
        y = relate_real(relation, real_of(&a), real_of(&b));
    else y = relate_real(relation, float_of(&a), float_of(&b)); /* integers become float32 */
    return Py_NewRef(mp_py->truths[y]);
}

PyObject *mp_py_direct_binary(mp_op op, PyObject *left, PyObject *right) {
    operand a, b;
    mp_dtype dtype;
    const arithmetic *arithmetic = &arithmetics[op];
    if (!arithmetic->f64 && !arithmetic->i64) return NULL;
    if (!read_pair(left, right, &a, &b, &dtype)) return NULL;
    if (op == MP_OP_pow && !a.floating && b.floating) return NULL; /* depends on the exponent */
    return compute(arithmetic, &a, &b, dtype);
}

/* One operand, an array; bools are left to the op. */
static bool read_one(PyObject *object, operand *a) {
    return read_operand(object, a) && !a->weak && a->dtype != MP_BOOL;
}

PyObject *mp_py_direct_negative(PyObject *object) {
    operand a;
    if (!read_one(object, &a)) return NULL;
    return a.floating ? new_real(a.dtype, -a.real)
                      : new_whole(a.dtype, (int64_t)(0 - (uint64_t)a.whole));
}

PyObject *mp_py_direct_absolute(PyObject *object) {
    operand a;
    if (!read_one(object, &a)) return NULL;
    if (a.floating) return new_real(a.dtype, fabs(a.real));
    return new_whole(a.dtype, a.whole < 0 ? (int64_t)(0 - (uint64_t)a.whole) : a.whole);
}

int mp_py_direct_truth(PyObject *object) {
    const mp_array *a = mp_py_array_of(object);
    if (a->ndim || mp_array_device(a) != MP_CPU || a->storage->pending) return -1;
    const char *at = (const char *)a->storage->data;
    switch (a->dtype) {
    case MP_FLOAT32: return ((const float *)at)[a->offset] != 0;
    case MP_FLOAT64: return ((const double *)at)[a->offset] != 0;
    case MP_INT64: return ((const int64_t *)at)[a->offset] != 0;
    case MP_BOOL: return at[a->offset] != 0;
    default: return -1;
    }
}

/* ---- the two results of comparisons ---- */

/* They are shared by everybody, and therefore read-only. */
int mp_py_scalar_init(void) {
    for (int y = 0; y < 2; y++) {
        void *at;
        PyObject *truth = mp_py_new_value(MP_BOOL, &at);
        if (!truth) return -1;
        *(uint8_t *)at = (uint8_t)y;
        mp_py_array_of(truth)->storage->read_only = true;
        mp_py->truths[y] = truth;
    }
    return 0;
}
