/* What layer_norm and rms_norm (norm.cu) share with their gradients (norm_bwd.cuh) and with
 * add_layer_norm (norm_add.cu). A row is n elements, the last n_axes axes of a contiguous array. */
#ifndef MP_CUDA_NORM_CUH
#define MP_CUDA_NORM_CUH

#include "rows.cuh"

struct norm_job {
    mp_operand x, weight, bias, gy, out, mean, rstd; /* out: y or gx */
    mp_operand residual, h, gh;                      /* add_layer_norm, and its gradient */
    int64_t rows, n;
    double eps;
    int parameters; /* dtype of weight and bias */
    void *sums;     /* backward: [blocks][2][n], for gweight and for gbias */
    bool centred;   /* layer_norm */
};

/* ---- weight and bias, where kernels keep rows in registers ---- */

/* Whether both are of x's dtype, or both of float32, and can be loaded in packs. */
static inline bool have_plain_parameters(norm_job &job) {
    const mp_operand &w = job.weight, &b = job.bias;
    job.parameters = w.data ? w.dtype : b.data ? b.dtype : job.x.dtype;
    return (job.parameters == job.x.dtype || job.parameters == MP_FLOAT32) &&
           (!b.data || b.dtype == job.parameters) && is_aligned(w.data) && is_aligned(b.data);
}

/* f(mp_type<TW>{}) with their type. */
template <class T, class F>
static __device__ inline void visit_parameters(const norm_job &job, F f) {
    if (std::is_same_v<T, float> || job.parameters != MP_FLOAT32) f(mp_type<T>{});
    else f(mp_type<float>{});
}

/* V elements of a parameter, each `none` where it is absent. */
template <class TW, int V>
static __device__ inline void load_parameter(const mp_operand &a, int at, float none,
                                             float (&x)[V]) {
    constexpr int W = pack_size<TW>;
    uint32_t word;
    if constexpr (std::is_same_v<TW, float>) word = __float_as_uint(none);
    else word = narrow_pair(mp_type<TW>{}, none, none);
#pragma unroll
    for (int i = 0; i < V; i += W) {
        uint4 raw = make_uint4(word, word, word, word);
        if (a.data) raw = load_raw((const TW *)a.data + at + i);
        widen_raw<TW>(raw, *(float(*)[W])(x + i));
    }
}

/* ---- launching ---- */

static inline norm_job norm_job_of(const mp_call *call, const mp_array *x, const mp_array *weight,
                                   const mp_array *bias) {
    norm_job job = {};
    int leading = x->ndim - (int)call->attrs.n_axes;
    job.x = mp_operand_of(x);
    job.weight = mp_operand_of(weight);
    job.bias = mp_operand_of(bias);
    job.out = mp_operand_of(call->out[0]);
    job.rows = job.n = 1;
    for (int d = 0; d < x->ndim; d++) *(d < leading ? &job.rows : &job.n) *= x->shape[d];
    return job;
}

/* Whether blocks of the kernel can have `bytes` of shared memory. */
static inline bool have_shared(const void *kernel, const mp_cuda_place *place, size_t bytes) {
    const size_t own = 1024; /* more than the kernels have beside it */
    int most = 0;
    if (bytes + own <= 48 << 10) return true;
    cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, place->index);
    if (bytes + own > (size_t)most) return false;
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes) ==
        cudaSuccess)
        return true;
    cudaGetLastError(); /* other kernels will do */
    return false;
}

/* ---- rows that are read again ---- */

template <int G> using norm_group = mp_row_shape<G, 1>;

/* Blocks for rows that are read again: a warp each where they are short. */
template <class F>
static inline void visit_long_group(const norm_job &job, const mp_cuda_place *place, F f) {
    int64_t most = (int64_t)place->processors * 16, blocks;
    if (job.n <= 1024) {
        blocks = mp_row_blocks(job.rows, norm_group<32>::groups);
        f(norm_group<32>{}, (unsigned)(blocks < most ? blocks : most));
    } else {
        f(norm_group<512>{}, (unsigned)(job.rows < most ? job.rows : most));
    }
}

static inline bool can_pack(const norm_job &job) {
    return job.n > 0 && job.n % (16 / job.x.bytes) == 0 && is_aligned(job.x.data) &&
           is_aligned(job.out.data);
}

#endif
