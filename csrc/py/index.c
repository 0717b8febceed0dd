/* Indexing. Integers, slices, None and Ellipsis give views (the rows slice and reshape), also to
 * write through; one array of integers or bools gives a copy (the row take). */
#include "py.h"

#include <stdatomic.h>
#include <string.h>

/* What a basic index selects: a slice of every axis, then a reshape that drops and adds axes of
 * extent 1. */
typedef struct plan {
    int64_t starts[MP_MAX_DIMS], steps[MP_MAX_DIMS], extents[MP_MAX_DIMS];
    int ndim; /* of the result */
    int64_t shape[MP_MAX_DIMS];
    bool reshapes;
    PyObject *array; /* the one index that is an array (borrowed), or NULL */
    int array_axis;  /* of the result */
} plan;

static bool is_array_index(PyObject *item) {
    if (PyList_Check(item)) return true;
    if (PyArray_Check(item))
        return PyArray_NDIM((PyArrayObject *)item) || PyArray_ISBOOL((PyArrayObject *)item);
    return mp_py_is_array(item) &&
           (mp_py_array_of(item)->ndim || mp_py_array_of(item)->dtype == MP_BOOL);
}

static int add_axis(plan *p, int64_t extent) {
    if (p->ndim == MP_MAX_DIMS) {
        PyErr_Format(PyExc_ValueError, "index: the result has more than %d dimensions",
                     MP_MAX_DIMS);
        return -1;
    }
    p->shape[p->ndim++] = extent;
    return 0;
}

static int take_axis(plan *p, int axis, int64_t start, int64_t step, int64_t extent) {
    p->starts[axis] = start;
    p->steps[axis] = step;
    p->extents[axis] = extent;
    return 0;
}

static int add_whole_axis(plan *p, const mp_array *a, int axis) {
    take_axis(p, axis, 0, 1, a->shape[axis]);
    return add_axis(p, a->shape[axis]);
}

static int add_integer(plan *p, const mp_array *a, int axis, PyObject *item) {
    int64_t i;
    if (PyBool_Check(item) || mp_py_int("index", "an index", item, &i) < 0) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(
                PyExc_IndexError,
                "index: a %.100s is not an index; integers, slices, ..., None and arrays are",
                Py_TYPE(item)->tp_name);
        return -1;
    }
    int64_t extent = a->shape[axis];
    if (i < -extent || i >= extent) {
        PyErr_Format(PyExc_IndexError, "index: %lld is out of range for axis %d of size %lld",
                     (long long)i, axis, (long long)extent);
        return -1;
    }
    p->reshapes = true;
    return take_axis(p, axis, i < 0 ? i + extent : i, 1, 1);
}

static int add_slice(plan *p, const mp_array *a, int axis, PyObject *item) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(item, &start, &stop, &step) < 0) return -1;
    Py_ssize_t n = PySlice_AdjustIndices((Py_ssize_t)a->shape[axis], &start, &stop, step);
    take_axis(p, axis, start, step, n);
    return add_axis(p, n);
}

/* One item of the index; *axis moves on where it uses one. */
static int add_item(plan *p, const mp_array *a, int *axis, int left_open, PyObject *item) {
    if (item == Py_None) {
        p->reshapes = true;
        return add_axis(p, 1);
    }
    if (item == Py_Ellipsis) {
        for (int i = 0; i < left_open; i++)
            if (add_whole_axis(p, a, (*axis)++) < 0) return -1;
        return 0;
    }
    if (PySlice_Check(item)) return add_slice(p, a, (*axis)++, item);
    if (!is_array_index(item)) return add_integer(p, a, (*axis)++, item);
    p->array = item;
    p->array_axis = p->ndim;
    return add_whole_axis(p, a, (*axis)++);
}

/* Integers beside an array would have to be broadcast with it. */
static int check_arrays(PyObject *const *items, Py_ssize_t n) {
    int arrays = 0, integers = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (items[i] == Py_None || items[i] == Py_Ellipsis || PySlice_Check(items[i])) continue;
        if (is_array_index(items[i])) arrays++;
        else integers++;
    }
    if (arrays == 0 || (arrays == 1 && integers == 0)) return 0;
    PyErr_SetString(
        PyExc_IndexError,
        "index: an array of indices together with other arrays or integers is not supported; "
        "use mp.take along one axis after the other");
    return -1;
}

static int make_plan(plan *p, const mp_array *a, PyObject *index) {
    PyObject *const *items = PyTuple_Check(index) ? &PyTuple_GET_ITEM(index, 0) : &index;
    Py_ssize_t n = PyTuple_Check(index) ? PyTuple_GET_SIZE(index) : 1, used = 0, ellipses = 0;
    p->ndim = 0;
    p->reshapes = false;
    p->array = NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (items[i] == Py_Ellipsis) ellipses++;
        else if (items[i] != Py_None) used++;
    }
    if (used > a->ndim || ellipses > 1) {
        if (ellipses > 1)
            PyErr_Format(PyExc_IndexError, "index: %zd ellipses, one is possible", ellipses);
        else
            PyErr_Format(PyExc_IndexError, "index: %zd indices for an array of %d dimensions", used,
                         a->ndim);
        return -1;
    }
    if (check_arrays(items, n) < 0) return -1;
    int axis = 0, left_open = a->ndim - (int)used;
    for (Py_ssize_t i = 0; i < n; i++)
        if (add_item(p, a, &axis, left_open, items[i]) < 0) return -1;
    while (axis < a->ndim)
        if (add_whole_axis(p, a, axis++) < 0) return -1;
    return 0;
}

/* The view that a plan selects. */
static mp_status run_plan(const plan *p, mp_array *a, mp_array **out) {
    mp_attrs attrs = mp_attrs_new();
    size_t n = (size_t)a->ndim;
    mp_array *sliced;
    memcpy(attrs.ints, p->starts, n * sizeof *attrs.ints);
    memcpy(attrs.ints + n, p->steps, n * sizeof *attrs.ints);
    memcpy(attrs.ints + 2 * n, p->extents, n * sizeof *attrs.ints);
    attrs.n_ints = (uint8_t)(3 * n);
    MP_TRY(mp_op1(MP_OP_slice, a, &attrs, &sliced));
    if (!p->reshapes) {
        *out = sliced;
        return MP_OK;
    }
    mp_status status = mp_reshape(sliced, p->ndim, p->shape, out);
    mp_array_unref(sliced);
    return status;
}

/* ---- arrays as indices ---- */

/* Any array index as a NumPy array of integers or bools. */
static PyArrayObject *index_array(PyObject *item) {
    PyArrayObject *a =
        (PyArrayObject *)(mp_py_is_array(item) ? mp_py_numpy(mp_py_array_of(item))
                                               : PyArray_FromAny(item, NULL, 0, 0, 0, NULL));
    if (a && PyArray_SIZE(a) == 0 &&
        PyList_Check(item)) /* [] holds no integers, but nothing else either */
        Py_SETREF(a, (PyArrayObject *)PyArray_Cast(a, NPY_INT64));
    if (!a || PyArray_ISBOOL(a) || PyArray_ISINTEGER(a)) return a;
    PyErr_Format(PyExc_IndexError,
                 "index: an array of dtype %S is not an index, integers or bools are",
                 PyArray_DESCR(a));
    Py_DECREF(a);
    return NULL;
}

/* The flat positions of the true elements of a mask over the leading axes of x, or over one axis of
 * it. */
static int positions(PyArrayObject *mask, const int64_t *shape, int ndim, mp_array **out) {
    bool fits = PyArray_NDIM(mask) > 0 && PyArray_NDIM(mask) <= ndim;
    for (int i = 0; fits && i < PyArray_NDIM(mask); i++) fits = PyArray_DIM(mask, i) == shape[i];
    if (!fits) {
        int64_t own[NPY_MAXDIMS];
        for (int i = 0; i < PyArray_NDIM(mask); i++) own[i] = PyArray_DIM(mask, i);
        PyErr_Format(PyExc_IndexError, "index: the mask has shape %s, what it selects from has %s",
                     mp_shape_text(PyArray_NDIM(mask), own), mp_shape_text(ndim, shape));
        return -1;
    }
    PyObject *flat = PyArray_Ravel(mask, NPY_CORDER);
    PyObject *found = flat ? PyArray_Nonzero((PyArrayObject *)flat) : NULL;
    int status = found ? mp_py_from_numpy("index", (PyArrayObject *)PyTuple_GET_ITEM(found, 0),
                                          MP_PY_COPY_IF_NEEDED, out)
                       : -1;
    Py_XDECREF(flat);
    Py_XDECREF(found);
    return status;
}

/* x with its first `n` axes as one. */
static mp_status merge_axes(mp_array *x, int n, mp_array **out) {
    int64_t shape[MP_MAX_DIMS] = {1};
    for (int i = 0; i < n; i++) shape[0] *= x->shape[i];
    for (int i = n; i < x->ndim; i++) shape[i - n + 1] = x->shape[i];
    return mp_reshape(x, x->ndim - n + 1, shape, out);
}

/* x's elements at `indices` along an axis. */
static mp_status take(mp_array *x, mp_array *indices, int axis, mp_array **out) {
    mp_attrs attrs = mp_attrs_new();
    attrs.axis = axis;
    if (mp_array_device(x) == MP_CPU) return mp_op2(MP_OP_take, x, indices, &attrs, out);
    mp_array *there;
    MP_TRY(mp_array_to_device(indices, mp_array_device(x), &there));
    mp_status status = mp_op2(MP_OP_take, x, there, &attrs, out);
    mp_array_unref(there);
    return status;
}

/* The elements of x that an array of indices along `axis` selects. */
static PyObject *select_by_array(mp_array *x, PyObject *item, int axis) {
    PyArrayObject *index = index_array(item);
    if (!index) return NULL;
    mp_array *indices = NULL, *merged = NULL, *y = NULL;
    bool is_mask = PyArray_ISBOOL(index);
    int ndim = PyArray_NDIM(index), status;
    if (is_mask) status = positions(index, x->shape + axis, axis ? 1 : x->ndim, &indices);
    else status = mp_py_from_numpy("index", index, MP_PY_COPY_IF_NEEDED, &indices);
    Py_DECREF(index);
    if (status < 0) return NULL;
    mp_status made = MP_OK;
    if (is_mask && ndim > 1) made = merge_axes(x, ndim, &merged);
    if (made == MP_OK) made = take(merged ? merged : x, indices, axis, &y);
    mp_array_unref(merged);
    mp_array_unref(indices);
    return mp_py_result(made, y);
}

/* ---- get ---- */

/* A mask alone may span several axes, which a plan does not know. */
static bool is_whole_index(PyObject *index, PyObject **item) {
    *item =
        PyTuple_Check(index) && PyTuple_GET_SIZE(index) == 1 ? PyTuple_GET_ITEM(index, 0) : index;
    return is_array_index(*item);
}

PyObject *mp_py_get_item(PyObject *self, PyObject *index) {
    plan p;
    PyObject *item;
    mp_array *view;
    if (is_whole_index(index, &item) && mp_py_array_of(self)->ndim) {
        mp_array *x = mp_array_ref(mp_py_array_of(self));
        PyObject *result = select_by_array(x, item, 0);
        mp_array_unref(x);
        return result;
    }
    mp_array *a = mp_array_ref(mp_py_array_of(self)); /* an index may run Python code */
    mp_status status = MP_OK;
    int planned = make_plan(&p, a, index);
    if (planned == 0) status = run_plan(&p, a, &view);
    mp_array_unref(a);
    if (planned < 0) return NULL;
    if (status != MP_OK) return mp_py_raise(status);
    if (!p.array) return mp_py_wrap(view);
    PyObject *result = select_by_array(view, p.array, p.array_axis);
    mp_array_unref(view);
    return result;
}

PyObject *mp_py_sequence_item(PyObject *self, Py_ssize_t i) {
    PyObject *index = PyLong_FromSsize_t(i);
    PyObject *result = index ? mp_py_get_item(self, index) : NULL;
    Py_XDECREF(index);
    return result;
}

/* ---- set ---- */

int mp_py_assign(const char *op, mp_array *dst, PyObject *value) {
    mp_py_partner partner = {0};
    mp_array *src, *there;
    mp_py_meet(&partner, dst);
    if (dst->dtype == MP_BOOL && PyLong_Check(value))
        value = PyObject_IsTrue(value) ? Py_True : Py_False;
    if (mp_py_check_range(op, value, &partner) < 0) return -1;
    if (mp_py_input(op, "the value", value, &partner, &src) < 0) return -1;
    if (mp_array_device(src) != mp_array_device(dst)) {
        mp_status status = mp_array_to_device(src, mp_array_device(dst), &there);
        mp_array_unref(src);
        if (mp_py_check(status) < 0) return -1;
        src = there;
    }
    mp_status status = mp_array_assign(dst, src);
    mp_array_unref(src);
    return mp_py_check(status);
}

/* The index with arrays of ours as NumPy's. */
static PyObject *numpy_index(PyObject *index) {
    if (mp_py_is_array(index)) return mp_py_numpy(mp_py_array_of(index));
    if (!PyTuple_Check(index)) return Py_NewRef(index);
    Py_ssize_t n = PyTuple_GET_SIZE(index);
    PyObject *items = PyTuple_New(n);
    for (Py_ssize_t i = 0; items && i < n; i++) {
        PyObject *item = PyTuple_GET_ITEM(index, i);
        item = mp_py_is_array(item) ? mp_py_numpy(mp_py_array_of(item)) : Py_NewRef(item);
        if (!item) Py_CLEAR(items);
        else PyTuple_SET_ITEM(items, i, item);
    }
    return items;
}

/* Whether NumPy may write the elements: nothing records it. */
static int check_unrecorded(const mp_array *a, PyObject *value) {
    const char *why = NULL;
    bool value_has_grad = mp_py_is_array(value) && mp_requires_grad(mp_py_array_of(value));
    if (mp_array_device(a) != MP_CPU) why = "of an array on a GPU";
    else if (mp_grad_enabled() && (mp_requires_grad(a) || value_has_grad))
        why = "that would have to be recorded";
    if (!why) return 0;
    PyErr_Format(PyExc_NotImplementedError,
                 "index: a write %s at an array of indices is not implemented; use mp.where", why);
    return -1;
}

static int set_by_array(mp_array *a, PyObject *index, PyObject *value) {
    if (check_unrecorded(a, value) < 0) return -1;
    PyObject *view = mp_py_numpy_view(a, false), *items = view ? numpy_index(index) : NULL;
    PyObject *elements = NULL;
    if (items)
        elements = mp_py_is_array(value) ? mp_py_numpy(mp_py_array_of(value)) : Py_NewRef(value);
    int status = elements ? PyObject_SetItem(view, items, elements) : -1;
    if (status == 0) atomic_fetch_add(&a->storage->version, 1);
    Py_XDECREF(view);
    Py_XDECREF(items);
    Py_XDECREF(elements);
    return status;
}

static bool has_array_index(PyObject *index) {
    if (!PyTuple_Check(index)) return is_array_index(index);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(index); i++)
        if (is_array_index(PyTuple_GET_ITEM(index, i))) return true;
    return false;
}

int mp_py_set_item(PyObject *self, PyObject *index, PyObject *value) {
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "index: elements of an array cannot be deleted");
        return -1;
    }
    mp_array *a = mp_array_ref(mp_py_array_of(self)), *view;
    int status;
    if (has_array_index(index)) {
        status = set_by_array(a, index, value);
    } else {
        plan p;
        status = make_plan(&p, a, index);
        if (status == 0) status = mp_py_check(run_plan(&p, a, &view));
        if (status == 0) {
            status = mp_py_assign("index", view, value);
            mp_array_unref(view);
        }
    }
    mp_array_unref(a);
    return status;
}
