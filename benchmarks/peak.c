/* Prints what the CPU can do at most, as JSON: float32 GFLOP/s of fused multiply-adds that stay in
 * registers, and GB/s of a copy of large arrays (bytes read plus bytes written). Usage: peak
 * THREADS. Built by conftest.py with -march=native. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8 /* so that the chains fit the registers */
#endif
#define CHAINS 12
#define STEPS 20000000L
#define COPY_BYTES (256L << 20)
#define ROUNDS 5

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* CHAINS independent chains of acc = acc * a + b hide the latency of one. */
static void *multiply_add(void *result) {
    vector acc[CHAINS], a = {0}, b = {0};
    a += 0.999f;
    b += 0.001f;
    for (int c = 0; c < CHAINS; c++) acc[c] = b * (float)c;
    for (long i = 0; i < STEPS; i++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * a + b;
    vector sum = acc[0];
    for (int c = 1; c < CHAINS; c++) sum += acc[c];
    *(float *)result = sum[0];
    return NULL;
}

static void *copy(void *buffer) {
    memcpy(buffer, (char *)buffer + COPY_BYTES, COPY_BYTES);
    return NULL;
}

/* The shortest time in which `threads` threads have all done `work`. */
static double shortest(int threads, void *(*work)(void *), void **args) {
    double best = 1e30;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t ids[threads];
        double start = seconds();
        for (int t = 1; t < threads; t++) pthread_create(&ids[t], NULL, work, args[t]);
        work(args[0]);
        for (int t = 1; t < threads; t++) pthread_join(ids[t], NULL);
        double taken = seconds() - start;
        if (taken < best) best = taken;
    }
    return best;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads < 1) return 2;
    void *buffers[threads], *sums[threads];
    for (int t = 0; t < threads; t++) {
        buffers[t] = malloc(2 * COPY_BYTES);
        sums[t] = malloc(sizeof(float));
        if (!buffers[t] || !sums[t]) return 1;
        memset(buffers[t], 1, 2 * COPY_BYTES);
    }
    double flops = 2.0 * LANES * CHAINS * STEPS * threads / shortest(threads, multiply_add, sums);
    double bytes = 2.0 * COPY_BYTES * threads / shortest(threads, copy, buffers);
    printf("{\"gflops\": %.1f, \"gbytes\": %.2f}\n", flops / 1e9, bytes / 1e9);
    return 0;
}
