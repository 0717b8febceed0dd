/* Values that are assigned to elements: Python numbers, sequences and arrays in the dtype of what
 * they are written into, converted as NumPy's assignments convert them. */
#include "index.h"

#include <math.h>
#include <numpy/arrayscalars.h>
#include <string.h>

/* ---- numbers ---- */

/* A float truncated to an integer. */
static int encode_truncated(const char *op, mp_dtype dtype, double value, void *bytes) {
    if (isnan(value)) {
        PyErr_Format(PyExc_ValueError, "%s: NaN does not fit in %s", op, mp_dtypes[dtype].name);
        return -1;
    }
    if (!(fabs(value) < 0x1p64)) {
        PyErr_Format(PyExc_OverflowError, "%s: a Python float does not fit in %s", op,
                     mp_dtypes[dtype].name);
        return -1;
    }
    uint64_t bits = value < 0 ? (uint64_t)(int64_t)fmax(value, -0x1p63) : (uint64_t)value;
    mp_store_int(dtype, bytes, (int64_t)bits);
    return 1;
}

static int encode_long(const char *op, mp_dtype dtype, PyObject *value, void *bytes) {
    if (mp_is_float(dtype)) {
        double number = PyLong_AsDouble(value);
        if (number == -1 && PyErr_Occurred()) {
            PyErr_Format(PyExc_OverflowError, "%s: the Python integer does not fit in %s", op,
                         mp_dtypes[dtype].name);
            return -1;
        }
        mp_store_double(dtype, bytes, number);
        return 1;
    }
    if (dtype == MP_BOOL) {
        int overflow;
        mp_store_int(dtype, bytes, PyLong_AsLongLongAndOverflow(value, &overflow) || overflow);
        return 1;
    }
    mp_py_partner partner = {.any = true, .integers = true, .common = dtype};
    if (mp_py_check_range(op, value, &partner) < 0) return -1;
    int64_t bits = dtype == MP_UINT64 ? (int64_t)PyLong_AsUnsignedLongLong(value)
                                      : (int64_t)PyLong_AsLongLong(value);
    mp_store_int(dtype, bytes, bits);
    return 1;
}

/* An element of ours, where it needs no op to be read. */
static int encode_element(mp_dtype dtype, const mp_array *a, void *bytes) {
    bool from_float = mp_is_float((mp_dtype)a->dtype), to_float = mp_is_float(dtype);
    if (a->ndim || !mp_py_reads_directly(a)) return 0;
    if (a->dtype == (int8_t)dtype) memcpy(bytes, mp_data(a), (size_t)mp_itemsize(a));
    else if (from_float && to_float)
        mp_store_double(dtype, bytes, mp_load_double((mp_dtype)a->dtype, mp_data(a)));
    else if (!from_float && !to_float)
        mp_store_int(dtype, bytes, mp_load_int((mp_dtype)a->dtype, mp_data(a)));
    else return 0;
    return 1;
}

/* A NumPy scalar of a frequent dtype, among floats or among integers. np.float64 is a Python float.
 */
static int encode_scalar(mp_dtype dtype, PyObject *value, void *bytes) {
    if (mp_is_float(dtype)) {
        if (!PyArray_IsScalar(value, Float)) return 0;
        mp_store_double(dtype, bytes, PyArrayScalar_VAL(value, Float));
        return 1;
    }
    if (PyArray_IsScalar(value, Long)) mp_store_int(dtype, bytes, PyArrayScalar_VAL(value, Long));
    else if (PyArray_IsScalar(value, UInt))
        mp_store_int(dtype, bytes, PyArrayScalar_VAL(value, UInt));
    else return 0;
    return 1;
}

/* 1; 0 where value is something else, or cannot be read here; -1. */
int mp_py_encode(const char *op, mp_dtype dtype, PyObject *value, void *bytes) {
    if (PyFloat_Check(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        if (dtype == MP_FLOAT32) { /* the most frequent */
            float narrow = (float)number;
            memcpy(bytes, &narrow, sizeof narrow);
            return 1;
        }
        if (!mp_is_float(dtype) && dtype != MP_BOOL)
            return encode_truncated(op, dtype, number, bytes);
        mp_store_double(dtype, bytes, number);
        return 1;
    }
    if (mp_py_is_array(value)) return encode_element(dtype, mp_py_array_of(value), bytes);
    if (PyBool_Check(value)) {
        mp_store_int(dtype, bytes, value == Py_True);
        return 1;
    }
    if (PyLong_Check(value)) return encode_long(op, dtype, value, bytes);
    return encode_scalar(dtype, value, bytes);
}

/* ---- anything ---- */

/* A sequence, each of whose numbers is converted to dst's dtype by itself. */
static int from_sequence(const char *op, const mp_array *dst, PyObject *value, mp_array **out) {
    PyArray_Descr *descr = mp_py->descr[dst->dtype];
    Py_INCREF(descr); /* taken by the next call */
    PyArrayObject *a = (PyArrayObject *)PyArray_FromAny(
        value, descr, 0, 0, NPY_ARRAY_DEFAULT | NPY_ARRAY_FORCECAST, NULL);
    if (!a) return mp_py_error_name(op);
    int status = mp_py_from_numpy(op, a, MP_PY_COPY_IF_NEEDED, out);
    Py_DECREF(a);
    return status;
}

/* A 0-d array beside which arrays of any device may stand. */
static int from_bytes(const mp_array *dst, const void *bytes, mp_array **out) {
    mp_spec spec = {.dtype = dst->dtype};
    if (mp_py_check(mp_array_new(MP_CPU, &spec, out)) < 0) return -1;
    memcpy(mp_data(*out), bytes, (size_t)mp_itemsize(dst));
    (*out)->weak = true;
    return 0;
}

/* A number goes to a device by a kernel, which waits for nothing. */
static mp_status move_value(mp_device device, mp_array *value, mp_array **out) {
    if (!value->weak) return mp_array_to_device(value, device, out);
    mp_spec spec = mp_spec_of(value);
    bool exact = spec.dtype != MP_INT64 && spec.dtype != MP_UINT64;
    if (!exact) return mp_array_to_device(value, device, out);
    return mp_full(device, &spec, mp_load_double((mp_dtype)spec.dtype, mp_data(value)), out);
}

int mp_py_value_for(const char *op, const mp_array *dst, PyObject *value, mp_array **out) {
    uint64_t bits = 0;
    mp_py_partner partner = {0};
    mp_array *there;
    bool is_array = mp_py_is_array(value);
    int found = is_array ? 0 : mp_py_encode(op, (mp_dtype)dst->dtype, value, &bits);
    if (found > 0) found = from_bytes(dst, &bits, out);
    else if (found == 0 && (PyList_Check(value) || PyTuple_Check(value) || PyRange_Check(value)))
        found = from_sequence(op, dst, value, out);
    else if (found == 0) found = mp_py_input(op, "the value", value, &partner, out);
    if (found < 0 || mp_array_device(*out) == mp_array_device(dst)) return found;
    mp_status status = move_value(mp_array_device(dst), *out, &there);
    mp_array_unref(*out);
    *out = there;
    return mp_py_check(status);
}

/* Whether writing the one into the other loses what a result of an op may not lose. */
static bool narrows(const mp_array *src, const mp_array *dst) {
    char from = mp_dtypes[src->dtype].kind, to = mp_dtypes[dst->dtype].kind;
    return from != to && (from == 'F' || to == 'B');
}

int mp_py_assign(const char *op, mp_array *dst, PyObject *value) {
    mp_array *src, *cast;
    if (mp_py_value_for(op, dst, value, &src) < 0) return -1;
    mp_status status = MP_OK;
    if (narrows(src, dst)) {
        status = mp_cast(src, (mp_dtype)dst->dtype, &cast);
        mp_array_unref(src);
        if (status != MP_OK) return mp_py_check(status);
        src = cast;
    }
    status = mp_array_assign(dst, src);
    mp_array_unref(src);
    return mp_py_check(status);
}
