/* Philox 4x32-10, sixteen blocks side by side, so that the compiler can use vectors. */
#include "random.h"

enum { LANES = MP_RANDOM_BLOCKS };

typedef struct state {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
} state;

static inline void rounds(state *s, uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * s->c0[i], p1 = (uint64_t)0xCD9E8D57u * s->c2[i];
            uint32_t n0 = (uint32_t)(p1 >> 32) ^ s->c1[i] ^ k0;
            uint32_t n2 = (uint32_t)(p0 >> 32) ^ s->c3[i] ^ k1;
            s->c1[i] = (uint32_t)p1;
            s->c3[i] = (uint32_t)p0;
            s->c0[i] = n0;
            s->c2[i] = n2;
        }
    }
}

void MP_TIERED(mp_random_fill)(uint64_t seed, uint64_t call, uint64_t first, int64_t blocks,
                               uint32_t *words) {
    for (int64_t block = 0; block < blocks; block += LANES, words += 4 * LANES) {
        state s;
        for (int i = 0; i < LANES; i++) {
            uint64_t index = first + (uint64_t)(block + i);
            s.c0[i] = (uint32_t)index;
            s.c1[i] = (uint32_t)(index >> 32);
            s.c2[i] = (uint32_t)call;
            s.c3[i] = (uint32_t)(call >> 32);
        }
        rounds(&s, (uint32_t)seed, (uint32_t)(seed >> 32));
        for (int i = 0; i < LANES; i++) {
            words[4 * i] = s.c0[i];
            words[4 * i + 1] = s.c1[i];
            words[4 * i + 2] = s.c2[i];
            words[4 * i + 3] = s.c3[i];
        }
    }
}
