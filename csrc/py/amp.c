/* Autocast regions and narrow copies, as Python calls them. */
#include "py.h"

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

PyMethodDef mp_py_amp_functions[] = {
    {"autocast_push", MP_PY_FAST(autocast_push), METH_FASTCALL, autocast_push_doc},
    {"autocast_pop", autocast_pop, METH_NOARGS, autocast_pop_doc},
    {"autocast_state", autocast_state, METH_O, autocast_state_doc},
    {"autocast_policies", autocast_policies, METH_O, autocast_policies_doc},
    {"shadow", MP_PY_FAST(shadow), METH_FASTCALL, shadow_doc},
    {"grad_scale", grad_scale, METH_O, grad_scale_doc},
    {NULL, NULL, 0, NULL},
};
