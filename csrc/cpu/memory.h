/* Memory of the CPU, as mp_backend wants it. */
#ifndef MP_CPU_MEMORY_H
#define MP_CPU_MEMORY_H

#include "cpu.h"

mp_status mp_host_alloc(mp_device device, size_t bytes, void **out, void **home);
void mp_host_free(mp_device device, void *data, size_t bytes, void *home, void *guest);

#endif
