/* NumPy arrays in and out: memory is shared both ways on the CPU, and what lives outside is
 * counted. */
#include "py.h"

#include <stdatomic.h>
#include <string.h>

/* ---- exports: memory of ours that others may write ---- */

void mp_py_export_begin(mp_storage *storage) { atomic_fetch_add(&storage->exports, 1); }

/* The mark comes first: in between, the memory still counts as unwatched. */
void mp_py_export_end(mp_storage *storage) {
    atomic_store(&storage->export_ended, true);
    atomic_fetch_sub(&storage->exports, 1);
}

typedef struct export {
    PyObject_HEAD mp_storage *storage;
    bool writable;
}
export;

/* An object that keeps a storage and, if it may be written through, counts among its exports. */
static PyObject *new_export(mp_storage *storage, bool writable) {
    export *self = PyObject_New(export, mp_py->export);
    if (!self) return NULL;
    self->storage = mp_storage_ref(storage);
    self->writable = writable;
    if (writable) mp_py_export_begin(storage);
    return (PyObject *)self;
}

static void export_dealloc(PyObject *object) {
    export *self = (export *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->writable) mp_py_export_end(self->storage);
    mp_storage_unref(self->storage);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot export_slots[] = {
    {Py_tp_dealloc, export_dealloc},
    {Py_tp_doc, "Keeps memory alive that a NumPy array shows."},
    {0, NULL},
};
static PyType_Spec export_spec = {
    .name = "mixprec._core.export",
    .basicsize = sizeof(export),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = export_slots,
};

/* ---- out ---- */

static PyObject *array_over(mp_array *a, PyObject *base, bool writable) {
    npy_intp shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
    for (int i = 0; i < a->ndim; i++) {
        shape[i] = a->shape[i];
        strides[i] = a->strides[i] * mp_itemsize(a);
    }
    PyArray_Descr *descr = mp_py->descr[a->dtype];
    Py_INCREF(descr); /* taken by the next call */
    PyObject *view = PyArray_NewFromDescr(&PyArray_Type, descr, a->ndim, shape, strides, mp_data(a),
                                          writable ? NPY_ARRAY_WRITEABLE : 0, NULL);
    if (!view) {
        Py_DECREF(base);
        return NULL;
    }
    PyArray_UpdateFlags((PyArrayObject *)view,
                        NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_ALIGNED);
    if (PyArray_SetBaseObject((PyArrayObject *)view, base) < 0) Py_CLEAR(view);
    return view;
}

PyObject *mp_py_numpy_view(mp_array *a, bool exported) {
    if (mp_py_check(mp_array_settle(a)) < 0) return NULL;
    bool writable = !a->storage->read_only && !a->no_base_write;
    PyObject *base = new_export(a->storage, writable && exported);
    return base ? array_over(a, base, writable) : NULL;
}

PyObject *mp_py_numpy(mp_array *a) {
    if (mp_array_device(a) == MP_CPU) return mp_py_numpy_view(a, true);
    mp_array *here;
    if (mp_py_check(mp_array_to_device(a, MP_CPU, &here)) < 0) return NULL;
    PyObject *result = mp_py_numpy_view(here, true);
    mp_array_unref(here);
    return result;
}

/* ---- in ---- */

/* Whether strides are whole elements and the memory is aligned to them, as kernels want. */
static bool is_shareable(PyArrayObject *a) {
    npy_intp itemsize = PyArray_ITEMSIZE(a);
    if ((uintptr_t)PyArray_DATA(a) % (uintptr_t)itemsize) return false;
    for (int i = 0; i < PyArray_NDIM(a); i++)
        if (PyArray_STRIDE(a, i) % itemsize) return false;
    return true;
}

/* Over NumPy's own memory. The storage begins at the first byte that an element touches. */
static mp_status share(PyArrayObject *a, mp_dtype dtype, mp_array **out) {
    int ndim = PyArray_NDIM(a);
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS], low = 0, high = 0;
    bool repeats = false, empty = PyArray_SIZE(a) == 0, writable = PyArray_ISWRITEABLE(a);
    npy_intp itemsize = PyArray_ITEMSIZE(a);
    for (int i = 0; i < ndim; i++) {
        shape[i] = PyArray_DIM(a, i);
        strides[i] = PyArray_STRIDE(a, i) / itemsize;
        int64_t reach = empty ? 0 : (shape[i] - 1) * strides[i];
        *(reach < 0 ? &low : &high) += reach;
        repeats |= !empty && shape[i] > 1 && strides[i] == 0;
    }
    char *first = (char *)PyArray_DATA(a) + low * itemsize;
    size_t bytes = empty ? 0 : (size_t)((high - low + 1) * itemsize);
    mp_storage *storage;
    MP_TRY(mp_storage_wrap(MP_CPU, first, bytes, !writable, mp_py_drop, a, &storage));
    Py_INCREF(a);
    if (writable) mp_py_export_begin(storage); /* its owner may write at any time */
    mp_status status = mp_array_over(storage, dtype, ndim, shape, strides, -low, out);
    mp_storage_unref(storage);
    if (status == MP_OK) (*out)->no_base_write = repeats;
    return status;
}

/* Into memory of our own; NumPy knows how to read any strides. */
static int copy_in(PyArrayObject *a, mp_dtype dtype, mp_array **out) {
    mp_spec spec = {.dtype = (int8_t)dtype, .ndim = (int8_t)PyArray_NDIM(a)};
    for (int i = 0; i < spec.ndim; i++) spec.shape[i] = PyArray_DIM(a, i);
    if (mp_py_check(mp_array_new(MP_CPU, &spec, out)) < 0) return -1;
    PyObject *view = mp_py_numpy_view(*out, false);
    int status = view ? PyArray_CopyInto((PyArrayObject *)view, a) : -1;
    Py_XDECREF(view);
    if (status < 0) mp_array_clear(out);
    return status;
}

int mp_py_from_numpy(const char *op, PyArrayObject *a, int copy, mp_array **out) {
    mp_dtype dtype;
    if (mp_py_dtype_of_descr(op, PyArray_DESCR(a), &dtype) < 0) return -1;
    if (PyArray_NDIM(a) > MP_MAX_DIMS) {
        PyErr_Format(PyExc_ValueError, "%s: the array has %d dimensions, at most %d are possible",
                     op, PyArray_NDIM(a), MP_MAX_DIMS);
        return -1;
    }
    bool shareable = is_shareable(a);
    if (copy == MP_PY_COPY_ALWAYS || (copy == MP_PY_COPY_IF_NEEDED && !shareable))
        return copy_in(a, dtype, out);
    if (shareable) return mp_py_check(share(a, dtype, out));
    PyErr_Format(PyExc_ValueError,
                 "%s: strides or memory of the array are not whole elements of %zd bytes; it can "
                 "only be copied",
                 op, (Py_ssize_t)PyArray_ITEMSIZE(a));
    return -1;
}

int mp_py_numpy_init(PyObject *module) {
    PyObject *narrow = PyImport_ImportModule("ml_dtypes");
    if (!narrow) return -1;
    for (int t = 0; t < MP_DTYPE_COUNT; t++) {
        PyObject *type =
            PyObject_GetAttrString(narrow, mp_dtypes[t].name); /* NumPy's own are not there */
        if (!type) {
            PyErr_Clear();
            type = PyUnicode_FromString(mp_dtypes[t].name);
        }
        int found = type ? PyArray_DescrConverter(type, &mp_py->descr[t]) : 0;
        Py_XDECREF(type);
        if (found) continue;
        Py_DECREF(narrow);
        return -1;
    }
    Py_DECREF(narrow);
    mp_py->export = (PyTypeObject *)PyType_FromModuleAndSpec(module, &export_spec, NULL);
    if (!mp_py->export) return -1;
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (!numpy) return -1;
    mp_py->array2string = PyObject_GetAttrString(numpy, "array2string");
    Py_DECREF(numpy);
    return mp_py->array2string ? 0 : -1;
}
