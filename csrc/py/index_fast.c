/* Indexing that needs no op: elements and views of arrays on the CPU, where nothing is recorded,
 * and small selections by one array. What is not done here takes the way of index.c, errors too. */
#include "index.h"

#include <stdatomic.h>
#include <string.h>

enum { SMALL = 4096 }; /* elements that are worth no op */

bool mp_py_is_unrecorded(const mp_array *a) {
    if (a->storage->pending) return false;
    bool stale = a->base && a->base_writes != a->base->writes;
    if (!stale && !a->edge.node && !a->edge.leaf) return true;
    return !mp_grad_enabled() || (!stale && !mp_requires_grad(a));
}

bool mp_py_reads_directly(const mp_array *a) {
    return mp_array_device(a) == MP_CPU && mp_py_is_unrecorded(a);
}

bool mp_py_writes_directly(const mp_array *a) {
    if (a->storage->read_only || a->no_base_write || !mp_py_reads_directly(a)) return false;
    return !a->base || !mp_requires_grad(a->base) || !mp_grad_enabled();
}

static void written(mp_array *a) {
    atomic_fetch_add_explicit(&a->storage->version, 1, memory_order_release);
}

static inline void copy_bytes(void *to, const void *from, int bytes) {
    switch (bytes) {
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 2: memcpy(to, from, 2); break;
    default: memcpy(to, from, 1);
    }
}

static inline char *at(const mp_array *a, int64_t offset) {
    return (char *)a->storage->data + offset * mp_itemsize(a);
}

PyObject *mp_py_element(const mp_array *a, int64_t offset) {
    void *to;
    PyObject *y = mp_py_new_value((mp_dtype)a->dtype, &to);
    if (y) copy_bytes(to, at(a, offset), mp_itemsize(a));
    return y;
}

/* ---- integers ---- */

/* An integer of ours that is at hand. */
static bool read_element(PyObject *item, int64_t *out) {
    if (Py_TYPE(item) != mp_py->ndarray) return false;
    const mp_array *a = mp_py_array_of(item);
    char kind = mp_dtypes[a->dtype].kind;
    if (a->ndim || mp_array_device(a) != MP_CPU || !(kind == 'I' || kind == 'U')) return false;
    *out = mp_load_int((mp_dtype)a->dtype, mp_data(a));
    return a->dtype != MP_UINT64 || *out >= 0;
}

/* An integer in [-extent, extent), made non-negative: Python's, or a 0-d array of ours. */
static inline bool read_integer(PyObject *item, int64_t extent, int64_t *out) {
    int overflow = 0;
    int64_t i;
    if (PyLong_CheckExact(item)) i = PyLong_AsLongLongAndOverflow(item, &overflow);
    else if (!read_element(item, &i)) return false;
    if (i < 0) i += extent;
    *out = i;
    return i >= 0 && i < extent && !overflow;
}

/* The offset that integers alone name, one per axis. */
static bool find_element(const mp_array *a, PyObject *index, int64_t *offset) {
    int64_t i;
    if (a->ndim == 1 && read_integer(index, a->shape[0], &i)) {
        *offset = a->offset + i * a->strides[0];
        return true;
    }
    if (!PyTuple_CheckExact(index) || PyTuple_GET_SIZE(index) != a->ndim) return false;
    *offset = a->offset;
    for (int d = 0; d < a->ndim; d++) {
        if (!read_integer(PyTuple_GET_ITEM(index, d), a->shape[d], &i)) return false;
        *offset += i * a->strides[d];
    }
    return true;
}

static int make_view(mp_array *a, int ndim, const int64_t *shape, const int64_t *strides,
                     int64_t offset, PyObject **out) {
    mp_array *view;
    mp_status status = mp_array_view(a, ndim, shape, strides, offset, &view);
    *out = status == MP_OK ? mp_py_wrap(view) : mp_py_raise(status);
    return *out ? 1 : -1;
}

static bool is_plain_bound(PyObject *bound) { return bound == Py_None || PyLong_CheckExact(bound); }

/* A slice of the first axis; bounds that would run Python code are left to others. */
static int slice_rows(mp_array *a, PyObject *slice, PyObject **out) {
    const PySliceObject *s = (const PySliceObject *)slice;
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS], offset = a->offset;
    Py_ssize_t start, stop, step;
    if (!is_plain_bound(s->start) || !is_plain_bound(s->stop) || !is_plain_bound(s->step)) return 0;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return -1;
    for (int d = 0; d < a->ndim; d++) {
        shape[d] = a->shape[d];
        strides[d] = a->strides[d];
    }
    shape[0] = PySlice_AdjustIndices((Py_ssize_t)a->shape[0], &start, &stop, step);
    if (shape[0] > 0) offset += start * a->strides[0];
    if (shape[0] > 1) strides[0] *= step;
    return make_view(a, a->ndim, shape, strides, offset, out);
}

/* ---- one array, on the first axis ---- */

/* A dense array of int64 or bool that is an index of a few elements. */
static const mp_array *small_index(PyObject *index) {
    if (Py_TYPE(index) != mp_py->ndarray) return NULL;
    const mp_array *i = mp_py_array_of(index);
    bool fits = i->ndim > 0 && i->size <= SMALL && i->contiguous && mp_array_device(i) == MP_CPU &&
                (i->dtype == MP_INT64 || i->dtype == MP_BOOL);
    return fits ? i : NULL;
}

/* How many rows of a (elements along its first axis, or of all axes for a mask) an index selects;
 * -1 where it does not fit. */
static int64_t count_rows(const mp_array *a, const mp_array *index) {
    if (index->dtype == MP_INT64) return a->ndim > 0 ? index->size : -1;
    if (index->ndim != 1 || a->ndim == 0 || index->shape[0] != a->shape[0]) return -1;
    const uint8_t *mask = mp_data(index);
    int64_t count = 0;
    for (int64_t i = 0; i < index->size; i++) count += mask[i] != 0;
    return count;
}

/* Bytes that lie dense in one row of a; 0 where they do not. */
static int64_t row_bytes(const mp_array *a) {
    int64_t dense = 1;
    for (int d = a->ndim - 1; d > 0; d--) {
        if (a->shape[d] != 1 && a->strides[d] != dense) return 0;
        dense *= a->shape[d];
    }
    return dense * mp_itemsize(a);
}

/* Rows of a to a dense place; false where an index is out of range. */
static bool gather(const mp_array *a, const mp_array *index, int64_t bytes, char *to) {
    const char *from = mp_data(a);
    int64_t extent = a->shape[0], step = a->strides[0] * mp_itemsize(a);
    if (index->dtype == MP_BOOL) {
        const uint8_t *mask = mp_data(index);
        for (int64_t i = 0; i < extent; i++) {
            if (!mask[i]) continue;
            if (bytes == 4) memcpy(to, from + i * step, 4);
            else memcpy(to, from + i * step, (size_t)bytes);
            to += bytes;
        }
        return true;
    }
    const int64_t *rows = mp_data(index);
    for (int64_t k = 0; k < index->size; k++, to += bytes) {
        int64_t i = rows[k] < 0 ? rows[k] + extent : rows[k];
        if (i < 0 || i >= extent) return false;
        if (bytes == 4) memcpy(to, from + i * step, 4);
        else memcpy(to, from + i * step, (size_t)bytes);
    }
    return true;
}

static int select_rows(const mp_array *a, const mp_array *index, PyObject **out) {
    int64_t rows = count_rows(a, index), bytes = row_bytes(a);
    if (rows < 0 || bytes == 0 || bytes * rows > 8 * SMALL) return 0;
    if (index->ndim + a->ndim - 1 > MP_MAX_DIMS) return 0;
    mp_array *y;
    mp_spec spec;
    spec.dtype = a->dtype;
    spec.ndim = 0;
    if (index->dtype == MP_BOOL) spec.shape[spec.ndim++] = rows;
    else
        for (int d = 0; d < index->ndim; d++) spec.shape[spec.ndim++] = index->shape[d];
    for (int d = 1; d < a->ndim; d++) spec.shape[spec.ndim++] = a->shape[d];
    mp_status status = mp_array_new(MP_CPU, &spec, &y);
    if (status != MP_OK) {
        mp_py_raise(status);
        return -1;
    }
    if (!gather(a, index, bytes, mp_data(y))) {
        mp_array_unref(y);
        return 0;
    }
    *out = mp_py_wrap(y);
    return *out ? 1 : -1;
}

/* What goes to `rows` elements of a: *step bytes apart, 0 for a number, whose bytes are in `bits`.
 * 1, or 0 or -1. */
static int read_values(const mp_array *a, int64_t rows, PyObject *value, uint64_t *bits,
                       const char **from, int64_t *step) {
    *from = (const char *)bits;
    *step = 0;
    if (PyFloat_CheckExact(value) || PyLong_CheckExact(value))
        return mp_py_encode("index", (mp_dtype)a->dtype, value, bits);
    if (!mp_py_is_array(value)) return 0;
    const mp_array *v = mp_py_array_of(value);
    if (v->ndim != 1 || v->shape[0] != rows || v->dtype != a->dtype || v->storage == a->storage ||
        !mp_py_reads_directly(v))
        return 0;
    *from = mp_data(v);
    *step = v->strides[0] * mp_itemsize(v);
    return 1;
}

/* Elements of a 1-d array become values; none is written where an index is out of range. */
static int put_rows(mp_array *a, const mp_array *index, PyObject *value) {
    if (a->ndim != 1) return 0;
    int64_t rows = count_rows(a, index), extent = a->shape[0], step;
    const int64_t *i = mp_data(index);
    const char *from;
    uint64_t bits;
    if (index->dtype == MP_INT64)
        for (int64_t k = 0; k < rows; k++)
            if (i[k] < -extent || i[k] >= extent) return 0;
    int found = rows < 0 ? 0 : read_values(a, rows, value, &bits, &from, &step);
    if (found <= 0) return found;
    if (index->dtype == MP_INT64) {
        for (int64_t k = 0; k < rows; k++, from += step)
            copy_bytes(at(a, a->offset + (i[k] < 0 ? i[k] + extent : i[k]) * a->strides[0]), from,
                       mp_itemsize(a));
    } else {
        const uint8_t *mask = mp_data(index);
        for (int64_t k = 0; k < extent; k++) {
            if (!mask[k]) continue;
            copy_bytes(at(a, a->offset + k * a->strides[0]), from, mp_itemsize(a));
            from += step;
        }
    }
    written(a);
    return 1;
}

/* ---- get and set ---- */

int mp_py_fast_get(mp_array *a, PyObject *index, PyObject **out) {
    int64_t offset, i;
    if (!mp_py_is_unrecorded(a)) return 0;
    bool here = mp_array_device(a) == MP_CPU;
    if (here && find_element(a, index, &offset)) {
        *out = mp_py_element(a, offset);
        return *out ? 1 : -1;
    }
    if (PyTuple_CheckExact(index) || a->ndim == 0) return 0;
    if (PySlice_Check(index)) return slice_rows(a, index, out);
    if (a->ndim > 1 && read_integer(index, a->shape[0], &i))
        return make_view(a, a->ndim - 1, a->shape + 1, a->strides + 1,
                         a->offset + i * a->strides[0], out);
    const mp_array *selection = here ? small_index(index) : NULL;
    return selection ? select_rows(a, selection, out) : 0;
}

int mp_py_fast_set(mp_array *a, PyObject *index, PyObject *value) {
    int64_t offset;
    uint64_t bits;
    if (!mp_py_writes_directly(a)) return 0;
    if (!find_element(a, index, &offset)) {
        const mp_array *selection = small_index(index);
        return selection ? put_rows(a, selection, value) : 0;
    }
    int found = mp_py_encode("index", (mp_dtype)a->dtype, value, &bits);
    if (found <= 0) return found;
    copy_bytes(at(a, offset), &bits, mp_itemsize(a));
    written(a);
    return 1;
}

/* ---- few elements of a view ---- */

/* The next element of a view in C order: moves both offsets; false after the last. */
static inline bool next_element(int ndim, const int64_t *shape, int64_t *position,
                                const int64_t *to_strides, int64_t *to, const int64_t *from_strides,
                                int64_t *from) {
    for (int d = ndim - 1; d >= 0; d--) {
        *to += to_strides[d];
        *from += from_strides[d];
        if (++position[d] < shape[d]) return true;
        *to -= shape[d] * to_strides[d];
        *from -= shape[d] * from_strides[d];
        position[d] = 0;
    }
    return false;
}

static int64_t size_of(const mp_py_index *index) {
    int64_t size = 1;
    for (int d = 0; d < index->ndim; d++) size *= index->shape[d];
    return size;
}

/* The array's elements, where they lie elsewhere and need no conversion. */
static bool can_copy(const mp_array *a, const mp_py_index *index, const mp_array *value) {
    return value->dtype == a->dtype && value->ndim == index->ndim && value->storage != a->storage &&
           mp_array_device(value) == MP_CPU &&
           !memcmp(value->shape, index->shape, (size_t)index->ndim * sizeof *index->shape) &&
           mp_py_reads_directly(value);
}

int mp_py_fast_fill(mp_array *a, const mp_py_index *index, PyObject *value) {
    static const int64_t still[MP_MAX_DIMS];
    int64_t position[MP_MAX_DIMS] = {0}, to = index->offset, from = 0, size = size_of(index);
    const int64_t *strides = still;
    uint64_t bits;
    const char *source = (const char *)&bits;
    int bytes = mp_itemsize(a);
    if (size > SMALL || !mp_py_writes_directly(a)) return 0;
    if (!PyFloat_CheckExact(value) && mp_py_is_array(value) && mp_py_array_of(value)->ndim) {
        const mp_array *v = mp_py_array_of(value);
        if (!can_copy(a, index, v)) return 0;
        source = mp_data(v);
        strides = v->strides;
    } else {
        int found = mp_py_encode("index", (mp_dtype)a->dtype, value, &bits);
        if (found <= 0) return found;
    }
    for (bool more = size > 0; more; more = next_element(index->ndim, index->shape, position,
                                                         index->strides, &to, strides, &from))
        copy_bytes(at(a, to), source + from * bytes, bytes);
    written(a);
    return 1;
}
