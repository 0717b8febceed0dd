/* Arithmetic of one and two inputs. Integers wrap around as NumPy's do, NaN goes through maximum,
 * minimum, sign and relu. Functions and their gradients are in activation.cu, comparisons and
 * selection in compare.cu. */
#include "pointwise.cuh"

/* mp_cuda_<name> is y = formula of a and b, for numbers of every kind. */
#define BINARY(name, formula)                                                                      \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C a, C b) const { return formula; }      \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) { return pointwise<2>(call, name##_of{}); }

/* mp_cuda_<name> is y = formula of a. */
#define UNARY(name, formula)                                                                       \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C a) const { return formula; }           \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) { return pointwise<1>(call, name##_of{}); }

/* Signed integers wrap around as unsigned ones do. */
template <class C> static __device__ inline C plus(C a, C b) {
    if constexpr (std::is_same_v<C, int64_t>) return (C)((uint64_t)a + (uint64_t)b);
    else return a + b;
}
template <class C> static __device__ inline C minus(C a, C b) {
    if constexpr (std::is_same_v<C, int64_t>) return (C)((uint64_t)a - (uint64_t)b);
    else return a - b;
}
template <class C> static __device__ inline C times(C a, C b) {
    if constexpr (std::is_same_v<C, int64_t>) return (C)((uint64_t)a * (uint64_t)b);
    else return a * b;
}
template <class C> static __device__ inline C negative(C a) {
    if constexpr (std::is_floating_point_v<C>) return -a;
    else return minus(C(0), a);
}

BINARY(add, plus(a, b))
BINARY(sub, minus(a, b))
BINARY(mul, times(a, b))
BINARY(maximum, a > b || a != a ? a : b)
BINARY(minimum, a < b || a != a ? a : b)

struct div_of {
    template <class C> __device__ inline C operator()(C a, C b) const { return a / b; }
};
extern "C" mp_status mp_cuda_div(mp_call *call) { return pointwise_real<2>(call, div_of{}); }
/* x * s, s one number in device memory */
extern "C" mp_status mp_cuda_scale(mp_call *call) { return pointwise_real<2>(call, mul_of{}); }

static __device__ inline float magnitude(float a) { return fabsf(a); }
static __device__ inline double magnitude(double a) { return fabs(a); }
static __device__ inline int64_t magnitude(int64_t a) { return a < 0 ? negative(a) : a; }
static __device__ inline uint64_t magnitude(uint64_t a) { return a; }
template <class C> static __device__ inline bool is_negative(C a) {
    if constexpr (std::is_same_v<C, uint64_t>) return false;
    else return a < 0;
}

UNARY(neg, negative(a))
UNARY(abs, magnitude(a))
UNARY(sign, a != a ? a : C(int(a > 0) - int(is_negative(a))))
UNARY(relu, is_negative(a) || a == 0 ? C(0) : a)

/* gx = gy where y > 0, and where y is NaN */
struct relu_bwd_of {
    template <class C> __device__ inline C operator()(C gy, C y) const {
        return y <= 0 ? C(0) : gy;
    }
};
extern "C" mp_status mp_cuda_relu_bwd(mp_call *call) {
    return pointwise_real<2>(call, relu_bwd_of{});
}

/* ---- powers ---- */

static __device__ inline uint64_t integer_power(uint64_t base, uint64_t exponent) {
    uint64_t y = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) y *= base;
    return y;
}
struct pow_of {
    __device__ inline float operator()(float a, float b) const { return powf(a, b); }
    __device__ inline double operator()(double a, double b) const { return pow(a, b); }
    __device__ inline int64_t operator()(int64_t a, int64_t b) const {
        return (int64_t)integer_power((uint64_t)a, (uint64_t)b);
    }
    __device__ inline uint64_t operator()(uint64_t a, uint64_t b) const {
        return integer_power(a, b);
    }
};

/* Powers to a number that the host knows, as NumPy does them. The second input is that number. */
struct square_of {
    template <class C> __device__ inline C operator()(C a, C) const { return times(a, a); }
};
struct same_of {
    template <class C> __device__ inline C operator()(C a, C) const { return a; }
};
struct cube_of {
    template <class C> __device__ inline C operator()(C a, C) const { return a * a * a; }
};
/* Unlike sqrt, the power of -0 is 0 and that of -inf is inf. */
struct root_of {
    template <class C> __device__ inline C operator()(C a, C) const {
        return a == -C(INFINITY) ? C(INFINITY) : sqrt(a + C(0));
    }
};
struct inverse_of {
    template <class C> __device__ inline C operator()(C a, C) const { return C(1) / a; }
};

/* x1 ^ x2. An integer to a negative integer power is refused where the host knows the power, as
 * NumPy does; in device memory it gives 0, or 1 and -1 for bases of 1 and -1. */
extern "C" mp_status mp_cuda_pow(mp_call *call) {
    const mp_array *exponent = call->in[1];
    bool floating = mp_is_float((mp_dtype)call->out[0]->dtype);
    if (!mp_is_host_number(exponent)) return pointwise<2>(call, pow_of{});
    double value = mp_load_double((mp_dtype)exponent->dtype, mp_data(exponent));
    if (!floating && value < 0 && call->out[0]->size > 0)
        return mp_fail(MP_ERR_VALUE, "integers to negative integer powers are not allowed");
    if (value == 2) return pointwise<2>(call, square_of{});
    if (value == 1) return pointwise<2>(call, same_of{});
    if (!floating) return pointwise<2>(call, pow_of{});
    if (value == 3) return pointwise_real<2>(call, cube_of{});
    if (value == 0.5) return pointwise_real<2>(call, root_of{});
    return value == -1 ? pointwise_real<2>(call, inverse_of{}) : pointwise<2>(call, pow_of{});
}
