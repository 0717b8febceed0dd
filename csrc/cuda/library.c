/* Finds and loads NVIDIA's libraries. A library is taken from the first of these places that has
 * one that loads:
 *
 *   MIXPREC_LIBRARY_PATH          folders, ':' between them
 *   the process                   where somebody else has loaded it
 *   the Python packages' folders  and nvidia/<any>/lib in them, where the wheels of NVIDIA put it
 *   $CONDA_PREFIX/lib
 *   the loader                    LD_LIBRARY_PATH, ld.so.cache
 *   $CUDA_HOME, /usr/local/cuda*  lib64 in them, and lib of the first
 *
 * Symbols stay local to the handle, and nothing is ever closed: other copies in the process are not
 * disturbed. MIXPREC_DEBUG_LIBS=1 tells each attempt on stderr. */
#include "library.h"

#include <cuda_runtime_api.h>

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, TEXT_ROOM = 4096, FILES = 2 };

#if CUDART_VERSION >= 13000
#define CUBLASLT_FILES                                                                             \
    { "libcublasLt.so.13", "libcublasLt.so.12" }
#else
#define CUBLASLT_FILES                                                                             \
    { "libcublasLt.so.12", "libcublasLt.so.13" }
#endif

static const struct {
    const char *files[FILES]; /* in the order of preference, NULL: no more */
    const char *version;      /* the function that tells the version */
} wanted[MP_CUDA_LIBRARIES] = {
    [MP_CUDA_CUBLASLT] = {CUBLASLT_FILES, "cublasLtGetVersion"},
    [MP_CUDA_CUDNN] = {{"libcudnn.so.9"}, "cudnnGetVersion"},
    [MP_CUDA_NCCL] = {{"libnccl.so.2"}, "ncclGetVersion"},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *packages; /* what mp_cuda_library_paths was given */
static struct {
    bool done;
    mp_cuda_library found;
} libraries[MP_CUDA_LIBRARIES];

/* A search for one file. */
typedef struct search {
    const char *file;
    void *handle;
    bool list_places; /* whether places without the file are added to the text: once, not for each
                         name */
    char *text;       /* what was tried, TEXT_ROOM bytes */
    size_t used;
} search;

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...) {
    const char *on = getenv("MIXPREC_DEBUG_LIBS");
    if (!on || !*on || strcmp(on, "0") == 0) return;
    char line[PATH_ROOM + 512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "mixprec: %s\n", line);
}

/* Adds to the text of what was tried. */
static void note(search *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(search *s, const char *format, ...) {
    if (s->used + 2 >= TEXT_ROOM) return;
    if (s->used > 0) {
        memcpy(s->text + s->used, ", ", 3);
        s->used += 2;
    }
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->text + s->used, TEXT_ROOM - s->used, format, args);
    va_end(args);
    if (n > 0) s->used += (size_t)n;
    if (s->used >= TEXT_ROOM) s->used = TEXT_ROOM - 1;
}

/* ---- places ---- */

static void try_path(search *s, const char *path) {
    s->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *why = s->handle ? NULL : dlerror();
    tell("%s: %s", path, s->handle ? "loaded" : why ? why : "failed");
    if (!s->handle) note(s, "%s", why ? why : path);
}

/* Tries folder/between/file, where `between` may have the '*' of a glob pattern. The folder's own
 * characters are not patterns. */
static void try_folder(search *s, const char *folder, const char *between) {
    char pattern[PATH_ROOM];
    size_t n = 0;
    if (s->handle || !*folder) return;
    for (const char *c = folder; *c && n < sizeof pattern - 2; c++) {
        if (strchr("*?[\\", *c)) pattern[n++] = '\\';
        pattern[n++] = *c;
    }
    int tail = snprintf(pattern + n, sizeof pattern - n, "%s/%s", between, s->file);
    if (tail < 0 || n + (size_t)tail >= sizeof pattern) return;
    glob_t found = {0};
    bool any = glob(pattern, 0, NULL, &found) == 0;
    if (!any) tell("%s%s/%s: not there", folder, between, s->file);
    if (!any && s->list_places) note(s, "%s%s", folder, between);
    for (size_t i = 0; any && i < found.gl_pathc && !s->handle; i++) try_path(s, found.gl_pathv[i]);
    globfree(&found);
}

/* Tries the folders of a list with ':' between them, and the wheels' libraries below each. */
static void try_list(search *s, const char *list) {
    char folder[PATH_ROOM];
    for (const char *from = list; from && *from && !s->handle;) {
        size_t n = strcspn(from, ":");
        if (n > 0 && n < sizeof folder) {
            memcpy(folder, from, n);
            folder[n] = 0;
            try_folder(s, folder, "");
            try_folder(s, folder, "/nvidia/*/lib");
        }
        from += n + (from[n] == ':');
    }
}

/* Takes what the process has loaded already. */
static void try_loaded(search *s) {
    if (s->handle) return;
    s->handle = dlopen(s->file, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    tell("%s: %s", s->file, s->handle ? "already loaded" : "not loaded yet");
}

static void try_loader(search *s) {
    if (s->handle) return;
    s->handle = dlopen(s->file, RTLD_NOW | RTLD_LOCAL);
    const char *why = s->handle ? NULL : dlerror();
    tell("%s, by the loader: %s", s->file, s->handle ? "loaded" : why ? why : "failed");
    if (!s->handle && s->list_places) note(s, "the loader's path");
}

static void try_toolkit(search *s, const char *root) {
    try_folder(s, root, "/lib64");
    try_folder(s, root, "/lib");
}

static void try_everywhere(search *s) {
    const char *conda = getenv("CONDA_PREFIX"), *home = getenv("CUDA_HOME");
    try_list(s, getenv("MIXPREC_LIBRARY_PATH"));
    try_loaded(s);
    try_list(s, packages);
    if (conda) try_folder(s, conda, "/lib");
    try_loader(s);
    if (home) try_toolkit(s, home);
    try_folder(s, "/usr/local", "/cuda*/lib64");
}

/* ---- what was found ---- */

static long version_of(mp_cuda_library_id id, void *handle) {
    union {
        void *symbol;
        size_t (*tell)(void);
        int (*write)(int *version);
    } f = {dlsym(handle, wanted[id].version)};
    int version = 0;
    if (!f.symbol) return 0;
    if (id != MP_CUDA_NCCL) return (long)f.tell();
    return f.write(&version) == 0 ? version : 0;
}

static void find(mp_cuda_library_id id) {
    mp_cuda_library *out = &libraries[id].found;
    char text[TEXT_ROOM];
    search s = {.list_places = true, .text = text};
    struct link_map *map = NULL;
    text[0] = 0;
    for (int i = 0; i < FILES && wanted[id].files[i] && !s.handle; i++) {
        s.file = wanted[id].files[i];
        try_everywhere(&s);
        s.list_places = false;
    }
    out->handle = s.handle;
    out->file = s.handle ? s.file : wanted[id].files[0];
    if (!s.handle) {
        char *missing = malloc(s.used + 128);
        if (missing)
            snprintf(missing, s.used + 128, "%s was not found: looked in %s", out->file, text);
        out->missing = missing ? missing : "not found";
        return;
    }
    if (dlinfo(s.handle, RTLD_DI_LINKMAP, &map) == 0 && map)
        out->path = map->l_name; /* lives as long as it is loaded */
    out->version = version_of(id, s.handle);
}

const mp_cuda_library *mp_cuda_library_find(mp_cuda_library_id id) {
    pthread_mutex_lock(&lock);
    if (!libraries[id].done) find(id);
    libraries[id].done = true;
    pthread_mutex_unlock(&lock);
    return &libraries[id].found;
}

void mp_cuda_library_paths(const char *folders) {
    pthread_mutex_lock(&lock);
    free(packages);
    packages = folders ? strdup(folders) : NULL;
    pthread_mutex_unlock(&lock);
}
