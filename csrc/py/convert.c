/* Arguments of Python calls as the core's values: numbers, tuples, dtypes, devices, and what stands
 * for an array. */
#include "py.h"

#include <string.h>

/* ---- argument lists ---- */

static int keyword_index(const mp_py_signature *s, PyObject *keyword) {
    for (int i = s->positional; i < s->n; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, s->names[i]) == 0) return i;
    PyErr_Format(PyExc_TypeError, "%s: there is no argument %R", s->op, keyword);
    return -1;
}

int mp_py_arguments(const mp_py_signature *s, PyObject *const *args, Py_ssize_t n_args,
                    PyObject *kwnames, PyObject **values) {
    if (n_args > s->keyword_only) {
        PyErr_Format(PyExc_TypeError, "%s: at most %d positional arguments wanted, %zd given",
                     s->op, s->keyword_only, n_args);
        return -1;
    }
    for (int i = 0; i < s->n; i++) values[i] = i < n_args ? args[i] : NULL;
    Py_ssize_t n_keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < n_keywords; k++) {
        int i = keyword_index(s, PyTuple_GET_ITEM(kwnames, k));
        if (i < 0) return -1;
        if (values[i]) {
            PyErr_Format(PyExc_TypeError, "%s: %s is given twice", s->op, s->names[i]);
            return -1;
        }
        values[i] = args[n_args + k];
    }
    for (int i = 0; i < s->required; i++) {
        if (values[i]) continue;
        PyErr_Format(PyExc_TypeError, "%s: %s is missing", s->op, s->names[i]);
        return -1;
    }
    return 0;
}

int mp_py_count(const char *op, Py_ssize_t given, Py_ssize_t wanted) {
    if (given == wanted) return 0;
    PyErr_Format(PyExc_TypeError, "%s: %zd arguments wanted, %zd given", op, wanted, given);
    return -1;
}

/* ---- numbers ---- */

/* A TypeError that Python raised gets a text with the argument's name; others stay. */
static int wrong_type(const char *op, const char *name, PyObject *object, const char *wanted) {
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
    PyErr_Format(PyExc_TypeError, "%s: %s is a %.100s, %s is wanted", op, name,
                 Py_TYPE(object)->tp_name, wanted);
    return -1;
}

int mp_py_bool(const char *op, const char *name, PyObject *object, bool *out) {
    long value = -1;
    if (object == Py_True || object == Py_False) value = object == Py_True;
    else if (PyLong_Check(object)) value = PyLong_AsLong(object);
    else if (PyArray_IsScalar(object, Bool)) value = PyObject_IsTrue(object);
    if (value != 0 && value != 1) {
        PyErr_Clear();
        return wrong_type(op, name, object, "a bool");
    }
    *out = value;
    return 0;
}

int mp_py_int(const char *op, const char *name, PyObject *object, int64_t *out) {
    PyObject *number = PyNumber_Index(object);
    if (!number) return wrong_type(op, name, object, "an integer");
    long long value = PyLong_AsLongLong(number);
    Py_DECREF(number);
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Format(PyExc_OverflowError, "%s: %s does not fit in 64 bits", op, name);
        return -1;
    }
    *out = value;
    return 0;
}

int mp_py_uint(const char *op, const char *name, PyObject *object, uint64_t *out) {
    PyObject *number = PyNumber_Index(object);
    if (!number) return wrong_type(op, name, object, "an integer");
    unsigned long long value = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Format(PyExc_OverflowError, "%s: %s is negative or does not fit in 64 bits", op,
                     name);
        return -1;
    }
    *out = value;
    return 0;
}

int mp_py_double(const char *op, const char *name, PyObject *object, double *out) {
    if (PyArray_IsScalar(object, ComplexFloating)) /* NumPy drops the imaginary part */
        return wrong_type(op, name, object, "a number");
    *out = PyFloat_AsDouble(object);
    if (*out == -1.0 && PyErr_Occurred()) return wrong_type(op, name, object, "a number");
    return 0;
}

int mp_py_ints(const char *op, const char *name, PyObject *object, int most, int64_t *out, int *n) {
    bool is_sequence = PyTuple_Check(object) || PyList_Check(object);
    if (!is_sequence && PyIndex_Check(object)) {
        *n = 1;
        if (mp_py_int(op, name, object, out) == 0) return 0;
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
        PyErr_Clear(); /* an array has __index__ too, whatever its dimensions */
    }
    if (PyUnicode_Check(object) || !PySequence_Check(object)) /* nor sets and dicts */
        return wrong_type(op, name, object, "an integer or a sequence of them");
    /* a tuple of its own: an item that is asked for its integer may change the list */
    PyObject *items = PySequence_Tuple(object);
    if (!items) return wrong_type(op, name, object, "an integer or a sequence of them");
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    int status = 0;
    if (count > most) {
        PyErr_Format(PyExc_ValueError, "%s: %s has %zd integers, at most %d are possible", op, name,
                     count, most);
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++)
        status = mp_py_int(op, name, PySequence_Fast_GET_ITEM(items, i), &out[i]);
    Py_DECREF(items);
    *n = (int)count;
    return status;
}

PyObject *mp_py_tuple(int n, const int64_t *values, int64_t factor) {
    PyObject *tuple = PyTuple_New(n);
    for (int i = 0; tuple && i < n; i++) {
        PyObject *item = PyLong_FromLongLong(values[i] * factor);
        if (!item) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, i, item);
    }
    return tuple;
}

/* ---- dtypes ---- */

int mp_py_dtype_of_descr(const char *op, PyArray_Descr *descr, mp_dtype *out) {
    for (int t = 0; t < MP_DTYPE_COUNT; t++) {
        if (descr == mp_py->descr[t]) {
            *out = (mp_dtype)t;
            return 0;
        }
    }
    if (!PyArray_ISNBO(descr->byteorder)) {
        PyErr_Format(PyExc_TypeError,
                     "%s: dtype %S has not this machine's byte order; convert it with "
                     "a.astype(a.dtype.newbyteorder('='))",
                     op, descr);
        return -1;
    }
    for (int t = 0; t < MP_DTYPE_COUNT; t++) {
        if (PyArray_EquivTypes(descr, mp_py->descr[t])) { /* such as long long for int64 */
            *out = (mp_dtype)t;
            return 0;
        }
    }
    PyErr_Format(PyExc_TypeError, "%s: arrays of dtype %S are not supported", op, descr);
    return -1;
}

int mp_py_dtype(const char *op, PyObject *object, mp_dtype *out) {
    if (PyArray_DescrCheck(object)) return mp_py_dtype_of_descr(op, (PyArray_Descr *)object, out);
    for (int t = 0; t < MP_DTYPE_COUNT; t++) {
        if (object == mp_py->scalar_type[t]) {
            *out = (mp_dtype)t;
            return 0;
        }
    }
    if (PyUnicode_Check(object)) {
        for (int t = 0; t < MP_DTYPE_COUNT; t++) {
            if (PyUnicode_CompareWithASCIIString(object, mp_dtypes[t].name)) continue;
            *out = (mp_dtype)t;
            return 0;
        }
    }
    PyArray_Descr *descr = NULL;
    if (object == Py_None || !PyArray_DescrConverter(object, &descr) || !descr) {
        PyErr_Format(PyExc_TypeError, "%s: %R is not a dtype", op, object);
        return -1;
    }
    int status = mp_py_dtype_of_descr(op, descr, out);
    Py_DECREF(descr);
    return status;
}

PyObject *mp_py_dtype_object(mp_dtype dtype) { return Py_NewRef((PyObject *)mp_py->descr[dtype]); }

/* ---- devices ---- */

/* The library is looked for when somebody first speaks of CUDA: import stays cheap, and fork before
 * it safe. */
void mp_py_load_cuda(void) {
    PyObject *path = mp_py->cuda_path;
    if (!path) return;
    mp_py->cuda_path = NULL;
    PyObject *folders = PySys_GetObject("path"), *colon = PyUnicode_FromString(":");
    PyObject *joined = colon && folders ? PyUnicode_Join(colon, folders) : NULL;
    PyErr_Clear(); /* sys.path may hold anything */
    PyObject *file = PyUnicode_EncodeFSDefault(path);
    PyObject *text = joined ? PyUnicode_EncodeFSDefault(joined) : NULL;
    if (file) mp_cuda_load(PyBytes_AS_STRING(file), text ? PyBytes_AS_STRING(text) : "");
    PyErr_Clear(); /* what went wrong shows where the device is used */
    Py_DECREF(path);
    Py_XDECREF(colon);
    Py_XDECREF(joined);
    Py_XDECREF(file);
    Py_XDECREF(text);
}

/* "cuda" or "cuda:12" */
static bool parse_cuda(const char *text, mp_device *out) {
    if (strncmp(text, "cuda", 4)) return false;
    int index = 0;
    const char *at = text + 4;
    if (*at == ':') {
        if (!*++at) return false;
        for (; *at >= '0' && *at <= '9' && index < 1000; at++) index = 10 * index + (*at - '0');
    }
    *out = (mp_device)(index + 1);
    return !*at;
}

static _Thread_local mp_device default_device = MP_CPU;
mp_device mp_py_default_device(void) { return default_device; }
void mp_py_set_default_device(mp_device device) { default_device = device; }

int mp_py_device(const char *op, PyObject *object, mp_device *out) {
    *out = object == Py_None ? default_device : MP_CPU;
    if (object == Py_None || object == mp_py->devices[MP_CPU]) return 0;
    if (!PyUnicode_Check(object)) return wrong_type(op, "device", object, "the name of a device");
    const char *text = PyUnicode_AsUTF8(object);
    if (!text) return -1;
    if (!strcmp(text, "cpu")) return 0;
    if (parse_cuda(text, out)) {
        mp_py_load_cuda();
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "device: '%U' is not known, use 'cpu', 'cuda' or 'cuda:<i>'",
                 object);
    return -1;
}

PyObject *mp_py_device_object(mp_device device) {
    PyObject *known = device < MP_PY_DEVICES ? mp_py->devices[device] : NULL;
    if (known) return Py_NewRef(known);
    PyObject *name = PyUnicode_FromString(mp_device_name(device));
    if (name && mp_py->device_class)
        Py_SETREF(name, PyObject_CallOneArg(mp_py->device_class, name));
    if (name && device < MP_PY_DEVICES) mp_py->devices[device] = Py_NewRef(name);
    return name;
}

/* ---- arrays ---- */

/* A 0-d array of one element's bytes. */
/* On the CPU, whatever device its partners are on: see MP_NUMBERS. */
static mp_status number_array(mp_dtype dtype, const void *bytes, mp_array **out) {
    mp_spec spec = {.dtype = (int8_t)dtype};
    mp_array *a;
    MP_TRY(mp_array_new(MP_CPU, &spec, &a));
    memcpy(mp_data(a), bytes, mp_dtypes[dtype].bytes);
    a->weak = true;
    *out = a;
    return MP_OK;
}

bool mp_py_is_number(PyObject *object) {
    if (PyFloat_CheckExact(object) || PyLong_CheckExact(object)) return true;
    return (PyFloat_Check(object) || PyLong_Check(object)) && !PyArray_IsScalar(object, Generic);
}

void mp_py_meet(mp_py_partner *partner, const mp_array *a) {
    mp_dtype dtype = (mp_dtype)a->dtype;
    char kind = mp_dtypes[dtype].kind;
    partner->any = true;
    partner->floating |= kind == 'F';
    partner->float64 |= dtype == MP_FLOAT64;
    partner->uint64 |= dtype == MP_UINT64;
    if (kind != 'I' && kind != 'U') return;
    if (!partner->integers) partner->common = dtype;
    else mp_promote(partner->common, dtype, &partner->common); /* integers always promote */
    partner->integers = true;
}

int mp_py_check_range(const char *op, PyObject *object, const mp_py_partner *partner) {
    char kind = mp_dtypes[partner->common].kind;
    if (!PyLong_Check(object) || PyBool_Check(object) || !partner->integers || partner->floating ||
        kind == 'F')
        return 0;
    int bits = mp_dtypes[partner->common].bits, overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    bool fits = kind == 'U'  ? (overflow ? overflow > 0 && bits == 64
                                         : value >= 0 && (bits == 64 || value >> bits == 0))
                : bits == 64 ? !overflow
                             : !overflow && value >> (bits - 1) == (value < 0 ? -1 : 0);
    if (fits) return 0;
    PyErr_Format(PyExc_OverflowError, "%s: the Python integer %S does not fit in %s", op, object,
                 mp_dtypes[partner->common].name);
    return -1;
}

static int float_number(double value, const mp_py_partner *partner, mp_array **out) {
    mp_dtype open = mp_default_float();
    bool wide = partner->floating ? partner->float64 : open == MP_FLOAT64;
    mp_dtype dtype = wide ? MP_FLOAT64 : partner->any ? MP_FLOAT32 : open;
    double bytes = 0;
    mp_store_double(dtype, &bytes, value);
    return mp_py_check(number_array(dtype, &bytes, out));
}

int mp_py_number(const char *op, PyObject *object, const mp_py_partner *partner, mp_array **out) {
    if (PyFloat_Check(object)) return float_number(PyFloat_AS_DOUBLE(object), partner, out);
    if (PyBool_Check(object)) {
        uint8_t value = object == Py_True;
        return mp_py_check(number_array(MP_BOOL, &value, out));
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (value == -1 && !overflow && PyErr_Occurred()) return -1;
    if (!overflow) {
        int64_t bytes = value;
        return mp_py_check(number_array(MP_INT64, &bytes, out));
    }
    if (overflow > 0 && partner->uint64) {
        uint64_t bits = PyLong_AsUnsignedLongLong(object);
        if (!PyErr_Occurred()) return mp_py_check(number_array(MP_UINT64, &bits, out));
        PyErr_Clear();
    }
    PyErr_Format(PyExc_OverflowError, "%s: a Python integer does not fit in %s", op,
                 partner->uint64 ? "uint64" : "int64");
    return -1;
}

/* Lists, as NumPy reads them; Python's floats in them have the default dtype. */
static int from_sequence(const char *op, PyObject *object, mp_array **out) {
    int found = mp_py_from_sequence(op, object, MP_NO_DTYPE, out);
    if (found) return found < 0 ? -1 : 0;
    PyArrayObject *a =
        (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0, NPY_ARRAY_DEFAULT, NULL);
    if (!a) return mp_py_error_name(op);
    int status = mp_py_from_numpy(op, a, MP_PY_COPY_IF_NEEDED, out);
    Py_DECREF(a);
    if (status < 0 || (*out)->dtype != MP_FLOAT64 || mp_default_float() == MP_FLOAT64)
        return status;
    PyObject *first = Py_NewRef(object);
    while ((PyList_Check(first) || PyTuple_Check(first)) && PySequence_Fast_GET_SIZE(first) > 0)
        Py_SETREF(first, Py_NewRef(PySequence_Fast_GET_ITEM(first, 0)));
    bool python = mp_py_is_number(first) || PyList_Check(first) || PyTuple_Check(first);
    Py_DECREF(first);
    if (!python) return 0;
    mp_array *wide = *out;
    mp_status cast = mp_cast(wide, mp_default_float(), out);
    mp_array_unref(wide);
    return mp_py_check(cast);
}

int mp_py_operand(const char *op, PyObject *object, const mp_py_partner *partner, mp_array **out) {
    int status;
    if (mp_py_is_array(object)) {
        *out = mp_array_ref(mp_py_array_of(object));
        return 1;
    }
    if (mp_py_is_number(object)) {
        status = mp_py_number(op, object, partner, out);
    } else if (PyArray_Check(object)) {
        status = mp_py_from_numpy(op, (PyArrayObject *)object, MP_PY_COPY_IF_NEEDED, out);
    } else if (PyArray_IsScalar(object, Generic)) {
        PyArrayObject *a = (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0, 0, NULL);
        status = a ? mp_py_from_numpy(op, a, MP_PY_COPY_ALWAYS, out) : -1;
        Py_XDECREF(a);
    } else if (PyList_Check(object) || PyTuple_Check(object) || PyRange_Check(object)) {
        status = from_sequence(op, object, out);
    } else {
        return 0;
    }
    return status < 0 ? -1 : 1;
}

int mp_py_foreign(const char *op, PyObject *object, mp_array **out) {
    if (PyType_Check(object)) return 0;
    PyObject *method = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__array__");
    if (!method) {
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(method);
    PyArrayObject *a = (PyArrayObject *)PyArray_FromAny(object, NULL, 0, 0, 0, NULL);
    int status = a ? mp_py_from_numpy(op, a, MP_PY_COPY_IF_NEEDED, out) : -1;
    Py_XDECREF(a);
    return status < 0 ? -1 : 1;
}

/* What functions take beside: buffers, arrays of other libraries, and sequences such as a deque.
 * Operators leave these alone, as their classes may have operators of their own. */
static int from_like(const char *op, PyObject *object, mp_array **out) {
    if (PyUnicode_Check(object) || PyBytes_Check(object)) return 0;
    if (PyObject_CheckBuffer(object) || PyObject_HasAttrString(object, "__array__"))
        return from_sequence(op, object, out) < 0 ? -1 : 1;
    if (!PySequence_Check(object)) return 0;
    PyObject *list = PySequence_List(object);
    int status = list ? from_sequence(op, list, out) : -1;
    Py_XDECREF(list);
    return status < 0 ? -1 : 1;
}

int mp_py_input(const char *op, const char *name, PyObject *object, const mp_py_partner *partner,
                mp_array **out) {
    int found = mp_py_operand(op, object, partner, out);
    if (!found) found = from_like(op, object, out);
    if (found) return found < 0 ? -1 : 0;
    return wrong_type(op, name, object, "an array or a number");
}

int mp_py_follow(mp_device device, bool numbers, mp_array **a) {
    mp_array *there;
    if (mp_array_device(*a) == device || (*a)->weak || ((*a)->ndim == 0 && !numbers)) return 0;
    if (mp_py_check(mp_array_to_device(*a, device, &there)) < 0) return -1;
    mp_array_unref(*a);
    *a = there;
    return 0;
}

int mp_py_want_array(const char *op, const char *name, PyObject *object, mp_array **out) {
    if (!mp_py_is_array(object)) return wrong_type(op, name, object, "an mp.ndarray");
    *out = mp_py_array_of(object);
    return 0;
}
