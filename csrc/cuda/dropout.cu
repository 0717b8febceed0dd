/* Dropout on CUDA, bit for bit as on the CPU. Whether element i is kept is a function of (seed,
 * offset, i): backward draws it again. x is read once, y is written once. */
#include "random.cuh"
#include "walk.cuh"

struct dropping {
    uint64_t seed, call;
    int32_t threshold; /* an element is dropped if the upper 24 bits of its word are below */
    float scale;       /* 1 / (1 - p) */
    double wide_scale;
};

static __device__ inline float times_scale(float x, const dropping &d) {
    return __fmul_rn(x, d.scale);
}
static __device__ inline double times_scale(double x, const dropping &d) {
    return __dmul_rn(x, d.wide_scale);
}

/* y[i] = kept ? x[i] * scale : 0, in packs of V elements, a multiple of 4, PACKS of them a thread.
 */
template <class T, class TO, int V, int PACKS>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    drop_dense(TO *y, const T *x, int64_t n, const __grid_constant__ dropping d) {
    int64_t packs = n / V, first = (int64_t)blockIdx.x * (MP_CUDA_THREADS * PACKS) + threadIdx.x;
    mp_pack<T, V> in[PACKS];
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at < packs) in[p] = load_pack<T, V>(x + at * V);
    }
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        mp_pack<TO, V> out;
#pragma unroll
        for (int b = 0; b < V / 4; b++) {
            mp_words words = draw_words(d.seed, d.call, at * (V / 4) + b);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float kept = times_scale(widen<float>(in[p].v[4 * b + i]), d);
                out.v[4 * b + i] = narrow<TO>(upper_bits(words.w[i]) >= d.threshold ? kept : 0.0f);
            }
        }
        store_pack<TO, V>(y + at * V, out);
    }
    int64_t rest = packs * V + first;
    if (blockIdx.x == 0 && rest < n) { /* fewer than V, and V <= MP_CUDA_THREADS */
        mp_words words = draw_words(d.seed, d.call, rest / 4);
        float kept = times_scale(widen<float>(x[rest]), d);
        y[rest] = narrow<TO>(upper_bits(words.w[rest % 4]) >= d.threshold ? kept : 0.0f);
    }
}

/* Any dtypes and alignment, a block of Philox a thread. */
template <class C>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    drop_any(char *y, int to, const char *x, int from, int64_t n, int bytes_to, int bytes_from,
             const __grid_constant__ dropping d) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS, blocks = (n + 3) / 4;
    for (int64_t b = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; b < blocks; b += step) {
        mp_words words = draw_words(d.seed, d.call, b);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int64_t at = 4 * b + i;
            if (at >= n) continue;
            C kept = times_scale(load_any<C>(x + at * bytes_from, from), d);
            store_any(y + at * bytes_to, to, upper_bits(words.w[i]) >= d.threshold ? kept : C(0));
        }
    }
}

template <class T, class TO>
static mp_status launch_dense(const mp_call *call, const mp_cuda_place *place, const dropping &d) {
    constexpr int V = 16 / (sizeof(T) > sizeof(TO) ? sizeof(T) : sizeof(TO)), PACKS = 2;
    int64_t n = call->out[0]->size, per_block = MP_CUDA_THREADS * V * PACKS;
    drop_dense<T, TO, V, PACKS>
        <<<(unsigned)((n + per_block - 1) / per_block), MP_CUDA_THREADS, 0, place->stream>>>(
            (TO *)mp_data(call->out[0]), (const T *)mp_data(call->in[0]), n, d);
    return MP_CUDA_LAUNCHED();
}

template <class C>
static mp_status launch_any(const mp_call *call, const mp_cuda_place *place, const dropping &d) {
    const mp_array *x = call->in[0], *y = call->out[0];
    drop_any<C>
        <<<mp_blocks(place, y->size, MP_CUDA_THREADS, 4), MP_CUDA_THREADS, 0, place->stream>>>(
            (char *)mp_data(y), y->dtype, (const char *)mp_data(x), x->dtype, y->size,
            mp_itemsize(y), mp_itemsize(x), d);
    return MP_CUDA_LAUNCHED();
}

/* For p = 1 every element is dropped, so that the infinite scale is never used. */
extern "C" mp_status mp_cuda_dropout(mp_call *call) {
    const mp_array *x = call->in[0], *y = call->out[0];
    double p = call->attrs.p, scale = 1 / (1 - p);
    mp_cuda_place place;
    mp_status status;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    dropping d = {call->attrs.seed, call->attrs.offset, (int32_t)ceil(p * 0x1p24), (float)scale,
                  scale};
    if (x->dtype == MP_FLOAT64) return launch_any<double>(call, &place, d);
    if (!is_aligned(mp_data(x)) || !is_aligned(mp_data(y)) ||
        (y->dtype != x->dtype && y->dtype != MP_FLOAT32))
        return launch_any<float>(call, &place, d);
    bool done = visit_common(x->dtype, &status, [&](auto t) {
        using T = typename decltype(t)::type;
        return y->dtype == x->dtype ? launch_dense<T, T>(call, &place, d)
                                    : launch_dense<T, float>(call, &place, d);
    });
    return done ? status : launch_any<float>(call, &place, d);
}
