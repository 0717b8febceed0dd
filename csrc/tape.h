/* The node, between tape.c (records it), leaf.c and backward.c (runs it). */
#ifndef MP_TAPE_H
#define MP_TAPE_H

#include "mp.h"

/* An input of a node: where its gradient goes on, and what the kernel saw. */
typedef struct mp_input {
    mp_edge edge;
    mp_spec spec;
} mp_input;

/* Something backward keeps: storage and view without edge, and the version it had. */
typedef struct mp_saved {
    mp_array *array;
    uint64_t version;
    bool output;
    uint8_t index;
} mp_saved;

struct mp_node {
    _Atomic int32_t refs;
    _Atomic int lock;     /* guards saved and hooks */
    uint64_t seq;         /* of recording: a node's inputs have smaller ones */
    const mp_op_row *row; /* NULL: custom */
    mp_custom custom;
    mp_device device;
    int n_in, n_out, n_saved;
    bool released; /* what it kept is gone */
    mp_input *in;
    mp_saved *saved;
    mp_spec *out;
    mp_hook **hooks; /* per output, or NULL */
    mp_node *dead;   /* links nodes that wait to be freed */
    mp_attrs attrs;  /* last: only what is used of it is there */
};

void mp_spin_lock(_Atomic int *lock);
void mp_spin_unlock(_Atomic int *lock);
/* Runs a list of hooks over *grad, which is replaced where a hook says so. */
mp_status mp_hooks_run(mp_hook *const *list, _Atomic int *lock, mp_array **grad);
void mp_hooks_drop(mp_hook *list);
/* Adds a gradient, made with loss scale `scale` (or NULL), to what the leaf holds. Takes grad. */
mp_status mp_leaf_add(mp_leaf *leaf, mp_array *grad, mp_array *scale);

#endif
