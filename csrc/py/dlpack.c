/* DLPack in and out, with capsules of both versions. Memory is shared; who consumes a capsule keeps
 * its tensor alive. */
#include "py.h"

#include <stdlib.h>
#include <string.h>

#include "dlpack.h"

/* ---- out ---- */

/* What a tensor of ours holds on to. */
typedef struct lent {
    union {
        dl_managed managed;
        dl_versioned versioned;
    };
    mp_storage *storage;
    bool writable;
    void *consumer; /* the stream that reads it, if that is one that always is there */
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
} lent;

/* ---- order between streams ---- */

/* Streams of DLPack and CUDA that are always there: the default one, and that of each thread. */
static void *const legacy_stream = (void *)1, *const thread_stream = (void *)2;

/* Work of the thread's stream (or `stream`) and that of another library, see mp_backend. Without a
 * wait of the host. */
static mp_status order(mp_device device, void *stream, void *foreign, bool foreign_waits) {
    const mp_backend *backend;
    MP_TRY(mp_backend_of(device, &backend));
    return backend->stream_order(device, stream, foreign, foreign_waits);
}

/* Consumers call deleters from any thread, with the GIL or without: nothing of Python is touched. A
 * storage whose memory is Python's own takes the GIL by itself. */
static void give_back(lent *l) {
    if (!Py_IsInitialized()) return; /* the process is ending */
    PyGILState_STATE state = PyGILState_Ensure();
    if (l->consumer)
        order(l->storage->device, l->storage->home, l->consumer, false); /* it may still read */
    if (l->writable) mp_py_export_end(l->storage);
    mp_storage_unref(l->storage);
    PyGILState_Release(state);
    free(l);
}
static void delete_managed(dl_managed *self) { give_back(self->context); }
static void delete_versioned(dl_versioned *self) { give_back(self->context); }

/* Frees what nobody consumed: consumers rename the capsule. */
static void capsule_dealloc(PyObject *capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        dl_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        m->deleter(m);
    } else if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dl_versioned *v = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        v->deleter(v);
    }
}

static dl_device device_of(const mp_array *a) {
    mp_device device = mp_array_device(a);
    return device == MP_CPU ? (dl_device){DL_CPU, 0} : (dl_device){DL_CUDA, device - 1};
}

static void fill_tensor(dl_tensor *tensor, const mp_array *a, lent *l) {
    memcpy(l->shape, a->shape, sizeof l->shape);
    memcpy(l->strides, a->strides, sizeof l->strides);
    tensor->data = mp_data(a);
    tensor->device = device_of(a);
    tensor->ndim = a->ndim;
    tensor->dtype.code = mp_dtypes[a->dtype].dlpack_code;
    tensor->dtype.bits = mp_dtypes[a->dtype].bits;
    tensor->dtype.lanes = 1;
    tensor->shape = l->shape;
    tensor->strides = l->strides;
}

static PyObject *lend(mp_array *a, bool versioned, bool copied, void *consumer) {
    lent *l = calloc(1, sizeof *l);
    if (!l) return PyErr_NoMemory();
    l->writable = !a->storage->read_only && !a->no_base_write;
    if (versioned) {
        dl_versioned *v = &l->versioned;
        fill_tensor(&v->tensor, a, l);
        v->version.major = DL_MAJOR;
        v->version.minor = DL_MINOR;
        v->context = l;
        v->deleter = delete_versioned;
        v->flags = (l->writable ? 0 : DL_READ_ONLY) | (copied ? DL_IS_COPIED : 0);
    } else {
        dl_managed *m = &l->managed;
        fill_tensor(&m->tensor, a, l);
        m->context = l;
        m->deleter = delete_managed;
    }
    PyObject *capsule =
        PyCapsule_New(versioned ? (void *)&l->versioned : (void *)&l->managed,
                      versioned ? "dltensor_versioned" : "dltensor", capsule_dealloc);
    if (!capsule) {
        free(l);
        return NULL;
    }
    l->storage = mp_storage_ref(a->storage);
    l->consumer = consumer == legacy_stream || consumer == thread_stream ? consumer : NULL;
    if (l->writable) mp_py_export_begin(l->storage);
    return capsule;
}

/* Whether the consumer reads versioned capsules; -1 with an exception. */
static int wants_versioned(PyObject *max_version) {
    if (!max_version || max_version == Py_None) return 0;
    int64_t version[2];
    int n;
    if (mp_py_ints("__dlpack__", "max_version", max_version, 2, version, &n) < 0) return -1;
    return n > 0 && version[0] >= DL_MAJOR;
}

/* Sets *to_cpu where the consumer wants a GPU's array on the CPU. */
static int check_target(const mp_array *a, PyObject *wanted, bool *to_cpu) {
    *to_cpu = false;
    if (!wanted || wanted == Py_None) return 0;
    int64_t target[2];
    int n;
    if (mp_py_ints("__dlpack__", "dl_device", wanted, 2, target, &n) < 0) return -1;
    dl_device own = device_of(a);
    if (n == 2 && target[0] == own.type && target[1] == own.id) return 0;
    if (n == 2 && target[0] == DL_CPU) {
        *to_cpu = true;
        return 0;
    }
    PyErr_Format(PyExc_BufferError, "__dlpack__: the array is on %s, device %R was asked for",
                 mp_device_name(mp_array_device(a)), wanted);
    return -1;
}

static int check_exportable(const mp_array *a, bool versioned, PyObject *stream) {
    const char *why = NULL;
    if (mp_requires_grad(a)) why = "the array requires grad; use .detach()";
    else if (!versioned && (a->storage->read_only || a->no_base_write))
        why = "the array is read-only, which DLPack can say from version 1 on";
    else if (mp_array_device(a) == MP_CPU && stream && stream != Py_None)
        why = "CPU arrays have no stream";
    if (!why) return 0;
    PyErr_Format(PyExc_BufferError, "__dlpack__: %s", why);
    return -1;
}

/* The stream that a consumer names: an integer, -1 for one that wants no order, None for the
 * default one; *out is NULL where there is nothing to order. -1 with an exception. */
static int consumer_of(const mp_array *a, PyObject *stream, void **out) {
    *out = NULL;
    if (mp_array_device(a) == MP_CPU) return 0;
    *out = legacy_stream;
    if (!stream || stream == Py_None) return 0;
    int64_t handle;
    if (mp_py_int("__dlpack__", "stream", stream, &handle) < 0) return -1;
    if (handle == 0 || handle < -1) {
        PyErr_Format(PyExc_ValueError,
                     "__dlpack__: stream is %lld, must be 1, 2, a handle, -1 or None",
                     (long long)handle);
        return -1;
    }
    *out = handle == -1 ? NULL : (void *)(intptr_t)handle;
    return 0;
}

PyObject *mp_py_method_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t n,
                              PyObject *names) {
    static const mp_py_signature signature = {
        .op = "__dlpack__", .n = 4, .names = {"stream", "max_version", "dl_device", "copy"}};
    PyObject *values[4];
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    mp_array *a = mp_py_array_of(self), *copy = NULL;
    int versioned = wants_versioned(values[1]);
    void *consumer;
    bool to_cpu, always = values[3] == Py_True, never = values[3] == Py_False;
    if (values[3] && values[3] != Py_None &&
        mp_py_bool("__dlpack__", "copy", values[3], &always) < 0)
        return NULL;
    never |= values[3] && values[3] != Py_None && !always;
    if (versioned < 0 || check_target(a, values[2], &to_cpu) < 0) return NULL;
    if (check_exportable(a, versioned || always || to_cpu, values[0]) < 0) return NULL;
    if (to_cpu && never) {
        PyErr_SetString(PyExc_BufferError,
                        "__dlpack__: another device needs a copy, and copy is False");
        return NULL;
    }
    if (consumer_of(a, values[0], &consumer) < 0) return NULL;
    if (to_cpu) consumer = NULL; /* the copy has been waited for */
    mp_status status = mp_array_settle(a);
    if (status == MP_OK && to_cpu) status = mp_array_to_device(a, MP_CPU, &copy);
    else if (status == MP_OK && always) status = mp_op1(MP_OP_copy, a, NULL, &copy);
    if (status == MP_OK && consumer) status = order(mp_array_device(a), NULL, consumer, true);
    PyObject *capsule = status == MP_OK ? lend(copy ? copy : a, versioned, copy != NULL, consumer)
                                        : mp_py_raise(status);
    mp_array_unref(copy);
    return capsule;
}

PyObject *mp_py_method_dlpack_device(PyObject *self, PyObject *unused) {
    (void)unused;
    dl_device device = device_of(mp_py_array_of(self));
    return Py_BuildValue("(ii)", (int)device.type, (int)device.id);
}

/* ---- in ---- */

static bool is_on_gpu(int32_t type) { return type == DL_CUDA || type == DL_CUDA_MANAGED; }

/* The producer may use the memory anew, most likely on the default stream: after what we do. */
static void leave(const dl_tensor *tensor) {
    int id = tensor->device.id;
    if (is_on_gpu(tensor->device.type) && id >= 0 && id < INT16_MAX)
        order((mp_device)(id + 1), NULL, legacy_stream, true);
}

/* The consumed tensor lies in a capsule that the storage owns: it goes as Python objects do, with
 * the GIL. A deleter may run Python code, which must not meet an error that is on its way. */
static void end_managed(PyObject *capsule) {
    dl_managed *m = PyCapsule_GetPointer(capsule, NULL);
    if (!m || !m->deleter) return;
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    leave(&m->tensor);
    m->deleter(m);
    PyErr_Restore(kind, value, trace);
}
static void end_versioned(PyObject *capsule) {
    dl_versioned *v = PyCapsule_GetPointer(capsule, NULL);
    if (!v || !v->deleter) return;
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    if (v->version.major == DL_MAJOR) leave(&v->tensor);
    v->deleter(v);
    PyErr_Restore(kind, value, trace);
}

static mp_status find_dtype(const dl_tensor *tensor, mp_dtype *out) {
    for (int t = 0; t < MP_DTYPE_COUNT; t++) {
        if (mp_dtypes[t].dlpack_code != tensor->dtype.code ||
            mp_dtypes[t].bits != tensor->dtype.bits)
            continue;
        if (tensor->dtype.lanes != 1) break;
        *out = (mp_dtype)t;
        return MP_OK;
    }
    return mp_fail(MP_ERR_TYPE,
                   "from_dlpack: dtype with code %d, %d bits and %d lanes is not supported",
                   tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes);
}

static mp_status find_device(const dl_tensor *tensor, mp_device *out) {
    int type = tensor->device.type, id = tensor->device.id;
    if (is_on_gpu(type) && (id < 0 || id >= INT16_MAX))
        return mp_fail(MP_ERR_DEVICE, "from_dlpack: device cuda:%d is not possible", id);
    *out = is_on_gpu(type) ? (mp_device)(id + 1) : MP_CPU;
    if (type == DL_CPU || type == DL_CUDA_HOST || *out != MP_CPU) return MP_OK;
    return mp_fail(MP_ERR_DEVICE, "from_dlpack: devices of DLPack's type %d are not supported",
                   type);
}

/* Where a tensor's elements lie around its first, in elements. */
typedef struct extent {
    int64_t strides[MP_MAX_DIMS], low, high;
    bool empty, repeats; /* no element; some more than once */
} extent;

/* MP_ERR_VALUE for what no memory can hold. */
static mp_status measure(const dl_tensor *tensor, extent *e) {
    int64_t stride = 1, most = INT64_MAX / 16; /* of bytes, whatever the dtype */
    *e = (extent){.empty = false};
    if (tensor->ndim < 0 || tensor->ndim > MP_MAX_DIMS)
        return mp_fail(MP_ERR_VALUE, "from_dlpack: %d dimensions, at most %d are possible",
                       tensor->ndim, MP_MAX_DIMS);
    if (tensor->ndim > 0 && !tensor->shape)
        return mp_fail(MP_ERR_VALUE, "from_dlpack: %d dimensions, but no shape", tensor->ndim);
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        int64_t size = tensor->shape[i];
        if (size < 0)
            return mp_fail(MP_ERR_VALUE, "from_dlpack: dimension %d has negative size %lld", i,
                           (long long)size);
        e->strides[i] = tensor->strides ? tensor->strides[i] : stride;
        e->empty |= size == 0;
        if (__builtin_mul_overflow(stride, size > 1 ? size : 1, &stride) || stride > most)
            return mp_fail(MP_ERR_VALUE, "from_dlpack: shape %s does not fit in 64 bits",
                           mp_shape_text(tensor->ndim, tensor->shape));
    }
    for (int i = 0; i < tensor->ndim && !e->empty; i++) {
        int64_t reach, *end = e->strides[i] < 0 ? &e->low : &e->high;
        if (__builtin_mul_overflow(tensor->shape[i] - 1, e->strides[i], &reach) ||
            __builtin_add_overflow(*end, reach, end) || *end > most || *end < -most)
            return mp_fail(MP_ERR_VALUE, "from_dlpack: strides %s do not fit in 64 bits",
                           mp_shape_text(tensor->ndim, e->strides));
        e->repeats |= tensor->shape[i] > 1 && e->strides[i] == 0;
    }
    if (!tensor->data && !e->empty)
        return mp_fail(MP_ERR_VALUE, "from_dlpack: shape %s, but no memory",
                       mp_shape_text(tensor->ndim, tensor->shape));
    return MP_OK;
}

/* An array over the tensor's memory; the storage takes `owner`. */
static mp_status adopt(const dl_tensor *tensor, bool read_only, PyObject *owner, mp_array **out) {
    mp_dtype dtype = MP_FLOAT32;
    mp_device device;
    extent e;
    MP_TRY(find_dtype(tensor, &dtype));
    MP_TRY(find_device(tensor, &device));
    MP_TRY(measure(tensor, &e));
    int itemsize = mp_dtypes[dtype].bytes;
    char *first = (char *)tensor->data + tensor->byte_offset;
    if ((uintptr_t)first % (uintptr_t)itemsize)
        return mp_fail(MP_ERR_VALUE, "from_dlpack: memory at %p is not aligned to %d bytes",
                       (void *)first, itemsize);
    size_t bytes = e.empty ? 0 : (size_t)(e.high - e.low + 1) * (size_t)itemsize;
    mp_storage *storage;
    MP_TRY(mp_storage_wrap(device, first + e.low * itemsize, bytes, read_only, mp_py_drop, owner,
                           &storage));
    Py_INCREF(owner);
    if (!read_only) mp_py_export_begin(storage); /* its owner may write at any time */
    mp_status status =
        mp_array_over(storage, dtype, tensor->ndim, tensor->shape, e.strides, -e.low, out);
    mp_storage_unref(storage);
    if (status == MP_OK) (*out)->no_base_write = e.repeats;
    return status;
}

/* Takes the tensor out of a capsule of either version. */
static int consume(PyObject *capsule, mp_array **out, bool *copied) {
    PyObject *owner;
    mp_status status;
    *copied = false;
    if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dl_versioned *v = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        if (!(owner = PyCapsule_New(v, NULL, end_versioned))) return -1;
        PyCapsule_SetName(capsule, "used_dltensor_versioned");
        if (v->version.major != DL_MAJOR) { /* nothing but the deleter may be touched */
            PyErr_Format(PyExc_BufferError, "from_dlpack: version %u of DLPack is not known",
                         (unsigned)v->version.major);
            Py_DECREF(owner);
            return -1;
        }
        *copied = v->flags & DL_IS_COPIED;
        status = adopt(&v->tensor, v->flags & DL_READ_ONLY, owner, out);
    } else if (PyCapsule_IsValid(capsule, "dltensor")) {
        dl_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        if (!(owner = PyCapsule_New(m, NULL, end_managed))) return -1;
        PyCapsule_SetName(capsule, "used_dltensor");
        status = adopt(&m->tensor, false, owner, out);
    } else {
        PyErr_SetString(
            PyExc_TypeError,
            "from_dlpack: what __dlpack__ gave is no capsule of a tensor, or was used before");
        return -1;
    }
    int result = mp_py_check(status); /* before the deleter runs, which may fail in its own way */
    Py_DECREF(owner);
    return result;
}

/* The handle of the thread's stream, for a producer on a GPU; None for others, NULL with an
 * exception. */
static PyObject *stream_for(PyObject *x) {
    PyObject *place = PyObject_CallMethod(x, "__dlpack_device__", NULL);
    int64_t device[2];
    int n;
    int read = place ? mp_py_ints("from_dlpack", "__dlpack_device__", place, 2, device, &n) : -1;
    Py_XDECREF(place);
    if (read < 0) return NULL;
    if (n < 2 || !is_on_gpu((int32_t)device[0]) || device[1] < 0 || device[1] >= INT16_MAX)
        return Py_NewRef(Py_None);
    mp_device ours = (mp_device)(device[1] + 1);
    const mp_backend *backend;
    void *stream;
    mp_status status = mp_backend_of(ours, &backend);
    if (status == MP_OK) status = backend->stream_use(ours, NULL, &stream);
    if (status != MP_OK) return mp_py_raise(status);
    void *unused;
    backend->stream_use(ours, stream, &unused);
    return PyLong_FromVoidPtr(backend->stream_handle(stream));
}

/* x.__dlpack__ with the keywords of version 1, or with the stream alone where the method does not
 * know the others. A producer on a GPU lets our stream wait for it. */
static PyObject *ask(PyObject *x, PyObject *copy) {
    PyObject *method = PyObject_GetAttrString(x, "__dlpack__");
    PyObject *stream = method ? stream_for(x) : NULL;
    PyObject *empty = PyTuple_New(0), *names = stream ? PyDict_New() : NULL, *capsule = NULL;
    PyObject *version = Py_BuildValue("(ii)", (int)DL_MAJOR, (int)DL_MINOR);
    bool ready = empty && names && version;
    if (ready && stream != Py_None) ready = PyDict_SetItemString(names, "stream", stream) == 0;
    if (ready) ready = PyDict_SetItemString(names, "max_version", version) == 0;
    if (ready && copy != Py_None) ready = PyDict_SetItemString(names, "copy", copy) == 0;
    if (ready) capsule = PyObject_Call(method, empty, names);
    if (!capsule && ready && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        PyDict_Clear(names);
        if (stream == Py_None || PyDict_SetItemString(names, "stream", stream) == 0)
            capsule = PyObject_Call(method, empty, names);
    }
    Py_XDECREF(method);
    Py_XDECREF(stream);
    Py_XDECREF(empty);
    Py_XDECREF(names);
    Py_XDECREF(version);
    return capsule;
}

PyDoc_STRVAR(
    from_dlpack_doc,
    "from_dlpack(x, device=None, copy=None, read_only=False)\n--\n\n"
    "An array over the memory of any object that speaks DLPack.\n\n"
    "Parameters\n----------\nx : object\n    Has ``__dlpack__``, or is the capsule that it gives.\n"
    "device : str, optional\n    Where the array must be; elsewhere it is copied.\n"
    "copy : bool, optional\n    None copies only where it must, False never, True always.\n"
    "read_only : bool\n    The memory must not be written, whatever its owner says.\n\n"
    "Returns\n-------\nndarray\n    It shares memory with `x`.");

static PyObject *from_dlpack(PyObject *module, PyObject *const *args, Py_ssize_t n,
                             PyObject *names) {
    static const mp_py_signature signature = {.op = "from_dlpack",
                                              .n = 4,
                                              .required = 1,
                                              .keyword_only = 3,
                                              .names = {"x", "device", "copy", "read_only"}};
    (void)module;
    PyObject *values[4];
    if (mp_py_arguments(&signature, args, n, names, values) < 0) return NULL;
    PyObject *copy = values[2] ? values[2] : Py_None;
    bool truth;
    if (copy != Py_None && mp_py_bool("from_dlpack", "copy", copy, &truth) < 0) return NULL;
    if (copy != Py_None) copy = truth ? Py_True : Py_False;
    mp_device device = MP_CPU;
    bool placed = values[1] && values[1] != Py_None, copied, read_only = false;
    if (values[3] && mp_py_bool("from_dlpack", "read_only", values[3], &read_only) < 0) return NULL;
    if (placed && mp_py_device("from_dlpack", values[1], &device) < 0) return NULL;
    mp_array *a, *moved = NULL;
    bool bare = PyCapsule_CheckExact(values[0]); /* nobody has ordered it after its producer */
    PyObject *capsule = bare ? Py_NewRef(values[0]) : ask(values[0], copy);
    if (!capsule) return NULL;
    int status = consume(capsule, &a, &copied);
    Py_DECREF(capsule);
    if (status < 0) return NULL;
    a->storage->read_only |= read_only;
    if (bare && mp_array_device(a) != MP_CPU &&
        mp_py_check(order(mp_array_device(a), NULL, legacy_stream, false)) < 0) {
        mp_array_unref(a);
        return NULL;
    }
    bool moves = placed && device != mp_array_device(a);
    if (moves && copy == Py_False) {
        mp_array_unref(a);
        PyErr_SetString(PyExc_ValueError,
                        "from_dlpack: another device needs a copy, and copy is False");
        return NULL;
    }
    if (!moves && !(copy == Py_True && !copied)) return mp_py_wrap(a);
    mp_status made =
        moves ? mp_array_to_device(a, device, &moved) : mp_op1(MP_OP_copy, a, NULL, &moved);
    mp_array_unref(a);
    return mp_py_result(made, moved);
}

PyDoc_STRVAR(
    exposed_doc,
    "exposed(array, /)\n--\n\nWhat other libraries may do with an array's memory.\n\n"
    "Parameters\n----------\narray : ndarray\n    A factor that waits to be multiplied in, is.\n\n"
    "Returns\n-------\n(int, bool)\n    The address of the first element, and whether it may be "
    "written.");
static PyObject *exposed(PyObject *module, PyObject *object) {
    (void)module;
    mp_array *a;
    if (mp_py_want_array("exposed", "array", object, &a) < 0 || mp_py_check(mp_array_settle(a)) < 0)
        return NULL;
    bool writable = !a->storage->read_only && !a->no_base_write;
    return Py_BuildValue("(NN)", PyLong_FromVoidPtr(mp_data(a)), PyBool_FromLong(writable));
}

PyMethodDef mp_py_dlpack_functions[] = {
    {"exposed", exposed, METH_O, exposed_doc},
    {"from_dlpack", MP_PY_FAST(from_dlpack), METH_FASTCALL | METH_KEYWORDS, from_dlpack_doc},
    {NULL, NULL, 0, NULL},
};
