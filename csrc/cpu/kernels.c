/* The tier's tables of kernels, expanded from ops.def and lists.def. A row whose kernel no file
 * defines has NULL here. */
#include "cpu.h"

#define MP_OP(op, ...) mp_status MP_TIERED(mp_cpu_##op)(mp_call * call) __attribute__((weak));
#include "../ops.def"
#undef MP_OP
#define MP_LIST(list)                                                                              \
    mp_status MP_TIERED(mp_cpu_list_##list)(const mp_list_call *call) __attribute__((weak));
#include "../lists.def"
#undef MP_LIST

/* Writes the tables of a backend; declared in backend.c. */
void MP_TIERED(mp_cpu_kernels)(mp_kernel *kernels, mp_list_kernel *lists);
void MP_TIERED(mp_cpu_kernels)(mp_kernel *kernels, mp_list_kernel *lists) {
#define MP_OP(op, ...) kernels[MP_OP_##op] = MP_TIERED(mp_cpu_##op);
#include "../ops.def"
#undef MP_OP
#define MP_LIST(list) lists[MP_LIST_##list] = MP_TIERED(mp_cpu_list_##list);
#include "../lists.def"
#undef MP_LIST
}
