/* What the files of py/ share: the module's state, arrays as Python objects, conversions of
 * arguments, errors and the GIL. Nothing outside of this folder includes it, Python.h or NumPy's
 * headers.
 *
 * Functions that can fail give NULL or -1 with a Python exception set. `op` is the name that an
 * error text begins with. */
#ifndef MP_PY_H
#define MP_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL mp_numpy_api
#ifndef MP_PY_OWNS_NUMPY_API
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "../mp.h"

enum { MP_PY_DEVICES = 17 };  /* whose name objects are kept */
#define MP_PY_PRIORITY 1000.0 /* __array_priority__ of ndarray */

/* The module's state. Arrays of one process share one: a second import is refused, as NumPy's is.
 */
typedef struct mp_py_state {
    PyTypeObject *ndarray, *export, *handle;
    PyObject *out_of_memory, *device_error, *axis_error; /* exceptions */
    PyObject *device_class; /* called with a device's name, or NULL: str */
    PyObject *devices[MP_PY_DEVICES];
    PyArray_Descr *descr[MP_DTYPE_COUNT];
    PyObject *scalar_type[MP_DTYPE_COUNT]; /* mp.float32 and its kin */
    PyObject *op_index;                    /* dict of row names and numbers */
    PyObject *array2string;                /* NumPy's */
    PyObject *cuda_path;                   /* of _cuda.so; NULL once it was looked for */
    PyObject *ufuncs, *ufunc_rest;         /* see protocol.c */
    PyObject *truths[2];                   /* what comparisons of numbers give */
} mp_py_state;
extern mp_py_state *mp_py;

/* An array as Python sees it. */
typedef struct mp_py_array {
    PyObject_HEAD mp_array *array;
    PyObject *weakrefs;
    PyObject *retained; /* a cell with the gradient of a non-leaf, or NULL */
    bool retains;       /* the hook of retain_grad writes it */
    /* A 0-d result: augmented operators give a new array, and it hashes by its value. */
    bool value;
} mp_py_array;

static inline bool mp_py_is_array(PyObject *object) {
    return Py_TYPE(object) == mp_py->ndarray || PyType_IsSubtype(Py_TYPE(object), mp_py->ndarray);
}
static inline mp_array *mp_py_array_of(PyObject *object) { return ((mp_py_array *)object)->array; }
static inline bool mp_py_is_value(PyObject *object) { return ((mp_py_array *)object)->value; }

/* ---- array.c ---- */

/* A new ndarray; takes the reference. */
PyObject *mp_py_wrap(mp_array *array);
/* The same where status is MP_OK; else raises it, and array is not looked at. */
PyObject *mp_py_result(mp_status status, mp_array *array);
/* The same for what is a value where it has no dimensions: results of ops, elements. */
PyObject *mp_py_wrap_value(mp_array *array);
PyObject *mp_py_value_result(mp_status status, mp_array *array);
/* A new value on the CPU, outside of any graph; the caller writes its element to *at. Much cheaper
 * than mp_array_new and mp_py_wrap_value. */
PyObject *mp_py_new_value(mp_dtype dtype, void **at);
/* An object of a subclass (or of ndarray itself); takes the reference. */
PyObject *mp_py_wrap_as(PyTypeObject *type, mp_array *array);
int mp_py_set_requires_grad(PyObject *self, bool wanted);
int mp_py_array_init(PyObject *module);
extern PyMethodDef mp_py_methods[];

/* ---- error.c ---- */

/* Sets the exception of a status with the core's text. Gives NULL. */
PyObject *mp_py_raise(mp_status status);
/* -1 with the exception set, or 0. */
int mp_py_check(mp_status status);
/* Puts "op: " before the text of a TypeError or ValueError that NumPy raised. Returns -1. */
int mp_py_error_name(const char *op);
int mp_py_error_init(PyObject *module);

/* ---- gil.c ---- */

void mp_py_gil_init(void);
/* Drops a reference, with or without the GIL. */
void mp_py_drop(void *object);
/* Drops an array that a call without the GIL may be reading. Needs the GIL. */
void mp_py_dispose(mp_array *array);
/* Around Python code that the core calls: takes the GIL if this thread had let it go. */
bool mp_py_enter(void);
void mp_py_leave(bool entered);

/* ---- convert.c: arguments ---- */

/* Fills values[0..n) from vectorcall arguments; the first `required` must be there, others stay
 * NULL. names[i] is the keyword; those before `positional` have none, those from `keyword_only` on
 * have nothing else. */
typedef struct mp_py_signature {
    const char *op;
    int n, required, positional, keyword_only;
    const char *names[12];
} mp_py_signature;
int mp_py_arguments(const mp_py_signature *s, PyObject *const *args, Py_ssize_t n_args,
                    PyObject *kwnames, PyObject **values);
/* Exactly n arguments. */
int mp_py_count(const char *op, Py_ssize_t given, Py_ssize_t wanted);

int mp_py_bool(const char *op, const char *name, PyObject *object, bool *out);
int mp_py_int(const char *op, const char *name, PyObject *object, int64_t *out);
int mp_py_uint(const char *op, const char *name, PyObject *object, uint64_t *out);
int mp_py_double(const char *op, const char *name, PyObject *object, double *out);
/* An integer or a sequence of at most `most`. */
int mp_py_ints(const char *op, const char *name, PyObject *object, int most, int64_t *out, int *n);
/* A tuple of integers. */
PyObject *mp_py_tuple(int n, const int64_t *values, int64_t factor);
int mp_py_dtype(const char *op, PyObject *object, mp_dtype *out);
int mp_py_dtype_of_descr(const char *op, PyArray_Descr *descr, mp_dtype *out);
PyObject *mp_py_dtype_object(mp_dtype dtype);
/* None is the thread's default device. A text that names CUDA loads its library. */
int mp_py_device(const char *op, PyObject *object, mp_device *out);
PyObject *mp_py_device_object(mp_device device);
mp_device mp_py_default_device(void); /* of the thread: where new arrays go, the CPU at first */
void mp_py_set_default_device(mp_device device);
/* Python's folders are searched for NVIDIA's libraries. */
void mp_py_load_cuda(void);

/* What the arrays among the operands say about the Python numbers beside them. */
typedef struct mp_py_partner {
    bool any, floating, float64, uint64, integers;
    mp_dtype common; /* what the integers among them promote to */
} mp_py_partner;
void mp_py_meet(mp_py_partner *partner, const mp_array *a);
/* OverflowError where `object` is a Python integer that `common` cannot hold: an op that promotes
 * would wrap it around. */
int mp_py_check_range(const char *op, PyObject *object, const mp_py_partner *partner);
bool mp_py_is_number(PyObject *object);
/* A weak 0-d array of a Python number. */
int mp_py_number(const char *op, PyObject *object, const mp_py_partner *partner, mp_array **out);
/* Anything that stands for an array: 1 and a new reference, or 0 where it is something else, or -1.
 */
int mp_py_operand(const char *op, PyObject *object, const mp_py_partner *partner, mp_array **out);
/* The same for what has nothing but NumPy's __array__, as tables and tensors of others do. */
int mp_py_foreign(const char *op, PyObject *object, mp_array **out);
/* The same, where something else is a TypeError that names the argument. Gives 0 or -1. */
int mp_py_input(const char *op, const char *name, PyObject *object, const mp_py_partner *partner,
                mp_array **out);
/* Brings what was made of a list or of NumPy's array to the device of the arrays beside it, in
 * place of *a. A single number stays on the CPU, where rows read it, unless `numbers` too. */
int mp_py_follow(mp_device device, bool numbers, mp_array **a);
/* An ndarray argument, borrowed; a TypeError if it is anything else. */
int mp_py_want_array(const char *op, const char *name, PyObject *object, mp_array **out);

/* ---- sequence.c ---- */

/* A list or tuple of Python numbers or arrays, on the arrays' device or the CPU: 1 and a new
 * reference, 0 without an exception where NumPy has to read it, or -1. MP_NO_DTYPE: the dtype is
 * that of the values. */
int mp_py_from_sequence(const char *op, PyObject *object, mp_dtype dtype, mp_array **out);

/* ---- numpy.c ---- */

enum { MP_PY_COPY_NEVER = 0, MP_PY_COPY_ALWAYS = 1, MP_PY_COPY_IF_NEEDED = -1 };
int mp_py_from_numpy(const char *op, PyArrayObject *a, int copy, mp_array **out);
/* A NumPy array over the memory of a CPU array, whatever its place in the graph. Without `exported`
 * writes through it are the caller's to count. */
PyObject *mp_py_numpy_view(mp_array *a, bool exported);
/* The same elements as a NumPy array; those of a GPU are copied. */
PyObject *mp_py_numpy(mp_array *a);
void mp_py_export_begin(mp_storage *storage);
void mp_py_export_end(mp_storage *storage);
int mp_py_numpy_init(PyObject *module);

/* ---- the parts of the type ---- */

/* scalar.c: an operator on 0-d arrays and Python numbers, or NULL without an exception where the op
 * has to be called. */
PyObject *mp_py_direct_binary(mp_op op, PyObject *left, PyObject *right);
PyObject *mp_py_direct_compare(PyObject *left, PyObject *right, int relation);
PyObject *mp_py_direct_negative(PyObject *object);
PyObject *mp_py_direct_absolute(PyObject *object);
/* Whether a 0-d array of the CPU is true; -1 without an exception: it has to be looked at. */
int mp_py_direct_truth(PyObject *object);
int mp_py_scalar_init(void);

extern PyType_Slot mp_py_number_slots[]; /* number.c */
PyObject *mp_py_unary(mp_op op, PyObject *self);
/* NotImplemented where the operand beside the array is none of ours. */
PyObject *mp_py_binary(mp_op op, PyObject *left, PyObject *right);
/* self op= object, also where self is a value. */
PyObject *mp_py_write_binary(mp_op op, PyObject *self, PyObject *object);
PyObject *mp_py_compare(PyObject *left, PyObject *right, int relation);
PyObject *mp_py_get_item(PyObject *self, PyObject *index); /* index.c */
int mp_py_set_item(PyObject *self, PyObject *index, PyObject *value);
PyObject *mp_py_sequence_item(PyObject *self, Py_ssize_t i);
int mp_py_get_buffer(PyObject *self, Py_buffer *view, int flags); /* buffer.c */
void mp_py_release_buffer(PyObject *self, Py_buffer *view);
/* layout.c: whether the elements lie in Fortran's order without gaps */
bool mp_py_is_fortran(const mp_array *a);
PyObject *mp_py_repr(PyObject *self); /* text.c */
PyObject *mp_py_str(PyObject *self);
PyObject *mp_py_item(mp_array *a); /* of one element */
PyObject *mp_py_to_list(mp_array *a);
/* dst[...] = value, which may be anything that stands for an array on any device (assign.c) */
int mp_py_assign(const char *op, mp_array *dst, PyObject *value);

/* Methods that lie in files of their own; their texts are in methods.c. */
PyObject *mp_py_method_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *mp_py_method_dlpack_device(PyObject *self, PyObject *unused);
PyObject *mp_py_method_copy(PyObject *self, PyObject *unused);
PyObject *mp_py_method_deepcopy(PyObject *self, PyObject *memo);
PyObject *mp_py_method_array_ufunc(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                   PyObject *names);
PyObject *mp_py_method_reduce(PyObject *self, PyObject *unused);
PyObject *mp_py_method_format(PyObject *self, PyObject *spec);
PyObject *mp_py_method_backward(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                PyObject *names);
PyObject *mp_py_method_register_hook(PyObject *self, PyObject *function);
PyObject *mp_py_method_retain_grad(PyObject *self, PyObject *unused);
PyObject *mp_py_get_grad(PyObject *self, void *unused);
int mp_py_set_grad(PyObject *self, PyObject *value, void *unused);

/* ---- function.c, short.c, create.c, rearrange.c, cold.c: functions whose plain calls stay in C
 * ---- */

/* A short way: the result, or NULL: without an exception the function behind is called. */
typedef PyObject *(*mp_py_short)(PyObject *const *args, Py_ssize_t n, PyObject *names);
mp_py_short mp_py_find_short(const char *name); /* NULL: there is none */
/* Tables of them, which end with a NULL. */
typedef struct mp_py_way {
    const char *name;
    mp_py_short way;
} mp_py_way;
extern const mp_py_way mp_py_create_ways[], mp_py_rearrange_ways[];
/* A function of NumPy's on read-only views, its results as our arrays; NULL as in short ways. */
PyObject *mp_py_call_numpys(PyObject *func, PyObject *const *args, Py_ssize_t n, PyObject *names);
/* The first argument if it is an array and there are no keywords, else NULL. */
static inline mp_array *mp_py_only_array(PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return n > 0 && !names && mp_py_is_array(args[0]) ? mp_py_array_of(args[0]) : NULL;
}
/* An int, and no bool, that fits. */
bool mp_py_short_int(PyObject *object, int64_t *out);
/* At most MP_MAX_DIMS ints: `items`, or those of the tuple or list that is the only one of them. */
bool mp_py_short_ints(PyObject *const *items, Py_ssize_t n, int64_t *out, int *count);
/* Views with the axes in another order: order[i] is the axis of x that is axis i. */
PyObject *mp_py_permuted(mp_array *x, const int64_t *order);
PyObject *mp_py_transposed(mp_array *x);
/* Whether an op on `a` would have nothing to do but its work: nothing to record or to settle, and
 * no autocast. */
static inline bool mp_py_is_plain(const mp_array *a) {
    return !a->edge.node && !a->edge.leaf && !a->storage->pending &&
           (!a->base || a->base_writes == a->base->writes) && !mp_autocast_current();
}
int mp_py_function_init(PyObject *module);

/* ---- functions of the module ---- */

/* A row on as many inputs as it has; it has no attributes. */
PyObject *mp_py_run_row(mp_op op, PyObject *const *inputs);
/* The number of a row by its name; -1 with an exception in the name of `op`. */
int mp_py_find_row(const char *op, PyObject *name);

int mp_py_rows_init(PyObject *module); /* call.c */
int mp_py_hooks_init(PyObject *module);
extern PyMethodDef mp_py_call_functions[], mp_py_copy_functions[], mp_py_dlpack_functions[],
    mp_py_node_functions[], mp_py_amp_functions[], mp_py_optim_functions[], mp_py_info_functions[],
    mp_py_cuda_functions[], mp_py_protocol_functions[], mp_py_layout_functions[],
    mp_py_index_functions[];

#define MP_PY_FAST(function) ((PyCFunction)(void (*)(void))(function))

#endif
