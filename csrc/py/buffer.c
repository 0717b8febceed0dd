/* The buffer protocol: memory of CPU arrays for whoever takes a Py_buffer. The dtypes that struct
 * knows, no others. */
#include "py.h"

#include <stdlib.h>

static const char *const formats[MP_DTYPE_COUNT] = {
    [MP_BOOL] = "?",   [MP_INT8] = "b",    [MP_INT16] = "h",   [MP_INT32] = "i",
    [MP_INT64] = "l",  [MP_UINT8] = "B",   [MP_UINT16] = "H",  [MP_UINT32] = "I",
    [MP_UINT64] = "L", [MP_FLOAT16] = "e", [MP_FLOAT32] = "f", [MP_FLOAT64] = "d",
};
_Static_assert(sizeof(long) == 8, "int64 is long");

/* What a view shows; it may outlive the array's `data`. */
typedef struct shown {
    mp_storage *storage;
    Py_ssize_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
} shown;

/* Why the array cannot be shown as the flags want it, or NULL. */
static const char *objection(const mp_array *a, int flags) {
    if (mp_array_device(a) != MP_CPU) return "its memory is on a GPU; use .numpy() or .cpu()";
    if (!formats[a->dtype]) return "the struct module has no such dtype; use .numpy()";
    if (mp_requires_grad(a)) return "it requires grad; use .detach()";
    bool writable = !a->storage->read_only && !a->no_base_write;
    if ((flags & PyBUF_WRITABLE) && !writable) return "it is read-only";
    if (a->contiguous) return NULL;
    bool any = (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS,
         fortran = mp_py_is_fortran(a);
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS || any)
        return fortran ? NULL : "it is not contiguous";
    if ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS ||
        (flags & PyBUF_STRIDES) != PyBUF_STRIDES)
        return "it is not contiguous";
    return NULL;
}

/* A contiguous array is in C order, which someone who wants Fortran's cannot read beyond one axis.
 */
static bool wants_other_order(const mp_array *a, int flags) {
    bool any = (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
    return !any && (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !mp_py_is_fortran(a);
}

int mp_py_get_buffer(PyObject *self, Py_buffer *view, int flags) {
    mp_array *a = mp_py_array_of(self);
    view->obj = NULL;
    const char *why = objection(a, flags);
    if (!why && wants_other_order(a, flags)) why = "it is not in Fortran order";
    if (why) {
        PyErr_Format(PyExc_BufferError, "buffer: the %s array cannot be shown: %s",
                     mp_dtypes[a->dtype].name, why);
        return -1;
    }
    if (mp_py_check(mp_array_settle(a)) < 0) return -1;
    shown *s = malloc(sizeof *s);
    if (!s) {
        PyErr_NoMemory();
        return -1;
    }
    s->storage = mp_storage_ref(a->storage);
    for (int i = 0; i < a->ndim; i++) {
        s->shape[i] = (Py_ssize_t)a->shape[i];
        s->strides[i] = (Py_ssize_t)a->strides[i] * mp_itemsize(a);
    }
    view->obj = Py_NewRef(self);
    view->buf = mp_data(a);
    view->itemsize = mp_itemsize(a);
    view->len = (Py_ssize_t)a->size * view->itemsize;
    view->readonly = a->storage->read_only || a->no_base_write;
    view->ndim = a->ndim;
    view->format = (flags & PyBUF_FORMAT) ? (char *)formats[a->dtype] : NULL;
    view->shape = (flags & PyBUF_ND) && a->ndim ? s->shape : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES && a->ndim ? s->strides : NULL;
    view->suboffsets = NULL;
    view->internal = s;
    if (!view->readonly) mp_py_export_begin(s->storage);
    return 0;
}

void mp_py_release_buffer(PyObject *self, Py_buffer *view) {
    (void)self;
    shown *s = view->internal;
    if (!view->readonly) mp_py_export_end(s->storage);
    mp_storage_unref(s->storage);
    free(s);
}
