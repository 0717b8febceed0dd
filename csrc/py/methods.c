/* The methods of ndarray that C gives it; mixprec/_methods.py attaches the others. */
#include "py.h"

static mp_array *of(PyObject *self) { return mp_py_array_of(self); }

/* ---- reading ---- */

/* The tuple of integers that names element `flat` in C order. */
static PyObject *unravel(const mp_array *a, PyObject *object) {
    int64_t flat, position[MP_MAX_DIMS];
    if (mp_py_int("item", "the index", object, &flat) < 0) return NULL;
    if (flat < -a->size || flat >= a->size) {
        PyErr_Format(PyExc_IndexError, "item: %lld is out of range for an array of %lld elements",
                     (long long)flat, (long long)a->size);
        return NULL;
    }
    if (flat < 0) flat += a->size;
    for (int d = a->ndim - 1; d >= 0; d--) {
        position[d] = flat % a->shape[d];
        flat /= a->shape[d];
    }
    return mp_py_tuple(a->ndim, position, 1);
}

PyDoc_STRVAR(item_doc,
             "item($self, /, *args)\n--\n\nOne element as a Python number.\n\n"
             "Parameters\n----------\n*args : int\n    Nothing, of an array with one element; the "
             "element's number in C order; or its\n    index along each axis, also as a tuple.\n\n"
             "Returns\n-------\nbool, int or float\n    Its value; waits for the device.\n\n"
             "Raises\n------\nValueError\n    If there is not one element.\n"
             "IndexError\n    If there is no such element.");
static PyObject *item(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    if (n == 0) return mp_py_item(of(self));
    bool is_tuple = n == 1 && PyTuple_Check(args[0]);
    PyObject *index = is_tuple ? Py_NewRef(args[0]) : NULL;
    if (!index && n == 1) index = unravel(of(self), args[0]);
    else if (!index && (index = PyTuple_New(n)))
        for (Py_ssize_t i = 0; i < n; i++) PyTuple_SET_ITEM(index, i, Py_NewRef(args[i]));
    PyObject *element = index ? mp_py_get_item(self, index) : NULL, *number = NULL;
    if (element) number = mp_py_item(of(element));
    Py_XDECREF(index);
    Py_XDECREF(element);
    return number;
}

PyDoc_STRVAR(tolist_doc,
             "tolist($self, /)\n--\n\nThe elements as nested lists of Python numbers.\n\n"
             "Returns\n-------\nlist, or a number for a 0-d array\n    A copy.");
static PyObject *tolist(PyObject *self, PyObject *unused) {
    (void)unused;
    return mp_py_to_list(of(self));
}

static int refuse_graph(const mp_array *a, const char *op) {
    if (!mp_requires_grad(a)) return 0;
    PyErr_Format(PyExc_RuntimeError,
                 "%s: the array requires grad, which NumPy cannot record; use .detach().numpy()",
                 op);
    return -1;
}

PyDoc_STRVAR(numpy_doc, "numpy($self, /)\n--\n\nA NumPy array of the same elements.\n\n"
                        "Returns\n-------\nnumpy.ndarray\n    Over the same memory on the CPU, "
                        "read-only if this array is; a copy "
                        "of a GPU's.\n\nRaises\n------\nRuntimeError\n    If the array requires "
                        "grad: use ``x.detach().numpy()``.");
static PyObject *numpy(PyObject *self, PyObject *unused) {
    (void)unused;
    return refuse_graph(of(self), "numpy") < 0 ? NULL : mp_py_numpy(of(self));
}

PyDoc_STRVAR(
    array_doc,
    "__array__($self, /, dtype=None, copy=None)\n--\n\nWhat `numpy.asarray` takes: the same "
    "memory.\n\n"
    "Parameters\n----------\ndtype : dtype, optional\n    Another one makes a copy.\n"
    "copy : bool, optional\n    None copies only where it must, False never, True always.\n\n"
    "Returns\n-------\nnumpy.ndarray\n    As `numpy()` gives it.\n\n"
    "Raises\n------\nTypeError\n    For an array on a GPU: use `numpy()`, which copies.");
static PyObject *array(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    static const mp_py_signature signature = {
        .op = "__array__", .n = 2, .keyword_only = 2, .names = {"dtype", "copy"}};
    PyObject *values[2];
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    mp_array *a = of(self);
    if (mp_array_device(a) != MP_CPU) {
        PyErr_Format(PyExc_TypeError, "__array__: the array is on %s; .numpy() copies it",
                     mp_device_name(mp_array_device(a)));
        return NULL;
    }
    if (refuse_graph(a, "__array__") < 0) return NULL;
    PyArray_Descr *descr = NULL;
    if (values[0] && !PyArray_DescrConverter2(values[0], &descr)) return NULL;
    PyObject *view = mp_py_numpy(a);
    bool same = view && (!descr || PyArray_EquivTypes(descr, PyArray_DESCR((PyArrayObject *)view)));
    if (!view || (same && values[1] != Py_True)) {
        Py_XDECREF(descr);
        return view;
    }
    PyObject *copy = NULL;
    if (values[1] == Py_False)
        PyErr_SetString(PyExc_ValueError,
                        "__array__: another dtype needs a copy, and copy is False");
    else if (same) copy = PyArray_NewCopy((PyArrayObject *)view, NPY_KEEPORDER);
    else
        copy = PyArray_CastToType((PyArrayObject *)view,
                                  (PyArray_Descr *)Py_NewRef((PyObject *)descr), 0);
    Py_XDECREF(descr);
    Py_DECREF(view);
    return copy;
}

PyDoc_STRVAR(data_ptr_doc, "data_ptr($self, /)\n--\n\nThe address of the first "
                           "element.\n\nReturns\n-------\nint\n    On its device.");
static PyObject *data_ptr(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromVoidPtr(mp_data(of(self)));
}

PyDoc_STRVAR(is_contiguous_doc,
             "is_contiguous($self, /)\n--\n\nWhether the elements lie in C order without gaps.\n\n"
             "Returns\n-------\nbool\n    True also where there is at most one element.");
static PyObject *is_contiguous(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(of(self)->contiguous);
}

/* ---- places in the graph ---- */

PyDoc_STRVAR(detach_doc,
             "detach($self, /)\n--\n\nThe same memory outside of the graph.\n\n"
             "Returns\n-------\nndarray\n    Requires no grad; a write through it is seen here.");
static PyObject *detach(PyObject *self, PyObject *unused) {
    (void)unused;
    mp_array *y = NULL;
    mp_status status = mp_array_detach(of(self), &y);
    return mp_py_result(status, y);
}

PyDoc_STRVAR(
    requires_grad_doc,
    "requires_grad_($self, /, requires_grad=True)\n--\n\nSets `requires_grad` of a leaf.\n\n"
    "Parameters\n----------\nrequires_grad : bool\n    Whether ops on it are recorded.\n\n"
    "Returns\n-------\nndarray\n    This array.\n\n"
    "Raises\n------\nTypeError\n    If it is not floating.\nRuntimeError\n    If it is to be "
    "switched off "
    "for a result of an op.");
static PyObject *requires_grad(PyObject *self, PyObject *const *args, Py_ssize_t n,
                               PyObject *names) {
    static const mp_py_signature signature = {
        .op = "requires_grad_", .n = 1, .keyword_only = 1, .names = {"requires_grad"}};
    PyObject *values[1];
    bool wanted = true;
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    if (values[0] && mp_py_bool("requires_grad_", "requires_grad", values[0], &wanted) < 0)
        return NULL;
    return mp_py_set_requires_grad(self, wanted) < 0 ? NULL : Py_NewRef(self);
}

PyDoc_STRVAR(retain_grad_doc,
             "retain_grad($self, /)\n--\n\nHas backward leave a gradient here too, though this is "
             "no leaf.\n\n"
             "Raises\n------\nRuntimeError\n    If the array does not require grad.");

PyDoc_STRVAR(
    register_hook_doc,
    "register_hook($self, hook, /)\n--\n\nCalls a function with the gradient of this array in "
    "backward.\n\n"
    "Parameters\n----------\nhook : callable\n    Takes the gradient; what it gives, unless None, "
    "takes "
    "its place.\n\nReturns\n-------\nHookHandle\n    Its method `remove()` takes the hook away.\n\n"
    "Raises\n------\nRuntimeError\n    If the array does not require grad.");

PyDoc_STRVAR(
    backward_doc,
    "backward($self, /, gradient=None, retain_graph=None, create_graph=False, inputs=None)\n--\n\n"
    "Adds the gradient of this array with respect to each leaf to the leaf's `.grad`.\n\n"
    "Parameters\n----------\ngradient : array_like, optional\n    Of this array; may be left out "
    "if it has one element.\n"
    "retain_graph : bool, optional\n    Keep what the graph holds, for another backward. By "
    "default as `create_graph`.\n"
    "create_graph : bool\n    Record the backward itself, for gradients of gradients.\n"
    "inputs : ndarray or sequence of ndarray, optional\n    Only these leaves get a gradient. By "
    "default all.\n\n"
    "Raises\n------\nRuntimeError\n    If nothing is recorded, a gradient is needed and not given, "
    "the graph was freed by\n"
    "    an earlier backward, or what it kept was modified.");

/* ---- copies ---- */

PyDoc_STRVAR(contiguous_doc, "contiguous($self, /)\n--\n\nThis array if its elements lie in C "
                             "order without gaps, else a copy.\n\n"
                             "Returns\n-------\nndarray\n    With the same elements.");
static PyObject *contiguous(PyObject *self, PyObject *unused) {
    (void)unused;
    mp_array *y = NULL;
    if (of(self)->contiguous) return Py_NewRef(self);
    mp_status status = mp_op1(MP_OP_copy, of(self), NULL, &y);
    return mp_py_result(status, y);
}

PyDoc_STRVAR(
    astype_doc,
    "astype($self, /, dtype, copy=True, *, order='K', casting='unsafe', subok=True)\n--\n\n"
    "The elements in another dtype.\n\n"
    "Parameters\n----------\ndtype : dtype\n    The other dtype; rounding is to nearest even.\n"
    "copy : bool\n    Whether the same dtype makes a copy too.\n"
    "casting : str\n    Which casts are allowed, as `mp.can_cast` names them.\n"
    "order, subok : optional\n    Accepted for NumPy's sake.\n\n"
    "Returns\n-------\nndarray\n    Gradients go back through it.");
/* TypeError unless the cast is of that kind. */
static int check_cast(mp_dtype from, mp_dtype to, PyObject *casting) {
    NPY_CASTING kind;
    PyArray_Descr **descr = mp_py->descr;
    if (!PyArray_CastingConverter(casting, &kind)) return mp_py_error_name("astype");
    if (PyArray_CanCastTypeTo(descr[from], descr[to], kind)) return 0;
    PyErr_Format(PyExc_TypeError, "astype: %s cannot be cast to %s with %R casts",
                 mp_dtypes[from].name, mp_dtypes[to].name, casting);
    return -1;
}

static PyObject *astype(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    static const mp_py_signature signature = {
        .op = "astype",
        .n = 5,
        .required = 1,
        .keyword_only = 2,
        .names = {"dtype", "copy", "order", "casting", "subok"}};
    PyObject *values[5];
    mp_dtype dtype;
    bool copy = true;
    mp_array *y = NULL;
    if (mp_py_arguments(&signature, args, n, names, values) < 0 ||
        mp_py_dtype("astype", values[0], &dtype) < 0)
        return NULL;
    if (values[1] && mp_py_bool("astype", "copy", values[1], &copy) < 0) return NULL;
    if (values[3] && check_cast((mp_dtype)of(self)->dtype, dtype, values[3]) < 0) return NULL;
    bool same = of(self)->dtype == (int8_t)dtype;
    if (same && !copy) return Py_NewRef(self);
    mp_status status = same ? mp_op1(MP_OP_copy, of(self), NULL, &y) : mp_cast(of(self), dtype, &y);
    return mp_py_is_value(self) ? mp_py_value_result(status, y) : mp_py_result(status, y);
}

PyDoc_STRVAR(
    copy_doc,
    "__copy__($self, /)\n--\n\nA copy with memory of its own.\n\n"
    "Returns\n-------\nndarray\n    Of a leaf a leaf of the same class; else a recorded copy.");
PyDoc_STRVAR(
    deepcopy_doc,
    "__deepcopy__($self, memo, /)\n--\n\nA copy of a leaf with its gradient and attributes.\n\n"
    "Parameters\n----------\nmemo : dict\n    Of `copy.deepcopy`.\n\nReturns\n-------\nndarray\n   "
    " A leaf.\n\n"
    "Raises\n------\nRuntimeError\n    If the array is a result of a recorded op.");
PyDoc_STRVAR(reduce_doc, "__reduce__($self, /)\n--\n\nHow to pickle a leaf: its bytes, dtype, "
                         "shape, device and attributes.");
PyDoc_STRVAR(
    format_doc,
    "__format__($self, format_spec, /)\n--\n\nThe element of an array that has one, formatted.");
PyDoc_STRVAR(
    dlpack_doc,
    "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
    "A capsule with the array's memory, as DLPack specifies it.\n\n"
    "Parameters\n----------\nstream : int, optional\n    The consumer's, for arrays on a GPU.\n"
    "max_version : tuple of int, optional\n    The newest version that the consumer reads.\n"
    "dl_device : tuple of int, optional\n    Where the consumer wants it.\n"
    "copy : bool, optional\n    None copies only where it must, False never, True always.\n\n"
    "Raises\n------\nBufferError\n    If it cannot be exported so.");
PyDoc_STRVAR(
    array_ufunc_doc,
    "__array_ufunc__($self, ufunc, method, /, *inputs, **kwargs)\n--\n\nWhat NumPy calls for a "
    "ufunc that is given an array of ours.\n\n"
    "Parameters\n----------\nufunc : numpy.ufunc\n    The ufunc.\n"
    "method : str\n    `__call__`, or one of the ufunc's methods.\n"
    "*inputs, **kwargs\n    Its arguments.\n\n"
    "Returns\n-------\nndarray\n    What the function of that name in `mp` gives.");
PyDoc_STRVAR(dlpack_device_doc,
             "__dlpack_device__($self, /)\n--\n\nDLPack's type and number of the device.\n\n"
             "Returns\n-------\ntuple of int\n    (1, 0) for the CPU, (2, i) for cuda:i.");

PyDoc_STRVAR(get_item_doc,
             "__getitem__($self, index, /)\n--\n\nPart of the array.\n\n"
             "Parameters\n----------\n"
             "index : int, slice, None, Ellipsis, array of int or bool, or a tuple of them\n"
             "    As NumPy takes it.\n\n"
             "Returns\n-------\nndarray\n    A view; a copy where the index has an array; where "
             "integers name one element\n    a value of its own.\n\n"
             "Raises\n------\nIndexError\n    If an index is out of range or of another kind.");

/* ---- writes ---- */

/* self[...] = value */
static PyObject *assign(PyObject *self, const char *op, PyObject *value) {
    mp_array *dst = mp_array_ref(of(self)); /* reading the value may run Python code */
    int status = mp_py_assign(op, dst, value);
    mp_array_unref(dst);
    return status < 0 ? NULL : Py_NewRef(self);
}

PyDoc_STRVAR(
    copy_from_doc,
    "copy_($self, other, /)\n--\n\nWrites the elements of another array into this one.\n\n"
    "Parameters\n----------\nother : array_like\n    Broadcast, cast and moved as needed.\n\n"
    "Returns\n-------\nndarray\n    This array.");
static PyObject *copy_from(PyObject *self, PyObject *other) { return assign(self, "copy_", other); }

PyDoc_STRVAR(
    fill_doc,
    "fill_($self, value, /)\n--\n\nWrites one value into every element.\n\n"
    "Parameters\n----------\nvalue : number or array_like of one element\n    The value.\n\n"
    "Returns\n-------\nndarray\n    This array.");
static PyObject *fill(PyObject *self, PyObject *value) { return assign(self, "fill_", value); }

PyDoc_STRVAR(zero_doc, "zero_($self, /)\n--\n\nWrites 0 into every "
                       "element.\n\nReturns\n-------\nndarray\n    This array.");
static PyObject *zero(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *value = PyLong_FromLong(0);
    PyObject *result = value ? assign(self, "zero_", value) : NULL;
    Py_XDECREF(value);
    return result;
}

/* The op in place, also where self is a value; an operand that is none of ours is a TypeError. */
static PyObject *in_place(mp_op row, const char *op, PyObject *self, PyObject *other) {
    mp_array *operand = NULL;
    mp_py_partner partner = {0};
    mp_py_meet(&partner, of(self));
    if (!mp_py_is_array(other) && !mp_py_is_number(other)) {
        if (mp_py_input(op, "the operand", other, &partner, &operand) < 0) return NULL;
        if (mp_py_follow(mp_array_device(of(self)), false, &operand) < 0) {
            mp_array_unref(operand);
            return NULL;
        }
        other = mp_py_wrap(operand);
    } else {
        Py_INCREF(other);
    }
    PyObject *result = other ? mp_py_write_binary(row, self, other) : NULL;
    Py_XDECREF(other);
    return result;
}

#define IN_PLACE_DOC(name, arguments, what, more)                                                  \
    name "_($self, other, /" arguments ")\n--\n\n" what                                            \
         ", in place.\n\nParameters\n----------\nother : array_like\n    The operand, "            \
         "broadcast to this array's shape.\n" more "\nReturns\n-------\nndarray\n    This "        \
         "array, in its dtype."
#define ALPHA_DOC "alpha : number\n    What the operand is multiplied by first.\n"

/* As in_place, of `other` times the keyword argument alpha. */
static PyObject *in_place_scaled(mp_op row, const char *op, PyObject *self, PyObject *const *args,
                                 Py_ssize_t n, PyObject *names) {
    const mp_py_signature signature = {.op = op,
                                       .n = 2,
                                       .required = 1,
                                       .positional = 1,
                                       .keyword_only = 1,
                                       .names = {"other", "alpha"}};
    PyObject *values[2];
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    if (!values[1]) return in_place(row, op, self, values[0]);
    PyObject *scaled = PyNumber_Multiply(values[0], values[1]);
    PyObject *result = scaled ? in_place(row, op, self, scaled) : NULL;
    Py_XDECREF(scaled);
    return result;
}

PyDoc_STRVAR(add_doc, IN_PLACE_DOC("add", ", *, alpha=1", "Adds to every element", ALPHA_DOC));
static PyObject *add(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return in_place_scaled(MP_OP_add, "add_", self, args, n, names);
}
PyDoc_STRVAR(sub_doc,
             IN_PLACE_DOC("sub", ", *, alpha=1", "Subtracts from every element", ALPHA_DOC));
static PyObject *sub(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return in_place_scaled(MP_OP_sub, "sub_", self, args, n, names);
}
PyDoc_STRVAR(mul_doc, IN_PLACE_DOC("mul", "", "Multiplies every element", ""));
static PyObject *mul(PyObject *self, PyObject *other) {
    return in_place(MP_OP_mul, "mul_", self, other);
}
PyDoc_STRVAR(div_doc, IN_PLACE_DOC("div", "", "Divides every element", ""));
static PyObject *divide(PyObject *self, PyObject *other) {
    return in_place(MP_OP_div, "div_", self, other);
}

PyMethodDef mp_py_methods[] = {
    {"item", MP_PY_FAST(item), METH_FASTCALL, item_doc},
    {"tolist", tolist, METH_NOARGS, tolist_doc},
    {"numpy", numpy, METH_NOARGS, numpy_doc},
    {"__array__", MP_PY_FAST(array), METH_FASTCALL | METH_KEYWORDS, array_doc},
    {"data_ptr", data_ptr, METH_NOARGS, data_ptr_doc},
    {"is_contiguous", is_contiguous, METH_NOARGS, is_contiguous_doc},
    {"detach", detach, METH_NOARGS, detach_doc},
    {"requires_grad_", MP_PY_FAST(requires_grad), METH_FASTCALL | METH_KEYWORDS, requires_grad_doc},
    {"retain_grad", mp_py_method_retain_grad, METH_NOARGS, retain_grad_doc},
    {"register_hook", mp_py_method_register_hook, METH_O, register_hook_doc},
    {"backward", MP_PY_FAST(mp_py_method_backward), METH_FASTCALL | METH_KEYWORDS, backward_doc},
    {"contiguous", contiguous, METH_NOARGS, contiguous_doc},
    {"astype", MP_PY_FAST(astype), METH_FASTCALL | METH_KEYWORDS, astype_doc},
    {"copy_", copy_from, METH_O, copy_from_doc},
    {"fill_", fill, METH_O, fill_doc},
    {"zero_", zero, METH_NOARGS, zero_doc},
    {"add_", MP_PY_FAST(add), METH_FASTCALL | METH_KEYWORDS, add_doc},
    {"sub_", MP_PY_FAST(sub), METH_FASTCALL | METH_KEYWORDS, sub_doc},
    {"mul_", mul, METH_O, mul_doc},
    {"div_", divide, METH_O, div_doc},
    {"__getitem__", mp_py_get_item, METH_O | METH_COEXIST, get_item_doc},
    {"__copy__", mp_py_method_copy, METH_NOARGS, copy_doc},
    {"__deepcopy__", mp_py_method_deepcopy, METH_O, deepcopy_doc},
    {"__reduce__", mp_py_method_reduce, METH_NOARGS, reduce_doc},
    {"__format__", mp_py_method_format, METH_O, format_doc},
    {"__array_ufunc__", MP_PY_FAST(mp_py_method_array_ufunc), METH_FASTCALL | METH_KEYWORDS,
     array_ufunc_doc},
    {"__dlpack__", MP_PY_FAST(mp_py_method_dlpack), METH_FASTCALL | METH_KEYWORDS, dlpack_doc},
    {"__dlpack_device__", mp_py_method_dlpack_device, METH_NOARGS, dlpack_device_doc},
    {NULL, NULL, 0, NULL},
};
