/* The GIL: letting it go around long work of the core, taking it back for callbacks, and what
 * cannot be done without it.
 *
 * The core calls mp_long_work_begin and _end around kernels and backward. In between this thread
 * must not touch a Python object: references that die there wait in a list of the thread. Nor may
 * anybody free an array that the work reads. */
#include "py.h"

#include <stdlib.h>

static _Thread_local PyThreadState *released; /* this thread's, while it has let go of the GIL */
typedef struct pile {
    void **items;
    size_t count, capacity;
} pile;
static _Thread_local pile dropped; /* Python objects */

/* Calls that have let go of the GIL and not yet ended, of all threads, and arrays that wait for
 * them. Both are read and written with the GIL held. */
static size_t busy;
static pile waiting; /* arrays */

/* Without memory for it the item is never freed. */
static void push(pile *p, void *item) {
    if (p->count == p->capacity) {
        size_t wanted = p->capacity ? 2 * p->capacity : 16;
        void **bigger = realloc(p->items, wanted * sizeof *bigger);
        if (!bigger) return;
        p->items = bigger;
        p->capacity = wanted;
    }
    p->items[p->count++] = item;
}

void mp_py_drop(void *object) {
    if (!Py_IsInitialized()) return;
    if (!released) Py_DECREF((PyObject *)object);
    else push(&dropped, object);
}

void mp_py_dispose(mp_array *array) {
    if (busy == 0) mp_array_unref(array);
    else push(&waiting, array);
}

/* Finalizers may run here, whatever error is on its way. */
static void drop_waiting(void) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    while (dropped.count) Py_DECREF((PyObject *)dropped.items[--dropped.count]);
    while (busy == 0 && waiting.count) mp_array_unref(waiting.items[--waiting.count]);
    if (!dropped.count) {
        free(dropped.items);
        dropped.items = NULL;
        dropped.capacity = 0;
    }
    PyErr_Restore(type, value, trace);
}

static void *begin_work(void) {
    if (released) return NULL;
    busy++;
    released = PyEval_SaveThread();
    return released;
}

static void end_work(void *token) {
    if (!token) return;
    PyEval_RestoreThread(released);
    released = NULL;
    busy--;
    if (dropped.count || (busy == 0 && waiting.count)) drop_waiting();
}

bool mp_py_enter(void) {
    if (!released) return false;
    PyEval_RestoreThread(released);
    released = NULL;
    return true;
}

void mp_py_leave(bool entered) {
    if (entered) released = PyEval_SaveThread();
}

void mp_py_gil_init(void) {
    mp_long_work_begin = begin_work;
    mp_long_work_end = end_work;
}
