/* Short ways of functions whose plain calls are frequent: reshapes, reductions, copies. They take
 * the function's arguments; NULL without an exception sends a call to the Python function behind,
 * which knows the rest and raises the errors. */
#include <string.h>

#include "py.h"

bool mp_py_short_int(PyObject *object, int64_t *out) {
    int overflow;
    if (!PyLong_CheckExact(object)) return false;
    *out = PyLong_AsLongLongAndOverflow(object, &overflow);
    return !overflow;
}

bool mp_py_short_ints(PyObject *const *items, Py_ssize_t n, int64_t *out, int *count) {
    if (n == 1 && (PyTuple_CheckExact(items[0]) || PyList_CheckExact(items[0]))) {
        n = PySequence_Fast_GET_SIZE(items[0]);
        items = PySequence_Fast_ITEMS(items[0]);
    }
    if (n > MP_MAX_DIMS) return false;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!mp_py_short_int(items[i], &out[i])) return false;
    *count = (int)n;
    return true;
}

/* ---- views: made here where an op would do no more than that ---- */

static PyObject *view_of(mp_array *x, int ndim, const int64_t *shape, const int64_t *strides) {
    mp_array *y;
    mp_status status = mp_array_view(x, ndim, shape, strides, x->offset, &y);
    return mp_py_result(status, y);
}

/* Completes a shape for x; false where it does not fit. */
static bool complete_shape(const mp_array *x, int ndim, int64_t *shape, int64_t *strides) {
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] == -1 && open < 0) open = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) return false;
    }
    if (open >= 0) {
        if (known == 0 || x->size % known) return false;
        shape[open] = x->size / known;
        known = x->size;
    }
    int64_t stride = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i];
    }
    return known == x->size;
}

static PyObject *reshape_to(mp_array *x, int ndim, int64_t *shape) {
    int64_t strides[MP_MAX_DIMS];
    if (x->contiguous && mp_py_is_plain(x)) {
        if (!complete_shape(x, ndim, shape, strides)) return NULL;
        return view_of(x, ndim, shape, strides);
    }
    mp_array *y = NULL;
    mp_status status = mp_reshape(x, ndim, shape, &y);
    return mp_py_result(status, y);
}

/* reshape(x, shape) */
static PyObject *reshape(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    int64_t shape[MP_MAX_DIMS];
    int ndim;
    if (!x || n != 2 || !mp_py_short_ints(args + 1, 1, shape, &ndim)) return NULL;
    return reshape_to(x, ndim, shape);
}

/* x.reshape(*shape) */
static PyObject *reshape_method(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    int64_t shape[MP_MAX_DIMS];
    int ndim;
    if (!x || n < 2 || !mp_py_short_ints(args + 1, n - 1, shape, &ndim)) return NULL;
    return reshape_to(x, ndim, shape);
}

/* ravel(x), a view where that is possible */
static PyObject *ravel(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    if (!x || n != 1) return NULL;
    if (x->contiguous && mp_py_is_plain(x)) return view_of(x, 1, &x->size, &(int64_t){1});
    return reshape_to(x, 1, &(int64_t){x->size});
}

/* flatten(x), a copy */
static PyObject *flatten(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names), *copy, *y = NULL;
    if (!x || n != 1) return NULL;
    mp_status status = mp_op1(MP_OP_copy, x, NULL, &copy);
    if (status == MP_OK) {
        status = mp_reshape(copy, 1, &x->size, &y);
        mp_array_unref(copy);
    }
    return mp_py_result(status, y);
}

PyObject *mp_py_permuted(mp_array *x, const int64_t *order) {
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
    if (mp_py_is_plain(x)) {
        for (int i = 0; i < x->ndim; i++) {
            shape[i] = x->shape[order[i]];
            strides[i] = x->strides[order[i]];
        }
        return view_of(x, x->ndim, shape, strides);
    }
    mp_attrs attrs = mp_attrs_new();
    mp_array *y = NULL;
    attrs.n_ints = (uint8_t)x->ndim;
    memcpy(attrs.ints, order, (size_t)x->ndim * sizeof *order);
    mp_status status = mp_op1(MP_OP_permute, x, &attrs, &y);
    return mp_py_result(status, y);
}

PyObject *mp_py_transposed(mp_array *x) {
    int64_t order[MP_MAX_DIMS];
    for (int i = 0; i < x->ndim; i++) order[i] = x->ndim - 1 - i;
    return mp_py_permuted(x, order);
}

/* Whether `order` names every axis once, from the front after this. */
static bool is_permutation(int ndim, int64_t *order) {
    unsigned seen = 0;
    for (int i = 0; i < ndim; i++) {
        if (order[i] < 0) order[i] += ndim;
        if (order[i] < 0 || order[i] >= ndim || seen & 1u << order[i]) return false;
        seen |= 1u << order[i];
    }
    return true;
}

static PyObject *permute(mp_array *x, PyObject *const *items, Py_ssize_t n) {
    int64_t order[MP_MAX_DIMS];
    int count;
    if (n == 0 || (n == 1 && items[0] == Py_None)) return mp_py_transposed(x);
    if (!mp_py_short_ints(items, n, order, &count) || count != x->ndim ||
        !is_permutation(count, order))
        return NULL;
    return mp_py_permuted(x, order);
}

/* transpose(x, axes=None) */
static PyObject *transpose(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    return x && n <= 2 ? permute(x, args + 1, n - 1) : NULL;
}

/* x.transpose(*axes) */
static PyObject *transpose_method(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    return x ? permute(x, args + 1, n - 1) : NULL;
}

/* swapaxes(x, axis1, axis2) */
static PyObject *swapaxes(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    int64_t order[MP_MAX_DIMS], axes[2];
    if (!x || n != 3 || !mp_py_short_int(args[1], &axes[0]) || !mp_py_short_int(args[2], &axes[1]))
        return NULL;
    for (int i = 0; i < 2; i++) {
        if (axes[i] < 0) axes[i] += x->ndim;
        if (axes[i] < 0 || axes[i] >= x->ndim) return NULL;
    }
    for (int i = 0; i < x->ndim; i++) order[i] = i;
    order[axes[0]] = axes[1];
    order[axes[1]] = axes[0];
    return mp_py_permuted(x, order);
}

/* ---- reductions ---- */

/* The arguments (x, axis=None) and keepdims; false where there are others. */
static bool read_reduction(PyObject *const *args, Py_ssize_t n, PyObject *names, PyObject **axis,
                           mp_attrs *attrs) {
    if (n < 1 || n > 2 || !mp_py_is_array(args[0])) return false;
    *attrs = mp_attrs_new();
    *axis = n == 2 ? args[1] : NULL;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), *value = args[n + i];
        if (!*axis && !PyUnicode_CompareWithASCIIString(name, "axis")) *axis = value;
        else if (PyBool_Check(value) && !PyUnicode_CompareWithASCIIString(name, "keepdims"))
            attrs->keepdims = value == Py_True;
        else return false;
    }
    if (*axis == Py_None) *axis = NULL;
    return true;
}

/* The row on x alone or along axes. */
static PyObject *reduce(mp_op op, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    PyObject *axis;
    mp_attrs attrs;
    mp_array *y = NULL;
    int count = MP_ALL;
    if (!read_reduction(args, n, names, &axis, &attrs)) return NULL;
    if (axis && (!mp_py_short_ints(&axis, 1, attrs.ints, &count) || count == 0)) return NULL;
    attrs.n_ints = (uint8_t)count;
    mp_status status = mp_op1(op, mp_py_array_of(args[0]), &attrs, &y);
    return mp_py_value_result(status, y);
}

/* argmax and argmin: of all elements, or along an axis */
static PyObject *arg_reduce(mp_op op, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    PyObject *axis;
    mp_attrs attrs;
    mp_array *y = NULL;
    if (!read_reduction(args, n, names, &axis, &attrs)) return NULL;
    attrs.axis = INT64_MIN; /* None */
    if (axis && !mp_py_short_int(axis, &attrs.axis)) return NULL;
    mp_status status = mp_op1(op, mp_py_array_of(args[0]), &attrs, &y);
    return mp_py_value_result(status, y);
}

#define REDUCTION(name, run)                                                                       \
    static PyObject *name(PyObject *const *args, Py_ssize_t n, PyObject *names) {                  \
        return run(MP_OP_##name, args, n, names);                                                  \
    }
REDUCTION(sum, reduce)
REDUCTION(prod, reduce)
REDUCTION(mean, reduce)
REDUCTION(max, reduce)
REDUCTION(min, reduce)
REDUCTION(any, reduce)
REDUCTION(all, reduce)
REDUCTION(argmax, arg_reduce)
REDUCTION(argmin, arg_reduce)

/* ---- products and copies ---- */

/* dot(a, b) of vectors and matrices: the row matmul */
static PyObject *dot(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = mp_py_only_array(args, n, names), *b, *y = NULL;
    if (!a || n != 2 || !mp_py_is_array(args[1])) return NULL;
    b = mp_py_array_of(args[1]);
    if (a->ndim < 1 || a->ndim > 2 || b->ndim < 1 || b->ndim > 2) return NULL;
    mp_status status = mp_op2(MP_OP_matmul, a, b, NULL, &y);
    if (status != MP_OK) return NULL; /* the function behind says it in its own name */
    return mp_py_wrap_value(y);
}

/* inner(a, b) of vectors */
static PyObject *inner(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = mp_py_only_array(args, n, names);
    if (!a || n != 2 || !mp_py_is_array(args[1])) return NULL;
    return a->ndim == 1 && mp_py_array_of(args[1])->ndim == 1 ? dot(args, n, names) : NULL;
}

/* x.fill(value) of a Python number that its dtype holds */
static PyObject *fill(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    if (!x || n != 2 || !mp_is_float((mp_dtype)x->dtype)) return NULL;
    if (!PyFloat_CheckExact(args[1]) && !PyLong_CheckExact(args[1])) return NULL;
    if (mp_py_set_item(args[0], Py_Ellipsis, args[1]) < 0) return NULL;
    Py_RETURN_NONE;
}

/* copy(x) */
static PyObject *copy(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names), *y = NULL;
    if (!x || n != 1) return NULL;
    mp_status status = mp_op1(MP_OP_copy, x, NULL, &y);
    if (status != MP_OK) return mp_py_raise(status);
    return mp_py_is_value(args[0]) ? mp_py_wrap_value(y) : mp_py_wrap(y);
}

static const mp_py_way own_ways[] = {
    {"reshape", reshape},
    {"ndarray.reshape", reshape_method},
    {"ravel", ravel},
    {"flatten", flatten},
    {"transpose", transpose},
    {"ndarray.transpose", transpose_method},
    {"swapaxes", swapaxes},
    {"sum", sum},
    {"prod", prod},
    {"mean", mean},
    {"max", max},
    {"min", min},
    {"any", any},
    {"all", all},
    {"argmax", argmax},
    {"argmin", argmin},
    {"dot", dot},
    {"inner", inner},
    {"copy", copy},
    {"ndarray.fill", fill},
    {NULL, NULL},
};

mp_py_short mp_py_find_short(const char *name) {
    const mp_py_way *tables[] = {own_ways, mp_py_create_ways, mp_py_rearrange_ways};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const mp_py_way *at = tables[t]; at->name; at++)
            if (!strcmp(at->name, name)) return at->way;
    return NULL;
}
