/* Between the tape and autocast. */
#ifndef MP_AUTOCAST_H
#define MP_AUTOCAST_H

#include "mp.h"

/* While suspended, no region is in force on this thread. Returns what was set before. */
bool mp_autocast_suspend(bool suspend);

#endif
