/* Copies of arrays: copy, deepcopy, pickle. A leaf's copy is a leaf of the same class with memory
 * of its own. */
#include "py.h"

#include <string.h>

static PyObject *attributes_of(PyObject *self) {
    if (Py_TYPE(self) == mp_py->ndarray) return Py_NewRef(Py_None); /* has none */
    PyObject *attributes = PyObject_GetAttrString(self, "__dict__");
    if (!attributes) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    if (PyDict_Check(attributes) && PyDict_GET_SIZE(attributes) == 0)
        Py_SETREF(attributes, Py_NewRef(Py_None));
    return attributes;
}

/* Takes the attributes, which may be NULL after an error. */
static int set_attributes(PyObject *object, PyObject *attributes) {
    if (!attributes) return -1;
    int status = 0;
    if (attributes != Py_None) {
        PyObject *own = PyObject_GetAttrString(object, "__dict__");
        status = own ? PyDict_Update(own, attributes) : -1;
        Py_XDECREF(own);
    }
    Py_DECREF(attributes);
    return status;
}

/* A leaf like self with memory of its own. Takes the attributes. */
static PyObject *copy_leaf(PyObject *self, PyObject *attributes, bool with_grad) {
    mp_array *a = mp_py_array_of(self), *copy = NULL, *grad = NULL, *grad_copy = NULL;
    mp_leaf *leaf = a->edge.leaf;
    mp_status status = attributes ? mp_array_copy(a, &copy) : MP_OK;
    if (copy && leaf) {
        status = mp_array_make_leaf(copy);
        if (status == MP_OK) status = mp_array_set_requires_grad(copy, leaf->requires_grad);
        if (status == MP_OK && with_grad) status = mp_leaf_grad(leaf, &grad);
        if (status == MP_OK && grad) status = mp_array_copy(grad, &grad_copy);
        if (status == MP_OK && grad) mp_leaf_set_grad(copy->edge.leaf, grad_copy);
        mp_array_unref(grad);
        mp_array_unref(grad_copy);
    }
    if (!attributes || status != MP_OK) {
        mp_array_unref(copy);
        Py_XDECREF(attributes);
        return attributes ? mp_py_raise(status) : NULL;
    }
    PyObject *object = mp_py_wrap_as(Py_TYPE(self), copy);
    if (!object) Py_DECREF(attributes);
    else if (set_attributes(object, attributes) < 0) Py_CLEAR(object);
    return object;
}

PyObject *mp_py_method_copy(PyObject *self, PyObject *unused) {
    (void)unused;
    mp_array *a = mp_py_array_of(self), *y = NULL;
    if (!a->edge.node) return copy_leaf(self, attributes_of(self), false);
    mp_status status = mp_op1(MP_OP_copy, a, NULL, &y);
    return mp_py_value_result(status, y);
}

static PyObject *deep_attributes(PyObject *self, PyObject *memo) {
    PyObject *attributes = attributes_of(self);
    if (!attributes || attributes == Py_None) return attributes;
    PyObject *module = PyImport_ImportModule("copy");
    PyObject *copied =
        module ? PyObject_CallMethod(module, "deepcopy", "OO", attributes, memo) : NULL;
    Py_XDECREF(module);
    Py_DECREF(attributes);
    return copied;
}

PyObject *mp_py_method_deepcopy(PyObject *self, PyObject *memo) {
    mp_array *a = mp_py_array_of(self);
    if (a->edge.node) {
        PyErr_Format(
            PyExc_RuntimeError,
            "deepcopy: the array is a result of %s; only leaves can be copied, use detach()",
            mp_node_name(a->edge.node));
        return NULL;
    }
    PyObject *key = PyLong_FromVoidPtr(self);
    PyObject *known = key && PyDict_Check(memo) ? PyDict_GetItemWithError(memo, key) : NULL, *copy;
    if (known) copy = Py_NewRef(known);
    else copy = PyErr_Occurred() ? NULL : copy_leaf(self, deep_attributes(self, memo), true);
    if (copy && !known && PyDict_Check(memo) && PyDict_SetItem(memo, key, copy) < 0) Py_CLEAR(copy);
    Py_XDECREF(key);
    return copy;
}

/* ---- pickle ---- */

/* The elements in C order, as bytes. */
static PyObject *bytes_of(mp_array *a) {
    mp_array *here = NULL, *dense = NULL;
    mp_status status = mp_array_settle(a);
    if (status == MP_OK) status = mp_array_to_device(a, MP_CPU, &here);
    if (status == MP_OK) status = mp_array_contiguous(here, &dense);
    PyObject *bytes = NULL;
    if (status == MP_OK)
        bytes =
            PyBytes_FromStringAndSize(mp_data(dense), (Py_ssize_t)dense->size * mp_itemsize(dense));
    else mp_py_raise(status);
    mp_array_unref(here);
    mp_array_unref(dense);
    return bytes;
}

PyObject *mp_py_method_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    mp_array *a = mp_py_array_of(self);
    if (a->edge.node) {
        PyErr_Format(PyExc_RuntimeError,
                     "pickle: the array is a result of %s; only leaves can be saved, use detach()",
                     mp_node_name(a->edge.node));
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("mixprec._core");
    PyObject *rebuild = module ? PyObject_GetAttrString(module, "_rebuild") : NULL, *result = NULL;
    PyObject *bytes = rebuild ? bytes_of(a) : NULL,
             *shape = bytes ? mp_py_tuple(a->ndim, a->shape, 1) : NULL;
    PyObject *attributes = shape ? attributes_of(self) : NULL;
    if (attributes)
        result = Py_BuildValue("O(OsOOsO)O", rebuild, Py_TYPE(self), mp_dtypes[a->dtype].name,
                               shape, bytes, mp_device_name(mp_array_device(a)),
                               mp_requires_grad(a) ? Py_True : Py_False, attributes);
    Py_XDECREF(module);
    Py_XDECREF(rebuild);
    Py_XDECREF(bytes);
    Py_XDECREF(shape);
    Py_XDECREF(attributes);
    return result;
}

/* An array of that spec with the bytes as its elements. */
static mp_status fill_new(const mp_spec *spec, PyObject *bytes, mp_device device, mp_array **out) {
    mp_array *here;
    MP_TRY(mp_array_new(MP_CPU, spec, &here));
    size_t wanted = (size_t)here->size * (size_t)mp_itemsize(here);
    mp_status status = MP_OK;
    if ((size_t)PyBytes_GET_SIZE(bytes) != wanted)
        status = mp_fail(MP_ERR_VALUE, "unpickle: %zu bytes for a %s array of shape %s",
                         (size_t)PyBytes_GET_SIZE(bytes), mp_dtypes[spec->dtype].name,
                         mp_shape_text(spec->ndim, spec->shape));
    else memcpy(mp_data(here), PyBytes_AS_STRING(bytes), wanted);
    if (status == MP_OK && device != MP_CPU) status = mp_array_to_device(here, device, out);
    else if (status == MP_OK) *out = mp_array_ref(here);
    mp_array_unref(here);
    return status;
}

PyDoc_STRVAR(rebuild_doc, "_rebuild(cls, dtype, shape, data, device, requires_grad, "
                          "/)\n--\n\nMakes an array anew that was pickled.");
static PyObject *rebuild(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_dtype dtype;
    mp_device device;
    mp_spec spec = {0};
    int ndim;
    bool requires_grad;
    mp_array *a = NULL;
    if (mp_py_count("_rebuild", n, 6) < 0) return NULL;
    if (!PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject *)args[0], mp_py->ndarray) ||
        !PyBytes_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "_rebuild: a subclass of ndarray and bytes are wanted");
        return NULL;
    }
    if (mp_py_dtype("_rebuild", args[1], &dtype) < 0 ||
        mp_py_device("_rebuild", args[4], &device) < 0 ||
        mp_py_ints("_rebuild", "shape", args[2], MP_MAX_DIMS, spec.shape, &ndim) < 0 ||
        mp_py_bool("_rebuild", "requires_grad", args[5], &requires_grad) < 0)
        return NULL;
    spec.dtype = (int8_t)dtype;
    spec.ndim = (int8_t)ndim;
    mp_status status = fill_new(&spec, args[3], device, &a);
    if (status == MP_OK && requires_grad) status = mp_array_set_requires_grad(a, true);
    if (status == MP_OK) return mp_py_wrap_as((PyTypeObject *)args[0], a);
    mp_array_unref(a);
    return mp_py_raise(status);
}

PyMethodDef mp_py_copy_functions[] = {
    {"_rebuild", MP_PY_FAST(rebuild), METH_FASTCALL, rebuild_doc},
    {NULL, NULL, 0, NULL},
};
