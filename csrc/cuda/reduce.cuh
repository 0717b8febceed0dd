/* Reductions within a warp and a block, in a fixed order: the same bits from run to run. */
#ifndef MP_CUDA_REDUCE_CUH
#define MP_CUDA_REDUCE_CUH

#include "convert.cuh"

#define MP_WARP 32

struct mp_add {
    template <class C> __device__ inline C operator()(C a, C b) const { return a + b; }
};
/* NaN if either is. */
struct mp_greater {
    template <class C> __device__ inline C operator()(C a, C b) const {
        return a > b || a != a ? a : b;
    }
};
struct mp_lesser {
    template <class C> __device__ inline C operator()(C a, C b) const {
        return a < b || a != a ? a : b;
    }
};

/* Every lane gets the result of its warp, all lanes of which must be there. */
template <class C, class F> static __device__ inline C warp_reduce(C x, F join) {
#pragma unroll
    for (int width = MP_WARP / 2; width > 0; width /= 2)
        x = join(x, __shfl_xor_sync(0xffffffffu, x, width));
    return x;
}

/* Every thread gets the result of a block of THREADS (a multiple of 32). `room` holds THREADS / 32
 * values and may be used again after the next __syncthreads. */
template <int THREADS, class C, class F>
static __device__ inline C block_reduce(C x, F join, C *room) {
    constexpr int warps = THREADS / MP_WARP;
    x = warp_reduce(x, join);
    if constexpr (warps == 1) return x;
    __syncthreads(); /* room may still be read from an earlier use */
    if (threadIdx.x % MP_WARP == 0) room[threadIdx.x / MP_WARP] = x;
    __syncthreads();
    C y = room[0];
#pragma unroll
    for (int w = 1; w < warps; w++) y = join(y, room[w]);
    return y;
}

#endif
