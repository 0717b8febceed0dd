/* How a reduction over any axes and strides is done: see reduction.cuh. Host code only. */
#include "reduction.cuh"

#include <stdlib.h>

namespace {

struct dims {
    int n;
    mp_dim of[MP_CUDA_DIMS];
};

/* Dimensions sorted into what is kept and what is reduced; extents of 1 fall out. */
struct split {
    dims kept, gone;
};

int64_t size_of(const mp_dim &d) { return llabs(d.x); }

/* Merges neighbours that are walked through evenly. */
void merge(dims *d) {
    int kept = 0;
    for (int i = 0; i < d->n; i++) {
        const mp_dim here = d->of[i], last = kept > 0 ? d->of[kept - 1] : mp_dim{0, 0, 0};
        if (kept > 0 && last.x == here.x * here.n && last.y == here.y * here.n)
            d->of[kept - 1] = mp_dim{last.n * here.n, here.x, here.y};
        else d->of[kept++] = here;
    }
    d->n = kept;
}

/* By falling steps. */
void sort(dims *d) {
    for (int i = 1; i < d->n; i++)
        for (int k = i; k > 0 && size_of(d->of[k - 1]) < size_of(d->of[k]); k--) {
            mp_dim swap = d->of[k];
            d->of[k] = d->of[k - 1];
            d->of[k - 1] = swap;
        }
}

split split_dims(const mp_array *x, int n_axes, const int64_t *axes, int64_t *results) {
    split s = {};
    unsigned gone = 0;
    int64_t steps[MP_CUDA_DIMS], item = mp_itemsize(x);
    for (int i = 0; i < n_axes; i++) gone |= 1u << axes[i];
    *results = 1;
    for (int i = x->ndim - 1; i >= 0; i--) {
        steps[i] = *results;
        if (!(gone & (1u << i))) *results *= x->shape[i];
    }
    for (int i = 0; i < x->ndim; i++) {
        bool goes = gone & (1u << i);
        dims *to = goes ? &s.gone : &s.kept;
        if (x->shape[i] != 1)
            to->of[to->n++] = mp_dim{x->shape[i], x->strides[i] * item, goes ? 0 : steps[i]};
    }
    sort(&s.gone);
    merge(&s.gone);
    if (s.gone.n == 0) s.gone.of[s.gone.n++] = mp_dim{1, item, 0};
    return s;
}

int64_t count(const dims &d) {
    int64_t n = 1;
    for (int i = 0; i < d.n; i++) n *= d.of[i].n;
    return n;
}

mp_axes axes_of(const dims &d) {
    mp_axes a = {};
    a.ndim = d.n;
    for (int i = 0; i < d.n; i++) {
        a.extent[i] = mp_divider_of(d.of[i].n);
        a.x[i] = d.of[i].x;
        a.y[i] = d.of[i].y;
    }
    return a;
}

/* Whether the steps of dimensions [0, n) keep 16-byte accesses aligned. */
bool are_aligned(const dims &d, int n) {
    for (int i = 0; i < n; i++)
        if (d.of[i].x % 16) return false;
    return true;
}

int64_t at_least_one(int64_t n) { return n < 1 ? 1 : n; }

/* Cuts `steps` so that `tasks` blocks become enough for the card, each segment being worth `least`
 * steps. */
void cut(mp_reduce_job *job, int64_t tasks, int64_t wanted, int64_t least) {
    int64_t segments = (wanted + tasks - 1) / tasks, most = job->steps / least;
    segments = at_least_one(segments < most ? segments : most);
    job->each = at_least_one((job->steps + segments - 1) / segments);
    job->segments = at_least_one((job->steps + job->each - 1) / job->each);
}

/* The dimension of the columns: that of the shortest steps, or -1. */
int innermost(const dims &d) {
    int inner = -1;
    for (int i = 0; i < d.n; i++)
        if (inner < 0 || size_of(d.of[i]) < size_of(d.of[inner])) inner = i;
    return inner;
}

bool plan_columns(mp_reduce_plan *plan, split s, bool common, int processors) {
    mp_reduce_job &job = plan->job;
    const mp_dim &last = s.gone.of[s.gone.n - 1];
    int inner = innermost(s.kept), item = mp_dtypes[job.dtype].bytes;
    if (inner < 0 || last.n == 1 || size_of(s.kept.of[inner]) >= size_of(last)) return false;

    mp_dim columns = s.kept.of[inner];
    for (int i = inner; i + 1 < s.kept.n; i++) s.kept.of[i] = s.kept.of[i + 1];
    s.kept.n--;
    merge(&s.kept);
    if (s.kept.n > 0) { /* where what lies outside goes on evenly, it is more columns */
        mp_dim *outer = &s.kept.of[s.kept.n - 1];
        if (outer->x == columns.x * columns.n && outer->y == columns.y * columns.n) {
            columns.n *= outer->n;
            s.kept.n--;
        }
    }
    int64_t V = 16 / item;
    plan->packs = common && columns.x == item && columns.n % V == 0 && is_aligned(job.x) &&
                  are_aligned(s.kept, s.kept.n) && are_aligned(s.gone, s.gone.n);
    if (!plan->packs) V = 1;
    job.columns = columns.n / V;
    job.shift = mp_log2_up(job.columns, 5);
    job.steps = count(s.gone);
    int lines = MP_CUDA_THREADS >> job.shift;
    if (job.steps < 2 * lines) return false; /* most threads would have nothing to do */

    plan->columns = true;
    job.kept = axes_of(s.kept);
    job.gone = axes_of(s.gone);
    job.outer = count(s.kept);
    job.across = (job.columns + (1 << job.shift) - 1) >> job.shift;
    job.column_x = columns.x * V;
    job.column_y = columns.y;
    cut(&job, job.outer * job.across, (int64_t)processors * 4, (int64_t)lines * 2 * MP_UNROLL);
    return true;
}

void plan_rows(mp_reduce_plan *plan, split s, bool common, int processors) {
    mp_reduce_job &job = plan->job;
    mp_dim *last = &s.gone.of[s.gone.n - 1];
    int64_t item = mp_dtypes[job.dtype].bytes, V = 16 / item;
    bool dense = last->x == item;
    merge(&s.kept);
    plan->packs = common && dense && last->n >= V && (last->n % V == 0 || s.gone.n == 1) &&
                  is_aligned(job.x) && are_aligned(s.kept, s.kept.n) &&
                  are_aligned(s.gone, s.gone.n - 1);
    if (plan->packs) {
        job.tail = (int)(last->n % V);
        last->n /= V;
        last->x = 16;
    }
    plan->columns = false;
    job.kept = axes_of(s.kept);
    job.gone = axes_of(s.gone);
    job.steps = count(s.gone);

    /* A thread a result where results are many and neighbours lie side by side, else as many as
     * find some steps each. */
    bool few = job.results < (int64_t)processors * 16;
    if (!dense && job.results >= (int64_t)processors * 512) job.shift = 0;
    else if (job.steps >= 2048 || (few && job.steps > 128)) job.shift = 8;
    else job.shift = mp_log2_up((job.steps + MP_UNROLL - 1) / MP_UNROLL, 5);
    job.segments = 1;
    job.each = at_least_one(job.steps);
    if (job.shift == 8)
        cut(&job, job.results, (int64_t)processors * 8, (int64_t)MP_CUDA_THREADS * 2 * MP_UNROLL);
}

} // namespace

mp_reduce_plan mp_reduce_plan_of(const mp_array *x, int n_axes, const int64_t *axes, mp_operand out,
                                 bool floats, int processors) {
    mp_reduce_plan plan = {};
    bool common = floats && (x->dtype == MP_FLOAT16 || x->dtype == MP_BFLOAT16 ||
                             x->dtype == MP_FLOAT32); /* visit_common's */
    plan.job.x = (const char *)mp_data(x);
    plan.job.dtype = x->dtype;
    plan.job.out = out;
    plan.job.by = 1;
    split s = split_dims(x, n_axes, axes, &plan.job.results);
    if (!plan_columns(&plan, s, common, processors)) plan_rows(&plan, s, common, processors);
    plan.job.wide = plan.job.results > INT32_MAX || plan.job.steps > INT32_MAX;
    return plan;
}
