/* Autocast: the stack of regions of a thread, the policy of each op in them, and the one place
 * where inputs are lowered. Which ops are lowered by default is data in ops.def. */
#include "mp.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "autocast.h"

/* Regions lie on the heap because a policy table is a few hundred bytes; the stack links them. */
typedef struct region {
    mp_autocast state;
    struct region *outer;
    bool suspended; /* what it was around the region */
} region;
static _Thread_local region *innermost;
static _Thread_local int depth;
/* Backward is running: nodes know their dtypes. A region entered meanwhile, by a rule written in
 * Python, holds. */
static _Thread_local bool suspended;
static _Atomic uint64_t entries;
MP_ATOMIC(int) mp_autocast_regions;

const mp_autocast *mp_autocast_of_thread(void) {
    return innermost && !suspended ? &innermost->state : NULL;
}
int mp_autocast_depth(void) { return depth; }

bool mp_autocast_suspend(bool suspend) {
    bool before = suspended;
    suspended = suspend;
    return before;
}

mp_dtype mp_autocast_default_dtype(int kind) {
    return kind == MP_KIND_CPU ? MP_BFLOAT16 : MP_FLOAT16;
}

void mp_autocast_set_preset(mp_autocast *state, mp_preset preset) {
    state->preset = preset;
    for (int kind = 0; kind < MP_KIND_COUNT; kind++) {
        /* "torch" means PyTorch's lists of the op's own device */
        mp_preset column =
            preset == MP_PRESET_TORCH && kind == MP_KIND_CUDA ? MP_PRESET_TORCH_CUDA : preset;
        for (int op = 0; op < MP_OP_COUNT; op++)
            state->policy[kind][op] = mp_op_rows[op].policy[column];
    }
}

mp_status mp_autocast_push(mp_autocast **out) {
    region *r = malloc(sizeof *r);
    if (!r) return mp_fail(MP_ERR_MEMORY, "autocast: no room for a region of %zu bytes", sizeof *r);
    if (innermost) {
        r->state = innermost->state;
    } else {
        memset(&r->state, 0, sizeof r->state);
        for (int kind = 0; kind < MP_KIND_COUNT; kind++)
            r->state.dtype[kind] = (int8_t)mp_autocast_default_dtype(kind);
        r->state.shadows = true;
        r->state.entry = atomic_fetch_add(&entries, 1) + 1;
        mp_autocast_set_preset(&r->state, MP_PRESET_MIXPREC);
    }
    r->outer = innermost;
    r->suspended = suspended;
    innermost = r;
    suspended = false;
    depth++;
    atomic_fetch_add(&mp_autocast_regions, 1);
    *out = &r->state;
    return MP_OK;
}

void mp_autocast_pop(void) {
    region *r = innermost;
    if (!r) return;
    innermost = r->outer;
    suspended = r->suspended;
    depth--;
    atomic_fetch_sub(&mp_autocast_regions, 1);
    free(r);
}

/* ---- lowering ---- */

/* `narrow` is the copy of leaf array `whole`; gives the part of it that `part`, a view of whole, is
 * of whole. */
static mp_status same_view_of(mp_array *narrow, const mp_array *whole, const mp_array *part,
                              mp_array **out) {
    return mp_array_over(narrow->storage, (mp_dtype)narrow->dtype, part->ndim, part->shape,
                         part->strides, part->offset - whole->offset + narrow->offset, out);
}

/* The parameter that `a` is or is a view of, if narrow copies of it are kept. */
static mp_array *shadowed(mp_array *a) {
    mp_array *whole = a->base ? a->base : a;
    if (!whole->edge.leaf || whole->edge.node || !whole->contiguous || whole->dtype == MP_FLOAT64)
        return NULL;
    return whole;
}

/* A narrow alias of `a`: its gradient goes where a's goes, in a's dtype. */
static mp_status lower(mp_array *a, mp_dtype to, bool shadows, mp_array **out) {
    mp_array *whole = shadows ? shadowed(a) : NULL, *narrow;
    if (whole) {
        mp_array *copy;
        MP_TRY(mp_leaf_shadow(whole, to, &copy));
        mp_status status = same_view_of(copy, whole, a, &narrow);
        mp_array_unref(copy);
        MP_TRY(status);
    } else {
        bool grad, inference;
        mp_grad_mode_get(&grad, &inference);
        mp_grad_mode_set(false, inference);
        mp_status status = mp_cast(a, to, &narrow);
        mp_grad_mode_set(grad, inference);
        MP_TRY(status);
    }
    narrow->edge = a->edge;
    if (!mp_requires_grad(a)) narrow->edge.dtype = a->dtype;
    if (narrow->edge.node) mp_node_ref(narrow->edge.node);
    if (narrow->edge.leaf) mp_leaf_ref(narrow->edge.leaf);
    *out = narrow;
    return MP_OK;
}

mp_status mp_autocast_lower(mp_call *call, mp_dtype to, mp_array **cast) {
    const mp_autocast *state = mp_autocast_current();
    for (int i = 0; i < call->n_in; i++) {
        mp_array *a = call->in[i];
        if (!a || !mp_is_float((mp_dtype)a->dtype) || a->dtype == MP_FLOAT64 ||
            a->dtype == (int8_t)to || mp_is_float8((mp_dtype)a->dtype))
            continue;
        MP_TRY(lower(a, to, state->shadows, &cast[i]));
    }
    return MP_OK;
}
