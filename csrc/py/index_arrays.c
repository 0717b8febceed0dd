/* Arrays as indices: what stands for one, the positions of masks, and the rows index, index_put and
 * index_add on a view. Arrays stay on their device; only the number of a mask's elements is waited
 * for. */
#include "index.h"

#include <string.h>

/* ---- arrays ---- */

/* Any other index as a NumPy array of integers or bools. */
static PyArrayObject *numpy_index(PyObject *item) {
    PyArrayObject *a = (PyArrayObject *)PyArray_FromAny(item, NULL, 0, 0, 0, NULL);
    if (!a) {
        mp_py_error_name("index");
        return NULL;
    }
    if (PyArray_SIZE(a) == 0 && !PyArray_Check(item)) /* [] holds no integers, but nothing else */
        Py_SETREF(a, (PyArrayObject *)PyArray_Cast(a, NPY_INT64));
    if (!a || PyArray_ISBOOL(a) || PyArray_ISINTEGER(a)) return a;
    PyErr_Format(PyExc_IndexError,
                 "index: an array of dtype %S is not an index, integers or bools are",
                 PyArray_DESCR(a));
    Py_DECREF(a);
    return NULL;
}

/* What backward keeps must not change with NumPy's array. */
static int from_numpy(const mp_array *a, PyArrayObject *item, mp_array **out) {
    bool kept = mp_grad_enabled() && mp_requires_grad(a);
    return mp_py_from_numpy("index", item, kept ? MP_PY_COPY_ALWAYS : MP_PY_COPY_IF_NEEDED, out);
}

/* Takes the array where it is an index. */
static int check_kind(mp_array **array) {
    if (!mp_is_float((mp_dtype)(*array)->dtype)) return 0;
    PyErr_Format(PyExc_IndexError,
                 "index: an array of dtype %s is not an index, integers or bools are",
                 mp_dtypes[(*array)->dtype].name);
    mp_array_clear(array);
    return -1;
}

/* A list that holds an array of another device than the CPU: NumPy cannot read it. */
static bool holds_distant(PyObject *item) {
    if (!PyList_Check(item)) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(item); i++) {
        PyObject *each = PyList_GET_ITEM(item, i);
        if (mp_py_is_array(each) && mp_array_device(mp_py_array_of(each)) != MP_CPU) return true;
    }
    return false;
}

int mp_py_index_array(const mp_array *a, PyObject *item, mp_array **out) {
    if (mp_py_is_array(item)) {
        *out = mp_array_ref(mp_py_array_of(item));
        return check_kind(out);
    }
    if (holds_distant(item)) {
        int found = mp_py_from_sequence("index", item, MP_NO_DTYPE, out);
        if (found == 0) PyErr_SetString(PyExc_IndexError, "index: the list is not an index");
        return found > 0 ? check_kind(out) : -1;
    }
    PyArrayObject *array = numpy_index(item);
    if (!array) return -1;
    int status = from_numpy(a, array, out);
    Py_DECREF(array);
    return status;
}

/* The same on a's device. Takes it. */
static int bring(const mp_array *a, mp_array **array) {
    mp_array *there;
    if (mp_array_device(*array) == mp_array_device(a)) return 0;
    mp_status status = mp_array_to_device(*array, mp_array_device(a), &there);
    mp_array_unref(*array);
    *array = status == MP_OK ? there : NULL;
    return mp_py_check(status);
}

/* ---- masks ---- */

/* An extent of 0 fits any other: such a mask selects nothing. */
static int check_mask(const mp_array *a, int axis, const mp_array *mask) {
    bool fits = true;
    for (int i = 0; i < mask->ndim; i++)
        fits &= mask->shape[i] == a->shape[axis + i] || mask->shape[i] == 0;
    if (fits) return 0;
    PyErr_Format(PyExc_IndexError, "index: the mask has shape %s, what it selects from has %s",
                 mp_shape_text(mask->ndim, mask->shape),
                 mp_shape_text(mask->ndim, a->shape + axis));
    return -1;
}

/* The number of true elements; waits for a device. */
static mp_status count_true(mp_array *mask, int64_t *out) {
    mp_attrs attrs = mp_attrs_new();
    mp_array *sum, *here;
    attrs.n_ints = MP_ALL;
    MP_TRY(mp_op1(MP_OP_sum, mask, &attrs, &sum));
    mp_status status = mp_array_to_device(sum, MP_CPU, &here);
    mp_array_unref(sum);
    MP_TRY(status);
    *out = mp_load_int((mp_dtype)here->dtype, mp_data(here));
    mp_array_unref(here);
    return MP_OK;
}

int mp_py_index_mask(const mp_array *a, int axis, mp_array *mask, mp_array **out) {
    mp_attrs attrs = mp_attrs_new();
    int status = check_mask(a, axis, mask);
    if (status == 0) status = bring(a, &mask);
    if (status == 0) status = mp_py_check(count_true(mask, &attrs.count));
    if (status == 0) status = mp_py_check(mp_op1(MP_OP_nonzero, mask, &attrs, out));
    mp_array_unref(mask);
    return status;
}

/* ---- the rows ---- */

static mp_attrs attributes(const mp_py_index *index) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = index->place;
    attrs.n_ints = (uint8_t)(3 * index->n_arrays);
    memcpy(attrs.ints, index->parts, attrs.n_ints * sizeof *attrs.ints);
    return attrs;
}

/* What users wrote is an index, whatever row it came to: errors begin with that. */
static int check_named(mp_status status) {
    char text[512];
    if (status == MP_OK) return 0;
    const char *fact = strstr(mp_error_text(), ": ");
    PyOS_snprintf(text, sizeof text, "%s", fact ? fact + 2 : mp_error_text());
    mp_fail(status, "%s", text);
    mp_error_prefix("index");
    return mp_py_check(status);
}

/* The arrays behind `first` inputs, on the view's device: what was moved is in `moved`. */
static mp_status fill_inputs(const mp_array *view, const mp_py_index *index, int first,
                             mp_array **in, mp_array **moved) {
    for (int k = 0; k < index->n_arrays; k++) {
        in[first + k] = index->arrays[k];
        if (mp_array_device(in[first + k]) == mp_array_device(view)) continue;
        MP_TRY(mp_array_to_device(in[first + k], mp_array_device(view), &moved[k]));
        in[first + k] = moved[k];
    }
    return MP_OK;
}

static void drop_moved(mp_array **moved) {
    for (int k = 0; k < MP_PY_PARTS; k++) mp_array_unref(moved[k]);
}

PyObject *mp_py_index_get(mp_array *view, const mp_py_index *index) {
    mp_array *in[1 + MP_PY_PARTS] = {view}, *moved[MP_PY_PARTS] = {NULL}, *y = NULL;
    mp_attrs attrs = attributes(index);
    mp_status status = fill_inputs(view, index, 1, in, moved);
    if (status == MP_OK) status = mp_op_call(MP_OP_index, 1 + index->n_arrays, in, &attrs, &y);
    drop_moved(moved);
    return check_named(status) < 0 ? NULL : mp_py_wrap(y);
}

/* NumPy drops leading axes of extent 1 of what is assigned. */
static mp_status drop_leading(mp_array **value, int ndim) {
    while ((*value)->ndim > ndim && (*value)->shape[0] == 1) {
        mp_array *fewer;
        MP_TRY(mp_reshape(*value, (*value)->ndim - 1, (*value)->shape + 1, &fewer));
        mp_array_unref(*value);
        *value = fewer;
    }
    return MP_OK;
}

/* Dimensions of the selection. */
static int selected_ndim(const mp_array *view, const mp_py_index *index) {
    int rest = view->ndim, wide = 0;
    for (int k = 0; k < index->n_arrays; k++) {
        int64_t span = index->parts[3 * k + 1];
        rest -= (int)(span < 0 ? -1 - span : span);
        if (index->arrays[k]->ndim > wide) wide = index->arrays[k]->ndim;
    }
    return rest + wide;
}

int mp_py_index_put(mp_op op, mp_array *view, const mp_py_index *index, PyObject *value) {
    mp_array *in[2 + MP_PY_PARTS] = {view}, *moved[MP_PY_PARTS] = {NULL};
    mp_attrs attrs = attributes(index);
    if (mp_py_value_for("index", view, value, &in[1]) < 0) return -1;
    mp_status status = drop_leading(&in[1], selected_ndim(view, index));
    if (status == MP_OK) status = fill_inputs(view, index, 2, in, moved);
    if (status == MP_OK) status = mp_op_call_into(op, 2 + index->n_arrays, in, &attrs, view);
    mp_array_unref(in[1]);
    drop_moved(moved);
    return check_named(status);
}
