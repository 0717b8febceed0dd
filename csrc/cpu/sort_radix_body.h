/* The radix sorts of items of one type: included by sort_radix.c after #define item, KEY(x) and
 * N(name), which end here. */

static void N(insert)(item *a, int64_t n, int low) {
    for (int64_t i = 1; i < n; i++) {
        item x = a[i];
        int64_t k = i;
        for (; k > 0 && KEY(a[k - 1]) >> low > KEY(x) >> low; k--) a[k] = a[k - 1];
        a[k] = x;
    }
}

static uint64_t N(differing)(const item *a, int64_t n, uint64_t first) {
    uint64_t differ = 0;
    for (int64_t i = 0; i < n; i++) differ |= KEY(a[i]) ^ first;
    return differ;
}

/* Four tables, lest one count waits for the one before. */
static void N(count)(const item *a, int64_t n, int shift, int64_t *count) {
    uint32_t table[4][BUCKETS] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) table[k][KEY(a[i + k]) >> shift & 255]++;
    for (; i < n; i++) table[0][KEY(a[i]) >> shift & 255]++;
    for (int k = 0; k < BUCKETS; k++)
        count[k] = (int64_t)table[0][k] + table[1][k] + table[2][k] + table[3][k];
}

/* ---- short sorts ---- */

/* By bits [low, high), in which keys differ where `differ` says so. */
static item *N(passes)(item *a, item *b, int64_t n, uint64_t differ, int low, int high) {
    for (int shift = low; shift < high; shift += 8) {
        int64_t at[BUCKETS], next = 0;
        if (!(differ >> shift & 255)) continue;
        N(count)(a, n, shift, at);
        for (int k = 0; k < BUCKETS; k++) {
            int64_t here = at[k];
            at[k] = next;
            next += here;
        }
        for (int64_t i = 0; i < n; i++) b[at[KEY(a[i]) >> shift & 255]++] = a[i];
        item *swap = a;
        a = b, b = swap;
    }
    return a;
}

/* Sorts runs that agree in the bits from `shift` on, by those from `low` on. A run that begins in
 * [begin, end) is done whole. */
static void N(runs)(item *a, item *b, int64_t n, int64_t begin, int64_t end, int low, int shift) {
    int64_t i = begin;
    if (i > 0)
        while (i < end && KEY(a[i]) >> shift == KEY(a[i - 1]) >> shift) i++;
    while (i < end) {
        int64_t last = i + 1;
        while (last < n && KEY(a[last]) >> shift == KEY(a[i]) >> shift) last++;
        if (last - i <= FEW) {
            N(insert)(a + i, last - i, low);
        } else {
            uint64_t differ = N(differing)(a + i, last - i, KEY(a[i]));
            item *sorted = N(passes)(a + i, b + i, last - i, differ, low, shift);
            if (sorted != a + i) memcpy(a + i, sorted, (size_t)(last - i) * sizeof *a);
        }
        i = last;
    }
}

item *MP_TIERED(N(mp_radix_sort))(item *a, item *b, int64_t n, int low, int high) {
    if (n <= FEW) {
        N(insert)(a, n, low);
        return a;
    }
    uint64_t differ = N(differing)(a, n, KEY(a[0])) >> low << low;
    int shift = first_shift(differ, n, low);
    item *sorted = N(passes)(a, b, n, differ, shift, high);
    if (shift > low) N(runs)(sorted, sorted == a ? b : a, n, 0, n, low, shift);
    return sorted;
}

/* ---- long sorts, in as many pieces as there are threads ---- */

typedef struct N(long_sort) {
    item *from, *to;
    int64_t n, pieces;
    int shift, low;
    uint64_t differ[MOST_PIECES];
    int64_t at[MOST_PIECES][BUCKETS];
} N(long_sort);

static int64_t N(piece)(const N(long_sort) * s, int64_t i) { return s->n / s->pieces * i; }
static int64_t N(piece_end)(const N(long_sort) * s, int64_t i) {
    return i + 1 == s->pieces ? s->n : N(piece)(s, i + 1);
}

static void N(differ_task)(void *ctx, int64_t begin, int64_t end) {
    N(long_sort) *s = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t first = N(piece)(s, i);
        s->differ[i] = N(differing)(s->from + first, N(piece_end)(s, i) - first, KEY(s->from[0]));
    }
}

static void N(count_task)(void *ctx, int64_t begin, int64_t end) {
    N(long_sort) *s = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t first = N(piece)(s, i);
        N(count)(s->from + first, N(piece_end)(s, i) - first, s->shift, s->at[i]);
    }
}

/* Items wait until a line of memory is full; lines that other pieces share are written item by
 * item.
 */
static void N(move_task)(void *ctx, int64_t begin, int64_t end) {
    enum { EACH = LINE / sizeof(item) };
    const N(long_sort) *s = ctx;
    item wait[BUCKETS][EACH] __attribute__((aligned(LINE)));
    int64_t at[BUCKETS], own[BUCKETS];
    const int shift = s->shift;
    item *to = s->to;
    for (int64_t i = begin; i < end; i++) {
        const item *from = s->from, *stop = from + N(piece_end)(s, i);
        memcpy(at, s->at[i], sizeof at);
        memcpy(own, s->at[i], sizeof own);
        for (from += N(piece)(s, i); from < stop; from++) {
            item x = *from;
            int bucket = (int)(KEY(x) >> shift & 255);
            int64_t place = at[bucket]++, line = place & ~(int64_t)(EACH - 1);
            wait[bucket][place - line] = x;
            if (place - line < EACH - 1) continue;
            if (line >= own[bucket]) write_line(to + line, wait[bucket]);
            else
                for (int64_t k = own[bucket]; k <= place; k++) to[k] = wait[bucket][k - line];
        }
        for (int k = 0; k < BUCKETS; k++) {
            int64_t line = at[k] & ~(int64_t)(EACH - 1), first = line < own[k] ? own[k] : line;
            for (int64_t j = first; j < at[k]; j++) to[j] = wait[k][j - line];
        }
    }
    lines_written();
}

static void N(runs_task)(void *ctx, int64_t begin, int64_t end) {
    const N(long_sort) *s = ctx;
    for (int64_t i = begin; i < end; i++)
        N(runs)(s->from, s->to, s->n, N(piece)(s, i), N(piece_end)(s, i), s->low, s->shift);
}

item *MP_TIERED(N(mp_radix_sort_long))(item *a, item *b, int64_t n, int low, int high) {
    int64_t threads = mp_num_threads();
    N(long_sort) s = {.from = a, .to = b, .n = n, .low = low};
    uint64_t differ = 0;
    s.pieces = threads < MOST_PIECES ? threads : MOST_PIECES;
    mp_parallel_for(s.pieces, 1, N(differ_task), &s);
    for (int64_t i = 0; i < s.pieces; i++) differ |= s.differ[i];
    differ = differ >> low << low;
    int first = first_shift(differ, n, low);
    for (s.shift = first; s.shift < high; s.shift += 8) {
        if (!(differ >> s.shift & 255)) continue;
        mp_parallel_for(s.pieces, 1, N(count_task), &s);
        int64_t next = 0;
        for (int k = 0; k < BUCKETS; k++)
            for (int64_t i = 0; i < s.pieces; i++) {
                int64_t here = s.at[i][k];
                s.at[i][k] = next;
                next += here;
            }
        mp_parallel_for(s.pieces, 1, N(move_task), &s);
        item *swap = s.from;
        s.from = s.to, s.to = swap;
    }
    s.shift = first;
    if (first > low) mp_parallel_for(s.pieces, 1, N(runs_task), &s);
    return s.from;
}

#undef item
#undef KEY
#undef N
