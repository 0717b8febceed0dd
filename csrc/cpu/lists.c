/* Multi-tensor ops: unscale with inf check and gradient norm, SGD, Adam(W), and the scaler's
 * update. Each element is read once and written once, with everything that depends on it: a float32
 * Adam step moves 28 bytes per parameter, a clip or an unscale before it none. Work is cut into
 * blocks of one item each; what is summed is summed block by block in order, so that results do not
 * depend on the number of threads. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum {
    BLOCK = 16384, /* elements of a task */
    PIECE = 1024,  /* elements converted at a time */
    FEW = 32768,   /* elements for which threads do not pay */
};

/* ---- cutting ---- */

typedef struct block {
    int64_t item, begin, size;
} block;

/* The blocks of a call; items without gradient have none. */
typedef struct plan {
    const mp_list_call *call;
    int64_t n, elements;
    block *blocks;
    double *squares; /* unscale: a sum per block */
    uint8_t *bad;    /* unscale: whether a block holds inf or NaN */
} plan;

static mp_status open_plan(plan *p, const mp_list_call *call) {
    *p = (plan){.call = call};
    for (int64_t i = 0; i < call->n; i++)
        if (call->items[i].grad) p->n += (call->items[i].size + BLOCK - 1) / BLOCK;
    size_t count = (size_t)p->n + 1;
    p->blocks = malloc(count * (sizeof *p->blocks + sizeof *p->squares + sizeof *p->bad));
    if (!p->blocks)
        return mp_fail(MP_ERR_MEMORY, "no room for %lld blocks of work", (long long)p->n);
    p->squares = (double *)(p->blocks + count);
    p->bad = (uint8_t *)(p->squares + count);
    int64_t k = 0;
    for (int64_t i = 0; i < call->n; i++) {
        if (!call->items[i].grad) continue;
        int64_t size = call->items[i].size;
        p->elements += size;
        for (int64_t at = 0; at < size; at += BLOCK)
            p->blocks[k++] = (block){i, at, size - at < BLOCK ? size - at : BLOCK};
    }
    return MP_OK;
}

static void run_plan(plan *p, mp_parallel_fn run) {
    if (p->elements > FEW) mp_parallel_for(p->n, 1, run, p);
    else run(p, 0, p->n);
}

static inline void *element(void *data, int dtype, int64_t i) {
    return (char *)data + i * mp_dtypes[dtype].bytes;
}

/* What a gradient is multiplied by: the clip coefficient over the loss scale. */
static double grad_factor(const mp_list_call *call, const mp_list_item *item) {
    double factor = call->list != MP_LIST_unscale && call->stats ? call->stats->factor : 1;
    return item->scale ? factor / *item->scale : factor;
}

static bool skipped(const mp_list_call *call) { return call->stats && call->stats->found_inf != 0; }

static double rate_of(const mp_list_call *call) { return call->rate ? *call->rate : call->lr; }

/* ---- the arithmetic ---- */

/* Of one item, in double: the formulas below say what each is. */
typedef struct factors {
    double grad, decay, keep, rate, first, second, unbias, eps, dampened;
    bool momentum, nesterov;
} factors;

/* PyTorch's SGD. g = grad * factor + decay * p; buffer m: g at first, then first * m + dampened *
 * g. */
static factors sgd_factors(const mp_list_call *call, const mp_list_item *item) {
    bool start = *item->step == 0;
    return (factors){
        .grad = (call->maximize ? -1 : 1) * grad_factor(call, item),
        .decay = call->weight_decay,
        .keep = 1,
        .rate = rate_of(call),
        .first = start ? 0 : call->momentum,
        .dampened = start ? 1 : 1 - call->dampening,
        .second = call->momentum,
        .momentum = call->momentum != 0 && item->m,
        .nesterov = call->nesterov,
    };
}

/* PyTorch's Adam(W): p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps). */
static factors adam_factors(const mp_list_call *call, const mp_list_item *item) {
    double t = (double)*item->step + 1;
    return (factors){
        .grad = (call->maximize ? -1 : 1) * grad_factor(call, item),
        .decay = call->decoupled ? 0 : call->weight_decay,
        .keep = call->decoupled ? 1 - rate_of(call) * call->weight_decay : 1,
        .rate = rate_of(call) / (1 - pow(call->beta1, t)),
        .first = 1 - call->beta1,
        .second = call->beta2,
        .unbias = 1 / sqrt(1 - pow(call->beta2, t)),
        .eps = call->eps,
    };
}

#define REAL_BITS 32
#include "real.h"
#include "lists_body.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "lists_body.h"

/* ---- unscale ---- */

static void unscale_tasks(void *ctx, int64_t begin, int64_t end) {
    plan *p = ctx;
    for (int64_t k = begin; k < end; k++) {
        const block *b = &p->blocks[k];
        const mp_list_item *item = &p->call->items[b->item];
        bool wide = item->grad_dtype == MP_FLOAT64, write = p->call->write && item->scale;
        double by = grad_factor(p->call, item);
        p->bad[k] =
            (wide ? unscale_block_f64 : unscale_block_f32)(item, b, by, write, &p->squares[k]);
    }
}

/* Reads all gradients, times 1 / scale: found_inf, their norm, the clip coefficient for max_norm
 * and the first item with inf or NaN. With `write` the gradients are left unscaled. */
MP_LIST_KERNEL(unscale) {
    plan p;
    MP_TRY(open_plan(&p, call));
    run_plan(&p, unscale_tasks);
    mp_stats found = {.factor = 1, .first_bad = -1};
    double squares = 0;
    for (int64_t k = 0; k < p.n; k++) {
        squares += p.squares[k];
        if (p.bad[k] && found.first_bad < 0) found.first_bad = (float)p.blocks[k].item;
    }
    free(p.blocks);
    found.found_inf = found.first_bad >= 0;
    double norm = sqrt(squares), factor = call->max_norm / (norm + 1e-6);
    found.norm = (float)norm;
    if (isfinite(norm) && factor < 1) found.factor = (float)factor;
    if (call->stats) *call->stats = found;
    return MP_OK;
}

/* ---- updates ---- */

static void update_tasks(void *ctx, int64_t begin, int64_t end) {
    plan *p = ctx;
    for (int64_t k = begin; k < end; k++) {
        const block *b = &p->blocks[k];
        const mp_list_item *item = &p->call->items[b->item];
        factors f = (p->call->list == MP_LIST_sgd ? sgd_factors : adam_factors)(p->call, item);
        for (int64_t i = 0; i < b->size; i += PIECE) {
            int64_t n = b->size - i < PIECE ? b->size - i : PIECE;
            if (item->param_dtype == MP_FLOAT64) update_f64(p->call, item, b->begin + i, n, &f);
            else update_f32(p->call, item, b->begin + i, n, &f);
        }
    }
}

/* Steps advance last: blocks of one item all read the same. */
static mp_status update(const mp_list_call *call) {
    if (skipped(call)) return MP_OK;
    plan p;
    MP_TRY(open_plan(&p, call));
    run_plan(&p, update_tasks);
    for (int64_t i = 0; i < call->n; i++)
        if (call->items[i].grad) *call->items[i].step += 1;
    free(p.blocks);
    return MP_OK;
}

MP_LIST_KERNEL(sgd) { return update(call); }
MP_LIST_KERNEL(adam) { return update(call); }

MP_LIST_KERNEL(scaler_update) {
    if (skipped(call)) call->scaler->found_inf = 1;
    mp_scaler_law(call->scaler, call->growth_factor, call->backoff_factor, call->growth_interval,
                  call->min_scale, call->max_scale, call->hysteresis);
    if (call->scale_after) *call->scale_after = call->scaler->scale;
    return MP_OK;
}

/* ---- schedules ---- */

MP_LIST_KERNEL(count) {
    if (!skipped(call)) *call->count += 1;
    return MP_OK;
}

MP_LIST_KERNEL(schedule) {
    const mp_schedule *s = &call->schedule;
    bool moves = s->sure || *s->count != s->place[1];
    s->place[0] += moves;
    s->place[1] = *s->count;
    const double *rates = moves ? s->table + (int64_t)s->place[0] * s->n : s->before;
    memcpy(s->after, rates, (size_t)s->n * sizeof *rates);
    return MP_OK;
}
