/* The random generators: a seed and a count of calls per device. What a call draws is a function of
 * these two and the element's index (mp_philox in mp.h), so only the count is state. */
#include "mp.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

enum { GENERATORS = 65 }; /* the CPU's and 64 of CUDA devices; later devices share the last */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static mp_rng_state states[GENERATORS];

static void seed_all(uint64_t seed) {
    for (int i = 0; i < GENERATORS; i++) states[i] = (mp_rng_state){.seed = seed, .offset = 0};
}

/* Until somebody seeds them, the generators start differently in every process. */
static void seed_from_system(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    }
    seed_all(seed);
}

static mp_rng_state *open_state(mp_device device) {
    pthread_once(&once, seed_from_system);
    pthread_mutex_lock(&lock);
    return &states[device < GENERATORS ? device : GENERATORS - 1];
}

void mp_seed(uint64_t seed) {
    open_state(MP_CPU);
    seed_all(seed);
    pthread_mutex_unlock(&lock);
}

void mp_rng_next(mp_device device, uint64_t *seed, uint64_t *offset) {
    mp_rng_state *state = open_state(device);
    *seed = state->seed;
    *offset = state->offset++;
    pthread_mutex_unlock(&lock);
}

mp_rng_state mp_rng_get(mp_device device) {
    mp_rng_state state = *open_state(device);
    pthread_mutex_unlock(&lock);
    return state;
}

void mp_rng_set(mp_device device, mp_rng_state state) {
    *open_state(device) = state;
    pthread_mutex_unlock(&lock);
}
