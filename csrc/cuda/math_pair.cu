/* Functions of two inputs on CUDA. nextafter goes by the bits of the result's own dtype. */
#include "pointwise.cuh"

#define PAIR(name, formula_f32, formula_f64)                                                       \
    struct name##_of {                                                                             \
        __device__ inline float operator()(float a, float b) const { return formula_f32; }         \
        __device__ inline double operator()(double a, double b) const { return formula_f64; }      \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return pointwise_real<2>(call, name##_of{});                                               \
    }

/* log(exp(a) + exp(b)); equal ones may be infinite. In double for float32 too: around 0 it is the
 * difference of terms that are not small. */
static __device__ inline double log_of_sum(double a, double b) {
    if (a == b) return a + 0.69314718055994530942;
    if (a != a || b != b) return a + b;
    return (a > b ? a : b) + log1p(exp(-fabs(a - b)));
}

PAIR(atan2, atan2f(a, b), atan2(a, b))
/* CUDA's own gives inf where the larger one is near the largest number. */
static __device__ inline double hypotenuse(double a, double b) {
    double larger = fmax(fabs(a), fabs(b)), smaller = fmin(fabs(a), fabs(b));
    if (larger < 0x1p1000 || isinf(larger)) return hypot(a, b);
    return smaller < larger * 0x1p-30 ? larger : 2 * hypot(a * 0.5, b * 0.5);
}

PAIR(hypot, hypotf(a, b), hypotenuse(a, b))
PAIR(copysign, copysignf(a, b), copysign(a, b))
PAIR(logaddexp, (float)log_of_sum(a, b), log_of_sum(a, b))

/* ---- fmax, fmin: the other one where one is NaN ---- */

#define CHOICE(name, sign)                                                                         \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C a, C b) const {                        \
            return a sign b || b != b ? a : b;                                                     \
        }                                                                                          \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) { return pointwise<2>(call, name##_of{}); }

CHOICE(fmax, >=)
CHOICE(fmin, <=)

/* ---- nextafter ---- */

template <int BYTES> struct unsigned_of;
template <> struct unsigned_of<1> { using type = uint8_t; };
template <> struct unsigned_of<2> { using type = uint16_t; };
template <> struct unsigned_of<4> { using type = uint32_t; };
template <> struct unsigned_of<8> { using type = uint64_t; };

/* The magnitude of infinity, or of the greatest number where there is none. */
template <class T> static __device__ constexpr uint64_t most_of() {
    return std::is_same_v<T, double>          ? 0x7ff0000000000000u
           : std::is_same_v<T, float>         ? 0x7f800000u
           : std::is_same_v<T, __half>        ? 0x7c00u
           : std::is_same_v<T, __nv_bfloat16> ? 0x7f80u
           : std::is_same_v<T, mp_e4m3>       ? 0x7eu
                                              : 0x7cu;
}

/* The neighbour among the numbers of T; values are T's already, in C, and come back so. A zero
 * keeps a's sign. */
template <class T> struct nextafter_of {
    template <class C> __device__ inline C operator()(C a, C b) const {
        using U = typename unsigned_of<sizeof(T)>::type;
        constexpr U sign = U(U(1) << (8 * sizeof(T) - 1));
        T x = narrow<T>(a), y = narrow<T>(b);
        U x_bits, y_bits;
        memcpy(&x_bits, &x, sizeof x);
        memcpy(&y_bits, &y, sizeof y);
        int64_t x_size = (int64_t)(x_bits & U(~sign)), y_size = (int64_t)(y_bits & U(~sign));
        if ((uint64_t)x_size > most_of<T>()) return widen<C>(x);
        if ((uint64_t)y_size > most_of<T>()) return widen<C>(y);
        int64_t from = x_bits & sign ? -x_size : x_size, to = y_bits & sign ? -y_size : y_size;
        if (from == to) return widen<C>(y);
        int64_t next = from + (to > from ? 1 : -1);
        bool minus = next < 0 || (next == 0 && (x_bits & sign));
        U bits = U(next < 0 ? -next : next) | (minus ? sign : U(0));
        memcpy(&y, &bits, sizeof y);
        return widen<C>(y);
    }
};

extern "C" mp_status mp_cuda_nextafter(mp_call *call) {
    return visit(call->out[0]->dtype, [&](auto t) {
        using T = typename decltype(t)::type;
        if constexpr (is_floating<T>) return pointwise_real<2>(call, nextafter_of<T>{});
        else return MP_OK; /* infer gives floats only */
    });
}
