/* Philox for rows: create.c and dropout.c draw from it. */
#ifndef MP_CPU_RANDOM_H
#define MP_CPU_RANDOM_H

#include "cpu.h"

enum { MP_RANDOM_BLOCKS = 16 }; /* drawn side by side */

/* words[0 ... 4 blocks): the words of blocks [first, first + blocks) of the call; blocks is a
 * multiple of MP_RANDOM_BLOCKS. mp_philox in mp.h is what it computes. */
void MP_TIERED(mp_random_fill)(uint64_t seed, uint64_t call, uint64_t first, int64_t blocks,
                               uint32_t *words);
#define mp_random_words MP_TIERED(mp_random_fill)

#endif
