/* What the files that move elements share: the transfer itself (shape.cu), parts of arrays, and
 * units of bytes. */
#ifndef MP_CUDA_SHAPE_CUH
#define MP_CUDA_SHAPE_CUH

#include "walk.cuh"

/* dst[...] = src, of one shape, any strides and dtypes, converted once. dst may be src. */
mp_status mp_cuda_transfer(const mp_cuda_place *place, const mp_array *dst, const mp_array *src);

/* Part of an array, as a header that lives as long as the caller's frame: it holds no reference. */
static inline mp_array part_of(const mp_array *whole, int ndim, const int64_t *shape,
                               const int64_t *strides, int64_t offset) {
    mp_array part = {};
    part.dtype = whole->dtype;
    part.ndim = (int8_t)ndim;
    part.size = 1;
    part.storage = whole->storage;
    part.offset = whole->offset + offset;
    for (int d = 0; d < ndim; d++) {
        part.shape[d] = shape[d];
        part.strides[d] = strides[d];
        part.size *= shape[d];
    }
    return part;
}

/* f(mp_type<U>{}) with U a type of `bytes` bytes: 1, 2, 4, 8 or 16. */
template <class F> static inline mp_status visit_unit(int bytes, F f) {
    switch (bytes) {
    case 1: return f(mp_type<uint8_t>{});
    case 2: return f(mp_type<uint16_t>{});
    case 4: return f(mp_type<uint32_t>{});
    case 8: return f(mp_type<uint64_t>{});
    default: return f(mp_type<uint4>{});
    }
}

/* f(mp_type<C>{}) with the type through which elements of a dtype become those of another with one
 * rounding: float, double or int64_t. */
template <class F> static inline mp_status visit_between(mp_dtype from, mp_dtype to, F f) {
    bool wide_int = !mp_is_float(from) && mp_dtypes[from].bytes >= 4;
    if (to == MP_FLOAT32 || from == MP_FLOAT32) return f(mp_type<float>{});
    if (to == MP_FLOAT64 || from == MP_FLOAT64 || (wide_int && mp_is_narrow(to)))
        return f(mp_type<double>{});
    return mp_is_float(to) || mp_is_float(from) ? f(mp_type<float>{}) : f(mp_type<int64_t>{});
}

/* The most bytes of a unit, of `least` at least, that all the numbers or-ed to `bits` are multiples
 * of. */
static inline int unit_of(uint64_t bits, int least) {
    int unit = 16;
    while (unit > least && (bits & (uint64_t)(unit - 1))) unit /= 2;
    return unit;
}

#endif
