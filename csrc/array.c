/* Arrays: strided views of a storage. Making, viewing and comparing them; running ops on them is
 * op.c's. */
#include "mp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refs.h"

/* ---- shapes ---- */

int64_t mp_spec_size(const mp_spec *s) {
    int64_t size = 1;
    for (int i = 0; i < s->ndim; i++) size *= s->shape[i];
    return size;
}

bool mp_same_shape(const mp_array *a, const mp_spec *s) {
    return a->ndim == s->ndim && !memcmp(a->shape, s->shape, (size_t)a->ndim * sizeof *a->shape);
}

const char *mp_shape_text(int ndim, const int64_t *shape) {
    static _Thread_local char texts[4][24 * MP_MAX_DIMS];
    static _Thread_local int turn;
    char *text = texts[turn++ & 3], *at = text;
    at += sprintf(at, "(");
    for (int i = 0; i < ndim && i < MP_MAX_DIMS; i++)
        at += sprintf(at, i ? ", %lld" : "%lld", (long long)shape[i]);
    sprintf(at, ndim == 1 ? ",)" : ")");
    return text;
}

mp_status mp_broadcast(int n, mp_array *const *in, int8_t *ndim, int64_t *shape) {
    int widest = 0;
    for (int k = 0; k < n; k++)
        if (in[k] && in[k]->ndim > widest) widest = in[k]->ndim;
    for (int i = 0; i < widest; i++) shape[i] = 1;
    for (int k = 0; k < n; k++) {
        if (!in[k]) continue;
        int64_t *tail = shape + widest - in[k]->ndim;
        for (int i = 0; i < in[k]->ndim; i++) {
            int64_t extent = in[k]->shape[i];
            if (extent == tail[i] || extent == 1) continue;
            if (tail[i] != 1)
                return mp_fail(MP_ERR_VALUE, "shapes %s and %s cannot be broadcast together",
                               mp_shape_text(in[0]->ndim, in[0]->shape),
                               mp_shape_text(in[k]->ndim, in[k]->shape));
            tail[i] = extent;
        }
    }
    *ndim = (int8_t)widest;
    return MP_OK;
}

/* Sets size and contiguous from shape and strides. */
static void measure(mp_array *a) {
    int64_t expected = 1;
    bool contiguous = true;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (a->shape[i] != 1 && a->strides[i] != expected) contiguous = false;
        expected *= a->shape[i];
    }
    a->size = expected;
    a->contiguous = contiguous || expected == 0;
}

/* ---- memory of array headers: kept per thread ---- */

enum { KEPT_HEADERS = 1024 };
static _Thread_local mp_array *kept;
static _Thread_local int kept_count;
static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void free_kept(void *unused) {
    (void)unused;
    while (kept) {
        mp_array *a = kept;
        kept = a->base;
        free(a);
    }
    kept_count = 0;
}
static void make_exit_key(void) { pthread_key_create(&exit_key, free_kept); }

static mp_status new_header(mp_array **out) {
    mp_array *a = kept;
    if (a) {
        kept = a->base;
        kept_count--;
    } else if (!(a = malloc(sizeof *a))) {
        return mp_fail(MP_ERR_MEMORY, "memory: no room for an array header of %zu bytes",
                       sizeof *a);
    }
    memset(a, 0, offsetof(mp_array, shape));
    memset(&a->storage, 0, sizeof *a - offsetof(mp_array, storage));
    a->refs = 1;
    *out = a;
    return MP_OK;
}

static void free_header(mp_array *a) {
    if (kept_count >= KEPT_HEADERS) {
        free(a);
        return;
    }
    static _Thread_local bool registered;
    if (!registered) {
        pthread_once(&exit_once, make_exit_key);
        pthread_setspecific(exit_key, &registered);
        registered = true;
    }
    a->base = kept;
    kept = a;
    kept_count++;
}

mp_array *mp_array_ref(mp_array *a) {
    if (a) atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void mp_array_unref(mp_array *a) {
    if (!a || !mp_last_reference(&a->refs)) return;
    mp_storage_unref(a->storage);
    if (a->edge.node) mp_node_unref(a->edge.node);
    if (a->edge.leaf) mp_leaf_unref(a->edge.leaf);
    if (a->base) mp_array_unref(a->base);
    free_header(a);
}

/* ---- making ---- */

mp_status mp_array_new(mp_device device, const mp_spec *spec, mp_array **out) {
    int64_t size = 1;
    for (int i = 0; i < spec->ndim; i++) {
        if (spec->shape[i] < 0)
            return mp_fail(MP_ERR_VALUE, "shape %s has a negative extent",
                           mp_shape_text(spec->ndim, spec->shape));
        if (__builtin_mul_overflow(size, spec->shape[i], &size))
            return mp_fail(MP_ERR_MEMORY,
                           "memory: shape %s has more elements than 64 bits can count",
                           mp_shape_text(spec->ndim, spec->shape));
    }
    size_t bytes;
    if (__builtin_mul_overflow((size_t)size, (size_t)mp_dtypes[spec->dtype].bytes, &bytes) ||
        bytes > PTRDIFF_MAX)
        return mp_fail(MP_ERR_MEMORY, "memory: shape %s of %s is larger than any memory",
                       mp_shape_text(spec->ndim, spec->shape), mp_dtypes[spec->dtype].name);
    mp_array *a = NULL;
    MP_TRY(new_header(&a));
    mp_status status = mp_storage_new(device, bytes, &a->storage);
    if (status != MP_OK) {
        free_header(a);
        return status;
    }
    a->dtype = spec->dtype;
    a->ndim = spec->ndim;
    a->size = size;
    a->contiguous = true;
    int64_t stride = 1;
    for (int i = spec->ndim - 1; i >= 0; i--) {
        a->shape[i] = spec->shape[i];
        a->strides[i] = stride;
        stride *= spec->shape[i];
    }
    *out = a;
    return MP_OK;
}

mp_status mp_array_over(mp_storage *s, mp_dtype dtype, int ndim, const int64_t *shape,
                        const int64_t *strides, int64_t offset, mp_array **out) {
    mp_array *a = NULL;
    MP_TRY(new_header(&a));
    a->storage = mp_storage_ref(s);
    a->dtype = (int8_t)dtype;
    a->ndim = (int8_t)ndim;
    a->offset = offset;
    for (int i = 0; i < ndim; i++) { /* no memcpy: without dimensions both may be NULL */
        a->shape[i] = shape[i];
        a->strides[i] = strides[i];
    }
    measure(a);
    *out = a;
    return MP_OK;
}

mp_status mp_array_scalar(mp_dtype dtype, double value, mp_array **out) {
    mp_spec spec;
    spec.dtype = (int8_t)dtype, spec.ndim = 0;
    MP_TRY(mp_array_new(MP_CPU, &spec, out));
    if (mp_is_float(dtype)) mp_store_double(dtype, mp_data(*out), value);
    else mp_store_int(dtype, mp_data(*out), (int64_t)value);
    return MP_OK;
}

mp_status mp_array_view(mp_array *a, int ndim, const int64_t *shape, const int64_t *strides,
                        int64_t offset, mp_array **out) {
    MP_TRY(mp_array_over(a->storage, (mp_dtype)a->dtype, ndim, shape, strides, offset, out));
    mp_array *base = a->base ? a->base : a;
    (*out)->base = mp_array_ref(base);
    (*out)->base_writes = a->base ? a->base_writes : a->writes;
    (*out)->no_base_write = a->no_base_write;
    (*out)->edge.dtype = a->dtype;
    return MP_OK;
}

mp_status mp_array_detach(mp_array *a, mp_array **out) {
    MP_TRY(mp_array_over(a->storage, (mp_dtype)a->dtype, a->ndim, a->shape, a->strides, a->offset,
                         out));
    (*out)->no_base_write = a->no_base_write;
    (*out)->weak = a->weak;
    return MP_OK;
}

bool mp_requires_grad(const mp_array *a) {
    return a->edge.node || (a->edge.leaf && a->edge.leaf->requires_grad);
}

/* ---- comparing memory ---- */

/* First and one past the last byte that the elements of a touch. */
static void extent_of(const mp_array *a, uintptr_t *first, uintptr_t *end) {
    int64_t low = 0, high = 0;
    for (int i = 0; i < a->ndim; i++) {
        int64_t reach = (a->shape[i] - 1) * a->strides[i];
        if (reach < 0) low += reach;
        else high += reach;
    }
    uintptr_t at = (uintptr_t)mp_data(a);
    *first = at + (uintptr_t)(low * mp_itemsize(a));
    *end = at + (uintptr_t)((high + 1) * mp_itemsize(a));
}

bool mp_overlap(const mp_array *a, const mp_array *b) {
    if (a->size == 0 || b->size == 0 || mp_array_device(a) != mp_array_device(b)) return false;
    uintptr_t a_first, a_end, b_first, b_end;
    extent_of(a, &a_first, &a_end);
    extent_of(b, &b_first, &b_end);
    return a_first < b_end && b_first < a_end;
}

bool mp_same_view(const mp_array *a, const mp_array *b) {
    if (mp_data(a) != mp_data(b) || a->dtype != b->dtype || a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i] || (a->shape[i] != 1 && a->strides[i] != b->strides[i]))
            return false;
    return true;
}

/* ---- copies: unrecorded, so they run the kernel's op with grad mode off ---- */

mp_status mp_array_copy(mp_array *a, mp_array **out) {
    bool grad, inference;
    mp_grad_mode_get(&grad, &inference);
    mp_grad_mode_set(false, inference);
    mp_status status = mp_op1(MP_OP_copy, a, NULL, out);
    mp_grad_mode_set(grad, inference);
    return status;
}

mp_status mp_array_contiguous(mp_array *a, mp_array **out) {
    if (!a->contiguous) return mp_array_copy(a, out);
    *out = mp_array_ref(a);
    return MP_OK;
}

mp_status mp_array_to_device(mp_array *a, mp_device device, mp_array **out) {
    mp_device from = mp_array_device(a);
    MP_TRY(mp_array_settle(a));
    mp_array *source, *copy = NULL;
    MP_TRY(mp_array_contiguous(a, &source));
    mp_spec spec = mp_spec_of(source);
    const mp_backend *backend;
    mp_status status = mp_backend_of(device == MP_CPU ? from : device, &backend);
    if (status == MP_OK) status = mp_array_new(device, &spec, &copy);
    if (status == MP_OK) {
        size_t bytes = (size_t)source->size * (size_t)mp_itemsize(source);
        void *token =
            mp_long_work_begin ? mp_long_work_begin() : NULL; /* a copy to the host waits */
        status = backend->copy(device == MP_CPU ? from : device, mp_data(copy), mp_data(source),
                               bytes, device == MP_CPU, from == MP_CPU, device == MP_CPU);
        if (mp_long_work_end) mp_long_work_end(token);
    }
    mp_array_unref(source);
    if (status != MP_OK) mp_array_unref(copy);
    else *out = copy;
    return status;
}
