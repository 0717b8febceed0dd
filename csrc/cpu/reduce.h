/* What a reduction does to dense rows: reduce_rows.c has the functions, reduce.c walks the array.
 */
#ifndef MP_CPU_REDUCE_H
#define MP_CPU_REDUCE_H

#include "cpu.h"

/* A running result: floats are summed and compared as double, integers as int64 or uint64. */
typedef union mp_acc {
    double f;
    int64_t i;
    uint64_t u;
} mp_acc;

enum {
    MP_REDUCE_PIECE = 1024, /* elements of a row added up in float32, and converted at a time */
    MP_REDUCE_COLS = 1024,  /* columns done at a time */
    MP_REDUCE_ROWS = 32,    /* rows of them added up in float32 */
};

typedef struct mp_reducer {
    mp_dtype dtype; /* of the rows: float32, float64, int64 or uint64 */
    mp_acc start;
    /* *a with n elements of a row, n <= MP_REDUCE_PIECE. center: the mean, if the op takes one. */
    void (*row)(mp_acc *a, int64_t n, const void *x, double center);
    /* a[j] with the elements of column j, in rows (at most MP_REDUCE_ROWS) that lie stride bytes
     * apart */
    void (*columns)(mp_acc *a, int64_t cols, int64_t rows, const void *x, int64_t stride,
                    const double *center);
    /* *a with a result of elements that come after its own */
    void (*join)(mp_acc *a, const mp_acc *b);
} mp_reducer;

/* Per type of row: [0] float32, [1] float64, [2] int64, [3] uint64; deviation has the first two. */
extern const mp_reducer MP_TIERED(mp_reduce_sum)[4];
extern const mp_reducer MP_TIERED(mp_reduce_prod)[4];
extern const mp_reducer MP_TIERED(mp_reduce_max)[4];
extern const mp_reducer MP_TIERED(mp_reduce_min)[4];
extern const mp_reducer MP_TIERED(mp_reduce_deviation)[2]; /* the sum of (x - center)^2 */
extern const mp_reducer MP_TIERED(mp_reduce_exp)[2];       /* the sum of exp(x - center) */

#endif
