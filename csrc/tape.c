/* The tape: nodes, recorded by op.c after each op and pointing backwards only, so that there are no
 * cycles. Running them is backward.c's. */
#include "tape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "refs.h"

static _Atomic uint64_t sequence;

/* ---- life: chains may be long, so nodes are freed in a loop, never by recursion ---- */

static _Thread_local mp_node *dead_nodes;
static _Thread_local bool freeing;

mp_node *mp_node_ref(mp_node *node) {
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

static void free_node(mp_node *node) {
    for (int i = 0; i < node->n_saved; i++) mp_array_unref(node->saved[i].array);
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i].edge.node) mp_node_unref(node->in[i].edge.node);
        mp_leaf_unref(node->in[i].edge.leaf);
    }
    for (int k = 0; node->hooks && k < node->n_out; k++) mp_hooks_drop(node->hooks[k]);
    free(node->hooks);
    if (node->custom.drop) node->custom.drop(node->custom.ctx);
    free(node);
}

void mp_node_unref(mp_node *node) {
    if (!node || !mp_last_reference(&node->refs)) return;
    node->dead = dead_nodes;
    dead_nodes = node;
    if (freeing) return;
    freeing = true;
    while (dead_nodes) {
        mp_node *next = dead_nodes;
        dead_nodes = next->dead;
        free_node(next);
    }
    freeing = false;
}

const char *mp_node_name(const mp_node *node) {
    return node->row ? node->row->name : node->custom.name;
}

/* ---- recording ---- */

/* One block of memory for a node with everything in it; counts may be 0. */
static mp_node *new_node(int n_in, int n_out, int n_saved, size_t attrs_bytes) {
    size_t head = (offsetof(mp_node, attrs) + attrs_bytes + 7) & ~(size_t)7;
    size_t bytes = head + (size_t)n_in * sizeof(mp_input) + (size_t)n_out * sizeof(mp_spec) +
                   (size_t)n_saved * sizeof(mp_saved);
    char *block = malloc(bytes);
    if (!block) return NULL;
    mp_node *node = (mp_node *)block;
    memset(node, 0, offsetof(mp_node, attrs));
    node->saved = (mp_saved *)(block + head);
    node->in = (mp_input *)(node->saved + n_saved);
    node->out = (mp_spec *)(node->in + n_in);
    node->refs = 1;
    node->n_in = n_in;
    node->n_out = n_out;
    node->seq = atomic_fetch_add_explicit(&sequence, 1, memory_order_relaxed) + 1;
    return node;
}

/* Where the gradient of `a` goes on; an array that asks for none gets no edge. */
static void fill_input(mp_input *input, const mp_array *a) {
    memset(&input->edge, 0, sizeof input->edge);
    input->edge.dtype = MP_NO_DTYPE;
    if (!a) {
        input->spec.ndim = 0;
        return;
    }
    mp_spec_take(&input->spec, a);
    if (!mp_requires_grad(a)) return;
    input->edge = a->edge;
    if (input->edge.node) {
        input->edge.leaf = NULL;
        mp_node_ref(input->edge.node);
    } else {
        mp_leaf_ref(input->edge.leaf);
    }
}

static uint32_t wanted_inputs(const mp_node *node) {
    uint32_t wanted = 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i].edge.node || node->in[i].edge.leaf) wanted |= 1u << (i < 32 ? i : 31);
    return wanted;
}

/* One more in what the node keeps. */
static mp_status keep_array(mp_node *node, mp_array *a, bool output, int index) {
    mp_saved *saved = &node->saved[node->n_saved];
    MP_TRY(mp_array_detach(a, &saved->array));
    saved->version = atomic_load_explicit(&a->storage->version, memory_order_acquire);
    saved->output = output;
    saved->index = (uint8_t)index;
    node->n_saved++;
    return MP_OK;
}

/* Keeps what the row names, of the arrays that the kernel saw. */
static mp_status keep(mp_node *node, const mp_call *call) {
    uint32_t wanted = wanted_inputs(node);
    if (call->row->keep_from)
        for (int i = call->row->keep_from; i < call->n_in; i++)
            MP_TRY(keep_array(node, call->in[i], false, i));
    for (int k = 0; k < call->row->n_keep; k++) {
        if (!(call->row->keeps[k].for_inputs & wanted)) continue;
        int index = call->row->keeps[k].index;
        mp_array *a = call->row->keeps[k].output ? call->out[index] : call->in[index];
        if (a) MP_TRY(keep_array(node, a, call->row->keeps[k].output, index));
    }
    return MP_OK;
}

/* A node for a call whose outputs are there; `edges` are the inputs as gradients see them. */
static mp_status record(const mp_call *call, mp_array *const *edges, mp_node **out) {
    size_t ints = call->attrs.n_ints == MP_ALL ? 0 : call->attrs.n_ints;
    size_t attrs_bytes = offsetof(mp_attrs, ints) + ints * sizeof(int64_t);
    int kept = call->row->keep_from ? call->n_in - call->row->keep_from : call->row->n_keep;
    mp_node *node = new_node(call->n_in, call->row->n_visible, kept, attrs_bytes);
    if (!node) return mp_fail(MP_ERR_MEMORY, "memory: no room for a tape node");
    node->row = call->row;
    node->device = call->device;
    memcpy(&node->attrs, &call->attrs, attrs_bytes);
    for (int i = 0; i < call->n_in; i++) {
        fill_input(&node->in[i], edges[i]);
        if (call->in[i]) node->in[i].spec.dtype = call->in[i]->dtype;
    }
    for (int k = 0; k < node->n_out; k++) mp_spec_take(&node->out[k], call->out[k]);
    mp_status status = keep(node, call);
    if (status != MP_OK) mp_node_unref(node);
    else *out = node;
    return status;
}

/* Gives `a` the edge to output `out` of node; takes a reference. */
static void set_edge(mp_array *a, mp_node *node, int out) {
    mp_edge old = a->edge;
    a->edge = (mp_edge){.node = mp_node_ref(node), .out = (uint8_t)out, .dtype = a->dtype};
    mp_node_unref(old.node);
    mp_leaf_unref(old.leaf);
}

mp_status mp_record(mp_call *call, mp_array *const *edges) {
    mp_node *node;
    bool differentiable = false;
    for (int k = 0; k < call->row->n_visible; k++)
        differentiable |= mp_is_float((mp_dtype)call->out[k]->dtype);
    if (!differentiable) return MP_OK;
    MP_TRY(record(call, edges, &node));
    for (int k = 0; k < call->row->n_visible; k++)
        if (mp_is_float((mp_dtype)call->out[k]->dtype)) set_edge(call->out[k], node, k);
    mp_node_unref(node);
    return MP_OK;
}

/* The base of a written view takes a node too: its former self, the view's elements replaced. */
static mp_status record_base_write(mp_array *base, mp_array *view) {
    if (!base->contiguous)
        return mp_fail(MP_ERR_NOT_IMPLEMENTED,
                       "a recorded write through a view needs a base without gaps in its memory");
    mp_array *in[2] = {base, view};
    mp_call call = {.row = &mp_op_rows[MP_OP_view_set],
                    .op = MP_OP_view_set,
                    .device = mp_array_device(base),
                    .n_in = 2,
                    .n_out = 1,
                    .in = in};
    call.attrs = mp_attrs_new();
    int n = view->ndim;
    memcpy(call.attrs.ints, view->shape, (size_t)n * sizeof *view->shape);
    memcpy(call.attrs.ints + n, view->strides, (size_t)n * sizeof *view->strides);
    call.attrs.ints[2 * n] = view->offset - base->offset;
    call.attrs.n_ints = (uint8_t)(2 * n + 1);
    call.out[0] = base;
    mp_node *node;
    MP_TRY(record(&call, in, &node));
    set_edge(base, node, 0);
    mp_node_unref(node);
    return MP_OK;
}

mp_status mp_record_write(mp_call *call, mp_array *const *edges, mp_array *dst) {
    mp_node *node;
    MP_TRY(record(call, edges, &node));
    mp_edge former = dst->edge;
    dst->edge = (mp_edge){.node = mp_node_ref(node), .dtype = dst->dtype};
    mp_node_unref(node);
    mp_status status = dst->base ? record_base_write(dst->base, dst) : MP_OK;
    if (status != MP_OK) {
        mp_node_unref(dst->edge.node);
        dst->edge = former;
        return status;
    }
    mp_node_unref(former.node);
    mp_leaf_unref(former.leaf);
    mp_array *base = dst->base ? dst->base : dst;
    base->writes++;
    if (dst->base) dst->base_writes = base->writes;
    return MP_OK;
}

mp_status mp_record_custom(const mp_custom *custom, int n_in, mp_array *const *in, int n_out,
                           mp_array *const *out) {
    mp_node *node = new_node(n_in, n_out, 0, 0);
    if (!node) return mp_fail(MP_ERR_MEMORY, "memory: no room for a tape node");
    node->custom = *custom;
    node->device = n_out ? mp_array_device(out[0]) : MP_CPU;
    for (int i = 0; i < n_in; i++) fill_input(&node->in[i], in[i]);
    for (int k = 0; k < n_out; k++) mp_spec_take(&node->out[k], out[k]);
    for (int k = 0; k < n_out; k++)
        if (mp_is_float((mp_dtype)out[k]->dtype)) set_edge(out[k], node, k);
    mp_node_unref(node);
    return MP_OK;
}
