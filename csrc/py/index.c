/* Indexing: an index is read here, and integers, slices, None and Ellipsis make a view of it (the
 * rows slice and reshape where it is recorded), also to write through. */
#include "index.h"

#include <string.h>

/* ---- the items of an index ---- */

typedef enum item_kind {
    ITEM_INTEGER,
    ITEM_SLICE,
    ITEM_NEW,
    ITEM_ELLIPSIS,
    ITEM_ARRAY, /* of integers, or a mask of at least one axis */
    ITEM_TRUTH, /* a 0-d mask */
} item_kind;

typedef struct item {
    item_kind kind;
    PyObject *slice; /* borrowed */
    mp_array *array; /* a reference, or NULL */
    int64_t value;   /* of an integer or a truth */
} item;

enum { MOST_ITEMS = 32 };
typedef struct item_list {
    item items[MOST_ITEMS];
    int n, used, ellipses; /* used: axes that they name */
    bool fancy;            /* there are arrays or truths */
} item_list;

static void close_items(item_list *list) {
    for (int i = 0; i < list->n; i++) mp_array_unref(list->items[i].array);
}

static int not_an_index(PyObject *object) {
    PyErr_Format(PyExc_IndexError,
                 "index: a %.100s is not an index; integers, slices, ..., None and arrays of "
                 "integers or bools are",
                 Py_TYPE(object)->tp_name);
    return -1;
}

static int read_integer(PyObject *object, item *to) {
    to->kind = ITEM_INTEGER;
    if (mp_py_int("index", "an index", object, &to->value) == 0) return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) return not_an_index(object);
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_SetString(PyExc_IndexError, "index: an index does not fit in 64 bits");
    return -1;
}

/* 0-d integers on the CPU are read; those on a device stay there. */
static int read_array(const mp_array *a, PyObject *object, item *to) {
    mp_array *array;
    if (mp_py_index_array(a, object, &array) < 0) return -1;
    bool here = mp_array_device(array) == MP_CPU, is_bool = array->dtype == MP_BOOL;
    to->kind = ITEM_ARRAY;
    to->array = array;
    if (array->ndim || (!here && !is_bool)) return 0;
    PyObject *number = mp_py_item(array);
    mp_array_clear(&to->array);
    if (!number) return -1;
    to->kind = is_bool ? ITEM_TRUTH : ITEM_INTEGER;
    int status = 0;
    if (is_bool) to->value = number == Py_True;
    else status = read_integer(number, to);
    Py_DECREF(number);
    return status;
}

static int read_item(const mp_array *a, PyObject *object, item *to) {
    to->array = NULL;
    if (PyLong_CheckExact(object)) return read_integer(object, to);
    if (PySlice_Check(object)) {
        to->kind = ITEM_SLICE;
        to->slice = object;
    } else if (object == Py_None) {
        to->kind = ITEM_NEW;
    } else if (object == Py_Ellipsis) {
        to->kind = ITEM_ELLIPSIS;
    } else if (PyBool_Check(object)) {
        to->kind = ITEM_TRUTH;
        to->value = object == Py_True;
    } else if (PyIndex_Check(object) && !mp_py_is_array(object) && !PyArray_Check(object)) {
        return read_integer(object, to);
    } else if (PyFloat_Check(object) || PyUnicode_Check(object) || PyBytes_Check(object)) {
        return not_an_index(object);
    } else {
        return read_array(a, object, to);
    }
    return 0;
}

static int axes_of(const item *i) {
    if (i->kind == ITEM_ARRAY) return i->array->dtype == MP_BOOL ? i->array->ndim : 1;
    return i->kind == ITEM_INTEGER || i->kind == ITEM_SLICE;
}

static int read_items(const mp_array *a, PyObject *index, item_list *list) {
    PyObject *const *objects = PyTuple_Check(index) ? &PyTuple_GET_ITEM(index, 0) : &index;
    Py_ssize_t n = PyTuple_Check(index) ? PyTuple_GET_SIZE(index) : 1;
    list->n = list->used = list->ellipses = 0;
    list->fancy = false;
    if (n > MOST_ITEMS) {
        PyErr_Format(PyExc_IndexError, "index: %zd indices for an array of %d dimensions", n,
                     a->ndim);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        item *to = &list->items[i];
        if (read_item(a, objects[i], to) < 0) return -1;
        list->n++;
        list->used += axes_of(to);
        list->ellipses += to->kind == ITEM_ELLIPSIS;
        list->fancy |= to->kind >= ITEM_ARRAY;
    }
    if (list->ellipses > 1)
        PyErr_Format(PyExc_IndexError, "index: %d ellipses, one is possible", list->ellipses);
    else if (list->used > a->ndim)
        PyErr_Format(PyExc_IndexError, "index: %d indices for an array of %d dimensions",
                     list->used, a->ndim);
    else return 0;
    return -1;
}

/* ---- from items to views and parts ---- */

/* Where the reading of an index is. */
typedef struct reader {
    const mp_array *a;
    mp_py_index *to;
    int axis, left_open; /* of a; axes that an ellipsis stands for */
    int kept;            /* axes of the selection that are a's or new */
    int run;   /* of neighbouring arrays and integers: 0 none yet, 1 open, 2 ended, 3 several */
    int truth; /* of the 0-d masks together; -1: there are none */
} reader;

static int out_of_range(int64_t i, int axis, int64_t extent) {
    PyErr_Format(PyExc_IndexError, "index: %lld is out of range for axis %d of size %lld",
                 (long long)i, axis, (long long)extent);
    return -1;
}

static int add_axis(mp_py_index *to, int64_t extent, int64_t stride) {
    if (to->ndim == MP_MAX_DIMS) {
        PyErr_Format(PyExc_ValueError, "index: the result has more than %d dimensions",
                     MP_MAX_DIMS);
        return -1;
    }
    to->shape[to->ndim] = extent;
    to->strides[to->ndim++] = stride;
    return 0;
}

static void cut_axis(reader *r, int64_t start, int64_t step, int64_t extent) {
    r->to->starts[r->axis] = start;
    r->to->steps[r->axis] = step;
    r->to->extents[r->axis++] = extent;
}

static int add_whole(reader *r) {
    int64_t extent = r->a->shape[r->axis], stride = r->a->strides[r->axis];
    cut_axis(r, 0, 1, extent);
    return add_axis(r->to, extent, stride);
}

static int add_integer(reader *r, int64_t i) {
    int64_t extent = r->a->shape[r->axis];
    if (i < -extent || i >= extent) return out_of_range(i, r->axis, extent);
    if (i < 0) i += extent;
    r->to->offset += i * r->a->strides[r->axis];
    r->to->reshapes = true;
    cut_axis(r, i, 1, 1);
    return 0;
}

static int add_slice(reader *r, PyObject *slice) {
    Py_ssize_t start, stop, step;
    int64_t whole = r->a->shape[r->axis], stride = r->a->strides[r->axis];
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return -1;
    Py_ssize_t n = PySlice_AdjustIndices((Py_ssize_t)whole, &start, &stop, step);
    if (start != 0 || n != whole || (step != 1 && n > 1)) r->to->whole = false;
    if (n > 0) r->to->offset += start * stride;
    cut_axis(r, start, step, n);
    r->kept++;
    return add_axis(r->to, n, n > 1 ? stride * step : stride);
}

/* Axes `axis` ... of a (of which the view has all) are counted through by an array. Takes it. */
static int add_part(reader *r, mp_array *array, int span, bool distinct) {
    mp_py_index *to = r->to;
    if (to->n_arrays == MP_PY_PARTS) {
        mp_array_unref(array);
        PyErr_Format(PyExc_IndexError, "index: more than %d arrays", MP_PY_PARTS);
        return -1;
    }
    int64_t *part = to->parts + 3 * to->n_arrays;
    part[0] = to->ndim;
    part[1] = distinct ? -1 - span : span;
    part[2] = r->axis;
    to->arrays[to->n_arrays++] = array;
    for (int i = 0; i < span; i++)
        if (add_whole(r) < 0) return -1;
    return 0;
}

static int add_array(reader *r, item *i) {
    mp_array *array = i->array, *positions;
    i->array = NULL;
    if (array->dtype != MP_BOOL) return add_part(r, array, 1, false);
    int span = array->ndim;
    if (mp_py_index_mask(r->a, r->axis, array, &positions) < 0) return -1;
    return add_part(r, positions, span, true);
}

/* Arrays, and integers beside arrays, stand where they are in the selection if all are neighbours,
 * else before its other axes. */
static void note_fancy(reader *r) {
    if (r->run == 0) r->to->place = r->kept;
    if (r->run == 2) r->to->place = 0;
    r->run = r->run == 0 ? 1 : r->run == 2 ? 3 : r->run;
}

static int add_item(reader *r, item *i, bool fancy) {
    bool separates = false;
    int status = 0;
    switch (i->kind) {
    case ITEM_INTEGER: status = add_integer(r, i->value); break;
    case ITEM_ARRAY: status = add_array(r, i); break;
    case ITEM_TRUTH: r->truth = r->truth != 0 && i->value; break;
    case ITEM_SLICE:
        separates = true;
        status = add_slice(r, i->slice);
        break;
    case ITEM_NEW:
        separates = r->to->reshapes = true;
        r->kept++;
        status = add_axis(r->to, 1, 0);
        break;
    case ITEM_ELLIPSIS:
        separates = true;
        r->kept += r->left_open;
        for (int k = 0; k < r->left_open && status == 0; k++) status = add_whole(r);
    }
    if (!fancy) return status;
    if (!separates) note_fancy(r);
    else if (r->run == 1) r->run = 2;
    return status;
}

/* 0-d masks are an axis of extent 1 or 0, with which arrays are broadcast. */
static int add_truth(reader *r) {
    mp_py_index *to = r->to;
    mp_array *positions;
    mp_spec spec = {.dtype = MP_INT64, .ndim = 1, .shape = {r->truth}};
    for (int k = 0; k < to->n_arrays && r->truth; k++)
        if (to->arrays[k]->ndim) return 0; /* an extent of 1 changes nothing */
    if (mp_py_check(mp_full(mp_array_device(r->a), &spec, 0, &positions)) < 0) return -1;
    int64_t *part = to->parts + 3 * to->n_arrays;
    if (add_part(r, positions, 0, false) < 0) return -1;
    part[0] = to->ndim; /* behind all others */
    return 0;
}

static int read_list(mp_array *a, item_list *list, mp_py_index *to) {
    reader r = {.a = a, .to = to, .left_open = a->ndim - list->used, .truth = -1};
    to->offset = a->offset;
    to->whole = true;
    bool views = false;
    for (int i = 0; i < list->n; i++) {
        if (add_item(&r, &list->items[i], list->fancy) < 0) return -1;
        views |= list->items[i].kind != ITEM_INTEGER;
    }
    while (r.axis < a->ndim) {
        if (add_whole(&r) < 0) return -1;
        views = true;
    }
    if (r.truth >= 0 && add_truth(&r) < 0) return -1;
    to->element = !views;
    if (to->reshapes) to->whole = false;
    return 0;
}

void mp_py_index_close(mp_py_index *index) {
    for (int k = 0; k < index->n_arrays; k++) mp_array_unref(index->arrays[k]);
}

int mp_py_index_read(mp_array *a, PyObject *index, mp_py_index *out) {
    item_list list;
    out->ndim = out->n_arrays = out->place = 0;
    out->reshapes = false;
    int status = read_items(a, index, &list);
    if (status == 0) status = read_list(a, &list, out);
    close_items(&list);
    if (status < 0) mp_py_index_close(out);
    return status;
}

/* One element of an array without gaps, by one op. */
static mp_status element_view(mp_array *a, const mp_py_index *index, mp_array **out) {
    mp_attrs attrs = mp_attrs_new();
    attrs.n_ints = 1;
    attrs.ints[0] = index->offset - a->offset;
    return mp_op1(MP_OP_as_strided, a, &attrs, out);
}

mp_status mp_py_index_view(mp_array *a, const mp_py_index *index, mp_array **out) {
    if (index->whole) {
        *out = mp_array_ref(a);
        return MP_OK;
    }
    if (mp_py_is_unrecorded(a))
        return mp_array_view(a, index->ndim, index->shape, index->strides, index->offset, out);
    if (index->element && a->contiguous) return element_view(a, index, out);
    mp_attrs attrs = mp_attrs_new();
    size_t n = (size_t)a->ndim;
    mp_array *sliced;
    memcpy(attrs.ints, index->starts, n * sizeof *attrs.ints);
    memcpy(attrs.ints + n, index->steps, n * sizeof *attrs.ints);
    memcpy(attrs.ints + 2 * n, index->extents, n * sizeof *attrs.ints);
    attrs.n_ints = (uint8_t)(3 * n);
    MP_TRY(mp_op1(MP_OP_slice, a, &attrs, &sliced));
    if (!index->reshapes) {
        *out = sliced;
        return MP_OK;
    }
    mp_status status = mp_reshape(sliced, index->ndim, index->shape, out);
    mp_array_unref(sliced);
    return status;
}

/* ---- get ---- */

/* An element is a value of its own; anything else without arrays is a view, of the whole too. */
static PyObject *get_basic(mp_array *a, mp_py_index *index) {
    mp_array *view = NULL, *copy = NULL;
    if (index->element && mp_py_reads_directly(a)) return mp_py_element(a, index->offset);
    index->whole = false;
    mp_status status = mp_py_index_view(a, index, &view);
    if (status != MP_OK || !index->element) return mp_py_result(status, view);
    status = mp_op1(MP_OP_copy, view, NULL, &copy);
    mp_array_unref(view);
    return status == MP_OK ? mp_py_wrap_value(copy) : mp_py_raise(status);
}

static PyObject *get(mp_array *a, PyObject *index) {
    mp_py_index read;
    mp_array *view;
    if (mp_py_index_read(a, index, &read) < 0) return NULL;
    PyObject *result = NULL;
    if (read.n_arrays == 0) {
        result = get_basic(a, &read);
    } else if (mp_py_check(mp_py_index_view(a, &read, &view)) == 0) {
        result = mp_py_index_get(view, &read);
        mp_array_unref(view);
    }
    mp_py_index_close(&read);
    return result;
}

PyObject *mp_py_get_item(PyObject *self, PyObject *index) {
    PyObject *result = NULL;
    mp_array *a = mp_py_array_of(self);
    if (mp_py_fast_get(a, index, &result)) return result;
    mp_array_ref(a); /* an index may run Python code */
    result = get(a, index);
    mp_array_unref(a);
    return result;
}

PyObject *mp_py_sequence_item(PyObject *self, Py_ssize_t i) {
    mp_array *a = mp_py_array_of(self);
    if (a->ndim == 1 && i >= 0 && mp_py_reads_directly(a)) {
        if (i < a->shape[0]) return mp_py_element(a, a->offset + i * a->strides[0]);
        PyErr_SetString(PyExc_IndexError, "index: out of range"); /* where iterations end */
        return NULL;
    }
    if (i < 0) { /* the length has been added already */
        PyErr_SetString(PyExc_IndexError, "index: out of range");
        return NULL;
    }
    PyObject *index = PyLong_FromSsize_t(i);
    PyObject *result = index ? mp_py_get_item(self, index) : NULL;
    Py_XDECREF(index);
    return result;
}

/* ---- set ---- */

/* `x[i:j] += v` ends in writing a view to where it lies: nothing is left to do. */
static bool is_the_view(const mp_array *a, const mp_array *view, PyObject *value) {
    if (!mp_py_is_array(value) || mp_py_is_unrecorded(a)) return false;
    const mp_array *given = mp_py_array_of(value), *base = given->base;
    bool fresh = base && base == (a->base ? a->base : a) && given->base_writes == base->writes;
    return fresh && mp_same_view(given, view);
}

static int set(mp_array *a, PyObject *index, PyObject *value) {
    mp_py_index read;
    mp_array *view;
    if (mp_py_index_read(a, index, &read) < 0) return -1;
    int status = read.n_arrays == 0 ? mp_py_fast_fill(a, &read, value) : 0;
    if (status == 0) status = mp_py_check(mp_py_index_view(a, &read, &view));
    if (status == 0) {
        if (read.n_arrays) status = mp_py_index_put(MP_OP_index_put, view, &read, value);
        else if (!is_the_view(a, view, value)) status = mp_py_assign("index", view, value);
        mp_array_unref(view);
    }
    mp_py_index_close(&read);
    return status < 0 ? -1 : 0;
}

int mp_py_set_item(PyObject *self, PyObject *index, PyObject *value) {
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "index: elements of an array cannot be deleted");
        return -1;
    }
    mp_array *a = mp_py_array_of(self);
    int done = mp_py_fast_set(a, index, value);
    if (done) return done < 0 ? -1 : 0;
    mp_array_ref(a);
    done = set(a, index, value);
    mp_array_unref(a);
    return done;
}

/* ---- add_at ---- */

static int add_to(mp_array *a, const mp_py_index *index, PyObject *value) {
    mp_array *view, *in[2];
    if (mp_py_check(mp_py_index_view(a, index, &view)) < 0) return -1;
    int status = 0;
    if (index->n_arrays) {
        status = mp_py_index_put(MP_OP_index_add, view, index, value);
    } else if ((status = mp_py_value_for("add_at", view, value, &in[1])) == 0) {
        in[0] = view;
        status = mp_py_check(mp_op_call_into(MP_OP_add, 2, in, NULL, view));
        mp_array_unref(in[1]);
    }
    mp_array_unref(view);
    return status;
}

PyDoc_STRVAR(add_at_doc,
             "add_at(x, index, value, /)\n--\n\n"
             "Adds to the elements of an index; to one that it names several times each value.\n\n"
             "Parameters\n----------\nx : ndarray\n    What is added to, in place.\n"
             "index : index\n    Anything that `x[index]` takes.\n"
             "value : array_like\n    Broadcast to `x[index]`.\n\n"
             "Returns\n-------\nndarray\n    `x`.");
static PyObject *add_at(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *a;
    mp_py_index index;
    if (mp_py_count("add_at", n, 3) < 0 || mp_py_want_array("add_at", "x", args[0], &a) < 0)
        return NULL;
    mp_array_ref(a); /* an index may run Python code */
    int status = mp_py_index_read(a, args[1], &index);
    if (status == 0) {
        status = add_to(a, &index, args[2]);
        mp_py_index_close(&index);
    }
    mp_array_unref(a);
    return status < 0 ? NULL : Py_NewRef(args[0]);
}

PyMethodDef mp_py_index_functions[] = {
    {"add_at", MP_PY_FAST(add_at), METH_FASTCALL, add_at_doc},
    {NULL, NULL, 0, NULL},
};
