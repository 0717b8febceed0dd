/* GPUs as mixprec.cuda wraps them: waiting, memory, streams and events. Streams and events are
 * integers here, the backend's pointers; their classes and who frees them are Python's. A call that
 * waits lets go of the GIL. */
#include "py.h"

/* ---- arguments ---- */

/* The backend of args[0], the name of a GPU. */
static int backend_of(const char *op, PyObject *name, mp_device *device,
                      const mp_backend **backend) {
    if (mp_py_device(op, name, device) < 0) return -1;
    if (*device != MP_CPU) return mp_py_check(mp_backend_of(*device, backend));
    PyErr_Format(PyExc_ValueError, "%s: the device is %R, a GPU is wanted", op, name);
    return -1;
}

static int pointer(PyObject *object, void **out) {
    *out = PyLong_AsVoidPtr(object);
    return !*out && PyErr_Occurred() ? -1 : 0;
}

static PyObject *nothing(mp_status status) {
    return mp_py_check(status) < 0 ? NULL : Py_NewRef(Py_None);
}

/* The start of every function here: how many arguments, the backend, and a pointer in args[1] where
 * there is one. */
typedef struct opened {
    mp_device device;
    const mp_backend *backend;
    void *first, *second; /* args[1] and args[2], where they are pointers */
} opened;

static int open_call(const char *op, PyObject *const *args, Py_ssize_t n, Py_ssize_t wanted,
                     int pointers, opened *o) {
    if (mp_py_count(op, n, wanted) < 0 || backend_of(op, args[0], &o->device, &o->backend) < 0)
        return -1;
    if (pointers > 0 && pointer(args[1], &o->first) < 0) return -1;
    return pointers > 1 ? pointer(args[2], &o->second) : 0;
}

/* ---- the device ---- */

PyDoc_STRVAR(device_count_doc,
             "cuda_device_count()\n--\n\nThe number of GPUs that can be used.\n\n"
             "Returns\n-------\nint\n    0 without the CUDA library or a driver.");
static PyObject *device_count(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    const mp_backend *backend;
    int count = 0;
    mp_py_load_cuda();
    if (mp_backend_of((mp_device)1, &backend) == MP_OK && backend->device_count(&count) != MP_OK)
        count = 0;
    return PyLong_FromLong(count);
}

PyDoc_STRVAR(synchronize_doc, "cuda_synchronize(device, /)\n--\n\nWaits for all work of a GPU.\n\n"
                              "Parameters\n----------\ndevice : str\n    A GPU.");
static PyObject *synchronize(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    mp_status status;
    if (open_call("synchronize", args, n, 1, 0, &o) < 0) return NULL;
    void *token = mp_long_work_begin();
    status = o.backend->synchronize(o.device);
    mp_long_work_end(token);
    return nothing(status);
}

PyDoc_STRVAR(waits_doc,
             "cuda_waits(device, /)\n--\n\nHow often this thread has waited for a GPU, or "
             "called what may wait for one.\n\n"
             "Parameters\n----------\ndevice : str\n    A GPU; it holds for "
             "all.\n\nReturns\n-------\nint\n    So far.");
static PyObject *waits(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("wait_count", args, n, 1, 0, &o) < 0) return NULL;
    return PyLong_FromLongLong(o.backend->waits());
}

PyDoc_STRVAR(memory_doc, "cuda_memory(device, /)\n--\n\nBytes of a "
                         "GPU.\n\nParameters\n----------\ndevice : str\n    A GPU.\n\n"
                         "Returns\n-------\ntuple of int\n    Taken from the driver, of these kept "
                         "for reuse, free at the "
                         "driver, and in all.");
static PyObject *memory(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    mp_memory_info info;
    if (open_call("memory", args, n, 1, 0, &o) < 0) return NULL;
    if (mp_py_check(o.backend->memory(o.device, &info)) < 0) return NULL;
    return Py_BuildValue("(nnnn)", (Py_ssize_t)info.reserved, (Py_ssize_t)info.cached,
                         (Py_ssize_t)info.free, (Py_ssize_t)info.total);
}

PyDoc_STRVAR(
    empty_cache_doc,
    "cuda_empty_cache(device, /)\n--\n\nGives the driver the memory that no array uses.\n\n"
    "Parameters\n----------\ndevice : str\n    A GPU.");
static PyObject *empty_cache(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("empty_cache", args, n, 1, 0, &o) < 0) return NULL;
    void *token = mp_long_work_begin();
    mp_status status = o.backend->empty_cache(o.device);
    mp_long_work_end(token);
    return nothing(status);
}

PyDoc_STRVAR(
    set_tf32_doc,
    "cuda_set_tf32(device, on, /)\n--\n\nWhether float32 products may round their inputs to "
    "TF32.\n\n"
    "Parameters\n----------\ndevice : str\n    A GPU; it holds for all.\non : bool\n    Whether.");
static PyObject *set_tf32(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    bool on;
    if (open_call("set_tf32", args, n, 2, 0, &o) < 0 ||
        mp_py_bool("set_tf32", "on", args[1], &on) < 0)
        return NULL;
    o.backend->set_tf32(on);
    Py_RETURN_NONE;
}

/* ---- readings ---- */

PyDoc_STRVAR(
    post_doc,
    "cuda_post(device, array, /)\n--\n\nSends the elements of an array to the host.\n\n"
    "Parameters\n----------\ndevice : str\n    Its GPU.\narray : ndarray\n    A small "
    "one.\n\nReturns\n-------\nint\n    For `cuda_fetch`, which must be called; 0: not now.");
static PyObject *post(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    mp_array *a;
    void *letter;
    if (open_call("post", args, n, 2, 0, &o) < 0 ||
        mp_py_want_array("post", "array", args[1], &a) < 0)
        return NULL;
    if (mp_array_device(a) != o.device || !a->contiguous) {
        PyErr_SetString(PyExc_ValueError, "post: a contiguous array of the device is wanted");
        return NULL;
    }
    size_t bytes = (size_t)a->size * (size_t)mp_itemsize(a);
    if (mp_py_check(o.backend->post(o.device, mp_data(a), bytes, &letter)) < 0) return NULL;
    return PyLong_FromVoidPtr(letter);
}

PyDoc_STRVAR(fetch_doc,
             "cuda_fetch(device, letter, array, /)\n--\n\nTakes what was sent, if it has come.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nletter : int\n    From "
             "`cuda_post`; is gone if the answer is True.\n"
             "array : ndarray or None\n    On the CPU, as large as the one sent; None throws it "
             "away.\n\nReturns\n-------\nbool\n    Without waiting.");
static PyObject *fetch(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    mp_array *a = NULL;
    bool there = true;
    if (open_call("fetch", args, n, 3, 1, &o) < 0) return NULL;
    if (args[2] != Py_None && mp_py_want_array("fetch", "array", args[2], &a) < 0) return NULL;
    if (a && (mp_array_device(a) != MP_CPU || !a->contiguous)) {
        PyErr_SetString(PyExc_ValueError, "fetch: a contiguous array on the CPU is wanted");
        return NULL;
    }
    size_t bytes = a ? (size_t)a->size * (size_t)mp_itemsize(a) : 0;
    void *data = a ? mp_data(a) : NULL;
    if (mp_py_check(o.backend->fetch(o.device, o.first, data, bytes, &there)) < 0) return NULL;
    return PyBool_FromLong(there);
}

/* ---- streams ---- */

PyDoc_STRVAR(
    stream_new_doc,
    "cuda_stream_new(device, priority, /)\n--\n\nA new stream.\n\n"
    "Parameters\n----------\ndevice : str\n    A GPU.\npriority : int\n    Lower ones go first.\n\n"
    "Returns\n-------\nint\n    For the functions here.");
static PyObject *stream_new(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    int64_t priority;
    void *stream;
    if (open_call("Stream", args, n, 2, 0, &o) < 0 ||
        mp_py_int("Stream", "priority", args[1], &priority) < 0)
        return NULL;
    if (mp_py_check(o.backend->stream_new(o.device, (int)priority, &stream)) < 0) return NULL;
    return PyLong_FromVoidPtr(stream);
}

PyDoc_STRVAR(stream_free_doc,
             "cuda_stream_free(device, stream, /)\n--\n\nLets a stream be used anew.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nstream : int\n    The stream.");
static PyObject *stream_free(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Stream", args, n, 2, 1, &o) < 0) return NULL;
    o.backend->stream_free(o.first);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stream_use_doc,
             "cuda_stream_use(device, stream, /)\n--\n\nMakes a stream the thread's on a GPU.\n\n"
             "Parameters\n----------\ndevice : str\n    A GPU.\nstream : int\n    0: the one all "
             "threads share.\n\n"
             "Returns\n-------\nint\n    The one it was.");
static PyObject *stream_use(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    void *before;
    if (open_call("stream", args, n, 2, 1, &o) < 0) return NULL;
    if (mp_py_check(o.backend->stream_use(o.device, o.first, &before)) < 0) return NULL;
    return PyLong_FromVoidPtr(before);
}

PyDoc_STRVAR(stream_wait_doc,
             "cuda_stream_wait(device, stream, /)\n--\n\nWaits for the work of a stream.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nstream : int\n    The stream.");
static PyObject *stream_wait(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Stream.synchronize", args, n, 2, 1, &o) < 0) return NULL;
    void *token = mp_long_work_begin();
    mp_status status = o.backend->stream_wait(o.first);
    mp_long_work_end(token);
    return nothing(status);
}

PyDoc_STRVAR(stream_done_doc,
             "cuda_stream_done(device, stream, /)\n--\n\nWhether a stream has no work left.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nstream : int\n    The stream.\n\n"
             "Returns\n-------\nbool\n    Without waiting.");
static PyObject *stream_done(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    bool done;
    if (open_call("Stream.query", args, n, 2, 1, &o) < 0) return NULL;
    return mp_py_check(o.backend->stream_done(o.first, &done)) < 0 ? NULL : PyBool_FromLong(done);
}

PyDoc_STRVAR(stream_handle_doc,
             "cuda_stream_handle(device, stream, /)\n--\n\nThe cudaStream_t of a stream.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nstream : int\n    The stream.\n\n"
             "Returns\n-------\nint\n    For other libraries.");
static PyObject *stream_handle(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Stream", args, n, 2, 1, &o) < 0) return NULL;
    return PyLong_FromVoidPtr(o.backend->stream_handle(o.first));
}

/* ---- events ---- */

PyDoc_STRVAR(event_new_doc, "cuda_event_new(device, timing, /)\n--\n\nA new event.\n\n"
                            "Parameters\n----------\ndevice : str\n    A GPU.\ntiming : bool\n    "
                            "Whether it keeps the time.\n\n"
                            "Returns\n-------\nint\n    For the functions here.");
static PyObject *event_new(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    bool timing;
    void *event;
    if (open_call("Event", args, n, 2, 0, &o) < 0 ||
        mp_py_bool("Event", "timing", args[1], &timing) < 0)
        return NULL;
    if (mp_py_check(o.backend->event_new(o.device, timing, &event)) < 0) return NULL;
    return PyLong_FromVoidPtr(event);
}

PyDoc_STRVAR(event_free_doc,
             "cuda_event_free(device, event, /)\n--\n\nFrees an event.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nevent : int\n    The event.");
static PyObject *event_free(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Event", args, n, 2, 1, &o) < 0) return NULL;
    o.backend->event_free(o.first);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    event_record_doc,
    "cuda_event_record(device, event, stream, /)\n--\n\nMarks a stream's place with an event.\n\n"
    "Parameters\n----------\ndevice : str\n    Their GPU.\nevent, stream : int\n    Which.");
static PyObject *event_record(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Event.record", args, n, 3, 2, &o) < 0) return NULL;
    return nothing(o.backend->event_record(o.first, o.second));
}

PyDoc_STRVAR(
    event_block_doc,
    "cuda_event_block(device, event, stream, /)\n--\n\nMakes a stream wait for an event.\n\n"
    "Parameters\n----------\ndevice : str\n    Their GPU.\nevent, stream : int\n    Which.");
static PyObject *event_block(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Event.wait", args, n, 3, 2, &o) < 0) return NULL;
    return nothing(o.backend->event_block(o.first, o.second));
}

PyDoc_STRVAR(event_wait_doc,
             "cuda_event_wait(device, event, /)\n--\n\nWaits for an event.\n\n"
             "Parameters\n----------\ndevice : str\n    Its GPU.\nevent : int\n    The event.");
static PyObject *event_wait(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    if (open_call("Event.synchronize", args, n, 2, 1, &o) < 0) return NULL;
    void *token = mp_long_work_begin();
    mp_status status = o.backend->event_wait(o.first);
    mp_long_work_end(token);
    return nothing(status);
}

PyDoc_STRVAR(
    event_done_doc,
    "cuda_event_done(device, event, /)\n--\n\nWhether the work before an event is done.\n\n"
    "Parameters\n----------\ndevice : str\n    Its GPU.\nevent : int\n    The event.\n\n"
    "Returns\n-------\nbool\n    Without waiting.");
static PyObject *event_done(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    bool done;
    if (open_call("Event.query", args, n, 2, 1, &o) < 0) return NULL;
    return mp_py_check(o.backend->event_done(o.first, &done)) < 0 ? NULL : PyBool_FromLong(done);
}

PyDoc_STRVAR(
    event_elapsed_doc,
    "cuda_event_elapsed(device, begin, end, /)\n--\n\nThe time between two events.\n\n"
    "Parameters\n----------\ndevice : str\n    Their GPU.\nbegin, end : int\n    Timing events.\n\n"
    "Returns\n-------\nfloat\n    Milliseconds.");
static PyObject *event_elapsed(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    (void)module;
    opened o;
    float milliseconds;
    if (open_call("Event.elapsed_time", args, n, 3, 2, &o) < 0) return NULL;
    if (mp_py_check(o.backend->event_elapsed(o.first, o.second, &milliseconds)) < 0) return NULL;
    return PyFloat_FromDouble((double)milliseconds);
}

PyMethodDef mp_py_cuda_functions[] = {
    {"cuda_device_count", device_count, METH_NOARGS, device_count_doc},
    {"cuda_synchronize", MP_PY_FAST(synchronize), METH_FASTCALL, synchronize_doc},
    {"cuda_waits", MP_PY_FAST(waits), METH_FASTCALL, waits_doc},
    {"cuda_memory", MP_PY_FAST(memory), METH_FASTCALL, memory_doc},
    {"cuda_empty_cache", MP_PY_FAST(empty_cache), METH_FASTCALL, empty_cache_doc},
    {"cuda_set_tf32", MP_PY_FAST(set_tf32), METH_FASTCALL, set_tf32_doc},
    {"cuda_post", MP_PY_FAST(post), METH_FASTCALL, post_doc},
    {"cuda_fetch", MP_PY_FAST(fetch), METH_FASTCALL, fetch_doc},
    {"cuda_stream_new", MP_PY_FAST(stream_new), METH_FASTCALL, stream_new_doc},
    {"cuda_stream_free", MP_PY_FAST(stream_free), METH_FASTCALL, stream_free_doc},
    {"cuda_stream_use", MP_PY_FAST(stream_use), METH_FASTCALL, stream_use_doc},
    {"cuda_stream_wait", MP_PY_FAST(stream_wait), METH_FASTCALL, stream_wait_doc},
    {"cuda_stream_done", MP_PY_FAST(stream_done), METH_FASTCALL, stream_done_doc},
    {"cuda_stream_handle", MP_PY_FAST(stream_handle), METH_FASTCALL, stream_handle_doc},
    {"cuda_event_new", MP_PY_FAST(event_new), METH_FASTCALL, event_new_doc},
    {"cuda_event_free", MP_PY_FAST(event_free), METH_FASTCALL, event_free_doc},
    {"cuda_event_record", MP_PY_FAST(event_record), METH_FASTCALL, event_record_doc},
    {"cuda_event_block", MP_PY_FAST(event_block), METH_FASTCALL, event_block_doc},
    {"cuda_event_wait", MP_PY_FAST(event_wait), METH_FASTCALL, event_wait_doc},
    {"cuda_event_done", MP_PY_FAST(event_done), METH_FASTCALL, event_done_doc},
    {"cuda_event_elapsed", MP_PY_FAST(event_elapsed), METH_FASTCALL, event_elapsed_doc},
    {NULL, NULL, 0, NULL},
};
