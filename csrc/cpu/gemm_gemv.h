/* Products with few rows or columns: every element of the large operand is used at most
 * MP_GEMV_MOST times, so it is read once, in the order in which it lies in memory, and never
 * packed. Included by gemm_f32.c and gemm_f64.c after gemm_body.h.
 *
 * The large operand is seen as lanes of K elements each, the small one as `count` vectors of K
 * elements; every lane and vector give one element of c. */

enum {
    DOT_LANES = 4,               /* multiplied side by side */
    DOT_TASK = 32,               /* lanes of a task: a multiple of DOT_LANES */
    PIECE = 512,                 /* elements converted at a time */
    STEP = 4,                    /* k taken at a time where lanes lie side by side */
    SUMS = 16384 / sizeof(real), /* kept in L1 there */
    SEGMENT = 1 << 15,           /* elements of a long lane for one task */
    PART = 1 << 11,              /* of them added up in type real */
};

typedef struct gemv {
    const char *data; /* the large operand */
    mp_dtype dtype, c_dtype;
    int64_t lanes, k, lane_stride, k_stride; /* strides in bytes */
    int count;
    const real *vectors; /* count x room, zero beyond k */
    int64_t room;
    char *c;
    int64_t c_lane, c_vector;   /* strides in bytes */
    const real *bias;           /* or NULL */
    int bias_lane, bias_vector; /* strides: 1 and 0, or 0 and 1 */
    int64_t task;               /* lanes of a task where lanes lie side by side */
} gemv;

/* Writes sums[v * ld + i] for lanes [lane, lane + n). */
static void store_lanes(const gemv *x, int64_t lane, int64_t n, real *sums, int64_t ld) {
    for (int v = 0; v < x->count; v++) {
        if (x->bias)
            for (int64_t i = 0; i < n; i++)
                sums[v * ld + i] += x->bias[(lane + i) * x->bias_lane + v * x->bias_vector];
        R_STORE(x->c_dtype)(x->c + lane * x->c_lane + v * x->c_vector, x->c_lane, sums + v * ld, n);
    }
}

static inline real sum_of(vec x) {
    real s = 0;
    for (int i = 0; i < LANES; i++) s += x[i];
    return s;
}

/* sums[lane][v] += row[lane] . vector[v] over n elements, for DOT_LANES lanes. Inlined with
 * constant count. */
static inline __attribute__((always_inline)) void dot(int count, const real *const *row,
                                                      const real *vectors, int64_t room, int64_t n,
                                                      real *sums) {
    vec sum[DOT_LANES][4];
#pragma GCC unroll 4
    for (int i = 0; i < DOT_LANES; i++)
#pragma GCC unroll 4
        for (int v = 0; v < count; v++) sum[i][v] = (vec){0};
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES)
#pragma GCC unroll 4
        for (int v = 0; v < count; v++) {
            vec other = *(const vec_any *)(vectors + v * room + k);
#pragma GCC unroll 4
            for (int i = 0; i < DOT_LANES; i++) sum[i][v] += *(const vec_any *)(row[i] + k) * other;
        }
#pragma GCC unroll 4
    for (int i = 0; i < DOT_LANES; i++)
#pragma GCC unroll 4
        for (int v = 0; v < count; v++) {
            real s = sum_of(sum[i][v]);
            for (int64_t j = k; j < n; j++) s += row[i][j] * vectors[v * room + j];
            sums[i * MP_GEMV_MOST + v] += s;
        }
}

static void dot_any(int count, const real *const *row, const real *vectors, int64_t room, int64_t n,
                    real *sums) {
    for (int v = 0; v < count; v += 4, vectors += 4 * room, sums += 4) switch (count - v) {
        case 1: dot(1, row, vectors, room, n, sums); break;
        case 2: dot(2, row, vectors, room, n, sums); break;
        case 3: dot(3, row, vectors, room, n, sums); break;
        default: dot(4, row, vectors, room, n, sums); break;
        }
}

/* Tasks of DOT_TASK lanes, where the elements of a lane lie side by side (or nothing does). */
static void dot_tasks(void *ctx, int64_t begin, int64_t end) {
    const gemv *x = ctx;
    real wide[DOT_LANES][PIECE] __attribute__((aligned(64))), out[MP_GEMV_MOST][DOT_TASK];
    bool direct = x->dtype == R_DTYPE && x->k_stride == sizeof(real);
    R_LOAD_FN load = R_LOAD(x->dtype);
    for (int64_t task = begin; task < end; task++) {
        int64_t first = task * DOT_TASK, last = least(first + DOT_TASK, x->lanes);
        for (int64_t lane = first; lane < last; lane += DOT_LANES) {
            real sums[DOT_LANES][MP_GEMV_MOST] = {{0}};
            int n = (int)least(DOT_LANES, last - lane);
            for (int64_t k = 0; k < x->k; k += PIECE) {
                int64_t piece = least(PIECE, x->k - k);
                const real *row[DOT_LANES];
                for (int i = 0; i < DOT_LANES;
                     i++) { /* the last lanes may be fewer: the first stands in */
                    const char *at =
                        x->data + (lane + (i < n ? i : 0)) * x->lane_stride + k * x->k_stride;
                    row[i] = direct ? (const real *)at : wide[i];
                    if (!direct) load(wide[i], at, x->k_stride, piece);
                }
                dot_any(x->count, row, x->vectors + k, x->room, piece, sums[0]);
            }
            for (int i = 0; i < n; i++)
                for (int v = 0; v < x->count; v++) out[v][lane - first + i] = sums[i][v];
        }
        store_lanes(x, first, last - first, out[0], DOT_TASK);
    }
}

/* Adds rows k to k + STEP - 1 of n neighbouring lanes from `lane` on to the sums of all vectors,
 * which lie ld apart. */
static void sweep(const gemv *x, int64_t lane, int64_t n, int64_t k, real *sums, int64_t ld) {
    real wide[STEP][PIECE] __attribute__((aligned(64)));
    const real *row[STEP];
    for (int i = 0; i < STEP; i++) {
        const char *at = x->data + lane * x->lane_stride + (k + i) * x->k_stride;
        row[i] = wide[i];
        if (k + i >= x->k) memset(wide[i], 0, (size_t)n * sizeof(real));
        else if (x->dtype == R_DTYPE) row[i] = (const real *)at;
        else R_LOAD(x->dtype)(wide[i], at, x->lane_stride, n);
    }
    for (int v = 0; v < x->count; v++) {
        const real *by = x->vectors + v * x->room + k;
        real *restrict to = sums + v * ld;
        for (int64_t j = 0; j < n; j++)
            to[j] += by[0] * row[0][j] + by[1] * row[1][j] + by[2] * row[2][j] + by[3] * row[3][j];
    }
}

/* Tasks of x->task lanes, which lie side by side: the sums stay in L1 while rows of lanes stream
 * by. */
static void sweep_tasks(void *ctx, int64_t begin, int64_t end) {
    const gemv *x = ctx;
    real sums[SUMS] __attribute__((aligned(64)));
    for (int64_t task = begin; task < end; task++) {
        int64_t first = task * x->task, lanes = least(x->task, x->lanes - first);
        memset(sums, 0, (size_t)(x->count * x->task) * sizeof(real));
        for (int64_t k = 0; k < x->k; k += STEP)
            for (int64_t i = 0; i < lanes; i += PIECE)
                sweep(x, first + i, least(PIECE, lanes - i), k, sums + i, x->task);
        store_lanes(x, first, lanes, sums, x->task);
    }
}

/* ---- one long lane and one vector ---- */

typedef struct long_dot {
    const real *a, *b;
    int64_t k;
    double *sums; /* of each segment */
} long_dot;

/* Tasks: segments, whose parts are added up in vectors and those in double. */
static void long_dot_tasks(void *ctx, int64_t begin, int64_t end) {
    const long_dot *d = ctx;
    for (int64_t task = begin; task < end; task++) {
        int64_t last = least((task + 1) * SEGMENT, d->k);
        double total = 0;
        for (int64_t first = task * SEGMENT; first < last; first += PART) {
            const real *a = d->a + first, *b = d->b + first;
            int64_t n = least(PART, last - first), k = 0;
            vec sum[4] = {{0}};
            for (; k + 4 * LANES <= n; k += 4 * LANES)
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++)
                    sum[i] += *(const vec_any *)(a + k + i * LANES) *
                              *(const vec_any *)(b + k + i * LANES);
            real part = sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
            for (; k < n; k++) part += a[k] * b[k];
            total += (double)part;
        }
        d->sums[task] = total;
    }
}

/* c = a . b; the segments do not depend on the number of threads. */
static mp_status run_long_dot(const gemv *x, const void *a, const void *b, int threads) {
    int64_t tasks = ceil_div(x->k, SEGMENT);
    long_dot d = {.a = a, .b = b, .k = x->k};
    d.sums = mp_scratch((size_t)tasks * sizeof *d.sums, MP_SCRATCH_GEMM_A);
    if (!d.sums) return mp_fail(MP_ERR_MEMORY, "no room for %lld sums", (long long)tasks);
    if (threads > 1) mp_parallel_for(tasks, 1, long_dot_tasks, &d);
    else long_dot_tasks(&d, 0, tasks);
    double total = 0;
    for (int64_t i = 0; i < tasks; i++) total += d.sums[i];
    real y = (real)total;
    store_lanes(x, 0, 1, &y, 1);
    return MP_OK;
}

mp_status MP_TIERED(R(mp_gemv))(const mp_gemm *g, int threads) {
    bool rows = g->m <= g->n;
    mp_dtype dtype = rows ? g->b_dtype : g->a_dtype, other = rows ? g->a_dtype : g->b_dtype;
    int64_t bytes = mp_dtypes[dtype].bytes, c_bytes = mp_dtypes[g->c_dtype].bytes,
            n = rows ? g->n : g->m;
    gemv x = {.data = rows ? g->b : g->a,
              .dtype = dtype,
              .c_dtype = g->c_dtype,
              .lanes = n,
              .k = g->k,
              .c = g->c};
    x.lane_stride = bytes * (rows ? g->b_col : g->a_row),
    x.k_stride = bytes * (rows ? g->b_row : g->a_col);
    x.c_lane = c_bytes * (rows ? 1 : g->c_row), x.c_vector = c_bytes * (rows ? g->c_row : 1);
    x.count = (int)(rows ? g->m : g->n);
    x.bias_lane = rows, x.bias_vector = !rows;
    int64_t small = mp_dtypes[other].bytes * (rows ? g->a_col : g->b_row);
    if (n == 1 && x.count == 1 && g->k >= SEGMENT && !g->bias && dtype == R_DTYPE &&
        other == R_DTYPE && x.k_stride == sizeof(real) && small == sizeof(real))
        return run_long_dot(&x, x.data, rows ? g->a : g->b, threads);
    x.room = ceil_div(g->k, LANES) * LANES + LANES;
    real *vectors = mp_scratch((size_t)(x.count * x.room + g->n) * sizeof(real), MP_SCRATCH_GEMM_A);
    if (!vectors)
        return mp_fail(MP_ERR_MEMORY, "no room to convert %lld elements",
                       (long long)(x.count * x.room));
    x.vectors = vectors;
    int64_t step = rows ? g->a_row : g->b_col, k_step = rows ? g->a_col : g->b_row;
    for (int v = 0; v < x.count; v++) {
        const char *from = mp_gemm_at(rows ? g->a : g->b, other, v * step);
        R_LOAD(other)(vectors + v * x.room, from, k_step * mp_dtypes[other].bytes, g->k);
        memset(vectors + v * x.room + g->k, 0, (size_t)(x.room - g->k) * sizeof(real));
    }
    if (g->bias) {
        real *bias = vectors + x.count * x.room;
        R_LOAD(g->bias_dtype)(bias, g->bias, g->bias_step * mp_dtypes[g->bias_dtype].bytes, g->n);
        x.bias = bias;
    }
    bool sweep = x.lane_stride == bytes && x.k_stride != bytes;
    x.task = least(ceil_div(ceil_div(n, 2 * threads), 64) * 64, SUMS / x.count / 64 * 64);
    int64_t tasks = ceil_div(n, sweep ? x.task : DOT_TASK);
    mp_parallel_fn run = sweep ? sweep_tasks : dot_tasks;
    if (threads > 1) mp_parallel_for(tasks, 1, run, &x);
    else run(&x, 0, tasks);
    return MP_OK;
}
