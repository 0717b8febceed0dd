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

struct signbit_of {
    template <class C> __device__ inline bool operator()(C a) const { return has_minus(a); }
};
/* Narrow floats are looked at as integers of their width: converted, a NaN may lose its sign. */
extern "C" mp_status mp_cuda_signbit(mp_call *call) {
    mp_array bits = *call->in[0], *in[1] = {&bits};
    if (!mp_is_narrow((mp_dtype)bits.dtype)) return pointwise<1>(call, signbit_of{}, true);
    mp_call as_integers = *call;
    bits.dtype = mp_itemsize(&bits) == 1 ? MP_INT8 : MP_INT16;
    as_integers.in = in;
    return pointwise<1>(&as_integers, signbit_of{}, true);
}

TEST(logical_not, 1, a == 0, C a)
TEST(logical_and, 2, a != 0 && b != 0, C a, C b)
TEST(logical_or, 2, a != 0 || b != 0, C a, C b)
TEST(logical_xor, 2, (a != 0) != (b != 0), C a, C b)
