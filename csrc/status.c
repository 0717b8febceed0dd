/* Errors: a code and a thread-local text. Turning them into exceptions is py/error.c's. */
#include "mp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };
static _Thread_local char error_text[TEXT_BYTES];
static _Thread_local bool error_named; /* the text begins with an op's name */

mp_status mp_fail(mp_status code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error_text, sizeof error_text, format, args);
    va_end(args);
    error_named = false;
    return code;
}

void mp_error_prefix(const char *name) {
    if (error_named) return;
    char text[TEXT_BYTES];
    memcpy(text, error_text, sizeof text);
    text[sizeof text - 1] = 0;
    snprintf(error_text, sizeof error_text, "%s: %.400s", name, text);
    error_named = true;
}

const char *mp_error_text(void) { return error_text; }
