/* The engine of the pointwise ops. An op is a functor over values of C, the type of computation;
 * pointwise<N>() picks the kernel for it:
 *
 * - dense: inputs of one type and one dense order (or single numbers); 16-byte accesses, several in
 * flight per thread.
 * - walked: any strides, broadcasting and dtypes.
 *
 * Both read each input once and write the output once. */
#ifndef MP_CUDA_POINTWISE_CUH
#define MP_CUDA_POINTWISE_CUH

#include "walk.cuh"

/* ---- dense ---- */

/* The inputs of a dense kernel: dense rows, or numbers in device memory (one), or numbers (data
 * NULL). */
template <class C, int N> struct mp_dense {
    const void *data[N];
    bool one[N];
    C value[N];
};

template <class F, class C, int N>
static __device__ inline auto apply(const F &f, const C (&x)[N]) {
    if constexpr (N == 1) return f(x[0]);
    else if constexpr (N == 2) return f(x[0], x[1]);
    else return f(x[0], x[1], x[2]);
}

/* y[i] = f(x0[i], ...) for packs of V elements, PACKS of them a thread, and what is left of the
 * last pack one by one. */
template <int V, int PACKS, class C, class T, class TO, int N, class F>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pointwise_dense(TO *y, const __grid_constant__ mp_dense<C, N> in, int64_t n, const F f) {
    C number[N];
#pragma unroll
    for (int k = 0; k < N; k++)
        number[k] = in.one[k] ? widen<C>(*(const T *)in.data[k]) : in.value[k];
    int64_t packs = n / V, first = (int64_t)blockIdx.x * MP_CUDA_THREADS * PACKS + threadIdx.x;
    mp_pack<T, V> x[PACKS][N];
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
#pragma unroll
        for (int k = 0; k < N; k++)
            if (in.data[k] && !in.one[k]) x[p][k] = load_pack<T, V>((const T *)in.data[k] + at * V);
    }
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        mp_pack<TO, V> out;
#pragma unroll
        for (int i = 0; i < V; i++) {
            C value[N];
#pragma unroll
            for (int k = 0; k < N; k++)
                value[k] = in.data[k] && !in.one[k] ? widen<C>(x[p][k].v[i]) : number[k];
            out.v[i] = narrow<TO>(apply(f, value));
        }
        store_pack<TO, V>(y + at * V, out);
    }
    int64_t rest = packs * V + first;
    if (blockIdx.x == 0 && rest < n) { /* fewer than V, and V <= MP_CUDA_THREADS */
        C value[N];
#pragma unroll
        for (int k = 0; k < N; k++)
            value[k] =
                in.data[k] && !in.one[k] ? widen<C>(((const T *)in.data[k])[rest]) : number[k];
        y[rest] = narrow<TO>(apply(f, value));
    }
}

/* Fills `in` if the dense kernel can do the call with inputs of `dtype`: each input is that, and
 * lies as the contiguous output does, or is one number. */
template <class C, int N>
static inline bool dense_inputs(const mp_call *call, int dtype, mp_dense<C, N> *in) {
    const mp_array *y = call->out[0];
    if (!y->contiguous || !is_aligned(mp_data(y))) return false;
    for (int k = 0; k < N; k++) {
        const mp_array *x = call->in[k];
        in->data[k] = NULL;
        in->one[k] = false;
        if (mp_is_host_number(x)) {
            in->value[k] = mp_host_number<C>(x);
            continue;
        }
        if (x->dtype != dtype) return false;
        in->data[k] = mp_data(x);
        in->one[k] = x->size == 1;
        if (!in->one[k] && (x->size != y->size || !x->contiguous || !is_aligned(in->data[k])))
            return false;
    }
    return true;
}

template <class C, class T, class TO, int N, class F>
static inline mp_status launch_dense(const mp_call *call, const mp_cuda_place *place,
                                     const mp_dense<C, N> &in, F f) {
    constexpr int narrowest = sizeof(T) < sizeof(TO) ? sizeof(T) : sizeof(TO);
    constexpr int widest = sizeof(T) > sizeof(TO) ? sizeof(T) : sizeof(TO);
    constexpr int V = 16 / narrowest, PACKS = N == 1 && widest == narrowest ? 4 : 2;
    int64_t n = call->out[0]->size, per_block = (int64_t)MP_CUDA_THREADS * V * PACKS;
    unsigned blocks = (unsigned)((n + per_block - 1) / per_block);
    pointwise_dense<V, PACKS, C, T, TO, N>
        <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>((TO *)mp_data(call->out[0]), in, n, f);
    return MP_CUDA_LAUNCHED();
}

/* ---- walked ---- */

/* The width of indices is looked up, for a kernel less per op to compile. */
template <class C, int N, class F>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    pointwise_walked(const __grid_constant__ mp_walk<N + 1> w,
                     const __grid_constant__ mp_dense<C, N> in, const F f) {
    const int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    const bool wide = w.size > INT32_MAX;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < w.size; i += step) {
        char *p[N + 1];
        C x[N];
        w.at(i, p, wide);
#pragma unroll
        for (int k = 0; k < N; k++)
            x[k] = w.data[k + 1] ? load_any<C>(p[k + 1], w.dtype[k + 1]) : in.value[k];
        auto y = apply(f, x);
        if constexpr (std::is_same_v<decltype(y), bool>) store_any<int64_t>(p[0], w.dtype[0], y);
        else store_any(p[0], w.dtype[0], y);
    }
}

template <class C, int N, class F>
static inline mp_status launch_walked(const mp_call *call, const mp_cuda_place *place, F f) {
    mp_array *y = call->out[0], *operands[N + 1] = {y};
    mp_dense<C, N> in = {};
    for (int k = 0; k < N; k++) {
        operands[k + 1] = call->in[k];
        if (mp_is_host_number(call->in[k])) in.value[k] = mp_host_number<C>(call->in[k]);
    }
    mp_walk<N + 1> w = mp_walk_of<N + 1>(operands, y->ndim, y->shape);
    unsigned blocks = mp_blocks(place, w.size, MP_CUDA_THREADS, 1);
    pointwise_walked<C, N><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, in, f);
    return MP_CUDA_LAUNCHED();
}

/* ---- choosing ---- */

enum mp_compute { MP_IN_FLOAT, MP_IN_DOUBLE, MP_IN_INT64, MP_IN_UINT64 };

/* What inputs [first, n) and the result are computed in, as on the CPU: float64 where one of them
 * is, or where integers of 32 bits or more become floats; a Python float does not widen what it is
 * combined with. */
static inline mp_compute mp_compute_of(const mp_call *call, int first, int n, bool compares) {
    bool any_float = false, weak_float = false, wide_float = false, any_uint64 = false,
         wide_int = false;
    mp_dtype out = (mp_dtype)call->out[0]->dtype;
    for (int k = first; k < n; k++) {
        const mp_array *x = call->in[k];
        const mp_dtype_row *row = &mp_dtypes[x->dtype];
        bool floating = row->kind == 'F';
        any_float |= floating;
        weak_float |= floating && x->weak;
        wide_float |= floating && row->bytes == 8 && !x->weak;
        wide_int |= !floating && row->bytes >= 4 && !x->weak;
        any_uint64 |= x->dtype == MP_UINT64;
    }
    if (wide_float || out == MP_FLOAT64) return MP_IN_DOUBLE;
    if (compares) {
        if (weak_float && wide_int) return MP_IN_DOUBLE;
        if (any_float) return MP_IN_FLOAT;
    } else if (any_float || mp_is_float(out)) {
        return !any_float && wide_int && first == 0 ? MP_IN_DOUBLE : MP_IN_FLOAT;
    }
    return any_uint64 || (!compares && out == MP_UINT64) ? MP_IN_UINT64 : MP_IN_INT64;
}

/* A float32 computation of N inputs: dense for float16, bfloat16 and float32 with a result of the
 * same type, float32 or bool, else walked. */
template <int N, class F>
static inline mp_status pointwise_f32(mp_call *call, const mp_cuda_place *place, F f) {
    mp_dense<float, N> in;
    mp_status status;
    int to = call->out[0]->dtype, from = to;
    for (int k = 0; k < N; k++)
        if (!mp_is_host_number(call->in[k])) from = call->in[k]->dtype;
    if (dense_inputs<float, N>(call, from, &in)) {
        bool done = visit_common(from, &status, [&](auto t) {
            using T = typename decltype(t)::type;
            float one[N] = {};
            if constexpr (std::is_same_v<decltype(apply(f, one)), bool>) {
                if (to == MP_BOOL) return launch_dense<float, T, mp_bool, N>(call, place, in, f);
            } else {
                if (to == from) return launch_dense<float, T, T, N>(call, place, in, f);
                if constexpr (!std::is_same_v<T, float>)
                    if (to == MP_FLOAT32)
                        return launch_dense<float, T, float, N>(call, place, in, f);
            }
            return launch_walked<float, N>(call, place, f);
        });
        if (done) return status;
    }
    return launch_walked<float, N>(call, place, f);
}

/* y = f(inputs) for an op on floats: F has operator() for float and double. */
template <int N, class F> static inline mp_status pointwise_real(mp_call *call, F f) {
    mp_cuda_place place;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return mp_compute_of(call, 0, N, false) == MP_IN_DOUBLE
               ? launch_walked<double, N>(call, &place, f)
               : pointwise_f32<N>(call, &place, f);
}

/* y = f(inputs) for an op on numbers of any kind: F has operator() for int64_t and uint64_t too. */
template <int N, class F>
static inline mp_status pointwise(mp_call *call, F f, bool compares = false) {
    mp_cuda_place place;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    switch (mp_compute_of(call, 0, N, compares)) {
    case MP_IN_FLOAT: return pointwise_f32<N>(call, &place, f);
    case MP_IN_DOUBLE: return launch_walked<double, N>(call, &place, f);
    case MP_IN_INT64: return launch_walked<int64_t, N>(call, &place, f);
    default: return launch_walked<uint64_t, N>(call, &place, f);
    }
}

#endif
