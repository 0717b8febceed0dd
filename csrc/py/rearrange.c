/* Short ways of functions that take arrays apart and put them together: views that an op would
 * make, joins, differences, counts. See short.c. */
#include <string.h>

#include "index.h"

/* The only argument, an array on which ops would do no more than their work. */
static mp_array *plain_array(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    return x && mp_py_is_plain(x) ? x : NULL;
}

static PyObject *view_of(mp_array *x, int ndim, const int64_t *shape, const int64_t *strides,
                         int64_t offset) {
    mp_array *y;
    mp_status status = mp_array_view(x, ndim, shape, strides, offset, &y);
    return mp_py_result(status, y);
}

/* ---- views ---- */

/* squeeze(x) */
static PyObject *squeeze(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = plain_array(args, n, names);
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
    int ndim = 0;
    if (!x || n != 1) return NULL;
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1) continue;
        shape[ndim] = x->shape[i];
        strides[ndim++] = x->strides[i];
    }
    return view_of(x, ndim, shape, strides, x->offset);
}

/* x itself, or with axes of extent 1 before the others */
static PyObject *at_least(int wanted, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = mp_py_only_array(args, n, names);
    int64_t shape[2] = {1, 1}, strides[2] = {1, 1};
    if (!x || n != 1) return NULL;
    if (x->ndim >= wanted) return Py_NewRef(args[0]);
    if (!mp_py_is_plain(x)) return NULL;
    if (x->ndim == 1) {
        shape[1] = strides[0] = x->shape[0];
        strides[1] = x->strides[0];
    }
    return view_of(x, wanted, shape, strides, x->offset);
}

static PyObject *atleast_1d(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return at_least(1, args, n, names);
}
static PyObject *atleast_2d(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return at_least(2, args, n, names);
}

/* flip(x, axis=None) */
static PyObject *flip(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = plain_array(args, n, names);
    int64_t strides[MP_MAX_DIMS], axis = -1, offset;
    if (!x || n > 2 || x->size == 0) return NULL;
    if (n == 2) {
        if (!mp_py_short_int(args[1], &axis)) return NULL;
        if (axis < 0) axis += x->ndim;
        if (axis < 0 || axis >= x->ndim) return NULL;
    }
    offset = x->offset;
    for (int i = 0; i < x->ndim; i++) {
        bool turned = n == 1 || i == axis;
        strides[i] = turned ? -x->strides[i] : x->strides[i];
        if (turned) offset += (x->shape[i] - 1) * x->strides[i];
    }
    return view_of(x, x->ndim, x->shape, strides, offset);
}

/* ---- through views ---- */

/* trace(a) of a matrix */
static PyObject *trace(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *a = plain_array(args, n, names), *diagonal, *y = NULL;
    mp_attrs attrs = mp_attrs_new();
    if (!a || n != 1 || a->ndim != 2) return NULL;
    int64_t count = a->shape[0] < a->shape[1] ? a->shape[0] : a->shape[1];
    int64_t stride = a->strides[0] + a->strides[1];
    mp_status status = mp_array_view(a, 1, &count, &stride, a->offset, &diagonal);
    if (status != MP_OK) return mp_py_raise(status);
    attrs.n_ints = MP_ALL;
    status = mp_op1(MP_OP_sum, diagonal, &attrs, &y);
    mp_array_unref(diagonal);
    return mp_py_value_result(status, y);
}

/* diff(x), along the last axis */
static PyObject *diff(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = plain_array(args, n, names), *ends[2] = {NULL}, *y = NULL;
    int64_t shape[MP_MAX_DIMS];
    if (!x || n != 1 || x->ndim == 0 || x->dtype == MP_BOOL) return NULL;
    int last = x->ndim - 1;
    if (x->shape[last] < 2) return NULL;
    memcpy(shape, x->shape, sizeof shape);
    shape[last]--;
    mp_status status =
        mp_array_view(x, x->ndim, shape, x->strides, x->offset + x->strides[last], &ends[0]);
    if (status == MP_OK) status = mp_array_view(x, x->ndim, shape, x->strides, x->offset, &ends[1]);
    if (status == MP_OK) status = mp_op2(MP_OP_sub, ends[0], ends[1], NULL, &y);
    mp_array_unref(ends[0]);
    mp_array_unref(ends[1]);
    return mp_py_result(status, y);
}

/* repeat(x, repeats) of a vector */
static PyObject *repeat(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *x = plain_array(args, n, names), *wide, *copy = NULL, *y = NULL;
    int64_t repeats;
    if (!x || n != 2 || x->ndim != 1 || !mp_py_short_int(args[1], &repeats)) return NULL;
    if (repeats < 1 || x->size > INT32_MAX || repeats > INT32_MAX) return NULL;
    int64_t shape[2] = {x->size, repeats}, strides[2] = {x->strides[0], 0};
    int64_t count = x->size * repeats;
    mp_status status = mp_array_view(x, 2, shape, strides, x->offset, &wide);
    if (status != MP_OK) return mp_py_raise(status);
    status = mp_op1(MP_OP_copy, wide, NULL, &copy);
    if (status == MP_OK) status = mp_reshape(copy, 1, &count, &y);
    mp_array_unref(wide);
    mp_array_unref(copy);
    return mp_py_result(status, y);
}

/* ---- joins ---- */

/* concatenate(arrays, axis=0) of a few arrays in a list or tuple */
static PyObject *concatenate(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    enum { FEW = 16 };
    mp_array *in[FEW], *y = NULL;
    mp_attrs attrs = mp_attrs_new();
    if (n < 1 || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0]))) return NULL;
    if (names && (n > 1 || PyTuple_GET_SIZE(names) > 1 ||
                  PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "axis")))
        return NULL;
    if (n > 2 || ((n == 2 || names) && !mp_py_short_int(args[1], &attrs.axis))) return NULL;
    PyObject **items = PySequence_Fast_ITEMS(args[0]);
    Py_ssize_t count = PySequence_Fast_GET_SIZE(args[0]);
    if (count < 1 || count > FEW) return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!mp_py_is_array(items[i])) return NULL;
        in[i] = mp_array_ref(mp_py_array_of(items[i])); /* another thread may change the list */
    }
    mp_status status = mp_op_call(MP_OP_concatenate, (int)count, in, &attrs, &y);
    for (Py_ssize_t i = 0; i < count; i++) mp_array_unref(in[i]);
    return mp_py_result(status, y);
}

/* ---- counts ---- */

/* The greatest element of x, if it is above *most; false where one is negative. */
static bool find_most(const mp_array *x, int64_t *most) {
    const int64_t *at = mp_data(x);
    for (int64_t i = 0; i < x->size; i++) {
        if (at[i * x->strides[0]] < 0) return false;
        if (at[i * x->strides[0]] > *most) *most = at[i * x->strides[0]];
    }
    return true;
}

/* A vector in memory that can be read as it is. */
static const mp_array *readable(PyObject *object) {
    if (!mp_py_is_array(object)) return NULL;
    const mp_array *a = mp_py_array_of(object);
    return a->ndim == 1 && mp_array_device(a) == MP_CPU && mp_py_is_plain(a) ? a : NULL;
}

static void counted(const mp_array *x, int64_t *counts) {
    const int64_t *at = mp_data(x);
    for (int64_t i = 0; i < x->size; i++) counts[at[i * x->strides[0]]]++;
}

/* Sums of weights, as NumPy makes them. */
static void weighed(const mp_array *x, const mp_array *weights, double *sums) {
    const int64_t *at = mp_data(x);
    bool narrow = weights->dtype == MP_FLOAT32;
    const float *floats = mp_data(weights);
    const double *doubles = mp_data(weights);
    for (int64_t i = 0; i < x->size; i++) {
        int64_t j = i * weights->strides[0];
        sums[at[i * x->strides[0]]] += narrow ? (double)floats[j] : doubles[j];
    }
}

static PyObject *count_elements(const mp_array *x, const mp_array *weights, int64_t length) {
    mp_dtype dtype = weights ? MP_FLOAT64 : MP_INT64;
    mp_spec spec = {.dtype = (int8_t)dtype, .ndim = 1, .shape = {length}};
    mp_array *wide, *y = NULL;
    mp_status status = mp_array_new(MP_CPU, &spec, &wide);
    if (status != MP_OK) return mp_py_raise(status);
    memset(mp_data(wide), 0, (size_t)length * 8);
    if (weights) weighed(x, weights, mp_data(wide));
    else counted(x, mp_data(wide));
    status = mp_cast(wide, weights ? (mp_dtype)weights->dtype : dtype, &y);
    mp_array_unref(wide);
    return mp_py_result(status, y);
}

/* bincount(x, weights=None, minlength=0) of int64, weights in float32 or float64 */
static PyObject *bincount(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    static const char *const known[2] = {"weights", "minlength"};
    const mp_array *x = n > 0 ? readable(args[0]) : NULL, *weights = NULL;
    PyObject *given[2] = {n > 1 ? args[1] : NULL, n > 2 ? args[2] : NULL};
    int64_t most = -1, least = 0;
    if (!x || n > 3 || x->dtype != MP_INT64) return NULL;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int k = PyUnicode_CompareWithASCIIString(name, known[0]) != 0;
        if (given[k] || PyUnicode_CompareWithASCIIString(name, known[k])) return NULL;
        given[k] = args[n + i];
    }
    if (given[0] && given[0] != Py_None) {
        weights = readable(given[0]);
        if (!weights || weights->size != x->size) return NULL;
        if (weights->dtype != MP_FLOAT32 && weights->dtype != MP_FLOAT64) return NULL;
    }
    if (given[1] && (!mp_py_short_int(given[1], &least) || least < 0)) return NULL;
    if (!find_most(x, &most)) return NULL;
    return count_elements(x, weights, most + 1 > least ? most + 1 : least);
}

/* nonzero(mask) and where(mask) of a vector of bools */
static PyObject *nonzero(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    mp_array *mask = mp_py_only_array(args, n, names), *places;
    if (!mask || n != 1 || mask->ndim != 1 || mask->dtype != MP_BOOL) return NULL;
    if (mp_py_index_mask(mask, 0, mp_array_ref(mask), &places) < 0) return NULL;
    PyObject *item = mp_py_wrap(places), *result = item ? PyTuple_Pack(1, item) : NULL;
    Py_XDECREF(item);
    return result;
}

const mp_py_way mp_py_rearrange_ways[] = {
    {"squeeze", squeeze},
    {"atleast_1d", atleast_1d},
    {"atleast_2d", atleast_2d},
    {"flip", flip},
    {"trace", trace},
    {"diff", diff},
    {"repeat", repeat},
    {"concatenate", concatenate},
    {"bincount", bincount},
    {"nonzero", nonzero},
    {NULL, NULL},
};
