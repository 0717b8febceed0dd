/* sort and argsort along an axis. Elements become unsigned keys in their order, keys are sorted by
 * their bytes from the last to the first (a stable radix sort, whose time does not depend on the
 * values), and become elements again. argsort sorts keys with their places. Short lines are sorted
 * by insertion; sorted values of 8 and 16 bits are counted where there are many. A long line is
 * done by all threads together, else every thread has lines of its own. */
#include "sort.h"

enum {
    GROUP = 16, /* neighbouring lines that are gathered together */
    GROUP_BYTES = 1 << 20,
    TILE = 64,       /* their elements gathered at a time */
    LONG = 1 << 17,  /* elements of a line that all threads sort together */
    WORTH = 1 << 13, /* elements worth a thread */
    MANY = 1 << 15,  /* elements of 8 and 16 bits that are counted */
};

typedef struct job {
    const mp_array *x;
    mp_array *y;
    bool places; /* argsort */
    bool descending;
    int axis, kind, bytes; /* bytes: of an element with its place */
    int64_t n, lines, x_step, y_step, group;
    mp_status status;
} job;

/* How lines are sorted. */
enum { KEYS_32, KEYS_64, PAIRS_64, PAIRS_128 };

static int kind_of(const job *j) {
    bool wide = mp_itemsize(j->x) == 8;
    if (!j->places) return wide ? KEYS_64 : KEYS_32;
    return wide || j->n > UINT32_MAX ? PAIRS_128 : PAIRS_64;
}

static void locate(const job *j, int64_t line, const char **x, char **y) {
    int64_t step = mp_itemsize(j->y);
    const char *from = mp_data(j->x);
    char *to = mp_data(j->y);
    for (int d = j->x->ndim - 1; d >= 0; d--) {
        if (d != j->axis) {
            int64_t at = line % j->x->shape[d];
            line /= j->x->shape[d];
            from += at * j->x->strides[d] * mp_itemsize(j->x);
            to += at * step;
        }
        step *= j->x->shape[d];
    }
    *x = from, *y = to;
}

/* ---- lines ---- */

/* Elements [begin, end) of a line of x as keys at `room`, and the sorted ones at `room` into y. */
static void read_keys(const job *j, void *room, const char *x, int64_t begin, int64_t end) {
    mp_dtype dtype = (mp_dtype)j->x->dtype;
    const char *from = x + begin * j->x_step;
    void *to = (char *)room + begin * j->bytes;
    switch (j->kind) {
    case KEYS_32: mp_sort_keys_32(dtype, to, from, j->x_step, end - begin, j->descending); break;
    case KEYS_64: mp_sort_keys_64(dtype, to, from, j->x_step, end - begin, j->descending); break;
    case PAIRS_64:
        mp_sort_pairs_64(dtype, to, from, j->x_step, begin, end - begin, j->descending);
        break;
    default:
        mp_sort_pairs_128(dtype, to, from, j->x_step, begin, end - begin, j->descending);
        break;
    }
}

static void write_sorted(const job *j, char *y, const void *room, int64_t begin, int64_t end) {
    mp_dtype dtype = (mp_dtype)j->x->dtype;
    char *to = y + begin * j->y_step;
    const void *from = (const char *)room + begin * j->bytes;
    switch (j->kind) {
    case KEYS_32: mp_sort_values_32(dtype, to, j->y_step, from, end - begin, j->descending); break;
    case KEYS_64: mp_sort_values_64(dtype, to, j->y_step, from, end - begin, j->descending); break;
    case PAIRS_64:
        for (int64_t i = 0; i < end - begin; i++)
            *(int64_t *)(to + i * j->y_step) = (uint32_t)((const uint64_t *)from)[i];
        break;
    default:
        for (int64_t i = 0; i < end - begin; i++)
            *(int64_t *)(to + i * j->y_step) = (int64_t)((const mp_pair *)from)[i].at;
        break;
    }
}

/* Sorts n elements at a; b has as much room. Gives where they are then. */
static void *sort_line(const job *j, void *a, void *b, int64_t n) {
    int bits = 8 * mp_itemsize(j->x);
    switch (j->kind) {
    case KEYS_32: return mp_radix_u32(a, b, n, 0, bits);
    case KEYS_64: return mp_radix_u64(a, b, n, 0, bits);
    case PAIRS_64: return mp_radix_u64(a, b, n, 32, 32 + bits);
    default: return mp_radix_pair(a, b, n, 0, bits);
    }
}

/* Tasks: groups of lines. */
static void group_tasks(void *ctx, int64_t begin, int64_t end) {
    job *j = ctx;
    int64_t line_bytes = j->n * j->bytes;
    char *room = mp_scratch((size_t)((j->group + 1) * line_bytes), MP_SCRATCH_TASK);
    if (!room) {
        j->status = MP_ERR_MEMORY;
        return;
    }
    for (int64_t task = begin; task < end; task++) {
        int64_t first = task * j->group, count = j->lines - first;
        const char *x[GROUP];
        char *y[GROUP], *spare = room + j->group * line_bytes, *sorted[GROUP];
        if (count > j->group) count = j->group;
        for (int64_t k = 0; k < count; k++) locate(j, first + k, &x[k], &y[k]);
        for (int64_t i = 0, tile = count > 1 ? TILE : j->n; i < j->n; i += tile)
            for (int64_t k = 0; k < count; k++)
                read_keys(j, room + k * line_bytes, x[k], i, i + tile < j->n ? i + tile : j->n);
        char *free_line = spare;
        for (int64_t k = 0; k < count;
             k++) { /* the line that is left free is the next one's room */
            char *line = room + k * line_bytes;
            sorted[k] = sort_line(j, line, free_line, j->n);
            if (sorted[k] != line) free_line = line;
        }
        for (int64_t i = 0, tile = count > 1 ? TILE : j->n; i < j->n; i += tile)
            for (int64_t k = 0; k < count; k++)
                write_sorted(j, y[k], sorted[k], i, i + tile < j->n ? i + tile : j->n);
    }
}

/* ---- a long line, by all threads ---- */

typedef struct long_line {
    const job *j;
    const char *x;
    char *y;
    void *room;
} long_line;

static void read_tasks(void *ctx, int64_t begin, int64_t end) {
    const long_line *l = ctx;
    read_keys(l->j, l->room, l->x, begin, end);
}

static void write_tasks(void *ctx, int64_t begin, int64_t end) {
    const long_line *l = ctx;
    write_sorted(l->j, l->y, l->room, begin, end);
}

static mp_status sort_long(job *j, int64_t line) {
    size_t bytes = (size_t)(j->n * j->bytes);
    long_line l = {.j = j};
    char *a = mp_scratch(bytes, MP_SCRATCH_KERNEL), *b = mp_scratch(bytes, MP_SCRATCH_KERNEL_2);
    if (!a || !b) return mp_fail(MP_ERR_MEMORY, "no room for %lld keys", (long long)j->n);
    int bits = 8 * mp_itemsize(j->x);
    locate(j, line, &l.x, &l.y);
    l.room = a;
    mp_parallel_for(j->n, WORTH, read_tasks, &l);
    switch (j->kind) {
    case KEYS_32: l.room = mp_radix_long_u32((void *)a, (void *)b, j->n, 0, bits); break;
    case KEYS_64: l.room = mp_radix_long_u64((void *)a, (void *)b, j->n, 0, bits); break;
    case PAIRS_64: l.room = mp_radix_long_u64((void *)a, (void *)b, j->n, 32, 32 + bits); break;
    default: l.room = mp_radix_long_pair((void *)a, (void *)b, j->n, 0, bits); break;
    }
    mp_parallel_for(j->n, WORTH, write_tasks, &l);
    return MP_OK;
}

/* ---- values of 8 and 16 bits that are many: counted, and written as often ---- */

typedef struct counted {
    const job *j;
    const char *x;
    char *y;
    int64_t *start; /* where each key begins, when all are counted; per piece the counts before */
    int64_t keys, pieces;
} counted;

static void count_tasks(void *ctx, int64_t begin, int64_t end) {
    const counted *c = ctx;
    const job *j = c->j;
    uint32_t key[1024];
    for (int64_t piece = begin; piece < end; piece++) {
        int64_t *count = c->start + piece * c->keys;
        int64_t first = j->n * piece / c->pieces, last = j->n * (piece + 1) / c->pieces;
        memset(count, 0, (size_t)c->keys * sizeof *count);
        for (int64_t i = first; i < last; i += 1024) {
            int64_t n = last - i < 1024 ? last - i : 1024;
            mp_sort_keys_32((mp_dtype)j->x->dtype, key, c->x + i * j->x_step, j->x_step, n,
                            j->descending);
            for (int64_t k = 0; k < n; k++) count[key[k]]++;
        }
    }
}

/* Tasks: keys. */
static void spread_tasks(void *ctx, int64_t begin, int64_t end) {
    const counted *c = ctx;
    const job *j = c->j;
    for (int64_t key = begin; key < end; key++) {
        int64_t first = c->start[key], n = c->start[key + 1] - first;
        uint32_t value = (uint32_t)key;
        uint16_t element;
        if (n == 0) continue;
        char *to = c->y + first * j->y_step;
        mp_sort_values_32((mp_dtype)j->x->dtype, &element, 2, &value, 1, j->descending);
        if (mp_itemsize(j->y) == 1) {
            for (int64_t i = 0; i < n; i++) memcpy(to + i * j->y_step, &element, 1);
        } else if (j->y_step == 2) {
            for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[i] = element;
        } else {
            for (int64_t i = 0; i < n; i++) *(uint16_t *)(to + i * j->y_step) = element;
        }
    }
}

static mp_status sort_counted(job *j, int64_t line) {
    counted c = {.j = j, .keys = (int64_t)1 << (8 * mp_itemsize(j->x)), .pieces = mp_num_threads()};
    c.start = mp_scratch((size_t)(c.pieces * c.keys + 1) * sizeof *c.start, MP_SCRATCH_KERNEL);
    if (!c.start) return mp_fail(MP_ERR_MEMORY, "no room for %lld counts", (long long)c.keys);
    locate(j, line, &c.x, &c.y);
    mp_parallel_for(c.pieces, 1, count_tasks, &c);
    int64_t at = 0;
    for (int64_t key = 0; key < c.keys; key++) {
        int64_t n = 0;
        for (int64_t piece = 0; piece < c.pieces; piece++) n += c.start[piece * c.keys + key];
        c.start[key] = at;
        at += n;
    }
    c.start[c.keys] = at;
    mp_parallel_for(c.keys, c.keys / 16, spread_tasks, &c);
    return MP_OK;
}

/* ---- the call ---- */

static mp_status run(mp_call *call, bool places) {
    mp_array *x = call->in[0], *y = call->out[0];
    if (y->size == 0) return MP_OK;
    static const int bytes[] = {4, 8, 8, sizeof(mp_pair)};
    job j = {.x = x,
             .y = y,
             .places = places,
             .descending = call->attrs.descending,
             .axis = (int)call->attrs.axis,
             .y_step = mp_itemsize(y)};
    j.n = x->shape[j.axis];
    j.lines = y->size / j.n;
    j.x_step = x->strides[j.axis] * mp_itemsize(x);
    for (int d = j.axis + 1; d < y->ndim; d++) j.y_step *= y->shape[d];
    j.kind = kind_of(&j);
    j.bytes = bytes[j.kind];
    if (j.n >= LONG && j.lines < 2 * mp_num_threads()) {
        bool count = !places && mp_itemsize(x) <= 2;
        for (int64_t line = 0; line < j.lines; line++)
            MP_TRY(count ? sort_counted(&j, line) : sort_long(&j, line));
        return MP_OK;
    }
    j.group = j.y_step == mp_itemsize(y) ? 1 : GROUP_BYTES / (j.n * j.bytes);
    j.group = j.group < 1 ? 1 : j.group > GROUP ? GROUP : j.group;
    int64_t groups = (j.lines + j.group - 1) / j.group;
    mp_parallel_for(groups, WORTH / (j.n * j.group) + 1, group_tasks, &j);
    if (j.status == MP_OK) return MP_OK;
    return mp_fail(MP_ERR_MEMORY, "no room for %lld keys", (long long)j.n);
}

MP_KERNEL(sort) { return run(call, false); }
MP_KERNEL(argsort) { return run(call, true); }
