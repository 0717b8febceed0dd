/* Packing: blocks of an operand copied, as `real`, into panels laid out in the order in which the
 * inner loop reads them. Both operands are seen alike: as lanes (rows of a, columns of b) of which
 * each has K elements. Included by gemm_body.h only. Traffic: each element of the operand is read
 * once, and written once. */

enum {
    GROUP = 8, /* panels packed side by side: as many as a cache set has ways */
    RUN = 128, /* elements of a lane converted at a time */
    MOST_RUN = GROUP * COLS + COLS,
};

typedef struct operand {
    const char *data;
    mp_dtype dtype;
    int64_t lane_stride, k_stride; /* in bytes */
    int64_t lanes, panels;
    bool is_a; /* panels of equal height; else COLS columns in each but the last */
} operand;

static inline int64_t panel_start(const operand *x, int64_t p) {
    return x->is_a ? x->lanes * p / x->panels : p * COLS;
}
static inline int64_t panel_width(const operand *x, int64_t p) {
    return x->is_a ? HEIGHT : x->lanes - p * COLS > LANES ? COLS : LANES;
}
/* Elements of all panels, for each k. */
static inline int64_t packed_width(const operand *x) {
    return x->is_a ? x->panels * HEIGHT : (x->lanes + LANES - 1) / LANES * LANES;
}
/* Where panel p of a block of `depth` begins. */
static inline int64_t panel_offset(const operand *x, int64_t p, int64_t depth) {
    return p * depth * (x->is_a ? HEIGHT : COLS);
}

/* Panels [p0, p1) where elements of neighbouring lanes lie side by side (or nothing does): one row
 * of k after another. */
static void pack_across(const operand *x, int64_t p0, int64_t p1, int64_t k0, int64_t depth,
                        real *block) {
    real row[MOST_RUN] __attribute__((aligned(64)));
    int64_t first = panel_start(x, p0),
            count = (p1 < x->panels ? panel_start(x, p1) : x->lanes) - first;
    int64_t reach = panel_start(x, p1 - 1) + panel_width(x, p1 - 1);
    bool direct = x->dtype == R_DTYPE && x->lane_stride == sizeof(real) && reach <= x->lanes;
    const char *from = x->data + first * x->lane_stride + k0 * x->k_stride;
    R_LOAD_FN load = R_LOAD(x->dtype);
    memset(row + count, 0, COLS * sizeof(real));
    for (int64_t k = 0; k < depth; k++, from += x->k_stride) {
        const real *line = direct ? (const real *)from : row;
        if (!direct) load(row, from, x->lane_stride, count);
        for (int64_t p = p0; p < p1; p++) {
            int64_t width = panel_width(x, p);
            real *to = block + panel_offset(x, p, depth) + k * width;
            const real *at = line + panel_start(x, p) - first;
            for (int64_t i = 0; i < width; i += LANES)
                *(vec *)(to + i) = *(const vec_any *)(at + i);
        }
    }
}

/* LANES lanes from `lane` on, elements [k, k + count) of each: written side by side to to[k *
 * width]. */
static void pack_square(const operand *x, int64_t lane, int64_t end, int64_t k, int64_t count,
                        real *to, int64_t width) {
    static const real zeros[RUN];
    real wide[LANES][RUN + LANES] __attribute__((aligned(64)));
    const real *from[LANES];
    bool direct = x->dtype == R_DTYPE;
    R_LOAD_FN load = R_LOAD(x->dtype);
    for (int i = 0; i < LANES; i++) {
        const char *at = x->data + (lane + i) * x->lane_stride + k * x->k_stride;
        if (lane + i >= end) {
            from[i] = zeros;
        } else if (direct) {
            from[i] = (const real *)at;
        } else {
            load(wide[i], at, x->k_stride, count);
            from[i] = wide[i];
        }
    }
    int64_t done = 0;
    for (; done + LANES <= count; done += LANES) {
        vec square[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) square[i] = *(const vec_any *)(from[i] + done);
        transpose(square);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) *(vec *)(to + (done + i) * width) = square[i];
    }
    for (; done < count; done++)
        for (int i = 0; i < LANES; i++) to[done * width + i] = from[i][done];
}

/* Panels [p0, p1) where the elements of each lane lie side by side: square by square. */
static void pack_along(const operand *x, int64_t p0, int64_t p1, int64_t k0, int64_t depth,
                       real *block) {
    for (int64_t p = p0; p < p1; p++) {
        int64_t start = panel_start(x, p), width = panel_width(x, p);
        int64_t end = p + 1 < x->panels ? panel_start(x, p + 1) : x->lanes;
        real *panel = block + panel_offset(x, p, depth);
        for (int64_t k = 0; k < depth; k += RUN)
            for (int64_t i = 0; i < width; i += LANES)
                pack_square(x, start + i, end, k0 + k, depth - k < RUN ? depth - k : RUN,
                            panel + k * width + i, width);
    }
}

static void pack_panels(const operand *x, int64_t p0, int64_t p1, int64_t k0, int64_t depth,
                        real *block) {
    bool along = x->k_stride == mp_dtypes[x->dtype].bytes && x->lane_stride != x->k_stride;
    (along ? pack_along : pack_across)(x, p0, p1, k0, depth, block);
}
