/* Operators: arithmetic, comparisons, conversions to Python numbers. Each is a row of the op table;
 * an operand that is not an array gets its chance through NotImplemented. */
#include "py.h"

#include <string.h>

/* ---- binary ---- */

/* Whether an object of a class that extends NumPy's wants to compute itself, as NumPy asks it. */
static bool takes_over(PyObject *object) {
    if (!PyArray_Check(object) || PyArray_CheckExact(object)) return false;
    PyObject *own = PyObject_GetAttrString(object, "__array_ufunc__");
    bool refuses = own == Py_None;
    Py_XDECREF(own);
    PyErr_Clear();
    return refuses || PyArray_GetPriority(object, 0) > MP_PY_PRIORITY;
}

/* Whether an object of another library may know better what to do with an array of ours. */
static bool defers(PyObject *object) {
    return PyObject_HasAttrString(object, "__array_ufunc__") ||
           PyArray_GetPriority(object, 0) > MP_PY_PRIORITY;
}

/* The operand that is not an array: 1 with a new reference, 0 where it is none of ours, -1. */
static int other_operand(mp_op op, PyObject *object, const mp_array *partner_array,
                         mp_array **out) {
    mp_py_partner partner = {0};
    if (takes_over(object)) return 0;
    mp_py_meet(&partner, partner_array);
    /* comparisons see the number as it is, and a quotient is no integer */
    bool wraps = !(mp_op_rows[op].flags & MP_NOGRAD) && op != MP_OP_div;
    if (wraps && mp_py_check_range(mp_op_rows[op].name, object, &partner) < 0) return -1;
    int found = mp_py_operand(mp_op_rows[op].name, object, &partner, out);
    if (!found && !defers(object)) found = mp_py_foreign(mp_op_rows[op].name, object, out);
    if (found <= 0 || mp_py_follow(mp_array_device(partner_array), false, out) == 0) return found;
    mp_array_clear(out);
    return -1;
}

static PyObject *not_implemented(int found) {
    return found < 0 ? NULL : Py_NewRef(Py_NotImplemented);
}

/* The op on two operands, one of them an array. */
static PyObject *run(mp_op op, PyObject *left, PyObject *right) {
    bool left_is = mp_py_is_array(left), right_is = mp_py_is_array(right);
    mp_array *in[2], *other = NULL, *out[MP_MAX_OUT];
    if (!left_is || !right_is) {
        PyObject *array = left_is ? left : right;
        int found = other_operand(op, left_is ? right : left, mp_py_array_of(array), &other);
        if (found <= 0) return not_implemented(found);
    }
    in[0] = left_is ? mp_py_array_of(left)
                    : other; /* read after the conversion, which may run Python code */
    in[1] = right_is ? mp_py_array_of(right) : other;
    mp_status status = mp_op_call(op, 2, in, NULL, out);
    if (other) mp_array_unref(other);
    return mp_py_value_result(status, out[0]);
}

PyObject *mp_py_binary(mp_op op, PyObject *left, PyObject *right) {
    PyObject *y = mp_py_direct_binary(op, left, right);
    return y ? y : run(op, left, right);
}

PyObject *mp_py_write_binary(mp_op op, PyObject *self, PyObject *object) {
    mp_array *in[2], *other = NULL;
    bool is_array = mp_py_is_array(object);
    if (!is_array) {
        int found = other_operand(op, object, mp_py_array_of(self), &other);
        if (found <= 0) return not_implemented(found);
    }
    in[0] = mp_py_array_of(self);
    in[1] = is_array ? mp_py_array_of(object) : other;
    mp_status status = mp_op_call_into(op, 2, in, NULL, in[0]);
    mp_array_unref(other);
    return status == MP_OK ? Py_NewRef(self) : mp_py_raise(status);
}

/* self op= object; a value stays what it is, and the name gets another. */
static PyObject *in_place(mp_op op, PyObject *self, PyObject *object) {
    return mp_py_is_value(self) ? mp_py_binary(op, self, object)
                                : mp_py_write_binary(op, self, object);
}

PyObject *mp_py_unary(mp_op op, PyObject *self) {
    mp_array *y = NULL;
    mp_status status = mp_op1(op, mp_py_array_of(self), NULL, &y);
    return mp_py_value_result(status, y);
}

#define BINARY(name, op)                                                                           \
    static PyObject *name(PyObject *a, PyObject *b) { return mp_py_binary(op, a, b); }             \
    static PyObject *name##_in_place(PyObject *a, PyObject *b) { return in_place(op, a, b); }

BINARY(add, MP_OP_add)
BINARY(subtract, MP_OP_sub)
BINARY(multiply_elements, MP_OP_mul)
BINARY(matrix_multiply, MP_OP_matmul)
BINARY(floor_divide, MP_OP_floor_divide)
BINARY(remainder_of, MP_OP_remainder)
BINARY(bits_and, MP_OP_bitwise_and)
BINARY(bits_or, MP_OP_bitwise_or)
BINARY(bits_xor, MP_OP_bitwise_xor)
BINARY(left_shift, MP_OP_bitwise_left_shift)
BINARY(right_shift, MP_OP_bitwise_right_shift)

/* A list times an integer value is the list repeated, as it is with a NumPy scalar. */
static bool repeats(PyObject *sequence, PyObject *count) {
    if (!PyList_Check(sequence) && !PyTuple_Check(sequence)) return false;
    char kind = mp_dtypes[mp_py_array_of(count)->dtype].kind;
    return mp_py_is_value(count) && (kind == 'I' || kind == 'U');
}

static PyObject *multiply(PyObject *a, PyObject *b) {
    if (mp_py_is_array(a) ? repeats(b, a) : repeats(a, b)) Py_RETURN_NOTIMPLEMENTED;
    return multiply_elements(a, b);
}

static PyObject *multiply_in_place(PyObject *a, PyObject *b) {
    return repeats(b, a) ? Py_NewRef(Py_NotImplemented) : multiply_elements_in_place(a, b);
}

/* (a // b, a % b) */
static PyObject *divide_whole(PyObject *a, PyObject *b) {
    PyObject *quotient = floor_divide(a, b);
    if (!quotient || quotient == Py_NotImplemented) return quotient;
    PyObject *rest = remainder_of(a, b), *both = rest ? PyTuple_Pack(2, quotient, rest) : NULL;
    Py_DECREF(quotient);
    Py_XDECREF(rest);
    return both;
}

/* A Python number over an array is a row of its own, because autocast may treat it otherwise. */
static PyObject *divide(PyObject *a, PyObject *b) {
    if (!PyFloat_CheckExact(a) && !PyLong_CheckExact(a)) return mp_py_binary(MP_OP_div, a, b);
    if (mp_is_float((mp_dtype)mp_py_array_of(b)->dtype)) { /* integers are divided in float64 */
        PyObject *quotient = mp_py_direct_binary(MP_OP_div, a, b);
        if (quotient) return quotient;
    }
    mp_attrs attrs = mp_attrs_new();
    attrs.value = PyFloat_AsDouble(a);
    if (attrs.value == -1 && PyErr_Occurred()) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_op1(MP_OP_reciprocal, mp_py_array_of(b), &attrs, &y);
    return mp_py_value_result(status, y);
}
static PyObject *divide_in_place(PyObject *a, PyObject *b) { return in_place(MP_OP_div, a, b); }

static PyObject *negative(PyObject *a) {
    PyObject *y = mp_py_direct_negative(a);
    return y ? y : mp_py_unary(MP_OP_neg, a);
}
static PyObject *absolute(PyObject *a) {
    PyObject *y = mp_py_direct_absolute(a);
    return y ? y : mp_py_unary(MP_OP_abs, a);
}
static PyObject *invert(PyObject *a) { return mp_py_unary(MP_OP_bitwise_invert, a); }
static PyObject *positive(PyObject *a) { return mp_py_unary(MP_OP_copy, a); }

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
    if (modulus != Py_None) return Py_NewRef(Py_NotImplemented);
    return mp_py_binary(MP_OP_pow, a, b);
}

static PyObject *power_in_place(PyObject *a, PyObject *b, PyObject *modulus) {
    if (modulus != Py_None) return Py_NewRef(Py_NotImplemented);
    return in_place(MP_OP_pow, a, b);
}

/* ---- comparisons ---- */

/* No element equals what is no number. */
static PyObject *compare_with_nothing(const mp_array *a, bool result) {
    mp_spec spec = mp_spec_of(a);
    mp_array *y = NULL;
    spec.dtype = MP_BOOL;
    mp_status status = mp_full(mp_array_device(a), &spec, result, &y);
    return mp_py_value_result(status, y);
}

static bool is_no_number(PyObject *object) {
    return object == Py_None || PyUnicode_Check(object) || PyBytes_Check(object);
}

PyObject *mp_py_compare(PyObject *left, PyObject *right, int relation) {
    static const mp_op ops[] = {
        [Py_LT] = MP_OP_less,      [Py_LE] = MP_OP_less_equal, [Py_EQ] = MP_OP_equal,
        [Py_NE] = MP_OP_not_equal, [Py_GT] = MP_OP_greater,    [Py_GE] = MP_OP_greater_equal};
    PyObject *y = mp_py_direct_compare(left, right, relation);
    if (y) return y;
    if ((relation == Py_EQ || relation == Py_NE) && is_no_number(right))
        return compare_with_nothing(mp_py_array_of(left), relation == Py_NE);
    return run(ops[relation], left, right);
}

/* ---- one element as a Python number ---- */

static int truth(PyObject *self) {
    mp_array *a = mp_py_array_of(self);
    if (self == mp_py->truths[0] || self == mp_py->truths[1]) return self == mp_py->truths[1];
    int direct = mp_py_direct_truth(self);
    if (direct >= 0) return direct;
    if (a->size != 1) {
        PyErr_Format(PyExc_ValueError,
                     "bool: an array of shape %s is neither true nor false; use .any() or .all()",
                     mp_shape_text(a->ndim, a->shape));
        return -1;
    }
    PyObject *value = mp_py_item(a);
    int result = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    return result;
}

/* The element of a 0-d array; a TypeError in the name of `op` if there are dimensions. */
static PyObject *element(const char *op, mp_array *a) {
    if (a->ndim == 0) return mp_py_item(a);
    PyErr_Format(PyExc_TypeError,
                 "%s: an array of shape %s is not a number, one of 0 dimensions "
                 "is wanted; use .item() for one element",
                 op, mp_shape_text(a->ndim, a->shape));
    return NULL;
}

static PyObject *to_int(PyObject *self) {
    PyObject *value = element("int", mp_py_array_of(self));
    if (!value || PyLong_CheckExact(value)) return value;
    PyObject *number = value ? PyNumber_Long(value) : NULL;
    Py_XDECREF(value);
    return number;
}

static PyObject *to_float(PyObject *self) {
    PyObject *value = element("float", mp_py_array_of(self));
    if (!value || PyFloat_CheckExact(value)) return value;
    PyObject *number = PyNumber_Float(value);
    Py_DECREF(value);
    return number;
}

static PyObject *to_index(PyObject *self) {
    mp_array *a = mp_py_array_of(self);
    char kind = mp_dtypes[a->dtype].kind;
    if (a->ndim == 0 && (kind == 'I' || kind == 'U')) return mp_py_item(a);
    PyErr_Format(PyExc_TypeError,
                 "index: a %s array of shape %s is not an index, one integer is wanted",
                 mp_dtypes[a->dtype].name, mp_shape_text(a->ndim, a->shape));
    return NULL;
}

PyType_Slot mp_py_number_slots[] = {
    {Py_nb_add, add},
    {Py_nb_subtract, subtract},
    {Py_nb_multiply, multiply},
    {Py_nb_true_divide, divide},
    {Py_nb_matrix_multiply, matrix_multiply},
    {Py_nb_power, power},
    {Py_nb_floor_divide, floor_divide},
    {Py_nb_remainder, remainder_of},
    {Py_nb_divmod, divide_whole},
    {Py_nb_and, bits_and},
    {Py_nb_or, bits_or},
    {Py_nb_xor, bits_xor},
    {Py_nb_lshift, left_shift},
    {Py_nb_rshift, right_shift},
    {Py_nb_inplace_add, add_in_place},
    {Py_nb_inplace_subtract, subtract_in_place},
    {Py_nb_inplace_multiply, multiply_in_place},
    {Py_nb_inplace_true_divide, divide_in_place},
    {Py_nb_inplace_matrix_multiply, matrix_multiply_in_place},
    {Py_nb_inplace_power, power_in_place},
    {Py_nb_inplace_floor_divide, floor_divide_in_place},
    {Py_nb_inplace_remainder, remainder_of_in_place},
    {Py_nb_inplace_and, bits_and_in_place},
    {Py_nb_inplace_or, bits_or_in_place},
    {Py_nb_inplace_xor, bits_xor_in_place},
    {Py_nb_inplace_lshift, left_shift_in_place},
    {Py_nb_inplace_rshift, right_shift_in_place},
    {Py_nb_invert, invert},
    {Py_nb_negative, negative},
    {Py_nb_positive, positive},
    {Py_nb_absolute, absolute},
    {Py_nb_bool, truth},
    {Py_nb_int, to_int},
    {Py_nb_float, to_float},
    {Py_nb_index, to_index},
    {0, NULL},
};
