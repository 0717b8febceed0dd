/* Operators: arithmetic, comparisons, conversions to Python numbers. Each is a row of the op table;
 * an operand that is not an array gets its chance through NotImplemented. */
#include "py.h"

/* ---- binary ---- */

/* The operand that is not an array: 1 with a new reference, 0 where it is none of ours, -1. */
static int other_operand(mp_op op, PyObject *object, const mp_array *partner_array,
                         mp_array **out) {
    mp_py_partner partner = {0};
    mp_py_meet(&partner, partner_array);
    bool wraps = !(mp_op_rows[op].flags & MP_NOGRAD); /* comparisons see the number as it is */
    if (wraps && mp_py_check_range(mp_op_rows[op].name, object, &partner) < 0) return -1;
    return mp_py_operand(mp_op_rows[op].name, object, &partner, out);
}

static PyObject *not_implemented(int found) {
    return found < 0 ? NULL : Py_NewRef(Py_NotImplemented);
}

static PyObject *binary(mp_op op, PyObject *left, PyObject *right) {
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

/* self op= object; a value stays what it is, and the name gets another. */
static PyObject *in_place(mp_op op, PyObject *self, PyObject *object) {
    if (mp_py_is_value(self)) return binary(op, self, object);
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

static PyObject *unary(mp_op op, PyObject *self) {
    mp_array *y = NULL;
    mp_status status = mp_op1(op, mp_py_array_of(self), NULL, &y);
    return mp_py_value_result(status, y);
}

static PyObject *add(PyObject *a, PyObject *b) { return binary(MP_OP_add, a, b); }
static PyObject *subtract(PyObject *a, PyObject *b) { return binary(MP_OP_sub, a, b); }
static PyObject *multiply(PyObject *a, PyObject *b) { return binary(MP_OP_mul, a, b); }

/* A Python number over an array is a row of its own, because autocast may treat it otherwise. */
static PyObject *divide(PyObject *a, PyObject *b) {
    if (!PyFloat_CheckExact(a) && !PyLong_CheckExact(a)) return binary(MP_OP_div, a, b);
    mp_attrs attrs = mp_attrs_new();
    attrs.value = PyFloat_AsDouble(a);
    if (attrs.value == -1 && PyErr_Occurred()) return NULL;
    mp_array *y = NULL;
    mp_status status = mp_op1(MP_OP_reciprocal, mp_py_array_of(b), &attrs, &y);
    return mp_py_value_result(status, y);
}

static PyObject *add_in_place(PyObject *a, PyObject *b) { return in_place(MP_OP_add, a, b); }
static PyObject *subtract_in_place(PyObject *a, PyObject *b) { return in_place(MP_OP_sub, a, b); }
static PyObject *multiply_in_place(PyObject *a, PyObject *b) { return in_place(MP_OP_mul, a, b); }
static PyObject *divide_in_place(PyObject *a, PyObject *b) { return in_place(MP_OP_div, a, b); }
static PyObject *negative(PyObject *a) { return unary(MP_OP_neg, a); }
static PyObject *positive(PyObject *a) { return unary(MP_OP_copy, a); }
static PyObject *absolute(PyObject *a) { return unary(MP_OP_abs, a); }

static PyObject *matrix_multiply(PyObject *a, PyObject *b) { return binary(MP_OP_matmul, a, b); }

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
    if (modulus != Py_None) return Py_NewRef(Py_NotImplemented);
    return binary(MP_OP_pow, a, b);
}

static PyObject *power_in_place(PyObject *a, PyObject *b, PyObject *modulus) {
    if (modulus != Py_None) return Py_NewRef(Py_NotImplemented);
    return in_place(MP_OP_pow, a, b);
}

PyObject *mp_py_compare(PyObject *left, PyObject *right, int relation) {
    static const mp_op ops[] = {[Py_LT] = MP_OP_less,    [Py_LE] = MP_OP_less_equal,
                                [Py_EQ] = MP_OP_equal,   [Py_NE] = MP_OP_not_equal,
                                [Py_GT] = MP_OP_greater, [Py_GE] = MP_OP_greater_equal};
    return binary(ops[relation], left, right);
}

/* ---- one element as a Python number ---- */

static int truth(PyObject *self) {
    mp_array *a = mp_py_array_of(self);
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

static PyObject *to_int(PyObject *self) {
    PyObject *value = mp_py_item(mp_py_array_of(self));
    PyObject *number = value ? PyNumber_Long(value) : NULL;
    Py_XDECREF(value);
    return number;
}

static PyObject *to_float(PyObject *self) {
    PyObject *value = mp_py_item(mp_py_array_of(self));
    PyObject *number = value ? PyNumber_Float(value) : NULL;
    Py_XDECREF(value);
    return number;
}

static PyObject *to_index(PyObject *self) {
    mp_array *a = mp_py_array_of(self);
    char kind = mp_dtypes[a->dtype].kind;
    if (a->size == 1 && (kind == 'I' || kind == 'U')) return mp_py_item(a);
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
    {Py_nb_inplace_add, add_in_place},
    {Py_nb_inplace_subtract, subtract_in_place},
    {Py_nb_inplace_multiply, multiply_in_place},
    {Py_nb_inplace_true_divide, divide_in_place},
    {Py_nb_inplace_power, power_in_place},
    {Py_nb_negative, negative},
    {Py_nb_positive, positive},
    {Py_nb_absolute, absolute},
    {Py_nb_bool, truth},
    {Py_nb_int, to_int},
    {Py_nb_float, to_float},
    {Py_nb_index, to_index},
    {0, NULL},
};
