/* Bits of integers and bools on CUDA: and, or, xor, not, and shifts. A shift by a count that is
 * negative or not below the width leaves nothing, or the sign of a signed integer: in 64 bits,
 * where narrower integers are computed, that comes out by itself. */
#include "pointwise.cuh"

/* y = f(inputs) for an op on integers and bools: F has operator() for int64_t and uint64_t. */
template <int N, class F> static mp_status whole(mp_call *call, F f) {
    mp_cuda_place place;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return mp_compute_of(call, 0, N, false) == MP_IN_UINT64
               ? launch_walked<uint64_t, N>(call, &place, f)
               : launch_walked<int64_t, N>(call, &place, f);
}

#define BITWISE(name, formula)                                                                     \
    struct name##_of {                                                                             \
        template <class C> __device__ inline C operator()(C a, C b) const { return formula; }      \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) { return whole<2>(call, name##_of{}); }

BITWISE(bitwise_and, a &b)
BITWISE(bitwise_or, a | b)
BITWISE(bitwise_xor, a ^ b)
BITWISE(bitwise_left_shift, (uint64_t)b < 64 ? (C)((uint64_t)a << b) : C(0))
/* by 63 a sign fills all */
BITWISE(bitwise_right_shift, (uint64_t)b < 64 ? a >> b : std::is_signed_v<C> ? a >> 63 : C(0))

struct bitwise_invert_of {
    template <class C> __device__ inline C operator()(C a) const { return ~a; }
};
struct untrue_of {
    template <class C> __device__ inline C operator()(C a) const { return a == 0; }
};
extern "C" mp_status mp_cuda_bitwise_invert(mp_call *call) {
    if (call->out[0]->dtype == MP_BOOL) return whole<1>(call, untrue_of{});
    return whole<1>(call, bitwise_invert_of{});
}
