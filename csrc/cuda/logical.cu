/* Tests of elements on CUDA, which give bools: of floats' kinds, and of truth (what is not zero,
 * NaN too). Integers are finite. */
#include "pointwise.cuh"

#define TEST(name, inputs, formula, ...)                                                           \
    struct name##_of {                                                                             \
        template <class C> __device__ inline bool operator()(__VA_ARGS__) const {                  \
            return formula;                                                                        \
        }                                                                                          \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return pointwise<inputs>(call, name##_of{}, true);                                         \
    }

/* a - a is 0 of finite numbers, NaN of others; integers are never NaN. */
template <class C> static __device__ inline bool is_finite(C a) {
    if constexpr (std::is_floating_point_v<C>) return a - a == 0;
    else return true;
}
static __device__ inline bool has_minus(float a) { return (int)__float_as_uint(a) < 0; }
static __device__ inline bool has_minus(double a) { return __double_as_longlong(a) < 0; }
static __device__ inline bool has_minus(int64_t a) { return a < 0; }
static __device__ inline bool has_minus(uint64_t) { return false; }

TEST(isnan, 1, a != a, C a)
TEST(isinf, 1, !is_finite(a) && a == a, C a)
TEST(isfinite, 1, is_finite(a), C a)
TEST(signbit, 1, has_minus(a), C a)
TEST(logical_not, 1, a == 0, C a)
TEST(logical_and, 2, a != 0 && b != 0, C a, C b)
TEST(logical_or, 2, a != 0 || b != 0, C a, C b)
TEST(logical_xor, 2, (a != 0) != (b != 0), C a, C b)
