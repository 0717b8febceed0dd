/* Lookups by integer arrays and their gradients: take along an axis, embedding. An array is seen as
 * outer x extent x inner; an index moves `inner` elements that lie side by side. An index out of
 * range moves zeros and is reported.
 *
 * A gradient row is the sum of the rows that its index named, in the order of their positions, in
 * float32 (float64 where an array is): positions are sorted by index, so that each row knows its
 * own. */
#include <cub/device/device_radix_sort.cuh>

#include "fault.cuh"
#include "walk.cuh"

enum {
    MOVE_UNITS = 4, /* units that a thread has in flight */
    SUM_LOADS = 4,  /* rows that a thread has in flight */
    WINDOW = 64,    /* sorted positions that are summed ahead where all have one index */
};

struct index_array {
    char *data;
    int dtype, bytes;
};

static inline index_array index_array_of(const mp_array *a) {
    return {(char *)mp_data(a), a->dtype, mp_itemsize(a)};
}

static inline int64_t product(const int64_t *shape, int begin, int end) {
    int64_t n = 1;
    for (int d = begin; d < end; d++) n *= shape[d];
    return n;
}

/* ---- indices ---- */

struct index_list {
    index_array indices;
    int64_t count, extent, left_out; /* left_out: an index whose positions add nothing, or -1 */
    bool wrap;                       /* negative ones count from the end */
    int op;
    mp_cuda_fault *fault;
};

static index_list index_list_of(const mp_call *call, const mp_cuda_place &place, int64_t extent,
                                bool wrap) {
    const mp_array *a = call->in[1];
    bool is_signed = mp_dtypes[a->dtype].kind == 'I';
    return {index_array_of(a), a->size, extent, -1, wrap && is_signed, call->op, place.fault};
}

/* The index at a position, in [0, extent), or -1 where it is out of range; that is said if
 * `report`. */
static __device__ inline int64_t index_at(const index_list &list, int64_t position, bool report) {
    const char *p = list.indices.data + position * list.indices.bytes;
    int64_t given;
    switch (list.indices.dtype) {
    case MP_INT8: given = *(const int8_t *)p; break;
    case MP_INT16: given = *(const int16_t *)p; break;
    case MP_INT32: given = *(const int32_t *)p; break;
    case MP_UINT8: given = *(const uint8_t *)p; break;
    case MP_UINT16: given = *(const uint16_t *)p; break;
    case MP_UINT32: given = *(const uint32_t *)p; break;
    default: given = *(const int64_t *)p; break;
    }
    int64_t index = given < 0 && list.wrap ? given + list.extent : given;
    if (index >= 0 && index < list.extent) return index;
    if (report) mp_cuda_report(list.fault, list.op, given, position, list.extent);
    return -1;
}

/* ---- forward ---- */

/* y[o, j, :] = x[o, indices[j], :]; a row is `units` of U. */
struct move_job {
    index_list list;
    const void *x;
    void *y;
    int64_t total; /* units of y */
    mp_divider units, count;
};

/* Reads and writes each row of y's once, and the indices. */
template <bool WIDE, class U>
__global__ void __launch_bounds__(MP_CUDA_THREADS) move_rows(const __grid_constant__ move_job job) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS * MOVE_UNITS;
    int64_t start = (int64_t)blockIdx.x * MP_CUDA_THREADS * MOVE_UNITS + threadIdx.x;
    for (int64_t first = start; first < job.total; first += step) {
        int64_t from[MOVE_UNITS];
        U unit[MOVE_UNITS];
#pragma unroll
        for (int u = 0; u < MOVE_UNITS; u++) {
            int64_t at = first + u * MP_CUDA_THREADS;
            from[u] = -1;
            if (at >= job.total) continue;
            int64_t row = mp_divide<WIDE>(job.units, at), column = at - row * job.units.wide;
            int64_t outer = mp_divide<WIDE>(job.count, row),
                    position = row - outer * job.count.wide;
            int64_t index = index_at(job.list, position, column == 0 && outer == 0);
            if (index >= 0) from[u] = (outer * job.list.extent + index) * job.units.wide + column;
        }
#pragma unroll
        for (int u = 0; u < MOVE_UNITS; u++) {
            unit[u] = U{};
            if (from[u] >= 0) unit[u] = ((const U *)job.x)[from[u]];
        }
#pragma unroll
        for (int u = 0; u < MOVE_UNITS; u++) {
            int64_t at = first + u * MP_CUDA_THREADS;
            if (at < job.total) ((U *)job.y)[at] = unit[u];
        }
    }
}

/* The same where y has another dtype than x, element by element. */
template <class C>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    move_cast(const __grid_constant__ move_job job, index_array x, index_array y) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t at = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; at < job.total;
         at += step) {
        int64_t row = at / job.units.wide, column = at % job.units.wide;
        int64_t outer = row / job.count.wide, position = row % job.count.wide;
        int64_t index = index_at(job.list, position, column == 0 && outer == 0);
        int64_t from = (outer * job.list.extent + index) * job.units.wide + column;
        store_any<C>(y.data + at * y.bytes, y.dtype,
                     index < 0 ? C(0) : load_any<C>(x.data + from * x.bytes, x.dtype));
    }
}

template <class U>
static mp_status launch_move(move_job job, const mp_cuda_place &place, int64_t rows,
                             int64_t bytes) {
    job.units = mp_divider_of(bytes / (int64_t)sizeof(U));
    job.total = rows * job.units.wide;
    unsigned blocks = mp_blocks(&place, job.total, MP_CUDA_THREADS, MOVE_UNITS);
    mp_choose_width(job.total + (int64_t)blocks * MP_CUDA_THREADS * MOVE_UNITS, [&](auto wide) {
        move_rows<wide.value, U><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    });
    return MP_CUDA_LAUNCHED();
}

static mp_status launch_cast(move_job job, const mp_cuda_place &place, const mp_array *x,
                             const mp_array *y) {
    bool real = mp_is_float((mp_dtype)x->dtype) || mp_is_float((mp_dtype)y->dtype);
    unsigned blocks = mp_blocks(&place, job.total, MP_CUDA_THREADS, 1);
    index_array from = index_array_of(x), to = index_array_of(y);
    if (real) move_cast<double><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, from, to);
    else move_cast<int64_t><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, from, to);
    return MP_CUDA_LAUNCHED();
}

static mp_status take(mp_call *call, int axis, bool wrap) {
    const mp_array *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    int64_t inner = product(x->shape, axis + 1, x->ndim), bytes = inner * mp_itemsize(x);
    int64_t rows = product(x->shape, 0, axis) * indices->size;
    move_job job = {index_list_of(call, place, x->shape[axis], wrap),
                    mp_data(x),
                    mp_data(y),
                    y->size,
                    mp_divider_of(inner),
                    mp_divider_of(indices->size)};
    if (x->dtype != y->dtype) return launch_cast(job, place, x, y);
    uintptr_t odd =
        (uintptr_t)bytes | (uintptr_t)mp_data(x) | (uintptr_t)mp_data(y); /* its low bits: of any */
    if (odd % 16 == 0) return launch_move<uint4>(job, place, rows, bytes);
    if (odd % 8 == 0) return launch_move<uint64_t>(job, place, rows, bytes);
    if (odd % 4 == 0) return launch_move<uint32_t>(job, place, rows, bytes);
    if (odd % 2 == 0) return launch_move<uint16_t>(job, place, rows, bytes);
    return launch_move<uint8_t>(job, place, rows, bytes);
}

/* y[o, j, :] = x[o, indices[j], :] */
extern "C" mp_status mp_cuda_take(mp_call *call) { return take(call, (int)call->attrs.axis, true); }
/* y[j, :] = weight[indices[j], :] */
extern "C" mp_status mp_cuda_embedding(mp_call *call) { return take(call, 0, false); }

/* ---- backward: sorting positions by index ---- */

/* The index of each position; `extent`, which sorts last, for those that add nothing. */
template <class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    index_keys(const __grid_constant__ index_list list, K *keys, K *positions) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t j = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; j < list.count;
         j += step) {
        int64_t index = index_at(list, j, true);
        keys[j] = (K)(index < 0 || index == list.left_out ? list.extent : index);
        positions[j] = (K)j;
    }
}

/* start[i]: how many of the sorted keys are less than i, for i up to extent. */
template <class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    index_starts(const K *keys, K *start, int64_t count, int64_t extent) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i <= extent; i += step) {
        int64_t low = 0, high = count;
        while (low < high) {
            int64_t middle = (low + high) / 2;
            if ((int64_t)keys[middle] < i) low = middle + 1;
            else high = middle;
        }
        start[i] = (K)low;
    }
}

/* ---- backward: sums ---- */

/* gx[o, i, :] is the sum of gy[o, order[k], :] for k from start[i] up to start[i + 1]. A window is
 * WINDOW sorted positions; where all have one index, windows[o, window, :] is their sum. */
template <class K> struct sum_job {
    index_array gy, gx;
    const K *keys, *order, *start;
    void *windows; /* of C, or NULL: there are none */
    int64_t outer, extent, inner, count, n_windows;
};

/* V elements of gy's type T, or of its dtype where T is void, added to sum. */
template <class C, class T, int V, class K>
static __device__ inline void add_rows(const sum_job<K> &job, int64_t outer, int64_t column,
                                       int64_t first, int64_t end, C (&sum)[V]) {
    for (int64_t k = first; k < end; k += SUM_LOADS) {
        if constexpr (std::is_void_v<T>) {
            C x[SUM_LOADS];
#pragma unroll
            for (int u = 0; u < SUM_LOADS; u++) {
                if (k + u >= end) continue;
                int64_t from = (outer * job.count + (int64_t)job.order[k + u]) * job.inner + column;
                x[u] = load_any<C>(job.gy.data + from * job.gy.bytes, job.gy.dtype);
            }
#pragma unroll
            for (int u = 0; u < SUM_LOADS; u++)
                if (k + u < end) sum[0] += x[u];
        } else {
            mp_pack<T, V> x[SUM_LOADS];
#pragma unroll
            for (int u = 0; u < SUM_LOADS; u++) {
                if (k + u >= end) continue;
                int64_t from = (outer * job.count + (int64_t)job.order[k + u]) * job.inner + column;
                x[u] = load_pack<T, V>((const T *)job.gy.data + from);
            }
#pragma unroll
            for (int u = 0; u < SUM_LOADS; u++) {
                if (k + u >= end) continue;
#pragma unroll
                for (int i = 0; i < V; i++) sum[i] += widen<C>(x[u].v[i]);
            }
        }
    }
}

/* Sums of windows with one index; a thread has V columns of a window. */
template <class C, class T, int V, class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    sum_windows(const __grid_constant__ sum_job<K> job) {
    int64_t packs = job.inner / V, total = job.outer * job.n_windows * packs;
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t at = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; at < total; at += step) {
        int64_t row = at / packs, column = at % packs * V, outer = row / job.n_windows;
        int64_t first = row % job.n_windows * WINDOW, index = (int64_t)job.keys[first];
        if (index == job.extent || index != (int64_t)job.keys[first + WINDOW - 1]) continue;
        C sum[V] = {};
        add_rows<C, T, V, K>(job, outer, column, first, first + WINDOW, sum);
        mp_pack<C, V> out;
#pragma unroll
        for (int i = 0; i < V; i++) out.v[i] = sum[i];
        store_pack<C, V>((C *)job.windows + row * job.inner + column, out);
    }
}

/* gx; a thread has V columns of a row. Reads each row of gy that counts once, writes gx, zeros
 * included. */
template <class C, class T, int V, class K>
__global__ void __launch_bounds__(MP_CUDA_THREADS)
    sum_rows(const __grid_constant__ sum_job<K> job) {
    int64_t packs = job.inner / V, total = job.outer * job.extent * packs;
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t at = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; at < total; at += step) {
        int64_t row = at / packs, column = at % packs * V, outer = row / job.extent,
                index = row % job.extent;
        int64_t begin = (int64_t)job.start[index], end = (int64_t)job.start[index + 1];
        int64_t whole = (begin + WINDOW - 1) / WINDOW,
                past = end / WINDOW; /* windows of this index alone */
        C sum[V] = {};
        if (!job.windows || whole >= past) {
            add_rows<C, T, V, K>(job, outer, column, begin, end, sum);
        } else {
            add_rows<C, T, V, K>(job, outer, column, begin, whole * WINDOW, sum);
            const C *window =
                (const C *)job.windows + (outer * job.n_windows + whole) * job.inner + column;
#pragma unroll 4
            for (int64_t k = whole; k < past; k++, window += job.inner) {
                mp_pack<C, V> x = load_pack<C, V>(window);
#pragma unroll
                for (int i = 0; i < V; i++) sum[i] += x.v[i];
            }
            add_rows<C, T, V, K>(job, outer, column, past * WINDOW, end, sum);
        }
        int64_t to = row * job.inner + column;
        if constexpr (std::is_void_v<T>) {
            store_any<C>(job.gx.data + to * job.gx.bytes, job.gx.dtype, sum[0]);
        } else {
            mp_pack<T, V> out;
#pragma unroll
            for (int i = 0; i < V; i++) out.v[i] = narrow<T>(sum[i]);
            store_pack<T, V>((T *)job.gx.data + to, out);
        }
    }
}

template <class C, class T, int V, class K>
static mp_status launch_sums(sum_job<K> job, const mp_cuda_place &place) {
    int64_t rows = job.outer * job.n_windows, packs = job.inner / V;
    size_t bytes = (size_t)(rows * job.inner) * sizeof(C);
    if (rows > 0) {
        MP_TRY(mp_cuda_scratch(&place, bytes, &job.windows));
        sum_windows<C, T, V, K><<<mp_blocks(&place, rows * packs, MP_CUDA_THREADS, 1),
                                  MP_CUDA_THREADS, 0, place.stream>>>(job);
    }
    sum_rows<C, T, V, K><<<mp_blocks(&place, job.outer * job.extent * packs, MP_CUDA_THREADS, 1),
                           MP_CUDA_THREADS, 0, place.stream>>>(job);
    if (rows > 0) mp_cuda_scratch_free(&place, job.windows, bytes);
    return MP_CUDA_LAUNCHED();
}

template <class K> static mp_status choose_sums(const sum_job<K> &job, const mp_cuda_place &place) {
    bool wide = job.gy.dtype == MP_FLOAT64 || job.gx.dtype == MP_FLOAT64;
    mp_status status;
    if (wide) return launch_sums<double, void, 1, K>(job, place);
    if (job.gy.dtype == job.gx.dtype && is_aligned(job.gy.data) && is_aligned(job.gx.data) &&
        job.inner * job.gy.bytes % 16 == 0 && visit_common(job.gy.dtype, &status, [&](auto t) {
            using T = typename decltype(t)::type;
            return launch_sums<float, T, pack_size<T>, K>(job, place);
        }))
        return status;
    return launch_sums<float, void, 1, K>(job, place);
}

/* ---- backward: the call ---- */

static int bits_of(int64_t n) {
    int bits = 0;
    while (n >> bits) bits++;
    return bits;
}

/* Scratch of a call: keys and positions, sorted and not, the starts, and what the sort needs. */
template <class K> struct sort_room {
    K *keys, *positions, *sorted, *order, *start;
    void *temporary;
    size_t temporary_bytes, bytes;
};

template <class K>
static mp_status sort_positions(const index_list &list, const mp_cuda_place &place,
                                sort_room<K> *room) {
    int64_t n = list.count, padded = (n + 31) / 32 * 32, rows = (list.extent + 1 + 31) / 32 * 32;
    int bits = bits_of(list.extent);
    room->temporary_bytes = 0;
    MP_CUDA_TRY(cub::DeviceRadixSort::SortPairs(NULL, room->temporary_bytes, (const K *)NULL,
                                                (K *)NULL, (const K *)NULL, (K *)NULL, (K)n, 0,
                                                bits, place.stream));
    size_t arrays = (size_t)(4 * padded + rows) * sizeof(K);
    room->bytes = arrays + room->temporary_bytes;
    MP_TRY(mp_cuda_scratch(&place, room->bytes, (void **)&room->keys));
    room->positions = room->keys + padded, room->sorted = room->positions + padded;
    room->order = room->sorted + padded, room->start = room->order + padded;
    room->temporary = (char *)room->keys + arrays;
    index_keys<K><<<mp_blocks(&place, n, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0, place.stream>>>(
        list, room->keys, room->positions);
    mp_status status =
        mp_cuda_check(cub::DeviceRadixSort::SortPairs(room->temporary, room->temporary_bytes,
                                                      room->keys, room->sorted, room->positions,
                                                      room->order, (K)n, 0, bits, place.stream),
                      "radix sort");
    if (status != MP_OK) {
        mp_cuda_scratch_free(&place, room->keys, room->bytes);
        return status;
    }
    index_starts<K><<<mp_blocks(&place, list.extent + 1, MP_CUDA_THREADS, 1), MP_CUDA_THREADS, 0,
                      place.stream>>>(room->sorted, room->start, n, list.extent);
    return MP_OK;
}

template <class K>
static mp_status add_back_by(const index_list &list, const mp_cuda_place &place, const mp_array *gy,
                             const mp_array *gx, int axis) {
    sort_room<K> room;
    MP_TRY(sort_positions(list, place, &room));
    sum_job<K> job = {};
    job.gy = index_array_of(gy), job.gx = index_array_of(gx);
    job.keys = room.sorted, job.order = room.order, job.start = room.start;
    job.outer = product(gx->shape, 0, axis), job.extent = list.extent;
    job.inner = product(gx->shape, axis + 1, gx->ndim), job.count = list.count;
    job.n_windows = list.count >= 2 * WINDOW ? list.count / WINDOW : 0;
    mp_status status = choose_sums(job, place);
    mp_cuda_scratch_free(&place, room.keys, room.bytes);
    return status;
}

/* gx[o, i, :] = sum over j with indices[j] == i of gy[o, j, :]; positions with index `left_out` add
 * nothing. */
static mp_status add_back(mp_call *call, int axis, bool wrap, int64_t left_out) {
    const mp_array *gy = call->in[0], *gx = call->out[0];
    mp_cuda_place place;
    if (gx->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    index_list list = index_list_of(call, place, gx->shape[axis], wrap);
    list.left_out = left_out;
    if (list.count == 0) {
        MP_CUDA_TRY(
            cudaMemsetAsync(mp_data(gx), 0, (size_t)gx->size * mp_itemsize(gx), place.stream));
        return MP_OK;
    }
    bool wide = list.count > INT32_MAX || list.extent > INT32_MAX;
    return wide ? add_back_by<uint64_t>(list, place, gy, gx, axis)
                : add_back_by<uint32_t>(list, place, gy, gx, axis);
}

extern "C" mp_status mp_cuda_take_bwd(mp_call *call) {
    return add_back(call, (int)call->attrs.axis, true, -1);
}
extern "C" mp_status mp_cuda_embedding_bwd(mp_call *call) {
    return add_back(call, 0, false, call->attrs.padding_idx);
}
