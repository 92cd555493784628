/* SPDX-License-Identifier: Apache-2.0
 *
 * Two multiply-accumulates in one 32-bit multiplication, for CPUs without SIMD (Cortex-M0, M0+, M3), and the
 * requantization in 32-bit multiplications for those without a long one. Assembly where it pays; the portable C
 * beside it gives the same bits.
 */
#ifndef MCUQ_PAIRS_H
#define MCUQ_PAIRS_H

#include "../mcuq_compiler.h"
#include "../mcuq_math.h"

/* item mcuq_pack_pair: code 64 */
/* columns[i * stride] = a[i] + 65536 * b[i] for `n` values: a and b of two pixels side by side. */
static inline void mcuq_pack_pair(const int8_t *a, const int8_t *b, int32_t n, int32_t stride, int32_t *columns)
{
    for (int32_t i = 0; i < n; i++) {
        *columns = a[i] + b[i] * 65536;
        columns += stride;
    }
}

/* item mcuq_pair_sums_8: needs MCUQ_GNU; cpu armv6m, armv7m; stack 16; code 679 */
/* Adds one output channel's products with 8 pixels to sums[0..7], which are (low, high) for each of 4 pairs.
 *
 * `x` holds pairs, 4 for each tap. At *w are groups of one byte n in 1..127 and n weights, ended by a 0; *w is left
 * behind it. The generator cuts the groups so that any partial sum of weight * x of a group lies in -32768..32767:
 * with 32768 added, the lower half of `acc` is that of the pair's first pixel and the upper half the second's,
 * and |acc| < 2^31. `high` gains the upper halves, `low` gains acc, modulo 2^32:
 * low = first + 32768 * groups + 65536 * second. */
static inline void mcuq_pair_sums_8(const int32_t *x, const int8_t **w, uint32_t *sums)
{
#if MCUQ_GNU && defined(__ARM_ARCH_6M__)
    /* r0-r3 pairs, r4 weight, r7 index from -n up to 0, r8-r11 acc; r7 may be the frame pointer and is kept in r12 */
    register const int32_t *pairs __asm__("r5") = x;
    register const int8_t *weights __asm__("r6") = *w;
    register uint32_t *results __asm__("r4") = sums;
    __asm__ volatile(".syntax unified\n"
                     "mov lr, r4\n"
                     "mov r12, r7\n"
                     "ldrb r7, [r6]\n"
                     "1:\n"
                     "movs r0, #1\n"
                     "lsls r0, r0, #15\n"
                     "mov r8, r0\n"
                     "mov r9, r0\n"
                     "mov r10, r0\n"
                     "mov r11, r0\n"
                     "adds r6, #1\n"
                     "adds r6, r6, r7\n"
                     "rsbs r7, r7, #0\n"
                     "2:\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "ldrsb r4, [r6, r7]\n"
                     "muls r0, r4, r0\n"
                     "muls r1, r4, r1\n"
                     "muls r2, r4, r2\n"
                     "muls r3, r4, r3\n"
                     "add r8, r0\n"
                     "add r9, r1\n"
                     "add r10, r2\n"
                     "add r11, r3\n"
                     "adds r7, #1\n"
                     "bne 2b\n"
                     "mov r7, lr\n"
                     "ldmia r7!, {r0, r1, r2, r3}\n"
                     "mov r4, r8\n"
                     "adds r0, r0, r4\n"
                     "asrs r4, r4, #16\n"
                     "adds r1, r1, r4\n"
                     "mov r4, r9\n"
                     "adds r2, r2, r4\n"
                     "asrs r4, r4, #16\n"
                     "adds r3, r3, r4\n"
                     "subs r7, #16\n"
                     "stmia r7!, {r0, r1, r2, r3}\n"
                     "ldmia r7!, {r0, r1, r2, r3}\n"
                     "mov r4, r10\n"
                     "adds r0, r0, r4\n"
                     "asrs r4, r4, #16\n"
                     "adds r1, r1, r4\n"
                     "mov r4, r11\n"
                     "adds r2, r2, r4\n"
                     "asrs r4, r4, #16\n"
                     "adds r3, r3, r4\n"
                     "subs r7, #16\n"
                     "stmia r7!, {r0, r1, r2, r3}\n"
                     "ldrb r7, [r6]\n"
                     "cmp r7, #0\n"
                     "bne 1b\n"
                     "mov r7, r12\n"
                     : "+r"(pairs), "+r"(weights), "+r"(results)
                     :
                     : "r0", "r1", "r2", "r3", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    *w = weights + 1;
#elif MCUQ_GNU && defined(__ARM_ARCH_7M__)
    /* r0-r3 pairs, r4-r6 and r8 acc, r9 how many are left, r10 weight */
    const int8_t *weights = *w;
    __asm__ volatile("ldrb r9, [%[w]], #1\n"
                     "1:\n"
                     "mov r4, #32768\n"
                     "mov r5, r4\n"
                     "mov r6, r4\n"
                     "mov r8, r4\n"
                     "2:\n"
                     "ldmia %[x]!, {r0, r1, r2, r3}\n"
                     "ldrsb r10, [%[w]], #1\n"
                     "mla r4, r0, r10, r4\n"
                     "mla r5, r1, r10, r5\n"
                     "mla r6, r2, r10, r6\n"
                     "mla r8, r3, r10, r8\n"
                     "subs r9, r9, #1\n"
                     "bne 2b\n"
                     "ldmia %[sums], {r0, r1, r2, r3}\n"
                     "ldrb r9, [%[w]], #1\n"
                     "add r0, r0, r4\n"
                     "add r1, r1, r4, asr #16\n"
                     "add r2, r2, r5\n"
                     "add r3, r3, r5, asr #16\n"
                     "stmia %[sums]!, {r0, r1, r2, r3}\n"
                     "ldmia %[sums], {r0, r1, r2, r3}\n"
                     "add r0, r0, r6\n"
                     "add r1, r1, r6, asr #16\n"
                     "add r2, r2, r8\n"
                     "add r3, r3, r8, asr #16\n"
                     "stmia %[sums], {r0, r1, r2, r3}\n"
                     "sub %[sums], %[sums], #16\n"
                     "cmp r9, #0\n"
                     "bne 1b\n"
                     : [x] "+r"(x), [w] "+r"(weights), [sums] "+r"(sums)
                     :
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    *w = weights;
#else
    const int8_t *weights = *w;
    for (int32_t n = *weights++; n != 0; n = *weights++) {
        int32_t acc[4] = {32768, 32768, 32768, 32768};
        for (; n > 0; n--) {
            const int32_t weight = *weights++;
            for (int i = 0; i < 4; i++)
                acc[i] += *x++ * weight;
        }
        for (int i = 0; i < 4; i++) {
            sums[2 * i] += (uint32_t)acc[i];
            sums[2 * i + 1] += (uint32_t)(acc[i] >> 16);
        }
    }
    *w = weights;
#endif
}

/* item mcuq_pair_sums_2: code 115 */
/* The same for one pair: `x` holds one for each tap. */
static inline void mcuq_pair_sums_2(const int32_t *x, const int8_t **w, uint32_t *sums)
{
    const int8_t *weights = *w;
    for (int32_t n = *weights++; n != 0; n = *weights++) {
        int32_t acc = 32768;
        for (; n > 0; n--)
            acc += *x++ * *weights++;
        sums[0] += (uint32_t)acc;
        sums[1] += (uint32_t)(acc >> 16);
    }
    *w = weights;
}

/* item mcuq_dot_4: needs MCUQ_GNU; cpu armv6m; code 357 */
/* acc[i] = sum of x[k] * w[i * row_bytes + k] over k in 0..n-1, n >= 1, for i in 0..3. */
static inline void mcuq_dot_4(const int8_t *x, const int8_t *w, int32_t row_bytes, int32_t n, int32_t *acc)
{
#if MCUQ_GNU && defined(__ARM_ARCH_6M__)
    /* r0 value, r1 weight, r3-r6 ends of rows, r7 index from -n up to 0, r8-r11 sums; r7 is kept in r12 */
    register const int8_t *x_end __asm__("r2") = x + n;
    register const int8_t *w_end __asm__("r3") = w + n;
    register int32_t step __asm__("r4") = row_bytes;
    register int32_t count __asm__("r5") = n;
    register int32_t *results __asm__("r6") = acc;
    __asm__ volatile(".syntax unified\n"
                     "mov lr, r6\n"
                     "mov r12, r7\n"
                     "rsbs r7, r5, #0\n"
                     "mov r0, r4\n"
                     "adds r4, r3, r0\n"
                     "adds r5, r4, r0\n"
                     "adds r6, r5, r0\n"
                     "movs r0, #0\n"
                     "mov r8, r0\n"
                     "mov r9, r0\n"
                     "mov r10, r0\n"
                     "mov r11, r0\n"
                     "1:\n"
                     "ldrsb r0, [r2, r7]\n"
                     "ldrsb r1, [r3, r7]\n"
                     "muls r1, r0, r1\n"
                     "add r8, r1\n"
                     "ldrsb r1, [r4, r7]\n"
                     "muls r1, r0, r1\n"
                     "add r9, r1\n"
                     "ldrsb r1, [r5, r7]\n"
                     "muls r1, r0, r1\n"
                     "add r10, r1\n"
                     "ldrsb r1, [r6, r7]\n"
                     "muls r1, r0, r1\n"
                     "add r11, r1\n"
                     "adds r7, #1\n"
                     "bne 1b\n"
                     "mov r7, lr\n"
                     "mov r0, r8\n"
                     "mov r1, r9\n"
                     "mov r2, r10\n"
                     "mov r3, r11\n"
                     "stmia r7!, {r0, r1, r2, r3}\n"
                     "mov r7, r12\n"
                     : "+r"(x_end), "+r"(w_end), "+r"(step), "+r"(count), "+r"(results)
                     :
                     : "r0", "r1", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
    for (int i = 0; i < 4; i++) {
        acc[i] = 0;
        for (int32_t k = 0; k < n; k++)
            acc[i] += x[k] * w[i * row_bytes + k];
    }
#endif
}

/* item mcuq_settle: needs MCUQ_GNU; code 40 */
/* Keeps *p in a register of its own, so that what is read at constant distances from it takes no additions. */
static inline void mcuq_settle(const uint8_t **p)
{
#if MCUQ_GNU
    __asm__("" : "+r"(*p));
#else
    (void)p;
#endif
}

/* item mcuq_multiply_high_short: code 207 */
/* Upper word of acc * multiplier, towards minus infinity, for multiplier >= 0; `is_narrow`, a compile-time constant,
 * says that |acc| < 2^20.
 *
 * Without a long multiplication: with m = m2 * 2^22 + m1 * 2^11 + m0 and acc narrow, |acc * m0| < 2^31 and
 * |acc * m1 + (acc * m0 >> 11)| <= (2^20 - 1) * 2^11 < 2^31; floors nest, so shifting in steps is exact. In general
 * from 16-bit halves: |upper * ml + 65535| < 2^31 and lower * mh + 65535 < 2^31. Computers that are no Arm take these
 * ways too: what tests run there is what Cortex-M0 runs. */
static inline int32_t mcuq_multiply_high_short(int32_t acc, int32_t multiplier, int is_narrow)
{
#if defined(__ARM_ARCH_6M__) || !defined(__arm__)
    if (is_narrow) {
        const int32_t m0 = multiplier & 2047, m1 = (multiplier >> 11) & 2047, m2 = multiplier >> 22;
        return (acc * m2 + ((acc * m1 + ((acc * m0) >> 11)) >> 11)) >> 10;
    }
    const int32_t lower = acc & 65535, upper = acc >> 16;
    const int32_t ml = multiplier & 65535, mh = multiplier >> 16;
    const int32_t middle = upper * ml + (int32_t)(((uint32_t)lower * (uint32_t)ml) >> 16);
    return upper * mh + (middle >> 16) + ((lower * mh + (middle & 65535)) >> 16);
#else
    (void)is_narrow;
    return (int32_t)(((int64_t)acc * multiplier) >> 32);
#endif
}

/* item mcuq_requantize_short: needs MCUQ_GNU, mcuq_clamp, mcuq_multiply_high_short; cpu armv6m, armv7m; code 214 */
/* zero_point + acc * multiplier / 2^(32 + shift) for shift in 1..22, rounded once, halves up, then clamped: the sum
 * before the shift stays below 2^30 + 2^29 + 2^21. Where shift is 0 all factors are powers of two, and `multiplier` is
 * how far to shift right, 1..31. */
static inline int8_t mcuq_requantize_short(int32_t acc, int32_t multiplier, int is_narrow, int shift,
                                           int32_t zero_point, int32_t output_min, int32_t output_max)
{
    const int32_t offset = zero_point * (1 << shift) + ((1 << shift) >> 1);
    int32_t q = shift == 0 ? ((acc + ((int32_t)1 << (multiplier - 1))) >> multiplier) + zero_point
                           : (mcuq_multiply_high_short(acc, multiplier, is_narrow) + offset) >> shift;
#if MCUQ_GNU && defined(__ARM_ARCH_6M__)
    if (output_min == -128 && output_max == 127)
        return (int8_t)((int8_t)q == q ? q : (q >> 31) ^ 127);
#elif MCUQ_GNU && defined(__ARM_ARCH_7M__)
    if (output_min == -128 && output_max == 127) {
        __asm__("ssat %0, #8, %1" : "=r"(q) : "r"(q));
        return (int8_t)q;
    }
#endif
    return mcuq_clamp(q, output_min, output_max);
}

#endif
