/* What softmax.cu and softmax_masked.cu share: exponentials, running sums, and the shapes of rows.
 */
#ifndef MP_CUDA_SOFTMAX_CUH
#define MP_CUDA_SOFTMAX_CUH

#include "rows.cuh"

static __device__ inline float power(float x) { return expf(x); }
static __device__ inline double power(double x) { return exp(x); }
static __device__ inline float highest(float a, float b) { return fmaxf(a, b); }
static __device__ inline double highest(double a, double b) { return fmax(a, b); }

/* NaN does not show in a maximum, but in the sum. */
struct highest_of {
    template <class C> __device__ inline C operator()(C a, C b) const { return highest(a, b); }
};

/* What exponents are measured from: `most`, but such that exp(-inf - shift) is 0 where all so far
 * is -inf. */
template <class C> static __device__ inline C shift_of(C most) {
    return most == -(C)INFINITY ? (C)0 : most;
}

/* Maximum and sum of exp(x - shift_of(maximum)) of what came so far. */
template <class C> struct running {
    C most, sum;
    __device__ inline void start() { most = -(C)INFINITY, sum = 0; }
    __device__ inline void raise(C to) {
        if (!(to > most)) return;
        sum *= power(most - to);
        most = to;
    }
    template <int V> __device__ inline void add(const C (&x)[V]) {
        C top = x[0], shift;
#pragma unroll
        for (int i = 1; i < V; i++) top = highest(top, x[i]);
        raise(top);
        shift = shift_of(most);
#pragma unroll
        for (int i = 0; i < V; i++) sum += power(x[i] - shift);
    }
};

/* ---- rows in registers ---- */

template <class S>
constexpr int softmax_resident = S::threads == 1024  ? 1
                                 : S::threads == 512 ? 2
                                                     : 768 / S::threads;

/* f(shape) with the smallest of the shapes that a row of n fits into. False: none. */
template <bool BACKWARD, class F> static bool visit_softmax_shape(int64_t n, F f) {
    if (n <= 64) f(mp_row_shape<8, 8>{});
    else if (n <= 256) f(mp_row_shape<32, 8>{});
    else if (n <= 512) f(mp_row_shape<32, 16>{});
    else if (n <= 1024) f(mp_row_shape<32, 32>{});
    else if (n <= 2048) f(mp_row_shape<128, 16>{});
    else if (n <= 4096) f(mp_row_shape<256, 16>{});
    else if (n <= 8192) f(mp_row_shape<512, 16>{});
    else if (n > 16384) return false;
    else if constexpr (BACKWARD) f(mp_row_shape<1024, 16>{});
    else f(mp_row_shape<512, 32>{}); /* two rows a multiprocessor */
    return true;
}

/* ---- rows that are read twice ---- */

template <int G> using softmax_group = mp_row_shape<G, 1>;

#endif
