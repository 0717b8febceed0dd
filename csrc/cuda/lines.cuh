/* An array as lines along one axis, for kernels that go along it: where a line begins. */
#ifndef MP_CUDA_LINES_CUH
#define MP_CUDA_LINES_CUH

#include "walk.cuh"

/* Lines are counted in C order of the other dimensions. */
struct mp_lines {
    char *data;
    int dtype, bytes, ndim;
    int64_t n, lines;                                   /* elements of a line */
    int64_t step;                                       /* along a line, in bytes */
    int64_t extent[MP_CUDA_DIMS], stride[MP_CUDA_DIMS]; /* of the other dimensions, in bytes */
};

static inline mp_lines mp_lines_of(const mp_array *a, int axis) {
    mp_lines l = {};
    l.data = (char *)mp_data(a);
    l.dtype = a->dtype;
    l.bytes = mp_itemsize(a);
    l.n = a->shape[axis];
    l.step = a->strides[axis] * l.bytes;
    l.lines = 1;
    for (int d = 0; d < a->ndim; d++) {
        if (d == axis) continue;
        l.extent[l.ndim] = a->shape[d];
        l.stride[l.ndim++] = a->strides[d] * l.bytes;
        l.lines *= a->shape[d];
    }
    return l;
}

static __device__ inline char *mp_line_at(const mp_lines &l, int64_t line) {
    char *p = l.data;
#pragma unroll 1
    for (int d = l.ndim - 1; d > 0; d--) {
        int64_t rest = line / l.extent[d];
        p += (line - rest * l.extent[d]) * l.stride[d];
        line = rest;
    }
    return l.ndim > 0 ? p + line * l.stride[0] : p;
}

#endif
