/* Whole quotients and what they leave on CUDA, as cpu/division.c has them: floor_divide, and the
 * remainder that has the divisor's sign; fmod, whose remainder has the dividend's. Integers:
 * division by zero gives 0, and the least number divided by -1 wraps around. */
#include "pointwise.cuh"

static __device__ inline float rest_of(float a, float b) { return fmodf(a, b); }
static __device__ inline double rest_of(double a, double b) { return fmod(a, b); }
static __device__ inline int64_t rest_of(int64_t a, int64_t b) {
    return b == 0 || b == -1 ? 0 : a % b;
}
static __device__ inline uint64_t rest_of(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }

static __device__ inline float signed_zero(float sign) { return copysignf(0, sign); }
static __device__ inline double signed_zero(double sign) { return copysign(0.0, sign); }
static __device__ inline float down(float a) { return floorf(a); }
static __device__ inline double down(double a) { return floor(a); }

struct fmod_of {
    template <class C> __device__ inline C operator()(C a, C b) const { return rest_of(a, b); }
};

struct remainder_of {
    template <class C> __device__ inline C operator()(C a, C b) const {
        C rest = rest_of(a, b);
        if constexpr (std::is_floating_point_v<C>) {
            if (b == 0 || rest != rest) return rest;
            if (rest == 0) return signed_zero(b);
        }
        if constexpr (std::is_same_v<C, uint64_t>) return rest;
        else return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
};

struct floor_divide_of {
    template <class C> __device__ inline C operator()(C a, C b) const {
        if constexpr (std::is_floating_point_v<C>) {
            if (b == 0 || isinf(a) || isinf(b)) return a / b;
            C rest = rest_of(a, b), q = (a - rest) / b;
            if (rest != 0 && (b < 0) != (rest < 0)) q -= 1;
            if (q == 0) return signed_zero(a / b);
            C whole = down(q);
            return q - whole > C(0.5) ? whole + 1 : whole;
        } else if constexpr (std::is_same_v<C, uint64_t>) {
            return b == 0 ? 0 : a / b;
        } else {
            if (b == 0) return 0;
            if (b == -1) return (C)(0 - (uint64_t)a);
            C q = a / b;
            return q - C(q * b != a && (a < 0) != (b < 0));
        }
    }
};

extern "C" mp_status mp_cuda_fmod(mp_call *call) { return pointwise<2>(call, fmod_of{}); }
extern "C" mp_status mp_cuda_remainder(mp_call *call) { return pointwise<2>(call, remainder_of{}); }
extern "C" mp_status mp_cuda_floor_divide(mp_call *call) {
    return pointwise<2>(call, floor_divide_of{});
}
