/* Strided iteration: operands broadcast to one shape, walked in C order in stretches along the
 * innermost dimension. */
#include "mp.h"

#include <string.h>

/* Whether the walk over dimension `outer` goes on where that over `inner`, n elements, ends. */
static bool continues(const mp_iter *it, int outer, int inner) {
    for (int k = 0; k < it->n; k++)
        if (it->strides[k][outer] != it->strides[k][inner] * it->shape[inner]) return false;
    return true;
}

/* Drops extents of 1 and merges neighbours that every operand walks through evenly. At least one
 * dimension is left. */
static void collapse(mp_iter *it) {
    int kept = 0; /* dimensions [0, kept) are done */
    for (int d = 0; d < it->ndim; d++) {
        if (it->shape[d] == 1) continue;
        bool merge = kept > 0 && continues(it, kept - 1, d);
        int to = merge ? kept - 1 : kept++;
        it->shape[to] = merge ? it->shape[to] * it->shape[d] : it->shape[d];
        for (int k = 0; k < it->n; k++) it->strides[k][to] = it->strides[k][d];
    }
    if (kept == 0) {
        it->shape[kept++] = 1;
        for (int k = 0; k < it->n; k++) it->strides[k][0] = 0;
    }
    it->ndim = kept;
}

void mp_iter_init(mp_iter *it, int n, mp_array *const *operands, int ndim, const int64_t *shape) {
    it->n = n;
    it->ndim = ndim;
    it->size = 1;
    for (int d = 0; d < ndim; d++) it->size *= it->shape[d] = shape[d];
    for (int k = 0; k < n; k++) {
        const mp_array *a = operands[k];
        int missing = ndim - a->ndim;
        it->data[k] = mp_data(a);
        for (int d = 0; d < ndim; d++) {
            bool walks = d >= missing && a->shape[d - missing] != 1;
            it->strides[k][d] = walks ? a->strides[d - missing] * mp_itemsize(a) : 0;
        }
    }
    collapse(it);
}

/* Moves to the element with flat index `index`. */
static void seek(const mp_iter *it, int64_t index, int64_t *at, char **ptr) {
    for (int k = 0; k < it->n; k++) ptr[k] = it->data[k];
    for (int d = it->ndim - 1; d >= 0; d--) {
        at[d] = index % it->shape[d];
        index /= it->shape[d];
        for (int k = 0; k < it->n; k++) ptr[k] += at[d] * it->strides[k][d];
    }
}

/* From the end of a row to the start of the next. */
static void next_row(const mp_iter *it, int64_t *at, char **ptr) {
    for (int d = it->ndim - 1; d >= 0; d--) {
        if (at[d] < it->shape[d]) return;
        if (d == 0) return;
        for (int k = 0; k < it->n; k++) ptr[k] += it->strides[k][d - 1] - at[d] * it->strides[k][d];
        at[d] = 0;
        at[d - 1]++;
    }
}

void mp_iter_run(const mp_iter *it, int64_t begin, int64_t end, int64_t most, mp_iter_fn run,
                 void *ctx) {
    int64_t at[MP_MAX_DIMS], steps[MP_ITER_MAX];
    char *ptr[MP_ITER_MAX];
    int inner = it->ndim - 1;
    if (begin >= end) return;
    for (int k = 0; k < it->n; k++) steps[k] = it->strides[k][inner];
    seek(it, begin, at, ptr);
    while (begin < end) {
        int64_t count = it->shape[inner] - at[inner];
        if (count > end - begin) count = end - begin;
        if (count > most) count = most;
        run(ctx, count, ptr, steps);
        begin += count;
        at[inner] += count;
        for (int k = 0; k < it->n; k++) ptr[k] += count * steps[k];
        next_row(it, at, ptr);
    }
}
