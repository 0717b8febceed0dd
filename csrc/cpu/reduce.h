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
    mp_dtype dtype; /* of the rows */
    mp_acc start;
    /* *a with n elements of a row, n <= MP_REDUCE_PIECE unless `any_length`. center: the mean, if
     * the op takes one. */
    void (*row)(mp_acc *a, int64_t n, const void *x, double center);
    /* a[j] with the elements of column j, in rows (at most MP_REDUCE_ROWS) that lie stride bytes
     * apart */
    void (*columns)(mp_acc *a, int64_t cols, int64_t rows, const void *x, int64_t stride,
                    const double *center);
    /* *a with a result of elements that come after its own */
    void (*join)(mp_acc *a, const mp_acc *b);
    bool any_length;
} mp_reducer;

/* The types of rows, in the order of the tables below: sums and products have the first four,
 * deviation and exp the first two. */
enum {
    MP_ROWS_F32,
    MP_ROWS_F64,
    MP_ROWS_I64,
    MP_ROWS_U64,
    MP_ROWS_I8,
    MP_ROWS_U8,
    MP_ROWS_I16,
    MP_ROWS_U16,
    MP_ROWS_I32,
    MP_ROWS_U32,
    MP_ROWS_COUNT,
};

/* The rows that elements are compared in. */
static inline int mp_rows_of(mp_dtype dtype) {
    switch (dtype) {
    case MP_INT8: return MP_ROWS_I8;
    case MP_UINT8: return MP_ROWS_U8;
    case MP_INT16: return MP_ROWS_I16;
    case MP_UINT16: return MP_ROWS_U16;
    case MP_INT32: return MP_ROWS_I32;
    case MP_UINT32: return MP_ROWS_U32;
    case MP_UINT64: return MP_ROWS_U64;
    case MP_FLOAT64: return MP_ROWS_F64;
    default: return mp_is_float(dtype) ? MP_ROWS_F32 : MP_ROWS_I64;
    }
}

extern const mp_reducer MP_TIERED(mp_reduce_sum)[4];
extern const mp_reducer MP_TIERED(mp_reduce_prod)[4];
extern const mp_reducer MP_TIERED(mp_reduce_max)[MP_ROWS_COUNT];
extern const mp_reducer MP_TIERED(mp_reduce_min)[MP_ROWS_COUNT];
extern const mp_reducer MP_TIERED(mp_reduce_deviation)[2]; /* the sum of (x - center)^2 */
extern const mp_reducer MP_TIERED(mp_reduce_exp)[2];       /* the sum of exp(x - center) */

#endif
