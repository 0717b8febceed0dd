/* Leaves: what the graph holds of an array that the user asked gradients for. Its gradient, hooks
 * and narrow shadows; and the thread's grad mode. */
#include "tape.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- grad mode ---- */

static _Thread_local bool grad_off, inference_on;

bool mp_grad_enabled(void) { return !grad_off && !inference_on; }
void mp_grad_mode_get(bool *grad, bool *inference) {
    *grad = !grad_off;
    *inference = inference_on;
}
void mp_grad_mode_set(bool grad, bool inference) {
    grad_off = !grad;
    inference_on = inference;
}

/* ---- locks: held for short, uncontended stretches ---- */

void mp_spin_lock(_Atomic int *lock) {
    while (atomic_exchange_explicit(lock, 1, memory_order_acquire)) sched_yield();
}
void mp_spin_unlock(_Atomic int *lock) { atomic_store_explicit(lock, 0, memory_order_release); }
void mp_leaf_lock(mp_leaf *leaf) { mp_spin_lock(&leaf->lock); }
void mp_leaf_unlock(mp_leaf *leaf) { mp_spin_unlock(&leaf->lock); }

/* ---- life ---- */

mp_leaf *mp_leaf_ref(mp_leaf *leaf) {
    atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
    return leaf;
}

void mp_leaf_unref(mp_leaf *leaf) {
    if (!leaf || atomic_fetch_sub_explicit(&leaf->refs, 1, memory_order_acq_rel) != 1) return;
    mp_array_unref(leaf->grad);
    mp_array_unref(leaf->grad_scale);
    for (int i = 0; i < MP_SHADOWS; i++) mp_array_unref(leaf->shadow[i].array);
    mp_hooks_drop(leaf->hooks);
    free(leaf);
}

mp_status mp_array_make_leaf(mp_array *a) {
    if (a->edge.leaf) return MP_OK;
    mp_leaf *leaf = calloc(1, sizeof *leaf);
    if (!leaf)
        return mp_fail(MP_ERR_MEMORY, "memory: no room for a leaf of %zu bytes", sizeof *leaf);
    leaf->refs = 1;
    a->edge.leaf = leaf;
    a->edge.dtype = a->dtype;
    return MP_OK;
}

mp_status mp_array_set_requires_grad(mp_array *a, bool requires_grad) {
    if (a->edge.node) {
        if (requires_grad) return MP_OK;
        return mp_fail(MP_ERR_RUNTIME,
                       "requires_grad: only a leaf's can be switched off; use detach()");
    }
    if (requires_grad && !mp_is_float((mp_dtype)a->dtype))
        return mp_fail(MP_ERR_TYPE,
                       "requires_grad: only floating arrays have gradients, this one is %s",
                       mp_dtypes[a->dtype].name);
    if (!a->edge.leaf && !requires_grad) return MP_OK;
    MP_TRY(mp_array_make_leaf(a));
    a->edge.leaf->requires_grad = requires_grad;
    return MP_OK;
}

/* ---- hooks ---- */

static _Atomic uint64_t hook_ids;

static mp_hook **hooks_of(mp_array *a, _Atomic int **lock, bool make) {
    if (a->edge.node) {
        mp_node *node = a->edge.node;
        *lock = &node->lock;
        if (!node->hooks && make) node->hooks = calloc((size_t)node->n_out, sizeof *node->hooks);
        return node->hooks ? &node->hooks[a->edge.out] : NULL;
    }
    if (!a->edge.leaf) return NULL;
    *lock = &a->edge.leaf->lock;
    return &a->edge.leaf->hooks;
}

mp_status mp_array_add_hook(mp_array *a, mp_hook hook, uint64_t *id) {
    if (!mp_requires_grad(a))
        return mp_fail(MP_ERR_RUNTIME, "register_hook: the array does not require grad");
    mp_hook *added = malloc(sizeof *added);
    _Atomic int *lock;
    mp_hook **list = added ? hooks_of(a, &lock, true) : NULL;
    if (!list) {
        free(added);
        return mp_fail(MP_ERR_MEMORY, "memory: no room for a hook of %zu bytes", sizeof *added);
    }
    *added = hook;
    added->next = NULL;
    *id = added->id = atomic_fetch_add(&hook_ids, 1) + 1;
    mp_spin_lock(lock);
    while (*list) list = &(*list)->next;
    *list = added;
    mp_spin_unlock(lock);
    return MP_OK;
}

void mp_array_remove_hook(mp_array *a, uint64_t id) {
    _Atomic int *lock;
    mp_hook **at = hooks_of(a, &lock, false), *found = NULL;
    if (!at) return;
    mp_spin_lock(lock);
    while (*at && (*at)->id != id) at = &(*at)->next;
    if (*at) {
        found = *at;
        *at = found->next;
        found->next = NULL;
    }
    mp_spin_unlock(lock);
    mp_hooks_drop(found);
}

void mp_hooks_drop(mp_hook *list) {
    while (list) {
        mp_hook *next = list->next;
        if (list->drop) list->drop(list->ctx);
        free(list);
        list = next;
    }
}

/* Hooks are called outside of the lock; removing one from another thread while it runs is the
 * caller's affair. */
mp_status mp_hooks_run(mp_hook *const *list, _Atomic int *lock, mp_array **grad) {
    mp_spin_lock(lock);
    mp_hook *hook = *list;
    mp_spin_unlock(lock);
    while (hook) {
        mp_array *replaced = NULL;
        mp_hook *next = hook->next; /* a hook may remove itself */
        MP_TRY(hook->call(hook->ctx, *grad, &replaced));
        if (replaced) {
            mp_array_unref(*grad);
            *grad = replaced;
        }
        hook = next;
    }
    return MP_OK;
}

/* ---- gradients ---- */

mp_status mp_leaf_grad(mp_leaf *leaf, mp_array **out) {
    mp_leaf_lock(leaf);
    mp_array *grad = mp_array_ref(leaf->grad);
    mp_leaf_unlock(leaf);
    mp_status status = grad ? mp_array_settle(grad) : MP_OK;
    if (status == MP_OK) *out = grad;
    else mp_array_unref(grad);
    return status;
}

void mp_leaf_set_grad(mp_leaf *leaf, mp_array *grad) {
    mp_array_ref(grad);
    mp_leaf_lock(leaf);
    mp_array *old = leaf->grad, *old_scale = leaf->grad_scale;
    leaf->grad = grad;
    leaf->grad_scale = NULL;
    mp_leaf_unlock(leaf);
    mp_array_unref(old);
    mp_array_unref(old_scale);
}

/* Whether nobody else sees the elements of `a`, and it has its storage for itself. */
static bool is_owned(const mp_array *a) {
    return a->refs == 1 && a->storage->refs == 1 && a->contiguous && !a->base &&
           !a->storage->release && a->storage->bytes == (size_t)a->size * (size_t)mp_itemsize(a);
}

/* What the leaf held, in the loss scale of the new gradient: old * (to / from). */
static mp_status rescale(mp_array **grad, mp_array *from, mp_array *to) {
    mp_array *ratio, *scaled;
    MP_TRY(mp_op2(MP_OP_div, to, from, NULL, &ratio));
    mp_status status = mp_op2(MP_OP_mul, *grad, ratio, NULL, &scaled);
    mp_array_unref(ratio);
    MP_TRY(status);
    mp_array_unref(*grad);
    *grad = scaled;
    return MP_OK;
}

/* old + grad, summed in float32 and rounded once to old's dtype. Over old's memory where nobody
 * else can tell. */
static mp_status add_gradients(mp_array *old, mp_array *grad, mp_dtype dtype, mp_array **out) {
    if (!mp_grad_enabled() && !old->storage->read_only) {
        mp_array *in[2] = {old, grad};
        /* loads and adds in float32, stores once */
        MP_TRY(mp_op_call_into(MP_OP_add, 2, in, NULL, old));
        *out = mp_array_ref(old);
        return MP_OK;
    }
    mp_array *wide, *sum;
    MP_TRY(mp_cast(old, dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32, &wide));
    mp_status status = mp_op2(MP_OP_add, wide, grad, NULL, &sum);
    mp_array_unref(wide);
    MP_TRY(status);
    status = mp_cast(sum, dtype, out);
    mp_array_unref(sum);
    return status;
}

mp_status mp_leaf_add(mp_leaf *leaf, mp_array *grad, mp_array *scale) {
    mp_status status = MP_OK;
    if (!is_owned(grad) && !mp_grad_enabled()) { /* .grad is nobody else's memory */
        mp_array *own;
        status = mp_op1(MP_OP_copy, grad, NULL, &own);
        mp_array_unref(grad);
        MP_TRY(status);
        grad = own;
    }
    mp_leaf_lock(leaf);
    if (leaf->grad) {
        mp_array *old = mp_array_ref(leaf->grad), *sum = NULL;
        mp_dtype dtype = (mp_dtype)old->dtype;
        status = mp_array_settle(old);
        if (status == MP_OK && scale && leaf->grad_scale && scale != leaf->grad_scale)
            status = rescale(&old, leaf->grad_scale, scale);
        if (status == MP_OK) status = add_gradients(old, grad, dtype, &sum);
        mp_array_unref(old);
        mp_array_unref(grad);
        grad = sum;
    }
    if (status == MP_OK) {
        mp_array_unref(leaf->grad);
        leaf->grad = grad;
        if (scale) {
            mp_array_ref(scale);
            mp_array_unref(leaf->grad_scale);
            leaf->grad_scale = scale;
        }
    }
    mp_leaf_unlock(leaf);
    return status;
}

/* ---- shadows ---- */

static int shadow_slot(mp_dtype dtype) { return dtype - MP_FLOAT16; }

/* Memory that somebody outside may write is not watched: such a shadow holds for one outermost
 * autocast entry. */
static bool is_fresh(const mp_leaf *leaf, int slot, const mp_storage *s, uint64_t entry) {
    if (!leaf->shadow[slot].array || leaf->shadow[slot].source != s) return false;
    if (leaf->shadow[slot].version != atomic_load_explicit(&s->version, memory_order_acquire))
        return false;
    bool watched = atomic_load(&s->exports) == 0 && !atomic_load(&s->export_ended);
    return watched || (entry && leaf->shadow[slot].entry == entry);
}

mp_status mp_leaf_shadow(mp_array *a, mp_dtype dtype, mp_array **out) {
    mp_leaf *leaf = a->edge.leaf;
    mp_storage *s = a->storage;
    int slot = shadow_slot(dtype);
    const mp_autocast *state = mp_autocast_current();
    uint64_t entry = state ? state->entry : 0;
    mp_leaf_lock(leaf);
    mp_array *shadow =
        is_fresh(leaf, slot, s, entry) ? mp_array_ref(leaf->shadow[slot].array) : NULL;
    mp_leaf_unlock(leaf);
    if (shadow) {
        *out = shadow;
        return MP_OK;
    }
    uint64_t version = atomic_load_explicit(&s->version, memory_order_acquire);
    bool export_over = atomic_load(&s->exports) == 0 && atomic_exchange(&s->export_ended, false);
    bool grad, inference;
    mp_grad_mode_get(&grad, &inference);
    mp_grad_mode_set(false, inference);
    mp_status status = mp_cast(a, dtype, &shadow);
    mp_grad_mode_set(grad, inference);
    MP_TRY(status);
    mp_leaf_lock(leaf);
    mp_array *old = leaf->shadow[slot].array;
    for (int i = 0; export_over && i < MP_SHADOWS; i++)
        leaf->shadow[i].source = NULL; /* they may be stale too */
    leaf->shadow[slot].array = mp_array_ref(shadow);
    leaf->shadow[slot].source = s;
    leaf->shadow[slot].version = version;
    leaf->shadow[slot].entry = entry;
    mp_leaf_unlock(leaf);
    mp_array_unref(old);
    *out = shadow;
    return MP_OK;
}
