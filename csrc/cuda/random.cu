/* Random arrays on CUDA. Element i is a function of (seed, offset, i), bit for bit the CPU's;
 * normals in float64 differ from it in the last places. Each element is written once, nothing is
 * read. */
#include "random.cuh"
#include "walk.cuh"

#include <cub/device/device_radix_sort.cuh>

#include "../normal.h"

struct drawing {
    uint64_t seed, call;
    int64_t n;
};

/* y[4 b + i] = f(word i) of block b, for the four words of a block a thread. y is aligned, being
 * new. */
template <class T, class F>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    draw_singles(T *y, const __grid_constant__ drawing d, const F f) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS, blocks = (d.n + 3) / 4;
    for (int64_t b = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; b < blocks; b += step) {
        mp_words words = draw_words(d.seed, d.call, b);
        mp_pack<T, 4> out;
#pragma unroll
        for (int i = 0; i < 4; i++) out.v[i] = narrow<T>(f(words.w[i]));
        if (4 * b + 4 <= d.n) {
            store_pack<T, 4>(y + 4 * b, out);
        } else {
#pragma unroll
            for (int i = 0; i < 3; i++)
                if (4 * b + i < d.n) y[4 * b + i] = out.v[i];
        }
    }
}

/* The same for elements of two words each. */
template <class T, class F>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    draw_pairs(T *y, const __grid_constant__ drawing d, const F f) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS, blocks = (d.n + 1) / 2;
    for (int64_t b = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; b < blocks; b += step) {
        mp_words words = draw_words(d.seed, d.call, b);
        mp_pack<T, 2> out = {{f(words.pair(0)), f(words.pair(1))}};
        if (2 * b + 2 <= d.n) store_pack<T, 2>(y + 2 * b, out);
        else y[2 * b] = out.v[0];
    }
}

static drawing drawing_of(const mp_call *call) {
    return {call->attrs.seed, call->attrs.offset, call->out[0]->size};
}

/* y[i] = f(word): f gives a float, which is rounded to the floating dtype of y, float64 excepted.
 */
template <class F> static mp_status singles(const mp_call *call, const mp_cuda_place *place, F f) {
    drawing d = drawing_of(call);
    unsigned blocks = mp_blocks(place, d.n, MP_CUDA_THREADS, 4);
    return visit(call->out[0]->dtype, [&](auto t) {
        using T = typename decltype(t)::type;
        if constexpr (is_floating<T> && !std::is_same_v<T, double>)
            draw_singles<T>
                <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>((T *)mp_data(call->out[0]), d, f);
        return MP_CUDA_LAUNCHED();
    });
}

/* y[i] = f(two words): f gives the element itself. */
template <class T, class F>
static mp_status pairs(const drawing &d, const mp_cuda_place *place, void *y, F f) {
    unsigned blocks = mp_blocks(place, d.n, MP_CUDA_THREADS, 2);
    draw_pairs<T><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>((T *)y, d, f);
    return MP_CUDA_LAUNCHED();
}

/* ---- random_uniform ---- */

/* The greatest number of the format below `high`. */
static double below(mp_dtype dtype, double high) {
    uint64_t bits = 0;
    int sign = 8 * mp_dtypes[dtype].bytes - 1;
    mp_store_double(dtype, &bits, high);
    double value = mp_load_double(dtype, &bits);
    if (value < high) return value;
    if (value == 0) bits = ((uint64_t)1 << sign) + 1;
    else bits += value > 0 ? (uint64_t)-1 : 1;
    return mp_load_double(dtype, &bits);
}

/* limit is the greatest value below high. */
struct uniform_of {
    float low, scale, limit;
    __device__ inline float operator()(uint32_t word) const {
        float value = __fadd_rn(low, __fmul_rn(scale, (float)upper_bits(word) * 0x1p-24f));
        return value > limit ? limit : value;
    }
};
struct wide_uniform_of {
    double low, scale, limit;
    __device__ inline double operator()(uint64_t bits) const {
        double value = __dadd_rn(low, __dmul_rn(scale, (double)(int64_t)(bits >> 11) * 0x1p-53));
        return value > limit ? limit : value;
    }
};

/* low + (high - low) u, u in [0, 1) with 24 bits (float64: 53); never high. */
extern "C" mp_status mp_cuda_random_uniform(mp_call *call) {
    mp_array *y = call->out[0];
    double low = call->attrs.low, high = call->attrs.high, limit = below((mp_dtype)y->dtype, high);
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (!(limit >= low)) limit = HUGE_VAL;
    if (y->dtype == MP_FLOAT64)
        return pairs<double>(drawing_of(call), &place, mp_data(y),
                             wide_uniform_of{low, high - low, limit});
    return singles(call, &place, uniform_of{(float)low, (float)(high - low), (float)limit});
}

/* ---- random_normal ---- */

/* log(p) for a normal p below 1, operation by operation as the CPU's mp_flog. */
static __device__ inline float log_of_point(float p) {
    uint32_t bits = __float_as_uint(p);
    int32_t exponent = (int32_t)(bits - 0x3f3504f3u) >> 23;
    float f = __fsub_rn(__uint_as_float(bits - ((uint32_t)exponent << 23)), 1.0f);
    float e = (float)exponent, s = __fmul_rn(f, f);
    float q = -0.0763442991f;
    q = mp_normal_step(q, f, 0.127615504f);
    q = mp_normal_step(q, f, -0.131601951f);
    q = mp_normal_step(q, f, 0.142017625f);
    q = mp_normal_step(q, f, -0.166233565f);
    q = mp_normal_step(q, f, 0.200012267f);
    q = mp_normal_step(q, f, -0.250008211f);
    q = mp_normal_step(q, f, 0.333333317f);
    float small = __fadd_rn(__fmul_rn(__fmul_rn(q, f), s), __fmul_rn(e, 0x1.7f7d1cp-20f));
    small = __fsub_rn(small, __fmul_rn(0.5f, s));
    return __fadd_rn(__fadd_rn(f, small), __fmul_rn(e, 0x1.62e4p-1f));
}

struct normal_of {
    __device__ inline float operator()(uint32_t word) const {
        float p = mp_normal_point(word);
        float tail = mp_normal_tail(__fsqrt_rn(-log_of_point(p))),
              central = mp_normal_central(__fsub_rn(0.5f, p));
        float z = p < 0.075f ? tail : central;
        return __uint_as_float(__float_as_uint(z) ^ (word & 0x80000000u));
    }
};

/* As normal_of, with a step of Halley's method on P(Z > z) - p. */
struct wide_normal_of {
    __device__ inline double operator()(uint64_t bits) const {
        double p = mp_normal_point64(bits);
        double z =
            p < 0.075 ? mp_normal_tail((float)sqrt(-log(p))) : mp_normal_central((float)(0.5 - p));
        double excess = p - 0.5 * erfc(z * 0.70710678118654752440);
        double step = excess * 2.5066282746310005024 * exp(0.5 * z * z);
        z -= step / (1 + 0.5 * z * step);
        return bits >> 63 ? -z : z;
    }
};

extern "C" mp_status mp_cuda_random_normal(mp_call *call) {
    mp_array *y = call->out[0];
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (y->dtype == MP_FLOAT64)
        return pairs<double>(drawing_of(call), &place, mp_data(y), wide_normal_of{});
    return singles(call, &place, normal_of{});
}

/* ---- random_integers ---- */

/* The low bits of an integer are the element, whatever its signedness: U is an unsigned type of its
 * size. */
template <class F> static mp_status visit_integer(const mp_array *a, F f) {
    switch (mp_itemsize(a)) {
    case 1: return f(mp_type<uint8_t>{});
    case 2: return f(mp_type<uint16_t>{});
    case 4: return f(mp_type<uint32_t>{});
    default: return f(mp_type<uint64_t>{});
    }
}

template <class U> struct integer_of {
    uint64_t low, count;
    __device__ inline U operator()(uint64_t bits) const {
        return (U)(low + __umul64hi(bits, count));
    }
};

/* low + the upper 64 bits of 64 random bits times (high - low) */
extern "C" mp_status mp_cuda_random_integers(mp_call *call) {
    mp_array *y = call->out[0];
    uint64_t low = (uint64_t)call->attrs.low_int, count = (uint64_t)call->attrs.high_int - low;
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return visit_integer(y, [&](auto t) {
        using U = typename decltype(t)::type;
        return pairs<U>(drawing_of(call), &place, mp_data(y), integer_of<U>{low, count});
    });
}

/* ---- random_permutation ---- */

struct key_of {
    __device__ inline uint64_t operator()(uint64_t bits) const { return bits; }
};

static __global__ void __launch_bounds__(MP_CUDA_THREADS) count_up(int64_t *y, int64_t n) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += step)
        y[i] = i;
}

template <class U>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    take_low_bits(U *y, const int64_t *x, int64_t n) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += step)
        y[i] = (U)x[i];
}

/* Sorts n keys, the positions with them; `room` is for the sort, or NULL to be told how many bytes
 * that needs. */
static mp_status sort_keys(void *room, size_t *bytes, cub::DoubleBuffer<uint64_t> *keys,
                           cub::DoubleBuffer<int64_t> *positions, int64_t n, cudaStream_t stream) {
    MP_CUDA_TRY(cub::DeviceRadixSort::SortPairs(room, *bytes, *keys, *positions, n, 0, 64, stream));
    return MP_OK;
}

/* The positions of 64-bit keys in their order, equal keys by position: a stable sort. Scratch: 32
 * bytes an element. */
extern "C" mp_status mp_cuda_random_permutation(mp_call *call) {
    mp_array *y = call->out[0];
    int64_t n = y->size, row = (n * 8 + 255) / 256 * 256;
    mp_cuda_place place;
    void *data;
    size_t room = 0;
    if (n == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    cub::DoubleBuffer<uint64_t> keys(NULL, NULL);
    cub::DoubleBuffer<int64_t> positions(NULL, NULL);
    MP_TRY(sort_keys(NULL, &room, &keys, &positions, n, place.stream));
    size_t bytes = (size_t)(4 * row) + room;
    MP_TRY(mp_cuda_scratch(&place, bytes, &data));
    char *at = (char *)data;
    keys = cub::DoubleBuffer<uint64_t>((uint64_t *)at, (uint64_t *)(at + row));
    positions = cub::DoubleBuffer<int64_t>((int64_t *)(at + 2 * row), (int64_t *)(at + 3 * row));
    mp_status status = pairs<uint64_t>(drawing_of(call), &place, at, key_of{});
    unsigned blocks = mp_blocks(&place, n, MP_CUDA_THREADS, 1);
    count_up<<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(positions.Current(), n);
    if (status == MP_OK) status = MP_CUDA_LAUNCHED();
    if (status == MP_OK)
        status = sort_keys(at + 4 * row, &room, &keys, &positions, n, place.stream);
    if (status == MP_OK)
        status = visit_integer(y, [&](auto t) {
            using U = typename decltype(t)::type;
            take_low_bits<U><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>((U *)mp_data(y),
                                                                           positions.Current(), n);
            return MP_CUDA_LAUNCHED();
        });
    mp_cuda_scratch_free(&place, data, bytes);
    return status;
}
