/* Elements as Python numbers, and arrays as text. Arrays on a GPU are copied to be read. */
#include "py.h"

#include <string.h>

/* ---- elements ---- */

static PyObject *element(mp_dtype dtype, const void *at) {
    if (dtype == MP_FLOAT32) return PyFloat_FromDouble(*(const float *)at);
    switch (mp_dtypes[dtype].kind) {
    case 'B': return PyBool_FromLong(mp_load_int(dtype, at) != 0);
    case 'F': return PyFloat_FromDouble(mp_load_double(dtype, at));
    case 'U': return PyLong_FromUnsignedLongLong((unsigned long long)mp_load_int(dtype, at));
    default: return PyLong_FromLongLong(mp_load_int(dtype, at));
    }
}

/* The array where Python can read it. */
static int bring_here(mp_array *a, mp_array **out) {
    if (mp_array_device(a) != MP_CPU) return mp_py_check(mp_array_to_device(a, MP_CPU, out));
    if (mp_py_check(mp_array_settle(a)) < 0) return -1;
    *out = mp_array_ref(a);
    return 0;
}

PyObject *mp_py_item(mp_array *a) {
    if (a->size != 1) {
        PyErr_Format(PyExc_ValueError, "item: the array has shape %s, one element is wanted",
                     mp_shape_text(a->ndim, a->shape));
        return NULL;
    }
    if (mp_array_device(a) == MP_CPU && !a->storage->pending)
        return element((mp_dtype)a->dtype, mp_data(a));
    mp_array *here;
    if (bring_here(a, &here) < 0) return NULL;
    PyObject *value = element((mp_dtype)here->dtype, mp_data(here));
    mp_array_unref(here);
    return value;
}

/* The list of what lies along `axis`, whose first element is at `at`. */
static PyObject *list_of(const mp_array *a, int axis, const char *at) {
    if (axis == a->ndim) return element((mp_dtype)a->dtype, at);
    PyObject *list = PyList_New((Py_ssize_t)a->shape[axis]);
    int64_t stride = a->strides[axis] * mp_itemsize(a);
    for (int64_t i = 0; list && i < a->shape[axis]; i++) {
        PyObject *item = list_of(a, axis + 1, at + i * stride);
        if (!item) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *mp_py_to_list(mp_array *a) {
    mp_array *here;
    if (bring_here(a, &here) < 0) return NULL;
    PyObject *list = list_of(here, 0, mp_data(here));
    mp_array_unref(here);
    return list;
}

/* ---- repr ---- */

/* "array(" with NumPy's text of the elements. */
static PyObject *elements_text(PyObject *self, PyObject *prefix) {
    mp_array *a = mp_py_array_of(self), *here;
    if (a->size == 0)
        return a->ndim == 1
                   ? PyUnicode_FromString("[]")
                   : PyUnicode_FromFormat("[], shape=%s", mp_shape_text(a->ndim, a->shape));
    if (bring_here(a, &here) < 0) return NULL;
    PyObject *view = mp_py_numpy_view(here, false), *text = NULL;
    mp_array_unref(here);
    if (!view) return NULL;
    PyObject *args = PyTuple_Pack(1, view);
    PyObject *options =
        Py_BuildValue("{s:s,s:s,s:O}", "separator", ", ", "suffix", ",", "prefix", prefix);
    if (args && options) text = PyObject_Call(mp_py->array2string, args, options);
    Py_DECREF(view);
    Py_XDECREF(args);
    Py_XDECREF(options);
    return text;
}

/* What follows the elements, each part after a comma; may be empty. NumPy says the shape where it
 * leaves elements out. */
static PyObject *attributes_text(const mp_array *a, PyObject *elements) {
    char shape[24 * MP_MAX_DIMS + 16] = "", dtype[32] = "", device[32] = "", graph[160] = "";
    const char *numbers = PyUnicode_AsUTF8(elements);
    if (!numbers) return NULL;
    if (strstr(numbers, "..."))
        PyOS_snprintf(shape, sizeof shape, ", shape=%s", mp_shape_text(a->ndim, a->shape));
    if (a->dtype != MP_FLOAT32)
        PyOS_snprintf(dtype, sizeof dtype, ", dtype=%s", mp_dtypes[a->dtype].name);
    if (mp_array_device(a) != MP_CPU)
        PyOS_snprintf(device, sizeof device, ", device='%s'", mp_device_name(mp_array_device(a)));
    if (a->edge.node)
        PyOS_snprintf(graph, sizeof graph, ", grad_fn=<%.100s>", mp_node_name(a->edge.node));
    else if (mp_requires_grad(a)) strcpy(graph, ", requires_grad=True");
    PyObject *text = PyUnicode_FromFormat("%s%s%s", shape, dtype, device), *end;
    if (!text) return NULL;
    end = PyUnicode_DecodeUTF8(graph, (Py_ssize_t)strlen(graph), "replace");
    if (!end) {
        Py_DECREF(text);
        return NULL;
    }
    PyObject *both = PyUnicode_Concat(text, end);
    Py_DECREF(text);
    Py_DECREF(end);
    return both;
}

/* Whether the attributes fit behind the last line of the elements. */
static bool fits_on_line(PyObject *elements, PyObject *attributes, Py_ssize_t indent) {
    enum { LINE = 75 };
    Py_ssize_t length = PyUnicode_GET_LENGTH(elements);
    Py_ssize_t newline = PyUnicode_FindChar(elements, '\n', 0, length, -1);
    Py_ssize_t last = newline >= 0 ? length - newline - 1 : indent + length;
    return last + PyUnicode_GET_LENGTH(attributes) + 1 <= LINE;
}

PyObject *mp_py_repr(PyObject *self) {
    mp_array *a = mp_py_array_of(self);
    const char *dot = strrchr(Py_TYPE(self)->tp_name, '.');
    const char *name = Py_TYPE(self) == mp_py->ndarray ? "array"
                       : dot                           ? dot + 1
                                                       : Py_TYPE(self)->tp_name;
    PyObject *prefix = PyUnicode_FromFormat("%s(", name), *text = NULL;
    PyObject *elements = prefix ? elements_text(self, prefix) : NULL,
             *attributes = elements ? attributes_text(a, elements) : NULL;
    if (attributes) {
        Py_ssize_t indent = PyUnicode_GET_LENGTH(prefix);
        if (PyUnicode_GET_LENGTH(attributes) == 0 || fits_on_line(elements, attributes, indent)) {
            text = PyUnicode_FromFormat("%U%U%U)", prefix, elements, attributes);
        } else { /* without the comma and the blank that the attributes begin with */
            char blanks[64] = "";
            memset(blanks, ' ', indent < 63 ? (size_t)indent : 63);
            PyObject *rest = PyUnicode_Substring(attributes, 2, PY_SSIZE_T_MAX);
            if (rest) text = PyUnicode_FromFormat("%U%U,\n%s%U)", prefix, elements, blanks, rest);
            Py_XDECREF(rest);
        }
    }
    Py_XDECREF(prefix);
    Py_XDECREF(elements);
    Py_XDECREF(attributes);
    return text;
}

/* NumPy's text of the elements, of one element alone the number's. */
PyObject *mp_py_str(PyObject *self) {
    mp_array *here;
    if (bring_here(mp_py_array_of(self), &here) < 0) return NULL;
    if (here->ndim == 0) {
        PyArray_Descr *descr = mp_py->descr[here->dtype];
        PyObject *number = PyArray_Scalar(mp_data(here), descr, NULL);
        PyObject *of_number = number ? PyObject_Str(number) : NULL;
        mp_array_unref(here);
        Py_XDECREF(number);
        return of_number;
    }
    PyObject *view = mp_py_numpy_view(here, false), *text = view ? PyObject_Str(view) : NULL;
    mp_array_unref(here);
    Py_XDECREF(view);
    return text;
}

PyObject *mp_py_method_format(PyObject *self, PyObject *spec) {
    mp_array *a = mp_py_array_of(self);
    if (!PyUnicode_Check(spec)) {
        PyErr_Format(PyExc_TypeError, "__format__: the format is a %.100s, not a text",
                     Py_TYPE(spec)->tp_name);
        return NULL;
    }
    if (a->ndim != 0 && PyUnicode_GET_LENGTH(spec) == 0) return PyObject_Str(self);
    if (a->size != 1) {
        PyErr_Format(PyExc_TypeError,
                     "__format__: an array of shape %s has no format, only one of one element does",
                     mp_shape_text(a->ndim, a->shape));
        return NULL;
    }
    PyObject *value = mp_py_item(a);
    PyObject *text = value ? PyObject_Format(value, spec) : NULL;
    Py_XDECREF(value);
    return text;
}
