/* Losses over classes, and their gradients: cross_entropy with class indices and with
 * probabilities, nll_loss. Formulas are PyTorch's. x is seen as outer x classes x inner; a row is
 * one outer and inner index. Sums are float32, float64 where an array is; the rows' losses are
 * summed in float64, in order. The losses of pairs are in loss_pair.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tiles.h"

typedef struct class_job {
    mp_tiles tiles;                           /* at most 256 columns wide */
    const mp_array *x, *target, *weight, *gy; /* weight may be NULL */
    const mp_array *y, *lse, *gx, *gtarget;
    const void *weights; /* of the classes, as reals */
    void *losses;        /* a real per row */
    double smoothing, weight_sum, divisor;
    int64_t ignore;
    int reduction;
    bool soft, wide;
    mp_status status;
} class_job;

#define REAL_BITS 32
#include "real.h"
#include "loss_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "loss_body.h"

static mp_status no_room(int64_t n) {
    return mp_fail(MP_ERR_MEMORY, "no room for %lld elements", (long long)n);
}

/* Checks class indices and sums what a mean divides by: the targets' weights, ignored rows aside.
 */
static mp_status read_targets(class_job *job, const double *weights) {
    const mp_array *target = job->target;
    int64_t piece[512], n = job->tiles.n;
    job->divisor = 0;
    for (int64_t at = 0; at < target->size; at += 512) {
        int64_t count = target->size - at < 512 ? target->size - at : 512;
        MP_LOAD_I64(target->dtype)(piece, mp_element(target, at), mp_itemsize(target), count);
        for (int64_t i = 0; i < count; i++) {
            if (piece[i] == job->ignore) continue;
            if (piece[i] < 0 || piece[i] >= n)
                return mp_fail(MP_ERR_INDEX,
                               "target %lld at position %lld is out of range for %lld classes",
                               (long long)piece[i], (long long)(at + i), (long long)n);
            job->divisor += weights[piece[i]];
        }
    }
    return MP_OK;
}

/* Fills what follows from the arrays: tiles, weights as reals, the divisor. */
static mp_status prepare(class_job *job, const mp_call *call) {
    int64_t n;
    job->tiles = mp_tiles_along(job->x, job->x->ndim > 1);
    job->reduction = call->attrs.reduction;
    job->wide = job->x->dtype == MP_FLOAT64 || (job->soft && job->target->dtype == MP_FLOAT64);
    n = job->tiles.n;
    double *weights = mp_scratch((size_t)(2 * n) * sizeof *weights, MP_SCRATCH_KERNEL);
    if (!weights) return no_room(2 * n);
    if (job->weight)
        MP_LOAD_F64(job->weight->dtype)(weights, mp_data(job->weight), mp_itemsize(job->weight), n);
    else
        for (int64_t i = 0; i < n; i++) weights[i] = 1;
    float *narrow = (float *)(weights + n);
    for (int64_t i = 0; i < n; i++) narrow[i] = (float)weights[i];
    job->weights = job->wide ? (const void *)weights : narrow;
    job->weight_sum = row_sum_f64(n, weights);
    job->divisor = (double)(job->tiles.outer * job->tiles.inner);
    return job->soft ? MP_OK : read_targets(job, weights);
}

/* Runs tasks that write the rows' losses, and makes y of them. */
static mp_status forward(class_job *job, int64_t tasks, int64_t grain, mp_parallel_fn run) {
    int64_t rows = job->tiles.outer * job->tiles.inner;
    mp_dtype real_dtype = job->wide ? MP_FLOAT64 : MP_FLOAT32;
    void *own = NULL;
    if (job->reduction == MP_REDUCE_NONE && job->y->dtype == real_dtype)
        job->losses = mp_data(job->y);
    else job->losses = own = malloc((size_t)(rows + 1) * sizeof(double));
    if (!job->losses && rows > 0) return no_room(rows);
    mp_parallel_for(tasks, grain, run, job);
    if (job->status == MP_OK) (job->wide ? finish_losses_f64 : finish_losses_f32)(job, rows);
    free(own);
    return job->status == MP_OK ? MP_OK : no_room(job->tiles.n);
}

static mp_status class_forward(mp_call *call, class_job *job) {
    MP_TRY(prepare(job, call));
    return forward(job, job->tiles.count, job->tiles.grain,
                   job->wide ? class_tasks_f64 : class_tasks_f32);
}

static mp_status class_backward(mp_call *call, class_job *job) {
    MP_TRY(prepare(job, call));
    mp_parallel_for(job->tiles.count, job->tiles.grain,
                    job->wide ? class_bwd_tasks_f64 : class_bwd_tasks_f32, job);
    return job->status == MP_OK ? MP_OK : no_room(job->tiles.n);
}

/* Of a row with target t: (1 - s) weight[t] (lse - x[t]) + s / classes sum(weight (lse - x)), s the
 * label smoothing. Rows whose target is ignore_index count as 0, and nothing in the mean, which
 * divides by the sum of weight[t]. */
MP_KERNEL(cross_entropy) {
    class_job job = {.x = call->in[0],
                     .target = call->in[1],
                     .weight = call->in[2],
                     .y = call->out[0],
                     .lse = call->out[1]};
    job.smoothing = call->attrs.label_smoothing, job.ignore = call->attrs.ignore_index;
    return class_forward(call, &job);
}

MP_KERNEL(cross_entropy_bwd) {
    class_job job = {.gy = call->in[0],
                     .x = call->in[1],
                     .target = call->in[2],
                     .weight = call->in[3],
                     .lse = call->in[4]};
    job.gx = call->out[0];
    job.smoothing = call->attrs.label_smoothing, job.ignore = call->attrs.ignore_index;
    return class_backward(call, &job);
}

/* Of a row: sum(weight (target (1 - s) + s / classes) (lse - x)); a mean divides by the number of
 * rows. */
MP_KERNEL(cross_entropy_soft) {
    class_job job = {.x = call->in[0],
                     .target = call->in[1],
                     .weight = call->in[2],
                     .y = call->out[0],
                     .lse = call->out[1]};
    job.smoothing = call->attrs.label_smoothing, job.soft = true;
    return class_forward(call, &job);
}

MP_KERNEL(cross_entropy_soft_bwd) {
    class_job job = {.gy = call->in[0],
                     .x = call->in[1],
                     .target = call->in[2],
                     .weight = call->in[3],
                     .lse = call->in[4]};
    job.gx = call->out[0], job.gtarget = call->out[1];
    job.smoothing = call->attrs.label_smoothing, job.soft = true;
    return class_backward(call, &job);
}

static const int64_t nll_grain = 4096;

/* Of a row with target t: -weight[t] x[t]. */
MP_KERNEL(nll_loss) {
    class_job job = {
        .x = call->in[0], .target = call->in[1], .weight = call->in[2], .y = call->out[0]};
    job.ignore = call->attrs.ignore_index;
    MP_TRY(prepare(&job, call));
    return forward(&job, job.target->size, nll_grain, job.wide ? nll_tasks_f64 : nll_tasks_f32);
}

MP_KERNEL(nll_loss_bwd) {
    class_job job = {.gy = call->in[0],
                     .x = call->in[1],
                     .target = call->in[2],
                     .weight = call->in[3],
                     .gx = call->out[0]};
    job.ignore = call->attrs.ignore_index;
    MP_TRY(prepare(&job, call));
    memset(mp_data(job.gx), 0, (size_t)job.gx->size * (size_t)mp_itemsize(job.gx));
    mp_parallel_for(job.target->size, nll_grain, job.wide ? nll_bwd_tasks_f64 : nll_bwd_tasks_f32,
                    &job);
    return MP_OK;
}
