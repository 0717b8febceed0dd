/* Bytes on a device, reference-counted, with a version. The smallest CPU blocks lie behind their
 * headers; those and other small blocks are kept for reuse in thread-local lists. */
#include "mp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "refs.h"

enum {
    INLINE_BYTES = 64,    /* at most this much lies behind the header */
    BUCKETS = 10,         /* blocks of 128, 256, ... 64 KiB */
    SMALLEST = 7,         /* log2 of the first */
    KEPT_BYTES = 1 << 18, /* at most this much in one bucket */
    KEPT_HEADERS = 4096
};

typedef struct block {
    struct block *next;
} block;
/* Every header has room behind it, so that small arrays take one piece of memory. */
typedef struct header {
    mp_storage storage;
    _Alignas(64) char room[INLINE_BYTES];
} header;
static void *room_of(mp_storage *s) { return ((header *)s)->room; }

static _Thread_local struct {
    block *first;
    int count;
} kept[BUCKETS];
static _Thread_local mp_storage *kept_headers; /* linked through `owner` */
static _Thread_local int kept_header_count;

/* Devices beyond the last slot share it: the figures are for people. */
enum { COUNTED_DEVICES = 17 };
static _Atomic size_t held_bytes[COUNTED_DEVICES], peak_bytes[COUNTED_DEVICES];

static int counted(mp_device device) {
    return device < COUNTED_DEVICES ? device : COUNTED_DEVICES - 1;
}

static void count_bytes(mp_device device, size_t bytes) {
    int slot = counted(device);
    size_t now = atomic_fetch_add_explicit(&held_bytes[slot], bytes, memory_order_relaxed) + bytes;
    size_t peak = atomic_load_explicit(&peak_bytes[slot], memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&peak_bytes[slot], &peak, now,
                                                  memory_order_relaxed, memory_order_relaxed)) {}
}

void mp_memory_stats(mp_device device, size_t *held, size_t *peak) {
    *held = atomic_load(&held_bytes[counted(device)]);
    *peak = atomic_load(&peak_bytes[counted(device)]);
}

void mp_memory_reset_peak(mp_device device) {
    atomic_store(&peak_bytes[counted(device)], atomic_load(&held_bytes[counted(device)]));
}

static int bucket_of(size_t bytes) {
    int bucket = 0;
    while (bucket < BUCKETS && ((size_t)1 << (bucket + SMALLEST)) < bytes) bucket++;
    return bucket;
}

static void free_kept(void *unused) {
    (void)unused;
    const mp_backend *backend;
    if (mp_backend_of(MP_CPU, &backend) != MP_OK) return;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        for (block *b = kept[bucket].first, *next; b; b = next) {
            next = b->next;
            backend->free(MP_CPU, b, (size_t)1 << (bucket + SMALLEST), NULL, NULL);
        }
        kept[bucket].first = NULL;
        kept[bucket].count = 0;
    }
    while (kept_headers) {
        mp_storage *s = kept_headers;
        kept_headers = s->owner;
        free(s);
    }
    kept_header_count = 0;
}

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static void make_exit_key(void) { pthread_key_create(&exit_key, free_kept); }

/* Has the thread's lists freed when it ends. */
static void free_kept_at_exit(void) {
    static _Thread_local bool registered;
    if (registered) return;
    pthread_once(&exit_once, make_exit_key);
    pthread_setspecific(exit_key, &registered);
    registered = true;
}

/* Memory of a device; small blocks of the CPU come from the thread's lists. */
static mp_status get_memory(mp_device device, size_t bytes, void **out, void **home) {
    int bucket = bucket_of(bytes);
    if (device == MP_CPU && bucket < BUCKETS) {
        block *b = kept[bucket].first;
        if (b) {
            kept[bucket].first = b->next;
            kept[bucket].count--;
            *out = b;
            return MP_OK;
        }
        bytes = (size_t)1 << (bucket + SMALLEST);
    }
    const mp_backend *backend;
    MP_TRY(mp_backend_of(device, &backend));
    mp_status status = backend->alloc(device, bytes, out, home);
    if (status == MP_ERR_MEMORY && device == MP_CPU)
        mp_fail(status, "memory: %zu bytes were asked for on %s, where %zu are held", bytes,
                mp_device_name(device), atomic_load(&held_bytes[counted(device)]));
    return status;
}

static void put_memory(mp_storage *s) {
    mp_device device = s->device;
    void *data = s->data;
    size_t bytes = s->bytes ? s->bytes : 1;
    int bucket = bucket_of(bytes);
    if (device == MP_CPU && bucket < BUCKETS) {
        if (kept[bucket].count < KEPT_BYTES >> (bucket + SMALLEST)) {
            free_kept_at_exit();
            ((block *)data)->next = kept[bucket].first;
            kept[bucket].first = data;
            kept[bucket].count++;
            return;
        }
        bytes = (size_t)1 << (bucket + SMALLEST);
    }
    const mp_backend *backend;
    if (mp_backend_of(device, &backend) == MP_OK)
        backend->free(device, data, bytes, s->home, atomic_load(&s->guest));
}

static mp_storage *new_header(void) {
    mp_storage *s = kept_headers;
    if (s) {
        kept_headers = s->owner;
        kept_header_count--;
    } else if (!(s = aligned_alloc(_Alignof(header), sizeof(header)))) {
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->refs = 1;
    return s;
}

static void free_header(mp_storage *s) {
    if (kept_header_count >= KEPT_HEADERS) {
        free(s);
        return;
    }
    free_kept_at_exit();
    s->owner = kept_headers;
    kept_headers = s;
    kept_header_count++;
}

mp_status mp_storage_new(mp_device device, size_t bytes, mp_storage **out) {
    mp_storage *s = new_header();
    if (!s)
        return mp_fail(MP_ERR_MEMORY, "memory: no room for a storage header of %zu bytes",
                       sizeof(header));
    if (device == MP_CPU && bytes <= INLINE_BYTES) { /* too little to be counted */
        s->data = room_of(s);
        s->bytes = bytes;
        *out = s;
        return MP_OK;
    }
    mp_status status = get_memory(device, bytes ? bytes : 1, &s->data, &s->home);
    if (status != MP_OK) {
        free_header(s);
        return status;
    }
    s->device = device;
    s->bytes = bytes;
    count_bytes(device, bytes);
    *out = s;
    return MP_OK;
}

mp_status mp_storage_wrap(mp_device device, void *data, size_t bytes, bool read_only,
                          void (*release)(void *), void *owner, mp_storage **out) {
    mp_storage *s = new_header();
    if (!s)
        return mp_fail(MP_ERR_MEMORY, "memory: no room for a storage header of %zu bytes",
                       sizeof *s);
    s->device = device;
    s->data = data;
    s->bytes = bytes;
    s->read_only = read_only;
    s->release = release;
    s->owner = owner;
    *out = s;
    return MP_OK;
}

mp_storage *mp_storage_ref(mp_storage *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void mp_storage_unref(mp_storage *s) {
    if (!s || !mp_last_reference(&s->refs)) return;
    mp_array_unref(s->pending);
    if (s->release) {
        s->release(s->owner);
    } else if (s->data != room_of(s)) {
        atomic_fetch_sub_explicit(&held_bytes[counted(s->device)], s->bytes, memory_order_relaxed);
        put_memory(s);
    }
    free_header(s);
}
