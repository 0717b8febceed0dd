/* Functions of mixprec.functional and mixprec.creation as objects of C, so that the plain calls of
 * small arrays do not pass through Python: `function`, with a short way for some arguments, and
 * `ufunc`, which runs a row. Every other call goes to the Python function behind. Both are methods
 * where they are attributes of a class. What else ufuncs do is mixprec/functional/_ufunc.py. */

#include "py.h"

#include <structmember.h>

typedef struct function {
    PyObject_HEAD vectorcallfunc call;
    PyObject *python; /* the function behind */
    PyObject *dict;   /* __name__, __doc__ and what else a function has */
    PyObject *weakrefs;
    mp_py_short way;    /* of a `function`; NULL: NumPy's function `other` is it */
    PyObject *other;    /* of a ufunc: gets it and the arguments of calls that are not plain */
    PyObject *identity; /* or None */
    PyObject *row;      /* its name, or None: plain calls go to the function behind */
    int op, nin, nout;
} function;

/* ---- calls ---- */

static PyObject *call_function(PyObject *callable, PyObject *const *args, size_t flags,
                               PyObject *names) {
    function *self = (function *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(flags);
    PyObject *y =
        self->way ? self->way(args, n, names) : mp_py_call_numpys(self->other, args, n, names);
    if (y || PyErr_Occurred()) return y;
    return PyObject_Vectorcall(self->python, args, flags, names);
}

static PyObject *call_other(function *self, PyObject *const *args, size_t flags, PyObject *names) {
    enum { MOST = 16 };
    PyObject *all[MOST];
    Py_ssize_t n = PyVectorcall_NARGS(flags), total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    if (total >= MOST) {
        PyErr_Format(PyExc_TypeError, "%S: %zd arguments given", self->row, total);
        return NULL;
    }
    all[0] = (PyObject *)self;
    for (Py_ssize_t i = 0; i < total; i++) all[i + 1] = args[i];
    return PyObject_Vectorcall(self->other, all, (size_t)n + 1, names);
}

static PyObject *call_ufunc(PyObject *callable, PyObject *const *args, size_t flags,
                            PyObject *names) {
    function *self = (function *)callable;
    if (names || PyVectorcall_NARGS(flags) != self->nin)
        return call_other(self, args, flags, names);
    if (self->op < 0) return PyObject_Vectorcall(self->python, args, flags, NULL);
    return mp_py_run_row((mp_op)self->op, args);
}

/* ---- making ---- */

static function *new_function(PyTypeObject *type, PyObject *python, vectorcallfunc call) {
    if (!PyCallable_Check(python)) {
        PyErr_Format(PyExc_TypeError, "%s: a %.100s is not callable", type->tp_name,
                     Py_TYPE(python)->tp_name);
        return NULL;
    }
    function *self = (function *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->call = call;
    self->python = Py_NewRef(python);
    self->op = -1;
    return self;
}

PyDoc_STRVAR(
    function_doc,
    "function(way, function, /)\n--\n\n"
    "A function whose plain calls take a way in C; the others call `function`. The way is\n"
    "the name of one, or a function of NumPy's, which then gets views of the arrays.");
static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *way, *python;
    mp_py_short short_way = NULL;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OO:function", &way, &python)) return NULL;
    const char *name = PyUnicode_Check(way) ? PyUnicode_AsUTF8(way) : NULL;
    if (!name && PyErr_Occurred()) return NULL;
    if (name ? !(short_way = mp_py_find_short(name)) : !PyCallable_Check(way)) {
        PyErr_Format(PyExc_ValueError, "function: there is no way in C named %R", way);
        return NULL;
    }
    function *self = new_function(type, python, call_function);
    if (!self) return NULL;
    self->way = short_way;
    self->other = short_way ? NULL : Py_NewRef(way);
    return (PyObject *)self;
}

PyDoc_STRVAR(
    ufunc_doc,
    "ufunc(row, function, other, identity, nin, nout, /)\n--\n\n"
    "A function of each element.\n\n"
    "Called with its arrays alone it runs the row of the op table; with out=, where=, dtype= and\n"
    "others it follows NumPy. `reduce`, `accumulate`, `reduceat`, `outer` and `at` are NumPy's.");
static PyObject *ufunc_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *row, *python, *other, *identity;
    int nin, nout, op = -1;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "OOOOii:ufunc", &row, &python, &other, &identity, &nin, &nout))
        return NULL;
    if (row != Py_None && (op = mp_py_find_row("ufunc", row)) < 0) return NULL;
    bool plain = op >= 0 && mp_op_rows[op].n_attrs == 0 && mp_op_rows[op].n_in == nin;
    function *self = new_function(type, python, call_ufunc);
    if (!self) return NULL;
    self->other = Py_NewRef(other);
    self->identity = Py_NewRef(identity);
    self->row = Py_NewRef(row);
    self->op = plain ? op : -1;
    self->nin = nin;
    self->nout = nout;
    return (PyObject *)self;
}

/* ---- the types ---- */

static int traverse(PyObject *object, visitproc visit, void *arg) {
    function *self = (function *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->python);
    Py_VISIT(self->dict);
    Py_VISIT(self->other);
    Py_VISIT(self->identity);
    return 0;
}

static int clear(PyObject *object) {
    function *self = (function *)object;
    Py_CLEAR(self->python);
    Py_CLEAR(self->dict);
    Py_CLEAR(self->other);
    Py_CLEAR(self->identity);
    Py_CLEAR(self->row);
    return 0;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (((function *)object)->weakrefs) PyObject_ClearWeakRefs(object);
    clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *bind(PyObject *self, PyObject *object, PyObject *type) {
    (void)type;
    return object ? PyMethod_New(self, object) : Py_NewRef(self);
}

static PyObject *name_of(PyObject *self, const char *attribute) {
    return PyObject_GetAttrString(((function *)self)->python, attribute);
}

static PyObject *function_repr(PyObject *self) {
    PyObject *name = name_of(self, "__qualname__");
    PyObject *text = name ? PyUnicode_FromFormat("<function %U>", name) : NULL;
    Py_XDECREF(name);
    return text;
}

static PyObject *ufunc_repr(PyObject *self) {
    PyObject *name = name_of(self, "__name__");
    PyObject *text = name ? PyUnicode_FromFormat("<ufunc '%U'>", name) : NULL;
    Py_XDECREF(name);
    return text;
}

/* Pickled by name, as functions are. */
static PyObject *reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    return name_of(self, "__qualname__");
}

static PyObject *get_nargs(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(((function *)self)->nin + ((function *)self)->nout);
}

static PyMethodDef methods[] = {
    {"__reduce__", reduce, METH_NOARGS, "Its name."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef function_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyGetSetDef ufunc_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"nargs", get_nargs, NULL, "The number of arrays that it takes and gives.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define COMMON_MEMBERS                                                                             \
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(function, call), READONLY, NULL},                \
        {"__dictoffset__", T_PYSSIZET, offsetof(function, dict), READONLY, NULL}, {                \
        "__weaklistoffset__", T_PYSSIZET, offsetof(function, weakrefs), READONLY, NULL             \
    }

static PyMemberDef function_members[] = {
    COMMON_MEMBERS,
    {NULL, 0, 0, 0, NULL},
};
static PyMemberDef ufunc_members[] = {
    COMMON_MEMBERS,
    {"identity", T_OBJECT, offsetof(function, identity), READONLY,
     "What changes no operand, or None: the result of reducing nothing."},
    {"row", T_OBJECT, offsetof(function, row), READONLY, "The name of its row, or None."},
    {"nin", T_INT, offsetof(function, nin), READONLY, "The number of arrays that it takes."},
    {"nout", T_INT, offsetof(function, nout), READONLY, "The number of arrays that it gives."},
    {NULL, 0, 0, 0, NULL},
};

#define COMMON_SLOTS                                                                               \
    {Py_tp_dealloc, dealloc}, {Py_tp_traverse, traverse}, {Py_tp_clear, clear},                    \
        {Py_tp_call, PyVectorcall_Call}, {Py_tp_descr_get, bind}, {                                \
        Py_tp_methods, methods                                                                     \
    }

static PyType_Slot function_slots[] = {
    COMMON_SLOTS,
    {Py_tp_new, function_new},
    {Py_tp_doc, (void *)function_doc},
    {Py_tp_repr, function_repr},
    {Py_tp_members, function_members},
    {Py_tp_getset, function_properties},
    {0, NULL},
};
static PyType_Slot ufunc_slots[] = {
    COMMON_SLOTS,
    {Py_tp_new, ufunc_new},
    {Py_tp_doc, (void *)ufunc_doc},
    {Py_tp_repr, ufunc_repr},
    {Py_tp_members, ufunc_members},
    {Py_tp_getset, ufunc_properties},
    {0, NULL},
};

#define FLAGS                                                                                      \
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |                         \
        Py_TPFLAGS_METHOD_DESCRIPTOR
static PyType_Spec function_spec = {
    .name = "mixprec._core.function",
    .basicsize = sizeof(function),
    .flags = FLAGS,
    .slots = function_slots,
};
static PyType_Spec ufunc_spec = {
    .name = "mixprec.ufunc",
    .basicsize = sizeof(function),
    .flags = FLAGS,
    .slots = ufunc_slots,
};

static int add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int status = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return status;
}

int mp_py_function_init(PyObject *module) {
    return add_type(module, &function_spec) < 0 ? -1 : add_type(module, &ufunc_spec);
}
