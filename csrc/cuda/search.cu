/* searchsorted: a thread searches for a value. Compared is in float64, int64 or uint64. NaN is
 * above everything. */
#include "walk.cuh"

struct search_job {
    const char *sorted, *values;
    int sorted_dtype, values_dtype, sorted_bytes, values_bytes;
    int64_t n, count, *y;
    bool right;
};

template <class C> static __device__ inline bool below(C a, C b) {
    return a < b || (b != b && a == a);
}

template <class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS) search(const __grid_constant__ search_job job) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < job.count;
         i += step) {
        C v = load_any<C>(job.values + i * job.values_bytes, job.values_dtype);
        int64_t low = 0, high = job.n;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            C at = load_any<C>(job.sorted + middle * job.sorted_bytes, job.sorted_dtype);
            if (job.right ? !below(v, at) : below(at, v)) low = middle + 1;
            else high = middle;
        }
        job.y[i] = low;
    }
}

extern "C" mp_status mp_cuda_searchsorted(mp_call *call) {
    const mp_array *sorted = call->in[0], *values = call->in[1];
    mp_cuda_place place;
    mp_dtype common;
    if (values->size == 0) return MP_OK;
    MP_TRY(mp_promote((mp_dtype)sorted->dtype, (mp_dtype)values->dtype, &common));
    MP_TRY(mp_cuda_enter(call->device, &place));
    search_job job = {(const char *)mp_data(sorted),
                      (const char *)mp_data(values),
                      sorted->dtype,
                      values->dtype,
                      mp_itemsize(sorted),
                      mp_itemsize(values),
                      sorted->size,
                      values->size,
                      (int64_t *)mp_data(call->out[0]),
                      call->attrs.right != 0};
    unsigned blocks = mp_blocks(&place, job.count, MP_CUDA_THREADS, 1);
    if (mp_is_float(common)) search<double><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    else if (common == MP_UINT64)
        search<uint64_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    else search<int64_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    return MP_CUDA_LAUNCHED();
}
