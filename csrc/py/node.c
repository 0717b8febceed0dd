/* Autograd from Python: modes, gradients, nodes with a rule in Python, backward. Hooks are in
 * hooks.c; the tape itself is the core's. */
#include "py.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists of arrays: they hold references, since others may change the Python objects meanwhile
 * ---- */

typedef struct array_list {
    mp_array **items;
    Py_ssize_t n;
} array_list;

static void free_list(array_list *list) {
    for (Py_ssize_t i = 0; list->items && i < list->n; i++) mp_array_unref(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->n = 0;
}

/* An array or a sequence of them; with `optional` None stands for NULL. On failure nothing is held.
 */
static int open_list(const char *op, const char *name, PyObject *object, bool optional,
                     array_list *list) {
    list->items = NULL;
    list->n = 0;
    PyObject *one = mp_py_is_array(object) ? PyTuple_Pack(1, object) : Py_NewRef(object);
    PyObject *items = one ? PySequence_Fast(one, "") : NULL;
    Py_XDECREF(one);
    if (!items) {
        PyErr_Format(PyExc_TypeError,
                     "%s: %s is a %.100s, an array or a sequence of arrays is wanted", op, name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
    list->items = calloc(n ? (size_t)n : 1, sizeof *list->items);
    int status = list->items ? 0 : (PyErr_NoMemory(), -1);
    for (Py_ssize_t i = 0; status == 0 && i < n; i++, list->n++) {
        PyObject *item = PySequence_Fast_GET_ITEM(items, i);
        if (optional && item == Py_None) continue;
        status = mp_py_want_array(op, name, item, &list->items[i]);
        if (status == 0) mp_array_ref(list->items[i]);
    }
    Py_DECREF(items);
    if (status < 0) free_list(list);
    return status;
}

/* ---- modes ---- */

PyDoc_STRVAR(
    grad_mode_doc,
    "grad_mode()\n--\n\nWhether this thread records ops, and whether it is in inference mode.\n\n"
    "Returns\n-------\ntuple of bool\n    Grad mode and inference mode.");
static PyObject *grad_mode(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    bool grad, inference;
    mp_grad_mode_get(&grad, &inference);
    return PyTuple_Pack(2, grad ? Py_True : Py_False, inference ? Py_True : Py_False);
}

PyDoc_STRVAR(set_grad_mode_doc,
             "set_grad_mode(grad, inference, /)\n--\n\nSets the modes of this thread.\n\n"
             "Parameters\n----------\ngrad, inference : bool\n    As `grad_mode` gives them.");
static PyObject *set_grad_mode(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    bool grad, inference;
    if (mp_py_count("set_grad_mode", n, 2) < 0 ||
        mp_py_bool("set_grad_mode", "grad", args[0], &grad) < 0 ||
        mp_py_bool("set_grad_mode", "inference", args[1], &inference) < 0)
        return NULL;
    mp_grad_mode_set(grad, inference);
    Py_RETURN_NONE;
}

/* ---- .grad ---- */

PyObject *mp_py_get_grad(PyObject *self, void *unused) {
    (void)unused;
    mp_array *a = mp_py_array_of(self), *grad = NULL;
    PyObject *retained = ((mp_py_array *)self)->retained;
    if (a->edge.node || !a->edge.leaf) {
        PyObject *kept = retained ? PyCell_Get(retained) : NULL;
        return kept ? kept : Py_NewRef(Py_None);
    }
    mp_status status = mp_leaf_grad(a->edge.leaf, &grad);
    if (status == MP_OK && !grad) Py_RETURN_NONE;
    return mp_py_result(status, grad);
}

static mp_status check_grad(const mp_array *a, const mp_array *grad) {
    mp_spec spec = mp_spec_of(a);
    if (!mp_same_shape(grad, &spec))
        return mp_fail(MP_ERR_VALUE, "grad: the gradient has shape %s, the array %s",
                       mp_shape_text(grad->ndim, grad->shape), mp_shape_text(a->ndim, a->shape));
    if (grad->dtype != a->dtype)
        return mp_fail(MP_ERR_TYPE, "grad: the gradient is %s, the array %s",
                       mp_dtypes[grad->dtype].name, mp_dtypes[a->dtype].name);
    if (mp_array_device(grad) == mp_array_device(a)) return MP_OK;
    return mp_fail(MP_ERR_VALUE,
                   "grad: the gradient is on another device than the array, which is on %s",
                   mp_device_name(mp_array_device(a)));
}

int mp_py_set_grad(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    mp_array *a = mp_py_array_of(self), *grad = NULL;
    if (value == self) {
        PyErr_SetString(PyExc_ValueError, "grad: an array cannot be its own gradient");
        return -1;
    }
    bool none = !value || value == Py_None;
    if (!none && (mp_py_want_array("grad", "the value", value, &grad) < 0 ||
                  mp_py_check(check_grad(a, grad)) < 0))
        return -1;
    if (a->edge.node) {
        PyObject **retained = &((mp_py_array *)self)->retained;
        if (!*retained && !none && !(*retained = PyCell_New(NULL))) return -1;
        return *retained ? PyCell_Set(*retained, none ? NULL : value) : 0;
    }
    if (!a->edge.leaf && none) return 0;
    if (mp_py_check(mp_array_make_leaf(a)) < 0) return -1;
    mp_leaf_set_grad(a->edge.leaf, grad);
    return 0;
}

/* ---- nodes with a rule in Python ---- */

typedef struct rule {
    PyObject *function, *release, *name;
} rule;

static void drop_rule(void *ctx) {
    rule *r = ctx;
    mp_py_drop(r->function);
    mp_py_drop(r->release);
    mp_py_drop(r->name);
    free(r);
}

static void release_rule(void *ctx) {
    rule *r = ctx;
    bool entered = mp_py_enter();
    PyObject *result = PyObject_CallNoArgs(r->release);
    if (result) Py_DECREF(result);
    else PyErr_WriteUnraisable(r->release);
    mp_py_leave(entered);
}

/* What the function gave, as gx. A tuple or a list is one value per input. */
static mp_status read_gradients(const char *name, PyObject *result, int n_in, const bool *need,
                                mp_array **gx) {
    bool several = PyTuple_Check(result) || PyList_Check(result);
    Py_ssize_t n = several ? PySequence_Fast_GET_SIZE(result) : 1;
    if (n != n_in) {
        PyErr_Format(PyExc_ValueError, "%s: backward gave %zd gradients for %d inputs", name, n,
                     n_in);
        return MP_ERR_CALLBACK;
    }
    for (int i = 0; i < n_in; i++) {
        PyObject *item = several ? PySequence_Fast_GET_ITEM(result, i) : result;
        if (item == Py_None || !need[i]) continue;
        mp_array *grad;
        if (mp_py_want_array(name, "a gradient that backward gave", item, &grad) < 0)
            return MP_ERR_CALLBACK;
        gx[i] = mp_array_ref(grad);
    }
    return MP_OK;
}

static mp_status call_rule(void *ctx, int n_out, mp_array **gy, int n_in, const bool *need,
                           mp_array **gx) {
    rule *r = ctx;
    bool entered = mp_py_enter();
    mp_status status = MP_ERR_CALLBACK;
    PyObject *args = PyTuple_New(n_out), *result = NULL;
    for (int k = 0; args && k < n_out; k++) {
        PyObject *item = gy[k] ? mp_py_wrap(mp_array_ref(gy[k])) : Py_NewRef(Py_None);
        if (!item) Py_CLEAR(args);
        else PyTuple_SET_ITEM(args, k, item);
    }
    if (args) result = PyObject_CallObject(r->function, args);
    if (result) status = read_gradients(PyUnicode_AsUTF8(r->name), result, n_in, need, gx);
    Py_XDECREF(args);
    Py_XDECREF(result);
    mp_py_leave(entered);
    return status;
}

/* Whether the node is wanted; -1 where an output is an input, whose own place in the graph it would
 * take. */
static int check_custom(const array_list *in, const array_list *out) {
    bool wanted = false;
    for (Py_ssize_t i = 0; i < in->n; i++) {
        wanted |= in->items[i] && mp_requires_grad(in->items[i]);
        for (Py_ssize_t k = 0; k < out->n; k++) {
            if (in->items[i] != out->items[k]) continue;
            PyErr_Format(PyExc_ValueError,
                         "record_custom: output %zd is input %zd; give a view or a copy of it", k,
                         i);
            return -1;
        }
    }
    return wanted && mp_grad_enabled();
}

static int record(PyObject *name, PyObject *function, PyObject *release, const array_list *in,
                  const array_list *out) {
    rule *r = malloc(sizeof *r);
    if (!r) {
        PyErr_NoMemory();
        return -1;
    }
    r->function = Py_NewRef(function);
    r->release = Py_NewRef(release);
    r->name = Py_NewRef(name);
    mp_custom custom = {.vjp = call_rule,
                        .release = release == Py_None ? NULL : release_rule,
                        .drop = drop_rule,
                        .ctx = r,
                        .name = PyUnicode_AsUTF8(name)};
    mp_status status =
        custom.name ? mp_record_custom(&custom, (int)in->n, in->items, (int)out->n, out->items)
                    : MP_OK;
    if (!custom.name || status != MP_OK) drop_rule(r);
    return custom.name ? mp_py_check(status) : -1;
}

PyDoc_STRVAR(
    record_custom_doc,
    "record_custom(name, backward, release, inputs, outputs, /)\n--\n\n"
    "Records a node whose gradient rule is a Python function.\n\n"
    "Parameters\n----------\nname : str\n    Of the node, as `grad_fn` and errors show it.\n"
    "backward : callable\n    Called with a gradient (or None) per output; gives one (or None) per "
    "input.\n"
    "release : callable or None\n    Called without arguments after a backward that does not "
    "retain the "
    "graph.\n"
    "inputs : sequence of ndarray or None\n    What the outputs depend on.\n"
    "outputs : sequence of ndarray\n    They get their place in the graph, in place. None may be "
    "an input.\n\n"
    "Notes\n-----\nNothing happens where grad mode is off or no input requires grad.");
static PyObject *record_custom(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    array_list in, out;
    if (mp_py_count("record_custom", n, 5) < 0) return NULL;
    if (!PyUnicode_Check(args[0]) || !PyCallable_Check(args[1]) ||
        (args[2] != Py_None && !PyCallable_Check(args[2]))) {
        PyErr_SetString(PyExc_TypeError,
                        "record_custom: a name and two functions are wanted first");
        return NULL;
    }
    if (open_list("record_custom", "inputs", args[3], true, &in) < 0) return NULL;
    int status = open_list("record_custom", "outputs", args[4], false, &out);
    if (status == 0) {
        status = check_custom(&in, &out);
        if (status > 0) status = record(args[0], args[1], args[2], &in, &out);
        free_list(&out);
    }
    free_list(&in);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- backward ---- */

/* `grads` has n entries or none; results is NULL or has room for one per input. */
static int run_backward(const array_list *roots, const array_list *grads, const array_list *inputs,
                        bool retain_graph, bool create_graph, bool accumulate, mp_array **results) {
    if (grads->items && grads->n != roots->n) {
        PyErr_Format(PyExc_ValueError, "backward: %zd gradients for %zd arrays", grads->n,
                     roots->n);
        return -1;
    }
    mp_backward_run run = {.n = (int)roots->n,
                           .roots = roots->items,
                           .grads = grads->items,
                           .retain_graph = retain_graph,
                           .create_graph = create_graph,
                           .accumulate = accumulate,
                           .n_inputs = (int)inputs->n,
                           .inputs = inputs->items,
                           .results = results};
    return mp_py_check(mp_backward_from(&run));
}

/* The arrays that a run is limited to; None leaves the list empty. */
static int open_inputs(PyObject *object, array_list *inputs) {
    if (object == Py_None) return 0;
    if (open_list("backward", "inputs", object, false, inputs) < 0) return -1;
    if (inputs->n) return 0;
    free_list(inputs);
    PyErr_SetString(PyExc_ValueError, "backward: inputs is empty");
    return -1;
}

/* Gradients as a list; takes what `results` holds. */
static PyObject *result_list(mp_array **results, Py_ssize_t n) {
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; i < n; i++) {
        mp_array *grad = results[i];
        if (!list) {
            mp_array_unref(grad);
            continue;
        }
        PyObject *item = grad ? mp_py_wrap(grad) : Py_NewRef(Py_None);
        if (item) PyList_SET_ITEM(list, i, item);
        else Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(
    backward_doc,
    "backward(roots, grads, inputs, retain_graph, create_graph, accumulate, /)\n--\n\n"
    "Runs the graph backwards from several arrays.\n\n"
    "Parameters\n----------\nroots : ndarray or sequence of ndarray\n    Where to begin.\n"
    "grads : sequence of ndarray or None, or None\n    Their gradients; None is 1 for an array of "
    "one element.\n"
    "inputs : ndarray or sequence of ndarray, or None\n    Only what leads to these is run; None: "
    "to all leaves.\n"
    "retain_graph, create_graph : bool\n    Keep what the graph holds; record the backward "
    "itself.\n"
    "accumulate : bool\n    Add to `.grad` of the inputs, instead of returning their gradients.\n\n"
    "Returns\n-------\nlist of ndarray or None, or None\n    With inputs that are not accumulated, "
    "their gradients.");
static PyObject *backward(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    array_list roots = {0}, grads = {0}, inputs = {0};
    bool retain_graph, create_graph, accumulate;
    if (mp_py_count("backward", n, 6) < 0 ||
        mp_py_bool("backward", "retain_graph", args[3], &retain_graph) < 0 ||
        mp_py_bool("backward", "create_graph", args[4], &create_graph) < 0 ||
        mp_py_bool("backward", "accumulate", args[5], &accumulate) < 0)
        return NULL;
    if (open_list("backward", "roots", args[0], false, &roots) < 0) return NULL;
    int status = args[1] == Py_None ? 0 : open_list("backward", "grads", args[1], true, &grads);
    if (status == 0) status = open_inputs(args[2], &inputs);
    PyObject *list = NULL;
    mp_array **results = NULL;
    if (status == 0) {
        bool returns = args[2] != Py_None && !accumulate;
        results = calloc(inputs.n ? (size_t)inputs.n : 1, sizeof *results);
        if (!results) PyErr_NoMemory();
        else if (run_backward(&roots, &grads, &inputs, retain_graph, create_graph, accumulate,
                              results) == 0)
            list = returns ? result_list(results, inputs.n) : Py_NewRef(Py_None);
    }
    free(results);
    free_list(&roots);
    free_list(&grads);
    free_list(&inputs);
    return list;
}

/* The gradient argument of the method, as an array beside `a`. */
static int read_gradient(PyObject *object, const mp_array *a, array_list *grads) {
    if (!object || object == Py_None) return 0;
    mp_py_partner partner = {0};
    mp_py_meet(&partner, a);
    grads->items = calloc(1, sizeof *grads->items);
    if (!grads->items) {
        PyErr_NoMemory();
        return -1;
    }
    grads->n = 1;
    if (mp_py_input("backward", "gradient", object, &partner, &grads->items[0]) < 0) return -1;
    grads->items[0]->weak = false;
    return 0;
}

PyObject *mp_py_method_backward(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                PyObject *names) {
    static const mp_py_signature signature = {
        .op = "backward",
        .n = 4,
        .keyword_only = 4,
        .names = {"gradient", "retain_graph", "create_graph", "inputs"}};
    PyObject *values[4];
    bool create_graph = false, retain_graph;
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    if (values[2] && mp_py_bool("backward", "create_graph", values[2], &create_graph) < 0)
        return NULL;
    retain_graph = create_graph;
    if (values[1] && values[1] != Py_None &&
        mp_py_bool("backward", "retain_graph", values[1], &retain_graph) < 0)
        return NULL;
    array_list inputs = {0}, grads = {0};
    mp_array *root = mp_array_ref(mp_py_array_of(self));
    array_list roots = {.items = &root, .n = 1};
    int status = 0;
    if (values[3]) status = open_inputs(values[3], &inputs);
    if (status == 0) status = read_gradient(values[0], root, &grads);
    if (status == 0)
        status = run_backward(&roots, &grads, &inputs, retain_graph, create_graph, true, NULL);
    free_list(&grads);
    free_list(&inputs);
    mp_array_unref(root);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- leaves ---- */

PyDoc_STRVAR(make_leaf_doc, "make_leaf(array, /)\n--\n\nGives an array a leaf's place for a "
                            "gradient and narrow copies; it asks for no "
                            "gradient by that.\n\nParameters\n----------\narray : ndarray\n    Not "
                            "a result of a recorded op.");
static PyObject *make_leaf(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("make_leaf", "array", object, &a) < 0) return NULL;
    if (a->edge.node) {
        PyErr_Format(PyExc_RuntimeError, "make_leaf: the array is a result of %s",
                     mp_node_name(a->edge.node));
        return NULL;
    }
    mp_status status = mp_array_make_leaf(a);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyMethodDef mp_py_node_functions[] = {
    {"grad_mode", grad_mode, METH_NOARGS, grad_mode_doc},
    {"set_grad_mode", MP_PY_FAST(set_grad_mode), METH_FASTCALL, set_grad_mode_doc},
    {"record_custom", MP_PY_FAST(record_custom), METH_FASTCALL, record_custom_doc},
    {"backward", MP_PY_FAST(backward), METH_FASTCALL, backward_doc},
    {"make_leaf", make_leaf, METH_O, make_leaf_doc},
    {NULL, NULL, 0, NULL},
};
