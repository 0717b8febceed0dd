/* Rules of casts, copies and views. A view's infer makes the view; its gradient is again a view
 * wherever it can be. */
#include <stdlib.h>
#include <string.h>

#include "rules.h"

/* ---- casts and copies ---- */

/* The elements of x in another dtype. */
mp_status mp_infer_cast(mp_call *call) {
    mp_spec_take(&call->spec[0], call->in[0]);
    if (call->attrs.dtype == MP_NO_DTYPE) return mp_fail(MP_ERR_TYPE, "dtype is missing");
    call->spec[0].dtype = call->attrs.dtype;
    return MP_OK;
}

mp_status mp_infer_copy(mp_call *call) {
    mp_spec_take(&call->spec[0], call->in[0]);
    return MP_OK;
}

/* The tape casts the gradient to the input's dtype. */
mp_status mp_vjp_cast(mp_backward *b) {
    b->gx[0] = mp_array_ref(b->gy[0]);
    return MP_OK;
}

mp_status mp_vjp_copy(mp_backward *b) { return mp_vjp_cast(b); }

/* ---- reshape ---- */

/* Writes -1's extent. */
static mp_status complete_shape(const mp_array *x, int ndim, int64_t *shape) {
    int open = -1;
    int64_t known = 1;
    if (ndim > MP_MAX_DIMS) return mp_rule_count(ndim, shape, &known);
    for (int i = 0; i < ndim; i++) {
        if (shape[i] == -1) {
            if (open >= 0)
                return mp_fail(MP_ERR_VALUE, "shape %s has more than one -1",
                               mp_shape_text(ndim, shape));
            open = i;
        } else if (shape[i] < 0) {
            return mp_fail(MP_ERR_VALUE, "shape %s has a negative extent",
                           mp_shape_text(ndim, shape));
        } else if (__builtin_mul_overflow(known, shape[i], &known)) {
            return mp_fail(MP_ERR_VALUE, "shape %s has more elements than 64 bits can count",
                           mp_shape_text(ndim, shape));
        }
    }
    if (open >= 0 && known != 0 && x->size % known == 0) {
        shape[open] = x->size / known;
        known = x->size;
        open = -1;
    }
    if (open < 0 && known == x->size) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "an array of %lld elements and shape %s cannot be reshaped to %s",
                   (long long)x->size, mp_shape_text(x->ndim, x->shape),
                   mp_shape_text(ndim, shape));
}

/* Strides with which x, as it lies in memory, has the new shape (of as many elements); false if
 * there are none. */
static bool strides_of_shape(const mp_array *x, int ndim, const int64_t *shape, int64_t *strides) {
    if (x->contiguous) {
        int64_t stride = 1;
        for (int i = ndim - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= shape[i];
        }
        return true;
    }
    int to = ndim - 1;
    int64_t base = x->strides[x->ndim - 1], old_count = 1, new_count = 1;
    for (int from = x->ndim - 1; from >= 0; from--) {
        old_count *= x->shape[from];
        /* a run of old axes ends where the next one does not continue it */
        if (from > 0 && (x->shape[from - 1] == 1 || x->strides[from - 1] == old_count * base))
            continue;
        while (to >= 0 && (new_count < old_count || shape[to] == 1)) {
            strides[to] = new_count * base;
            new_count *= shape[to--];
        }
        if (new_count != old_count) return false;
        if (from > 0) base = x->strides[from - 1];
        old_count = new_count = 1;
    }
    return to == -1;
}

/* A view of `dense`, which is x itself or a copy of it: a view of a copy aliases nobody. */
static mp_status view_dense(mp_array *x, mp_array *dense, int ndim, const int64_t *shape,
                            const int64_t *strides, int64_t offset, mp_array **out) {
    if (dense == x) return mp_array_view(x, ndim, shape, strides, offset, out);
    MP_TRY(mp_array_over(dense->storage, (mp_dtype)x->dtype, ndim, shape, strides, offset, out));
    (*out)->edge.dtype = x->dtype;
    return MP_OK;
}

/* x in another shape of as many elements, one extent of which may be -1: a view where the strides
 * allow it, else a copy. */
mp_status mp_infer_reshape(mp_call *call) {
    mp_array *x = call->in[0], *copy;
    int64_t *shape = call->attrs.ints, strides[MP_MAX_DIMS];
    int ndim = 0;
    MP_TRY(mp_rule_ints(call, "shape", &ndim));
    MP_TRY(complete_shape(x, ndim, shape));
    if (strides_of_shape(x, ndim, shape, strides))
        return mp_array_view(x, ndim, shape, strides, x->offset, &call->out[0]);
    MP_TRY(mp_array_contiguous(x, &copy));
    strides_of_shape(copy, ndim, shape, strides);
    mp_status status = view_dense(x, copy, ndim, shape, strides, copy->offset, &call->out[0]);
    mp_array_unref(copy);
    return status;
}

mp_status mp_vjp_reshape(mp_backward *b) {
    return mp_reshape(b->gy[0], b->in_spec[0].ndim, b->in_spec[0].shape, &b->gx[0]);
}

/* ---- permute and expand ---- */

/* Axis i of the view is axis perm[i] of x; None reverses them. */
mp_status mp_infer_permute(mp_call *call) {
    mp_array *x = call->in[0];
    mp_attrs *attrs = &call->attrs;
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS];
    unsigned seen = 0;
    if (attrs->n_ints == MP_ALL) {
        attrs->n_ints = (uint8_t)x->ndim;
        for (int i = 0; i < x->ndim; i++) attrs->ints[i] = x->ndim - 1 - i;
    }
    if (attrs->n_ints != x->ndim)
        return mp_fail(MP_ERR_VALUE, "%d axes are given for an array of %d dimensions",
                       attrs->n_ints, x->ndim);
    for (int i = 0; i < x->ndim; i++) {
        MP_TRY(mp_rule_axis(&attrs->ints[i], x->ndim));
        int axis = (int)attrs->ints[i];
        if (seen & (1u << axis)) return mp_fail(MP_ERR_VALUE, "axis %d is given twice", axis);
        seen |= 1u << axis;
        shape[i] = x->shape[axis];
        strides[i] = x->strides[axis];
    }
    return mp_array_view(x, x->ndim, shape, strides, x->offset, &call->out[0]);
}

mp_status mp_vjp_permute(mp_backward *b) {
    mp_attrs inverse = mp_attrs_new();
    inverse.n_ints = b->attrs->n_ints;
    for (int i = 0; i < inverse.n_ints; i++) inverse.ints[b->attrs->ints[i]] = i;
    return mp_op1(MP_OP_permute, b->gy[0], &inverse, &b->gx[0]);
}

/* x broadcast to a shape by strides of 0; -1 keeps an extent of x. The view cannot be written to.
 */
mp_status mp_infer_expand(mp_call *call) {
    mp_array *x = call->in[0];
    int64_t *shape = call->attrs.ints, strides[MP_MAX_DIMS], count;
    int ndim, extra;
    MP_TRY(mp_rule_ints(call, "shape", &ndim));
    extra = ndim - x->ndim;
    if (ndim > MP_MAX_DIMS || extra < 0)
        return mp_fail(MP_ERR_VALUE, "shape %s cannot be broadcast to %d dimensions",
                       mp_shape_text(x->ndim, x->shape), ndim);
    for (int i = 0; i < ndim; i++) {
        bool old = i >= extra;
        if (shape[i] == -1 && old) shape[i] = x->shape[i - extra];
        bool same = old && shape[i] == x->shape[i - extra];
        if (!same && old && x->shape[i - extra] != 1)
            return mp_fail(MP_ERR_VALUE, "shape %s cannot be broadcast to %s",
                           mp_shape_text(x->ndim, x->shape), mp_shape_text(ndim, shape));
        strides[i] = same ? x->strides[i - extra] : 0;
    }
    MP_TRY(mp_rule_count(ndim, shape, &count));
    MP_TRY(mp_array_view(x, ndim, shape, strides, x->offset, &call->out[0]));
    call->out[0]->no_base_write = true;
    return MP_OK;
}

/* The tape sums it to x's shape. */
mp_status mp_vjp_expand(mp_backward *b) { return mp_vjp_cast(b); }

/* ---- slice: geometry is starts, steps and extents, one of each per axis ---- */

/* MP_ERR_INDEX unless start, start + step, ... (n of them) lie in [0, extent). */
static mp_status check_slice(int axis, int64_t start, int64_t step, int64_t n, int64_t extent) {
    if (n < 0) return mp_fail(MP_ERR_VALUE, "axis %d has extent %lld", axis, (long long)n);
    if (n == 0) return MP_OK;
    if (step == 0 && n > 1) return mp_fail(MP_ERR_VALUE, "the step of axis %d is 0", axis);
    int64_t last;
    bool overflow =
        __builtin_mul_overflow(n - 1, step, &last) || __builtin_add_overflow(last, start, &last);
    if (!overflow && start >= 0 && start < extent && last >= 0 && last < extent) return MP_OK;
    return mp_fail(MP_ERR_INDEX,
                   "axis %d: %lld elements from %lld on by %lld do not lie in an extent of %lld",
                   axis, (long long)n, (long long)start, (long long)step, (long long)extent);
}

/* MP_ERR_VALUE unless the call's geometry has three integers per axis. */
static mp_status check_geometry(const mp_call *call, int ndim) {
    int n;
    MP_TRY(mp_rule_ints(call, "geometry", &n));
    if (n == 3 * ndim) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "geometry has %d integers, an array of %d dimensions wants %d", n,
                   ndim, 3 * ndim);
}

mp_status mp_infer_slice(mp_call *call) {
    mp_array *x = call->in[0];
    int ndim = x->ndim;
    int64_t strides[MP_MAX_DIMS], offset = x->offset;
    MP_TRY(check_geometry(call, ndim));
    const int64_t *starts = call->attrs.ints, *steps = starts + ndim, *extents = steps + ndim;
    for (int i = 0; i < ndim; i++) {
        MP_TRY(check_slice(i, starts[i], steps[i], extents[i], x->shape[i]));
        strides[i] = extents[i] > 1 ? x->strides[i] * steps[i] : x->strides[i];
        if (extents[i] > 0) offset += x->strides[i] * starts[i];
    }
    return mp_array_view(x, ndim, extents, strides, offset, &call->out[0]);
}

/* The geometry of one slice op from starts, steps (of attrs) and other extents. */
static mp_attrs with_extents(const mp_attrs *attrs, const mp_spec *spec) {
    mp_attrs other = mp_attrs_new();
    size_t n = (size_t)spec->ndim;
    other.n_ints = (uint8_t)(3 * n);
    memcpy(other.ints, attrs->ints, 2 * n * sizeof *other.ints);
    memcpy(other.ints + 2 * n, spec->shape, n * sizeof *other.ints);
    return other;
}

mp_status mp_vjp_slice(mp_backward *b) {
    mp_attrs attrs = with_extents(b->attrs, &b->in_spec[0]);
    return mp_op1(MP_OP_slice_bwd, b->gy[0], &attrs, &b->gx[0]);
}

/* Zeros of the geometry's extents, with gy at the slice of its starts and steps. */
mp_status mp_infer_slice_bwd(mp_call *call) {
    mp_array *gy = call->in[0];
    int ndim = gy->ndim;
    int64_t count;
    MP_TRY(check_geometry(call, ndim));
    const int64_t *starts = call->attrs.ints, *steps = starts + ndim, *extents = steps + ndim;
    MP_TRY(mp_rule_count(ndim, extents, &count));
    for (int i = 0; i < ndim; i++)
        MP_TRY(check_slice(i, starts[i], steps[i], gy->shape[i], extents[i]));
    mp_rule_spec(call, 0, (mp_dtype)gy->dtype, ndim, extents);
    return MP_OK;
}

mp_status mp_vjp_slice_bwd(mp_backward *b) {
    mp_attrs attrs = with_extents(b->attrs, &b->in_spec[0]);
    return mp_op1(MP_OP_slice, b->gy[0], &attrs, &b->gx[0]);
}

/* ---- as_strided and view_set: geometry is n extents, n strides and an offset, which count x's
 * elements in C order, wherever they lie ---- */

/* Sets *ndim; MP_ERR_INDEX if an element lies outside of an array of `size` elements. */
static mp_status check_strided(const mp_call *call, int64_t size, int *ndim) {
    int n, d;
    int64_t count, reach;
    MP_TRY(mp_rule_ints(call, "geometry", &n));
    if (n % 2 == 0)
        return mp_fail(MP_ERR_VALUE,
                       "geometry has %d integers, extents, strides and an offset are wanted", n);
    *ndim = d = n / 2;
    const int64_t *extents = call->attrs.ints, *strides = extents + d;
    MP_TRY(mp_rule_count(d, extents, &count));
    if (count == 0) return MP_OK;
    int64_t low = strides[d], high = strides[d]; /* the offset follows the strides */
    bool overflow = false;
    for (int i = 0; i < d && !overflow; i++) {
        int64_t *end = strides[i] < 0 ? &low : &high;
        overflow = __builtin_mul_overflow(extents[i] - 1, strides[i], &reach) ||
                   __builtin_add_overflow(*end, reach, end);
    }
    if (!overflow && low >= 0 && high < size) return MP_OK;
    return mp_fail(MP_ERR_INDEX, "a view of shape %s and strides %s does not lie in %lld elements",
                   mp_shape_text(d, extents), mp_shape_text(d, strides), (long long)size);
}

/* A view of a contiguous x, else of a copy. */
mp_status mp_infer_as_strided(mp_call *call) {
    mp_array *x = call->in[0], *dense;
    int ndim = 0;
    MP_TRY(check_strided(call, x->size, &ndim));
    const int64_t *extents = call->attrs.ints;
    int64_t strides[MP_MAX_DIMS], offset = call->attrs.ints[2 * ndim];
    for (int i = 0; i < ndim; i++) {
        strides[i] = extents[i] > 1 ? call->attrs.ints[ndim + i] : 1;
        if (extents[i] == 0) offset = 0;
    }
    MP_TRY(mp_array_contiguous(x, &dense));
    mp_status status =
        view_dense(x, dense, ndim, extents, strides, dense->offset + offset, &call->out[0]);
    mp_array_unref(dense);
    return status;
}

/* Whether no two elements of the geometry may be the same: each stride is larger than what the
 * smaller ones reach. */
static bool is_injective(int ndim, const int64_t *extents, const int64_t *strides) {
    int64_t reach = 0;
    unsigned left = 0;
    for (int i = 0; i < ndim; i++)
        if (extents[i] > 1) left |= 1u << i;
    while (left) {
        int least = __builtin_ctz(left);
        for (int i = least + 1; i < ndim; i++)
            if (left & (1u << i) && llabs(strides[i]) < llabs(strides[least])) least = i;
        left &= ~(1u << least);
        if (llabs(strides[least]) <= reach) return false;
        reach += (extents[least] - 1) * llabs(strides[least]);
    }
    return true;
}

/* Zeros with gy at the view's elements. Axes of stride 0 show the same elements again: their
 * gradients are summed. */
mp_status mp_vjp_as_strided(mp_backward *b) {
    mp_attrs attrs = mp_rule_attrs(b->attrs);
    int ndim = attrs.n_ints / 2, n_axes = 0;
    int64_t axes[MP_MAX_DIMS];
    for (int i = 0; i < ndim; i++) {
        if (attrs.ints[ndim + i] != 0 || attrs.ints[i] == 1) continue;
        axes[n_axes++] = i;
        attrs.ints[i] = 1;
    }
    if (!is_injective(ndim, attrs.ints, attrs.ints + ndim))
        return mp_fail(MP_ERR_NOT_IMPLEMENTED,
                       "as_strided: no gradient rule for elements that overlap");
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = n_axes ? mp_chain_sum(&c, b->gy[0], n_axes, axes) : b->gy[0];
    mp_spec spec = b->in_spec[0];
    if (gy) spec.dtype = gy->dtype;
    mp_chain_give(&c, 0, mp_chain2(&c, MP_OP_view_set, mp_chain_full(&c, &spec, 0), gy, &attrs));
    return mp_chain_end(&c);
}

/* x with the elements of the view replaced by value, which has the view's shape. */
mp_status mp_infer_view_set(mp_call *call) {
    mp_array *x = call->in[0], *value = call->in[1];
    int ndim = 0;
    MP_TRY(check_strided(call, x->size, &ndim));
    MP_TRY(mp_rule_want_shape(value, "value", ndim, call->attrs.ints));
    mp_spec_take(&call->spec[0], x);
    return MP_OK;
}

/* gx is gy with zeros at the view's elements, gvalue is gy's view. */
mp_status mp_vjp_view_set(mp_backward *b) {
    mp_chain c;
    mp_chain_begin(&c, b);
    mp_array *gy = b->gy[0];
    if (b->need[0]) {
        mp_spec spec = b->in_spec[1];
        spec.dtype = gy->dtype;
        mp_chain_give(&c, 0,
                      mp_chain2(&c, MP_OP_view_set, gy, mp_chain_full(&c, &spec, 0), b->attrs));
    }
    if (b->need[1]) mp_chain_give(&c, 1, mp_chain1(&c, MP_OP_as_strided, gy, b->attrs));
    return mp_chain_end(&c);
}

/* ---- joining and padding ---- */

/* Arrays of one shape but for the extent of `axis` -> their promoted dtype. */
mp_status mp_infer_concatenate(mp_call *call) {
    mp_array *first = call->in[0];
    int64_t axis = call->attrs.axis, shape[MP_MAX_DIMS];
    mp_dtype dtype;
    if (first->ndim == 0)
        return mp_fail(MP_ERR_VALUE, "arrays of 0 dimensions cannot be joined, only stacked");
    MP_TRY(mp_rule_axis(&axis, first->ndim));
    MP_TRY(mp_rule_promote(call->n_in, call->in, &dtype));
    memcpy(shape, first->shape, sizeof shape);
    for (int k = 1; k < call->n_in; k++) {
        const mp_array *x = call->in[k];
        bool fits = x->ndim == first->ndim;
        for (int i = 0; fits && i < x->ndim; i++) fits = i == axis || x->shape[i] == shape[i];
        if (!fits || __builtin_add_overflow(shape[axis], x->shape[axis], &shape[axis]))
            return mp_fail(
                MP_ERR_VALUE,
                "input 0 has shape %s, input %d has %s: they cannot be joined along axis %lld",
                mp_shape_text(first->ndim, first->shape), k, mp_shape_text(x->ndim, x->shape),
                (long long)axis);
    }
    call->attrs.axis = axis;
    mp_rule_spec(call, 0, dtype, first->ndim, shape);
    return MP_OK;
}

/* Part of gy: its slice from `starts` on, of the extents of spec. */
static mp_status part_of(mp_array *gy, const int64_t *starts, const mp_spec *spec, mp_array **gx) {
    mp_attrs attrs = mp_attrs_new();
    int n = spec->ndim;
    attrs.n_ints = (uint8_t)(3 * n);
    for (int i = 0; i < n; i++) {
        attrs.ints[i] = starts[i];
        attrs.ints[n + i] = 1;
        attrs.ints[2 * n + i] = spec->shape[i];
    }
    return mp_op1(MP_OP_slice, gy, &attrs, gx);
}

mp_status mp_vjp_concatenate(mp_backward *b) {
    int64_t axis = b->attrs->axis, starts[MP_MAX_DIMS] = {0};
    for (int k = 0; k < b->n_in; k++) {
        if (b->need[k]) MP_TRY(part_of(b->gy[0], starts, &b->in_spec[k], &b->gx[k]));
        starts[axis] += b->in_spec[k].shape[axis];
    }
    return MP_OK;
}

/* x with pads[2 i] elements of `value` before and pads[2 i + 1] after axis i. */
mp_status mp_infer_pad(mp_call *call) {
    mp_array *x = call->in[0];
    const int64_t *pads = call->attrs.ints;
    int n;
    MP_TRY(mp_rule_ints(call, "pads", &n));
    if (n != 2 * x->ndim)
        return mp_fail(MP_ERR_VALUE, "pads has %d integers, an array of %d dimensions wants %d", n,
                       x->ndim, 2 * x->ndim);
    mp_spec_take(&call->spec[0], x);
    for (int i = 0; i < n; i++) {
        if (pads[i] < 0)
            return mp_fail(MP_ERR_VALUE, "axis %d is padded by %lld", i / 2, (long long)pads[i]);
        if (__builtin_add_overflow(call->spec[0].shape[i / 2], pads[i],
                                   &call->spec[0].shape[i / 2]))
            return mp_fail(MP_ERR_VALUE, "axis %d is padded beyond what 64 bits can count", i / 2);
    }
    return MP_OK;
}

mp_status mp_vjp_pad(mp_backward *b) {
    int64_t starts[MP_MAX_DIMS];
    for (int i = 0; i < b->in_spec[0].ndim; i++) starts[i] = b->attrs->ints[2 * i];
    return part_of(b->gy[0], starts, &b->in_spec[0], &b->gx[0]);
}
