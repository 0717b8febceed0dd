/* Lists and tuples of Python numbers, and of arrays, as arrays. What is irregular in any way is
 * left to NumPy. */
#include <stdlib.h>
#include <string.h>

#include "py.h"

/* What a first pass finds: a regular nesting of `depth` levels over leaves of one kind of shape. */
typedef struct nest {
    int depth;
    int64_t shape[MP_MAX_DIMS], leaves;
    bool floats, ints, bools;
    const mp_array *first; /* array, or NULL; all others have its shape */
    bool by_ops;           /* arrays that have to be joined by ops */
    mp_dtype common;       /* of the arrays */
} nest;

static bool is_nested(PyObject *object) {
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static bool look_at_array(nest *n, const mp_array *a) {
    if (!n->first) {
        n->first = a;
        n->common = (mp_dtype)a->dtype;
    }
    mp_spec spec = mp_spec_of(n->first);
    if (!mp_same_shape(a, &spec) || mp_array_device(a) != mp_array_device(n->first)) return false;
    n->by_ops |= mp_array_device(a) != MP_CPU || mp_requires_grad(a) || a->storage->pending;
    n->by_ops |= a->ndim && !(a->contiguous && a->dtype == n->common && mp_py_is_plain(a));
    return a->dtype == n->common || mp_promote(n->common, (mp_dtype)a->dtype, &n->common) == MP_OK;
}

static bool look_at_leaf(nest *n, PyObject *leaf) {
    n->leaves++;
    if (PyFloat_CheckExact(leaf)) n->floats = true;
    else if (PyBool_Check(leaf)) n->bools = true;
    else if (PyLong_CheckExact(leaf)) n->ints = true;
    else return mp_py_is_array(leaf) && look_at_array(n, mp_py_array_of(leaf));
    return true;
}

/* False where what lies at `depth` is not as n->shape says. */
static bool look(nest *n, PyObject *object, int depth) {
    if (depth == n->depth) return look_at_leaf(n, object);
    if (!is_nested(object) || PySequence_Fast_GET_SIZE(object) != n->shape[depth]) return false;
    PyObject **items = PySequence_Fast_ITEMS(object);
    for (int64_t i = 0; i < n->shape[depth]; i++)
        if (!look(n, items[i], depth + 1)) return false;
    return true;
}

/* The shape is that of the first of each level. */
static bool find_nest(nest *n, PyObject *object) {
    memset(n, 0, sizeof *n);
    for (PyObject *at = object; is_nested(at); at = PySequence_Fast_GET_ITEM(at, 0)) {
        if (n->depth == MP_MAX_DIMS) return false;
        n->shape[n->depth++] = PySequence_Fast_GET_SIZE(at);
        if (n->shape[n->depth - 1] == 0) break;
    }
    if (!look(n, object, 0)) return false;
    bool numbers = n->floats || n->ints || n->bools;
    return !n->first || (n->depth + n->first->ndim <= MP_MAX_DIMS && !(numbers && n->first->ndim));
}

/* Python numbers are weak beside arrays. */
static mp_dtype dtype_of(const nest *n) {
    mp_dtype numbers = n->floats   ? mp_default_float()
                       : n->ints   ? MP_INT64
                       : n->bools  ? MP_BOOL
                       : n->leaves ? MP_BOOL
                                   : mp_default_float();
    if (!n->first) return numbers;
    if (n->floats && !mp_is_float(n->common)) return numbers;
    return n->ints && n->common == MP_BOOL ? MP_INT64 : n->common;
}

/* Whether every leaf goes into `dtype` as NumPy would let it without a word. */
static bool takes_all(const nest *n, mp_dtype dtype) {
    char kind = mp_dtypes[dtype].kind, arrays = n->first ? mp_dtypes[n->common].kind : 'B';
    if (kind == 'F') return true;
    if (n->floats || arrays == 'F') return false;
    return kind == 'B' ? !n->ints && arrays == 'B' : true;
}

/* ---- filling: false, with no exception, where a number does not fit ---- */

static bool fill_int(PyObject *leaf, mp_dtype dtype, void *at) {
    int overflow, bits = mp_dtypes[dtype].bits;
    long long value = PyLong_AsLongLongAndOverflow(leaf, &overflow);
    if (overflow) return false;
    if (mp_dtypes[dtype].kind == 'U') {
        if (value < 0 || (bits < 64 && value >> bits)) return false;
    } else if (bits < 64 && value >> (bits - 1) != (value < 0 ? -1 : 0)) {
        return false;
    }
    mp_store_int(dtype, at, value);
    return true;
}

static bool fill_real(PyObject *leaf, mp_dtype dtype, void *at) {
    double value = PyFloat_CheckExact(leaf) ? PyFloat_AS_DOUBLE(leaf) : PyLong_AsDouble(leaf);
    if (value == -1 && PyErr_Occurred()) { /* an integer beyond all floats */
        PyErr_Clear();
        return false;
    }
    if (dtype == MP_FLOAT32) *(float *)at = (float)value;
    else mp_store_double(dtype, at, value);
    return true;
}

static bool fill_leaf(PyObject *leaf, mp_dtype dtype, void *at) {
    if (mp_py_is_array(leaf)) {
        const mp_array *a = mp_py_array_of(leaf);
        mp_dtype from = (mp_dtype)a->dtype;
        if (from == dtype) memcpy(at, mp_data(a), mp_dtypes[dtype].bytes);
        else if (mp_is_float(dtype)) mp_store_double(dtype, at, mp_load_double(from, mp_data(a)));
        else mp_store_int(dtype, at, mp_load_int(from, mp_data(a)));
        return true;
    }
    if (mp_is_float(dtype)) return fill_real(leaf, dtype, at);
    if (dtype != MP_BOOL) return fill_int(leaf, dtype, at);
    *(uint8_t *)at = leaf == Py_True;
    return true;
}

static bool fill(const nest *n, PyObject *object, int depth, mp_dtype dtype, char **at) {
    if (depth == n->depth) {
        char *here = *at;
        int64_t bytes = mp_dtypes[dtype].bytes * (n->first ? n->first->size : 1);
        *at += bytes;
        if (!n->first || !n->first->ndim) return fill_leaf(object, dtype, here);
        memcpy(here, mp_data(mp_py_array_of(object)), (size_t)bytes);
        return true;
    }
    PyObject **items = PySequence_Fast_ITEMS(object);
    for (int64_t i = 0; i < n->shape[depth]; i++)
        if (!fill(n, items[i], depth + 1, dtype, at)) return false;
    return true;
}

/* ---- joining ---- */

/* A leaf as a row of what is joined. */
static mp_status row_of(const nest *n, PyObject *leaf, mp_dtype dtype, mp_array **out) {
    int64_t shape[MP_MAX_DIMS] = {1};
    if (!mp_py_is_array(leaf)) {
        mp_spec spec = {.dtype = (int8_t)dtype, .ndim = 1, .shape = {1}};
        double value = PyFloat_CheckExact(leaf) ? PyFloat_AS_DOUBLE(leaf) : PyLong_AsDouble(leaf);
        PyErr_Clear();
        return mp_full(mp_array_device(n->first), &spec, value, out);
    }
    mp_array *a = mp_py_array_of(leaf);
    memcpy(shape + 1, a->shape, (size_t)a->ndim * sizeof *shape);
    if (a->ndim < MP_MAX_DIMS) return mp_reshape(a, a->ndim + 1, shape, out);
    return mp_fail(MP_ERR_VALUE, "%d dimensions are too many to be joined", a->ndim);
}

static mp_status rows_of(const nest *n, PyObject *object, int depth, mp_dtype dtype,
                         mp_array ***at) {
    if (depth == n->depth) {
        MP_TRY(row_of(n, object, dtype, *at));
        ++*at;
        return MP_OK;
    }
    if (PySequence_Fast_GET_SIZE(object) !=
        n->shape[depth]) /* an op let another thread change it */
        return mp_fail(MP_ERR_RUNTIME, "the list changed its size while it was read");
    for (int64_t i = 0; i < n->shape[depth]; i++)
        MP_TRY(rows_of(n, PySequence_Fast_GET_ITEM(object, i), depth + 1, dtype, at));
    return MP_OK;
}

static mp_status join_rows(const nest *n, mp_array *const *rows, mp_dtype dtype, mp_array **out) {
    mp_attrs attrs = mp_attrs_new();
    int64_t shape[MP_MAX_DIMS];
    mp_array *flat, *whole;
    MP_TRY(mp_op_call(MP_OP_concatenate, (int)n->leaves, rows, &attrs, &flat));
    int ndim = n->depth;
    memcpy(shape, n->shape, (size_t)ndim * sizeof *shape);
    for (int i = 0; i < n->first->ndim; i++) shape[ndim++] = n->first->shape[i];
    mp_status status = mp_reshape(flat, ndim, shape, &whole);
    mp_array_unref(flat);
    MP_TRY(status);
    status = mp_cast(whole, dtype, out);
    mp_array_unref(whole);
    return status;
}

/* Recorded, if a leaf requires grad. */
static mp_status join(const nest *n, PyObject *object, mp_dtype dtype, mp_array **out) {
    mp_array **rows = calloc((size_t)n->leaves, sizeof *rows), **end = rows;
    if (!rows) return mp_fail(MP_ERR_MEMORY, "memory: no room for %lld rows", (long long)n->leaves);
    mp_status status = rows_of(n, object, 0, dtype, &end);
    if (status == MP_OK) status = join_rows(n, rows, dtype, out);
    for (int64_t i = 0; i < n->leaves; i++) mp_array_unref(rows[i]);
    free(rows);
    return status;
}

/* ---- conversion ---- */

int mp_py_from_sequence(const char *op, PyObject *object, mp_dtype dtype, mp_array **out) {
    nest n;
    if (!is_nested(object) || !find_nest(&n, object)) return 0;
    if (dtype == MP_NO_DTYPE) dtype = dtype_of(&n);
    if (n.by_ops || (n.first && n.first->ndim && dtype != n.common)) {
        mp_status status = join(&n, object, dtype, out);
        if (status != MP_OK) mp_error_prefix(op);
        return mp_py_check(status) < 0 ? -1 : 1;
    }
    if (!takes_all(&n, dtype)) return 0;
    mp_spec spec = {.dtype = (int8_t)dtype, .ndim = (int8_t)n.depth};
    memcpy(spec.shape, n.shape, sizeof spec.shape);
    for (int i = 0; n.first && i < n.first->ndim; i++) spec.shape[spec.ndim++] = n.first->shape[i];
    if (mp_py_check(mp_array_new(MP_CPU, &spec, out)) < 0) return -1;
    char *at = mp_data(*out);
    if (fill(&n, object, 0, dtype, &at)) return 1;
    mp_array_clear(out);
    return 0;
}
