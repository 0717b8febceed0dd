/* The module mixprec._core: its state, and bringing its parts together. Arrays that come from
 * elsewhere enter here too. */
#define MP_PY_OWNS_NUMPY_API
#include "py.h"

#include <string.h>

mp_py_state *mp_py;

/* ---- arrays from elsewhere ---- */

PyDoc_STRVAR(from_numpy_doc,
             "from_numpy(array, copy=None)\n--\n\nAn array over the memory of a NumPy array.\n\n"
             "Parameters\n----------\narray : numpy.ndarray or NumPy scalar\n    Of a dtype that "
             "mixprec has.\n"
             "copy : bool, optional\n    None copies only where strides or alignment demand it, "
             "False never, True always.\n\n"
             "Returns\n-------\nndarray\n    Read-only if NumPy's is.\n\n"
             "Raises\n------\nTypeError\n    For other dtypes and byte orders.\nValueError\n    If "
             "it would have to be copied, and copy is "
             "False.");
static PyObject *from_numpy(PyObject *module, PyObject *const *args, Py_ssize_t n,
                            PyObject *names) {
    static const mp_py_signature signature = {
        .op = "from_numpy", .n = 2, .required = 1, .keyword_only = 2, .names = {"array", "copy"}};
    (void)module;
    PyObject *values[2];
    bool always = false;
    int copy = MP_PY_COPY_IF_NEEDED;
    mp_array *a;
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    if (values[1] && values[1] != Py_None) {
        if (mp_py_bool("from_numpy", "copy", values[1], &always) < 0) return NULL;
        copy = always ? MP_PY_COPY_ALWAYS : MP_PY_COPY_NEVER;
    }
    if (!PyArray_Check(values[0]) && !PyArray_IsScalar(values[0], Generic)) {
        PyErr_Format(PyExc_TypeError, "from_numpy: a %.100s is not a NumPy array",
                     Py_TYPE(values[0])->tp_name);
        return NULL;
    }
    PyArrayObject *given = (PyArrayObject *)PyArray_FromAny(values[0], NULL, 0, 0, 0, NULL);
    if (!given) return NULL;
    int status = mp_py_from_numpy("from_numpy", given, copy, &a);
    Py_DECREF(given);
    return status < 0 ? NULL : mp_py_wrap(a);
}

PyDoc_STRVAR(empty_doc, "empty(shape, dtype, device, /)\n--\n\nAn array whose elements are "
                        "whatever its memory held.\n\n"
                        "Parameters\n----------\nshape : int or sequence of int\n    Its extents.\n"
                        "dtype : dtype or None\n    None is the default dtype.\ndevice : str or "
                        "None\n    None is the CPU.\n\n"
                        "Returns\n-------\nndarray\n    Contiguous.");
static PyObject *empty(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    int64_t shape[MP_MAX_INTS];
    int ndim;
    mp_dtype dtype = mp_default_float();
    mp_device device;
    mp_array *a = NULL;
    if (mp_py_count("empty", n, 3) < 0 ||
        mp_py_ints("empty", "shape", args[0], MP_MAX_INTS, shape, &ndim) < 0)
        return NULL;
    if (args[1] != Py_None && mp_py_dtype("empty", args[1], &dtype) < 0) return NULL;
    if (mp_py_device("empty", args[2], &device) < 0) return NULL;
    if (ndim > MP_MAX_DIMS) {
        PyErr_Format(PyExc_ValueError,
                     "empty: %d dimensions are asked for, at most %d are possible", ndim,
                     MP_MAX_DIMS);
        return NULL;
    }
    mp_spec spec;
    spec.dtype = (int8_t)dtype, spec.ndim = (int8_t)ndim;
    memcpy(spec.shape, shape, (size_t)ndim * sizeof *shape);
    mp_status status = mp_array_new(device, &spec, &a);
    if (status != MP_OK) mp_error_prefix("empty");
    return mp_py_result(status, a);
}

PyDoc_STRVAR(contiguous_doc, "contiguous(array, /)\n--\n\nThe array if its elements lie in C order "
                             "without gaps, else a copy.\n\n"
                             "Parameters\n----------\narray : ndarray\n    "
                             "Any.\n\nReturns\n-------\nndarray\n    With the same elements.");
static PyObject *contiguous(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a, *y = NULL;
    if (mp_py_want_array("contiguous", "array", object, &a) < 0) return NULL;
    if (a->contiguous) return Py_NewRef(object);
    mp_status status = mp_op1(MP_OP_copy, a, NULL, &y);
    return mp_py_result(status, y);
}

PyDoc_STRVAR(to_device_doc,
             "to_device(array, device, /)\n--\n\nThe elements on another device. Not recorded.\n\n"
             "Parameters\n----------\narray : ndarray\n    Any.\ndevice : str or None\n    None is "
             "the CPU.\n\n"
             "Returns\n-------\nndarray\n    The array itself if it is there.");
static PyObject *to_device(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *a, *y = NULL;
    mp_device device;
    if (mp_py_count("to_device", n, 2) < 0 ||
        mp_py_want_array("to_device", "array", args[0], &a) < 0 ||
        mp_py_device("to_device", args[1], &device) < 0)
        return NULL;
    if (mp_array_device(a) == device) return Py_NewRef(args[0]);
    mp_status status = mp_array_to_device(a, device, &y);
    return mp_py_result(status, y);
}

static PyMethodDef functions[] = {
    {"from_numpy", MP_PY_FAST(from_numpy), METH_FASTCALL | METH_KEYWORDS, from_numpy_doc},
    {"empty", MP_PY_FAST(empty), METH_FASTCALL, empty_doc},
    {"contiguous", contiguous, METH_O, contiguous_doc},
    {"to_device", MP_PY_FAST(to_device), METH_FASTCALL, to_device_doc},
    {NULL, NULL, 0, NULL},
};

/* ---- the state ---- */

/* _cuda.so lies beside this module. */
static int find_cuda_path(PyObject *module) {
    PyObject *file = PyObject_GetAttrString(module, "__file__");
    if (!file) {
        PyErr_Clear(); /* linked into the interpreter */
        return 0;
    }
    Py_ssize_t length = PyUnicode_GetLength(file),
               slash = PyUnicode_FindChar(file, '/', 0, length, -1);
    PyObject *folder = slash == -2 ? NULL : PyUnicode_Substring(file, 0, slash + 1);
    if (folder) mp_py->cuda_path = PyUnicode_FromFormat("%U_cuda.so", folder);
    Py_DECREF(file);
    Py_XDECREF(folder);
    return mp_py->cuda_path ? 0 : -1;
}

static int add_functions(PyObject *module) {
    PyMethodDef *const lists[] = {functions,
                                  mp_py_call_functions,
                                  mp_py_copy_functions,
                                  mp_py_dlpack_functions,
                                  mp_py_node_functions,
                                  mp_py_amp_functions,
                                  mp_py_optim_functions,
                                  mp_py_info_functions,
                                  mp_py_cuda_functions,
                                  mp_py_protocol_functions,
                                  mp_py_layout_functions,
                                  mp_py_index_functions};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (PyModule_AddFunctions(module, lists[i]) < 0) return -1;
    return 0;
}

static int exec(PyObject *module) {
    if (mp_py) {
        PyErr_SetString(PyExc_ImportError,
                        "mixprec._core: it can be loaded once per process, in one interpreter");
        return -1;
    }
    if (PyArray_ImportNumPyAPI() < 0) return -1;
    mp_py = PyModule_GetState(module);
    memset(mp_py, 0, sizeof *mp_py);
    if (mp_py_error_init(module) < 0 || mp_py_check(mp_core_init()) < 0 ||
        find_cuda_path(module) < 0 || mp_py_numpy_init(module) < 0 ||
        mp_py_array_init(module) < 0 || mp_py_scalar_init() < 0 || mp_py_hooks_init(module) < 0 ||
        mp_py_rows_init(module) < 0 || mp_py_function_init(module) < 0 ||
        add_functions(module) < 0) {
        mp_py = NULL;
        return -1;
    }
    mp_py_gil_init();
    Py_INCREF(module); /* arrays and builtins may outlive every name of it, so it is never freed */
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "mixprec._core",
    .m_doc = "The C core of mixprec: arrays, ops, autograd and autocast. Its functions take "
             "arguments as they are; users call "
             "those of mixprec.",
    .m_size = sizeof(mp_py_state),
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
