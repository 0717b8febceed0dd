/* Dropping references: of storages, arrays and nodes. */
#ifndef MP_REFS_H
#define MP_REFS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdbool.h>

/* Drops one; true where it was the last. Who holds the only reference need not write: nobody else
 * can take one. */
static inline bool mp_last_reference(_Atomic int32_t *refs) {
    return atomic_load_explicit(refs, memory_order_acquire) == 1 ||
           atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

#endif
