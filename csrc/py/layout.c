/* How an array lies in memory, as Python asks: its flags, whose memory it is, the same bytes in
 * another dtype; and values made of numbers. */
#include <string.h>

#include "py.h"

bool mp_py_is_fortran(const mp_array *a) {
    int64_t expected = 1;
    for (int i = 0; i < a->ndim; i++) {
        if (a->shape[i] != 1 && a->strides[i] != expected && a->size) return false;
        expected *= a->shape[i];
    }
    return true;
}

PyDoc_STRVAR(flags_doc, "flags(array, /)\n--\n\nWhether it is contiguous in C's and in Fortran's "
                        "order, owns its memory, and can be written to.\n\n"
                        "Returns\n-------\ntuple of bool\n    Four.");
static PyObject *flags(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("flags", "array", object, &a) < 0) return NULL;
    bool owns = !a->base && !a->storage->release;
    bool writeable = !a->storage->read_only && !a->no_base_write;
    return Py_BuildValue("(NNNN)", PyBool_FromLong(a->contiguous),
                         PyBool_FromLong(mp_py_is_fortran(a)), PyBool_FromLong(owns),
                         PyBool_FromLong(writeable));
}

PyDoc_STRVAR(base_doc, "base(array, /)\n--\n\nWhat owns its memory.\n\n"
                       "Returns\n-------\nndarray, numpy.ndarray or None\n    The array that it is "
                       "a view of (a new object over it), NumPy's whose memory it shares, or "
                       "None.");
static PyObject *base(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("base", "array", object, &a) < 0) return NULL;
    if (a->base) return mp_py_wrap(mp_array_ref(a->base));
    if (a->storage->release == mp_py_drop) return Py_NewRef((PyObject *)a->storage->owner);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(set_writeable_doc,
             "set_writeable(array, writeable, /)\n--\n\nLets the memory be written to, or not.\n\n"
             "Parameters\n----------\narray : ndarray\n    Views of its memory change too.\n"
             "writeable : bool\n    True only for memory that was not read-only from the start.");
static PyObject *set_writeable(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *a;
    bool writeable;
    if (mp_py_count("setflags", n, 2) < 0 ||
        mp_py_want_array("setflags", "array", args[0], &a) < 0 ||
        mp_py_bool("setflags", "write", args[1], &writeable) < 0)
        return NULL;
    bool shared = args[0] == mp_py->truths[0] || args[0] == mp_py->truths[1];
    const char *why = a->no_base_write                               ? "its elements share memory"
                      : shared                                       ? "it is a shared truth value"
                      : a->storage->read_only && a->storage->release ? "its memory is read-only"
                                                                     : NULL;
    if (writeable && why) {
        PyErr_Format(PyExc_ValueError, "setflags: the array cannot be made writeable: %s", why);
        return NULL;
    }
    a->storage->read_only = !writeable;
    Py_RETURN_NONE;
}

/* ---- another dtype ---- */

/* The view's last axis and strides where elements change their size. */
static mp_status rescale(const mp_array *a, int64_t from, int64_t to, int64_t *shape,
                         int64_t *strides, int64_t *offset) {
    int last = a->ndim - 1;
    if (last < 0 || (a->strides[last] != 1 && a->shape[last] > 1))
        return mp_fail(MP_ERR_VALUE,
                       "view: elements of %lld bytes become some of %lld only along a last axis "
                       "without gaps",
                       (long long)from, (long long)to);
    bool fits = a->shape[last] * from % to == 0 && *offset * from % to == 0 &&
                (uintptr_t)mp_data(a) % (uintptr_t)to == 0;
    for (int i = 0; i < last; i++) {
        fits &= strides[i] * from % to == 0;
        strides[i] = strides[i] * from / to;
    }
    if (!fits)
        return mp_fail(MP_ERR_VALUE,
                       "view: shape %s of %lld-byte elements is not whole ones of %lld "
                       "bytes",
                       mp_shape_text(a->ndim, a->shape), (long long)from, (long long)to);
    shape[last] = a->shape[last] * from / to;
    *offset = *offset * from / to;
    return MP_OK;
}

static mp_status reinterpret_as(mp_array *a, mp_dtype dtype, mp_array **out) {
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS], offset = a->offset;
    int64_t from = mp_itemsize(a), to = mp_dtypes[dtype].bytes;
    if (mp_requires_grad(a) && mp_grad_enabled())
        return mp_fail(MP_ERR_RUNTIME, "view: another dtype is not recorded; use .detach()");
    MP_TRY(mp_array_settle(a));
    memcpy(shape, a->shape, sizeof shape);
    memcpy(strides, a->strides, sizeof strides);
    if (from != to) MP_TRY(rescale(a, from, to, shape, strides, &offset));
    MP_TRY(mp_array_over(a->storage, dtype, a->ndim, shape, strides, offset, out));
    (*out)->no_base_write = a->no_base_write;
    return MP_OK;
}

PyDoc_STRVAR(
    reinterpret_doc,
    "reinterpret(array, dtype, /)\n--\n\nThe same bytes as elements of another dtype.\n\n"
    "Parameters\n----------\narray : ndarray\n    Whose last axis has no gaps, if the size "
    "of elements changes.\ndtype : dtype\n    The other one.\n\n"
    "Returns\n-------\nndarray\n    Over the same memory, outside of any graph.");
static PyObject *reinterpret(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *a, *y = NULL;
    mp_dtype dtype;
    if (mp_py_count("view", n, 2) < 0 || mp_py_want_array("view", "array", args[0], &a) < 0 ||
        mp_py_dtype("view", args[1], &dtype) < 0)
        return NULL;
    mp_status status = reinterpret_as(a, dtype, &y);
    return mp_py_result(status, y);
}

/* ---- values ---- */

PyDoc_STRVAR(as_value_doc,
             "as_value(array, /)\n--\n\nA 0-d array as a value: augmented operators on it give a "
             "new array, and it hashes as its number.\n\n"
             "Parameters\n----------\narray : ndarray\n    One with dimensions is given back as it "
             "is.\n\nReturns\n-------\nndarray\n    Over the same memory.");
static PyObject *as_value(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("as_value", "array", object, &a) < 0) return NULL;
    if (a->ndim || mp_py_is_value(object)) return Py_NewRef(object);
    return mp_py_wrap_value(mp_array_ref(a));
}

PyDoc_STRVAR(value_doc, "value(number, dtype, /)\n--\n\nA value of a Python number.\n\n"
                        "Parameters\n----------\nnumber : bool, int or float\n    The "
                        "number.\ndtype : dtype\n    The dtype, to which it is rounded.\n\n"
                        "Returns\n-------\nndarray\n    0-d, on the CPU.");
static PyObject *value(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_dtype dtype;
    double real = 0;
    int64_t whole = 0;
    void *at;
    if (mp_py_count("value", n, 2) < 0 || mp_py_dtype("value", args[1], &dtype) < 0) return NULL;
    bool floating = mp_is_float(dtype);
    if (floating             ? mp_py_double("value", "number", args[0], &real) < 0
        : dtype == MP_UINT64 ? mp_py_uint("value", "number", args[0], (uint64_t *)&whole) < 0
                             : mp_py_int("value", "number", args[0], &whole) < 0)
        return NULL;
    PyObject *y = mp_py_new_value(dtype, &at);
    if (!y) return NULL;
    if (floating) mp_store_double(dtype, at, real);
    else mp_store_int(dtype, at, whole);
    return y;
}

PyDoc_STRVAR(is_value_doc, "is_value(array, /)\n--\n\nWhether an array is a value. See as_value.");
static PyObject *is_value(PyObject *module, PyObject *object) {
    (void)module;
    return PyBool_FromLong(mp_py_is_array(object) && mp_py_is_value(object));
}

PyMethodDef mp_py_layout_functions[] = {
    {"flags", flags, METH_O, flags_doc},
    {"base", base, METH_O, base_doc},
    {"set_writeable", MP_PY_FAST(set_writeable), METH_FASTCALL, set_writeable_doc},
    {"reinterpret", MP_PY_FAST(reinterpret), METH_FASTCALL, reinterpret_doc},
    {"as_value", as_value, METH_O, as_value_doc},
    {"value", MP_PY_FAST(value), METH_FASTCALL, value_doc},
    {"is_value", is_value, METH_O, is_value_doc},
    {NULL, NULL, 0, NULL},
};
