/* Statuses of the core as Python exceptions. Nothing else raises them. */
#include "py.h"

static PyObject *exception_of(mp_status status) {
    switch (status) {
    case MP_ERR_VALUE: return PyExc_ValueError;
    case MP_ERR_TYPE: return PyExc_TypeError;
    case MP_ERR_INDEX: return PyExc_IndexError;
    case MP_ERR_AXIS: return mp_py->axis_error;
    case MP_ERR_MEMORY: return mp_py->out_of_memory;
    case MP_ERR_NOT_IMPLEMENTED: return PyExc_NotImplementedError;
    case MP_ERR_DEVICE: return mp_py->device_error;
    default: return PyExc_RuntimeError;
    }
}

PyObject *mp_py_raise(mp_status status) {
    if (status == MP_ERR_CALLBACK && PyErr_Occurred()) return NULL; /* the callback's own */
    const char *text = mp_error_text();
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (!message) return NULL;
    PyErr_SetObject(exception_of(status), message);
    Py_DECREF(message);
    return NULL;
}

int mp_py_check(mp_status status) {
    if (status == MP_OK) return 0;
    mp_py_raise(status);
    return -1;
}

int mp_py_error_name(const char *op) {
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    bool plain = kind == PyExc_ValueError || kind == PyExc_TypeError;
    PyObject *text = plain && value ? PyObject_Str(value) : NULL;
    if (text) {
        PyErr_Format(kind, "%s: %U", op, text);
        Py_DECREF(text);
        Py_DECREF(kind);
        Py_DECREF(value);
        Py_XDECREF(trace);
    } else {
        PyErr_Restore(kind, value, trace);
    }
    return -1;
}

int mp_py_error_init(PyObject *module) {
    mp_py->out_of_memory = PyErr_NewExceptionWithDoc(
        "mixprec.OutOfMemoryError",
        "A device has less memory than was asked for; the text says how much that was.",
        PyExc_MemoryError, NULL);
    mp_py->device_error = PyErr_NewExceptionWithDoc("mixprec.DeviceError",
                                                    "A device that is not there, or that failed.",
                                                    PyExc_RuntimeError, NULL);
    PyObject *numpys = PyImport_ImportModule("numpy.exceptions");
    if (!numpys) return -1;
    mp_py->axis_error = PyObject_GetAttrString(numpys, "AxisError");
    Py_DECREF(numpys);
    if (!mp_py->axis_error) return -1;
    if (!mp_py->out_of_memory || !mp_py->device_error) return -1;
    if (PyModule_AddObjectRef(module, "OutOfMemoryError", mp_py->out_of_memory) < 0) return -1;
    return PyModule_AddObjectRef(module, "DeviceError", mp_py->device_error);
}
