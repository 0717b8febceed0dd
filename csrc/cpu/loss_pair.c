/* Losses of pairs of elements, and their gradients: mse, l1, smooth_l1, huber, binary cross entropy
 * of logits. Operands have any strides and broadcast. float32 arithmetic, float64 where an array
 * is; sums of blocks are added up in float64 in order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum {
    BLOCK = 16384, /* elements of a task */
    PIECE = 512,   /* elements converted at a time */
};

enum {
    X,
    TARGET,
    WEIGHT,
    POS_WEIGHT,
    GY,
    OUT,
    GTARGET,
    OPERANDS
}; /* what an array is to the loss */
enum { MSE, L1, SMOOTH_L1, HUBER };

typedef struct pair_job {
    mp_iter iter;
    mp_array *operands[OPERANDS]; /* those there are, in the order of iter */
    int place[OPERANDS];          /* of each in operands, or -1 */
    int n, kind;                  /* kind: of a loss of differences */
    bool logits;
    double parameter, share; /* share: what gy is multiplied by for the reduction */
    double *sums;            /* per block, or NULL */
} pair_job;

typedef struct pair_block {
    const pair_job *job;
    double sum;
} pair_block;

#define REAL_BITS 32
#include "real.h"
#include "loss_pair_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "loss_pair_body.h"

static void add_operand(pair_job *job, int which, mp_array *a) {
    job->place[which] = a ? job->n : -1;
    if (a) job->operands[job->n++] = a;
}

/* Runs all blocks; y, if not NULL, gets the sum of the losses, or their mean. */
static mp_status run(pair_job *job, int ndim, const int64_t *shape, mp_array *y, bool mean) {
    bool wide = y && y->dtype == MP_FLOAT64;
    for (int i = 0; i < job->n; i++) wide |= job->operands[i]->dtype == MP_FLOAT64;
    mp_iter_init(&job->iter, job->n, job->operands, ndim, shape);
    int64_t size = job->iter.size, blocks = (size + BLOCK - 1) / BLOCK;
    if (y) job->sums = malloc((size_t)(blocks + 1) * sizeof *job->sums);
    if (y && !job->sums) return mp_fail(MP_ERR_MEMORY, "no room for %lld sums", (long long)blocks);
    job->share = mean ? 1 / (double)size : 1;
    mp_parallel_for(blocks, 1, wide ? pair_tasks_f64 : pair_tasks_f32, job);
    if (!y) return MP_OK;
    double sum = 0;
    for (int64_t i = 0; i < blocks; i++) sum += job->sums[i];
    free(job->sums);
    if (mean) sum /= (double)size;
    MP_STORE_F64(y->dtype)(mp_data(y), mp_itemsize(y), &sum, 1);
    return MP_OK;
}

/* A forward op: x and target in job. */
static mp_status forward(mp_call *call, pair_job *job) {
    bool none = call->attrs.reduction == MP_REDUCE_NONE;
    int8_t ndim;
    int64_t shape[MP_MAX_DIMS];
    MP_TRY(mp_broadcast(2, call->in, &ndim, shape));
    add_operand(job, GY, NULL);
    add_operand(job, OUT, none ? call->out[0] : NULL);
    add_operand(job, GTARGET, NULL);
    return run(job, ndim, shape, none ? NULL : call->out[0],
               call->attrs.reduction == MP_REDUCE_MEAN);
}

/* A backward op: gy, x and target in call->in, gx and maybe gtarget in call->out. */
static mp_status backward(mp_call *call, pair_job *job) {
    mp_array *gx = call->out[0];
    add_operand(job, GY, call->in[0]);
    add_operand(job, OUT, gx);
    add_operand(job, GTARGET, job->logits ? call->out[1] : NULL);
    return run(job, gx->ndim, gx->shape, NULL, call->attrs.reduction == MP_REDUCE_MEAN);
}

static mp_status difference(mp_call *call, int kind, double parameter, bool is_backward) {
    pair_job job = {.kind = kind, .parameter = parameter};
    add_operand(&job, X, call->in[is_backward]);
    add_operand(&job, TARGET, call->in[is_backward + 1]);
    add_operand(&job, WEIGHT, NULL);
    add_operand(&job, POS_WEIGHT, NULL);
    return is_backward ? backward(call, &job) : forward(call, &job);
}

static mp_status logits(mp_call *call, bool is_backward) {
    pair_job job = {.logits = true};
    for (int i = X; i <= POS_WEIGHT; i++) add_operand(&job, i, call->in[is_backward + i]);
    return is_backward ? backward(call, &job) : forward(call, &job);
}

/* With d = x - target: d^2 */
MP_KERNEL(mse_loss) { return difference(call, MSE, 0, false); }
MP_KERNEL(mse_loss_bwd) { return difference(call, MSE, 0, true); }
/* |d| */
MP_KERNEL(l1_loss) { return difference(call, L1, 0, false); }
MP_KERNEL(l1_loss_bwd) { return difference(call, L1, 0, true); }
/* d^2 / (2 beta) where |d| < beta, else |d| - beta / 2 */
MP_KERNEL(smooth_l1_loss) { return difference(call, SMOOTH_L1, call->attrs.beta, false); }
MP_KERNEL(smooth_l1_loss_bwd) { return difference(call, SMOOTH_L1, call->attrs.beta, true); }
/* d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) */
MP_KERNEL(huber_loss) { return difference(call, HUBER, call->attrs.delta, false); }
MP_KERNEL(huber_loss_bwd) { return difference(call, HUBER, call->attrs.delta, true); }
/* weight ((1 - target) x + (1 + (pos_weight - 1) target) log(1 + exp(-x))) */
MP_KERNEL(binary_cross_entropy_with_logits) { return logits(call, false); }
/* gx = gy weight ((pos_weight target + 1 - target) sigmoid(x) - pos_weight target),
 * gtarget = gy weight ((pos_weight - 1) log(1 + exp(-x)) - x) */
MP_KERNEL(binary_cross_entropy_with_logits_bwd) { return logits(call, true); }
