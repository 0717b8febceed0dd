/* sort and argsort along an axis: CUB's radix sort of keys, unsigned numbers in the order of the
 * elements. All lines are sorted at once. Keys of up to 32 bits have the number of their line above
 * them; keys of 64 bits are sorted with their places, and then stably by line. NaN is above
 * everything, in one pattern. Places of equal keys ascend; to argsort, -0 and 0 are equal. */
#include <cub/device/device_radix_sort.cuh>

#include "lines.cuh"

/* How bits of elements become keys, in a word of `ones`. */
struct key_rule {
    uint64_t ones, sign; /* sign: the bit that is flipped, 0 for unsigned numbers */
    uint64_t most, nan;  /* floats: the greatest magnitude that is no NaN, and the NaN written */
    bool floats, descending, equal_zeros;
};

static key_rule key_rule_of(mp_dtype dtype, bool descending, bool equal_zeros) {
    const mp_dtype_row *row = &mp_dtypes[dtype];
    key_rule r = {};
    int bits = 8 * row->bytes;
    r.ones = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    r.floats = row->kind == 'F';
    r.sign = row->kind == 'U' || row->kind == 'B' ? 0 : (uint64_t)1 << (bits - 1);
    r.descending = descending;
    r.equal_zeros = equal_zeros;
    switch (dtype) {
    case MP_FLOAT8_E4M3FN: r.most = 0x7e, r.nan = 0x7f; break;
    case MP_FLOAT8_E5M2: r.most = 0x7c, r.nan = 0x7e; break;
    case MP_FLOAT16: r.most = 0x7c00, r.nan = 0x7e00; break;
    case MP_BFLOAT16: r.most = 0x7f80, r.nan = 0x7fc0; break;
    case MP_FLOAT32: r.most = 0x7f800000, r.nan = 0x7fc00000; break;
    case MP_FLOAT64: r.most = 0x7ff0000000000000, r.nan = 0x7ff8000000000000; break;
    default: break;
    }
    return r;
}

static __device__ inline uint64_t key_of(const key_rule &r, uint64_t bits) {
    uint64_t key = bits ^ r.sign;
    if (r.floats) {
        uint64_t size = bits & ~r.sign;
        if (r.equal_zeros && size == 0) bits = 0;
        key = size > r.most ? r.ones : bits ^ (bits & r.sign ? r.ones : r.sign);
    }
    return r.descending ? key ^ r.ones : key;
}

static __device__ inline uint64_t bits_of(const key_rule &r, uint64_t key) {
    if (r.descending) key ^= r.ones;
    if (!r.floats) return key ^ r.sign;
    if (key == r.ones) return r.nan;
    return key ^ (key & r.sign ? r.sign : r.ones);
}

static __device__ inline uint64_t load_bits(const char *p, int bytes) {
    switch (bytes) {
    case 1: return *(const uint8_t *)p;
    case 2: return *(const uint16_t *)p;
    case 4: return *(const uint32_t *)p;
    default: return *(const uint64_t *)p;
    }
}
static __device__ inline void store_bits(char *p, int bytes, uint64_t bits) {
    switch (bytes) {
    case 1: *(uint8_t *)p = (uint8_t)bits; break;
    case 2: *(uint16_t *)p = (uint16_t)bits; break;
    case 4: *(uint32_t *)p = (uint32_t)bits; break;
    default: *(uint64_t *)p = bits; break;
    }
}

/* Element i of all lines, one after the other. */
struct sort_job {
    mp_lines x, y;
    key_rule rule;
    int64_t total;
    bool numbered; /* keys have the number of their line above 32 bits */
};

static __device__ inline char *element(const mp_lines &l, int64_t i) {
    int64_t line = i / l.n;
    return mp_line_at(l, line) + (i - line * l.n) * l.step;
}

#define EACH(i, total)                                                                             \
    int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x;                               \
    i < (total);                                                                                   \
    i += (int64_t)gridDim.x * MP_CUDA_THREADS

/* Keys, and places unless they are NULL. */
template <class K, class P>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    make_keys(const __grid_constant__ sort_job job, K *keys, P *places) {
    for (EACH(i, job.total)) {
        uint64_t key = key_of(job.rule, load_bits(element(job.x, i), job.x.bytes));
        if (job.numbered) key |= (uint64_t)(i / job.x.n) << 32;
        keys[i] = (K)key;
        if (places) places[i] = (P)i;
    }
}

template <class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    write_values(const __grid_constant__ sort_job job, const K *keys) {
    for (EACH(i, job.total))
        store_bits(element(job.y, i), job.y.bytes,
                   bits_of(job.rule, (uint64_t)keys[i] & job.rule.ones));
}

/* Element `place` of x as it is written: NaN in one pattern. */
static __device__ inline uint64_t sorted_bits(const sort_job &job, int64_t place) {
    uint64_t bits = load_bits(element(job.x, place), job.x.bytes);
    bool is_nan = job.rule.floats && (bits & ~job.rule.sign) > job.rule.most;
    return is_nan ? job.rule.nan : bits;
}

/* VALUES: x's elements at the places, else the places in their lines. */
template <class P, bool VALUES>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    write_places(const __grid_constant__ sort_job job, const P *places) {
    for (EACH(i, job.total)) {
        int64_t place = (int64_t)places[i];
        if constexpr (VALUES) store_bits(element(job.y, i), job.y.bytes, sorted_bits(job, place));
        else *(int64_t *)element(job.y, i) = place % job.x.n;
    }
}

template <class P>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    make_lines(const __grid_constant__ sort_job job, const P *places, uint32_t *lines) {
    for (EACH(i, job.total)) lines[i] = (uint32_t)((int64_t)places[i] / job.x.n);
}

/* ---- the host's part ---- */

static int bits_for(int64_t n) {
    int bits = 0;
    while (bits < 63 && (n >> bits)) bits++;
    return bits;
}

static unsigned blocks_of(const sort_job &job, const mp_cuda_place &place) {
    return mp_blocks(&place, job.total, MP_CUDA_THREADS, 4);
}

/* Sorts keys, and places with them unless these are NULL, by the lowest bits. Either of the two
 * buffers may have the result. */
template <class K, class P>
static mp_status radix_sort(const mp_cuda_place &place, cub::DoubleBuffer<K> &keys,
                            cub::DoubleBuffer<P> *places, int64_t n, int bits) {
    size_t bytes = 0;
    void *room = NULL;
    for (int run = 0; run < 2; run++) {
        cudaError_t error =
            places ? cub::DeviceRadixSort::SortPairs(room, bytes, keys, *places, n, 0, bits,
                                                     place.stream)
                   : cub::DeviceRadixSort::SortKeys(room, bytes, keys, n, 0, bits, place.stream);
        mp_status status = mp_cuda_check(error, "radix sort");
        if (run == 1) mp_cuda_scratch_free(&place, room, bytes);
        if (status != MP_OK) return status;
        if (run == 0) {
            if (bytes == 0) bytes = 1;
            MP_TRY(mp_cuda_scratch(&place, bytes, &room));
        }
    }
    return MP_OK;
}

static size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

/* Sorted places are then sorted by the lines that they lie in. */
template <class P>
static mp_status by_line(const sort_job &job, const mp_cuda_place &place,
                         cub::DoubleBuffer<P> &places) {
    size_t each = padded((size_t)job.total * sizeof(uint32_t));
    char *room;
    MP_TRY(mp_cuda_scratch(&place, 2 * each, (void **)&room));
    cub::DoubleBuffer<uint32_t> lines((uint32_t *)room, (uint32_t *)(room + each));
    make_lines<P><<<blocks_of(job, place), MP_CUDA_THREADS, 0, place.stream>>>(
        job, places.Current(), lines.Current());
    mp_status status =
        radix_sort<uint32_t, P>(place, lines, &places, job.total, bits_for(job.x.lines - 1));
    mp_cuda_scratch_free(&place, room, 2 * each);
    return status;
}

/* with_places: argsort, or a sort of keys of 64 bits in several lines. */
template <class K, class P>
static mp_status sort_by(const sort_job &job, const mp_cuda_place &place, bool argsort,
                         bool with_places) {
    size_t key_bytes = padded((size_t)job.total * sizeof(K));
    size_t place_bytes = with_places ? padded((size_t)job.total * sizeof(P)) : 0;
    size_t bytes = 2 * (key_bytes + place_bytes);
    char *room;
    MP_TRY(mp_cuda_scratch(&place, bytes, (void **)&room));
    cub::DoubleBuffer<K> keys((K *)room, (K *)(room + key_bytes));
    char *rest = room + 2 * key_bytes;
    cub::DoubleBuffer<P> places((P *)rest, (P *)(rest + place_bytes));
    unsigned blocks = blocks_of(job, place);
    make_keys<K, P><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(
        job, keys.Current(), with_places ? places.Current() : NULL);
    int bits = job.numbered ? 32 + bits_for(job.x.lines - 1) : 8 * job.x.bytes;
    mp_status status = radix_sort<K, P>(place, keys, with_places ? &places : NULL, job.total, bits);
    if (status == MP_OK && with_places && !job.numbered && job.x.lines > 1)
        status = by_line<P>(job, place, places);
    if (status == MP_OK) {
        if (!with_places)
            write_values<K><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, keys.Current());
        else if (argsort)
            write_places<P, false>
                <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, places.Current());
        else
            write_places<P, true>
                <<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, places.Current());
        status = MP_CUDA_LAUNCHED();
    }
    mp_cuda_scratch_free(&place, room, bytes);
    return status;
}

static mp_status run(mp_call *call, bool argsort) {
    const mp_array *x = call->in[0], *y = call->out[0];
    int axis = (int)call->attrs.axis;
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    sort_job job = {};
    job.x = mp_lines_of(x, axis);
    job.y = mp_lines_of(y, axis);
    job.rule = key_rule_of((mp_dtype)x->dtype, call->attrs.descending, argsort);
    job.total = y->size;
    if (job.x.lines > UINT32_MAX)
        return mp_fail(MP_ERR_VALUE, "%lld lines, at most 2^32 can be sorted",
                       (long long)job.x.lines);
    bool wide_key = job.x.bytes == 8, wide_place = job.total > UINT32_MAX;
    job.numbered = !wide_key && job.x.lines > 1;
    bool with_places = argsort || (wide_key && job.x.lines > 1);
    if (wide_key || job.numbered)
        return wide_place ? sort_by<uint64_t, uint64_t>(job, place, argsort, with_places)
                          : sort_by<uint64_t, uint32_t>(job, place, argsort, with_places);
    return wide_place ? sort_by<uint32_t, uint64_t>(job, place, argsort, with_places)
                      : sort_by<uint32_t, uint32_t>(job, place, argsort, with_places);
}

extern "C" mp_status mp_cuda_sort(mp_call *call) { return run(call, false); }
extern "C" mp_status mp_cuda_argsort(mp_call *call) { return run(call, true); }
