/* Memory of the CPU. A few large blocks are kept when they are freed: the system gives fresh memory
 * zeroed, page by page, which costs more than most ops do. What is kept is the system's to take
 * (MADV_FREE), where it runs short. */
#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HUGE_PAGE = 1 << 21,
    LARGE = 2 * HUGE_PAGE, /* bytes of a block that is worth it */
    KEPT = 4,              /* blocks, at most */
    KEPT_BYTES = 1 << 29   /* and in all of them */
};

typedef struct block {
    void *data;
    size_t bytes;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block kept[KEPT]; /* the one freed last is the last */
static int kept_count;
static size_t kept_bytes;

static block take_out(int i) {
    block b = kept[i];
    for (kept_count--; i < kept_count; i++) kept[i] = kept[i + 1];
    kept_bytes -= b.bytes;
    return b;
}

/* A kept block of `bytes` or little more, else one without data. Nobody waits for the lock, which a
 * forked child may find locked for good. */
static block find(size_t bytes) {
    block found = {0};
    if (pthread_mutex_trylock(&lock) != 0) return found;
    for (int i = kept_count - 1; i >= 0 && !found.data; i--)
        if (kept[i].bytes >= bytes && kept[i].bytes - bytes <= bytes / 8) found = take_out(i);
    pthread_mutex_unlock(&lock);
    return found;
}

/* Keeps a block in the place of those freed longest ago; false if it is not to be kept. */
static bool keep(block b) {
    block old[KEPT];
    int n = 0;
    if (b.bytes > KEPT_BYTES || pthread_mutex_trylock(&lock) != 0) return false;
    while (kept_count == KEPT || kept_bytes + b.bytes > KEPT_BYTES) old[n++] = take_out(0);
    kept[kept_count++] = b;
    kept_bytes += b.bytes;
    pthread_mutex_unlock(&lock);
    while (n > 0) free(old[--n].data);
    return true;
}

static bool free_kept(void) {
    bool any = false;
    if (pthread_mutex_trylock(&lock) != 0) return false;
    for (; kept_count > 0; any = true) free(take_out(0).data);
    pthread_mutex_unlock(&lock);
    return any;
}

static bool from_system(block *b) {
    if (posix_memalign(&b->data, HUGE_PAGE, b->bytes) != 0) return false;
#ifdef MADV_HUGEPAGE
    madvise(b->data, b->bytes, MADV_HUGEPAGE); /* first touches cost a tenth then */
#endif
    return true;
}

/* `home` of a large block is its size, which may be more than was asked for. */
mp_status mp_host_alloc(mp_device device, size_t bytes, void **out, void **home) {
    (void)device;
    bool there = bytes <= PTRDIFF_MAX;
    if (there && bytes < LARGE) {
        there = posix_memalign(out, 64, bytes) == 0;
    } else if (there) {
        block b = find(bytes);
        if (!b.data) {
            b.bytes = bytes;
            there = from_system(&b) || (free_kept() && from_system(&b));
        }
        *out = b.data;
        *home = (void *)(uintptr_t)b.bytes;
    }
    return there ? MP_OK : mp_fail(MP_ERR_MEMORY, "memory: %zu bytes were asked for on cpu", bytes);
}

void mp_host_free(mp_device device, void *data, size_t bytes, void *home, void *guest) {
    (void)device, (void)guest;
#ifdef MADV_FREE
    if (bytes >= LARGE) {
        block b = {data, (size_t)(uintptr_t)home};
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        if (b.bytes <= KEPT_BYTES && madvise(data, b.bytes / page * page, MADV_FREE) == 0 &&
            keep(b))
            return;
    }
#endif
    free(data);
}
