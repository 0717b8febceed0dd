/* Short ways of the functions that make small arrays: of a shape, a range, or Python's numbers. See
 * short.c. */
#include <string.h>

#include "py.h"

enum { SMALL = 1 << 14 }; /* bytes: larger arrays are filled by the ops, in parallel */

/* Reads the dtype where it is argument `at`, by position or by name, and the last one. */
static bool read_dtype(PyObject *const *args, Py_ssize_t n, PyObject *names, Py_ssize_t at,
                       mp_dtype *out) {
    if (names) {
        PyObject *name = PyTuple_GET_ITEM(names, 0);
        if (n != at || PyTuple_GET_SIZE(names) != 1 ||
            PyUnicode_CompareWithASCIIString(name, "dtype"))
            return false;
    } else if (n != at + 1) {
        return n == at;
    }
    if (args[at] == Py_None) return true;
    if (mp_py_dtype("", args[at], out) == 0) return true;
    PyErr_Clear();
    return false;
}

/* A new array on the CPU if it is small and new arrays go there; NULL, as in all short ways. */
static mp_array *new_small(const int64_t *shape, int ndim, mp_dtype dtype) {
    mp_spec spec;
    int64_t size = 1;
    spec.dtype = (int8_t)dtype, spec.ndim = (int8_t)ndim;
    if (mp_py_default_device() != MP_CPU) return NULL;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0 || __builtin_mul_overflow(size, shape[i], &size)) return NULL;
        spec.shape[i] = shape[i];
    }
    mp_array *a;
    if (size > SMALL / mp_dtypes[dtype].bytes) return NULL;
    return mp_array_new(MP_CPU, &spec, &a) == MP_OK ? a : NULL;
}

/* The first argument as a shape, then the dtype. */
static mp_array *new_of_shape(PyObject *const *args, Py_ssize_t n, PyObject *names,
                              Py_ssize_t dtype_at, mp_dtype dtype) {
    int64_t shape[MP_MAX_DIMS];
    int ndim;
    if (n < 1 || !mp_py_short_ints(args, 1, shape, &ndim) ||
        !read_dtype(args, n, names, dtype_at, &dtype))
        return NULL;
    return new_small(shape, ndim, dtype);
}

/* Spreads the first element over all. */
static void spread(mp_array *a) {
    size_t item = (size_t)mp_itemsize(a), bytes = item * (size_t)a->size, done = item;
    char *data = mp_data(a);
    for (; done < bytes; done *= 2)
        memcpy(data + done, data, done < bytes - done ? done : bytes - done);
}

static PyObject *wrap(mp_array *a) { return a ? mp_py_wrap(a) : NULL; }

PyObject *mp_py_short_empty(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return wrap(new_of_shape(args, n, names, 1, mp_default_float()));
}

PyObject *mp_py_short_zeros(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = new_of_shape(args, n, names, 1, mp_default_float());
    if (a) memset(mp_data(a), 0, (size_t)a->size * (size_t)mp_itemsize(a));
    return wrap(a);
}

PyObject *mp_py_short_ones(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = new_of_shape(args, n, names, 1, mp_default_float());
    if (a && a->size) {
        mp_store_double((mp_dtype)a->dtype, mp_data(a), 1);
        spread(a);
    }
    return wrap(a);
}

/* full(shape, fill_value, dtype=None) of a Python number, into a dtype that holds it */
PyObject *mp_py_short_full(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    if (n < 2) return NULL;
    bool real = PyFloat_CheckExact(args[1]);
    if (!real && !PyLong_CheckExact(args[1])) return NULL;
    int overflow = 0;
    int64_t whole = real ? 0 : PyLong_AsLongLongAndOverflow(args[1], &overflow);
    mp_array *a =
        overflow ? NULL : new_of_shape(args, n, names, 2, real ? mp_default_float() : MP_INT64);
    if (!a) return NULL;
    mp_dtype dtype = (mp_dtype)a->dtype;
    if (!mp_is_float(dtype) && (real || dtype != MP_INT64)) {
        mp_array_unref(a);
        return NULL;
    }
    if (a->size) {
        if (dtype == MP_INT64) mp_store_int(dtype, mp_data(a), whole);
        else mp_store_double(dtype, mp_data(a), real ? PyFloat_AS_DOUBLE(args[1]) : (double)whole);
        spread(a);
    }
    return mp_py_wrap(a);
}

/* arange([start,] stop[, step]) of ints */
PyObject *mp_py_short_arange(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    enum { MOST = 1 << 30 };
    int64_t values[3] = {0, 0, 1};
    if (names || n < 1 || n > 3) return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        int overflow;
        if (!PyLong_CheckExact(args[i])) return NULL;
        int64_t value = PyLong_AsLongLongAndOverflow(args[i], &overflow);
        if (overflow || value > MOST || value < -MOST) return NULL;
        values[n == 1 ? 1 : i] = value;
    }
    int64_t start = values[0], step = values[2], distance = values[1] - start;
    if (step == 0) return NULL;
    int64_t count = distance / step + (distance % step != 0);
    if (distance == 0 || (distance < 0) != (step < 0)) count = 0;
    mp_array *a = new_small(&count, 1, MP_INT64);
    if (!a) return NULL;
    int64_t *data = mp_data(a);
    for (int64_t i = 0; i < count; i++) data[i] = start + i * step;
    return mp_py_wrap(a);
}

/* ---- of values ---- */

/* Lists and Python numbers. */
static PyObject *of_python(PyObject *object, mp_dtype dtype) {
    mp_array *a;
    mp_py_partner partner = {0};
    if (mp_py_default_device() != MP_CPU) return NULL;
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object))
        return mp_py_from_sequence("array", object, dtype, &a) > 0 ? mp_py_wrap(a) : NULL;
    if (!PyFloat_CheckExact(object) && !PyLong_CheckExact(object)) return NULL;
    if (dtype != MP_NO_DTYPE || mp_py_number("array", object, &partner, &a) < 0) {
        PyErr_Clear(); /* too large an integer: NumPy has others */
        return NULL;
    }
    a->weak = false;
    return mp_py_wrap(a);
}

/* array(obj, dtype=None) */
PyObject *mp_py_short_array(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_dtype dtype = MP_NO_DTYPE;
    if (n < 1 || !read_dtype(args, n, names, 1, &dtype)) return NULL;
    if (!mp_py_is_array(args[0])) return of_python(args[0], dtype);
    mp_array *x = mp_py_array_of(args[0]), *y;
    if (dtype != MP_NO_DTYPE || !mp_py_is_plain(x)) return NULL;
    mp_status status = mp_op1(MP_OP_copy, x, NULL, &y);
    return mp_py_result(status, y);
}

/* asarray(obj, dtype=None) */
PyObject *mp_py_short_asarray(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_dtype dtype = MP_NO_DTYPE;
    if (n < 1 || !read_dtype(args, n, names, 1, &dtype)) return NULL;
    if (!mp_py_is_array(args[0])) return of_python(args[0], dtype);
    mp_dtype own = (mp_dtype)mp_py_array_of(args[0])->dtype;
    return dtype == MP_NO_DTYPE || dtype == own ? Py_NewRef(args[0]) : NULL;
}
