/* A part in a frame, on CUDA: paddings and the gradient of a slice. Every element of the result is
 * written once. */
#include "shape.cuh"

/* y, contiguous, is x where its indices are start + i * step (0 <= i < the extents of x), else a
 * value. In units of some bytes; strides in bytes. */
struct frame {
    int ndim;
    int64_t size;
    mp_divider extent[MP_CUDA_DIMS], step[MP_CUDA_DIMS];
    int64_t start[MP_CUDA_DIMS], reach[MP_CUDA_DIMS]; /* x lies in [start, start + reach) */
    int64_t stride[MP_CUDA_DIMS];
    char *y;
    const char *x;
};

/* Writes y once, reads x once. */
template <bool WIDE, class U>
static __global__ void __launch_bounds__(MP_CUDA_THREADS)
    write_frame(const __grid_constant__ frame f, U value) {
    constexpr int EACH = 4;
    int64_t blocks = (int64_t)gridDim.x * MP_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * MP_CUDA_THREADS + threadIdx.x; i < f.size;
         i += EACH * blocks) {
        U u[EACH];
#pragma unroll
        for (int e = 0; e < EACH; e++) {
            int64_t index = i + e * blocks, from = 0;
            bool inside = index < f.size;
#pragma unroll
            for (int d = MP_CUDA_DIMS - 1; d >= 0; d--) {
                if (d >= f.ndim) continue;
                int64_t above = d > 0 ? mp_divide<WIDE>(f.extent[d], index) : 0;
                int64_t here = index - above * f.extent[d].wide - f.start[d];
                int64_t k =
                    mp_divide<WIDE>(f.step[d], here); /* any number where here is negative */
                inside = inside && here >= 0 && here < f.reach[d] && k * f.step[d].wide == here;
                from += k * f.stride[d];
                index = above;
            }
            u[e] = value;
            if (inside) u[e] = *(const U *)(f.x + from);
        }
#pragma unroll
        for (int e = 0; e < EACH; e++)
            if (i + e * blocks < f.size) ((U *)f.y)[i + e * blocks] = u[e];
    }
}

/* Every byte of y is of the value. */
static void frame_empty(frame *f, const mp_array *y) {
    f->ndim = 1;
    f->size = y->size;
    f->extent[0] = mp_divider_of(y->size);
    f->step[0] = mp_divider_of(1);
    f->start[0] = f->reach[0] = f->stride[0] = 0;
    f->x = f->y = (char *)mp_data(y);
}

/* Dimensions that x fills are merged with those before them. */
static void frame_around(frame *f, const mp_array *y, const mp_array *x, const int64_t *starts,
                         const int64_t *steps) {
    int64_t item = mp_itemsize(y), kept = 0;
    frame_empty(f, y);
    f->reach[0] = 1; /* of the one element, if all extents are 1 */
    f->x = (const char *)mp_data(x);
    for (int d = 0; d < y->ndim; d++) {
        int64_t extent = y->shape[d], n = x->shape[d], start = starts[d],
                stride = x->strides[d] * item;
        int64_t step = n > 1 ? steps[d] : 1;
        if (extent == 1) continue;
        if (step < 0) { /* from its other end */
            start += (n - 1) * step;
            f->x += (n - 1) * stride;
            stride = -stride;
            step = -step;
        }
        int64_t last = kept - 1, reach = (n - 1) * step + 1;
        bool whole = step == 1 && n == extent;
        if (last >= 0 && whole && f->step[last].wide == 1 && f->stride[last] == stride * n) {
            f->extent[last] = mp_divider_of(f->extent[last].wide * extent);
            f->start[last] *= extent;
            f->reach[last] *= extent;
            f->stride[last] = stride;
            continue;
        }
        f->extent[kept] = mp_divider_of(extent);
        f->step[kept] = mp_divider_of(step);
        f->start[kept] = start;
        f->reach[kept] = reach;
        f->stride[kept++] = stride;
    }
    if (kept > 0) f->ndim = (int)kept;
}

/* Makes the innermost elements wider units, if x is dense along them; returns their bytes. */
static int widen_frame(frame *f, int item) {
    int inner = f->ndim - 1;
    bool empty = f->reach[inner] == 0;
    if (f->step[inner].wide != 1 || (!empty && f->stride[inner] != item)) return item;
    int64_t row = f->extent[inner].wide * item, start = f->start[inner] * item,
            reach = f->reach[inner] * item;
    uint64_t bits =
        (uintptr_t)f->y | (uintptr_t)f->x | (uint64_t)row | (uint64_t)start | (uint64_t)reach;
    for (int d = 0; d < inner; d++) bits |= (uint64_t)f->stride[d];
    int unit = unit_of(bits, item);
    f->extent[inner] = mp_divider_of(row / unit);
    f->start[inner] = start / unit;
    f->reach[inner] = reach / unit;
    f->stride[inner] = unit;
    f->size = f->size * item / unit;
    return unit;
}

static mp_status launch_frame(const mp_cuda_place *place, frame *f, mp_dtype dtype, double value) {
    int item = mp_dtypes[dtype].bytes;
    uint64_t bits[2] = {0};
    mp_store_double(dtype, bits, value);
    for (int width = item; width < 8; width *= 2) bits[0] |= bits[0] << (8 * width);
    bits[1] = bits[0];
    return visit_unit(widen_frame(f, item), [&](auto unit) {
        using U = typename decltype(unit)::type;
        U around;
        memcpy(&around, bits, sizeof around);
        unsigned blocks = mp_blocks(place, f->size, MP_CUDA_THREADS, 4);
        mp_choose_width(f->size, [&](auto wide) {
            write_frame<wide.value, U><<<blocks, MP_CUDA_THREADS, 0, place->stream>>>(*f, around);
        });
        return MP_CUDA_LAUNCHED();
    });
}

/* out[0] = in[0] at starts + i * steps, `value` elsewhere: one pass, or two where the dtypes
 * differ. */
static mp_status write_framed(mp_call *call, const int64_t *starts, const int64_t *steps,
                              double value) {
    mp_array *x = call->in[0], *y = call->out[0];
    int64_t strides[MP_CUDA_DIMS], offset = 0;
    mp_cuda_place place;
    frame f;
    if (y->size == 0) return MP_OK;
    MP_TRY(mp_cuda_enter(call->device, &place));
    bool once = x->size > 0 && x->dtype == y->dtype;
    if (once) frame_around(&f, y, x, starts, steps);
    else frame_empty(&f, y);
    MP_TRY(launch_frame(&place, &f, (mp_dtype)y->dtype, value));
    if (once) return MP_OK;
    for (int d = 0; d < x->ndim; d++) {
        strides[d] = y->strides[d] * steps[d];
        offset += y->strides[d] * starts[d];
    }
    mp_array part = part_of(y, x->ndim, x->shape, strides, offset);
    return mp_cuda_transfer(&place, &part, x);
}

/* gx = zeros, with gy at starts + i * steps. geometry: starts, steps, extents. */
extern "C" mp_status mp_cuda_slice_bwd(mp_call *call) {
    const int64_t *starts = call->attrs.ints;
    return write_framed(call, starts, starts + call->in[0]->ndim, 0);
}

/* x with pads[2 d] and pads[2 d + 1] elements of `value` before and after axis d. */
extern "C" mp_status mp_cuda_pad(mp_call *call) {
    int64_t starts[MP_CUDA_DIMS], steps[MP_CUDA_DIMS];
    for (int d = 0; d < call->in[0]->ndim; d++) {
        starts[d] = call->attrs.ints[2 * d];
        steps[d] = 1;
    }
    return write_framed(call, starts, steps, call->attrs.value);
}
