/* Prints the host time of one launch of an empty kernel, in microseconds: the median of windows of
 * LAUNCHES, fewer than a stream's queue holds. Through the driver, which it opens by name. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LAUNCHES 500
#define WINDOWS 41

static const char kernel[] = ".version 7.0\n.target sm_80\n.address_size 64\n"
                             ".visible .entry nothing() { ret; }\n";

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
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

int main(void) {
    int (*init)(unsigned) = (int (*)(unsigned))find("cuInit");
    int (*retain)(void **, int) = (int (*)(void **, int))find("cuDevicePrimaryCtxRetain");
    int (*use)(void *) = (int (*)(void *))find("cuCtxSetCurrent");
    int (*load)(void **, const void *) = (int (*)(void **, const void *))find("cuModuleLoadData");
    int (*get)(void **, void *, const char *) =
        (int (*)(void **, void *, const char *))find("cuModuleGetFunction");
    int (*create)(void **, unsigned) = (int (*)(void **, unsigned))find("cuStreamCreate");
    int (*wait)(void *) = (int (*)(void *))find("cuStreamSynchronize");
    int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                  void *, void **, void **) =
        (int (*)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                 void *, void **, void **))find("cuLaunchKernel");
    void *context, *module, *function, *stream;
    check(init(0), "cuInit");
    check(retain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(use(context), "cuCtxSetCurrent");
    check(load(&module, kernel), "cuModuleLoadData");
    check(get(&function, module, "nothing"), "cuModuleGetFunction");
    check(create(&stream, 1 /* non-blocking */), "cuStreamCreate");
    double taken[WINDOWS];
    for (int w = -3; w < WINDOWS; w++) { /* the first ones warm up */
        double start = seconds();
        for (int i = 0; i < LAUNCHES; i++)
            check(launch(function, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL), "cuLaunchKernel");
        if (w >= 0) taken[w] = (seconds() - start) / LAUNCHES;
        check(wait(stream), "cuStreamSynchronize");
    }
    qsort(taken, WINDOWS, sizeof *taken, compare);
    printf("%.4f\n", taken[WINDOWS / 2] * 1e6);
    return 0;
}
