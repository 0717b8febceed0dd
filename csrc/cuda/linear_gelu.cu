/* linear_gelu: a product, which adds the bias, and its gelu. The gradient at the product and that
 * of the bias are made in one pass: gy and z are read once, gz is written once, and column sums of
 * each block, which a second kernel joins in order. */
#include "activation.cuh"
#include "rows.cuh"

extern "C" mp_status mp_cuda_linear(mp_call *call);
extern "C" mp_status mp_cuda_gelu(mp_call *call);

/* z = x weight^T + bias, y = gelu(z) */
extern "C" mp_status mp_cuda_linear_gelu(mp_call *call) {
    mp_array *y = call->out[0], *z = call->out[1];
    mp_call product = *call, gelu = *call;
    product.out[0] = z;
    gelu.in = &z;
    gelu.out[0] = y;
    MP_TRY(mp_cuda_linear(&product));
    return mp_cuda_gelu(&gelu);
}

/* ---- the gradient ---- */

enum {
    LINES = 8,       /* rows that a block works on side by side, one a warp */
    AHEAD = 2,       /* rows that a warp has on their way */
    JOIN_LINES = 16, /* the same where the sums of blocks are joined */
};

struct gelu_job {
    mp_operand gy, z, gz, gbias;
    int64_t rows, n;
    void *sums; /* [blocks down][n] */
};

/* gz = f(gy, z) for the block's 32 V columns and its share of the rows, and the sums of its
 * columns, of what is not rounded yet. gy, z and gz are of type T, or of any. */
template <class C, class T, class F>
__global__ void __launch_bounds__(LINES *MP_WARP)
    gelu_bwd_columns(const __grid_constant__ gelu_job job, F f) {
    constexpr int V = mp_row_pack<T>;
    __shared__ C room[LINES][MP_WARP * V];
    const int lane = threadIdx.x % MP_WARP, line = threadIdx.x / MP_WARP;
    const int64_t first = (int64_t)blockIdx.x * MP_WARP * V, at = first + lane * V, n = job.n;
    const int64_t begin = job.rows * blockIdx.y / gridDim.y + line,
                  end = job.rows * (blockIdx.y + 1) / gridDim.y;
    C sum[V] = {};
    for (int64_t row = begin; at < n && row < end; row += AHEAD * LINES) {
        C g[AHEAD][V], x[AHEAD][V];
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            if (row + k * LINES >= end) continue;
            load_elements<T>(job.gy, (row + k * LINES) * n + at, g[k]);
            load_elements<T>(job.z, (row + k * LINES) * n + at, x[k]);
        }
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            if (row + k * LINES >= end) continue;
#pragma unroll
            for (int i = 0; i < V; i++) {
                g[k][i] = f(g[k][i], x[k][i]);
                sum[i] += g[k][i];
            }
            store_elements<T>(job.gz, (row + k * LINES) * n + at, g[k]);
        }
    }
#pragma unroll
    for (int i = 0; i < V; i++) room[line][i * MP_WARP + lane] = sum[i];
    __syncthreads();
    /* thread k has element k / 32 of the pack of lane k % 32 */
    for (int k = threadIdx.x; k < MP_WARP * V; k += LINES * MP_WARP) {
        int64_t column = first + k % MP_WARP * V + k / MP_WARP;
        C all = 0;
#pragma unroll
        for (int i = 0; i < LINES; i++) all += room[i][k];
        if (column < n) ((C *)job.sums)[blockIdx.y * n + column] = all;
    }
}

/* gbias[i] = the sum of sums[block][i] over the blocks. Blocks of 32 columns. */
template <class C>
__global__ void __launch_bounds__(JOIN_LINES *MP_WARP)
    gelu_bwd_join(const __grid_constant__ gelu_job job, int64_t blocks) {
    __shared__ C room[JOIN_LINES][MP_WARP];
    const int lane = threadIdx.x % MP_WARP, line = threadIdx.x / MP_WARP;
    const int64_t at = (int64_t)blockIdx.x * MP_WARP + lane;
    C sum = 0;
    if (at < job.n) {
#pragma unroll 4
        for (int64_t block = line; block < blocks; block += JOIN_LINES)
            sum += ((const C *)job.sums)[block * job.n + at];
    }
    room[line][lane] = sum;
    __syncthreads();
    if (line > 0 || at >= job.n) return;
    for (int i = 1; i < JOIN_LINES; i++) sum += room[i][lane];
    store_any(job.gbias.data + at * job.gbias.bytes, job.gbias.dtype, sum);
}

template <class C, class T, class F>
static mp_status launch(gelu_job job, const mp_cuda_place *place, F f) {
    const int64_t width = MP_WARP * mp_row_pack<T>, across = (job.n + width - 1) / width;
    int64_t down = job.rows / (4 * LINES), most = (int64_t)place->processors * 8 / across;
    if (down > most) down = most;
    if (down < 1) down = 1;
    size_t bytes = (size_t)(down * job.n) * sizeof(C);
    MP_TRY(mp_cuda_scratch(place, bytes, &job.sums));
    dim3 blocks((unsigned)across, (unsigned)down);
    unsigned joined = (unsigned)((job.n + MP_WARP - 1) / MP_WARP);
    gelu_bwd_columns<C, T><<<blocks, LINES * MP_WARP, 0, place->stream>>>(job, f);
    gelu_bwd_join<C><<<joined, JOIN_LINES * MP_WARP, 0, place->stream>>>(job, down);
    mp_cuda_scratch_free(place, job.sums, bytes);
    return MP_CUDA_LAUNCHED();
}

/* The exact forms for 16-bit results too: the sums of columns are not rounded to them. */
template <class C, class T>
static mp_status launch_form(const gelu_job &job, const mp_cuda_place *place, bool tanh) {
    return tanh ? launch<C, T>(job, place, gelu_tanh_bwd_of<false>{})
                : launch<C, T>(job, place, gelu_bwd_of<false>{});
}

static bool can_pack(const gelu_job &job) {
    return job.n % (16 / job.z.bytes) == 0 && job.gy.dtype == job.z.dtype &&
           job.gz.dtype == job.z.dtype && is_aligned(job.gy.data) && is_aligned(job.z.data) &&
           is_aligned(job.gz.data);
}

extern "C" mp_status mp_cuda_linear_gelu_bwd(mp_call *call) {
    mp_cuda_place place;
    mp_status status;
    const mp_array *gz = call->out[0], *gbias = call->out[1];
    bool tanh = call->attrs.tanh, done = false;
    gelu_job job = {};
    if (gbias->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    job.gy = mp_operand_of(call->in[0]);
    job.z = mp_operand_of(call->in[1]);
    job.gz = mp_operand_of(gz);
    job.gbias = mp_operand_of(gbias);
    job.n = gbias->size;
    job.rows = gz->size / job.n;
    if (can_pack(job))
        done = visit_common(job.z.dtype, &status, [&](auto type) {
            return launch_form<float, typename decltype(type)::type>(job, &place, tanh);
        });
    if (done) return status;
    return gbias->dtype == MP_FLOAT64 ? launch_form<double, mp_any>(job, &place, tanh)
                                      : launch_form<float, mp_any>(job, &place, tanh);
}
