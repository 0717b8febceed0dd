/* Products through cuBLASLt. What it takes to launch one (descriptor, layouts, algorithm) is a
 * plan: made at the first product of its kind, which costs tens of microseconds, and kept in a
 * table per device, so that the next one costs a look-up. One lock per device is held from the
 * look-up to the launch: it guards the table, the handle and the bias pointer in a plan's
 * descriptor.
 *
 * cuBLASLt thinks in columns. A row-major c = a b is its column-major c^T = b^T a^T: our b is its
 * first operand, our n its number of rows, and a bias per column of ours is its bias per row. */
#include "blas.h"

#include "abi/cublaslt.h"
#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEVICES = 64,
    BUCKETS = 4096,       /* of a table, a power of two */
    MOST_PLANS = 8192,    /* of a device; then old ones go */
    ALIGNMENT = 16,       /* no kernel gains by more */
    WORKSPACE = 32 << 20, /* bytes, per lane */
};

/* ---- the library ---- */

static const char *const names[] = {
    "cublasLtCreate",
    "cublasLtGetStatusName",
    "cublasLtMatmulDescCreate",
    "cublasLtMatmulDescDestroy",
    "cublasLtMatmulDescSetAttribute",
    "cublasLtMatrixLayoutCreate",
    "cublasLtMatrixLayoutDestroy",
    "cublasLtMatrixLayoutSetAttribute",
    "cublasLtMatmulPreferenceCreate",
    "cublasLtMatmulPreferenceDestroy",
    "cublasLtMatmulPreferenceSetAttribute",
    "cublasLtMatmulAlgoGetHeuristic",
    "cublasLtMatmul",
};
enum { FUNCTIONS = sizeof names / sizeof *names };
_Static_assert(sizeof(mp_lt_functions) == FUNCTIONS * sizeof(void *), "a name for each function");

static mp_lt_functions lt;
static const char *absent; /* the function that the library lacks */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

static void load(void) {
    const mp_cuda_library *library = mp_cuda_library_find(MP_CUDA_CUBLASLT);
    void *found[FUNCTIONS];
    if (!library->handle) return;
    for (int i = 0; i < FUNCTIONS; i++) {
        found[i] = dlsym(library->handle, names[i]);
        if (!found[i]) absent = names[i];
    }
    if (absent) return;
    memcpy(&lt, found, sizeof lt);
    loaded = true;
}

static mp_status want_library(void) {
    pthread_once(&once, load);
    if (loaded) return MP_OK;
    const mp_cuda_library *library = mp_cuda_library_find(MP_CUDA_CUBLASLT);
    if (library->handle)
        return mp_fail(MP_ERR_NOT_IMPLEMENTED, "%s has no %s: cuBLASLt 12 or 13 is wanted",
                       library->path, absent);
    return mp_fail(MP_ERR_NOT_IMPLEMENTED,
                   "products on cuda want NVIDIA's cuBLASLt: pip install \"mixprec[cuda13]\", or "
                   "name its folder in "
                   "MIXPREC_LIBRARY_PATH; %s",
                   library->missing);
}

static mp_status check(int status, const char *what) {
    if (status == MP_LT_SUCCESS) return MP_OK;
    return mp_fail(status == MP_LT_ALLOC_FAILED ? MP_ERR_MEMORY : MP_ERR_DEVICE, "%s: %s", what,
                   lt.status_name(status));
}
#define LT_TRY(call) MP_TRY(check((call), #call))

/* ---- plans ---- */

/* All that a plan depends on, without gaps: compared and hashed as bytes. */
typedef struct plan_key {
    int64_t m, n, k, batch, a_ld, b_ld, c_ld, a_step, b_step, c_step;
    uint8_t dtype, c_dtype, a_transposed, b_transposed, bias, tf32;
    uint8_t a_alignment, b_alignment, c_alignment, unused[7];
} plan_key;
_Static_assert(sizeof(plan_key) == 12 * sizeof(int64_t), "no padding");

typedef struct plan {
    plan_key key;
    mp_lt_desc desc;
    mp_lt_layout first, second, result; /* b, a and c */
    mp_lt_algo algo;
    size_t workspace; /* bytes that the algorithm uses */
    const void *bias; /* what the descriptor holds */
    bool usable;      /* false: cuBLASLt has no kernel for this */
    struct plan *next;
} plan;

typedef struct workspace {
    const mp_cuda_lane *lane;
    void *data;
    struct workspace *next;
} workspace;

static struct {
    pthread_mutex_t lock;
    mp_lt_handle handle; /* NULL until first use */
    plan *buckets[BUCKETS];
    int plans, hand; /* `hand`: the bucket that is emptied next */
    workspace *workspaces;
} devices[DEVICES] = {[0 ... DEVICES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static atomic_bool tf32;

void mp_cuda_set_tf32(bool on) { atomic_store_explicit(&tf32, on, memory_order_relaxed); }

static uint8_t alignment_of(const void *p) {
    uintptr_t lowest = (uintptr_t)p & -(uintptr_t)p;
    return (uint8_t)(lowest == 0 || lowest > ALIGNMENT ? ALIGNMENT : lowest);
}

static plan_key key_of(const mp_cuda_product *p) {
    plan_key key = {.m = p->m, .n = p->n, .k = p->k, .batch = p->batch};
    key.a_ld = p->a_ld, key.b_ld = p->b_ld, key.c_ld = p->c_ld;
    if (p->batch > 1) key.a_step = p->a_step, key.b_step = p->b_step, key.c_step = p->c_step;
    key.dtype = (uint8_t)p->dtype, key.c_dtype = (uint8_t)p->c_dtype;
    key.a_transposed = p->a_transposed, key.b_transposed = p->b_transposed;
    key.bias = p->bias != NULL;
    key.tf32 = p->dtype == MP_FLOAT32 && atomic_load_explicit(&tf32, memory_order_relaxed);
    key.a_alignment = alignment_of(p->a), key.b_alignment = alignment_of(p->b),
    key.c_alignment = alignment_of(p->c);
    return key;
}

static uint32_t bucket_of(const plan_key *key) {
    uint64_t words[sizeof *key / sizeof(uint64_t)], hash = 0;
    memcpy(words, key, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash & (BUCKETS - 1);
}

static void free_plan(plan *p) {
    if (!p) return;
    if (p->desc) lt.desc_destroy(p->desc);
    if (p->first) lt.layout_destroy(p->first);
    if (p->second) lt.layout_destroy(p->second);
    if (p->result) lt.layout_destroy(p->result);
    free(p);
}

static int lt_type(int dtype) {
    switch (dtype) {
    case MP_FLOAT16: return MP_LT_F16;
    case MP_BFLOAT16: return MP_LT_BF16;
    case MP_FLOAT32: return MP_LT_F32;
    default: return MP_LT_F64;
    }
}

bool mp_cuda_blas_takes(mp_dtype dtype, mp_dtype c_dtype) {
    if (dtype == MP_FLOAT16 || dtype == MP_BFLOAT16)
        return c_dtype == dtype || c_dtype == MP_FLOAT32;
    return (dtype == MP_FLOAT32 || dtype == MP_FLOAT64) && c_dtype == dtype;
}

/* The layout of `rows` x `cols` elements as cuBLASLt sees them, columns being contiguous. */
static mp_status make_layout(int dtype, int64_t rows, int64_t cols, int64_t ld, int64_t batch,
                             int64_t step, mp_lt_layout *out) {
    int32_t count = (int32_t)batch;
    LT_TRY(lt.layout_create(out, lt_type(dtype), (uint64_t)rows, (uint64_t)cols, ld));
    if (batch == 1) return MP_OK;
    LT_TRY(lt.layout_set(*out, MP_LT_LAYOUT_BATCH_COUNT, &count, sizeof count));
    LT_TRY(lt.layout_set(*out, MP_LT_LAYOUT_BATCH_STEP, &step, sizeof step));
    return MP_OK;
}

static mp_status describe(const plan_key *key, plan *p) {
    bool wide = key->dtype == MP_FLOAT64;
    int compute = wide ? MP_LT_COMPUTE_64F : key->tf32 ? MP_LT_COMPUTE_TF32 : MP_LT_COMPUTE_32F;
    int32_t transposed = MP_LT_OP_T;
    uint32_t epilogue = MP_LT_EPILOGUE_BIAS;
    LT_TRY(lt.desc_create(&p->desc, compute, wide ? MP_LT_F64 : MP_LT_F32));
    if (key->b_transposed)
        LT_TRY(lt.desc_set(p->desc, MP_LT_DESC_TRANSA, &transposed, sizeof transposed));
    if (key->a_transposed)
        LT_TRY(lt.desc_set(p->desc, MP_LT_DESC_TRANSB, &transposed, sizeof transposed));
    if (key->bias) {
        p->bias = (const void *)(uintptr_t)
            ALIGNMENT; /* the choice of an algorithm looks at its alignment only */
        LT_TRY(lt.desc_set(p->desc, MP_LT_DESC_EPILOGUE, &epilogue, sizeof epilogue));
        LT_TRY(lt.desc_set(p->desc, MP_LT_DESC_BIAS_POINTER, &p->bias, sizeof p->bias));
    }
    int64_t b_rows = key->b_transposed ? key->k : key->n,
            b_cols = key->b_transposed ? key->n : key->k;
    int64_t a_rows = key->a_transposed ? key->m : key->k,
            a_cols = key->a_transposed ? key->k : key->m;
    MP_TRY(make_layout(key->dtype, b_rows, b_cols, key->b_ld, key->batch, key->b_step, &p->first));
    MP_TRY(make_layout(key->dtype, a_rows, a_cols, key->a_ld, key->batch, key->a_step, &p->second));
    return make_layout(key->c_dtype, key->n, key->m, key->c_ld, key->batch, key->c_step,
                       &p->result);
}

/* Sums that are split over K are joined in the type of the sums, in a fixed order: never by adding
 * into a narrow c. */
static mp_status set_wishes(const plan_key *key, mp_lt_preference wishes) {
    uint64_t bytes = WORKSPACE;
    uint32_t reduction = MP_LT_REDUCE_IN_COMPUTE_TYPE;
    uint32_t a = key->a_alignment, b = key->b_alignment, c = key->c_alignment;
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_WORKSPACE, &bytes, sizeof bytes));
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_REDUCTION, &reduction, sizeof reduction));
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_ALIGNMENT_A, &b, sizeof b));
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_ALIGNMENT_B, &a, sizeof a));
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_ALIGNMENT_C, &c, sizeof c));
    LT_TRY(lt.preference_set(wishes, MP_LT_PREFERENCE_ALIGNMENT_D, &c, sizeof c));
    return MP_OK;
}

/* Takes cuBLASLt's first choice of an algorithm. */
static mp_status choose(mp_lt_handle handle, plan *p) {
    mp_lt_preference wishes = NULL;
    mp_lt_choice choice = {.status = MP_LT_NOT_SUPPORTED};
    int found = 0, answer = MP_LT_SUCCESS;
    LT_TRY(lt.preference_create(&wishes));
    mp_status status = set_wishes(&p->key, wishes);
    if (status == MP_OK)
        answer = lt.heuristic(handle, p->desc, p->first, p->second, p->result, p->result, wishes, 1,
                              &choice, &found);
    lt.preference_destroy(wishes);
    MP_TRY(status);
    if (answer == MP_LT_NOT_SUPPORTED) return MP_OK;
    MP_TRY(check(answer, "cublasLtMatmulAlgoGetHeuristic"));
    p->usable = found > 0 && choice.status == MP_LT_SUCCESS;
    p->algo = choice.algo;
    p->workspace = choice.workspace;
    return MP_OK;
}

static mp_status make_plan(mp_lt_handle handle, const plan_key *key, plan **out) {
    plan *p = calloc(1, sizeof *p);
    if (!p) return mp_fail(MP_ERR_MEMORY, "no room for a plan of %zu bytes", sizeof *p);
    p->key = *key;
    mp_status status = describe(key, p);
    if (status == MP_OK) status = choose(handle, p);
    if (status == MP_OK) *out = p;
    else free_plan(p);
    return status;
}

/* Lets the plans of some buckets go, until there is room for one more. */
static void make_room(int index) {
    while (devices[index].plans >= MOST_PLANS) {
        plan **bucket = &devices[index].buckets[devices[index].hand++ % BUCKETS];
        for (plan *p; (p = *bucket);) {
            *bucket = p->next;
            free_plan(p);
            devices[index].plans--;
        }
    }
}

/* The plan for a product, from the table if it is there. */
static mp_status find_plan(int index, const plan_key *key, plan **out) {
    plan **bucket = &devices[index].buckets[bucket_of(key)];
    for (plan *p = *bucket; p; p = p->next) {
        if (memcmp(&p->key, key, sizeof *key) != 0) continue;
        *out = p;
        return MP_OK;
    }
    make_room(index);
    MP_TRY(make_plan(devices[index].handle, key, out));
    (*out)->next = *bucket;
    *bucket = *out;
    devices[index].plans++;
    return MP_OK;
}

/* ---- launching ---- */

/* The lane's workspace: products of one stream follow each other, so that one is enough. */
static mp_status find_workspace(const mp_cuda_place *place, void **out) {
    workspace *w = devices[place->index].workspaces;
    while (w && w->lane != place->lane) w = w->next;
    if (!w) {
        w = malloc(sizeof *w);
        if (!w) return mp_fail(MP_ERR_MEMORY, "no room for %zu bytes", sizeof *w);
        mp_status status = mp_cuda_scratch(place, WORKSPACE, &w->data);
        if (status != MP_OK) {
            free(w);
            return status;
        }
        w->lane = place->lane;
        w->next = devices[place->index].workspaces;
        devices[place->index].workspaces = w;
    }
    *out = w->data;
    return MP_OK;
}

/* Under the device's lock. */
static mp_status launch(const mp_cuda_place *place, const mp_cuda_product *product,
                        const plan_key *key, bool *done) {
    static const float one = 1, zero = 0;
    static const double wide_one = 1, wide_zero = 0;
    bool wide = product->dtype == MP_FLOAT64;
    void *room = NULL;
    plan *p = NULL;
    if (!devices[place->index].handle) {
        mp_lt_handle handle = NULL;
        LT_TRY(lt.create(&handle));
        devices[place->index].handle = handle;
    }
    MP_TRY(find_plan(place->index, key, &p));
    if (!p->usable) return MP_OK;
    if (p->workspace) MP_TRY(find_workspace(place, &room));
    if (product->bias && p->bias != product->bias) {
        LT_TRY(lt.desc_set(p->desc, MP_LT_DESC_BIAS_POINTER, &product->bias, sizeof product->bias));
        p->bias = product->bias;
    }
    int status = lt.matmul(
        devices[place->index].handle, p->desc, wide ? (const void *)&wide_one : &one, product->b,
        p->first, product->a, p->second, wide ? (const void *)&wide_zero : &zero, product->c,
        p->result, product->c, p->result, &p->algo, room, room ? WORKSPACE : 0, place->stream);
    p->usable = status != MP_LT_NOT_SUPPORTED;
    *done = status == MP_LT_SUCCESS;
    return p->usable ? check(status, "cublasLtMatmul") : MP_OK;
}

mp_status mp_cuda_blas_run(const mp_cuda_place *place, const mp_cuda_product *product, bool *done) {
    *done = false;
    MP_TRY(want_library());
    if (product->m > INT32_MAX || product->n > INT32_MAX || product->k > INT32_MAX ||
        product->batch > INT32_MAX)
        return MP_OK;
    plan_key key = key_of(product);
    pthread_mutex_lock(&devices[place->index].lock);
    mp_status status = launch(place, product, &key, done);
    pthread_mutex_unlock(&devices[place->index].lock);
    return status;
}
