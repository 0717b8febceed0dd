/* Multi-tensor ops: collects what the kernels need from the parameters' leaves (gradients, their
 * loss scales, shadows), runs one kernel over all of them, and leaves gradients reading unscaled
 * through a pending factor. */
#include "tape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const mp_list_row mp_list_rows[MP_LIST_COUNT] = {
#define MP_LIST(name) {#name},
#include "lists.def"
#undef MP_LIST
};

static const int64_t long_work_elements = 20000;

static mp_status run(const mp_list_call *call) {
    const mp_backend *backend;
    MP_TRY(mp_backend_of(call->device, &backend));
    mp_list_kernel kernel = backend->lists[call->list];
    if (!kernel)
        return mp_fail(MP_ERR_NOT_IMPLEMENTED, "%s: no %s kernel", mp_list_rows[call->list].name,
                       backend->name);
    int64_t elements = 0;
    for (int64_t i = 0; i < call->n; i++) elements += call->items[i].size;
    if (backend->run_list) return backend->run_list(kernel, call, mp_list_rows[call->list].name);
    bool release = elements > long_work_elements && mp_long_work_begin;
    void *token = release ? mp_long_work_begin() : NULL;
    mp_status status = kernel(call);
    if (release) mp_long_work_end(token);
    return status;
}

/* What a kernel reads and writes is not reused before this thread's stream has passed. */
static void note_use(mp_device device, int64_t n, mp_array *const *arrays) {
    const mp_backend *backend;
    if (arrays && mp_backend_of(device, &backend) == MP_OK && backend->use)
        backend->use(device, n, arrays);
}

/* ---- collecting ---- */

/* The items of one call, with the references that keep their memory alive. grads[i] is NULL where a
 * parameter has none. */
typedef struct gathered {
    mp_list_item *items;
    mp_array **grads, **dense, **scales, **shadows;
    int64_t n;
} gathered;

static mp_status open_gathered(gathered *g, int64_t n) {
    memset(g, 0, sizeof *g);
    g->n = n;
    size_t count = n ? (size_t)n : 1;
    g->items = calloc(count, sizeof *g->items);
    g->grads = calloc(4 * count, sizeof *g->grads);
    if (!g->items || !g->grads)
        return mp_fail(MP_ERR_MEMORY, "memory: no room for a list of %lld tensors", (long long)n);
    g->dense = g->grads + n;
    g->scales = g->dense + n;
    g->shadows = g->scales + n;
    return MP_OK;
}

static void close_gathered(gathered *g) {
    for (int64_t i = 0; g->grads && i < 4 * g->n; i++) mp_array_unref(g->grads[i]);
    free(g->grads);
    free(g->items);
}

static const float *scale_data(const mp_array *scale) { return scale ? mp_data(scale) : NULL; }

/* The gradient of parameter i and the loss scale in it; without `scale` gradients are taken as they
 * are. */
static mp_status gather_grad(gathered *g, int64_t i, mp_array *param, mp_array *scale,
                             mp_device device) {
    mp_leaf *leaf = param->edge.leaf;
    mp_list_item *item = &g->items[i];
    if (!leaf) return MP_OK;
    mp_leaf_lock(leaf);
    g->grads[i] = mp_array_ref(leaf->grad);
    if (scale) g->scales[i] = mp_array_ref(leaf->grad_scale ? leaf->grad_scale : scale);
    mp_leaf_unlock(leaf);
    mp_array *grad = g->grads[i];
    if (!grad) return MP_OK;
    if (grad->storage->pending) MP_TRY(mp_array_settle(grad));
    if (mp_array_device(grad) != device || grad->size != param->size)
        return mp_fail(
            MP_ERR_VALUE,
            "optimizer: gradient %lld has shape %s on %s, which does not fit the parameter",
            (long long)i, mp_shape_text(grad->ndim, grad->shape),
            mp_device_name(mp_array_device(grad)));
    MP_TRY(mp_array_contiguous(grad, &g->dense[i]));
    item->grad = mp_data(g->dense[i]);
    item->grad_dtype = grad->dtype;
    item->scale = scale_data(g->scales[i]);
    item->size = grad->size;
    return MP_OK;
}

static mp_status state_data(mp_array *const *states, int64_t i, const mp_array *param, int64_t size,
                            void **out) {
    mp_array *state = states ? states[i] : NULL;
    *out = NULL;
    if (!state) return MP_OK;
    if (state->size != size || !state->contiguous ||
        mp_array_device(state) != mp_array_device(param))
        return mp_fail(MP_ERR_VALUE,
                       "optimizer: a state of parameter %lld has shape %s, the parameter %s",
                       (long long)i, mp_shape_text(state->ndim, state->shape),
                       mp_shape_text(param->ndim, param->shape));
    *out = mp_data(state);
    return MP_OK;
}

/* The narrow copy of a parameter that is up to date, if there is one: the kernel writes it too. */
static void gather_shadow(gathered *g, int64_t i, const mp_array *param) {
    mp_leaf *leaf = param->edge.leaf;
    uint64_t version = atomic_load(&param->storage->version);
    mp_leaf_lock(leaf);
    for (int k = 0; k < MP_SHADOWS && !g->shadows[i]; k++)
        if (leaf->shadow[k].array && leaf->shadow[k].source == param->storage &&
            leaf->shadow[k].version == version)
            g->shadows[i] = mp_array_ref(leaf->shadow[k].array);
    mp_leaf_unlock(leaf);
    if (!g->shadows[i]) return;
    g->items[i].shadow = mp_data(g->shadows[i]);
    g->items[i].shadow_dtype = g->shadows[i]->dtype;
}

static mp_status gather_param(gathered *g, int64_t i, const mp_optim *o) {
    mp_array *param = o->params[i];
    mp_list_item *item = &g->items[i];
    if (!g->grads[i]) return MP_OK;
    if (!param->contiguous || param->storage->read_only)
        return mp_fail(MP_ERR_VALUE, "optimizer: parameter %lld is %s", (long long)i,
                       param->contiguous ? "read-only" : "not contiguous");
    void *master, *step;
    MP_TRY(state_data(o->m, i, param, param->size, &item->m));
    MP_TRY(state_data(o->v, i, param, param->size, &item->v));
    MP_TRY(state_data(o->masters, i, param, param->size, &master));
    MP_TRY(state_data(o->steps, i, param, 1, &step));
    item->param = mp_data(param);
    item->param_dtype = param->dtype;
    item->master = master;
    item->step = step;
    gather_shadow(g, i, param);
    return MP_OK;
}

static mp_status gather(gathered *g, const mp_optim *o, bool with_params) {
    MP_TRY(open_gathered(g, o->n));
    for (int64_t i = 0; i < o->n; i++) {
        mp_device device = mp_array_device(o->params[i]);
        if (device != mp_array_device(o->params[0]))
            return mp_fail(MP_ERR_VALUE,
                           "optimizer: parameters of one group are on different devices");
        MP_TRY(gather_grad(g, i, o->params[i], o->scale, device));
        if (with_params) MP_TRY(gather_param(g, i, o));
    }
    if (!o->n) return MP_OK;
    mp_array *const *lists[] = {o->params, o->m, o->v, o->masters, o->steps};
    mp_device device = mp_array_device(o->params[0]);
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) note_use(device, o->n, lists[k]);
    note_use(device, 4 * g->n, g->grads);
    note_use(device, 3, (mp_array *[]){o->stats, o->scale, o->rate});
    return MP_OK;
}

static mp_list_call call_for(const mp_optim *o, const gathered *g, mp_list list) {
    mp_list_call call = o->hyper;
    call.list = list;
    call.device = o->n ? mp_array_device(o->params[0]) : MP_CPU;
    call.n = g->n;
    call.items = g->items;
    call.stats = o->stats ? mp_data(o->stats) : NULL;
    call.rate = o->rate ? mp_data(o->rate) : NULL;
    return call;
}

/* The gradients carry no loss scale any more. */
static void forget_scales(const mp_optim *o, const gathered *g) {
    for (int64_t i = 0; i < o->n; i++) {
        if (!g->grads[i]) continue;
        mp_leaf *leaf = o->params[i]->edge.leaf;
        mp_leaf_lock(leaf);
        mp_array *old = leaf->grad_scale;
        leaf->grad_scale = NULL;
        mp_leaf_unlock(leaf);
        mp_array_unref(old);
    }
}

/* ---- unscale ---- */

mp_status mp_optim_unscale(const mp_optim *o) {
    gathered g;
    mp_status status = gather(&g, o, false);
    if (status == MP_OK) {
        mp_list_call call = call_for(o, &g, MP_LIST_unscale);
        status = run(&call);
    }
    for (int64_t i = 0; status == MP_OK && o->hyper.write && i < o->n; i++) {
        if (!g.grads[i]) continue;
        if (g.dense[i] != g.grads[i]) status = mp_array_assign(g.grads[i], g.dense[i]);
        else atomic_fetch_add(&g.grads[i]->storage->version, 1);
    }
    if (status == MP_OK && o->hyper.write) forget_scales(o, &g);
    close_gathered(&g);
    return status;
}

/* ---- steps ---- */

/* stats.factor / scale, a 0-d float32 array. */
static mp_status read_factor(mp_array *stats, mp_array *scale, mp_array **out) {
    mp_array *factor;
    if (stats) {
        MP_TRY(mp_array_view(stats, 0, NULL, NULL,
                             stats->offset + (int64_t)(offsetof(mp_stats, factor) / sizeof(float)),
                             &factor));
    } else {
        MP_TRY(mp_array_scalar(MP_FLOAT32, 1.0, &factor));
    }
    mp_array *flat = NULL;
    mp_status status = scale ? mp_reshape(scale, 0, NULL, &flat) : MP_OK;
    if (status == MP_OK) {
        if (flat) status = mp_op2(MP_OP_div, factor, flat, NULL, out);
        else status = mp_op1(MP_OP_copy, factor, NULL, out);
    }
    mp_array_unref(factor);
    mp_array_unref(flat);
    return status;
}

/* grad *= factor: now, or at the next read where the storage holds nothing but this gradient. */
static mp_status multiply_later(mp_array *grad, mp_array *factor) {
    mp_storage *s = grad->storage;
    if (s->bytes == (size_t)grad->size * (size_t)mp_itemsize(grad) && !s->release &&
        atomic_load(&s->exports) == 0) {
        s->pending = mp_array_ref(factor);
        atomic_fetch_add(&s->version, 1);
        return MP_OK;
    }
    mp_array *in[2] = {grad, factor};
    return mp_op_call_into(MP_OP_mul, 2, in, NULL, grad);
}

/* What .grad reads after the step: unscaled and clipped. A gradient in memory that must not be
 * written (another library's) is let go. */
static mp_status leave_unscaled(const mp_optim *o, gathered *g) {
    mp_array *scale = NULL, *factor = NULL;
    mp_status status = MP_OK;
    for (int64_t i = 0; status == MP_OK && i < o->n; i++) {
        if (!g->grads[i]) continue;
        if (!factor || g->scales[i] != scale) {
            mp_array_clear(&factor);
            scale = g->scales[i];
            status = read_factor(o->stats, scale, &factor);
        }
        if (status != MP_OK) break;
        if (g->grads[i]->storage->read_only) mp_leaf_set_grad(o->params[i]->edge.leaf, NULL);
        else status = multiply_later(g->grads[i], factor);
    }
    mp_array_unref(factor);
    if (status == MP_OK) forget_scales(o, g);
    return status;
}

/* Parameters have new values, and so have the shadows that were written with them. */
static void mark_written(const mp_optim *o, const gathered *g) {
    for (int64_t i = 0; i < o->n; i++) {
        if (!g->grads[i]) continue;
        mp_array *param = o->params[i];
        uint64_t version = atomic_fetch_add(&param->storage->version, 1) + 1;
        if (!g->shadows[i]) continue;
        atomic_fetch_add(&g->shadows[i]->storage->version, 1);
        mp_leaf *leaf = param->edge.leaf;
        mp_leaf_lock(leaf);
        for (int k = 0; k < MP_SHADOWS; k++)
            if (leaf->shadow[k].array == g->shadows[i]) leaf->shadow[k].version = version;
        mp_leaf_unlock(leaf);
    }
}

mp_status mp_optim_step(mp_list list, const mp_optim *o) {
    bool grad, inference;
    mp_grad_mode_get(&grad, &inference);
    mp_grad_mode_set(false, inference);
    gathered g;
    mp_status status = gather(&g, o, true);
    if (status == MP_OK) {
        mp_list_call call = call_for(o, &g, list);
        status = run(&call);
    }
    if (status == MP_OK) mark_written(o, &g);
    if (status == MP_OK && (o->stats || o->scale)) status = leave_unscaled(o, &g);
    close_gathered(&g);
    mp_grad_mode_set(grad, inference);
    return status;
}

static mp_status check_float32(const char *name, const mp_array *a, int64_t size,
                               mp_device device) {
    if (!a || (a->dtype == MP_FLOAT32 && a->contiguous && a->size == size &&
               mp_array_device(a) == device))
        return MP_OK;
    return mp_fail(MP_ERR_VALUE, "scaler_update: the %s is not %lld float32 values on %s", name,
                   (long long)size, mp_device_name(device));
}

mp_status mp_scaler_update(mp_array *state, mp_array *stats, mp_array *scale_after,
                           const mp_list_call *hyper) {
    mp_list_call call = *hyper;
    call.list = MP_LIST_scaler_update;
    call.device = mp_array_device(state);
    MP_TRY(check_float32("state", state, 8, call.device));
    MP_TRY(check_float32("stats", stats, 4, call.device));
    MP_TRY(check_float32("scale", scale_after, 1, call.device));
    note_use(call.device, 3, (mp_array *[]){state, stats, scale_after});
    call.stats = stats ? mp_data(stats) : NULL;
    call.scale_after = scale_after ? mp_data(scale_after) : NULL;
    call.n = 0;
    call.scaler = mp_data(state);
    MP_TRY(run(&call));
    atomic_fetch_add(&state->storage->version, 1);
    return MP_OK;
}

/* ---- schedules ---- */

static mp_status check_float64(const char *name, const mp_array *a, int64_t size,
                               mp_device device) {
    if (a->dtype == MP_FLOAT64 && a->contiguous && a->size == size && mp_array_device(a) == device)
        return MP_OK;
    return mp_fail(MP_ERR_VALUE, "schedule: %s is %s of shape %s on %s, must be %lld float64 on %s",
                   name, mp_dtypes[a->dtype].name, mp_shape_text(a->ndim, a->shape),
                   mp_device_name(mp_array_device(a)), (long long)size, mp_device_name(device));
}

mp_status mp_optim_count(mp_array *count, mp_array *stats) {
    mp_device device = mp_array_device(count);
    MP_TRY(check_float64("count", count, 1, device));
    if (stats->dtype != MP_FLOAT32 || stats->size != 4 || !stats->contiguous ||
        mp_array_device(stats) != device)
        return mp_fail(MP_ERR_VALUE, "count: the stats are not 4 float32 values beside the count");
    mp_list_call call = {
        .list = MP_LIST_count, .device = device, .count = mp_data(count), .stats = mp_data(stats)};
    note_use(device, 2, (mp_array *[]){count, stats});
    MP_TRY(run(&call));
    atomic_fetch_add(&count->storage->version, 1);
    return MP_OK;
}

mp_status mp_optim_schedule(const mp_schedule_step *s) {
    mp_device device = mp_array_device(s->place);
    int64_t n = s->after->size;
    MP_TRY(check_float64("place", s->place, 2, device));
    MP_TRY(check_float64("count", s->count, 1, device));
    MP_TRY(check_float64("before", s->before, n, device));
    MP_TRY(check_float64("after", s->after, n, device));
    MP_TRY(check_float64("table", s->table, s->table->size, device));
    if (s->row < 0 || (s->row + 1) * n > s->table->size)
        return mp_fail(MP_ERR_VALUE, "schedule: row %lld is outside of a table of shape %s",
                       (long long)s->row, mp_shape_text(s->table->ndim, s->table->shape));
    const mp_backend *backend;
    MP_TRY(mp_backend_of(device, &backend));
    double *table = mp_data(s->table);
    MP_TRY(backend->copy(device, table + s->row * n, s->rates, (size_t)n * sizeof *table, false,
                         true, false));
    mp_list_call call = {.list = MP_LIST_schedule,
                         .device = device,
                         .schedule = {.place = mp_data(s->place),
                                      .count = mp_data(s->count),
                                      .table = table,
                                      .before = mp_data(s->before),
                                      .after = mp_data(s->after),
                                      .n = n,
                                      .sure = s->sure}};
    note_use(device, 5, (mp_array *[]){s->place, s->count, s->table, s->before, s->after});
    MP_TRY(run(&call));
    atomic_fetch_add(&s->place->storage->version, 1);
    atomic_fetch_add(&s->table->storage->version, 1);
    atomic_fetch_add(&s->after->storage->version, 1);
    return MP_OK;
}
