/* Random numbers for kernels: a thread draws a block of Philox, four words, and makes elements of
 * it. Products and sums are rounded apart, as on the CPU, so that both have the same bits. */
#ifndef MP_CUDA_RANDOM_CUH
#define MP_CUDA_RANDOM_CUH

#include "convert.cuh"

struct mp_words {
    uint32_t w[4];
    __device__ inline uint64_t pair(int i) const { return w[2 * i] | (uint64_t)w[2 * i + 1] << 32; }
};

/* In one instruction, which nvcc does not find for a constant factor. */
static __device__ inline uint64_t wide_product(uint32_t a, uint32_t b) {
    uint64_t product;
    asm("mul.wide.u32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
    return product;
}

/* mp_philox: the words that elements 4 block ... 4 block + 3 (or 2 block and 2 block + 1, if they
 * take two) are made of. */
static __device__ inline mp_words draw_words(uint64_t seed, uint64_t call, int64_t block) {
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)call,
             c3 = (uint32_t)(call >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = wide_product(0xD2511F53u, c0), p1 = wide_product(0xCD9E8D57u, c2);
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

/* The upper 24 bits of a word: what uniforms are made of, and dropout compares. */
static __device__ inline int32_t upper_bits(uint32_t word) { return (int32_t)(word >> 8); }

#endif
