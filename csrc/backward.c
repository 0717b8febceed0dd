/* Running the tape backwards. Nodes leave a heap in order of falling sequence number, so that every
 * contribution to a gradient has come before it is used; gradients of one run live in the run, so
 * that several runs may share a graph. Leaves are written at the end: a run that fails has changed
 * nothing. */
#include "tape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "autocast.h"

/* The gradients gathered so far for the outputs of one node, or for one leaf. */
typedef struct slot {
    mp_node *node; /* or */
    mp_leaf *leaf;
    int n;
    bool needed;  /* false: gathered only because an input of the run asks for it */
    int8_t dtype; /* of a leaf's gradient */
    /* n of them, NULL until something came; float32 once two narrow ones were added */
    mp_array **sums;
    mp_array *one; /* room for n == 1 */
} slot;

typedef struct run {
    const mp_backward_run *ask;
    slot **table; /* open addressing by node or leaf */
    size_t capacity, count;
    mp_node **heap; /* by seq, largest first */
    size_t heap_count, heap_capacity;
    slot **leaves; /* in the order they were met */
    size_t leaf_count, leaf_capacity;
    mp_array *scale;
} run;

/* ---- growing arrays ---- */

static mp_status grow(void *array, size_t *capacity, size_t count, size_t item) {
    if (count < *capacity) return MP_OK;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *bigger = realloc(*(void **)array, wanted * item);
    if (!bigger) return mp_fail(MP_ERR_MEMORY, "backward: no room for %zu graph entries", wanted);
    *(void **)array = bigger;
    *capacity = wanted;
    return MP_OK;
}

/* ---- the table of slots ---- */

static size_t hash_of(const void *key) {
    uint64_t x = (uint64_t)(uintptr_t)key >> 4;
    x *= 0x9E3779B97F4A7C15u;
    return (size_t)(x ^ (x >> 32));
}

static const void *key_of(const slot *s) {
    return s->node ? (const void *)s->node : (const void *)s->leaf;
}

static slot **place_of(const run *r, const void *key) {
    size_t i = hash_of(key) & (r->capacity - 1);
    while (r->table[i] && key_of(r->table[i]) != key) i = (i + 1) & (r->capacity - 1);
    return &r->table[i];
}

static mp_status reserve_table(run *r) {
    if (r->capacity && r->count * 2 < r->capacity) return MP_OK;
    size_t old_capacity = r->capacity;
    slot **old = r->table;
    size_t capacity = old_capacity ? old_capacity * 2 : 256;
    slot **table = calloc(capacity, sizeof *table);
    if (!table) return mp_fail(MP_ERR_MEMORY, "backward: no room for %zu graph entries", capacity);
    r->table = table;
    r->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i]) *place_of(r, key_of(old[i])) = old[i];
    free(old);
    return MP_OK;
}

static slot *find_slot(const run *r, const void *key) {
    return r->capacity ? *place_of(r, key) : NULL;
}

static void free_slot(slot *s) {
    for (int k = 0; k < s->n; k++) mp_array_unref(s->sums[k]);
    if (s->sums != &s->one) free(s->sums);
    mp_node_unref(s->node);
    mp_leaf_unref(s->leaf);
    free(s);
}

static mp_status new_slot(run *r, mp_node *node, mp_leaf *leaf, slot **out) {
    MP_TRY(reserve_table(r));
    slot *s = calloc(1, sizeof *s);
    if (!s) return mp_fail(MP_ERR_MEMORY, "backward: no room for a graph entry");
    s->node = node;
    s->leaf = leaf;
    s->n = node ? node->n_out : 1;
    s->sums = s->n == 1 ? &s->one : calloc((size_t)s->n, sizeof *s->sums);
    if (!s->sums) {
        free(s);
        return mp_fail(MP_ERR_MEMORY, "backward: no room for a graph entry");
    }
    *place_of(r, key_of(s)) = s;
    r->count++;
    if (node) mp_node_ref(node);
    if (leaf) mp_leaf_ref(leaf);
    *out = s;
    return MP_OK;
}

/* ---- the heap of nodes that wait ---- */

static mp_status heap_push(run *r, mp_node *node) {
    MP_TRY(grow(&r->heap, &r->heap_capacity, r->heap_count, sizeof *r->heap));
    size_t i = r->heap_count++;
    for (; i > 0 && r->heap[(i - 1) / 2]->seq < node->seq; i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = node;
    return MP_OK;
}

static mp_node *heap_pop(run *r) {
    mp_node *top = r->heap[0], *last = r->heap[--r->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= r->heap_count) break;
        if (child + 1 < r->heap_count && r->heap[child + 1]->seq > r->heap[child]->seq) child++;
        if (r->heap[child]->seq <= last->seq) break;
        r->heap[i] = r->heap[child];
        i = child;
    }
    if (r->heap_count) r->heap[i] = last;
    return top;
}

/* ---- gathering ---- */

/* *sum += grad, in float32 from the second narrow contribution on. Takes grad. */
static mp_status add_into(mp_array **sum, mp_array *grad) {
    if (!*sum) {
        *sum = grad;
        return MP_OK;
    }
    mp_array *old = *sum, *wide, *total = NULL;
    mp_status status;
    bool alone = old->refs == 1 && old->storage->refs == 1 && !old->storage->read_only &&
                 !old->no_base_write;
    if (alone && !mp_is_narrow((mp_dtype)old->dtype) && !mp_grad_enabled()) {
        mp_array *in[2] = {old, grad};
        status = mp_op_call_into(MP_OP_add, 2, in, NULL, old);
        mp_array_unref(grad);
        return status;
    }
    status =
        mp_cast(old, mp_is_narrow((mp_dtype)old->dtype) ? MP_FLOAT32 : (mp_dtype)old->dtype, &wide);
    if (status == MP_OK) {
        status = mp_op2(MP_OP_add, wide, grad, NULL, &total);
        mp_array_unref(wide);
    }
    mp_array_unref(grad);
    if (status != MP_OK) return status;
    mp_array_unref(old);
    *sum = total;
    return MP_OK;
}

/* Brings a gradient to the edge it belongs to. Takes grad. */
static mp_status deliver(run *r, const mp_edge *edge, mp_array *grad) {
    slot *s = find_slot(r, edge->node ? (const void *)edge->node : (const void *)edge->leaf);
    mp_status status = MP_OK;
    if (!s) {
        if (r->ask->n_inputs) { /* every wanted slot was made beforehand */
            mp_array_unref(grad);
            return MP_OK;
        }
        status = new_slot(r, edge->node, edge->node ? NULL : edge->leaf, &s);
        if (status == MP_OK) s->needed = true;
    }
    bool first = status == MP_OK;
    for (int k = 0; first && k < s->n; k++) first = !s->sums[k];
    if (status == MP_OK && first) {
        if (s->node) status = heap_push(r, s->node);
        else {
            status = grow(&r->leaves, &r->leaf_capacity, r->leaf_count, sizeof *r->leaves);
            if (status == MP_OK) r->leaves[r->leaf_count++] = s;
            s->dtype = edge->dtype;
        }
    }
    if (status != MP_OK) {
        mp_array_unref(grad);
        return status;
    }
    return add_into(&s->sums[edge->node ? edge->out : 0], grad);
}

/* A gradient in the shape and dtype that its edge wants. Takes *grad and replaces it. */
static mp_status fit(mp_array **grad, const mp_spec *spec, mp_dtype dtype) {
    mp_array *summed = NULL, *cast = NULL;
    mp_status status = mp_sum_to(*grad, spec->ndim, spec->shape, &summed);
    if (status == MP_OK && !mp_same_shape(summed, spec)) {
        mp_array *wide;
        status = mp_expand(summed, spec->ndim, spec->shape, &wide);
        mp_array_unref(summed);
        summed = status == MP_OK ? wide : NULL;
    }
    if (status == MP_OK) status = mp_cast(summed, dtype, &cast);
    mp_array_unref(summed);
    mp_array_unref(*grad);
    *grad = cast;
    return status;
}

/* ---- one node ---- */

typedef struct unpacked {
    mp_array **in, **out, **gx;
    bool *need;
    int8_t *grad_dtype;
    mp_spec *in_spec;
    void *block;
} unpacked;

static mp_status open_unpacked(unpacked *u, const mp_node *node) {
    size_t n = (size_t)node->n_in, m = MP_MAX_OUT;
    size_t bytes =
        (2 * n + m) * sizeof(mp_array *) + n * sizeof(mp_spec) + n * (sizeof(bool) + 1) + 16;
    char *block = u->block = calloc(1, bytes);
    if (!block) return mp_fail(MP_ERR_MEMORY, "backward: no room for %zu inputs", n);
    u->in = (mp_array **)block;
    u->gx = u->in + n;
    u->out = u->gx + n;
    u->in_spec = (mp_spec *)(u->out + m);
    u->need = (bool *)(u->in_spec + n);
    u->grad_dtype = (int8_t *)(u->need + n);
    return MP_OK;
}

static void close_unpacked(unpacked *u, int n_in) {
    for (int i = 0; u->block && i < n_in; i++) {
        mp_array_unref(u->in[i]);
        mp_array_unref(u->gx[i]);
    }
    for (int k = 0; u->block && k < MP_MAX_OUT; k++) mp_array_unref(u->out[k]);
    free(u->block);
}

static mp_status modified_error(const mp_node *node, const mp_saved *saved) {
    return mp_fail(MP_ERR_RUNTIME,
                   "backward: %s %d that %s keeps was modified in place after it was used (version "
                   "%llu, kept at %llu)",
                   saved->output ? "output" : "input", saved->index, mp_node_name(node),
                   (unsigned long long)atomic_load(&saved->array->storage->version),
                   (unsigned long long)saved->version);
}

/* What the node kept, with its place in the graph when the backward itself is recorded. */
static mp_status unpack(mp_node *node, unpacked *u, bool create_graph) {
    mp_status status = MP_OK;
    mp_spin_lock(&node->lock);
    if (node->released)
        status = mp_fail(
            MP_ERR_RUNTIME,
            "backward: what %s kept was freed by an earlier backward; pass retain_graph=True to it",
            mp_node_name(node));
    for (int k = 0; status == MP_OK && k < node->n_saved; k++) {
        mp_saved *saved = &node->saved[k];
        if (saved->version !=
            atomic_load_explicit(&saved->array->storage->version, memory_order_acquire)) {
            status = modified_error(node, saved);
            break;
        }
        mp_array **to = saved->output ? &u->out[saved->index] : &u->in[saved->index];
        if (!create_graph) {
            *to = mp_array_ref(saved->array);
            continue;
        }
        status = mp_array_detach(saved->array, to);
        if (status != MP_OK) break;
        if (!saved->output) (*to)->edge = node->in[saved->index].edge;
        else if (saved->index < node->n_out)
            (*to)->edge = (mp_edge){.node = node, .out = saved->index, .dtype = (*to)->dtype};
        if ((*to)->edge.node) mp_node_ref((*to)->edge.node);
        if ((*to)->edge.leaf) mp_leaf_ref((*to)->edge.leaf);
    }
    mp_spin_unlock(&node->lock);
    return status;
}

/* Lets go of what the node keeps for its rule. */
static void release(mp_node *node) {
    if (node->custom.release) node->custom.release(node->custom.ctx);
    mp_spin_lock(&node->lock);
    int n = node->n_saved;
    mp_array *gone[8];
    for (int k = 0; k < n; k++) gone[k] = node->saved[k].array;
    node->n_saved = 0;
    if (n) node->released = true;
    mp_spin_unlock(&node->lock);
    for (int k = 0; k < n; k++) mp_array_unref(gone[k]);
}

static mp_status call_rule(run *r, mp_node *node, unpacked *u, mp_array **gy) {
    if (!node->row)
        return node->custom.vjp(node->custom.ctx, node->n_out, gy, node->n_in, u->need, u->gx);
    if (!node->row->vjp)
        return mp_fail(MP_ERR_NOT_IMPLEMENTED, "backward: %s has no gradient rule",
                       node->row->name);
    mp_backward b = {.row = node->row,
                     .attrs = &node->attrs,
                     .device = node->device,
                     .n_in = node->n_in,
                     .n_out = node->n_out,
                     .in = u->in,
                     .out = u->out,
                     .in_spec = u->in_spec,
                     .out_spec = node->out,
                     .grad_dtype = u->grad_dtype,
                     .gy = gy,
                     .need = u->need,
                     .gx = u->gx,
                     .scale = &r->scale};
    return node->row->vjp(&b);
}

/* Whether the gradient of an input is of use in this run. */
static bool is_wanted(const run *r, const mp_edge *edge) {
    if (!edge->node && !edge->leaf) return false;
    if (!r->ask->n_inputs) return true;
    return find_slot(r, edge->node ? (const void *)edge->node : (const void *)edge->leaf) != NULL;
}

static mp_status run_rule(run *r, mp_node *node, mp_array **gy) {
    unpacked u = {0};
    MP_TRY(open_unpacked(&u, node));
    for (int i = 0; i < node->n_in; i++) {
        u.in_spec[i] = node->in[i].spec;
        u.need[i] = is_wanted(r, &node->in[i].edge);
        u.grad_dtype[i] = node->in[i].edge.dtype;
    }
    mp_status status = unpack(node, &u, r->ask->create_graph);
    if (status == MP_OK) status = call_rule(r, node, &u, gy);
    for (int i = 0; status == MP_OK && i < node->n_in; i++) {
        if (!u.need[i] || !u.gx[i]) continue;
        status = fit(&u.gx[i], &node->in[i].spec, (mp_dtype)node->in[i].edge.dtype);
        if (status != MP_OK) break;
        mp_array *grad = u.gx[i];
        u.gx[i] = NULL;
        status = deliver(r, &node->in[i].edge, grad);
    }
    close_unpacked(&u, node->n_in);
    return status;
}

/* Writes a gathered gradient to the results that ask for it. */
static mp_status answer(run *r, const slot *s, int out) {
    for (int i = 0; i < r->ask->n_inputs; i++) {
        const mp_edge *edge = &r->ask->inputs[i]->edge;
        bool same = s->node ? edge->node == s->node && edge->out == out
                            : !edge->node && edge->leaf == s->leaf;
        if (!same || !s->sums[out] || r->ask->results[i]) continue;
        r->ask->results[i] = mp_array_ref(s->sums[out]);
    }
    return MP_OK;
}

static mp_status run_node(run *r, mp_node *node) {
    slot *s = find_slot(r, node);
    mp_status status = MP_OK;
    for (int k = 0; k < s->n && status == MP_OK; k++) {
        if (!s->sums[k]) continue;
        mp_array *cast; /* several narrow contributions were summed in float32 */
        status = mp_cast(s->sums[k], (mp_dtype)node->out[k].dtype, &cast);
        if (status != MP_OK) break;
        mp_array_unref(s->sums[k]);
        s->sums[k] = cast;
        if (node->hooks) status = mp_hooks_run(&node->hooks[k], &node->lock, &s->sums[k]);
        if (status == MP_OK && r->ask->n_inputs && !r->ask->accumulate) status = answer(r, s, k);
    }
    if (status == MP_OK && s->needed) status = run_rule(r, node, s->sums);
    for (int k = 0; k < s->n; k++) mp_array_clear(&s->sums[k]);
    if (status == MP_OK && s->needed && !r->ask->retain_graph) release(node);
    return status;
}

/* ---- a run with inputs: only what leads to them is run ---- */

typedef struct node_list {
    mp_node **items;
    size_t count, capacity;
} node_list;

static int by_seq(const void *a, const void *b) {
    uint64_t x = (*(mp_node *const *)a)->seq, y = (*(mp_node *const *)b)->seq;
    return x < y ? -1 : x > y;
}

/* Every node that the roots reach, each once. `seen` is a run used for its table only. */
static mp_status reachable(const mp_backward_run *ask, run *seen, node_list *list) {
    for (int i = 0; i < ask->n; i++) {
        mp_node *node = ask->roots[i]->edge.node;
        slot *s;
        if (!node || find_slot(seen, node)) continue;
        MP_TRY(new_slot(seen, node, NULL, &s));
        MP_TRY(grow(&list->items, &list->capacity, list->count, sizeof *list->items));
        list->items[list->count++] = node;
    }
    for (size_t at = 0; at < list->count; at++) {
        mp_node *node = list->items[at];
        for (int i = 0; i < node->n_in; i++) {
            mp_node *next = node->in[i].edge.node;
            slot *s;
            if (!next || find_slot(seen, next)) continue;
            MP_TRY(new_slot(seen, next, NULL, &s));
            MP_TRY(grow(&list->items, &list->capacity, list->count, sizeof *list->items));
            list->items[list->count++] = next;
        }
    }
    qsort(list->items, list->count, sizeof *list->items, by_seq);
    return MP_OK;
}

static void close_run(run *r) {
    for (size_t i = 0; i < r->capacity; i++)
        if (r->table[i]) free_slot(r->table[i]);
    free(r->table);
    free(r->heap);
    free(r->leaves);
    mp_array_unref(r->scale);
}

static mp_status mark_needed(run *r, const node_list *list) {
    for (size_t at = 0; at < list->count; at++) { /* inputs of a node come before it */
        mp_node *node = list->items[at];
        bool leads = false;
        for (int i = 0; i < node->n_in && !leads; i++) {
            const mp_edge *edge = &node->in[i].edge;
            const void *key = edge->node ? (const void *)edge->node : (const void *)edge->leaf;
            leads = key && find_slot(r, key);
        }
        slot *s = find_slot(r, node);
        if (leads && !s) MP_TRY(new_slot(r, node, NULL, &s));
        if (s) s->needed = leads;
    }
    return MP_OK;
}

static mp_status prepare_inputs(run *r) {
    const mp_backward_run *ask = r->ask;
    for (int i = 0; i < ask->n_inputs; i++) {
        const mp_edge *edge = &ask->inputs[i]->edge;
        slot *s;
        if (!mp_requires_grad(ask->inputs[i]))
            return mp_fail(MP_ERR_RUNTIME, "grad: input %d does not require grad", i);
        const void *key = edge->node ? (const void *)edge->node : (const void *)edge->leaf;
        if (!find_slot(r, key)) MP_TRY(new_slot(r, edge->node, edge->node ? NULL : edge->leaf, &s));
    }
    run seen = {0};
    node_list list = {0};
    mp_status status = reachable(ask, &seen, &list);
    if (status == MP_OK) status = mark_needed(r, &list);
    free(list.items);
    close_run(&seen);
    return status;
}

/* ---- the run ---- */

static mp_status seed(run *r, int i) {
    mp_array *root = r->ask->roots[i], *grad;
    if (!mp_requires_grad(root))
        return mp_fail(
            MP_ERR_RUNTIME,
            "backward: the array does not require grad and has no gradient rule to follow");
    mp_array *given = r->ask->grads ? r->ask->grads[i] : NULL;
    mp_spec spec = mp_spec_of(root);
    spec.dtype = root->edge.dtype;
    if (given) {
        if (!mp_same_shape(given, &spec))
            return mp_fail(MP_ERR_VALUE, "backward: the gradient has shape %s, the array %s",
                           mp_shape_text(given->ndim, given->shape),
                           mp_shape_text(root->ndim, root->shape));
        MP_TRY(mp_cast(given, (mp_dtype)spec.dtype, &grad));
    } else {
        if (root->size != 1)
            return mp_fail(
                MP_ERR_RUNTIME,
                "backward: an array of shape %s needs a gradient, only one of one element does not",
                mp_shape_text(root->ndim, root->shape));
        MP_TRY(mp_full(mp_array_device(root), &spec, 1.0, &grad));
    }
    return deliver(r, &root->edge, grad);
}

/* Hooks, then .grad or the results. */
static mp_status finish_leaf(run *r, slot *s) {
    mp_array *grad;
    MP_TRY(mp_cast(s->sums[0], (mp_dtype)s->dtype, &grad));
    mp_array_unref(s->sums[0]);
    s->sums[0] = grad;
    MP_TRY(mp_hooks_run(&s->leaf->hooks, &s->leaf->lock, &s->sums[0]));
    if (r->ask->n_inputs && !r->ask->accumulate) return answer(r, s, 0);
    grad = s->sums[0];
    s->sums[0] = NULL;
    return mp_leaf_add(s->leaf, grad, r->scale);
}

static mp_status run_all(run *r) {
    if (r->ask->n_inputs) MP_TRY(prepare_inputs(r));
    for (int i = 0; i < r->ask->n; i++) MP_TRY(seed(r, i));
    while (r->heap_count) MP_TRY(run_node(r, heap_pop(r)));
    for (size_t i = 0; i < r->leaf_count; i++) MP_TRY(finish_leaf(r, r->leaves[i]));
    return MP_OK;
}

mp_status mp_backward_from(const mp_backward_run *ask) {
    run r = {.ask = ask};
    bool grad, inference, suspended = mp_autocast_suspend(true);
    mp_grad_mode_get(&grad, &inference);
    mp_grad_mode_set(ask->create_graph, false);
    void *token = mp_long_work_begin ? mp_long_work_begin() : NULL;
    mp_status status = run_all(&r);
    if (mp_long_work_end) mp_long_work_end(token);
    close_run(&r);
    for (int i = 0; status != MP_OK && ask->results && i < ask->n_inputs; i++)
        mp_array_clear(&ask->results[i]);
    mp_grad_mode_set(grad, inference);
    mp_autocast_suspend(suspended);
    return status;
}
