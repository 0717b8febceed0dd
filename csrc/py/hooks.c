/* Hooks: Python functions that see, and may replace, a gradient on its way. */
#include "py.h"

#include <string.h>

/* Calls a Python function with a gradient; `fn` may be removed by the call itself. */
static mp_status call_hook(void *fn, mp_array *grad, mp_array **replaced) {
    bool entered = mp_py_enter();
    PyObject *function = Py_NewRef((PyObject *)fn), *argument = mp_py_wrap(mp_array_ref(grad));
    PyObject *result = argument ? PyObject_CallOneArg(function, argument) : NULL;
    mp_status status = result ? MP_OK : MP_ERR_CALLBACK;
    mp_array *given = NULL;
    if (result && result != Py_None) {
        mp_spec spec = mp_spec_of(grad);
        if (mp_py_want_array("register_hook", "what the hook gave", result, &given) < 0)
            status = MP_ERR_CALLBACK;
        else if (!mp_same_shape(given, &spec))
            status = mp_fail(
                MP_ERR_VALUE, "register_hook: the hook gave shape %s for a gradient of shape %s",
                mp_shape_text(given->ndim, given->shape), mp_shape_text(grad->ndim, grad->shape));
        else status = mp_cast(given, (mp_dtype)grad->dtype, replaced);
    }
    Py_XDECREF(argument);
    Py_XDECREF(result);
    Py_DECREF(function);
    mp_py_leave(entered);
    return status;
}

/* The place of a hook, so that it can be removed; the array itself may be gone by then. */
typedef struct handle {
    PyObject_HEAD mp_edge edge;
    uint64_t id;
} handle;

static void release_edge(mp_edge *edge) {
    mp_edge old = *edge;
    memset(edge, 0, sizeof *edge);
    mp_node_unref(old.node);
    mp_leaf_unref(old.leaf);
}

static void handle_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    release_edge(&((handle *)object)->edge);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(remove_doc,
             "remove($self, /)\n--\n\nTakes the hook away. Doing it again does nothing.");
static PyObject *handle_remove(PyObject *object, PyObject *unused) {
    (void)unused;
    handle *self = (handle *)object;
    if (self->edge.node || self->edge.leaf) {
        mp_array place; /* the core finds hooks by an array's edge alone */
        memset(&place, 0, sizeof place);
        place.edge = self->edge;
        mp_array_remove_hook(&place, self->id);
        release_edge(&self->edge);
    }
    Py_RETURN_NONE;
}

static PyMethodDef handle_methods[] = {
    {"remove", handle_remove, METH_NOARGS, remove_doc},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot handle_slots[] = {
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_methods, handle_methods},
    {Py_tp_doc, "What `register_hook` gives: removes the hook."},
    {0, NULL},
};
static PyType_Spec handle_spec = {
    .name = "mixprec._core.HookHandle",
    .basicsize = sizeof(handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = handle_slots,
};

PyObject *mp_py_method_register_hook(PyObject *self, PyObject *function) {
    if (!PyCallable_Check(function)) {
        PyErr_Format(PyExc_TypeError, "register_hook: a %.100s is not callable",
                     Py_TYPE(function)->tp_name);
        return NULL;
    }
    mp_array *a = mp_py_array_of(self);
    handle *h = PyObject_New(handle, mp_py->handle);
    if (!h) return NULL;
    memset(&h->edge, 0, sizeof h->edge);
    mp_hook hook = {.call = call_hook, .drop = mp_py_drop, .ctx = Py_NewRef(function)};
    mp_status status = mp_array_add_hook(a, hook, &h->id);
    if (status != MP_OK) {
        Py_DECREF(function);
        Py_DECREF(h);
        return mp_py_raise(status);
    }
    h->edge = a->edge;
    if (h->edge.node) h->edge.leaf = NULL, mp_node_ref(h->edge.node);
    else mp_leaf_ref(h->edge.leaf);
    return (PyObject *)h;
}

/* The hook of retain_grad: adds the gradient to what the cell holds. */
static mp_status keep_grad(void *cell, mp_array *grad, mp_array **replaced) {
    (void)replaced;
    bool entered = mp_py_enter();
    PyObject *old = PyCell_Get((PyObject *)cell);
    mp_array *sum = NULL;
    mp_status status = MP_OK;
    if (old) status = mp_op2(MP_OP_add, mp_py_array_of(old), grad, NULL, &sum);
    else sum = mp_array_ref(grad);
    PyObject *kept = status == MP_OK ? mp_py_wrap(sum) : NULL;
    if (status == MP_OK && (!kept || PyCell_Set((PyObject *)cell, kept) < 0))
        status = MP_ERR_CALLBACK;
    Py_XDECREF(kept);
    Py_XDECREF(old);
    mp_py_leave(entered);
    return status;
}

PyObject *mp_py_method_retain_grad(PyObject *self, PyObject *unused) {
    (void)unused;
    mp_py_array *object = (mp_py_array *)self;
    if (!mp_requires_grad(object->array)) {
        PyErr_SetString(PyExc_RuntimeError, "retain_grad: the array does not require grad");
        return NULL;
    }
    if (!object->array->edge.node || object->retains) Py_RETURN_NONE;
    if (!object->retained && !(object->retained = PyCell_New(NULL))) return NULL;
    mp_hook hook = {.call = keep_grad, .drop = mp_py_drop, .ctx = Py_NewRef(object->retained)};
    uint64_t id;
    mp_status status = mp_array_add_hook(object->array, hook, &id);
    if (status != MP_OK) {
        Py_DECREF(object->retained);
        return mp_py_raise(status);
    }
    object->retains = true;
    Py_RETURN_NONE;
}

int mp_py_hooks_init(PyObject *module) {
    mp_py->handle = (PyTypeObject *)PyType_FromModuleAndSpec(module, &handle_spec, NULL);
    return mp_py->handle ? PyModule_AddType(module, mp_py->handle) : -1;
}
