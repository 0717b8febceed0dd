/* What the core says of itself, and its settings: tables, dtypes, devices, memory, threads, random
 * state. */
#include "py.h"

#include <string.h>

/* ---- tables ---- */

/* Sets a key of a dict; takes the value, which may be NULL after an error. */
static int put(PyObject *dict, const char *key, PyObject *value) {
    int status = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return status;
}

static PyObject *policies_of(const mp_op_row *row) {
    static const char *const names[] = {
        [MP_KEEP] = "keep", [MP_LOWER] = "lower", [MP_FP32] = "fp32", [MP_PROMOTE] = "promote"};
    return Py_BuildValue("{s:s,s:s,s:s}", "mixprec", names[row->policy[MP_PRESET_MIXPREC]], "torch",
                         names[row->policy[MP_PRESET_TORCH]], "torch-cuda",
                         names[row->policy[MP_PRESET_TORCH_CUDA]]);
}

/* Names of the loaded backends that can run the row. */
static PyObject *backends_of(int op) {
    PyObject *names = PyList_New(0);
    for (int kind = 0; names && kind < MP_KIND_COUNT; kind++) {
        const mp_backend *backend;
        if (mp_backend_of((mp_device)(kind == MP_KIND_CPU ? 0 : 1), &backend) != MP_OK) continue;
        const mp_kernel *kernels = backend->kernels;
        if (!(mp_op_rows[op].flags & MP_VIEW) && !kernels[op]) continue;
        PyObject *name = PyUnicode_FromString(backend->name);
        if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyObject *describe_row(int op) {
    const mp_op_row *row = &mp_op_rows[op];
    PyObject *dict =
        Py_BuildValue("{s:s,s:s,s:s,s:s,s:s}", "name", row->name, "inputs", row->inputs, "outputs",
                      row->outputs, "attrs", row->attrs, "keep", row->keep);
    if (!dict) return NULL;
    bool differentiable = row->vjp && !(row->flags & MP_NOGRAD);
    if (put(dict, "policies", policies_of(row)) < 0 || put(dict, "backends", backends_of(op)) < 0 ||
        put(dict, "differentiable", PyBool_FromLong(differentiable)) < 0 ||
        put(dict, "view", PyBool_FromLong(row->flags & MP_VIEW)) < 0 ||
        put(dict, "strided", PyBool_FromLong(row->flags & MP_STRIDED)) < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *describe_dtype(int t) {
    const char kind[2] = {mp_dtypes[t].kind, 0};
    return Py_BuildValue("{s:s,s:s,s:i,s:i,s:O}", "name", mp_dtypes[t].name, "kind", kind,
                         "itemsize", (int)mp_dtypes[t].bytes, "bits", (int)mp_dtypes[t].bits,
                         "dtype", mp_py->descr[t]);
}

static PyObject *table(int n, PyObject *(*describe)(int)) {
    PyObject *rows = PyList_New(n);
    for (int i = 0; rows && i < n; i++) {
        PyObject *row = describe(i);
        if (row) PyList_SET_ITEM(rows, i, row);
        else Py_CLEAR(rows);
    }
    return rows;
}

PyDoc_STRVAR(op_table_doc,
             "op_table()\n--\n\nThe rows of the op table.\n\nReturns\n-------\nlist of dict\n"
             "    Names, texts of inputs, outputs and attributes, policies by preset, and the "
             "backends that have it.");
static PyObject *op_table(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return table(MP_OP_COUNT, describe_row);
}

PyDoc_STRVAR(dtype_table_doc,
             "dtype_table()\n--\n\nThe dtypes.\n\nReturns\n-------\nlist of dict\n"
             "    Names, kinds ('B', 'I', 'U', 'F'), sizes and `numpy.dtype` objects.");
static PyObject *dtype_table(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return table(MP_DTYPE_COUNT, describe_dtype);
}

/* ---- dtypes ---- */

PyDoc_STRVAR(promote_doc,
             "promote(dtype1, dtype2, /)\n--\n\nThe dtype that two operands are brought to.\n\n"
             "Parameters\n----------\ndtype1, dtype2 : dtype\n    Of the "
             "operands.\n\nReturns\n-------\ndtype\n    The common "
             "one.\n\nRaises\n------\nTypeError\n    For float8 with anything but itself.");
static PyObject *promote(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_dtype a, b, common;
    if (mp_py_count("promote", n, 2) < 0 || mp_py_dtype("promote", args[0], &a) < 0 ||
        mp_py_dtype("promote", args[1], &b) < 0)
        return NULL;
    mp_status status = mp_promote(a, b, &common);
    if (status == MP_OK) return mp_py_dtype_object(common);
    mp_error_prefix("promote");
    return mp_py_raise(status);
}

PyDoc_STRVAR(default_dtype_doc, "default_dtype()\n--\n\nThe dtype of new floating "
                                "arrays.\n\nReturns\n-------\ndtype\n    float32 at first.");
static PyObject *default_dtype(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return mp_py_dtype_object(mp_default_float());
}

PyDoc_STRVAR(set_default_dtype_doc,
             "set_default_dtype(dtype, /)\n--\n\nChanges the dtype of new floating arrays.\n\n"
             "Parameters\n----------\ndtype : dtype\n    A floating one of 16 bits or more.");
static PyObject *set_default_dtype(PyObject *module, PyObject *object) {
    (void)module;
    mp_dtype dtype;
    if (mp_py_dtype("set_default_dtype", object, &dtype) < 0) return NULL;
    mp_status status = mp_set_default_float(dtype);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

/* ---- random state ---- */

PyDoc_STRVAR(manual_seed_doc, "manual_seed(seed, /)\n--\n\nSeeds the generators of all devices.\n\n"
                              "Parameters\n----------\nseed : int\n    Its lowest 64 bits count.");
static PyObject *manual_seed(PyObject *module, PyObject *object) {
    (void)module;
    PyObject *number = PyNumber_Index(object);
    if (!number) {
        PyErr_Format(PyExc_TypeError, "manual_seed: the seed is a %.100s, an integer is wanted",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    unsigned long long seed = PyLong_AsUnsignedLongLongMask(number);
    Py_DECREF(number);
    if (seed == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
    mp_seed(seed);
    Py_RETURN_NONE;
}

static PyObject *state_tuple(uint64_t seed, uint64_t offset) {
    return Py_BuildValue("(KK)", (unsigned long long)seed, (unsigned long long)offset);
}

PyDoc_STRVAR(rng_next_doc,
             "rng_next(device, /)\n--\n\nReserves one call number of a device's generator.\n\n"
             "Parameters\n----------\ndevice : str or None\n    The "
             "device.\n\nReturns\n-------\ntuple of int\n    Seed and call "
             "number.");
static PyObject *rng_next(PyObject *module, PyObject *object) {
    (void)module;
    mp_device device;
    uint64_t seed, offset;
    if (mp_py_device("rng_next", object, &device) < 0) return NULL;
    mp_rng_next(device, &seed, &offset);
    return state_tuple(seed, offset);
}

PyDoc_STRVAR(rng_state_doc, "rng_state(device, /)\n--\n\nThe state of a device's generator.\n\n"
                            "Parameters\n----------\ndevice : str or None\n    The "
                            "device.\n\nReturns\n-------\ntuple of int\n    Seed and the "
                            "next call number.");
static PyObject *rng_state(PyObject *module, PyObject *object) {
    (void)module;
    mp_device device;
    if (mp_py_device("rng_state", object, &device) < 0) return NULL;
    mp_rng_state state = mp_rng_get(device);
    return state_tuple(state.seed, state.offset);
}

PyDoc_STRVAR(
    set_rng_state_doc,
    "set_rng_state(device, seed, offset, /)\n--\n\nSets the state of a device's generator.\n\n"
    "Parameters\n----------\ndevice : str or None\n    The device.\nseed, offset : int\n    As "
    "`rng_state` gives "
    "them.");
static PyObject *set_rng_state(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "set_rng_state";
    (void)module;
    mp_device device;
    mp_rng_state state;
    if (mp_py_count(op, n, 3) < 0 || mp_py_device(op, args[0], &device) < 0 ||
        mp_py_uint(op, "seed", args[1], &state.seed) < 0 ||
        mp_py_uint(op, "offset", args[2], &state.offset) < 0)
        return NULL;
    mp_rng_set(device, state);
    Py_RETURN_NONE;
}

/* ---- threads and memory ---- */

PyDoc_STRVAR(set_num_threads_doc,
             "set_num_threads(n, /)\n--\n\nSets how many threads CPU kernels use.\n\n"
             "Parameters\n----------\nn : int\n    At least 1.");
static PyObject *set_num_threads(PyObject *module, PyObject *object) {
    (void)module;
    int64_t n;
    if (mp_py_int("set_num_threads", "n", object, &n) < 0) return NULL;
    if (n < 1 || n > 4096) {
        PyErr_Format(PyExc_ValueError, "set_num_threads: n is %lld, must be from 1 to 4096",
                     (long long)n);
        return NULL;
    }
    mp_status status = mp_set_num_threads((int)n);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyDoc_STRVAR(get_num_threads_doc, "get_num_threads()\n--\n\nHow many threads CPU kernels "
                                  "use.\n\nReturns\n-------\nint\n    Their number.");
static PyObject *get_num_threads(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromLong(mp_num_threads());
}

PyDoc_STRVAR(memory_stats_doc,
             "memory_stats(device, /)\n--\n\nBytes that arrays hold on a device.\n\n"
             "Parameters\n----------\ndevice : str or None\n    The "
             "device.\n\nReturns\n-------\ntuple of int\n    Now, and at "
             "most so far.");
static PyObject *memory_stats(PyObject *module, PyObject *object) {
    (void)module;
    mp_device device;
    size_t held, peak;
    if (mp_py_device("memory_stats", object, &device) < 0) return NULL;
    mp_memory_stats(device, &held, &peak);
    return Py_BuildValue("(nn)", (Py_ssize_t)held, (Py_ssize_t)peak);
}

PyDoc_STRVAR(reset_peak_doc, "reset_peak(device, /)\n--\n\nLets the peak of `memory_stats` begin "
                             "again at what is held now.\n\n"
                             "Parameters\n----------\ndevice : str or None\n    The device.");
static PyObject *reset_peak(PyObject *module, PyObject *object) {
    (void)module;
    mp_device device;
    if (mp_py_device("reset_peak", object, &device) < 0) return NULL;
    mp_memory_reset_peak(device);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(default_device_doc, "default_device()\n--\n\nWhere the thread's new arrays go.\n\n"
                                 "Returns\n-------\nstr\n    The CPU at first.");
static PyObject *default_device(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return mp_py_device_object(mp_py_default_device());
}

PyDoc_STRVAR(set_default_device_doc,
             "set_default_device(device, /)\n--\n\nChanges where the thread's new arrays go.\n\n"
             "Parameters\n----------\ndevice : str\n    A device that is there.");
static PyObject *set_default_device(PyObject *module, PyObject *object) {
    (void)module;
    mp_device device;
    const mp_backend *backend;
    if (mp_py_device("set_default_device", object, &device) < 0) return NULL;
    if (mp_py_check(mp_backend_of(device, &backend)) < 0) return NULL;
    mp_py_set_default_device(device);
    Py_RETURN_NONE;
}

/* ---- the installation ---- */

/* What the CUDA backend found, as JSON text, and the number of its devices. */
static int describe_cuda(PyObject *dict) {
    const mp_backend *backend;
    char text[16384] = "";
    int count = 0;
    bool there =
        mp_backend_of((mp_device)1, &backend) == MP_OK && backend->device_count(&count) == MP_OK;
    if (there && backend->describe(text, sizeof text) != MP_OK) text[0] = 0;
    if (put(dict, "cuda", PyBool_FromLong(there)) < 0 ||
        put(dict, "cuda_devices", PyLong_FromLong(count)) < 0)
        return -1;
    if (put(dict, "cuda_why", PyUnicode_DecodeLocale(mp_cuda_why(), "surrogateescape")) < 0)
        return -1;
    return put(dict, "cuda_found", PyUnicode_FromString(text));
}

PyDoc_STRVAR(info_doc, "info()\n--\n\nWhat this build is and what it found on this machine.\n\n"
                       "Returns\n-------\ndict\n    The CPU tier in use and those that could be, "
                       "threads, and of CUDA whether it is there, how "
                       "many\n    devices, and why not.");
static PyObject *info(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    mp_py_load_cuda();
    PyObject *dict = Py_BuildValue("{s:i,s:s,s:i}", "abi", MP_ABI, "tier", mp_cpu_tier(), "threads",
                                   mp_num_threads());
    PyObject *tiers = dict ? PyUnicode_FromString(mp_cpu_tiers()) : NULL;
    PyObject *list = tiers ? PyUnicode_Split(tiers, NULL, -1) : NULL;
    Py_XDECREF(tiers);
    if (dict && (put(dict, "tiers", list) < 0 || describe_cuda(dict) < 0)) Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(set_device_class_doc,
             "set_device_class(cls, /)\n--\n\nSets the class of what `ndarray.device` gives.\n\n"
             "Parameters\n----------\ncls : type\n    A subclass of str, called with the name.");
static PyObject *set_device_class(PyObject *module, PyObject *object) {
    (void)module;
    if (!PyType_Check(object) || !PyType_IsSubtype((PyTypeObject *)object, &PyUnicode_Type)) {
        PyErr_SetString(PyExc_TypeError, "set_device_class: a subclass of str is wanted");
        return NULL;
    }
    Py_XSETREF(mp_py->device_class, Py_NewRef(object));
    for (int i = 0; i < MP_PY_DEVICES; i++) Py_CLEAR(mp_py->devices[i]);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(set_scalar_types_doc,
             "set_scalar_types(types, /)\n--\n\nSets what stands for the dtypes beside NumPy's.\n\n"
             "Parameters\n----------\ntypes : tuple\n    One for each row of `dtype_table`.");
static PyObject *set_scalar_types(PyObject *module, PyObject *object) {
    (void)module;
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != MP_DTYPE_COUNT) {
        PyErr_Format(PyExc_TypeError, "set_scalar_types: a tuple of %d is wanted", MP_DTYPE_COUNT);
        return NULL;
    }
    for (int t = 0; t < MP_DTYPE_COUNT; t++)
        Py_XSETREF(mp_py->scalar_type[t], Py_NewRef(PyTuple_GET_ITEM(object, t)));
    Py_RETURN_NONE;
}

static int check_exception(PyObject *object, PyObject *base) {
    if (PyExceptionClass_Check(object) && PyObject_IsSubclass(object, base) == 1) return 0;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "set_errors: %R is not a subclass of %R", object, base);
    return -1;
}

PyDoc_STRVAR(set_errors_doc,
             "set_errors(out_of_memory, device_error, /)\n--\n\nSets the exceptions that failures "
             "of devices raise.\n\n"
             "Parameters\n----------\nout_of_memory : type\n    A subclass of MemoryError.\n"
             "device_error : type\n    A subclass of RuntimeError.");
static PyObject *set_errors(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    if (mp_py_count("set_errors", n, 2) < 0 || check_exception(args[0], PyExc_MemoryError) < 0 ||
        check_exception(args[1], PyExc_RuntimeError) < 0)
        return NULL;
    Py_SETREF(mp_py->out_of_memory, Py_NewRef(args[0]));
    Py_SETREF(mp_py->device_error, Py_NewRef(args[1]));
    Py_RETURN_NONE;
}

PyMethodDef mp_py_info_functions[] = {
    {"op_table", op_table, METH_NOARGS, op_table_doc},
    {"dtype_table", dtype_table, METH_NOARGS, dtype_table_doc},
    {"promote", MP_PY_FAST(promote), METH_FASTCALL, promote_doc},
    {"default_dtype", default_dtype, METH_NOARGS, default_dtype_doc},
    {"set_default_dtype", set_default_dtype, METH_O, set_default_dtype_doc},
    {"manual_seed", manual_seed, METH_O, manual_seed_doc},
    {"rng_next", rng_next, METH_O, rng_next_doc},
    {"rng_state", rng_state, METH_O, rng_state_doc},
    {"set_rng_state", MP_PY_FAST(set_rng_state), METH_FASTCALL, set_rng_state_doc},
    {"set_num_threads", set_num_threads, METH_O, set_num_threads_doc},
    {"get_num_threads", get_num_threads, METH_NOARGS, get_num_threads_doc},
    {"memory_stats", memory_stats, METH_O, memory_stats_doc},
    {"reset_peak", reset_peak, METH_O, reset_peak_doc},
    {"default_device", default_device, METH_NOARGS, default_device_doc},
    {"set_default_device", set_default_device, METH_O, set_default_device_doc},
    {"info", info, METH_NOARGS, info_doc},
    {"set_device_class", set_device_class, METH_O, set_device_class_doc},
    {"set_scalar_types", set_scalar_types, METH_O, set_scalar_types_doc},
    {"set_errors", MP_PY_FAST(set_errors), METH_FASTCALL, set_errors_doc},
    {NULL, NULL, 0, NULL},
};
