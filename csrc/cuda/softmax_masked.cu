/* scaled_masked_softmax: y = softmax(scale x + mask) along the last axis, x and mask of any
 * strides, the mask broadcast where it lies. Its gradient is softmax's, scaled (softmax.cu).
 *
 * - rows in registers, to 16384 elements of float16, bfloat16 and float32: x is read once, without
 * what causal masks, y is written once. A mask of bools, of x's type or of float32 is read once a
 * row; one that is broadcast comes from the cache.
 * - longer rows, and those of other dtypes: maximum and sum in one pass, the result in a second,
 * which finds a row in the cache. */
#include "softmax.cuh"
#include "walk.cuh"

struct masked_job {
    mp_operand x, mask, out;
    mp_walk<2> lead; /* where rows of x and of the mask begin */
    int64_t rows, n;
    int64_t x_step, mask_step; /* bytes from one element of a row to the next */
    int64_t queries;           /* row r keeps its first r % queries + 1 elements; 0: all */
    double scale;
};

/* How many elements of a row are not masked by causal. */
static __device__ inline int64_t kept_of(const masked_job &job, int64_t row) {
    int64_t last = job.queries ? row % job.queries + 1 : job.n;
    return last < job.n ? last : job.n;
}

/* A row without anything above -inf, whose sum is 0, becomes 0. */
template <class C> static __device__ inline C share_of(C sum) { return sum == 0 ? C(0) : 1 / sum; }

/* ---- rows in registers ---- */

enum mask_kind { NO_MASK, OF_BOOL, OF_X, OF_FLOAT };

/* scale x + mask for the V elements from `at` on; those not kept stay -inf. */
template <mask_kind KIND, class T, int V>
static __device__ inline void mask_pack(const char *mask, uint4 raw, int at, int kept, float scale,
                                        float (&x)[V]) {
    float value[V], term[V];
    mp_pack<uint8_t, V> keep;
    widen_raw<T>(raw, value);
    if constexpr (KIND == OF_BOOL) keep = load_pack<uint8_t, V>((const uint8_t *)mask + at);
    if constexpr (KIND == OF_X) widen_raw<T>(load_raw((const T *)mask + at), term);
    if constexpr (KIND == OF_FLOAT) {
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            float4 four = *(const float4 *)((const float *)mask + at + i);
            term[i] = four.x, term[i + 1] = four.y, term[i + 2] = four.z, term[i + 3] = four.w;
        }
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        bool here = at + i < kept;
        float y = value[i] * scale;
        if constexpr (KIND == OF_BOOL) here &= keep.v[i] != 0;
        if constexpr (KIND == OF_X || KIND == OF_FLOAT) y += term[i];
        x[i] = here ? y : -INFINITY;
    }
}

template <class S, class T>
__global__ void __launch_bounds__(S::threads, softmax_resident<S>)
    masked_rows(const __grid_constant__ masked_job job, mask_kind kind) {
    constexpr int G = S::G, V = pack_size<T>, P = S::E / V;
    __shared__ float room[2 * S::warps];
    const int n = (int)job.n, t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * S::groups + threadIdx.x / G;
    const int kept = row < job.rows ? (int)kept_of(job, row) : 0;
    const float scale = (float)job.scale;
    unsigned turn = 0;
    char *begin[2];
    job.lead.at<false>(row < job.rows ? row : 0, begin);
    uint4 raw[P];
    float x[P][V], most[1] = {-INFINITY}, sum[1] = {0};
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        if (at < kept) raw[p] = load_raw((const T *)begin[0] + at);
    }
    auto mask_all = [&](auto constant) {
#pragma unroll
        for (int p = 0; p < P; p++) {
            int at = (p * G + t) * V;
#pragma unroll
            for (int i = 0; i < V; i++) x[p][i] = -INFINITY;
            if (at < kept) mask_pack<constant.value, T>(begin[1], raw[p], at, kept, scale, x[p]);
        }
    };
    switch (kind) {
    case NO_MASK: mask_all(std::integral_constant<mask_kind, NO_MASK>{}); break;
    case OF_BOOL: mask_all(std::integral_constant<mask_kind, OF_BOOL>{}); break;
    case OF_X: mask_all(std::integral_constant<mask_kind, OF_X>{}); break;
    case OF_FLOAT: mask_all(std::integral_constant<mask_kind, OF_FLOAT>{}); break;
    }
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int i = 0; i < V; i++) most[0] = fmaxf(most[0], x[p][i]);
    group_reduce<G>(most, highest_of{}, room, turn);
    const float shift = shift_of(most[0]);
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int i = 0; i < V; i++) {
            x[p][i] = expf(x[p][i] - shift);
            sum[0] += x[p][i];
        }
    group_reduce<G>(sum, mp_add{}, room, turn);
    const float share = share_of(sum[0]);
    if (row >= job.rows) return;
#pragma unroll
    for (int p = 0; p < P; p++) {
        int at = (p * G + t) * V;
        if (at >= n) continue;
#pragma unroll
        for (int i = 0; i < V; i++) x[p][i] *= share;
        store_values((T *)job.out.data + row * n + at, x[p]);
    }
}

/* ---- rows that are read twice ---- */

template <int G, class C>
__global__ void __launch_bounds__(softmax_group<G>::threads)
    masked_long(const __grid_constant__ masked_job job) {
    __shared__ C room[2 * softmax_group<G>::warps];
    const int t = threadIdx.x % G;
    const int64_t row = (int64_t)blockIdx.x * softmax_group<G>::groups + threadIdx.x / G;
    const int64_t kept = row < job.rows ? kept_of(job, row) : 0;
    unsigned turn = 0;
    char *begin[2];
    job.lead.at<true>(row < job.rows ? row : 0, begin);
    auto load = [&](int64_t at) {
        C x = load_any<C>(begin[0] + at * job.x_step, job.x.dtype) * (C)job.scale;
        if (!job.mask.data) return x;
        const char *mask = begin[1] + at * job.mask_step;
        if (job.mask.dtype == MP_BOOL) return *mask ? x : -(C)INFINITY;
        return x + load_any<C>(mask, job.mask.dtype);
    };
    running<C> all;
    all.start();
    for (int64_t at = t; at < kept; at += G) {
        C x[1] = {load(at)};
        all.add(x);
    }
    C most[1] = {all.most}, sum[1];
    group_reduce<G>(most, highest_of{}, room, turn);
    all.raise(most[0]);
    sum[0] = all.sum;
    group_reduce<G>(sum, mp_add{}, room, turn);
    if (row >= job.rows) return;
    const C share = share_of(sum[0]), shift = shift_of(most[0]);
    char *y = job.out.data + row * job.n * job.out.bytes;
    for (int64_t at = t; at < job.n; at += G) {
        C value = at < kept ? power(load(at) - shift) : C(0);
        store_any(y + at * job.out.bytes, job.out.dtype, value * share);
    }
}

/* ---- launching ---- */

/* `a` without its last axis, along which elements lie *step bytes apart. */
static mp_array rows_of(const mp_array *a, int64_t *step) {
    mp_array rows = *a;
    int last = a->ndim - 1;
    *step = last >= 0 && a->shape[last] != 1 ? a->strides[last] * mp_itemsize(a) : 0;
    rows.ndim = (int8_t)(last > 0 ? last : 0);
    return rows;
}

/* Whether operand k, elements of `step` bytes next to each other, is read `bytes` at a time. */
static bool is_packed(const masked_job &job, int k, int64_t step, int element, int bytes) {
    if (step != element || (uintptr_t)job.lead.data[k] % (unsigned)bytes) return false;
    for (int d = 0; d < job.lead.ndim; d++)
        if (job.lead.stride[k][d] % bytes) return false;
    return true;
}

/* How masked_rows reads the mask. False: it cannot. */
static bool find_kind(const masked_job &job, int V, mask_kind *kind) {
    *kind = NO_MASK;
    if (!job.mask.data) return true;
    *kind = job.mask.dtype == MP_BOOL ? OF_BOOL : job.mask.dtype == job.x.dtype ? OF_X : OF_FLOAT;
    if (*kind == OF_FLOAT && job.mask.dtype != MP_FLOAT32) return false;
    return is_packed(job, 1, job.mask_step, job.mask.bytes, *kind == OF_BOOL ? V : 16);
}

/* False where the rows cannot be read in packs. The mask takes registers as y does in backward. */
template <class T> static bool launch_rows(const masked_job &job, const mp_cuda_place *place) {
    mask_kind kind;
    if (job.out.dtype != job.x.dtype || job.n % pack_size<T> || job.rows > INT32_MAX ||
        !is_aligned(job.out.data) || !is_packed(job, 0, job.x_step, job.x.bytes, 16) ||
        !find_kind(job, pack_size<T>, &kind))
        return false;
    return visit_softmax_shape<true>(job.n, [&](auto shape) {
        using S = decltype(shape);
        unsigned blocks = (unsigned)mp_row_blocks(job.rows, S::groups);
        masked_rows<S, T><<<blocks, S::threads, 0, place->stream>>>(job, kind);
    });
}

template <class C> static void launch_long(const masked_job &job, const mp_cuda_place *place) {
    auto launch = [&](auto group) {
        using S = decltype(group);
        unsigned blocks = (unsigned)mp_row_blocks(job.rows, S::groups);
        masked_long<S::G, C><<<blocks, S::threads, 0, place->stream>>>(job);
    };
    if (job.n <= 1024) launch(softmax_group<32>{});
    else launch(softmax_group<512>{});
}

extern "C" mp_status mp_cuda_scaled_masked_softmax(mp_call *call) {
    mp_cuda_place place;
    mp_status status;
    const mp_array *x = call->in[0], *mask = call->in[1], *y = call->out[0];
    masked_job job = {};
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    int last = y->ndim - 1;
    mp_array x_rows = rows_of(x, &job.x_step), mask_rows = rows_of(mask ? mask : x, &job.mask_step);
    mp_array *leading[2] = {&x_rows, &mask_rows};
    job.x = mp_operand_of(x);
    job.mask = mp_operand_of(mask);
    job.out = mp_operand_of(y);
    job.lead = mp_walk_of<2>(leading, last, y->shape);
    job.rows = job.lead.size;
    job.n = y->shape[last];
    job.queries = call->attrs.causal ? y->shape[last - 1] : 0;
    job.scale = call->attrs.scale;
    bool done = false;
    visit_common(x->dtype, &status, [&](auto type) {
        done = launch_rows<typename decltype(type)::type>(job, &place);
        return MP_OK;
    });
    bool wide = x->dtype == MP_FLOAT64 || y->dtype == MP_FLOAT64;
    if (!done && wide) launch_long<double>(job, &place);
    else if (!done) launch_long<float>(job, &place);
    return MP_CUDA_LAUNCHED();
}
