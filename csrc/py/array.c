/* The type ndarray: life of its objects and their properties. Methods are in methods.c, operators
 * in number.c. */
#include "py.h"

#include <structmember.h>
#include <stdatomic.h>
#include <string.h>

/* ---- life: objects of the type itself are kept for reuse, with their reference to it; the GIL
 * guards the lists ---- */

enum { KEPT = 256 };
static mp_py_array *kept[KEPT];
static int kept_count;
static mp_py_array *kept_values[KEPT]; /* with an array that nobody else knows */
static int kept_value_count;

PyObject *mp_py_wrap(mp_array *array) {
    mp_py_array *self;
    if (kept_count) {
        self = kept[--kept_count];
        Py_SET_REFCNT((PyObject *)self, 1);
    } else if (!(self = PyObject_New(mp_py_array, mp_py->ndarray))) {
        mp_array_unref(array);
        return NULL;
    }
    self->array = array;
    self->weakrefs = NULL;
    self->retained = NULL;
    self->retains = self->value = false;
    return (PyObject *)self;
}

PyObject *mp_py_wrap_value(mp_array *array) {
    PyObject *self = mp_py_wrap(array);
    if (self && array->ndim == 0) ((mp_py_array *)self)->value = true;
    return self;
}

/* Whether self, which is dying, may come back with its array: nobody else has it, it was never
 * written in place, and its element lies where new ones do (small memory of the CPU's own). */
static bool is_pristine(const mp_py_array *self) {
    const mp_array *a = self->array;
    const mp_storage *s = a->storage;
    return a->refs == 1 && !a->ndim && !a->edge.node && !a->edge.leaf && !a->base && !a->writes &&
           !a->offset && !a->weak && !a->no_base_write && s->refs == 1 && s->device == MP_CPU &&
           !s->release && s->bytes <= 8 && !s->version && !s->exports && !s->export_ended &&
           !s->pending && !s->read_only;
}

PyObject *mp_py_new_value(mp_dtype dtype, void **at) {
    if (kept_value_count == 0) {
        mp_spec spec;
        mp_array *a;
        spec.dtype = (int8_t)dtype, spec.ndim = 0;
        if (mp_py_check(mp_array_new(MP_CPU, &spec, &a)) < 0) return NULL;
        *at = mp_data(a);
        return mp_py_wrap_value(a);
    }
    mp_py_array *self = kept_values[--kept_value_count];
    mp_array *a = self->array;
    Py_SET_REFCNT((PyObject *)self, 1);
    a->dtype = (int8_t)dtype;
    a->storage->bytes = mp_dtypes[dtype].bytes;
    *at = a->storage->data;
    return (PyObject *)self;
}

PyObject *mp_py_result(mp_status status, mp_array *array) {
    return status == MP_OK ? mp_py_wrap(array) : mp_py_raise(status);
}

PyObject *mp_py_value_result(mp_status status, mp_array *array) {
    return status == MP_OK ? mp_py_wrap_value(array) : mp_py_raise(status);
}

PyObject *mp_py_wrap_as(PyTypeObject *type, mp_array *array) {
    if (type == mp_py->ndarray) return mp_py_wrap(array);
    PyObject *self = type->tp_alloc(type, 0);
    if (!self) mp_array_unref(array);
    else ((mp_py_array *)self)->array = array;
    return self;
}

static void dealloc(PyObject *object) {
    mp_py_array *self = (mp_py_array *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    Py_CLEAR(self->retained);
    if (self->value && kept_value_count < KEPT && type == mp_py->ndarray && is_pristine(self)) {
        self->weakrefs = NULL;
        self->retains = false;
        kept_values[kept_value_count++] = self;
        return;
    }
    mp_array_unref(self->array);
    if (type == mp_py->ndarray && kept_count < KEPT) {
        kept[kept_count++] = self;
        return;
    }
    type->tp_free(object);
    Py_DECREF(type);
}

/* ndarray(array): a new object over the same memory, outside of any graph. */
static PyObject *new (PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)kwargs; /* a subclass's __init__ may take more */
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "ndarray: array is missing");
        return NULL;
    }
    mp_py_partner partner = {0};
    mp_array *array, *detached;
    if (mp_py_input("ndarray", "array", PyTuple_GET_ITEM(args, 0), &partner, &array) < 0)
        return NULL;
    mp_status status = mp_array_detach(array, &detached);
    mp_array_unref(array);
    if (status != MP_OK) return mp_py_raise(status);
    detached->weak = false;
    return mp_py_wrap_as(type, detached);
}

/* Of a value outside of the graph that of its number, which it equals; else the identity. */
static Py_hash_t hash(PyObject *self) {
    if (mp_py_is_value(self) && !mp_requires_grad(mp_py_array_of(self))) {
        PyObject *number = mp_py_item(mp_py_array_of(self));
        Py_hash_t of_number = number ? PyObject_Hash(number) : -1;
        Py_XDECREF(number);
        return of_number;
    }
    uintptr_t bits = (uintptr_t)self;
    bits = bits >> 4 | bits << (8 * sizeof bits - 4);
    return bits == (uintptr_t)-1 ? -2 : (Py_hash_t)bits;
}

/* ---- properties ---- */

static mp_array *of(PyObject *self) { return mp_py_array_of(self); }

static PyObject *get_shape(PyObject *self, void *unused) {
    (void)unused;
    return mp_py_tuple(of(self)->ndim, of(self)->shape, 1);
}

/* Of a plain array: one in a graph has a place in it, by its shape. */
static int set_shape(PyObject *self, PyObject *shape, void *unused) {
    (void)unused;
    if (!shape) {
        PyErr_SetString(PyExc_AttributeError, "shape: it cannot be deleted");
        return -1;
    }
    mp_array *old = of(self), *bare;
    if (mp_requires_grad(old)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "shape: the array takes part in a graph; use reshape, which is recorded");
        return -1;
    }
    PyObject *view = PyObject_CallMethod(self, "reshape", "(O)", shape);
    if (!view) return -1;
    mp_array *y = of(view);
    bool shares = y->storage == old->storage;
    if (!shares)
        PyErr_Format(PyExc_AttributeError,
                     "shape: an array of shape %s with gaps has no view of the new shape; use "
                     "reshape, which copies",
                     mp_shape_text(old->ndim, old->shape));
    int status = shares ? mp_py_check(mp_array_detach(y, &bare)) : -1;
    Py_DECREF(view);
    if (status < 0) return -1;
    old = of(self);
    bare->no_base_write = old->no_base_write;
    ((mp_py_array *)self)->array = bare;
    ((mp_py_array *)self)->value = false;
    mp_py_dispose(old);
    return 0;
}

static PyObject *get_strides(PyObject *self, void *unused) {
    (void)unused;
    return mp_py_tuple(of(self)->ndim, of(self)->strides, mp_itemsize(of(self)));
}

static PyObject *get_dtype(PyObject *self, void *unused) {
    (void)unused;
    return mp_py_dtype_object((mp_dtype)of(self)->dtype);
}

static PyObject *get_ndim(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(of(self)->ndim);
}

static PyObject *get_size(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(of(self)->size);
}

static PyObject *get_itemsize(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(mp_itemsize(of(self)));
}

static PyObject *get_nbytes(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(of(self)->size * mp_itemsize(of(self)));
}

static PyObject *get_device(PyObject *self, void *unused) {
    (void)unused;
    return mp_py_device_object(mp_array_device(of(self)));
}

static PyObject *get_transposed(PyObject *self, void *unused) {
    (void)unused;
    return mp_py_transposed(of(self));
}

static PyObject *get_matrix_transposed(PyObject *self, void *unused) {
    (void)unused;
    if (of(self)->ndim < 2) {
        PyErr_Format(PyExc_ValueError, "mT: the array has %d dimensions, at least 2 are wanted",
                     of(self)->ndim);
        return NULL;
    }
    mp_array *y = NULL;
    mp_status status = mp_swap_last(of(self), &y);
    return mp_py_result(status, y);
}

static PyObject *get_requires_grad(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(mp_requires_grad(of(self)));
}

/* Who asks for gradients of a value has a variable, which augmented operators write. */
int mp_py_set_requires_grad(PyObject *self, bool wanted) {
    if (mp_py_check(mp_array_set_requires_grad(of(self), wanted)) < 0) return -1;
    if (!of(self)->edge.node) ((mp_py_array *)self)->value = false;
    return 0;
}

static int set_requires_grad(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    bool wanted;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "requires_grad: it cannot be deleted");
        return -1;
    }
    if (mp_py_bool("requires_grad", "the value", value, &wanted) < 0) return -1;
    return mp_py_set_requires_grad(self, wanted);
}

static PyObject *get_is_leaf(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(!of(self)->edge.node);
}

static PyObject *get_grad_fn(PyObject *self, void *unused) {
    (void)unused;
    const mp_node *node = of(self)->edge.node;
    return node ? PyUnicode_FromString(mp_node_name(node)) : Py_NewRef(Py_None);
}

static PyObject *get_version(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(atomic_load(&of(self)->storage->version));
}

static PyObject *get_data(PyObject *self, void *unused) {
    (void)unused;
    mp_array *detached = NULL;
    mp_status status = mp_array_detach(of(self), &detached);
    return mp_py_result(status, detached);
}

/* ---- data = ---- */

/* A gradient that stays beside new data is cast and moved to it. */
static mp_status fit_grad(mp_leaf *leaf, const mp_array *data) {
    mp_array *grad, *cast, *there = NULL;
    MP_TRY(mp_leaf_grad(leaf, &grad));
    if (!grad) return MP_OK;
    mp_spec spec = mp_spec_of(data);
    mp_status status = MP_OK;
    bool moves = mp_array_device(grad) != mp_array_device(data);
    if (!mp_same_shape(grad, &spec)) {
        status = mp_fail(
            MP_ERR_VALUE, "data: the new data has shape %s, .grad has %s; set .grad to None before",
            mp_shape_text(data->ndim, data->shape), mp_shape_text(grad->ndim, grad->shape));
    } else if (moves || grad->dtype != data->dtype) {
        bool mode, inference;
        mp_grad_mode_get(&mode, &inference);
        mp_grad_mode_set(false, inference);
        status = mp_cast(grad, (mp_dtype)data->dtype, &cast);
        mp_grad_mode_set(mode, inference);
        if (status == MP_OK) {
            if (moves) status = mp_array_to_device(cast, mp_array_device(data), &there);
            else there = mp_array_ref(cast);
            mp_array_unref(cast);
        }
        if (status == MP_OK) mp_leaf_set_grad(leaf, there);
        mp_array_unref(there);
    }
    mp_array_unref(grad);
    return status;
}

/* The memory of `from` in the place that `old` has in the graph. */
static mp_status replace_data(const mp_array *old, mp_array *from, mp_array **out) {
    mp_leaf *leaf = old->edge.leaf;
    if (old->edge.node)
        return mp_fail(MP_ERR_RUNTIME,
                       "data: only a leaf's can be replaced, this array is a result of %s",
                       mp_node_name(old->edge.node));
    if (leaf && leaf->requires_grad && !mp_is_float((mp_dtype)from->dtype))
        return mp_fail(MP_ERR_TYPE,
                       "data: an array that requires grad is floating, the new data is %s",
                       mp_dtypes[from->dtype].name);
    if (leaf) MP_TRY(fit_grad(leaf, from));
    MP_TRY(mp_array_detach(from, out));
    if (!leaf) return MP_OK;
    mp_leaf_lock(leaf);
    for (int i = 0; i < MP_SHADOWS; i++) leaf->shadow[i].source = NULL; /* of the old data */
    mp_leaf_unlock(leaf);
    (*out)->edge.leaf = mp_leaf_ref(leaf);
    (*out)->edge.dtype = (*out)->dtype;
    return MP_OK;
}

static int set_data(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    mp_array *from, *data;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "data: it cannot be deleted");
        return -1;
    }
    if (self == mp_py->truths[0] || self == mp_py->truths[1]) {
        PyErr_SetString(PyExc_RuntimeError, "data: a truth value cannot be replaced");
        return -1;
    }
    if (mp_py_want_array("data", "the value", value, &from) < 0) return -1;
    if (mp_py_check(mp_array_settle(from)) < 0 ||
        mp_py_check(replace_data(of(self), from, &data)) < 0)
        return -1;
    mp_array *old = of(self);
    ((mp_py_array *)self)->array = data;
    ((mp_py_array *)self)->value = false;
    mp_py_dispose(old);
    return 0;
}

/* ---- the type ---- */

static PyGetSetDef properties[] = {
    {"shape", get_shape, set_shape,
     "Its extents, a tuple of ints. Can be set, where the elements need not be moved for it.",
     NULL},
    {"strides", get_strides, NULL,
     "Bytes from one element to the next along each axis, a tuple of ints.", NULL},
    {"dtype", get_dtype, NULL,
     "The `numpy.dtype` of its elements; bfloat16 and float8 are those of `ml_dtypes`.", NULL},
    {"ndim", get_ndim, NULL, "The number of its axes.", NULL},
    {"size", get_size, NULL, "The number of its elements.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of one element.", NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL},
    {"device", get_device, NULL, "Where its memory is: \"cpu\" or \"cuda:<i>\".", NULL},
    {"T", get_transposed, NULL, "A view with the axes in reverse order.", NULL},
    {"mT", get_matrix_transposed, NULL, "A view with the last two axes swapped.", NULL},
    {"data", get_data, set_data,
     "The same memory outside of the graph. Assigning an array makes this one show the other's "
     "memory, in the other's shape, "
     "dtype and device; it stays the leaf that it is, with its gradient, which must have that "
     "shape.",
     NULL},
    {"grad", mp_py_get_grad, mp_py_set_grad,
     "The gradient that backward left, or None. Only leaves, and arrays after `retain_grad()`, "
     "have one.",
     NULL},
    {"requires_grad", get_requires_grad, set_requires_grad,
     "Whether ops on it are recorded, so that a gradient can reach it. Can be set on leaves.",
     NULL},
    {"is_leaf", get_is_leaf, NULL, "Whether it is no result of a recorded op.", NULL},
    {"grad_fn", get_grad_fn, NULL, "The name of the recorded op that it is a result of, or None.",
     NULL},
    {"_version", get_version, NULL, "The number of in-place writes to its memory.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(mp_py_array, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
    type_doc,
    "ndarray(array, /)\n--\n\n"
    "An array of numbers on a device: a strided view of memory, with a place in the graph.\n\n"
    "Arrays are made by `mp.array`, `mp.zeros` and their kin. Calling the type gives a new object "
    "over the\n"
    "memory of `array`, outside of any graph; subclasses are made so.");

static Py_ssize_t length(PyObject *self) {
    if (of(self)->ndim) return (Py_ssize_t)of(self)->shape[0];
    PyErr_SetString(PyExc_TypeError, "len: a 0-d array has no length");
    return -1;
}

static PyObject *iterate(PyObject *self) {
    if (of(self)->ndim) return PySeqIter_New(self);
    PyErr_SetString(PyExc_TypeError, "iter: a 0-d array cannot be iterated over");
    return NULL;
}

/* value in self: whether an element equals it. */
static int contains(PyObject *self, PyObject *value) {
    PyObject *same = mp_py_compare(self, value, Py_EQ);
    if (!same || same == Py_NotImplemented) {
        Py_XDECREF(same);
        return same ? 0 : -1;
    }
    mp_attrs attrs = mp_attrs_new();
    attrs.n_ints = MP_ALL;
    mp_array *count;
    int found = mp_py_check(mp_op1(MP_OP_sum, of(same), &attrs, &count));
    Py_DECREF(same);
    if (found < 0) return -1;
    PyObject *number = mp_py_item(count);
    mp_array_unref(count);
    found = number ? PyObject_IsTrue(number) : -1;
    Py_XDECREF(number);
    return found;
}

static PyType_Slot own_slots[] = {
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_doc, (void *)type_doc},
    {Py_tp_repr, mp_py_repr},
    {Py_tp_str, mp_py_str},
    {Py_tp_hash, hash},
    {Py_tp_richcompare, mp_py_compare},
    {Py_tp_iter, iterate},
    {Py_tp_methods, mp_py_methods},
    {Py_tp_getset, properties},
    {Py_tp_members, members},
    {Py_mp_length, length},
    {Py_mp_subscript, mp_py_get_item},
    {Py_mp_ass_subscript, mp_py_set_item},
    {Py_sq_length, length}, /* for reversed, bisect and their like */
    {Py_sq_item, mp_py_sequence_item},
    {Py_sq_contains, contains},
    {Py_bf_getbuffer, mp_py_get_buffer},
    {Py_bf_releasebuffer, mp_py_release_buffer},
};

/* NumPy's arrays leave binary operators to this type where they cannot ask it. */
static int set_attributes(PyObject *type) {
    PyObject *priority = PyFloat_FromDouble(MP_PY_PRIORITY);
    int status = priority ? PyObject_SetAttrString(type, "__array_priority__", priority) : -1;
    Py_XDECREF(priority);
    return status;
}

int mp_py_array_init(PyObject *module) {
    PyType_Slot slots[64];
    size_t n = sizeof own_slots / sizeof *own_slots;
    memcpy(slots, own_slots, sizeof own_slots);
    for (const PyType_Slot *slot = mp_py_number_slots; slot->slot; slot++) slots[n++] = *slot;
    slots[n] = (PyType_Slot){0, NULL};
    PyType_Spec spec = {
        .name = "mixprec.ndarray",
        .basicsize = sizeof(mp_py_array),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
        .slots = slots,
    };
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (!type) return -1;
    mp_py->ndarray = (PyTypeObject *)type;
    if (set_attributes(type) < 0) return -1;
    return PyModule_AddObjectRef(module, "ndarray", type);
}
