/* vmath.h over rows. */
#include "vmath.h"

#include "cpu.h"

#define ROW(name, function)                                                                        \
    void MP_TIERED(name)(int64_t n, float *y, const float *x) {                                    \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) y[i] = function(x[i]);                \
    }
ROW(mp_vexp_row, mp_fexp)
ROW(mp_vlog_row, mp_flog)

/* Sixteen lanes over at most 1024 elements, joined pairwise and added up in double: every tier adds
 * in the same order. */
float MP_TIERED(mp_vexp_sum_row)(int64_t n, float *y, const float *x, float shift) {
    enum { LANES = 16, PIECE = 1024 };
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += PIECE) {
        int64_t end = n - begin < PIECE ? n : begin + PIECE, i = begin;
        float sums[LANES] = {0}, rest = 0;
        for (; i + LANES <= end; i += LANES) {
            _Pragma("GCC ivdep") for (int k = 0; k < LANES; k++) {
                float e = mp_fexp(x[i + k] - shift);
                y[i + k] = e;
                sums[k] += e;
            }
        }
        for (; i < end; i++) rest += y[i] = mp_fexp(x[i] - shift);
        for (int width = LANES / 2; width > 0; width /= 2)
            for (int k = 0; k < width; k++) sums[k] += sums[k + width];
        total += (double)(sums[0] + rest);
    }
    return (float)total;
}
