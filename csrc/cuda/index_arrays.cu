/* Indexing by arrays on CUDA: reading, replacing and adding to the elements of x that index arrays
 * select. One kernel per index array makes places, in bytes from where the walk along x's own axes
 * has come to; the last one moves elements.
 *
 * An index out of range moves nothing (a read gives zeros) and is reported. Of an element that is
 * replaced several times any value may stay; sums are made by atomic additions, in any order. */
#include "../index.h"
#include "fault.cuh"
#include "shape.cuh"

static const int64_t NOWHERE = INT64_MIN; /* the place of an index out of range */

/* ---- places ---- */

struct place_job {
    mp_walk<1> walk; /* of one array, broadcast to the arrays' common shape */
    int64_t *places;
    int64_t extent, shape[MP_CUDA_DIMS], strides[MP_CUDA_DIMS]; /* of the axes it counts through */
    int span, bytes, op;
    bool first, wrap; /* first: places are written, not added to */
    mp_cuda_fault *fault;
};

/* Reads the indices once, writes a place for each. */
template <bool WIDE>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    make_places(const __grid_constant__ place_job job) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < job.walk.size;
         i += step) {
        char *p[1];
        job.walk.at<WIDE>(i, p);
        int64_t given = load_any<int64_t>(p[0], job.walk.dtype[0]);
        int64_t index = given < 0 && job.wrap ? given + job.extent : given;
        bool inside = index >= 0 && index < job.extent;
        if (!inside) mp_cuda_report(job.fault, job.op, given, i, job.extent);
        int64_t before = job.first ? 0 : job.places[i];
        int64_t place = mp_index_place(inside ? index : 0, job.span, job.shape, job.strides);
        job.places[i] = inside && before != NOWHERE ? before + place * job.bytes : NOWHERE;
    }
}

static mp_status add_places(const mp_call *call, const mp_cuda_place &place, const mp_array *x,
                            mp_array *array, mp_index_part part, const mp_selection &s,
                            int64_t *places, bool first) {
    mp_array *operands[1] = {array};
    place_job job = {};
    job.walk = mp_walk_of<1>(operands, s.wide, s.array_shape);
    job.places = places;
    job.extent = mp_index_extent(x, part);
    int axis = part.axis;
    job.span = part.span;
    if (mp_index_even(x, part)) { /* as one axis */
        axis += part.span - 1;
        job.span = 1;
    }
    for (int d = 0; d < job.span; d++) {
        job.shape[d] = x->shape[axis + d];
        job.strides[d] = x->strides[axis + d];
    }
    job.bytes = mp_itemsize(x), job.op = call->op, job.first = first;
    job.wrap = mp_dtypes[array->dtype].kind == 'I';
    job.fault = place.fault;
    unsigned blocks = mp_blocks(&place, job.walk.size, MP_CUDA_THREADS, 1);
    mp_choose_width(job.walk.size, [&](auto wide) {
        make_places<wide.value><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job);
    });
    return MP_CUDA_LAUNCHED();
}

/* ---- moving ---- */

enum { OTHER, X, PLACES }; /* the walk's operands; OTHER: y, or the value */

struct move_job {
    mp_walk<3> walk;
};

/* Calls move(other, x) for each element of the selection; x is NULL where an index is out of range.
 */
template <bool WIDE, class Move>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    move_elements(const __grid_constant__ move_job job, const Move move) {
    int64_t step = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < job.walk.size;
         i += step) {
        char *p[3];
        job.walk.at<WIDE>(i, p);
        int64_t place = *(const int64_t *)p[PLACES];
        move(p[OTHER], place == NOWHERE ? (char *)NULL : p[X] + place);
    }
}

template <class U> struct get_unit {
    __device__ inline void operator()(char *y, char *x) const { *(U *)y = x ? *(const U *)x : U{}; }
};

template <class U> struct put_unit {
    __device__ inline void operator()(char *value, char *x) const {
        if (x) *(U *)x = *(const U *)value;
    }
};

template <class C> struct get_cast {
    int from, to;
    __device__ inline void operator()(char *y, char *x) const {
        store_any<C>(y, to, x ? load_any<C>(x, from) : C(0));
    }
};

template <class C> struct put_cast {
    int from, to;
    __device__ inline void operator()(char *value, char *x) const {
        if (x) store_any<C>(x, to, load_any<C>(value, from));
    }
};

/* An integer of one or two bytes is part of a word that is compared and exchanged. */
static __device__ inline void add_small(char *x, int dtype, int64_t value) {
    uintptr_t address = (uintptr_t)x;
    unsigned *word = (unsigned *)(address & ~(uintptr_t)3);
    unsigned old = *word, seen;
    do {
        seen = old;
        unsigned sum = seen;
        char *element = (char *)&sum + (address & 3);
        store_any<int64_t>(element, dtype, load_any<int64_t>(element, dtype) + value);
        old = atomicCAS(word, seen, sum);
    } while (old != seen);
}

/* Integers wrap around, whatever their sign. */
template <class C> struct add_to {
    int from, to, bytes;
    __device__ inline void operator()(char *value, char *x) const {
        if (!x) return;
        C v = load_any<C>(value, from);
        if (bytes < 4) add_small(x, to, (int64_t)v);
        else if (to == MP_FLOAT32) atomicAdd((float *)x, (float)v);
        else if (to == MP_FLOAT64) atomicAdd((double *)x, (double)v);
        else if (bytes == 4) atomicAdd((unsigned *)x, (unsigned)(int64_t)v);
        else atomicAdd((unsigned long long *)x, (unsigned long long)(int64_t)v);
    }
};

template <class Move>
static mp_status launch_move(const move_job &job, const mp_cuda_place &place, const Move &move) {
    unsigned blocks = mp_blocks(&place, job.walk.size, MP_CUDA_THREADS, 1);
    mp_choose_width(job.walk.size, [&](auto wide) {
        move_elements<wide.value, Move><<<blocks, MP_CUDA_THREADS, 0, place.stream>>>(job, move);
    });
    return MP_CUDA_LAUNCHED();
}

/* Bytes where the dtypes agree. */
template <template <class> class Unit, template <class> class Cast>
static mp_status move_any(const move_job &job, const mp_cuda_place &place, int from, int to) {
    if (from == to)
        return visit_unit(mp_dtypes[to].bytes, [&](auto unit) {
            return launch_move(job, place, Unit<typename decltype(unit)::type>{});
        });
    return visit_between((mp_dtype)from, (mp_dtype)to, [&](auto c) {
        return launch_move(job, place, Cast<typename decltype(c)::type>{from, to});
    });
}

static mp_status add_any(const move_job &job, const mp_cuda_place &place, int from, int to) {
    int bytes = mp_dtypes[to].bytes;
    if (to == MP_FLOAT64) return launch_move(job, place, add_to<double>{from, to, bytes});
    if (mp_is_float((mp_dtype)to)) return launch_move(job, place, add_to<float>{from, to, bytes});
    return launch_move(job, place, add_to<int64_t>{from, to, bytes});
}

/* ---- the calls ---- */

static mp_array stand_in(mp_storage *storage, mp_dtype dtype, const mp_selection &s,
                         const int64_t *strides) {
    mp_array a = {};
    a.dtype = (int8_t)dtype;
    a.ndim = (int8_t)s.ndim;
    a.storage = storage;
    for (int d = 0; d < s.ndim; d++) {
        a.shape[d] = s.shape[d];
        a.strides[d] = strides[d];
    }
    return a;
}

/* Makes the places in[first ...] of x, then run(job) with the walk of `other`, x and places. */
template <class Run>
static mp_status with_places(const mp_call *call, const mp_cuda_place &place, int first,
                             const mp_array *x, mp_array *other, const Run &run) {
    mp_selection s;
    int n = call->n_in - first;
    mp_storage elements = {}, places = {};
    mp_select(x, n, call->in + first, &call->attrs, &s);
    for (int d = 0; d < s.ndim; d++)
        if (s.shape[d] == 0) return MP_OK;
    if (s.ndim > MP_CUDA_DIMS)
        return mp_fail(MP_ERR_NOT_IMPLEMENTED,
                       "the selection has %d dimensions, at most %d are possible on cuda", s.ndim,
                       MP_CUDA_DIMS);
    size_t bytes = (size_t)s.count * sizeof(int64_t);
    MP_TRY(mp_cuda_scratch(&place, bytes, &places.data));
    mp_status status = MP_OK;
    for (int k = 0; k < n && status == MP_OK; k++)
        status = add_places(call, place, x, call->in[first + k], mp_index_part_of(&call->attrs, k),
                            s, (int64_t *)places.data, k == 0);
    if (status == MP_OK) {
        elements.device = places.device = call->device;
        elements.data = mp_data(x);
        mp_array from = stand_in(&elements, (mp_dtype)x->dtype, s, s.strides);
        mp_array where = stand_in(&places, MP_INT64, s, s.place_strides);
        mp_array *operands[3] = {other, &from, &where};
        move_job job;
        job.walk = mp_walk_of<3>(operands, s.ndim, s.shape);
        status = run(job);
    }
    mp_cuda_scratch_free(&place, places.data, bytes);
    return status;
}

extern "C" mp_status mp_cuda_index(mp_call *call) {
    const mp_array *x = call->in[0];
    mp_array *y = call->out[0];
    mp_cuda_place place;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    return with_places(call, place, 1, x, y, [&](const move_job &job) {
        return move_any<get_unit, get_cast>(job, place, x->dtype, y->dtype);
    });
}

/* Out of place, what stays is copied first. */
static mp_status keep_rest(const mp_call *call, const mp_cuda_place &place) {
    const mp_array *x = call->in[0], *y = call->out[0];
    bool in_place = mp_data(x) == mp_data(y);
    return in_place || y->size == 0 ? MP_OK : mp_cuda_transfer(&place, y, x);
}

extern "C" mp_status mp_cuda_index_put(mp_call *call) {
    mp_array *value = call->in[1], *y = call->out[0];
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    MP_TRY(keep_rest(call, place));
    return with_places(call, place, 2, y, value, [&](const move_job &job) {
        return move_any<put_unit, put_cast>(job, place, value->dtype, y->dtype);
    });
}

static mp_status add(const mp_call *call, const mp_cuda_place &place, const mp_array *x) {
    mp_array *value = call->in[1];
    return with_places(call, place, 2, x, value, [&](const move_job &job) {
        return add_any(job, place, value->dtype, x->dtype);
    });
}

/* Narrow elements are summed in float32, in a copy, and rounded once. */
static mp_status add_wide(const mp_call *call, const mp_cuda_place &place) {
    mp_array *y = call->out[0];
    mp_storage storage = {};
    size_t bytes = (size_t)y->size * sizeof(float);
    int64_t stride = 1;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_scratch(&place, bytes, &storage.data));
    storage.device = call->device;
    mp_array sum = part_of(y, y->ndim, y->shape, y->strides, -y->offset);
    sum.storage = &storage;
    sum.dtype = MP_FLOAT32;
    for (int d = y->ndim - 1; d >= 0; d--) {
        sum.strides[d] = stride;
        stride *= y->shape[d];
    }
    mp_status status = mp_cuda_transfer(&place, &sum, call->in[0]);
    if (status == MP_OK) status = add(call, place, &sum);
    if (status == MP_OK) status = mp_cuda_transfer(&place, y, &sum);
    mp_cuda_scratch_free(&place, storage.data, bytes);
    return status;
}

extern "C" mp_status mp_cuda_index_add(mp_call *call) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(call->device, &place));
    if (mp_is_narrow((mp_dtype)call->out[0]->dtype)) return add_wide(call, place);
    MP_TRY(keep_rest(call, place));
    return add(call, place, call->out[0]);
}
