/* Strided iteration on the device: up to N operands broadcast to one shape. The host collapses
 * dimensions (../iter.c), the device turns the flat index of an element into the address of each
 * operand. */
#ifndef MP_CUDA_WALK_CUH
#define MP_CUDA_WALK_CUH

#include "convert.cuh"

/* Division by a number that all threads share: index = quotient * by + rest, for index < 2^31 by a
 * multiplication. */
struct mp_divider {
    uint32_t by, multiplier, shift;
    int64_t wide;
};

static inline mp_divider mp_divider_of(int64_t by) {
    mp_divider d = {(uint32_t)by, 0, 0, by};
    if (by <= 0 || by > INT32_MAX) return d;
    while (((int64_t)1 << d.shift) < by) d.shift++;
    d.multiplier = (uint32_t)((((uint64_t)1 << 32) * (((uint64_t)1 << d.shift) - (uint64_t)by)) /
                                  (uint64_t)by +
                              1);
    return d;
}

template <bool WIDE>
static __device__ inline int64_t mp_divide(const mp_divider &d, int64_t index) {
    if constexpr (WIDE) return index / d.wide;
    uint32_t i = (uint32_t)index;
    return (int64_t)((__umulhi(i, d.multiplier) + i) >> d.shift);
}

/* An operand of a kernel that is one number on the host: a Python number, or a 0-d array on the
 * CPU. */
static inline bool mp_is_host_number(const mp_array *a) { return mp_array_device(a) == MP_CPU; }

template <class C> static inline C mp_host_number(const mp_array *a) {
    if constexpr (std::is_floating_point_v<C>)
        return (C)mp_load_double((mp_dtype)a->dtype, mp_data(a));
    else if (mp_is_float((mp_dtype)a->dtype))
        return (C)mp_load_double((mp_dtype)a->dtype, mp_data(a));
    else return (C)mp_load_int((mp_dtype)a->dtype, mp_data(a));
}

/* The walk of N operands; operand k of dtype dtype[k] lies at data[k], NULL where it is a number of
 * the host. */
template <int N> struct mp_walk {
    int ndim;
    int64_t size;
    mp_divider extent[MP_CUDA_DIMS];
    int64_t stride[N][MP_CUDA_DIMS]; /* in bytes */
    char *data[N];
    int8_t dtype[N];

    /* The addresses of element `index`. wide: indices may exceed 31 bits. */
    __device__ inline void at(int64_t index, char **p, bool wide) const {
#pragma unroll
        for (int k = 0; k < N; k++) p[k] = data[k];
#pragma unroll
        for (int d = MP_CUDA_DIMS - 1; d > 0; d--) {
            if (d >= ndim) continue;
            int64_t rest =
                wide ? mp_divide<true>(extent[d], index) : mp_divide<false>(extent[d], index);
            int64_t here = index - rest * extent[d].wide;
#pragma unroll
            for (int k = 0; k < N; k++) p[k] += here * stride[k][d];
            index = rest;
        }
#pragma unroll
        for (int k = 0; k < N; k++) p[k] += index * stride[k][0];
    }
    template <bool WIDE> __device__ inline void at(int64_t index, char **p) const {
        at(index, p, WIDE);
    }
};

/* Operands (not NULL) broadcast to `shape`. */
template <int N>
static inline mp_walk<N> mp_walk_of(mp_array *const *operands, int ndim, const int64_t *shape) {
    mp_walk<N> w;
    mp_iter it;
    mp_iter_init(&it, N, operands, ndim, shape);
    w.ndim = it.ndim;
    w.size = it.size;
    for (int d = 0; d < it.ndim; d++) w.extent[d] = mp_divider_of(it.shape[d]);
    for (int k = 0; k < N; k++) {
        w.data[k] = mp_is_host_number(operands[k]) ? NULL : it.data[k];
        w.dtype[k] = operands[k]->dtype;
        for (int d = 0; d < it.ndim; d++) w.stride[k][d] = it.strides[k][d];
    }
    return w;
}

/* Blocks of `threads` for n elements, `each` of them a thread; no more than some waves of the card,
 * kernels loop. */
static inline unsigned mp_blocks(const mp_cuda_place *place, int64_t n, int threads, int each) {
    int64_t per_block = (int64_t)threads * each, blocks = (n + per_block - 1) / per_block;
    int64_t most = (int64_t)place->processors * 32;
    return (unsigned)(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

/* Runs launch(wide) with wide an std::bool_constant: whether `size` needs more than 31 bits. */
template <class F> static inline void mp_choose_width(int64_t size, F launch) {
    if (size > INT32_MAX) launch(std::true_type{});
    else launch(std::false_type{});
}

#endif
