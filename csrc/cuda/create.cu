/* Arrays made from nothing, on CUDA: constants and ranges. Shapes and dtypes are checked by
 * ops/create.c. */
#include "walk.cuh"

/* Every 16 bytes of y are `value`, and so begin the `rest` bytes after them. Writes each byte once.
 * y is aligned, being new.
 */
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    fill(uint4 *y, uint4 value, int64_t n, int rest) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += step)
        y[i] = value;
    if (blockIdx.x == 0 && (int)threadIdx.x < rest) {
        uint32_t word = threadIdx.x < 4    ? value.x
                        : threadIdx.x < 8  ? value.y
                        : threadIdx.x < 12 ? value.z
                                           : value.w;
        ((uint8_t *)(y + n))[threadIdx.x] = (uint8_t)(word >> (8 * (threadIdx.x % 4)));
    }
}

/* out[0] (contiguous, any dtype) = attrs.value, rounded once to the dtype. */
extern "C" mp_status mp_cuda_full(mp_call *call) {
    mp_array *y = call->out[0];
    int64_t bytes = y->size * mp_itemsize(y);
    uint64_t bits[2] = {0};
    uint4 value;
    mp_cuda_place place;
    if (bytes == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    mp_store_double((mp_dtype)y->dtype, bits, call->attrs.value);
    for (int width = mp_itemsize(y); width < 8; width *= 2) bits[0] |= bits[0] << (8 * width);
    bits[1] = bits[0];
    memcpy(&value, bits, sizeof value);
    fill<<<mp_blocks(&place, bytes / 16, MP_CUDA_THREADS, 4), MP_CUDA_THREADS, 0, place.stream>>>(
        (uint4 *)mp_data(y), value, bytes / 16, (int)(bytes % 16));
    return MP_CUDA_LAUNCHED();
}

/* y[i] = start + i * step, rounded as on the CPU: C is int64_t where all are whole, else double. */
template <class C> static __device__ inline C range_at(C start, C step, int64_t i) {
    if constexpr (std::is_same_v<C, double>) return __dadd_rn(start, __dmul_rn((double)i, step));
    else return (C)((uint64_t)start + (uint64_t)i * (uint64_t)step);
}

template <class C>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    count_range(char *y, int dtype, int bytes, C start, C step, int64_t n) {
    int64_t stride = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < n; i += stride)
        store_any(y + i * bytes, dtype, range_at(start, step, i));
}

template <class C> static mp_status launch_range(const mp_call *call, C start, C step) {
    const mp_array *y = call->out[0];
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    count_range<<<mp_blocks(&place, y->size, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0,
                  place.stream>>>((char *)mp_data(y), y->dtype, mp_itemsize(y), start, step,
                                  y->size);
    return MP_CUDA_LAUNCHED();
}

/* start + i * step */
extern "C" mp_status mp_cuda_arange(mp_call *call) {
    const mp_array *y = call->out[0];
    double start = call->attrs.start, step = call->attrs.step;
    bool whole = !mp_is_float((mp_dtype)y->dtype) && fabs(start) < 0x1p62 && fabs(step) < 0x1p62 &&
                 start == nearbyint(start) && step == nearbyint(step);
    if (y->size == 0) return MP_OK;
    return whole ? launch_range<int64_t>(call, (int64_t)start, (int64_t)step)
                 : launch_range<double>(call, start, step);
}
