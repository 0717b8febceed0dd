/* The reducer of max and min. NaN goes through. */
#ifndef MP_CUDA_EXTREMUM_CUH
#define MP_CUDA_EXTREMUM_CUH

#include "reduction.cuh"

template <class C_, bool LEAST> struct extremum_of {
    using C = C_;
    using Lane = C;
    using Sum = C;
    static __device__ inline C start() {
        if constexpr (std::is_floating_point_v<C>) return LEAST ? (C)INFINITY : -(C)INFINITY;
        else if constexpr (std::is_same_v<C, uint64_t>) return LEAST ? UINT64_MAX : 0;
        else return LEAST ? INT64_MAX : INT64_MIN;
    }
    static __device__ inline C empty() { return start(); }
    static __device__ inline C join(C a, C b) {
        if constexpr (LEAST) return mp_lesser{}(a, b);
        else return mp_greater{}(a, b);
    }
    static __device__ inline void take(C &lane, C x, int64_t, C) { lane = join(lane, x); }
    static __device__ inline void fold(C &sum, C lane) { sum = join(sum, lane); }
    static __device__ inline C shuffle(C a, int width) {
        return __shfl_xor_sync(0xffffffffu, a, width);
    }
    static __device__ inline void store(char *p, int dtype, C x, double) {
        store_any<C>(p, dtype, x);
    }
};

#endif
