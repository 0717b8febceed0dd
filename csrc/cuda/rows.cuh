/* Kernels that work row by row over contiguous arrays. G threads share a row: lanes of a warp, or a
 * whole block. Where a row is short enough each of them holds E of its elements in registers, in
 * packs of 16 bytes: pack k of the row belongs to thread k % G, so that neighbours access
 * neighbouring bytes. */
#ifndef MP_CUDA_ROWS_CUH
#define MP_CUDA_ROWS_CUH

#include "reduce.cuh"

template <int G_, int E_> struct mp_row_shape {
    static constexpr int G = G_, E = E_;
    static constexpr int threads = G > MP_WARP ? G : MP_CUDA_THREADS; /* of a block */
    static constexpr int groups = threads / G;                        /* rows a block has in hand */
    static constexpr int warps = G > MP_WARP ? G / MP_WARP : 1;       /* of a group */
};

/* An array as a kernel sees it; data is NULL where it is absent. */
struct mp_operand {
    char *data;
    int dtype, bytes;
};
static inline mp_operand mp_operand_of(const mp_array *a) {
    if (!a) return mp_operand{NULL, MP_NO_DTYPE, 0};
    return mp_operand{(char *)mp_data(a), a->dtype, mp_itemsize(a)};
}

/* Elements whose dtype is known at run time only, V = 1. */
struct mp_any {};
template <class T> constexpr int mp_row_pack = pack_size<T>;
template <> constexpr int mp_row_pack<mp_any> = 1;

/* ---- 16 bytes at once ---- */

/* Kernels keep them as they came until they are needed. */
static __device__ inline uint4 load_raw(const void *p) { return *(const uint4 *)p; }

static __device__ inline float2 widen_pair(mp_type<__half>, uint32_t bits) {
    __half2 pair;
    memcpy(&pair, &bits, sizeof bits);
    return __half22float2(pair);
}
static __device__ inline float2 widen_pair(mp_type<__nv_bfloat16>, uint32_t bits) {
    return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u));
}

template <class T, int V> static __device__ inline void widen_raw(uint4 raw, float (&x)[V]) {
    static_assert(V == pack_size<T>, "a pack is 16 bytes");
    const uint32_t word[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if constexpr (std::is_same_v<T, float>) {
            x[k] = __uint_as_float(word[k]);
        } else {
            float2 pair = widen_pair(mp_type<T>{}, word[k]);
            x[2 * k] = pair.x, x[2 * k + 1] = pair.y;
        }
    }
}

/* The hardware's conversion of two elements: a NaN that was computed has no sign to keep, so
 * narrow's care is left out. */
static __device__ inline uint32_t narrow_pair(mp_type<__half>, float a, float b) {
    uint32_t bits;
    __half2 pair = __floats2half2_rn(a, b);
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}
static __device__ inline uint32_t narrow_pair(mp_type<__nv_bfloat16>, float a, float b) {
    uint32_t bits;
    __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

/* V elements, 4 or 8, in accesses of 16 bytes (8 for 4 elements of 2 bytes). */
template <class T, int V> static __device__ inline void store_values(T *to, const float (&y)[V]) {
    if constexpr (std::is_same_v<T, float>) {
#pragma unroll
        for (int i = 0; i < V; i += 4)
            *(float4 *)(to + i) = make_float4(y[i], y[i + 1], y[i + 2], y[i + 3]);
    } else {
        mp_pack<uint32_t, V / 2> words;
#pragma unroll
        for (int k = 0; k < V / 2; k++)
            words.v[k] = narrow_pair(mp_type<T>{}, y[2 * k], y[2 * k + 1]);
        store_pack<uint32_t, V / 2>((uint32_t *)to, words);
    }
}

/* ---- elements of a kernel's type T, or of any dtype ---- */

template <class T, class C, int V>
static __device__ inline void load_elements(const mp_operand &a, int64_t at, C (&x)[V]) {
    if constexpr (std::is_same_v<T, mp_any>) x[0] = load_any<C>(a.data + at * a.bytes, a.dtype);
    else widen_raw<T>(load_raw((const T *)a.data + at), x);
}

template <class T, class C, int V>
static __device__ inline void store_elements(const mp_operand &a, int64_t at, const C (&x)[V]) {
    if constexpr (std::is_same_v<T, mp_any>) store_any(a.data + at * a.bytes, a.dtype, x[0]);
    else store_values((T *)a.data + at, x);
}

/* Reduces N values over each group of G threads; all threads of the block call it, and all of a
 * group get the results. `room` (shared) holds 2 N values for each of the block's warps, `turn`
 * counts the calls: halves of room take turns, so that one barrier is enough. GROUPS of more than a
 * warp wait for their own threads alone. */
template <int G, int GROUPS = 1, int N, class C, class F>
static __device__ inline void group_reduce(C (&x)[N], F join, C *room, unsigned &turn) {
#pragma unroll
    for (int k = 0; k < N; k++) {
#pragma unroll
        for (int width = (G < MP_WARP ? G : MP_WARP) / 2; width > 0; width /= 2)
            x[k] = join(x[k], __shfl_xor_sync(0xffffffffu, x[k], width));
    }
    if constexpr (G > MP_WARP) {
        constexpr int warps = G / MP_WARP;
        const int group = GROUPS > 1 ? threadIdx.x / G : 0;
        C *here = room + ((turn++ & 1) * GROUPS + group) * N * warps;
        if (threadIdx.x % MP_WARP == 0) {
#pragma unroll
            for (int k = 0; k < N; k++) here[k * warps + threadIdx.x % G / MP_WARP] = x[k];
        }
        if constexpr (GROUPS > 1)
            asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "n"(G) : "memory");
        else __syncthreads();
#pragma unroll
        for (int k = 0; k < N; k++) {
            x[k] = here[k * warps];
#pragma unroll
            for (int w = 1; w < warps; w++) x[k] = join(x[k], here[k * warps + w]);
        }
    }
}

/* Blocks for `rows`, `groups` of them a block. */
static inline int64_t mp_row_blocks(int64_t rows, int groups) {
    return (rows + groups - 1) / groups;
}

#endif
