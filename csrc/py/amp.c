/* Autocast regions, narrow copies, and the optimizers' and the scaler's kernels, as Python calls
 * them. */
#include "py.h"

#include <stdlib.h>
#include <string.h>

/* ---- autocast ---- */

static int read_kind(const char *op, PyObject *object, int least, int *kind) {
    int64_t value;
    if (mp_py_int(op, "kind", object, &value) < 0) return -1;
    if (value < least || value >= MP_KIND_COUNT) {
        PyErr_Format(PyExc_ValueError, "%s: kind is %lld, must be from %d to %d", op,
                     (long long)value, least, MP_KIND_COUNT - 1);
        return -1;
    }
    *kind = (int)value;
    return 0;
}

/* Arguments of a region that are left open are negative. */
typedef struct region_args {
    int kind, dtype, cache, preset;
    bool enabled;
} region_args;

static int read_region(PyObject *const *args, region_args *r) {
    static const char *const op = "autocast";
    *r = (region_args){.dtype = -1, .cache = -1, .preset = -1};
    bool cache;
    int64_t preset;
    mp_dtype dtype;
    if (read_kind(op, args[0], -1, &r->kind) < 0 ||
        mp_py_bool(op, "enabled", args[1], &r->enabled) < 0)
        return -1;
    if (args[2] != Py_None) {
        if (mp_py_dtype(op, args[2], &dtype) < 0) return -1;
        r->dtype = dtype;
        if (dtype != MP_FLOAT16 && dtype != MP_BFLOAT16) {
            PyErr_Format(PyExc_TypeError, "autocast: dtype is %s, must be float16 or bfloat16",
                         mp_dtypes[dtype].name);
            return -1;
        }
    }
    if (args[3] != Py_None) {
        if (mp_py_bool(op, "cache", args[3], &cache) < 0) return -1;
        r->cache = cache;
    }
    if (args[4] != Py_None) {
        if (mp_py_int(op, "preset", args[4], &preset) < 0) return -1;
        if (preset < 0 || preset >= MP_PRESET_COUNT) {
            PyErr_Format(PyExc_ValueError, "autocast: preset is %lld, must be from 0 to %d",
                         (long long)preset, MP_PRESET_COUNT - 1);
            return -1;
        }
        r->preset = (int)preset;
    }
    return 0;
}

/* Names and policies, written into a row of policies (MP_OP_COUNT of them, 255 where nothing is
 * said). */
static int read_overrides(PyObject *overrides, uint8_t *policies) {
    PyObject *name, *value;
    Py_ssize_t at = 0;
    memset(policies, 255, MP_OP_COUNT);
    if (overrides == Py_None) return 0;
    if (!PyDict_Check(overrides)) {
        PyErr_SetString(PyExc_TypeError, "autocast: overrides are not a dict");
        return -1;
    }
    while (PyDict_Next(overrides, &at, &name, &value)) {
        PyObject *number = PyDict_GetItemWithError(mp_py->op_index, name);
        int64_t policy;
        if (!number) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_ValueError, "autocast: there is no op %R", name);
            return -1;
        }
        if (mp_py_int("autocast", "a policy", value, &policy) < 0) return -1;
        if (policy < MP_KEEP || policy > MP_PROMOTE) {
            PyErr_Format(PyExc_ValueError, "autocast: policy %lld of %R is not known",
                         (long long)policy, name);
            return -1;
        }
        policies[PyLong_AsLong(number)] = (uint8_t)policy;
    }
    return 0;
}

PyDoc_STRVAR(
    autocast_push_doc,
    "autocast_push(kind, enabled, dtype, cache, preset, overrides, /)\n--\n\n"
    "Enters an autocast region of this thread, made from the one around it.\n\n"
    "Parameters\n----------\nkind : int\n    0 for the CPU, 1 for CUDA, -1 for both.\nenabled : "
    "bool\n    Whether it casts.\n"
    "dtype : dtype or None\n    float16 or bfloat16; None: as around it.\n"
    "cache : bool or None\n    Whether parameters keep narrow copies; None: as around it.\n"
    "preset : int or None\n    Whose policies hold; None: those around it.\n"
    "overrides : dict or None\n    Policies by the name of the op.");
static PyObject *autocast_push(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    region_args r;
    uint8_t policies[MP_OP_COUNT];
    mp_autocast *region;
    if (mp_py_count("autocast_push", n, 6) < 0 || read_region(args, &r) < 0 ||
        read_overrides(args[5], policies) < 0)
        return NULL;
    mp_status status = mp_autocast_push(&region);
    if (status != MP_OK) return mp_py_raise(status);
    if (r.preset >= 0) mp_autocast_set_preset(region, (mp_preset)r.preset);
    if (r.cache >= 0) region->shadows = r.cache;
    for (int kind = 0; kind < MP_KIND_COUNT; kind++) {
        if (r.kind >= 0 && kind != r.kind) continue;
        region->enabled[kind] = r.enabled;
        if (r.dtype >= 0) region->dtype[kind] = (int8_t)r.dtype;
        for (int op = 0; op < MP_OP_COUNT; op++)
            if (policies[op] != 255) region->policy[kind][op] = policies[op];
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(autocast_pop_doc,
             "autocast_pop()\n--\n\nLeaves the innermost autocast region of this thread.");
static PyObject *autocast_pop(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    if (mp_autocast_depth() == 0) {
        PyErr_SetString(PyExc_RuntimeError, "autocast_pop: this thread is in no region");
        return NULL;
    }
    mp_autocast_pop();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(autocast_state_doc,
             "autocast_state(kind, /)\n--\n\nThe region that holds for a device.\n\n"
             "Parameters\n----------\nkind : int\n    0 for the CPU, 1 for CUDA.\n\n"
             "Returns\n-------\ntuple\n    How many regions are open, whether this one casts, its "
             "dtype's name, whether narrow copies\n"
             "    are kept, and the preset's number.");
static PyObject *autocast_state(PyObject *module, PyObject *object) {
    (void)module;
    int kind;
    if (read_kind("autocast_state", object, 0, &kind) < 0) return NULL;
    const mp_autocast *region = mp_autocast_current();
    int dtype = region ? region->dtype[kind] : (int)mp_autocast_default_dtype(kind);
    bool enabled = region && region->enabled[kind], cache = region ? region->shadows : true;
    return Py_BuildValue("(iOsOi)", mp_autocast_depth(), enabled ? Py_True : Py_False,
                         mp_dtypes[dtype].name, cache ? Py_True : Py_False,
                         region ? region->preset : (int)MP_PRESET_MIXPREC);
}

PyDoc_STRVAR(autocast_policies_doc,
             "autocast_policies(kind, /)\n--\n\nThe policy of every op in force for a device.\n\n"
             "Parameters\n----------\nkind : int\n    0 for the CPU, 1 for CUDA.\n\n"
             "Returns\n-------\ndict\n    Names with 0 keep, 1 lower, 2 float32, 3 promote.");
static PyObject *autocast_policies(PyObject *module, PyObject *object) {
    (void)module;
    int kind;
    if (read_kind("autocast_policies", object, 0, &kind) < 0) return NULL;
    const mp_autocast *region = mp_autocast_current();
    PyObject *table = PyDict_New();
    for (int op = 0; table && op < MP_OP_COUNT; op++) {
        PyObject *policy = PyLong_FromLong(region ? region->policy[kind][op]
                                                  : mp_op_rows[op].policy[MP_PRESET_MIXPREC]);
        if (!policy || PyDict_SetItemString(table, mp_op_rows[op].name, policy) < 0)
            Py_CLEAR(table);
        Py_XDECREF(policy);
    }
    return table;
}

PyDoc_STRVAR(shadow_doc, "shadow(param, dtype, /)\n--\n\nThe narrow copy that a leaf keeps of "
                         "itself, made now if it is stale.\n\n"
                         "Parameters\n----------\nparam : ndarray\n    A contiguous leaf.\ndtype : "
                         "dtype\n    A narrow one.\n\n"
                         "Returns\n-------\nndarray\n    Outside of the graph.");
static PyObject *shadow(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *a, *copy = NULL;
    mp_dtype dtype;
    if (mp_py_count("shadow", n, 2) < 0 || mp_py_want_array("shadow", "param", args[0], &a) < 0 ||
        mp_py_dtype("shadow", args[1], &dtype) < 0)
        return NULL;
    if (a->edge.node || !a->edge.leaf || !a->contiguous || !mp_is_narrow(dtype)) {
        PyErr_SetString(PyExc_ValueError,
                        "shadow: a contiguous leaf and a narrow floating dtype are wanted");
        return NULL;
    }
    mp_status status = mp_leaf_shadow(a, dtype, &copy);
    return mp_py_result(status, copy);
}

PyDoc_STRVAR(grad_scale_doc,
             "grad_scale(param, /)\n--\n\nThe loss scale that the gradient of a leaf carries.\n\n"
             "Parameters\n----------\nparam : ndarray\n    A leaf.\n\nReturns\n-------\nndarray or "
             "None\n    0-d float32.");
static PyObject *grad_scale(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("grad_scale", "param", object, &a) < 0) return NULL;
    mp_leaf *leaf = a->edge.node ? NULL : a->edge.leaf;
    mp_array *scale = NULL;
    if (leaf) {
        mp_leaf_lock(leaf);
        scale = mp_array_ref(leaf->grad_scale);
        mp_leaf_unlock(leaf);
    }
    return scale ? mp_py_wrap(scale) : Py_NewRef(Py_None);
}

/* ---- optimizers ---- */

/* The lists of one step; they hold references. */
enum { PARAMS, M, V, MASTERS, STEPS, LISTS };
static const char *const list_names[LISTS] = {"params", "first moments", "second moments",
                                              "masters", "steps"};

typedef struct step_args {
    mp_array **arrays[LISTS], *stats, *scale;
    Py_ssize_t n;
    unsigned required; /* bit k: list k has an array for every parameter */
    mp_optim optim;
} step_args;

static void close_step(step_args *s) {
    for (int k = 0; k < LISTS; k++) {
        for (Py_ssize_t i = 0; s->arrays[k] && i < s->n; i++) mp_array_unref(s->arrays[k][i]);
        free(s->arrays[k]);
    }
    mp_array_unref(s->stats);
    mp_array_unref(s->scale);
}

/* The dtype that the kernels read a state with. */
static mp_dtype wanted_dtype(int list, const mp_array *param) {
    return (list == M || list == V) && param->dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32;
}

/* One list of arrays, or None. */
static int read_list(const char *op, step_args *s, int k, PyObject *object) {
    bool required = s->required & (1u << k);
    if (object == Py_None && !required) return 0;
    PyObject *items = PySequence_Fast(object, "the lists of an optimizer are no sequences");
    if (!items) return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
    int status = 0;
    if (k == PARAMS) s->n = n;
    if (n != s->n) {
        PyErr_Format(PyExc_ValueError, "%s: %zd %s for %zd parameters", op, n, list_names[k], s->n);
        status = -1;
    } else if (!(s->arrays[k] = calloc(n ? (size_t)n : 1, sizeof *s->arrays[k]))) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < n; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(items, i);
        mp_array *a;
        if (item == Py_None && !required) continue;
        status = mp_py_want_array(op, list_names[k], item, &a);
        if (status == 0 && k != PARAMS &&
            a->dtype != (int8_t)wanted_dtype(k, s->arrays[PARAMS][i])) {
            PyErr_Format(PyExc_TypeError, "%s: %s of parameter %zd are %s, must be %s", op,
                         list_names[k], i, mp_dtypes[a->dtype].name,
                         mp_dtypes[wanted_dtype(k, s->arrays[PARAMS][i])].name);
            status = -1;
        }
        if (status == 0) s->arrays[k][i] = mp_array_ref(a);
    }
    Py_DECREF(items);
    return status;
}

/* A float32 array of `size` elements beside the parameters, or None. */
static int read_few(const char *op, const char *name, step_args *s, PyObject *object, int64_t size,
                    mp_array **out) {
    if (object == Py_None) return 0;
    mp_array *a;
    if (mp_py_want_array(op, name, object, &a) < 0) return -1;
    if (a->dtype != MP_FLOAT32 || a->size != size || !a->contiguous) {
        PyErr_Format(PyExc_ValueError, "%s: %s is %s of shape %s, must be %lld contiguous float32",
                     op, name, mp_dtypes[a->dtype].name, mp_shape_text(a->ndim, a->shape),
                     (long long)size);
        return -1;
    }
    if (s->n && mp_array_device(a) != mp_array_device(s->arrays[PARAMS][0])) {
        PyErr_Format(PyExc_ValueError, "%s: %s is on another device than the parameters", op, name);
        return -1;
    }
    *out = mp_array_ref(a);
    return 0;
}

/* stats and scale, then what the core takes. */
static int finish_step(const char *op, step_args *s, PyObject *stats, PyObject *scale) {
    if (read_few(op, "stats", s, stats, sizeof(mp_stats) / sizeof(float), &s->stats) < 0) return -1;
    if (read_few(op, "scale", s, scale, 1, &s->scale) < 0) return -1;
    s->optim.n = s->n;
    s->optim.params = s->arrays[PARAMS];
    s->optim.m = s->arrays[M];
    s->optim.v = s->arrays[V];
    s->optim.masters = s->arrays[MASTERS];
    s->optim.steps = s->arrays[STEPS];
    s->optim.stats = s->stats;
    s->optim.scale = s->scale;
    return 0;
}

/* Hyperparameters: names with where their values go. */
static int read_numbers(const char *op, PyObject *const *args, int n, const char *const *names,
                        double *const *to) {
    for (int i = 0; i < n; i++)
        if (mp_py_double(op, names[i], args[i], to[i]) < 0) return -1;
    return 0;
}

static PyObject *end_step(step_args *s, int read, mp_status (*run)(const mp_optim *),
                          mp_list list) {
    mp_status status = MP_OK;
    if (read == 0) status = run ? run(&s->optim) : mp_optim_step(list, &s->optim);
    close_step(s);
    if (read < 0) return NULL;
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyDoc_STRVAR(
    optim_unscale_doc,
    "optim_unscale(params, stats, scale, max_norm, write, /)\n--\n\n"
    "Measures the gradients of parameters: inf or NaN, and their norm, unscaled.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "stats : ndarray\n    4 float32: gets whether inf or NaN was found, the norm, the clip factor, "
    "the first bad index.\n"
    "scale : ndarray or None\n    The loss scale of gradients that carry none of their own.\n"
    "max_norm : float\n    What the clip factor brings the norm to; inf clips nothing.\n"
    "write : bool\n    Whether the gradients are divided by their scale.");
static PyObject *optim_unscale(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_unscale";
    (void)module;
    step_args s = {.required = 1u << PARAMS};
    if (mp_py_count(op, n, 5) < 0) return NULL;
    int read = read_list(op, &s, PARAMS, args[0]);
    if (read == 0) read = finish_step(op, &s, args[1], args[2]);
    if (read == 0) read = mp_py_double(op, "max_norm", args[3], &s.optim.hyper.max_norm);
    if (read == 0) read = mp_py_bool(op, "write", args[4], &s.optim.hyper.write);
    return end_step(&s, read, mp_optim_unscale, MP_LIST_unscale);
}

PyDoc_STRVAR(
    optim_sgd_doc,
    "optim_sgd(params, bufs, masters, steps, stats, scale, lr, momentum, dampening, weight_decay, "
    "nesterov, maximize, /)\n"
    "--\n\nOne step of SGD over all parameters, written by one kernel.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "bufs, masters, steps : sequence of ndarray or None, or None\n    The state, one array per "
    "parameter.\n"
    "stats : ndarray or None\n    What `optim_unscale` found; with inf or NaN nothing is written.\n"
    "scale : ndarray or None\n    If given, gradients are still scaled, by what they carry or by "
    "this.\n"
    "lr, momentum, dampening, weight_decay : float\n    As in PyTorch.\nnesterov, maximize : "
    "bool\n    As in PyTorch.");
static PyObject *optim_sgd(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_sgd", *const names[] = {"lr", "momentum", "dampening",
                                                                 "weight_decay"};
    static const int order[] = {PARAMS, M, MASTERS, STEPS};
    (void)module;
    step_args s = {.required = 1u << PARAMS | 1u << STEPS};
    mp_list_call *hyper = &s.optim.hyper;
    double *const to[] = {&hyper->lr, &hyper->momentum, &hyper->dampening, &hyper->weight_decay};
    if (mp_py_count(op, n, 12) < 0) return NULL;
    int read = 0;
    for (int k = 0; read == 0 && k < 4; k++) read = read_list(op, &s, order[k], args[k]);
    if (read == 0) read = finish_step(op, &s, args[4], args[5]);
    if (read == 0) read = read_numbers(op, args + 6, 4, names, to);
    if (read == 0) read = mp_py_bool(op, "nesterov", args[10], &hyper->nesterov);
    if (read == 0) read = mp_py_bool(op, "maximize", args[11], &hyper->maximize);
    return end_step(&s, read, NULL, MP_LIST_sgd);
}

PyDoc_STRVAR(
    optim_adam_doc,
    "optim_adam(params, exp_avgs, exp_avg_sqs, masters, steps, stats, scale, lr, beta1, beta2, "
    "eps, weight_decay, decoupled, "
    "maximize, /)\n--\n\nOne step of Adam over all parameters, written by one kernel.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "exp_avgs, exp_avg_sqs, masters, steps : sequence of ndarray or None, or None\n    The state, "
    "one array per parameter.\n"
    "stats : ndarray or None\n    What `optim_unscale` found; with inf or NaN nothing is written.\n"
    "scale : ndarray or None\n    If given, gradients are still scaled, by what they carry or by "
    "this.\n"
    "lr, beta1, beta2, eps, weight_decay : float\n    As in PyTorch.\n"
    "decoupled : bool\n    Weight decay as AdamW has it.\nmaximize : bool\n    As in PyTorch.");
static PyObject *optim_adam(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_adam", *const names[] = {"lr", "beta1", "beta2", "eps",
                                                                  "weight_decay"};
    static const int order[] = {PARAMS, M, V, MASTERS, STEPS};
    (void)module;
    step_args s = {.required = 1u << PARAMS | 1u << M | 1u << V | 1u << STEPS};
    mp_list_call *hyper = &s.optim.hyper;
    double *const to[] = {&hyper->lr, &hyper->beta1, &hyper->beta2, &hyper->eps,
                          &hyper->weight_decay};
    if (mp_py_count(op, n, 14) < 0) return NULL;
    int read = 0;
    for (int k = 0; read == 0 && k < 5; k++) read = read_list(op, &s, order[k], args[k]);
    if (read == 0) read = finish_step(op, &s, args[5], args[6]);
    if (read == 0) read = read_numbers(op, args + 7, 5, names, to);
    if (read == 0) read = mp_py_bool(op, "decoupled", args[12], &hyper->decoupled);
    if (read == 0) read = mp_py_bool(op, "maximize", args[13], &hyper->maximize);
    return end_step(&s, read, NULL, MP_LIST_adam);
}

/* ---- scaler ---- */

PyDoc_STRVAR(scaler_update_doc, "scaler_update(state, growth_factor, backoff_factor, "
                                "growth_interval, min_scale, max_scale, hysteresis, /)\n--\n\n"
                                "Moves the scale by what was found since the last update.\n\n"
                                "Parameters\n----------\nstate : ndarray\n    8 float32: scale, "
                                "growth tracker, found inf, hysteresis left, steps skipped and "
                                "taken.\ngrowth_factor, backoff_factor, growth_interval, "
                                "min_scale, max_scale, hysteresis : float\n    The law.");
static PyObject *scaler_update(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "scaler_update";
    static const char *const names[] = {"growth_factor", "backoff_factor", "growth_interval",
                                        "min_scale",     "max_scale",      "hysteresis"};
    (void)module;
    mp_array *state;
    mp_list_call hyper;
    memset(&hyper, 0, sizeof hyper);
    double *const to[] = {&hyper.growth_factor, &hyper.backoff_factor, &hyper.growth_interval,
                          &hyper.min_scale,     &hyper.max_scale,      &hyper.hysteresis};
    if (mp_py_count(op, n, 7) < 0 || mp_py_want_array(op, "state", args[0], &state) < 0 ||
        read_numbers(op, args + 1, 6, names, to) < 0)
        return NULL;
    state = mp_py_array_of(args[0]); /* a number's __float__ may be Python code */
    mp_status status = mp_scaler_update(state, &hyper);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyMethodDef mp_py_amp_functions[] = {
    {"autocast_push", MP_PY_FAST(autocast_push), METH_FASTCALL, autocast_push_doc},
    {"autocast_pop", autocast_pop, METH_NOARGS, autocast_pop_doc},
    {"autocast_state", autocast_state, METH_O, autocast_state_doc},
    {"autocast_policies", autocast_policies, METH_O, autocast_policies_doc},
    {"shadow", MP_PY_FAST(shadow), METH_FASTCALL, shadow_doc},
    {"grad_scale", grad_scale, METH_O, grad_scale_doc},
    {"optim_unscale", MP_PY_FAST(optim_unscale), METH_FASTCALL, optim_unscale_doc},
    {"optim_sgd", MP_PY_FAST(optim_sgd), METH_FASTCALL, optim_sgd_doc},
    {"optim_adam", MP_PY_FAST(optim_adam), METH_FASTCALL, optim_adam_doc},
    {"scaler_update", MP_PY_FAST(scaler_update), METH_FASTCALL, scaler_update_doc},
    {NULL, NULL, 0, NULL},
};
