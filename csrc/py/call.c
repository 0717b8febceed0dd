/* Rows of the op table as functions: one builtin per row, made from the table when the module is. A
 * builtin's `self` is its row's number. Inputs come first, then the row's attributes in their
 * order, all by position. */
#include "py.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of inputs, for texts ---- */

/* The name of input i of a row. */
static void input_name(const mp_op_row *row, Py_ssize_t i, char *name, size_t room) {
    const char *at = row->inputs;
    if (row->n_in < 0) {
        PyOS_snprintf(name, room, "input %zd", i);
        return;
    }
    for (; i > 0 && (at = strchr(at, ' ')); i--) at++;
    size_t n = at ? strcspn(at, " ?") : 0;
    PyOS_snprintf(name, room, "%.*s", (int)n, at ? at : "");
}

/* ---- attributes ---- */

static int read_reduction(const char *op, PyObject *object, uint8_t *out) {
    static const char *const names[] = {
        [MP_REDUCE_NONE] = "none", [MP_REDUCE_MEAN] = "mean", [MP_REDUCE_SUM] = "sum"};
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s: reduction is a %.100s, 'none', 'mean' or 'sum' is wanted", op,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    for (uint8_t i = 0; i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(object, names[i])) continue;
        *out = i;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s: reduction is %R, must be 'none', 'mean' or 'sum'", op,
                 object);
    return -1;
}

static int read_int_list(const char *op, const char *name, PyObject *object, mp_attrs *attrs) {
    int n;
    if (object == Py_None) {
        attrs->n_ints = MP_ALL;
        return 0;
    }
    if (mp_py_ints(op, name, object, MP_MAX_INTS, attrs->ints, &n) < 0) return -1;
    attrs->n_ints = (uint8_t)n;
    return 0;
}

static int read_attr(const char *op, const mp_attr_row *attr, PyObject *object, mp_attrs *attrs) {
    if (PyBool_Check(object) && (!strcmp(attr->name, "axis") || !strcmp(attr->name, "axes"))) {
        PyErr_Format(PyExc_TypeError, "%s: %s is a bool, an integer is wanted", op, attr->name);
        return -1;
    }
    char *at = (char *)attrs + attr->at;
    mp_dtype dtype;
    bool truth;
    switch (attr->kind) {
    case MP_ATTR_DOUBLE: return mp_py_double(op, attr->name, object, (double *)at);
    case MP_ATTR_INT:
        *(int64_t *)at = INT64_MIN; /* None */
        return object == Py_None ? 0 : mp_py_int(op, attr->name, object, (int64_t *)at);
    case MP_ATTR_UINT64: return mp_py_uint(op, attr->name, object, (uint64_t *)at);
    case MP_ATTR_BOOL:
        if (mp_py_bool(op, attr->name, object, &truth) < 0) return -1;
        *(uint8_t *)at = truth;
        return 0;
    case MP_ATTR_DTYPE:
        if (object == Py_None) return 0;
        if (mp_py_dtype(op, object, &dtype) < 0) return -1;
        *(int8_t *)at = (int8_t)dtype;
        return 0;
    case MP_ATTR_DEVICE: return mp_py_device(op, object, (mp_device *)at);
    case MP_ATTR_REDUCTION: return read_reduction(op, object, (uint8_t *)at);
    default: return read_int_list(op, attr->name, object, attrs);
    }
}

static int read_attrs(const mp_op_row *row, PyObject *const *objects, mp_attrs *attrs) {
    memset(attrs, 0, offsetof(mp_attrs, ints));
    attrs->dtype = MP_NO_DTYPE;
    for (int i = 0; i < row->n_attrs; i++)
        if (read_attr(row->name, &mp_attr_rows[row->attr[i]], objects[i], attrs) < 0) return -1;
    return 0;
}

/* ---- inputs ---- */

/* Arrays of one call. `in` borrows from ndarray objects; what was made for the call is in `made`.
 */
enum { FEW = 8 };
typedef struct input_room {
    mp_array **in, **made, *few[2 * FEW];
    Py_ssize_t n;
} input_room;

static int open_inputs(input_room *room, Py_ssize_t n) {
    room->n = n;
    room->in = room->few;
    if (n > FEW && !(room->in = malloc(2 * (size_t)n * sizeof *room->in))) {
        PyErr_NoMemory();
        return -1;
    }
    room->made = room->in + n;
    memset(room->in, 0, 2 * (size_t)n * sizeof *room->in);
    return 0;
}

static void close_inputs(input_room *room) {
    for (Py_ssize_t i = 0; i < room->n; i++)
        if (room->made[i]) mp_array_unref(room->made[i]);
    if (room->in != room->few) free(room->in);
}

/* What is no ndarray becomes one: arrays and lists first, then numbers, whose dtypes look at the
 * others'. */
static int make_inputs(const mp_op_row *row, PyObject *const *objects, input_room *room) {
    mp_py_partner partner = {0};
    bool numbers = false;
    char name[32];
    for (Py_ssize_t i = 0; i < room->n; i++) {
        if (mp_py_is_array(objects[i])) {
            mp_py_meet(&partner, mp_py_array_of(objects[i]));
        } else if (mp_py_is_number(objects[i])) {
            numbers = true;
        } else if (objects[i] != Py_None) {
            input_name(row, i, name, sizeof name);
            if (mp_py_input(row->name, name, objects[i], &partner, &room->made[i]) < 0) return -1;
            mp_py_meet(&partner, room->made[i]);
        }
    }
    bool wraps = !strcmp(row->inputs, "x1 x2") && !(row->flags & MP_NOGRAD) &&
                 row != &mp_op_rows[MP_OP_div]; /* whose quotients are no integers */
    for (Py_ssize_t i = 0; numbers && i < room->n; i++) {
        if (mp_py_is_array(objects[i]) || !mp_py_is_number(objects[i])) continue;
        if (wraps && mp_py_check_range(row->name, objects[i], &partner) < 0) return -1;
        if (mp_py_number(row->name, objects[i], &partner, &room->made[i]) < 0) return -1;
    }
    return 0;
}

/* Lists and NumPy's arrays go where the call's arrays are, or new arrays where there are none; so
 * do indices of any kind. */
static int gather_inputs(const mp_op_row *row, PyObject *const *objects, input_room *room) {
    mp_device device = mp_py_default_device();
    char name[32];
    for (Py_ssize_t i = 0; i < room->n; i++) {
        if (!mp_py_is_array(objects[i])) continue;
        device = mp_array_device(mp_py_array_of(objects[i]));
        if (device != MP_CPU) break;
    }
    if (device == MP_CPU) return 0;
    for (Py_ssize_t i = 0; i < room->n; i++) {
        if (mp_py_is_array(objects[i]) && mp_array_device(mp_py_array_of(objects[i])) != device) {
            input_name(row, i, name, sizeof name);
            if (!strcmp(name, "indices")) room->made[i] = mp_array_ref(mp_py_array_of(objects[i]));
        }
        bool numbers = !(row->flags & MP_NUMBERS);
        if (room->made[i] && mp_py_follow(device, numbers, &room->made[i]) < 0) return -1;
    }
    return 0;
}

/* Last, since what came before may have run Python code that changed an array's data. */
static void borrow_inputs(PyObject *const *objects, input_room *room) {
    for (Py_ssize_t i = 0; i < room->n; i++)
        room->in[i] = room->made[i] || !mp_py_is_array(objects[i]) ? room->made[i]
                                                                   : mp_py_array_of(objects[i]);
}

/* ---- calls ---- */

/* What a row with inputs computes is a value where it has no dimensions; views are not, and copies
 * are what they are copies of. */
static PyObject *wrap_one(mp_op op, PyObject *const *inputs, Py_ssize_t n, mp_array *out) {
    if (out->ndim || n == 0 || (mp_op_rows[op].flags & MP_VIEW)) return mp_py_wrap(out);
    bool copies = op == MP_OP_copy || op == MP_OP_cast;
    if (copies && !(mp_py_is_array(inputs[0]) && mp_py_is_value(inputs[0]))) return mp_py_wrap(out);
    return mp_py_wrap_value(out);
}

static PyObject *wrap_outputs(mp_op op, PyObject *const *inputs, Py_ssize_t n, mp_array **out) {
    const mp_op_row *row = &mp_op_rows[op];
    if (row->n_visible == 1) return wrap_one(op, inputs, n, out[0]);
    PyObject *results = PyTuple_New(row->n_visible);
    for (int k = 0; k < row->n_visible; k++) {
        if (!results) {
            mp_array_unref(out[k]);
            continue;
        }
        PyObject *item = wrap_one(op, inputs, n, out[k]);
        if (item) PyTuple_SET_ITEM(results, k, item);
        else Py_CLEAR(results);
    }
    return results;
}

/* Runs a row on n inputs. Into `dst` if it is not NULL, which is an ndarray and then the result. */
static PyObject *run(mp_op op, PyObject *const *inputs, Py_ssize_t n, PyObject *const *attributes,
                     PyObject *dst) {
    const mp_op_row *row = &mp_op_rows[op];
    mp_array *out[MP_MAX_OUT];
    mp_attrs attrs;
    input_room room;
    PyObject *result = NULL;
    if (open_inputs(&room, n) < 0) return NULL;
    if (make_inputs(row, inputs, &room) == 0 && gather_inputs(row, inputs, &room) == 0 &&
        read_attrs(row, attributes, &attrs) == 0) {
        borrow_inputs(inputs, &room);
        mp_status status = dst ? mp_op_call_into(op, (int)n, room.in, &attrs, mp_py_array_of(dst))
                               : mp_op_call(op, (int)n, room.in, &attrs, out);
        if (status != MP_OK) mp_py_raise(status);
        else result = dst ? Py_NewRef(dst) : wrap_outputs(op, inputs, n, out);
    }
    close_inputs(&room);
    return result;
}

/* Rows of any number of inputs take them as one sequence. */
static PyObject *run_sequence(mp_op op, PyObject *sequence, PyObject *const *attributes,
                              PyObject *dst) {
    const char *name = mp_op_rows[op].name;
    /* a tuple of its own: an item that is asked for its array may change the sequence */
    PyObject *items = PyUnicode_Check(sequence) ? NULL : PySequence_Tuple(sequence);
    if (!items) {
        PyErr_Format(PyExc_TypeError, "%s: the inputs are a %.100s, a sequence of arrays is wanted",
                     name, Py_TYPE(sequence)->tp_name);
        return NULL;
    }
    PyObject *result = NULL;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
    if (n == 0) PyErr_Format(PyExc_ValueError, "%s: at least one array is wanted, 0 given", name);
    else result = run(op, PySequence_Fast_ITEMS(items), n, attributes, dst);
    Py_DECREF(items);
    return result;
}

/* A Python number as a value, much cheaper than what mp_py_number makes. NULL without an exception
 * for anything else. */
static PyObject *value_of(PyObject *object) {
    void *at;
    int64_t whole;
    bool real = PyFloat_CheckExact(object);
    if (!real && !mp_py_short_int(object, &whole)) return NULL;
    mp_dtype dtype = real ? mp_default_float() : MP_INT64;
    PyObject *value = mp_py_new_value(dtype, &at);
    if (!value) return NULL;
    if (real) mp_store_double(dtype, at, PyFloat_AS_DOUBLE(object));
    else *(int64_t *)at = whole;
    return value;
}

PyObject *mp_py_run_row(mp_op op, PyObject *const *args) {
    int n = mp_op_rows[op].n_in;
    if (n == 1 && mp_py_is_array(args[0])) return mp_py_unary(op, args[0]);
    if (n == 1 && !mp_autocast_current()) {
        PyObject *x = value_of(args[0]), *y = x ? mp_py_unary(op, x) : NULL;
        Py_XDECREF(x);
        if (y || PyErr_Occurred()) return y;
    }
    if (n == 2 && (mp_py_is_array(args[0]) || mp_py_is_array(args[1]))) {
        PyObject *y = mp_py_binary(op, args[0], args[1]);
        if (y != Py_NotImplemented) return y;
        Py_DECREF(y);
    }
    return run(op, args, n, NULL, NULL);
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static PyObject *call_row(PyObject *self, PyObject *const *args, Py_ssize_t n_args) {
    mp_op op = (mp_op)PyLong_AsLong(self);
    const mp_op_row *row = &mp_op_rows[op];
    int n = row->n_in < 0 ? 1 : row->n_in;
    if (n_args != n + row->n_attrs) {
        PyErr_Format(PyExc_TypeError, "%s: %d input%s and %d attribute%s wanted, %zd given",
                     row->name, n, plural(n), row->n_attrs, plural(row->n_attrs), n_args);
        return NULL;
    }
    if (row->n_in < 0) return run_sequence(op, args[0], args + 1, NULL);
    if (n == 2 && n_args == 2 && row->flags & MP_POINTWISE) return mp_py_run_row(op, args);
    return run(op, args, n, args + n, NULL);
}

int mp_py_find_row(const char *op, PyObject *name) {
    PyObject *number = PyDict_GetItemWithError(mp_py->op_index, name);
    if (number) return (int)PyLong_AsLong(number);
    if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "%s: there is no row %R", op, name);
    return -1;
}

PyDoc_STRVAR(
    call_into_doc,
    "call_into(name, dst, inputs, attrs, /)\n--\n\n"
    "Runs a row and writes its result into an array.\n\n"
    "Parameters\n----------\nname : str\n    Of the row.\n"
    "dst : ndarray\n    What is written; it keeps its dtype and must have the result's shape.\n"
    "inputs : tuple\n    The row's inputs; None where an optional one is absent.\n"
    "attrs : tuple\n    Its attributes in order.\n\nReturns\n-------\nndarray\n    `dst`.");
static PyObject *call_into(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    mp_array *unused;
    if (mp_py_count("call_into", n, 4) < 0) return NULL;
    if (!PyUnicode_Check(args[0]) || !PyTuple_Check(args[2]) || !PyTuple_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "call_into: a name, an array and two tuples are wanted");
        return NULL;
    }
    int op = mp_py_find_row("call_into", args[0]);
    if (op < 0 || mp_py_want_array("call_into", "dst", args[1], &unused) < 0) return NULL;
    const mp_op_row *row = &mp_op_rows[op];
    Py_ssize_t n_in = PyTuple_GET_SIZE(args[2]), n_attrs = PyTuple_GET_SIZE(args[3]);
    if ((row->n_in >= 0 && n_in != row->n_in) || n_attrs != row->n_attrs || row->n_visible != 1) {
        PyErr_Format(
            PyExc_TypeError,
            "call_into: %s wants %s inputs, %d attributes and gives %d results; %zd and %zd given",
            row->name, row->n_in < 0 ? "any number of" : row->inputs, row->n_attrs, row->n_visible,
            n_in, n_attrs);
        return NULL;
    }
    PyObject *const *attributes = &PyTuple_GET_ITEM(args[3], 0);
    if (row->n_in < 0) return run_sequence((mp_op)op, args[2], attributes, args[1]);
    return run((mp_op)op, &PyTuple_GET_ITEM(args[2], 0), n_in, attributes, args[1]);
}

PyMethodDef mp_py_call_functions[] = {
    {"call_into", MP_PY_FAST(call_into), METH_FASTCALL, call_into_doc},
    {NULL, NULL, 0, NULL},
};

/* ---- making the builtins ---- */

/* Builtins may outlive the module, so what they point to lives as long as the process. */
static PyMethodDef row_defs[MP_OP_COUNT];
static char row_docs[MP_OP_COUNT][320];

/* "add(x1, x2, /)", the line that inspect reads, and what the table says of the row. */
static void write_doc(const mp_op_row *row, char *doc, size_t room) {
    char *at = doc, *end = doc + room;
    char name[32];
    int n = row->n_in < 0 ? 1 : row->n_in, total = n + row->n_attrs;
    at += PyOS_snprintf(at, (size_t)(end - at), "%s(", row->name);
    for (int i = 0; i < n; i++) {
        input_name(row, i, name, sizeof name);
        at += PyOS_snprintf(at, (size_t)(end - at), "%s, ", row->n_in < 0 ? "arrays" : name);
    }
    for (int i = 0; i < row->n_attrs; i++)
        at += PyOS_snprintf(at, (size_t)(end - at), "%s, ", mp_attr_rows[row->attr[i]].name);
    at += PyOS_snprintf(at, (size_t)(end - at), "%s)\n--\n\n", total ? "/" : "");
    PyOS_snprintf(at, (size_t)(end - at), "The row `%s` of the op table: from %s to %s.", row->name,
                  row->n_in < 0 ? "arrays"
                  : row->n_in   ? row->inputs
                                : "attributes",
                  row->outputs);
}

static int add_row(PyObject *module, PyObject *module_name, int op) {
    const mp_op_row *row = &mp_op_rows[op];
    write_doc(row, row_docs[op], sizeof row_docs[op]);
    row_defs[op] = (PyMethodDef){row->name, MP_PY_FAST(call_row), METH_FASTCALL, row_docs[op]};
    PyObject *number = PyLong_FromLong(op), *function = NULL;
    int status = number ? PyDict_SetItemString(mp_py->op_index, row->name, number) : -1;
    if (status == 0) function = PyCFunction_NewEx(&row_defs[op], number, module_name);
    status = function ? PyModule_AddObjectRef(module, row->name, function) : -1;
    Py_XDECREF(number);
    Py_XDECREF(function);
    return status;
}

int mp_py_rows_init(PyObject *module) {
    if (!(mp_py->op_index = PyDict_New())) return -1;
    PyObject *name = PyModule_GetNameObject(module);
    int status = name ? 0 : -1;
    for (int op = 0; status == 0 && op < MP_OP_COUNT; op++) status = add_row(module, name, op);
    Py_XDECREF(name);
    return status;
}
