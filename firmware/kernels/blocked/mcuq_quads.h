/* SPDX-License-Identifier: Apache-2.0
 *
 * Four products by int8 weights in three 32-bit multiplications, for CPUs that multiply and add in one instruction but
 * have no SIMD (Cortex-M3). Assembly where it pays; the portable C beside it gives the same bits.
 *
 * A word holds the weights a, b, c, d of four outputs as bytes, a lowest, each with 128 added. With A = sum of x * a
 * over all inputs x, and so on, three sums modulo 2^32 are, less 128 * sum of x for each byte,
 *
 *     s0 = sum of x * word              = A + 2^8 * B + 2^16 * C + 2^24 * D
 *     s1 = sum of x * its middle bytes  = B + 2^8 * C
 *     s2 = sum of x * its upper bytes   = C + 2^8 * D
 *
 * These 96 bits are enough where each of A, B, C, D lies in [-2^23, 2^23), which the generator proves from the weights:
 * s0 - 2^8 * s1 = A + 2^24 * D gives A, s0 - 2^16 * s2 = A + 2^8 * B then B, s1 then C and s2 then D.
 *
 * SMLAL, with two weights 24 bits apart, would take one multiplication for two products, but 4 to 7 cycles for it on
 * Cortex-M3, where MLA takes 2 (Arm DDI 0337, table 3-1).
 */
#ifndef MCUQ_QUADS_H
#define MCUQ_QUADS_H

#include "../mcuq_compiler.h"
#include "../mcuq_math.h"

/* item mcuq_quad_start: code 53 */
/* What takes the added 128 off s1 and s2, modulo 2^32: -(1 + 2^8) * 128 * sum of x[0..n-1]. */
static inline uint32_t mcuq_quad_start(const int8_t *x, int32_t n)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < n; k++)
        sum += x[k];
    return 0u - (uint32_t)sum * 0x8080u;
}

/* item mcuq_quad_sums_4: code 140 */
/* sums[0..2] = s0, s1, s2 of one word of weights for each of x[0..n-1]; `start` is mcuq_quad_start of x. */
static inline void mcuq_quad_sums_4(const int8_t *x, const int32_t *w, int32_t n, uint32_t start, uint32_t *sums)
{
    uint32_t s0 = start * 0x10001u, s1 = start, s2 = start;
    for (int32_t k = 0; k < n; k++) {
        const uint32_t value = (uint32_t)(int32_t)x[k], word = (uint32_t)w[k];
        s0 += value * word;
        s1 += value * ((word >> 8) & 65535u);
        s2 += value * (word >> 16);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
}

/* item mcuq_quad_sums_8: needs MCUQ_GNU, MCUQ_NOINLINE; cpu armv7m; stack 16; code 648 */
/* The same for two words of weights for each value: sums[0..2] of the first, sums[3..5] of the second.
 *
 * 23 instructions for the 16 products of two inputs: all registers but the stack pointer, so ends and results are kept
 * on the stack, and the frame pointer, which r7 may be. */
MCUQ_NOINLINE
static void mcuq_quad_sums_8(const int8_t *x, const int32_t *w, int32_t n, uint32_t start, uint32_t *sums)
{
#if MCUQ_GNU && defined(__ARM_ARCH_7M__)
    /* r0-r3 words of weights, r6 value, r7 middle bytes, r8-r10 and r11, r12, r14 sums */
#define MCUQ_PRODUCTS(word, s0, s1, s2)                                                                                \
    "mla " s0 ", r6, " word ", " s0 "\n\t"                                                                             \
    "ubfx r7, " word ", #8, #16\n\t"                                                                                   \
    "mla " s1 ", r6, r7, " s1 "\n\t"                                                                                   \
    "lsrs " word ", " word ", #16\n\t"                                                                                 \
    "mla " s2 ", r6, " word ", " s2 "\n\t"
#define MCUQ_TWO_INPUTS                                                                                                \
    "ldrsb r6, [r5], #1\n\t"                                                                                           \
    "ldmia r4!, {r0, r1, r2, r3}\n\t"                                                                                  \
    MCUQ_PRODUCTS("r0", "r8", "r9", "r10") MCUQ_PRODUCTS("r1", "r11", "r12", "lr")                                     \
    "ldrsb r6, [r5], #1\n\t"                                                                                           \
    MCUQ_PRODUCTS("r2", "r8", "r9", "r10") MCUQ_PRODUCTS("r3", "r11", "r12", "lr")
    register const int8_t *values __asm__("r5") = x;
    register const int32_t *weights __asm__("r4") = w;
    register const int8_t *eights_end __asm__("r1") = x + n / 8 * 8;
    register const int8_t *end __asm__("r0") = x + n;
    register uint32_t *results __asm__("r2") = sums;
    register uint32_t middle __asm__("r9") = start;
    __asm__ volatile("push {r0, r1, r2, r7}\n\t"
                     "add r8, r9, r9, lsl #16\n\t"
                     "mov r10, r9\n\t"
                     "mov r11, r8\n\t"
                     "mov r12, r9\n\t"
                     "mov lr, r9\n\t"
                     "cmp r5, r1\n\t"
                     "beq 2f\n"
                     "1:\n\t" MCUQ_TWO_INPUTS MCUQ_TWO_INPUTS MCUQ_TWO_INPUTS MCUQ_TWO_INPUTS
                     "ldr r7, [sp, #4]\n\t"
                     "cmp r5, r7\n\t"
                     "bne 1b\n"
                     "2:\n\t"
                     "ldr r7, [sp]\n\t"
                     "cmp r5, r7\n\t"
                     "beq 4f\n"
                     "3:\n\t"
                     "ldrsb r6, [r5], #1\n\t"
                     "ldmia r4!, {r0, r1}\n\t"
                     MCUQ_PRODUCTS("r0", "r8", "r9", "r10") MCUQ_PRODUCTS("r1", "r11", "r12", "lr")
                     "ldr r7, [sp]\n\t"
                     "cmp r5, r7\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "pop {r0, r1, r2, r7}\n\t"
                     "stmia r2, {r8, r9, r10, r11, r12, lr}"
                     : "+r"(values), "+r"(weights), "+r"(eights_end), "+r"(end), "+r"(results), "+r"(middle)
                     :
                     : "r3", "r6", "r8", "r10", "r11", "r12", "lr", "cc", "memory");
#undef MCUQ_TWO_INPUTS
#undef MCUQ_PRODUCTS
#else
    for (int32_t i = 0; i < 6; i += 3) {
        sums[i] = start * 0x10001u;
        sums[i + 1] = sums[i + 2] = start;
    }
    for (int32_t k = 0; k < n; k++)
        for (int32_t i = 0; i < 6; i += 3) {
            const uint32_t value = (uint32_t)(int32_t)x[k], word = (uint32_t)*w++;
            sums[i] += value * word;
            sums[i + 1] += value * ((word >> 8) & 65535u);
            sums[i + 2] += value * (word >> 16);
        }
#endif
}

/* item mcuq_quad_split: code 156 */
/* Adds A, B, C, D of s0, s1, s2 to acc[0..3]. */
static inline void mcuq_quad_split(const uint32_t *s, int32_t *acc)
{
    const int32_t a = (int32_t)((s[0] - (s[1] << 8)) << 8) >> 8;
    const int32_t b = (int32_t)(s[0] - (s[2] << 16) - (uint32_t)a) >> 8;
    const int32_t c = (int32_t)(s[1] - (uint32_t)b) >> 8;
    const int32_t d = (int32_t)(s[2] - (uint32_t)c) >> 8;
    acc[0] += a;
    acc[1] += b;
    acc[2] += c;
    acc[3] += d;
}

#endif
