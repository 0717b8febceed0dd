/* Radix sorts of keys by their bytes: see sort.h. A pass counts the items by one byte and moves
 * them to where they belong; passes go from the last byte to the first, and each keeps the order
 * that it finds. Bytes in which all keys agree are left out. So are, at first, the last bytes of
 * long keys that are few: the first ones tell most of them apart, and runs that they leave equal
 * are sorted after. */
#include "sort.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum {
    FEW = 40, /* items sorted by insertion */
    BUCKETS = 256,
    LINE = 64,        /* bytes of memory that are written together */
    MOST_PIECES = 64, /* of a long sort: as many as threads */
    SPARE_BITS = 14,  /* of a key, beyond those that would number the items, that tell them apart */
};

/* A line of memory, past the caches: it is not read again soon. */
static inline void write_line(void *to, const void *from) {
#if defined(__AVX512F__)
    _mm512_stream_si512(to, _mm512_load_si512(from));
#elif defined(__SSE2__)
    for (int i = 0; i < LINE / 16; i++)
        _mm_stream_si128((__m128i *)to + i, _mm_load_si128((const __m128i *)from + i));
#else
    memcpy(to, from, LINE);
#endif
}

/* What was written so is seen by whoever comes after. */
static inline void lines_written(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

/* Where the bits begin that keys are sorted by first, n of them that differ in `differ`. At least
 * two passes are saved, or none. */
static int first_shift(uint64_t differ, int64_t n, int low) {
    int top = 64 - (differ ? __builtin_clzll(differ) : 64);
    int wanted = 64 - __builtin_clzll((uint64_t)n) + SPARE_BITS, shift = top - (wanted + 7) / 8 * 8;
    return shift < low + 16 ? low : shift;
}

#define item uint32_t
#define KEY(x) (x)
#define N(name) name##_u32
#include "sort_radix_body.h"

#define item uint64_t
#define KEY(x) (x)
#define N(name) name##_u64
#include "sort_radix_body.h"

#define item mp_pair
#define KEY(x) ((x).key)
#define N(name) name##_pair
#include "sort_radix_body.h"
