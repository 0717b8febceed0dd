/* What layer_norm and rms_norm (norm.cu) share with their gradients (norm_bwd.cuh) and with
 * add_layer_norm (norm_add.cu). A row is n
 * elements, the last n_axes axes of a contiguous array. */
#ifndef MP_CUDA_NORM_CUH
#define MP_CUDA_NORM_CUH

#include "rows.cuh"

struct norm_job {
    mp_operand x, weight, bias, gy, out, mean, rstd; /* out: y or gx */
    mp_operand residual, h, gh;                      /* add_layer_norm, and its gradient */
    int64_t rows, n;
    double eps;
    void *sums;   /* backward: [blocks][2][n], for gweight and for gbias */
    bool centred; /* layer_norm */
};

/* ---- the weight, as float in shared memory ---- */

/* Where element i of the weight lies in shared memory: such that a warp's 16-byte reads of its
 * elements are neighbours. */
template <class S, int V> static __device__ inline int parameter_slot(int i) {
    int pack = i / V, e = i % V;
    return ((pack / S::G * (V / 4) + e / 4) * S::G + pack % S::G) * 4 + e % 4;
}

template <class S, int V>
static __device__ inline void keep_parameter(float *room, const mp_operand &a, int n, float none) {
    for (int i = threadIdx.x; i < n; i += S::threads)
        room[parameter_slot<S, V>(i)] =
            a.data ? load_any<float>(a.data + (int64_t)i * a.bytes, a.dtype) : none;
}

/* Pack p of thread t. */
template <class S, int V>
static __device__ inline void parameter_pack(const float *room, int p, int t, float (&x)[V]) {
#pragma unroll
    for (int q = 0; q < V / 4; q++) {
        float4 four = ((const float4 *)room)[(p * (V / 4) + q) * S::G + t];
        x[4 * q] = four.x, x[4 * q + 1] = four.y, x[4 * q + 2] = four.z, x[4 * q + 3] = four.w;
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

/* ---- rows that are copied to shared memory on their way to registers ---- */

/* Blocks that a multiprocessor holds at once. */
template <class S> constexpr int staged_resident = S::E > 8 ? 512 / S::threads : 1024 / S::threads;

/* f(shape) with the smallest of the shapes that a row of n fits into. False: none. */
template <class F> static bool visit_staged_shape(int64_t n, F f) {
    if (n <= 64) return f(mp_row_shape<8, 8>{});
    if (n <= 256) return f(mp_row_shape<32, 8>{});
    if (n <= 512) return f(mp_row_shape<32, 16>{});
    if (n <= 1024) return f(mp_row_shape<128, 8>{});
    if (n <= 2048) return f(mp_row_shape<128, 16>{});
    if (n <= 4096) return f(mp_row_shape<256, 16>{});
    return n <= 8192 && f(mp_row_shape<512, 16>{});
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
