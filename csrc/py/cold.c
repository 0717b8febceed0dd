/* Calls of NumPy's own functions: arrays go in as read-only views, arrays and numbers come out as
 * ours. What is unusual in any way is left to mixprec/_numpy.py, whose rules these are. */
#include <string.h>

#include "py.h"

enum { MOST = 12 }; /* arguments */

/* A read-only view, or NULL without an exception. */
static PyObject *view_of(mp_array *x) {
    if (mp_array_device(x) != MP_CPU || !mp_py_is_plain(x)) return NULL;
    if (mp_is_float((mp_dtype)x->dtype) && mp_itemsize(x) < 4) return NULL;
    PyObject *view = mp_py_numpy_view(x, false);
    if (view) PyArray_CLEARFLAGS((PyArrayObject *)view, NPY_ARRAY_WRITEABLE);
    return view;
}

/* Whether NumPy takes it as it is: a number, None, or a tuple of ints such as a shape. */
static bool passes(PyObject *object) {
    if (PyFloat_CheckExact(object) || PyLong_CheckExact(object) || PyBool_Check(object) ||
        object == Py_None)
        return true;
    if (!PyTuple_CheckExact(object)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++)
        if (!PyLong_CheckExact(PyTuple_GET_ITEM(object, i))) return false;
    return true;
}

/* The arguments as NumPy takes them: the number of arrays among them, or -1 without an exception.
 * `floating` becomes the widest floating dtype of the arrays. */
static int prepare(PyObject *const *args, Py_ssize_t total, PyObject **out, mp_dtype *floating) {
    int arrays = 0;
    for (Py_ssize_t i = 0; i < total; i++) {
        if (Py_TYPE(args[i]) != mp_py->ndarray) {
            if (!passes(args[i])) return -1;
            out[i] = Py_NewRef(args[i]);
            continue;
        }
        mp_dtype dtype = (mp_dtype)mp_py_array_of(args[i])->dtype;
        if (!(out[i] = view_of(mp_py_array_of(args[i])))) return -1;
        if (mp_is_float(dtype) && *floating != MP_FLOAT64) *floating = dtype;
        arrays++;
    }
    return arrays;
}

/* ---- results: NULL without an exception for what is none of ours ---- */

/* A small array without gaps in memory of our own. */
static PyObject *copied(PyArrayObject *a, mp_dtype dtype, mp_dtype wanted) {
    mp_spec spec = {.dtype = (int8_t)wanted, .ndim = (int8_t)PyArray_NDIM(a)};
    mp_array *y;
    for (int i = 0; i < spec.ndim; i++) spec.shape[i] = PyArray_DIM(a, i);
    if (mp_py_check(mp_array_new(MP_CPU, &spec, &y)) < 0) return NULL;
    if (dtype == wanted) {
        memcpy(mp_data(y), PyArray_DATA(a), (size_t)PyArray_NBYTES(a));
    } else {
        float *to = mp_data(y);
        const double *from = PyArray_DATA(a);
        for (int64_t i = 0; i < y->size; i++) to[i] = (float)from[i];
    }
    return mp_py_wrap(y);
}

static PyObject *array(PyArrayObject *a, mp_dtype floating) {
    enum { SMALL = 1 << 14 };
    mp_dtype dtype, wanted;
    mp_array *y;
    if (PyArray_NDIM(a) > MP_MAX_DIMS || !PyArray_ISNOTSWAPPED(a)) return NULL;
    if (mp_py_dtype_of_descr("", PyArray_DESCR(a), &dtype) < 0) {
        PyErr_Clear();
        return NULL;
    }
    wanted = mp_is_float(dtype) ? floating : dtype;
    bool narrows = dtype == MP_FLOAT64 && wanted == MP_FLOAT32;
    if (PyArray_IS_C_CONTIGUOUS(a) && PyArray_NBYTES(a) <= SMALL && (dtype == wanted || narrows))
        return copied(a, dtype, wanted);
    PyArray_Descr *descr = mp_py->descr[wanted];
    Py_INCREF(descr); /* taken by the next call */
    PyArrayObject *same = (PyArrayObject *)PyArray_FromArray(a, descr, NPY_ARRAY_FORCECAST);
    if (!same) return NULL;
    int copy = PyArray_ISWRITEABLE(same) ? MP_PY_COPY_IF_NEEDED : MP_PY_COPY_ALWAYS;
    int status = mp_py_from_numpy("", same, copy, &y);
    Py_DECREF(same);
    return status < 0 ? NULL : mp_py_wrap(y);
}

/* One of NumPy's numbers as a value. */
static PyObject *number(PyObject *object, mp_dtype floating) {
    union {
        double real;
        float narrow;
        npy_long whole;
        npy_bool truth;
    } value;
    void *at;
    bool real = PyArray_IsScalar(object, Double), narrow = PyArray_IsScalar(object, Float),
         truth = PyArray_IsScalar(object, Bool);
    if (!real && !narrow && !truth && !PyArray_IsScalar(object, Long)) {
        PyArrayObject *other = (PyArrayObject *)PyArray_FromScalar(object, NULL);
        PyObject *wrapped = other ? array(other, floating) : NULL;
        Py_XDECREF(other);
        if (wrapped) ((mp_py_array *)wrapped)->value = true;
        return wrapped;
    }
    mp_dtype dtype = real || narrow ? floating : truth ? MP_BOOL : MP_INT64;
    PyObject *y = mp_py_new_value(dtype, &at);
    if (!y) return NULL;
    PyArray_ScalarAsCtype(object, &value);
    if (truth) *(uint8_t *)at = value.truth != 0;
    else if (dtype == MP_INT64) *(int64_t *)at = value.whole;
    else mp_store_double(dtype, at, real ? value.real : (double)value.narrow);
    return y;
}

static PyObject *result_of(PyObject *object, mp_dtype floating) {
    if (PyArray_CheckExact(object)) return array((PyArrayObject *)object, floating);
    if (PyArray_IsScalar(object, Generic)) return number(object, floating);
    if (passes(object) && !PyTuple_Check(object)) return Py_NewRef(object);
    if (!PyTuple_Check(object)) return NULL;
    Py_ssize_t n = PyTuple_GET_SIZE(object);
    PyObject *items = PyTuple_New(n), *named = NULL;
    for (Py_ssize_t i = 0; items && i < n; i++) {
        PyObject *item = result_of(PyTuple_GET_ITEM(object, i), floating);
        if (item) PyTuple_SET_ITEM(items, i, item);
        else Py_CLEAR(items);
    }
    if (!items || PyTuple_CheckExact(object)) return items;
    named = PyObject_Call((PyObject *)Py_TYPE(object), items, NULL);
    Py_DECREF(items);
    return named;
}

/* `out=` and `dtype=` are for Python. */
static bool are_usual(PyObject *names) {
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (!PyUnicode_CompareWithASCIIString(name, "out") ||
            !PyUnicode_CompareWithASCIIString(name, "dtype"))
            return false;
    }
    return true;
}

PyObject *mp_py_call_numpys(PyObject *func, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    PyObject *given[MOST] = {NULL}, *found = NULL, *result = NULL;
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    mp_dtype floating = MP_NO_DTYPE;
    if (total > MOST || !are_usual(names)) return NULL;
    int arrays = prepare(args, total, given, &floating);
    if (arrays > 0 || (arrays == 0 && mp_py_default_device() == MP_CPU)) {
        if (floating == MP_NO_DTYPE) floating = mp_default_float();
        found = PyObject_Vectorcall(func, given, (size_t)n, names);
        result = found ? result_of(found, floating) : NULL;
    }
    for (Py_ssize_t i = 0; i < total; i++) Py_XDECREF(given[i]);
    Py_XDECREF(found);
    return result;
}
