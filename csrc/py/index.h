/* What the files of indexing share: index.c reads an index and makes views of it, index_fast.c does
 * what needs no op, index_arrays.c runs the rows of arrays as indices, assign.c writes values. */
#ifndef MP_PY_INDEX_H
#define MP_PY_INDEX_H

#include "py.h"

enum { MP_PY_PARTS = MP_MAX_INTS / 3 }; /* arrays that one index may have */

/* An index of one array, read: a slice of every axis, then axes that go (integers) and come (None),
 * which is a view; then arrays that select from the view. */
typedef struct mp_py_index {
    int64_t starts[MP_MAX_DIMS], steps[MP_MAX_DIMS], extents[MP_MAX_DIMS];
    int ndim; /* of the view; where it lies is in elements of the storage */
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS], offset;
    bool whole;    /* the view is the array itself */
    bool reshapes; /* axes go or come */
    bool element;  /* integers alone, one per axis */
    int n_arrays, place;
    mp_array *arrays[MP_PY_PARTS]; /* references, integers on the array's device */
    int64_t parts[MP_MAX_INTS];    /* of the attribute `axes` of the row index */
} mp_py_index;

/* ---- index.c ---- */

int mp_py_index_read(mp_array *a, PyObject *index, mp_py_index *out);
void mp_py_index_close(mp_py_index *index);
/* The view: recorded where an op would be, the array itself where it is whole. */
mp_status mp_py_index_view(mp_array *a, const mp_py_index *index, mp_array **out);

/* ---- index_arrays.c ---- */

/* An index that is no integer, slice, None or Ellipsis, as an array on the CPU or a's device. */
int mp_py_index_array(const mp_array *a, PyObject *item, mp_array **out);
/* The positions of a mask over a's axes from `axis` on, on a's device; takes the mask. */
int mp_py_index_mask(const mp_array *a, int axis, mp_array *mask, mp_array **out);
/* The selection from a view. */
PyObject *mp_py_index_get(mp_array *view, const mp_py_index *index);
/* view[selection] = value, or += value; in place. */
int mp_py_index_put(mp_op op, mp_array *view, const mp_py_index *index, PyObject *value);

/* ---- index_fast.c: 1 done, 0 not done, -1 failed ---- */

/* Whether nothing is recorded of a view of a. */
bool mp_py_is_unrecorded(const mp_array *a);
/* Whether a's elements may be read, or written, without an op: it is so, and on the CPU. */
bool mp_py_reads_directly(const mp_array *a);
bool mp_py_writes_directly(const mp_array *a);
PyObject *mp_py_element(const mp_array *a, int64_t offset); /* a value of its own */
int mp_py_fast_get(mp_array *a, PyObject *index, PyObject **out);
int mp_py_fast_set(mp_array *a, PyObject *index, PyObject *value);
/* The view's elements become a number, or those of an array of its shape and dtype. */
int mp_py_fast_fill(mp_array *a, const mp_py_index *index, PyObject *value);

/* ---- assign.c ---- */

/* The bytes of a Python number (or an element of ours) in dtype, as NumPy converts it. */
int mp_py_encode(const char *op, mp_dtype dtype, PyObject *value, void *bytes);
/* What is assigned to dst, on dst's device. */
int mp_py_value_for(const char *op, const mp_array *dst, PyObject *value, mp_array **out);

#endif
