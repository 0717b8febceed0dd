/* Launches of an empty kernel through the driver, which it opens by name: what a launch costs the
 * host at least. A library for gpu_timing.py, so that they are made in the process that is
 * measured. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char kernel[] = ".version 7.0\n.target sm_80\n.address_size 64\n"
                             ".visible .entry nothing() { ret; }\n";

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A function of the driver, as a pointer that its caller gives a type. */
static void *find(const char *name) {
    static void *driver;
    if (!driver) driver = dlopen("libcuda.so.1", RTLD_NOW);
    void *function = driver ? dlsym(driver, name) : NULL;
    if (!function) {
        fprintf(stderr, "launch: the driver has no %s\n", name);
        exit(1);
    }
    return function;
}

static void check(int error, const char *what) {
    if (!error) return;
    fprintf(stderr, "launch: %s failed with error %d\n", what, error);
    exit(1);
}

static int (*wait_for)(void *);
static int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     void *, void **, void **);
static void *function, *stream;

static void start(void) {
    int (*init)(unsigned) = (int (*)(unsigned))find("cuInit");
    int (*retain)(void **, int) = (int (*)(void **, int))find("cuDevicePrimaryCtxRetain");
    int (*use)(void *) = (int (*)(void *))find("cuCtxSetCurrent");
    int (*load)(void **, const void *) = (int (*)(void **, const void *))find("cuModuleLoadData");
    int (*get)(void **, void *, const char *) =
        (int (*)(void **, void *, const char *))find("cuModuleGetFunction");
    int (*create)(void **, unsigned) = (int (*)(void **, unsigned))find("cuStreamCreate");
    void *context, *module;
    wait_for = (int (*)(void *))find("cuStreamSynchronize");
    launch = (int (*)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                      void *, void **, void **))find("cuLaunchKernel");
    check(init(0), "cuInit");
    check(retain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(use(context), "cuCtxSetCurrent");
    check(load(&module, kernel), "cuModuleLoadData");
    check(get(&function, module, "nothing"), "cuModuleGetFunction");
    check(create(&stream, 1 /* non-blocking */), "cuStreamCreate");
}

/* The seconds that n launches take the host, from an idle stream on. */
double launch_many(int n) {
    if (!function) start();
    check(wait_for(stream), "cuStreamSynchronize");
    double begin = seconds();
    for (int i = 0; i < n; i++)
        check(launch(function, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL), "cuLaunchKernel");
    double taken = seconds() - begin;
    check(wait_for(stream), "cuStreamSynchronize");
    return taken;
}
