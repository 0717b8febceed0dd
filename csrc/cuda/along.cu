/* take_along_axis and its gradient. An array is seen as outer x extent x inner; every line along
 * the axis has its own indices. An index out of range takes zero and is reported.
 *
 * The gradient of an element is the sum of what was taken from it, in the order of the positions,
 * in float32 (float64 where an array is): positions are sorted by where they took from. */
#include <cub/device/device_radix_sort.cuh>

#include "fault.cuh"
#include "reduce.cuh"
#include "walk.cuh"

struct along_job {
    const char *x, *index;
    char *y;
    int x_dtype, y_dtype, x_bytes, y_bytes, index_dtype, index_bytes;
    bool is_signed;
    int64_t extent, count, inner, total; /* total: indices */
    int op;
    mp_cuda_fault *fault;
};

static along_job along_job_of(const mp_call *call, const mp_cuda_place &place, const mp_array *x,
                              const mp_array *y, int64_t extent) {
    const mp_array *indices = call->in[1];
    int axis = (int)call->attrs.axis;
    along_job job = {};
    job.x = (const char *)mp_data(x), job.y = (char *)mp_data(y);
    job.index = (const char *)mp_data(indices);
    job.x_dtype = x->dtype, job.y_dtype = y->dtype, job.index_dtype = indices->dtype;
    job.x_bytes = mp_itemsize(x), job.y_bytes = mp_itemsize(y);
    job.index_bytes = mp_itemsize(indices);
    job.is_signed = mp_dtypes[indices->dtype].kind == 'I';
    job.extent = extent, job.count = indices->shape[axis], job.inner = 1;
    for (int d = axis + 1; d < indices->ndim; d++) job.inner *= indices->shape[d];
    job.total = indices->size;
    job.op = call->op, job.fault = place.fault;
    return job;
}

/* The element of x (of gx) that position i takes (gives to), or -1. */
static __device__ inline int64_t element_of(const along_job &job, int64_t i) {
    int64_t given = load_any<int64_t>(job.index + i * job.index_bytes, job.index_dtype);
    int64_t index = given < 0 && job.is_signed ? given + job.extent : given;
    if (index < 0 || index >= job.extent) {
        mp_cuda_report(job.fault, job.op, given, i, job.extent);
        return -1;
    }
    int64_t row = i / job.inner, outer = row / job.count;
    return (outer * job.extent + index) * job.inner + (i - row * job.inner);
}

/* Elements as words U. */
template <class U>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    take_along(const __grid_constant__ along_job job) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < job.total;
         i += step) {
        int64_t from = element_of(job, i);
        ((U *)job.y)[i] = from < 0 ? U(0) : ((const U *)job.x)[from];
    }
}

extern "C" mp_status mp_cuda_take_along_axis(mp_call *call) {
    const mp_array *x = call->in[0], *y = call->out[0];
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    along_job job = along_job_of(call, place, x, y, x->shape[call->attrs.axis]);
    unsigned blocks = mp_blocks(&place, job.total, MP_CUDA_THREADS, 1);
    switch (job.x_bytes) {
    case 1: take_along<uint8_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job); break;
    case 2: take_along<uint16_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job); break;
    case 4: take_along<uint32_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job); break;
    default: take_along<uint64_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job); break;
    }
    return MP_CUDA_LAUNCHED();
}

/* ---- backward ---- */

/* The element of gx that each position gives to; `targets`, which sorts last, for none. */
template <class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    along_keys(const __grid_constant__ along_job job, int64_t targets, K *keys, K *positions) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < job.total;
         i += step) {
        int64_t to = element_of(job, i);
        keys[i] = (K)(to < 0 ? targets : to);
        positions[i] = (K)i;
    }
}

/* The first of the sorted keys that is not below `key`. */
template <class K>
static __device__ inline int64_t first_of(const K *keys, int64_t n, int64_t key) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if ((int64_t)keys[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* gx; LANES threads share an element. */
template <class C, class K, int LANES>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    along_sums(const __grid_constant__ along_job job, int64_t targets, const K *keys,
               const K *positions) {
    const int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS / LANES;
    const int lane = threadIdx.x % LANES;
    for (int64_t to = ((int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x) / LANES; to < targets;
         to += step) {
        C sum = 0;
        for (int64_t k = first_of(keys, job.total, to) + lane;
             k < job.total && (int64_t)keys[k] == to; k += LANES)
            sum += load_any<C>(job.x + (int64_t)positions[k] * job.x_bytes, job.x_dtype);
        if constexpr (LANES > 1) sum = warp_reduce(sum, mp_add{});
        if (lane == 0) store_any<C>(job.y + to * job.y_bytes, job.y_dtype, sum);
    }
}

template <class C, class K>
static void launch_sums(const along_job &job, int64_t targets, const mp_cuda_place &place,
                        const K *keys, const K *positions) {
    if (job.total / targets >= 16)
        along_sums<C, K, MP_WARP>
            <<<mp_blocks(&place, targets, MP_CUDA_THREADS / MP_WARP, 1), MP_CUDA_THREADS, 0,
               place.stream>>>(job, targets, keys, positions);
    else
        along_sums<C, K, 1>
            <<<mp_blocks(&place, targets, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0, place.stream>>>(
                job, targets, keys, positions);
}

template <class K>
static mp_status add_back(const along_job &job, int64_t targets, bool wide,
                          const mp_cuda_place &place) {
    int64_t n = job.total, padded = (n + 31) / 32 * 32;
    int bits = 0;
    while (bits < 63 && (targets >> bits)) bits++;
    size_t temporary = 0, arrays = (size_t)(4 * padded) * sizeof(K);
    MP_CUDA_TRY(cub::DeviceRadixSort::SortPairs(NULL, temporary, (const K *)NULL, (K *)NULL,
                                                (const K *)NULL, (K *)NULL, n, 0, bits,
                                                place.stream));
    K *keys;
    MP_TRY(mp_cuda_scratch(&place, arrays + temporary, (void **)&keys));
    K *positions = keys + padded, *sorted = positions + padded, *order = sorted + padded;
    along_keys<K><<<mp_blocks(&place, n, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0, place.stream>>>(
        job, targets, keys, positions);
    mp_status status = mp_cuda_check(
        cub::DeviceRadixSort::SortPairs((char *)keys + arrays, temporary, keys, sorted, positions,
                                        order, n, 0, bits, place.stream),
        "radix sort");
    if (status == MP_OK) {
        if (wide) launch_sums<double, K>(job, targets, place, sorted, order);
        else launch_sums<float, K>(job, targets, place, sorted, order);
        status = MP_CUDA_LAUNCHED();
    }
    mp_cuda_scratch_free(&place, keys, arrays + temporary);
    return status;
}

/* gx[o, indices[o, j, i], i] is the sum of gy[o, j, i] */
extern "C" mp_status mp_cuda_take_along_axis_bwd(mp_call *call) {
    const mp_array *gy = call->in[0], *gx = call->out[0];
    mp_cuda_place place;
    if (gx->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (gy->size == 0) {
        MP_CUDA_TRY(
            cudaMemsetAsync(mp_data(gx), 0, (size_t)gx->size * mp_itemsize(gx), place.stream));
        return MP_OK;
    }
    along_job job = along_job_of(call, place, gy, gx, call->attrs.count);
    bool wide = gy->dtype == MP_FLOAT64 || gx->dtype == MP_FLOAT64;
    return job.total > INT32_MAX || gx->size > INT32_MAX
               ? add_back<uint64_t>(job, gx->size, wide, place)
               : add_back<uint32_t>(job, gx->size, wide, place);
}
