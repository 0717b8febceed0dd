/* What sort.c sorts with: keys of elements (sort_keys.c) and radix sorts of them (sort_radix.c). */
#ifndef MP_CPU_SORT_H
#define MP_CPU_SORT_H

#include "cpu.h"

typedef struct mp_pair {
    uint64_t key, at;
} mp_pair;

/* ---- sort_keys.c: n elements that lie `step` bytes apart as unsigned numbers in their order, and
 * back. Keys are as wide as the dtype, zero-extended. NaN is above everything, in one pattern; of
 * pairs, -0 and 0 are equal. Dtypes of 8 bytes have keys of 64 bits, others of 32 or 64. ---- */

#define mp_sort_keys_32 MP_TIERED(mp_sort_keys_u32)
#define mp_sort_keys_64 MP_TIERED(mp_sort_keys_u64)
#define mp_sort_pairs_64 MP_TIERED(mp_sort_pairs_u64)
#define mp_sort_pairs_128 MP_TIERED(mp_sort_pairs_u128)
#define mp_sort_values_32 MP_TIERED(mp_sort_values_u32)
#define mp_sort_values_64 MP_TIERED(mp_sort_values_u64)
void mp_sort_keys_32(mp_dtype dtype, uint32_t *keys, const void *x, int64_t step, int64_t n,
                     bool descending);
void mp_sort_keys_64(mp_dtype dtype, uint64_t *keys, const void *x, int64_t step, int64_t n,
                     bool descending);
/* The key in the upper half, the place, `first` and on, in the lower. */
void mp_sort_pairs_64(mp_dtype dtype, uint64_t *pairs, const void *x, int64_t step, int64_t first,
                      int64_t n, bool descending);
void mp_sort_pairs_128(mp_dtype dtype, mp_pair *pairs, const void *x, int64_t step, int64_t first,
                       int64_t n, bool descending);
void mp_sort_values_32(mp_dtype dtype, void *y, int64_t step, const uint32_t *keys, int64_t n,
                       bool descending);
void mp_sort_values_64(mp_dtype dtype, void *y, int64_t step, const uint64_t *keys, int64_t n,
                       bool descending);

/* ---- sort_radix.c: sorts n items at a by bits [low, high) of their keys, stably; b has room for
 * as many. Gives a or b, whichever has them then. The long forms use all threads. ---- */

#define mp_radix_u32 MP_TIERED(mp_radix_sort_u32)
#define mp_radix_u64 MP_TIERED(mp_radix_sort_u64)
#define mp_radix_pair MP_TIERED(mp_radix_sort_pair)
#define mp_radix_long_u32 MP_TIERED(mp_radix_sort_long_u32)
#define mp_radix_long_u64 MP_TIERED(mp_radix_sort_long_u64)
#define mp_radix_long_pair MP_TIERED(mp_radix_sort_long_pair)
uint32_t *mp_radix_u32(uint32_t *a, uint32_t *b, int64_t n, int low, int high);
uint64_t *mp_radix_u64(uint64_t *a, uint64_t *b, int64_t n, int low, int high);
mp_pair *mp_radix_pair(mp_pair *a, mp_pair *b, int64_t n, int low, int high);
uint32_t *mp_radix_long_u32(uint32_t *a, uint32_t *b, int64_t n, int low, int high);
uint64_t *mp_radix_long_u64(uint64_t *a, uint64_t *b, int64_t n, int low, int high);
mp_pair *mp_radix_long_pair(mp_pair *a, mp_pair *b, int64_t n, int low, int high);

#endif
