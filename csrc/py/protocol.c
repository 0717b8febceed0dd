/* The quick part of NumPy's ufunc protocol: a plain call of a ufunc whose function is known goes
 * there at once. The rest is mixprec/_protocols.py's. */
#include "py.h"

PyDoc_STRVAR(set_ufuncs_doc,
             "set_ufuncs(known, rest, /)\n--\n\nSets what `ndarray.__array_ufunc__` calls.\n\n"
             "Parameters\n----------\nknown : dict\n    Functions for plain calls of ufuncs.\n"
             "rest : callable\n    Called with the array and all arguments in any other case.");
static PyObject *set_ufuncs(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    if (mp_py_count("set_ufuncs", n, 2) < 0) return NULL;
    if (!PyDict_Check(args[0]) || !PyCallable_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "set_ufuncs: a dict and a callable are wanted");
        return NULL;
    }
    Py_XSETREF(mp_py->ufuncs, Py_NewRef(args[0]));
    Py_XSETREF(mp_py->ufunc_rest, Py_NewRef(args[1]));
    Py_RETURN_NONE;
}

PyMethodDef mp_py_protocol_functions[] = {
    {"set_ufuncs", MP_PY_FAST(set_ufuncs), METH_FASTCALL, set_ufuncs_doc},
    {NULL, NULL, 0, NULL},
};

/* The function for a plain call, borrowed; NULL with or without an exception. */
static PyObject *known_function(PyObject *ufunc, PyObject *method) {
    if (!PyUnicode_Check(method) || PyUnicode_CompareWithASCIIString(method, "__call__"))
        return NULL;
    return PyDict_GetItemWithError(mp_py->ufuncs, ufunc);
}

/* Whether the operands are such as no other library computes with. */
static bool are_plain(PyObject *const *operands, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *x = operands[i];
        if (!mp_py_is_array(x) && !PyArray_CheckExact(x) && !mp_py_is_number(x) &&
            !PyArray_IsScalar(x, Generic))
            return false;
    }
    return true;
}

/* self, then args and keyword values, to the function that knows all cases. */
static PyObject *call_rest(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    PyObject **all = PyMem_New(PyObject *, (size_t)total + 1), *result;
    if (!all) return PyErr_NoMemory();
    all[0] = self;
    for (Py_ssize_t i = 0; i < total; i++) all[i + 1] = args[i];
    result = PyObject_Vectorcall(mp_py->ufunc_rest, all, (size_t)n + 1, names);
    PyMem_Free(all);
    return result;
}

PyObject *mp_py_method_array_ufunc(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                   PyObject *names) {
    if (n < 2 || !mp_py->ufuncs) {
        PyErr_SetString(PyExc_TypeError, "__array_ufunc__: a ufunc and a method are wanted");
        return NULL;
    }
    bool plain = !names && are_plain(args + 2, n - 2);
    PyObject *function = plain ? known_function(args[0], args[1]) : NULL;
    if (function) return PyObject_Vectorcall(function, args + 2, (size_t)n - 2, NULL);
    return PyErr_Occurred() ? NULL : call_rest(self, args, n, names);
}
