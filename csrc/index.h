/* What an index by arrays selects: shared by the rules (ops/) and the kernels of every device.
 *
 * The rows index, index_put and index_add have the attributes `axis`, where in the selection the
 * axes of the index arrays stand, and `axes`, three integers per index array: see mp_index_part. */
#ifndef MP_INDEX_H
#define MP_INDEX_H

#include "mp.h"

/* An index array counts through `span` axes of x from `axis` on, in C order; 0 axes is one element,
 * whose index is 0. `label` is what errors call the axis. Distinct: each element is in range and
 * no two are the same, as the positions of a mask are; then the attribute has -1 - span. */
typedef struct mp_index_part {
    int axis, span, label;
    bool distinct;
} mp_index_part;

static inline mp_index_part mp_index_part_of(const mp_attrs *attrs, int k) {
    const int64_t *given = attrs->ints + 3 * k;
    mp_index_part part;
    part.axis = (int)given[0];
    part.distinct = given[1] < 0;
    part.span = (int)(part.distinct ? -1 - given[1] : given[1]);
    part.label = (int)given[2];
    return part;
}

/* How many indices there are for a part. */
static inline int64_t mp_index_extent(const mp_array *x, mp_index_part part) {
    int64_t extent = 1;
    for (int d = part.axis; d < part.axis + part.span; d++) extent *= x->shape[d];
    return extent;
}

/* Whether the elements that a part counts through lie at even steps, those of its last axis. */
static inline bool mp_index_even(const mp_array *x, mp_index_part part) {
    for (int d = part.axis; d + 1 < part.axis + part.span; d++)
        if (x->strides[d] != x->strides[d + 1] * x->shape[d + 1]) return false;
    return part.span > 0;
}

/* Where element `i` of a part lies, in elements of x's storage from its first. */
static inline MP_HOST_DEVICE int64_t mp_index_place(int64_t i, int span, const int64_t *shape,
                                                    const int64_t *strides) {
    if (span == 1) return i * strides[0];
    int64_t place = 0;
    for (int d = span - 1; d >= 0; d--) {
        place += i % shape[d] * strides[d];
        i /= shape[d];
    }
    return place;
}

/* The selection: its axes are those of x that no array indexes, with the axes of the broadcast
 * arrays in between. Strides are x's, 0 along the arrays' axes; place_strides are those of the
 * arrays' common shape in C order, 0 along x's. */
typedef struct mp_selection {
    int ndim, wide; /* wide: axes of the broadcast arrays */
    int64_t count;  /* their elements */
    int64_t array_shape[MP_MAX_DIMS];
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS], place_strides[MP_MAX_DIMS];
} mp_selection;

/* false where the selection has more dimensions than an array may have. The arrays broadcast. */
static inline bool mp_select(const mp_array *x, int n, mp_array *const *arrays,
                             const mp_attrs *attrs, mp_selection *s) {
    unsigned indexed = 0;
    int rest = x->ndim, at = 0, place = (int)attrs->axis;
    s->wide = 0;
    s->count = 1;
    for (int k = 0; k < n; k++)
        if (arrays[k]->ndim > s->wide) s->wide = arrays[k]->ndim;
    for (int d = 0; d < s->wide; d++) s->array_shape[d] = 1;
    for (int k = 0; k < n; k++) {
        mp_index_part part = mp_index_part_of(attrs, k);
        int64_t *tail = s->array_shape + s->wide - arrays[k]->ndim;
        for (int d = 0; d < arrays[k]->ndim; d++)
            if (arrays[k]->shape[d] != 1) tail[d] = arrays[k]->shape[d];
        for (int d = part.axis; d < part.axis + part.span; d++) indexed |= 1u << d;
        rest -= part.span;
    }
    s->ndim = rest + s->wide;
    if (s->ndim > MP_MAX_DIMS) return false;
    for (int d = 0; d <= x->ndim; d++) {
        if (at == place) {
            for (int w = 0; w < s->wide; w++) {
                s->shape[at] = s->array_shape[w];
                s->strides[at++] = 0;
            }
            place = -1;
        }
        if (d == x->ndim || indexed & (1u << d)) continue;
        s->shape[at] = x->shape[d];
        s->place_strides[at] = 0;
        s->strides[at++] = x->strides[d];
    }
    for (int w = s->wide - 1; w >= 0; w--) {
        s->place_strides[attrs->axis + w] = s->count;
        s->count *= s->array_shape[w];
    }
    return true;
}

#endif
