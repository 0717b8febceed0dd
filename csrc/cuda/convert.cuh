/* Types at rest and types in flight. An element is stored as T and computed with as C, which is
 * float, double, int64_t or uint64_t: widen<C>(x) loads, narrow<T>(y) stores, bit for bit what the
 * CPU does (../narrow.h, cpu/convert.c). visit() is the one place where a dtype becomes a type. */
#ifndef MP_CUDA_CONVERT_CUH
#define MP_CUDA_CONVERT_CUH

#include "runtime.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

#include "../narrow.h"

struct mp_bool {
    uint8_t bits;
};
struct mp_e4m3 {
    uint8_t bits;
};
struct mp_e5m2 {
    uint8_t bits;
};

/* ---- from a dtype to a type ---- */

template <class T> struct mp_type { using type = T; };

/* f(mp_type<T>{}) with the type that elements of `dtype` are stored as. */
template <class F> static inline mp_status visit(int dtype, F f) {
    switch (dtype) {
    case MP_BOOL: return f(mp_type<mp_bool>{});
    case MP_INT8: return f(mp_type<int8_t>{});
    case MP_INT16: return f(mp_type<int16_t>{});
    case MP_INT32: return f(mp_type<int32_t>{});
    case MP_INT64: return f(mp_type<int64_t>{});
    case MP_UINT8: return f(mp_type<uint8_t>{});
    case MP_UINT16: return f(mp_type<uint16_t>{});
    case MP_UINT32: return f(mp_type<uint32_t>{});
    case MP_UINT64: return f(mp_type<uint64_t>{});
    case MP_FLOAT16: return f(mp_type<__half>{});
    case MP_BFLOAT16: return f(mp_type<__nv_bfloat16>{});
    case MP_FLOAT8_E4M3FN: return f(mp_type<mp_e4m3>{});
    case MP_FLOAT8_E5M2: return f(mp_type<mp_e5m2>{});
    case MP_FLOAT32: return f(mp_type<float>{});
    default: return f(mp_type<double>{});
    }
}

/* The same for the types that training spends its time in: float16, bfloat16, float32. Others:
 * false, and f is not called. */
template <class F> static inline bool visit_common(int dtype, mp_status *status, F f) {
    switch (dtype) {
    case MP_FLOAT16: *status = f(mp_type<__half>{}); return true;
    case MP_BFLOAT16: *status = f(mp_type<__nv_bfloat16>{}); return true;
    case MP_FLOAT32: *status = f(mp_type<float>{}); return true;
    default: return false;
    }
}

/* The type that floating elements of a row kernel are summed in: double for float64, else float.
 * f(mp_type<C>{}). */
template <class F> static inline mp_status visit_real(bool wide, F f) {
    return wide ? f(mp_type<double>{}) : f(mp_type<float>{});
}

template <class T>
constexpr bool is_floating =
    std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, mp_e4m3> ||
    std::is_same_v<T, mp_e5m2> || std::is_same_v<T, float> || std::is_same_v<T, double>;

/* ---- widen: T to C ---- */

static __device__ inline float to_float(__half x) { return __half2float(x); }
static __device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
static __device__ inline float to_float(mp_e4m3 x) { return mp_widen_e4m3(x.bits); }
static __device__ inline float to_float(mp_e5m2 x) { return mp_widen_e5m2(x.bits); }
static __device__ inline float to_float(mp_bool x) { return (float)x.bits; }
template <class T> static __device__ inline float to_float(T x) { return (float)x; }

template <class T> static __device__ inline double to_double(T x) {
    if constexpr (std::is_arithmetic_v<T>) return (double)x;
    else return (double)to_float(x);
}

template <class C, class T> static __device__ inline C widen(T x) {
    if constexpr (std::is_same_v<C, float>) return to_float(x);
    else if constexpr (std::is_same_v<C, double>) return to_double(x);
    else if constexpr (std::is_same_v<T, mp_bool>) return (C)x.bits;
    else if constexpr (is_floating<T>)
        return std::is_same_v<C, int64_t> ? (C)mp_double_to_int(to_double(x))
                                          : (C)mp_double_to_uint(to_double(x));
    else return (C)(int64_t)x; /* uint64_t shares its bits */
}

/* ---- narrow: C to T, rounded once ---- */

/* CUDA's conversions give NaN one pattern without sign; the CPU's keep the sign. */
static __device__ inline __half to_half(float y) {
    unsigned short bits = __half_as_ushort(__float2half_rn(y));
    if (y != y) bits = (unsigned short)(0x7e00u | ((__float_as_uint(y) >> 16) & 0x8000u));
    return __ushort_as_half(bits);
}
static __device__ inline __nv_bfloat16 to_bfloat16(float y) {
    unsigned short bits = __bfloat16_as_ushort(__float2bfloat16_rn(y));
    if (y != y) bits = (unsigned short)(0x7fc0u | ((__float_as_uint(y) >> 16) & 0x8000u));
    return __ushort_as_bfloat16(bits);
}

/* The float from which rounding to a narrow format gives what rounding y itself gives. */
static __device__ inline float round_to_odd(double y) { return mp_round_to_odd(y); }
static __device__ inline float round_to_odd(float y) { return y; }
static __device__ inline float round_to_odd(int64_t y) {
    double d = __ll2double_rz(y);
    if (__double2ll_rz(d) != y) d = __longlong_as_double(__double_as_longlong(d) | 1);
    return mp_round_to_odd(d);
}
static __device__ inline float round_to_odd(uint64_t y) {
    double d = __ull2double_rz(y);
    if (__double2ull_rz(d) != y) d = __longlong_as_double(__double_as_longlong(d) | 1);
    return mp_round_to_odd(d);
}

template <class T, class C> static __device__ inline T narrow(C y) {
    if constexpr (std::is_same_v<C, bool>) return T{(uint8_t)y};
    else if constexpr (std::is_same_v<T, __half>) return to_half(round_to_odd(y));
    else if constexpr (std::is_same_v<T, __nv_bfloat16>) return to_bfloat16(round_to_odd(y));
    else if constexpr (std::is_same_v<T, mp_e4m3>) return mp_e4m3{mp_narrow_e4m3(round_to_odd(y))};
    else if constexpr (std::is_same_v<T, mp_e5m2>) return mp_e5m2{mp_narrow_e5m2(round_to_odd(y))};
    else if constexpr (std::is_same_v<T, mp_bool>) return mp_bool{(uint8_t)(y != 0)};
    else if constexpr (std::is_floating_point_v<T>) return (T)y;
    else if constexpr (std::is_floating_point_v<C>)
        return std::is_same_v<T, uint64_t> ? (T)mp_double_to_uint((double)y)
                                           : (T)mp_double_to_int((double)y);
    else return (T)y;
}

/* ---- elements whose dtype is known at run time only: for general kernels, all threads of which
 * take one branch ---- */

template <class C> static __device__ inline C load_any(const void *p, int dtype) {
    switch (dtype) {
    case MP_BOOL: return widen<C>(*(const mp_bool *)p);
    case MP_INT8: return widen<C>(*(const int8_t *)p);
    case MP_INT16: return widen<C>(*(const int16_t *)p);
    case MP_INT32: return widen<C>(*(const int32_t *)p);
    case MP_INT64: return widen<C>(*(const int64_t *)p);
    case MP_UINT8: return widen<C>(*(const uint8_t *)p);
    case MP_UINT16: return widen<C>(*(const uint16_t *)p);
    case MP_UINT32: return widen<C>(*(const uint32_t *)p);
    case MP_UINT64: return widen<C>(*(const uint64_t *)p);
    case MP_FLOAT16: return widen<C>(*(const __half *)p);
    case MP_BFLOAT16: return widen<C>(*(const __nv_bfloat16 *)p);
    case MP_FLOAT8_E4M3FN: return widen<C>(*(const mp_e4m3 *)p);
    case MP_FLOAT8_E5M2: return widen<C>(*(const mp_e5m2 *)p);
    case MP_FLOAT32: return widen<C>(*(const float *)p);
    default: return widen<C>(*(const double *)p);
    }
}

template <class C> static __device__ inline void store_any(void *p, int dtype, C y) {
    switch (dtype) {
    case MP_BOOL: *(mp_bool *)p = narrow<mp_bool>(y); break;
    case MP_INT8: *(int8_t *)p = narrow<int8_t>(y); break;
    case MP_INT16: *(int16_t *)p = narrow<int16_t>(y); break;
    case MP_INT32: *(int32_t *)p = narrow<int32_t>(y); break;
    case MP_INT64: *(int64_t *)p = narrow<int64_t>(y); break;
    case MP_UINT8: *(uint8_t *)p = narrow<uint8_t>(y); break;
    case MP_UINT16: *(uint16_t *)p = narrow<uint16_t>(y); break;
    case MP_UINT32: *(uint32_t *)p = narrow<uint32_t>(y); break;
    case MP_UINT64: *(uint64_t *)p = narrow<uint64_t>(y); break;
    case MP_FLOAT16: *(__half *)p = narrow<__half>(y); break;
    case MP_BFLOAT16: *(__nv_bfloat16 *)p = narrow<__nv_bfloat16>(y); break;
    case MP_FLOAT8_E4M3FN: *(mp_e4m3 *)p = narrow<mp_e4m3>(y); break;
    case MP_FLOAT8_E5M2: *(mp_e5m2 *)p = narrow<mp_e5m2>(y); break;
    case MP_FLOAT32: *(float *)p = narrow<float>(y); break;
    default: *(double *)p = narrow<double>(y); break;
    }
}

/* ---- several elements at once ---- */

/* V elements that are loaded and stored in accesses of up to 16 bytes: addresses are multiples of
 * that. */
template <class T, int V> struct alignas(V * sizeof(T) < 16 ? V * sizeof(T) : 16) mp_pack {
    T v[V];
};
/* How many elements of T are 16 bytes. */
template <class T> constexpr int pack_size = 16 / (int)sizeof(T);

template <class T, int V> static __device__ inline mp_pack<T, V> load_pack(const T *p) {
    return *reinterpret_cast<const mp_pack<T, V> *>(p);
}
template <class T, int V>
static __device__ inline void store_pack(T *p, const mp_pack<T, V> &pack) {
    *reinterpret_cast<mp_pack<T, V> *>(p) = pack;
}
static inline bool is_aligned(const void *p) { return ((uintptr_t)p & 15) == 0; }

#endif
