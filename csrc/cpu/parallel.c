/* Threads: one pool of the process, and scratch memory per thread.
 *
 * The pool starts at the first call that wants it and is forgotten in a forked child. One job runs
 * at a time; whoever comes while it runs does his work alone. Workers take pieces of the job until
 * none is left, spin for a while waiting for the next job, then sleep. A worker that wakes too late
 * finds the job closed: nobody waits for it. */
#include "cpu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() atomic_signal_fence(memory_order_seq_cst)
#endif

enum {
    MOST_THREADS = 512,
    SPINS = 2000,       /* looks at the state before a worker sleeps: some 20 us */
    YIELD_AFTER = 2000, /* looks before the caller of a job offers its core to its workers */
};

/* ---- how many ---- */

static _Atomic int wanted; /* threads, the caller included; 0: not known yet */

/* The number in an environment variable (the first of a list), or 0. */
static int threads_from(const char *variable) {
    const char *text = getenv(variable);
    if (!text) return 0;
    long n = strtol(text, NULL, 10);
    return n < 1 ? 0 : n > MOST_THREADS ? MOST_THREADS : (int)n;
}

mp_status mp_check_threads(void) {
    const char *text = getenv("MIXPREC_NUM_THREADS");
    char *end;
    if (!text || !*text) return MP_OK;
    long n = strtol(text, &end, 10);
    if (!*end && n >= 1 && n <= MOST_THREADS) return MP_OK;
    return mp_fail(MP_ERR_VALUE, "cpu: MIXPREC_NUM_THREADS is \"%s\", 1 to %d are possible", text,
                   MOST_THREADS);
}

static int threads_of_machine(void) {
    cpu_set_t *cpus = CPU_ALLOC(4096);
    size_t bytes = CPU_ALLOC_SIZE(4096);
    int n = 1;
    if (cpus && sched_getaffinity(0, bytes, cpus) == 0) n = CPU_COUNT_S(bytes, cpus);
    CPU_FREE(cpus);
    return n > MOST_THREADS ? MOST_THREADS : n;
}

int mp_num_threads(void) {
    int n = atomic_load_explicit(&wanted, memory_order_relaxed);
    if (n > 0) return n;
    n = threads_from("MIXPREC_NUM_THREADS");
    if (n == 0) n = threads_from("OMP_NUM_THREADS");
    if (n == 0) n = threads_of_machine();
    int unknown = 0;
    atomic_compare_exchange_strong(&wanted, &unknown, n);
    return atomic_load(&wanted);
}

mp_status mp_set_num_threads(int n) {
    if (n < 1 || n > MOST_THREADS)
        return mp_fail(MP_ERR_VALUE, "set_num_threads: %d is given, 1 to %d are possible", n,
                       MOST_THREADS);
    atomic_store(&wanted, n);
    return MP_OK;
}

/* ---- the pool ---- */

/* state: a job's number in the upper bits, then whether it is open, then how many workers are in it
 */
#define OPEN ((uint64_t)1 << 16)
#define NEXT_JOB ((uint64_t)1 << 17)
#define WORKERS (OPEN - 1)

static struct {
    _Atomic uint64_t state;
    /* the job: written before it opens, read by those in it */
    mp_parallel_fn fn;
    void *ctx;
    int64_t n, grain;
    _Atomic int64_t next;
    _Atomic int most_workers;

    pthread_mutex_t busy;  /* held by the thread whose job it is */
    pthread_mutex_t sleep; /* with `wake` and `sleepers` */
    pthread_cond_t wake;
    _Atomic int sleepers;
    int started;
} pool = {
    .busy = PTHREAD_MUTEX_INITIALIZER,
    .sleep = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
};
static _Thread_local bool inside; /* this thread runs a piece */

static void run_pieces(void) {
    int64_t n = pool.n, grain = pool.grain;
    inside = true;
    for (;;) {
        int64_t begin = atomic_fetch_add_explicit(&pool.next, grain, memory_order_relaxed);
        if (begin >= n) break;
        pool.fn(pool.ctx, begin, n - begin < grain ? n : begin + grain);
    }
    inside = false;
}

/* Whether a worker that has done job `done` could work now. */
static bool has_work(uint64_t state, uint64_t done) {
    return (state & OPEN) && state / NEXT_JOB != done &&
           (int)(state & WORKERS) < atomic_load_explicit(&pool.most_workers, memory_order_relaxed);
}

/* Sleeps until has_work may have become true. */
static void sleep_until_job(uint64_t done) {
    pthread_mutex_lock(&pool.sleep);
    atomic_fetch_add(&pool.sleepers, 1);
    while (!has_work(atomic_load(&pool.state), done)) pthread_cond_wait(&pool.wake, &pool.sleep);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.sleep);
}

static void *work(void *unused) {
    (void)unused;
    uint64_t done = 0;
    int looks = 0;
    for (;;) {
        uint64_t state = atomic_load_explicit(&pool.state, memory_order_acquire);
        if (has_work(state, done)) {
            if (!atomic_compare_exchange_weak_explicit(&pool.state, &state, state + 1,
                                                       memory_order_acquire, memory_order_relaxed))
                continue;
            done = state / NEXT_JOB;
            run_pieces();
            atomic_fetch_sub_explicit(&pool.state, 1, memory_order_release);
            looks = 0;
        } else if (++looks < SPINS) {
            PAUSE();
        } else {
            sleep_until_job(done);
            looks = 0;
        }
    }
    return NULL;
}

/* The child has none of the threads, and locks may have been held by one of them. */
static void forget_pool(void) {
    pthread_mutex_init(&pool.busy, NULL);
    pthread_mutex_init(&pool.sleep, NULL);
    pthread_cond_init(&pool.wake, NULL);
    atomic_store(&pool.state, 0);
    atomic_store(&pool.sleepers, 0);
    pool.started = 0;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_pool); }

/* Starts workers until there are `n`; as many as the system gives. Signals are left to the threads
 * of the program. */
static void start_workers(int n) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    if (pool.started >= n) return;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; pool.started < n; pool.started++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0) break;
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Opens the job that pool's fields describe. */
static void open_job(void) {
    uint64_t job = atomic_load_explicit(&pool.state, memory_order_relaxed) / NEXT_JOB + 1;
    atomic_store(&pool.state, job * NEXT_JOB | OPEN);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.sleep);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.sleep);
    }
}

/* Closes it and waits for the workers that are in it. */
static void close_job(void) {
    atomic_fetch_and(&pool.state, ~OPEN);
    for (int looks = 0; atomic_load_explicit(&pool.state, memory_order_acquire) & WORKERS;
         looks++) {
        if (looks < YIELD_AFTER) PAUSE();
        else sched_yield();
    }
}

void mp_parallel_for(int64_t n, int64_t grain, mp_parallel_fn fn, void *ctx) {
    if (n <= 0) return;
    int threads = mp_num_threads();
    if (n <= grain || threads == 1 || inside || pthread_mutex_trylock(&pool.busy) != 0) {
        fn(ctx, 0, n);
        return;
    }
    int64_t pieces = (n - 1) / grain + 1;
    int workers = pieces < threads ? (int)pieces - 1 : threads - 1;
    start_workers(workers);
    pool.fn = fn;
    pool.ctx = ctx;
    pool.n = n;
    pool.grain = grain;
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.most_workers, workers, memory_order_relaxed);
    open_job();
    run_pieces();
    close_job();
    pthread_mutex_unlock(&pool.busy);
}

/* ---- scratch ---- */

typedef struct buffer {
    void *data;
    size_t bytes;
} buffer;
static _Thread_local buffer buffers[MP_SCRATCH_SLOTS];
static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void free_buffers(void *unused) {
    (void)unused;
    for (int i = 0; i < MP_SCRATCH_SLOTS; i++) {
        free(buffers[i].data);
        buffers[i] = (buffer){0};
    }
}
static void make_exit_key(void) { pthread_key_create(&exit_key, free_buffers); }

void *mp_scratch(size_t bytes, int slot) {
    buffer *b = &buffers[slot];
    if (b->bytes >= bytes) return b->data;
    pthread_once(&exit_once, make_exit_key);
    pthread_setspecific(exit_key, buffers);
    size_t grown = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    void *data;
    if (posix_memalign(&data, 64, grown) != 0) return NULL;
    free(b->data);
    *b = (buffer){data, grown};
    return data;
}
