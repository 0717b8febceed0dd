/* Short ways of the functions that make small arrays: of a shape, a range, or Python's numbers. See
 * short.c. */
#include <math.h>
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

static mp_array *zeroed(mp_array *a) {
    if (a) memset(mp_data(a), 0, (size_t)a->size * (size_t)mp_itemsize(a));
    return a;
}

static PyObject *filled(mp_array *a, double value) {
    if (a->size) {
        mp_store_double((mp_dtype)a->dtype, mp_data(a), value);
        spread(a);
    }
    return mp_py_wrap(a);
}

static PyObject *short_empty(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return wrap(new_of_shape(args, n, names, 1, mp_default_float()));
}

static PyObject *short_zeros(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return wrap(zeroed(new_of_shape(args, n, names, 1, mp_default_float())));
}

static PyObject *short_ones(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = new_of_shape(args, n, names, 1, mp_default_float());
    return a ? filled(a, 1) : NULL;
}

/* full(shape, fill_value, dtype=None) of a Python number, into a dtype that holds it */
static PyObject *short_full(PyObject *const *args, Py_ssize_t n, PyObject *names) {
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

/* ---- like another array: its shape, and its dtype unless one is given ---- */

static mp_array *new_like(PyObject *const *args, Py_ssize_t n, PyObject *names, Py_ssize_t at) {
    if (n < at || !mp_py_is_array(args[0])) return NULL;
    const mp_array *x = mp_py_array_of(args[0]);
    mp_dtype dtype = (mp_dtype)x->dtype;
    if (mp_array_device(x) != MP_CPU || !read_dtype(args, n, names, at, &dtype)) return NULL;
    return new_small(x->shape, x->ndim, dtype);
}

static PyObject *short_empty_like(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return wrap(new_like(args, n, names, 1));
}

static PyObject *short_zeros_like(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return wrap(zeroed(new_like(args, n, names, 1)));
}

static PyObject *short_ones_like(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = new_like(args, n, names, 1);
    return a ? filled(a, 1) : NULL;
}

static PyObject *short_full_like(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    if (n < 2 || (!PyFloat_CheckExact(args[1]) && !PyLong_CheckExact(args[1]))) return NULL;
    double value = PyFloat_AsDouble(args[1]);
    mp_array *a = PyErr_Occurred() ? NULL : new_like(args, n, names, 2);
    PyErr_Clear(); /* an integer beyond all floats */
    if (a && mp_is_float((mp_dtype)a->dtype)) return filled(a, value);
    mp_array_unref(a);
    return NULL;
}

/* ---- matrices ---- */

/* eye(N, dtype=None) and identity(n, dtype=None) */
static PyObject *short_eye(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    int64_t shape[2];
    mp_dtype dtype = mp_default_float();
    if (n != 1 || !mp_py_short_int(args[0], &shape[0])) return NULL;
    if (!read_dtype(args, n, names, 1, &dtype)) return NULL;
    shape[1] = shape[0];
    mp_array *a = zeroed(new_small(shape, 2, dtype));
    for (int64_t i = 0; a && i < shape[0]; i++)
        mp_store_double(dtype, (char *)mp_data(a) + i * (shape[0] + 1) * mp_itemsize(a), 1);
    return wrap(a);
}

/* diag(v) of a vector */
static PyObject *short_diag(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    const mp_array *v = mp_py_only_array(args, n, names);
    if (!v || n != 1 || v->ndim != 1 || mp_array_device(v) != MP_CPU || !mp_py_is_plain(v))
        return NULL;
    int64_t count = v->shape[0], item = mp_itemsize(v);
    mp_array *a = zeroed(new_small((int64_t[]){count, count}, 2, (mp_dtype)v->dtype));
    for (int64_t i = 0; a && i < count; i++)
        memcpy((char *)mp_data(a) + i * (count + 1) * item,
               (const char *)mp_data(v) + i * v->strides[0] * item, (size_t)item);
    return wrap(a);
}

/* ---- ranges ---- */

/* arange of numbers, one of which is a float: what the row gives */
static PyObject *real_range(const double *values) {
    mp_attrs attrs = mp_attrs_new();
    double count = ceil((values[1] - values[0]) / values[2]);
    mp_array *y = NULL;
    if (!(fabs(count) < 1 << 30) || mp_py_default_device() != MP_CPU) return NULL;
    attrs.n_ints = 1;
    attrs.ints[0] = count > 0 ? (int64_t)count : 0;
    attrs.dtype = (int8_t)mp_default_float();
    attrs.device = MP_CPU;
    attrs.start = values[0];
    attrs.step = values[2];
    mp_status status = mp_op_call(MP_OP_arange, 0, NULL, &attrs, &y);
    return mp_py_result(status, y);
}

/* arange([start,] stop[, step]) */
static PyObject *short_arange(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    enum { MOST = 1 << 30 };
    int64_t values[3] = {0, 0, 1};
    double reals[3] = {0, 0, 1};
    bool real = false;
    if (names || n < 1 || n > 3) return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        int64_t *whole = &values[n == 1 ? 1 : i];
        double *at = &reals[n == 1 ? 1 : i];
        if (PyFloat_CheckExact(args[i])) {
            real = true;
            *at = PyFloat_AS_DOUBLE(args[i]);
            continue;
        }
        if (!mp_py_short_int(args[i], whole) || *whole > MOST || *whole < -MOST) return NULL;
        *at = (double)*whole;
    }
    if (real) return real_range(reals);
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

/* A number of linspace. */
static bool read_end(PyObject *object, double *out) {
    enum { MOST = 1 << 30 };
    int64_t whole;
    if (PyFloat_CheckExact(object)) {
        *out = PyFloat_AS_DOUBLE(object);
        return isfinite(*out);
    }
    if (!mp_py_short_int(object, &whole) || whole > MOST || whole < -MOST) return false;
    *out = (double)whole;
    return true;
}

/* linspace(start, stop, num=50, endpoint=True): NumPy's values, rounded once */
static PyObject *short_linspace(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    double start, stop;
    int64_t num = 50;
    bool endpoint = true;
    if (n < 2 || n > 3 || !read_end(args[0], &start) || !read_end(args[1], &stop)) return NULL;
    if (n == 3 && !mp_py_short_int(args[2], &num)) return NULL;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), *value = args[n + i];
        if (PyBool_Check(value) && !PyUnicode_CompareWithASCIIString(name, "endpoint"))
            endpoint = value == Py_True;
        else if (n == 3 || PyUnicode_CompareWithASCIIString(name, "num") ||
                 !mp_py_short_int(value, &num))
            return NULL;
    }
    mp_dtype dtype = mp_default_float();
    double step = (stop - start) / (double)(endpoint ? num - 1 : num);
    if (num < 2 || !isfinite(step) || (step == 0 && start != stop)) return NULL;
    mp_array *a = new_small(&num, 1, dtype);
    if (!a) return NULL;
    for (int64_t i = 0; i < num; i++) {
        double value = endpoint && i == num - 1 ? stop : (double)i * step + start;
        mp_store_double(dtype, (char *)mp_data(a) + i * mp_itemsize(a), value);
    }
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
static PyObject *short_array(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_dtype dtype = MP_NO_DTYPE;
    if (n < 1 || !read_dtype(args, n, names, 1, &dtype)) return NULL;
    if (!mp_py_is_array(args[0])) return of_python(args[0], dtype);
    mp_array *x = mp_py_array_of(args[0]), *y;
    if (dtype != MP_NO_DTYPE || !mp_py_is_plain(x)) return NULL;
    mp_status status = mp_op1(MP_OP_copy, x, NULL, &y);
    return mp_py_result(status, y);
}

/* asarray(obj, dtype=None) */
static PyObject *short_asarray(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_dtype dtype = MP_NO_DTYPE;
    if (n < 1 || !read_dtype(args, n, names, 1, &dtype)) return NULL;
    if (!mp_py_is_array(args[0])) return of_python(args[0], dtype);
    mp_dtype own = (mp_dtype)mp_py_array_of(args[0])->dtype;
    return dtype == MP_NO_DTYPE || dtype == own ? Py_NewRef(args[0]) : NULL;
}

const mp_py_way mp_py_create_ways[] = {
    {"zeros", short_zeros},
    {"ones", short_ones},
    {"empty", short_empty},
    {"full", short_full},
    {"zeros_like", short_zeros_like},
    {"ones_like", short_ones_like},
    {"empty_like", short_empty_like},
    {"full_like", short_full_like},
    {"eye", short_eye},
    {"diag", short_diag},
    {"arange", short_arange},
    {"linspace", short_linspace},
    {"array", short_array},
    {"asarray", short_asarray},
    {NULL, NULL},
};
