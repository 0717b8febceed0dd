/* A contiguous array seen as outer x n x inner, for kernels that work along the middle axis: tasks
 * are tiles of n rows and `width` neighbouring columns of one outer index. Where inner is 1 a tile
 * is one row of n elements. */
#ifndef MP_CPU_TILES_H
#define MP_CPU_TILES_H

#include "cpu.h"

enum { MP_TILE_MOST = 256 }; /* columns */

typedef struct mp_tiles {
    int64_t outer, n, inner;
    int64_t width;  /* columns of a tile, the last of an outer index may have fewer */
    int64_t across; /* tiles of one outer index */
    int64_t count, grain;
} mp_tiles;

static inline mp_tiles mp_tiles_along(const mp_array *x, int64_t axis) {
    mp_tiles t = {.outer = 1, .n = 1, .inner = 1};
    for (int d = 0; d < x->ndim; d++)
        *(d < axis ? &t.outer : d == axis ? &t.n : &t.inner) *= x->shape[d];
    t.width = t.n > 0 ? 16384 / t.n / 16 * 16 : 16;
    if (t.width < 16) t.width = 16;
    if (t.width > MP_TILE_MOST) t.width = MP_TILE_MOST;
    if (t.width > t.inner) t.width = t.inner > 0 ? t.inner : 1;
    t.across = (t.inner + t.width - 1) / t.width;
    t.count = t.outer * t.across;
    t.grain = 8192 / (t.n * t.width + 1) + 1;
    return t;
}

/* Where tile `i` begins, as an index of elements, and its columns. */
static inline int64_t mp_tile_at(const mp_tiles *t, int64_t i, int64_t *columns) {
    int64_t column = i % t->across * t->width;
    *columns = t->inner - column < t->width ? t->inner - column : t->width;
    return i / t->across * t->n * t->inner + column;
}

/* The element of the array without the axis that the first column of the tile belongs to. */
static inline int64_t mp_tile_position(const mp_tiles *t, int64_t i) {
    return i / t->across * t->inner + i % t->across * t->width;
}

static inline char *mp_element(const mp_array *a, int64_t i) {
    return (char *)mp_data(a) + i * mp_itemsize(a);
}

#endif
