/* The core's one header: status, dtype, storage, array, op row, call, tape, autocast, lists,
 * backend.
 *
 * Plain C11 that knows neither Python nor CUDA. csrc/py includes it to wrap it, csrc/cpu and
 * csrc/cuda include it to read a call and write its outputs. A function returns mp_status and
 * writes results through trailing out-pointers; a pointer parameter is borrowed unless its comment
 * says "takes"; _new gives a reference, _ref adds one, _unref drops one (NULL is allowed). Nothing
 * here relies on Python's GIL. */
#ifndef MP_H
#define MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#define MP_ATOMIC(type) type /* CUDA code touches no counter; the layout is the same */
#else
#define MP_ATOMIC(type) _Atomic type
#endif

#ifdef __CUDACC__
#define MP_HOST_DEVICE __host__ __device__ /* inline functions that every device's kernels use */
#else
#define MP_HOST_DEVICE
#endif

/* of mp_backend and everything it reaches; checked when a backend library is loaded */
#define MP_ABI 6
#define MP_MAX_DIMS 32
#define MP_MAX_OUT 4   /* outputs of one op, hidden ones included */
#define MP_MAX_INTS 96 /* integers in one list attribute: starts, steps and shape of a slice */

/* ---- status.c: an error is a code and a thread-local text "op: fact, with numbers" ---- */

typedef enum mp_status {
    MP_OK,
    MP_ERR_VALUE, /* shapes and values */
    MP_ERR_TYPE,  /* dtypes */
    MP_ERR_INDEX,
    MP_ERR_AXIS, /* an axis that is not there: a kind of value and of index */
    MP_ERR_MEMORY,
    MP_ERR_NOT_IMPLEMENTED,
    MP_ERR_DEVICE,
    MP_ERR_RUNTIME,  /* a call at the wrong time: backward twice, a modified saved input */
    MP_ERR_CALLBACK, /* a hook failed and keeps its own error */
} mp_status;

/* Sets the thread's error text and returns `code`. */
mp_status mp_fail(mp_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "name: " before the thread's error text, unless a name is there already. */
void mp_error_prefix(const char *name);
const char *mp_error_text(void);

#define MP_TRY(call)                                                                               \
    do {                                                                                           \
        mp_status mp_try_ = (call);                                                                \
        if (mp_try_ != MP_OK) return mp_try_;                                                      \
    } while (0)

/* ---- dtype.c ---- */

typedef enum mp_dtype {
#define MP_DTYPE(id, name, ctype, kind, bytes, dlpack, bits) MP_##id,
#include "dtypes.def"
#undef MP_DTYPE
    MP_DTYPE_COUNT,
    MP_NO_DTYPE = -1, /* an attribute that was left open */
} mp_dtype;

typedef struct mp_dtype_row {
    const char *name; /* NumPy's and ml_dtypes' name */
    char kind;        /* 'B' 'I' 'U' 'F' */
    uint8_t bytes, dlpack_code, bits;
} mp_dtype_row;

extern const mp_dtype_row mp_dtypes[MP_DTYPE_COUNT];

static inline bool mp_is_float(mp_dtype t) { return mp_dtypes[t].kind == 'F'; }
static inline bool mp_is_float8(mp_dtype t) { return t == MP_FLOAT8_E4M3FN || t == MP_FLOAT8_E5M2; }
static inline bool mp_is_narrow(mp_dtype t) { return mp_is_float(t) && mp_dtypes[t].bytes < 4; }

/* The common dtype of two operands (design: floats beat integers, float16 with bfloat16 is float32,
 * integers as NumPy, uint64 with a signed integer is float64). float8 with anything but itself is
 * MP_ERR_TYPE. */
mp_status mp_promote(mp_dtype a, mp_dtype b, mp_dtype *out);
/* The dtype of new floating arrays, and what true division and exp of integers give. */
mp_dtype mp_default_float(void);
mp_status mp_set_default_float(mp_dtype dtype);
/* One element <-> a double (through int64/uint64 for integers); for scalars, printing and checks,
 * not for loops. */
double mp_load_double(mp_dtype dtype, const void *src);
void mp_store_double(mp_dtype dtype, void *dst, double value);
int64_t mp_load_int(mp_dtype dtype, const void *src);
void mp_store_int(mp_dtype dtype, void *dst, int64_t value);

/* ---- devices ---- */

typedef int16_t mp_device; /* 0 is the CPU, 1 + i is cuda:i */
#define MP_CPU ((mp_device)0)
enum { MP_KIND_CPU, MP_KIND_CUDA, MP_KIND_COUNT };
static inline int mp_device_kind(mp_device d) { return d == MP_CPU ? MP_KIND_CPU : MP_KIND_CUDA; }
/* "cpu" or "cuda:1"; the text lives in a thread-local buffer. */
const char *mp_device_name(mp_device device);

typedef struct mp_backend mp_backend;
typedef struct mp_array mp_array;
typedef struct mp_storage mp_storage;
typedef struct mp_node mp_node;
typedef struct mp_leaf mp_leaf;

/* ---- storage.c: bytes on a device, shared by arrays ---- */

struct mp_storage {
    MP_ATOMIC(int32_t) refs;
    mp_device device;
    bool read_only;
    void *data;
    size_t bytes;
    MP_ATOMIC(uint64_t) version; /* raised by every in-place write */
    /* writable views living outside of mixprec (NumPy, buffer, DLPack) */
    MP_ATOMIC(int32_t) exports;
    MP_ATOMIC(bool) export_ended; /* one has died since a shadow was last made of this storage */
    void *home;              /* of the backend: in whose order the memory is reused (a stream) */
    MP_ATOMIC(void *) guest; /* of the backend: who else has used it, MP_MANY_GUESTS for several */
    /* a float32 0-d factor not yet multiplied in, or NULL: see mp_storage_settle */
    mp_array *pending;
    /* for memory that somebody else owns; NULL: the backend frees it */
    void (*release)(void *owner);
    void *owner;
};

#define MP_MANY_GUESTS ((void *)-1)

/* New uninitialised memory, 64-byte aligned on the CPU. MP_ERR_MEMORY says what was asked and what
 * is held. */
mp_status mp_storage_new(mp_device device, size_t bytes, mp_storage **out);
/* Memory of somebody else; `release(owner)` is called when the last reference goes. Takes owner on
 * success. */
mp_status mp_storage_wrap(mp_device device, void *data, size_t bytes, bool read_only,
                          void (*release)(void *), void *owner, mp_storage **out);
mp_storage *mp_storage_ref(mp_storage *s);
void mp_storage_unref(mp_storage *s);
/* Multiplies the pending factor into the elements of `a`, which must be what the factor was set
 * for. Every reader of an array but the optimizer calls it first (mp_op_call and py/ do). */
mp_status mp_array_settle(mp_array *a);
/* Bytes now held on a device, and the most there have been. */
void mp_memory_stats(mp_device device, size_t *held, size_t *peak);
void mp_memory_reset_peak(mp_device device);

/* ---- array.c: a strided view of a storage, with its place in the graph ---- */

/* How a gradient goes on from an array: to output `out` of `node`, or to `leaf`; both NULL:
 * nowhere. */
typedef struct mp_edge {
    mp_node *node;
    mp_leaf *leaf;
    uint8_t out;
    int8_t dtype; /* of the gradient: differs from the array's where autocast made a narrow alias */
} mp_edge;

struct mp_array {
    MP_ATOMIC(int32_t) refs;
    int8_t dtype, ndim;
    bool contiguous;      /* C order without gaps (size 0 and 1 count) */
    bool weak;            /* a Python scalar: does not take part in promotion within its kind */
    bool no_base_write;   /* made by an op that PyTorch's rules forbid to write through (expand) */
    int64_t size, offset; /* in elements */
    int64_t shape[MP_MAX_DIMS], strides[MP_MAX_DIMS]; /* strides in elements */
    mp_storage *storage;
    mp_edge edge;
    mp_array *base;       /* the array this is a view of, never itself a view; or NULL */
    uint32_t writes;      /* recorded in-place writes to this array, if it is a base */
    uint32_t base_writes; /* of its base, when this view was made or last written */
};

static inline mp_device mp_array_device(const mp_array *a) { return a->storage->device; }
static inline int mp_itemsize(const mp_array *a) { return mp_dtypes[a->dtype].bytes; }
static inline void *mp_data(const mp_array *a) {
    return (char *)a->storage->data + a->offset * mp_itemsize(a);
}

/* A shape and dtype without data. */
typedef struct mp_spec {
    int8_t dtype, ndim;
    int64_t shape[MP_MAX_DIMS];
} mp_spec;

/* Those of a; as in all copies of shapes, only the extents that there are. */
static inline void mp_spec_take(mp_spec *spec, const mp_array *a) {
    spec->dtype = a->dtype;
    spec->ndim = a->ndim;
    for (int i = 0; i < a->ndim; i++) spec->shape[i] = a->shape[i];
}
static inline mp_spec mp_spec_of(const mp_array *a) {
    mp_spec spec;
    mp_spec_take(&spec, a);
    return spec;
}
int64_t mp_spec_size(const mp_spec *s);
bool mp_same_shape(const mp_array *a, const mp_spec *s);
/* "(3, 4)": thread-local, four texts live at once. */
const char *mp_shape_text(int ndim, const int64_t *shape);
/* The shape two or more arrays broadcast to. MP_ERR_VALUE names both shapes. */
mp_status mp_broadcast(int n, mp_array *const *in, int8_t *ndim, int64_t *shape);

/* A new contiguous array of that spec, uninitialised. MP_ERR_VALUE for a negative extent,
 * MP_ERR_MEMORY. */
mp_status mp_array_new(mp_device device, const mp_spec *spec, mp_array **out);
/* A 0-d array on the CPU: beside arrays of any device it stands for its value, see MP_NUMBERS. */
mp_status mp_array_scalar(mp_dtype dtype, double value, mp_array **out);
/* A view of a's storage: strides and offset are in elements of the storage. Not recorded, edge
 * empty, base set. */
mp_status mp_array_view(mp_array *a, int ndim, const int64_t *shape, const int64_t *strides,
                        int64_t offset, mp_array **out);
/* An array over a storage. */
mp_status mp_array_over(mp_storage *s, mp_dtype dtype, int ndim, const int64_t *shape,
                        const int64_t *strides, int64_t offset, mp_array **out);
/* The same storage, shape and strides without place in the graph. */
mp_status mp_array_detach(mp_array *a, mp_array **out);
/* A copy in memory of its own, not recorded. */
mp_status mp_array_copy(mp_array *a, mp_array **out);
/* `a` itself if contiguous, else a copy, not recorded. */
mp_status mp_array_contiguous(mp_array *a, mp_array **out);
/* The same elements on another device (not recorded; waits for a copy that ends on the CPU). */
mp_status mp_array_to_device(mp_array *a, mp_device device, mp_array **out);
mp_array *mp_array_ref(mp_array *a);
void mp_array_unref(mp_array *a);
static inline void mp_array_clear(mp_array **a) {
    mp_array *old = *a;
    *a = NULL;
    mp_array_unref(old);
}
/* Whether a gradient can flow to it. */
bool mp_requires_grad(const mp_array *a);
/* Whether the bytes of two arrays may overlap / are the very same elements in the same order. */
bool mp_overlap(const mp_array *a, const mp_array *b);
bool mp_same_view(const mp_array *a, const mp_array *b);

/* ---- iter.c: strided iteration for kernels ---- */

#define MP_ITER_MAX 12 /* operands */

/* Up to MP_ITER_MAX operands broadcast to one shape, adjacent dimensions collapsed, dims[ndim-1]
 * the innermost. */
typedef struct mp_iter {
    int n, ndim;
    int64_t size;
    int64_t shape[MP_MAX_DIMS];
    int64_t strides[MP_ITER_MAX][MP_MAX_DIMS]; /* in bytes */
    char *data[MP_ITER_MAX];
} mp_iter;

/* Operands are broadcast to `shape` (which is mp_broadcast of the inputs, or an output's shape). */
void mp_iter_init(mp_iter *it, int n, mp_array *const *operands, int ndim, const int64_t *shape);
/* Calls run(ctx, count, ptr, stride) for consecutive stretches of elements [begin, end) of the
 * flat, C-ordered index space, none longer than `most`; ptr[i] and stride[i] (bytes) describe
 * operand i in the stretch. */
typedef void (*mp_iter_fn)(void *ctx, int64_t count, char *const *ptr, const int64_t *stride);
void mp_iter_run(const mp_iter *it, int64_t begin, int64_t end, int64_t most, mp_iter_fn run,
                 void *ctx);

/* ---- op.c: the op table and the one way to run an op ---- */

typedef enum mp_op {
#define MP_OP(name, ...) MP_OP_##name,
#include "ops.def"
#undef MP_OP
    MP_OP_COUNT
} mp_op;

/* Every attribute any row may have; a row's `attrs` names those it reads, in the order callers give
 * them. */
typedef struct mp_attrs {
    union {
        double value, eps, p, negative_slope, start, low, label_smoothing, beta, delta, scale;
    };
    union {
        double step, high, threshold;
    };
    union {
        int64_t axis, padding_idx, ignore_index, n_axes, low_int;
    };
    union {
        int64_t count, high_int, ddof;
    };
    uint64_t seed, offset; /* RNG: key and call number */
    int16_t device;
    int8_t dtype; /* of the result, or MP_NO_DTYPE */
    uint8_t keepdims, reduction /* mp_reduction */, tanh /* gelu: tanh form */;
    union {
        uint8_t causal, descending, right;
    };
    uint8_t n_ints;            /* MP_ALL: None was given */
    int64_t ints[MP_MAX_INTS]; /* last, so that nodes keep only what is used */
} mp_attrs;
#define MP_ALL 255

typedef enum mp_reduction { MP_REDUCE_NONE, MP_REDUCE_MEAN, MP_REDUCE_SUM } mp_reduction;

/* A row's named attribute: where it lies in mp_attrs and how a caller's value is read. */
typedef enum mp_attr_kind {
    MP_ATTR_DOUBLE,
    MP_ATTR_INT,
    MP_ATTR_UINT64,
    MP_ATTR_BOOL,
    MP_ATTR_DTYPE,
    MP_ATTR_DEVICE,
    MP_ATTR_REDUCTION,
    MP_ATTR_INTS
} mp_attr_kind;
typedef struct mp_attr_row {
    const char *name;
    mp_attr_kind kind;
    uint16_t at;
} mp_attr_row;
extern const mp_attr_row mp_attr_rows[];
extern const int mp_attr_count;

typedef enum mp_policy {
    MP_KEEP,  /* input dtype in and out */
    MP_LOWER, /* inputs to the autocast dtype */
    MP_FP32,  /* narrow results become float32; inputs are read as they are */
    /* widest input, which is what an op without a policy does too: named for the table */
    MP_PROMOTE,
} mp_policy;

typedef enum mp_preset {
    MP_PRESET_MIXPREC,
    MP_PRESET_TORCH,
    MP_PRESET_TORCH_CUDA,
    MP_PRESET_COUNT
} mp_preset;

typedef struct mp_op_row mp_op_row;

/* One op being run. Kernels read in, out and attrs, write the elements of out, and touch nothing
 * else. */
typedef struct mp_call {
    const mp_op_row *row;
    mp_op op;
    mp_device device;
    int n_in, n_out;
    mp_array **in; /* NULL where an optional input is absent */
    mp_array *out[MP_MAX_OUT];
    mp_attrs attrs;           /* infer may normalise them (negative axes, open dtypes) */
    mp_spec spec[MP_MAX_OUT]; /* infer writes: what the outputs will be */
    double work; /* infer's estimate of CPU nanoseconds, one thread; 0: one per output element */
} mp_call;

/* Checks the inputs and writes call->spec (or, for a view row, a new view into call->out[0]). */
typedef mp_status (*mp_infer_fn)(mp_call *call);
typedef mp_status (*mp_kernel)(mp_call *call);

/* A gradient rule's view of a node. gx[i] is wanted where need[i]; a rule may give it in any
 * floating dtype and any shape that sums down to in_spec[i].shape: the tape reduces and casts. Ops
 * that can write it directly use grad_dtype[i]. */
typedef struct mp_backward {
    const mp_op_row *row;
    const mp_attrs *attrs;
    mp_device device;
    int n_in, n_out;
    mp_array **in;          /* kept inputs, NULL where not kept */
    mp_array **out;         /* kept outputs, NULL where not kept */
    const mp_spec *in_spec; /* as the kernel saw them */
    const mp_spec *out_spec;
    const int8_t *grad_dtype;
    mp_array **gy; /* NULL where no gradient came */
    const bool *need;
    mp_array **gx; /* takes what the rule writes */
    /* the loss scale of this run (0-d float32), NULL until a `scale` node was passed */
    mp_array **scale;
} mp_backward;
typedef mp_status (*mp_vjp_fn)(mp_backward *b);

enum {
    MP_STRIDED = 1,   /* the kernel takes any strides; else op.c passes contiguous inputs */
    MP_VIEW = 2,      /* no kernel: infer makes a view */
    MP_POINTWISE = 4, /* may write its output over an input that is the very same view */
    MP_NOGRAD = 8,    /* no output is differentiable */
    MP_NUMBERS =
        16, /* takes 0-d CPU arrays beside those of its device: their values are read on the host */
    MP_IN_PLACE = 32, /* written over its first input, it touches only what changes */
};

/* A row of ops.def. Texts: inputs "x weight bias?" ('?' optional, '*' any number, alone); outputs
 * "y mean! rstd!" ('!' hidden: kept for backward, not returned); attrs "axes keepdims"; keep "x for
 * weight; y" (what backward keeps, and for the gradients of which inputs), or "*2" for every input
 * from number 2 on. */
struct mp_op_row {
    const char *name, *inputs, *outputs, *attrs, *keep;
    uint8_t policy[MP_PRESET_COUNT];
    mp_infer_fn infer;
    mp_vjp_fn vjp; /* NULL: no gradient rule */
    unsigned flags;
    /* parsed from the texts by mp_core_init: */
    int8_t n_in /* -1: any number */, n_required, n_out, n_visible, n_attrs, n_keep;
    int8_t keep_from;  /* inputs from here on are kept too; 0: none */
    uint32_t optional; /* bit i: input i may be absent */
    uint8_t attr[8];   /* indices into mp_attr_rows */
    struct {
        bool output;
        uint8_t index;
        uint32_t for_inputs;
    } keeps[6]; /* for_inputs: bit i, all set: always */
};
extern mp_op_row mp_op_rows[MP_OP_COUNT];

/* Parses the tables and registers the CPU backend; idempotent. */
mp_status mp_core_init(void);

/* Attributes with every field open. */
static inline mp_attrs mp_attrs_new(void) {
    mp_attrs attrs;
    memset(&attrs, 0, offsetof(mp_attrs, ints));
    attrs.dtype = MP_NO_DTYPE;
    return attrs;
}

/* Runs one op: cast (autocast), infer, kernel, record. `in` has n_in borrowed arrays, NULL for
 * absent optional ones. Writes row->n_visible new references to `out`. On failure nothing is
 * recorded and out is untouched. */
mp_status mp_op_call(mp_op op, int n_in, mp_array *const *in, const mp_attrs *attrs,
                     mp_array **out);
/* The same, writing the one visible output into the existing array dst (`x += y` is add into x).
 * dst keeps its dtype. Recorded as an in-place write of dst where grad mode asks for it. */
mp_status mp_op_call_into(mp_op op, int n_in, mp_array *const *in, const mp_attrs *attrs,
                          mp_array *dst);
/* dst[...] = src, broadcast and cast, recorded like mp_op_call_into. */
mp_status mp_array_assign(mp_array *dst, mp_array *src);

/* Short forms for rules. attrs may be NULL. */
mp_status mp_op1(mp_op op, mp_array *x, const mp_attrs *attrs, mp_array **y);
mp_status mp_op2(mp_op op, mp_array *a, mp_array *b, const mp_attrs *attrs, mp_array **y);
mp_status mp_cast(mp_array *x, mp_dtype dtype, mp_array **y); /* x itself where it has the dtype */
mp_status mp_sum_to(mp_array *x, int ndim, const int64_t *shape,
                    mp_array **y); /* undoes broadcasting */
mp_status mp_reshape(mp_array *x, int ndim, const int64_t *shape, mp_array **y);
mp_status mp_expand(mp_array *x, int ndim, const int64_t *shape, mp_array **y);
mp_status mp_swap_last(mp_array *x, mp_array **y); /* transposes the last two axes */
/* a binary op with a number */
mp_status mp_op_scalar(mp_op op, mp_array *x, double value, mp_array **y);
mp_status mp_full(mp_device device, const mp_spec *spec, double value, mp_array **y);

/* Called by op.c around kernels that infer expects to take long (> 20 us), and around backward, so
 * that the embedding language can let other threads run. Set once by py/. */
extern void *(*mp_long_work_begin)(void);
extern void (*mp_long_work_end)(void *token);

/* ---- autocast.c ---- */

/* One autocast region. Regions form a stack per thread. */
typedef struct mp_autocast {
    bool enabled[MP_KIND_COUNT];
    int8_t dtype[MP_KIND_COUNT]; /* resolved, never MP_NO_DTYPE */
    bool shadows;                /* cache_enabled: use and make the narrow copies of parameters */
    uint64_t entry;              /* number of the outermost entry this region lies in */
    int preset;
    uint8_t policy[MP_KIND_COUNT][MP_OP_COUNT];
} mp_autocast;

/* The thread's innermost region, or NULL. Without one in any thread no thread's state is read. */
const mp_autocast *mp_autocast_of_thread(void);
extern MP_ATOMIC(int) mp_autocast_regions; /* entered and not yet left, in all threads */
static inline const mp_autocast *mp_autocast_current(void) {
    return mp_autocast_regions ? mp_autocast_of_thread() : NULL;
}
/* Enters a region copied from the enclosing one (or the defaults) and changed by the caller through
 * *region before the next op; leaves one. Depth is the thread's. */
mp_status mp_autocast_push(mp_autocast **region);
void mp_autocast_pop(void);
int mp_autocast_depth(void);
void mp_autocast_set_preset(mp_autocast *region, mp_preset preset); /* fills policy from ops.def */
/* The inputs of a LOWER op in the region's dtype: aliases that keep their edges. Takes nothing,
 * gives references. */
mp_status mp_autocast_lower(mp_call *call, mp_dtype to, mp_array **cast);
mp_dtype mp_autocast_default_dtype(int kind);

/* ---- tape.c ---- */

/* A hook on a gradient: may replace it (*replaced gets a new reference). */
typedef struct mp_hook {
    mp_status (*call)(void *ctx, mp_array *grad, mp_array **replaced);
    void (*drop)(void *ctx);
    void *ctx;
    uint64_t id;
    struct mp_hook *next;
} mp_hook;

/* What the graph holds of an array the user asked gradients for. */
#define MP_SHADOWS 4
struct mp_leaf {
    MP_ATOMIC(int32_t) refs;
    bool requires_grad;
    MP_ATOMIC(int) lock;  /* guards everything below */
    mp_array *grad;       /* or NULL */
    mp_array *grad_scale; /* the loss scale grad was made with (0-d float32), NULL: none */
    mp_hook *hooks;
    struct {
        mp_array *array;    /* narrow copy laid out as the leaf, or NULL */
        mp_storage *source; /* the storage it was made from (identity only) */
        uint64_t version, entry;
    } shadow[MP_SHADOWS]; /* one per narrow dtype: float16, bfloat16, e4m3fn, e5m2 */
};

bool mp_grad_enabled(void); /* of this thread: grad mode on and not inference mode */
void mp_grad_mode_get(bool *grad, bool *inference);
void mp_grad_mode_set(bool grad, bool inference);

/* Makes `a` a leaf (or not): MP_ERR_TYPE unless floating, MP_ERR_RUNTIME if it has a node. */
mp_status mp_array_set_requires_grad(mp_array *a, bool requires_grad);
/* Gives `a` a leaf that asks for nothing yet: a Parameter's place for shadows. */
mp_status mp_array_make_leaf(mp_array *a);
void mp_leaf_lock(mp_leaf *leaf);
void mp_leaf_unlock(mp_leaf *leaf);
mp_leaf *mp_leaf_ref(mp_leaf *leaf);
void mp_leaf_unref(mp_leaf *leaf);
/* A new reference or NULL; pending factors are applied. */
mp_status mp_leaf_grad(mp_leaf *leaf, mp_array **out);
void mp_leaf_set_grad(mp_leaf *leaf, mp_array *grad_or_null);
/* The narrow copy of leaf array `a` in dtype, fresh; made on demand. New reference without edge. */
mp_status mp_leaf_shadow(mp_array *a, mp_dtype dtype, mp_array **out);

/* Adds a hook to an array that requires grad; takes ctx on success. */
mp_status mp_array_add_hook(mp_array *a, mp_hook hook, uint64_t *id);
void mp_array_remove_hook(mp_array *a, uint64_t id);

/* A node whose rule lives outside of the core (mp.autograd.Function): inputs become edges, outputs
 * get the node. Takes ctx on success. vjp gets gy (NULL where none came) and writes gx (NULL: no
 * gradient). */
typedef struct mp_custom {
    mp_status (*vjp)(void *ctx, int n_out, mp_array **gy, int n_in, const bool *need,
                     mp_array **gx);
    void (*release)(void *ctx); /* after a run that does not retain the graph; or NULL */
    void (*drop)(void *ctx);
    void *ctx;
    const char *name; /* static or kept by ctx */
} mp_custom;
mp_status mp_record_custom(const mp_custom *custom, int n_in, mp_array *const *in, int n_out,
                           mp_array *const *out);

/* Records a finished call (op.c only). */
mp_status mp_record(mp_call *call, mp_array *const *original_in);
/* Records an in-place write of dst: `old` is its former self with its edge. */
mp_status mp_record_write(mp_call *call, mp_array *const *original_in, mp_array *dst);

const char *mp_node_name(const mp_node *node);
mp_node *mp_node_ref(mp_node *node);
void mp_node_unref(mp_node *node);

/* Runs backward from n roots. grads[i] NULL means 1 for a one-element root. With n_inputs > 0 the
 * gradients with respect to these arrays are written to `results` (NULL where none reached) unless
 * accumulate, and nothing else is touched; with 0, they are added to the leaves. create_graph
 * records the backward itself. */
typedef struct mp_backward_run {
    int n;
    mp_array *const *roots;
    mp_array *const *grads;
    bool retain_graph, create_graph, accumulate;
    int n_inputs;
    mp_array *const *inputs;
    mp_array **results;
} mp_backward_run;
mp_status mp_backward_from(const mp_backward_run *run);

/* ---- rng.c: Philox 4x32-10 ---- */

void mp_seed(uint64_t seed);
/* Reserves one call number of the device's generator. */
void mp_rng_next(mp_device device, uint64_t *seed, uint64_t *offset);
typedef struct mp_rng_state {
    uint64_t seed, offset;
} mp_rng_state;
mp_rng_state mp_rng_get(mp_device device);
void mp_rng_set(mp_device device, mp_rng_state state);
/* The four 32-bit words at (seed, call, index): counter = (index lo, index hi, call lo, call hi),
 * key = seed. Element i of a call uses block i / 4, word i % 4 (doubles and int64: block i / 2,
 * words 2 (i % 2) and the next). Inline, so that every kernel on every device draws the same. */
static inline MP_HOST_DEVICE void mp_philox(uint64_t seed, uint64_t call, uint64_t index,
                                            uint32_t out[4]) {
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)call,
             c3 = (uint32_t)(call >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0, c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* ---- lists.c: multi-tensor ops, run over all parameters of an optimizer at once ---- */

typedef enum mp_list {
#define MP_LIST(name, ...) MP_LIST_##name,
#include "lists.def"
#undef MP_LIST
    MP_LIST_COUNT
} mp_list;

/* One tensor of a list op; every pointer is contiguous over `size` elements, NULL where absent. */
typedef struct mp_list_item {
    int64_t size;
    void *param, *grad, *shadow;
    float *master; /* float32 master of a 16-bit param */
    /* first and second moment, momentum buffer: float32, or float64 for a float64 param */
    void *m, *v;
    float *step;        /* one float: steps taken */
    const float *scale; /* the loss scale in grad; NULL: none */
    int8_t param_dtype, grad_dtype, shadow_dtype;
} mp_list_item;

/* What the last unscale found, in device memory; found_inf true makes an update return at once. */
typedef struct mp_stats {
    float found_inf; /* 0 or 1 */
    float norm;      /* 2-norm of the unscaled gradients */
    float factor; /* the clip coefficient: min(1, max_norm / (norm + 1e-6)), 1 without clipping */
    float first_bad; /* index of the first item with inf or NaN, or -1 */
} mp_stats;

/* The state of a GradScaler, in device memory: float32 so that one 8-element array holds it. */
typedef struct mp_scaler {
    float scale, growth_tracker, found_inf, hysteresis_left;
    float skipped, steps, reserved0, reserved1;
} mp_scaler;

/* A schedule's place, where only the device knows which steps were taken. It goes one on where
 * `count` has moved since the last time, or `sure`; the rates then are row place[0] of the table,
 * else those before. */
typedef struct mp_schedule {
    double *place;       /* how often it went on, and `count` as it was then */
    const double *count; /* steps taken */
    const double *table; /* a row of n rates for each place */
    const double *before;
    double *after;
    int64_t n;
    bool sure;
} mp_schedule;

typedef struct mp_list_call {
    mp_list list;
    mp_device device;
    int64_t n;
    const mp_list_item *items;
    mp_stats *stats;    /* device memory or NULL */
    mp_scaler *scaler;  /* scaler_update only */
    float *scale_after; /* scaler_update: what the scale is then, or NULL */
    double *count;      /* count only */
    mp_schedule schedule;
    const double *rate; /* device memory: stands for lr; or NULL */
    double lr, beta1, beta2, eps, weight_decay, momentum, dampening, max_norm;
    double growth_factor, backoff_factor, growth_interval, min_scale, max_scale, hysteresis;
    bool decoupled, nesterov, maximize, write /* unscale: write the unscaled gradients back */;
} mp_list_call;
typedef mp_status (*mp_list_kernel)(const mp_list_call *call);

typedef struct mp_list_row {
    const char *name;
} mp_list_row;
extern const mp_list_row mp_list_rows[MP_LIST_COUNT];

/* GradScaler's law (PyTorch's, with bounds and hysteresis): shared by every backend. On found_inf:
 * uses up hysteresis, then scale = max(min_scale, scale * backoff) and tracker = 0; else tracker +
 * 1, and at >= interval scale grows if finite. */
static inline MP_HOST_DEVICE void mp_scaler_law(mp_scaler *s, double growth, double backoff,
                                                double interval, double min_scale, double max_scale,
                                                double hysteresis) {
    if (s->found_inf > 0) {
        s->growth_tracker = 0;
        s->hysteresis_left -= 1;
        if (s->hysteresis_left <= 0) {
            float lower = (float)(s->scale * backoff);
            s->scale = lower < (float)min_scale ? (float)min_scale : lower;
        }
        s->skipped += 1;
    } else {
        s->growth_tracker += 1;
        s->steps += 1;
        if (s->growth_tracker >= (float)interval) {
            float higher = (float)(s->scale * growth);
            s->scale = higher > (float)max_scale ? (float)max_scale : higher;
            s->growth_tracker = 0;
            s->hysteresis_left = (float)hysteresis;
        }
    }
    s->found_inf = 0;
}

/* What py/ calls: gradients, loss scales and shadows are taken from the parameters' leaves. `scale`
 * is the loss scale of gradients that carry none of their own (NULL: 1). States are arrays per
 * parameter, or NULL. Parameters without gradient are left alone. After a step that read scaled
 * gradients, .grad reads unscaled and clipped (a pending factor). */
typedef struct mp_optim {
    int64_t n;
    mp_array *const *params, *const *m, *const *v, *const *masters, *const *steps;
    mp_array *stats, *scale; /* float32 arrays of 4 and 1 elements, or NULL */
    mp_array *rate;          /* one float64 on the device that stands for hyper.lr, or NULL */
    mp_list_call hyper;      /* lr ... maximize; the rest is filled here */
} mp_optim;
mp_status mp_optim_unscale(const mp_optim *o); /* hyper.max_norm, hyper.write; fills stats */
mp_status mp_optim_step(mp_list list, const mp_optim *o); /* MP_LIST_sgd, MP_LIST_adam */
/* stats: of a step that state has not heard of yet, or NULL. scale_after: a float32 that gets the
 * new scale, or NULL. */
mp_status mp_scaler_update(mp_array *state, mp_array *stats, mp_array *scale_after,
                           const mp_list_call *hyper);
/* count += 1 unless stats say that inf was found. */
mp_status mp_optim_count(mp_array *count, mp_array *stats);
/* Writes `rates` (n of them) into row `row` of the table, then goes on as mp_schedule says. Arrays
 * are float64, contiguous and on one device. */
typedef struct mp_schedule_step {
    mp_array *place, *count, *table, *before, *after;
    const double *rates;
    int64_t row;
    bool sure;
} mp_schedule_step;
mp_status mp_optim_schedule(const mp_schedule_step *step);

/* ---- backends ---- */

/* Bytes of a device: taken from the driver, of these not in use, free at the driver, and in all. */
typedef struct mp_memory_info {
    size_t reserved, cached, free, total;
} mp_memory_info;

struct mp_backend {
    uint32_t abi;
    const char *name;
    int kind;
    /* A library of its own has no other way to the core: it gets the core's mp_fail before anything
     * else is called. NULL where the backend is linked into the core. */
    /* `folders`: where Python packages lie, ':' between them. */
    void (*attach)(mp_status (*fail)(mp_status code, const char *format, ...), const char *folders);
    mp_status (*device_count)(int *count);
    /* Memory in the order of the thread's stream; home and guest are the storage's. */
    mp_status (*alloc)(mp_device device, size_t bytes, void **out, void **home);
    void (*free)(mp_device device, void *data, size_t bytes, void *home, void *guest);
    /* copies between this backend's memory and the host's, or within; ordered with the kernels;
     * waits if `wait`. Host memory that is read may be reused when it returns, that is written only
     * with `wait`. */
    mp_status (*copy)(mp_device device, void *dst, const void *src, size_t bytes, bool to_host,
                      bool from_host, bool wait);
    /* A few bytes on their way to the host, as an opaque letter that nobody waits for, NULL where
     * none is free: `fetch` fills dst and ends the letter where it has come; with dst NULL it is
     * thrown away. */
    mp_status (*post)(mp_device device, const void *src, size_t bytes, void **letter);
    mp_status (*fetch)(mp_device device, void *letter, void *dst, size_t bytes, bool *there);
    /* waits for all work of the device */
    mp_status (*synchronize)(mp_device device);
    /* Runs a kernel with what belongs around it; NULL: the kernel is simply called. */
    mp_status (*run)(mp_kernel kernel, mp_call *call);
    mp_status (*run_list)(mp_list_kernel kernel, const mp_list_call *call, const char *name);
    /* The thread's stream uses the memory of arrays (NULLs are allowed) outside of a call; NULL:
     * there are no streams. */
    void (*use)(mp_device device, int64_t n, mp_array *const *arrays);
    /* How often the thread has waited for a device, or called what may wait for one. */
    int64_t (*waits)(void);
    mp_status (*memory)(mp_device device, mp_memory_info *out);
    mp_status (*empty_cache)(mp_device device);
    void (*set_tf32)(bool on); /* products of float32 may round their inputs to TF32 */
    /* Streams and events, as opaque pointers. stream_use makes one (NULL: the one all threads
     * share) the thread's; _block makes a stream wait, _wait the host. */
    mp_status (*stream_new)(mp_device device, int priority, void **stream);
    void (*stream_free)(void *stream);
    mp_status (*stream_use)(mp_device device, void *stream, void **before);
    mp_status (*stream_wait)(void *stream);
    mp_status (*stream_done)(void *stream, bool *done);
    void *(*stream_handle)(void *stream); /* as the platform has it */
    /* Later work of a stream of another library (a handle) waits for what `stream` (NULL: the
     * thread's) has now; or, unless `foreign_waits`, the other way round. */
    mp_status (*stream_order)(mp_device device, void *stream, void *foreign, bool foreign_waits);
    mp_status (*event_new)(mp_device device, bool timing, void **event);
    void (*event_free)(void *event);
    mp_status (*event_record)(void *event, void *stream);
    mp_status (*event_block)(void *event, void *stream);
    mp_status (*event_wait)(void *event);
    mp_status (*event_done)(void *event, bool *done);
    mp_status (*event_elapsed)(void *begin, void *end, float *milliseconds);
    /* text for `mixprec info`: JSON object of what was found */
    mp_status (*describe)(char *json, size_t capacity);
    mp_kernel kernels[MP_OP_COUNT]; /* NULL: not implemented here */
    mp_list_kernel lists[MP_LIST_COUNT];
};

/* The CPU backend, made by cpu/backend.c for the best tier the machine (and MIXPREC_CPU_ISA)
 * allows. */
mp_status mp_cpu_backend(const mp_backend **out);
const char *mp_cpu_tier(void);  /* "baseline", "avx2", "avx512" */
const char *mp_cpu_tiers(void); /* those built and usable, space separated, best last */
int mp_num_threads(void);
mp_status mp_set_num_threads(int n);

/* The backend of a device. MP_ERR_DEVICE: "device: cuda:0 is not available: <why>". */
mp_status mp_backend_of(mp_device device, const mp_backend **out);
/* Loads the CUDA library from `path` when a driver answers; NVIDIA's libraries are looked for in
 * the Python `folders` (':' between them) too. mp_cuda_why says why not. */
mp_status mp_cuda_load(const char *path, const char *folders);
const char *mp_cuda_why(void); /* "" when it is there */

#ifdef __cplusplus
}
#endif
#endif
