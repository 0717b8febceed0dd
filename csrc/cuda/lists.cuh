/* How a multi-tensor op is cut. The tensors travel in the parameters of a launch, up to 160 in one,
 * longer lists in several; a block works on a chunk of one tensor. Float32 or 16-bit tensors at
 * 16-byte addresses take the kernels named _fast, everything else those named _any. */
#ifndef MP_CUDA_LISTS_CUH
#define MP_CUDA_LISTS_CUH

#include "reduce.cuh"

enum {
    THREADS = MP_CUDA_THREADS,
    FEW = 16, /* tensors of a short launch, which costs the host less */
    MANY = 160,
    LEAST_CHUNK = 2048, /* elements; chunks are this times a power of two */
};

/* The kernels that an item may need. Items without gradient need none. */
enum kind { FAST, ANY, WIDE, KINDS, NONE = KINDS };

/* What one launch works on: item k has the blocks from first[k] to first[k + 1]. */
template <int CAPACITY> struct list_part {
    int n;
    int64_t chunk;
    int first[CAPACITY];
    int index[CAPACITY]; /* of the item in the call */
    mp_list_item items[CAPACITY];
};

/* The cut of a call: into `blocks` chunks, and how many items of each kind there are. */
struct list_plan {
    const mp_list_call *call;
    kind (*kind_of)(const mp_list_item *item);
    int64_t chunk, blocks;
    int64_t count[KINDS + 1];
};

static inline int64_t chunks_of(const list_plan *plan, const mp_list_item *item) {
    return (item->size + plan->chunk - 1) / plan->chunk;
}

/* At most about `most` chunks, and one more per item. */
static inline list_plan plan_of(const mp_list_call *call, kind (*kind_of)(const mp_list_item *item),
                                int64_t most) {
    list_plan plan = {call, kind_of, LEAST_CHUNK, 0, {0}};
    int64_t elements = 0;
    for (int64_t i = 0; i < call->n; i++) {
        kind which = kind_of(&call->items[i]);
        plan.count[which]++;
        if (which != NONE) elements += call->items[i].size;
    }
    while (elements / plan.chunk > most) plan.chunk *= 2;
    for (int64_t i = 0; i < call->n; i++)
        if (kind_of(&call->items[i]) != NONE) plan.blocks += chunks_of(&plan, &call->items[i]);
    return plan;
}

/* Calls launch(part, blocks) for the items of one kind, in parts of CAPACITY. */
template <int CAPACITY, class F>
static void launch_parts(const list_plan *plan, kind which, F launch) {
    const mp_list_call *call = plan->call;
    list_part<CAPACITY> part;
    part.chunk = plan->chunk;
    for (int64_t i = 0; i < call->n;) {
        int blocks = 0;
        for (part.n = 0; i < call->n && part.n < CAPACITY; i++) {
            if (plan->kind_of(&call->items[i]) != which) continue;
            part.items[part.n] = call->items[i];
            part.index[part.n] = (int)i;
            part.first[part.n++] = blocks;
            blocks += (int)chunks_of(plan, &call->items[i]);
        }
        if (part.n) launch(part, (unsigned)blocks);
    }
}

template <class F> static void launch_kind(const list_plan *plan, kind which, F launch) {
    if (plan->count[which] > FEW) launch_parts<MANY>(plan, which, launch);
    else if (plan->count[which]) launch_parts<FEW>(plan, which, launch);
}

/* A block's run of elements within an item. */
struct list_run {
    int item;
    int64_t begin;
    int size;
};

template <int CAPACITY>
static __device__ inline list_run run_of(const list_part<CAPACITY> &part, int block) {
    int low = 0, high = part.n; /* first[low] <= block < first[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (part.first[middle] <= block) low = middle;
        else high = middle;
    }
    int64_t begin = (block - part.first[low]) * part.chunk, left = part.items[low].size - begin;
    return {low, begin, (int)(left < part.chunk ? left : part.chunk)};
}

static __device__ __host__ inline bool is_half(int dtype) {
    return dtype == MP_FLOAT16 || dtype == MP_BFLOAT16;
}

static __device__ inline int bytes_of(int dtype) {
    return dtype == MP_FLOAT64 ? 8 : dtype == MP_FLOAT32 ? 4 : is_half(dtype) ? 2 : 1;
}
static __device__ inline void *element(void *data, int dtype, int64_t i) {
    return (char *)data + i * bytes_of(dtype);
}

#endif
