/* Comparisons and selection on CUDA. Comparisons give bool; `where` moves elements and computes
 * nothing. */
#include "pointwise.cuh"

/* ---- comparisons ---- */

/* An int64 with a uint64, both as their bits: where the signed one is negative, the answer is
 * known. */
template <class F> struct mixed_of {
    bool first_is_signed, if_negative;
    __device__ inline bool operator()(uint64_t a, uint64_t b) const {
        return (int64_t)(first_is_signed ? a : b) < 0 ? if_negative : F{}(a, b);
    }
};

static bool is_signed(const mp_array *a) { return mp_dtypes[a->dtype].kind == 'I'; }

/* `first_negative` and `second_negative`: what F gives where that input is negative and the other
 * unsigned. */
template <class F>
static mp_status compare(mp_call *call, bool first_negative, bool second_negative) {
    bool first = is_signed(call->in[0]), mixed = first != is_signed(call->in[1]);
    if (!mixed || mp_compute_of(call, 0, 2, true) != MP_IN_UINT64)
        return pointwise<2>(call, F{}, true);
    mp_cuda_place place;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return launch_walked<uint64_t, 2>(call, &place,
                                      mixed_of<F>{first, first ? first_negative : second_negative});
}

/* mp_cuda_<name> is y = a sign b. */
#define COMPARE(name, sign, first_negative, second_negative)                                       \
    struct name##_of {                                                                             \
        template <class C> __device__ inline bool operator()(C a, C b) const { return a sign b; }  \
    };                                                                                             \
    extern "C" mp_status mp_cuda_##name(mp_call *call) {                                           \
        return compare<name##_of>(call, first_negative, second_negative);                          \
    }

COMPARE(equal, ==, false, false)
COMPARE(not_equal, !=, true, true)
COMPARE(less, <, true, false)
COMPARE(less_equal, <=, true, false)
COMPARE(greater, >, false, true)
COMPARE(greater_equal, >=, false, true)

/* ---- selection ---- */

/* y = condition ? x1 : x2. An input is a dense row, or one number in device memory (one), or a
 * number (data NULL). */
template <class U> struct choice {
    const U *data[2];
    bool one[2];
    U value[2];
};

/* Dense rows of units U, the condition of bytes: read once each, y written once. */
template <class U>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    where_dense(U *y, const uint8_t *condition, const __grid_constant__ choice<U> in, int64_t n) {
    constexpr int V = pack_size<U>, PACKS = 2;
    U number[2];
#pragma unroll
    for (int k = 0; k < 2; k++) number[k] = in.one[k] ? *in.data[k] : in.value[k];
    bool row[2] = {in.data[0] && !in.one[0], in.data[1] && !in.one[1]};
    int64_t packs = n / V, first = (int64_t)blockIdx.x * (MP_CUDA_THREADS * PACKS) + threadIdx.x;
    mp_pack<uint8_t, V> c[PACKS];
    mp_pack<U, V> x[PACKS][2];
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        c[p] = load_pack<uint8_t, V>(condition + at * V);
#pragma unroll
        for (int k = 0; k < 2; k++)
            if (row[k]) x[p][k] = load_pack<U, V>(in.data[k] + at * V);
    }
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        int64_t at = first + p * MP_CUDA_THREADS;
        if (at >= packs) continue;
        mp_pack<U, V> out;
#pragma unroll
        for (int i = 0; i < V; i++) {
            U a = row[0] ? x[p][0].v[i] : number[0], b = row[1] ? x[p][1].v[i] : number[1];
            out.v[i] = c[p].v[i] ? a : b;
        }
        store_pack<U, V>(y + at * V, out);
    }
    int64_t rest = packs * V + first;
    if (blockIdx.x == 0 && rest < n) {
        U a = row[0] ? in.data[0][rest] : number[0], b = row[1] ? in.data[1][rest] : number[1];
        y[rest] = condition[rest] ? a : b;
    }
}

/* A number of the host as an element of `dtype`, through C as the walked kernel takes it. */
static uint64_t bits_of_number(const mp_array *a, mp_dtype dtype) {
    uint64_t bits = 0;
    if (dtype == MP_FLOAT64) mp_store_double(dtype, &bits, mp_host_number<double>(a));
    else if (mp_is_float(dtype)) mp_store_double(dtype, &bits, (double)mp_host_number<float>(a));
    else mp_store_int(dtype, &bits, mp_host_number<int64_t>(a));
    return bits;
}

static bool is_row_like(const mp_array *x, const mp_array *y) {
    return x->size == y->size && x->contiguous && is_aligned(mp_data(x));
}

/* Fills `in` if the dense kernel can do the call. */
template <class U> static bool dense_choice(const mp_call *call, choice<U> *in) {
    const mp_array *condition = call->in[0], *y = call->out[0];
    if (mp_is_host_number(condition) || condition->dtype != MP_BOOL || !is_row_like(condition, y))
        return false;
    if (!y->contiguous || !is_aligned(mp_data(y))) return false;
    for (int k = 0; k < 2; k++) {
        const mp_array *x = call->in[k + 1];
        bool host = mp_is_host_number(x);
        in->value[k] = host ? (U)bits_of_number(x, (mp_dtype)y->dtype) : U(0);
        in->data[k] = host ? NULL : (const U *)mp_data(x);
        in->one[k] = !host && x->size == 1;
        if (!host && (x->dtype != y->dtype || (x->size != 1 && !is_row_like(x, y)))) return false;
    }
    return true;
}

template <class U>
static mp_status launch_choice(const mp_call *call, const mp_cuda_place *place,
                               const choice<U> &in) {
    int64_t n = call->out[0]->size, per_block = MP_CUDA_THREADS * pack_size<U> * 2;
    where_dense<U>
        <<<(unsigned)((n + per_block - 1) / per_block), MP_CUDA_THREADS, 0, place->stream>>>(
            (U *)mp_data(call->out[0]), (const uint8_t *)mp_data(call->in[0]), in, n);
    return MP_CUDA_LAUNCHED();
}

/* Sets *status if the call is one for units U. */
template <class U>
static bool choose_dense(const mp_call *call, const mp_cuda_place *place, mp_status *status) {
    choice<U> in;
    if (mp_itemsize(call->out[0]) != sizeof(U) || !dense_choice<U>(call, &in)) return false;
    *status = launch_choice<U>(call, place, in);
    return true;
}

/* Whether an element of `bytes` bytes is not zero: it is not if the bits of `mask`, all but the
 * sign of a float, are 0. */
static __device__ inline bool is_true(const void *p, int bytes, uint64_t mask) {
    uint64_t bits = bytes == 1   ? *(const uint8_t *)p
                    : bytes == 2 ? *(const uint16_t *)p
                    : bytes == 4 ? *(const uint32_t *)p
                                 : *(const uint64_t *)p;
    return (bits & mask) != 0;
}

/* The condition of the walked kernel: operand 1, or a number. */
struct condition_of {
    int bytes;
    uint64_t mask;
    bool value;
};

/* Any strides and dtypes: operands are y, condition, x1, x2, of which only the chosen is read. */
template <bool WIDE, class C>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    where_walked(const __grid_constant__ mp_walk<4> w,
                 const __grid_constant__ condition_of condition, C first, C second) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < w.size; i += step) {
        char *p[4];
        w.template at<WIDE>(i, p);
        bool chosen = w.data[1] ? is_true(p[1], condition.bytes, condition.mask) : condition.value;
        const char *from = chosen ? p[2] : p[3];
        bool stored = chosen ? w.data[2] != NULL : w.data[3] != NULL;
        C y = chosen ? first : second;
        if (stored) y = load_any<C>(from, chosen ? w.dtype[2] : w.dtype[3]);
        store_any(p[0], w.dtype[0], y);
    }
}

template <class C> static mp_status launch_where(const mp_call *call, const mp_cuda_place *place) {
    mp_array *y = call->out[0], *operands[4] = {y, call->in[0], call->in[1], call->in[2]};
    mp_walk<4> w = mp_walk_of<4>(operands, y->ndim, y->shape);
    const mp_dtype_row *row = &mp_dtypes[call->in[0]->dtype];
    condition_of condition = {row->bytes, ~(uint64_t)0, false};
    if (row->kind == 'F') condition.mask = ~((uint64_t)1 << (8 * row->bytes - 1));
    if (!w.data[1]) condition.value = mp_host_number<double>(call->in[0]) != 0;
    C first = w.data[2] ? C(0) : mp_host_number<C>(call->in[1]);
    C second = w.data[3] ? C(0) : mp_host_number<C>(call->in[2]);
    unsigned blocks = mp_blocks(place, w.size, MP_CUDA_THREADS, 1);
    mp_choose_width(w.size, [&](auto wide) {
        where_walked<wide.value, C>
            <<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(w, condition, first, second);
    });
    return MP_CUDA_LAUNCHED();
}

/* The condition has any dtype and is true where not zero, NaN included. */
extern "C" mp_status mp_cuda_where(mp_call *call) {
    mp_cuda_place place;
    mp_status status;
    if (call->out[0]->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (choose_dense<uint8_t>(call, &place, &status) ||
        choose_dense<uint16_t>(call, &place, &status) ||
        choose_dense<uint32_t>(call, &place, &status) ||
        choose_dense<uint64_t>(call, &place, &status))
        return status;
    switch (mp_compute_of(call, 1, 3, false)) {
    case MP_IN_FLOAT: return launch_where<float>(call, &place);
    case MP_IN_DOUBLE: return launch_where<double>(call, &place);
    default: return launch_where<int64_t>(call, &place); /* uint64 has the same bits */
    }
}
