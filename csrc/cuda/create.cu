/* Arrays made from nothing, on CUDA: `full`. Shapes and dtypes are checked by ops/create.c. */
#include "runtime.h"

/* y[i] = value for n elements of sizeof(T) bytes. Writes n * sizeof(T), reads nothing. */
template <typename T> __global__ void fill(T *y, T value, int64_t n) {
    int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) y[i] = value;
}

/* Only the width of an element matters: `bits` has its bytes, as the host made them. */
template <typename T> static void launch(void *y, const void *bits, int64_t n, cudaStream_t stream) {
    const int64_t most = 4096; /* blocks; each then loops */
    int64_t blocks = (n + MP_CUDA_THREADS - 1) / MP_CUDA_THREADS;
    fill<T><<<(unsigned)(blocks < most ? blocks : most), MP_CUDA_THREADS, 0, stream>>>(
        static_cast<T *>(y), *static_cast<const T *>(bits), n);
}

/* out[0] (contiguous, any dtype) = attrs.value, rounded once to the dtype. */
extern "C" mp_status mp_cuda_full(mp_call *call) {
    mp_array *y = call->out[0];
    cudaStream_t stream;
    uint64_t bits = 0;
    MP_TRY(mp_cuda_stream(call->device, &stream));
    if (y->size == 0) return MP_OK;
    mp_store_double((mp_dtype)y->dtype, &bits, call->attrs.value);
    switch (mp_itemsize(y)) {
    case 1: launch<uint8_t>(mp_data(y), &bits, y->size, stream); break;
    case 2: launch<uint16_t>(mp_data(y), &bits, y->size, stream); break;
    case 4: launch<uint32_t>(mp_data(y), &bits, y->size, stream); break;
    default: launch<uint64_t>(mp_data(y), &bits, y->size, stream); break;
    }
    MP_CUDA_TRY(cudaGetLastError());
    return MP_OK;
}
