/* SPDX-License-Identifier: Apache-2.0
 *
 * Inner loops of recurrent networks for the DSP extension, as those of mcuq_dsp.h: each has a twin in its #else.
 */
#ifndef MCUQ_DSP_RECURRENT_H
#define MCUQ_DSP_RECURRENT_H

#include "mcuq_dsp.h"

/* item mcuq_dsp_shifted_s16: needs MCUQ_GNU; cpu dsp; code 90 */
/* total / 2^shift, rounded down, limited to 16 bits; |total| / 2^shift < 2^31. */
static inline int32_t mcuq_dsp_shifted_s16(int64_t total, int shift)
{
    const int32_t q = (int32_t)(total >> shift);
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    int32_t limited;
    __asm__("ssat %0, #16, %1" : "=r"(limited) : "r"(q));
    return limited;
#else
    return q < -32768 ? -32768 : q > 32767 ? 32767 : q;
#endif
}

/* item mcuq_dsp_rounded_s16: needs mcuq_dsp_shifted_s16; code 34 */
/* mcuq_rounded_s16 where |total| / 2^shift < 2^31. */
static inline int32_t mcuq_dsp_rounded_s16(int64_t total, int shift)
{
    return mcuq_dsp_shifted_s16(total + ((int64_t)1 << (shift - 1)), shift);
}

/* item mcuq_dsp_rounded_product: needs mcuq_dsp_shifted_s16; code 37 */
/* mcuq_rounded_s16 of a product of two int16; shift in 1..30. */
static inline int32_t mcuq_dsp_rounded_product(int32_t product, int shift)
{
    return mcuq_dsp_shifted_s16((product + (1 << (shift - 1))) >> shift, 0);
}

/* item mcuq_dsp_middle: needs MCUQ_GNU; cpu dsp; code 60 */
/* Where the value of 0 lies in a table of mcuq_curve, in a register: else compilers add the distance for each value. */
static inline const int16_t *mcuq_dsp_middle(const int16_t *values, int shift)
{
    const int16_t *middle = values + (32768 >> shift);
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("" : "+r"(middle));
#endif
    return middle;
}

/* item mcuq_dsp_row_sums: needs MCUQ_GNU, MCUQ_NOINLINE; cpu dsp; stack 56; code 545 */
/* Products of `groups` groups of four rows of weights a, b, c, d with 4 * fours int16: `sums` has four words a group.
 *
 * weight: for each group and each four inputs two words of a and b, then two of c and d, each of two inputs: 256 * a + b
 * as int16, weights in -127..127. SMLALD adds up 256 times the one sum plus the other in 64 bits, SMLAD the other alone,
 * whose upper bits the first then has too much: 14 instructions for 16 products. x and weight lie at multiples of 4. Sums as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_dsp_row_sums(const int16_t *x, const int32_t *weight, int32_t fours, int32_t groups, int32_t *sums)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    register const int16_t *r0 __asm__("r0") = x;
    register const int32_t *r1 __asm__("r1") = weight;
    register const int16_t *r2 __asm__("r2") = x + 4 * fours;
    register int32_t *r3 __asm__("r3") = sums;
    register int32_t *r12 __asm__("r12") = sums + 4 * groups;
#define MCUQ_FOUR                    \
    "ldrd r10, r11, [r0], #8\n\t"    \
    "ldm r1!, {r2, r3, r12, lr}\n\t" \
    "smlald r4, r5, r2, r10\n\t"     \
    "smlald r4, r5, r3, r11\n\t"     \
    "smlald r6, r7, r12, r10\n\t"    \
    "smlald r6, r7, lr, r11\n\t"     \
    "sxtb16 r2, r2\n\t"              \
    "sxtb16 r3, r3\n\t"              \
    "sxtb16 r12, r12\n\t"            \
    "sxtb16 lr, lr\n\t"              \
    "smlad r8, r2, r10, r8\n\t"      \
    "smlad r8, r3, r11, r8\n\t"      \
    "smlad r9, r12, r10, r9\n\t"     \
    "smlad r9, lr, r11, r9\n\t"
    /* on the stack: x, its part of whole sixteens from the end on, its end, sums, their end */
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "sub r4, r2, r0\n\t"
                     "and r4, r4, #24\n\t"
                     "add r4, r4, r0\n\t"
                     "push {r0, r2, r3, r4, r12}\n"
                     "1:\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "mov r6, #0\n\t"
                     "mov r7, #0\n\t"
                     "mov r8, #0\n\t"
                     "mov r9, #0\n\t"
                     "b 3f\n"
                     "2:\n\t"
                     MCUQ_FOUR
                     "3:\n\t"
                     "ldr r2, [sp, #12]\n\t"
                     "cmp r0, r2\n\t"
                     "bne 2b\n\t"
                     "b 5f\n"
                     "4:\n\t"
                     MCUQ_FOUR MCUQ_FOUR MCUQ_FOUR MCUQ_FOUR
                     "5:\n\t"
                     "ldr r2, [sp, #4]\n\t"
                     "cmp r0, r2\n\t"
                     "bne 4b\n\t"
                     "ldrd r2, r3, [sp, #4]\n\t"
                     "lsr r4, r4, #8\n\t"
                     "orr r4, r4, r5, lsl #24\n\t"
                     "sub r4, r4, r8, asr #8\n\t"
                     "lsr r6, r6, #8\n\t"
                     "orr r6, r6, r7, lsl #24\n\t"
                     "sub r6, r6, r9, asr #8\n\t"
                     "strd r4, r8, [r3], #8\n\t"
                     "strd r6, r9, [r3], #8\n\t"
                     "str r3, [sp, #8]\n\t"
                     "ldr r0, [sp]\n\t"
                     "ldr r12, [sp, #16]\n\t"
                     "cmp r3, r12\n\t"
                     "bne 1b\n\t"
                     "add sp, #20\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)
                     :
                     : "cc", "memory");
#undef MCUQ_FOUR
#else
    for (int32_t g = 0; g < groups; g++, sums += 4) {
        for (int32_t k = 0; k < 4; k++)
            sums[k] = 0;
        for (int32_t i = 0; i < 4 * fours; i++) {
            /* the first two words are those of inputs 0 to 3 of a and b, the others of c and d */
            const int32_t *w = weight + 4 * (i / 4) + i % 4 / 2;
            for (int32_t k = 0; k < 2; k++) {
                const int32_t both = (int16_t)((uint32_t)w[2 * k] >> 16 * (i & 1)), low = (int8_t)(both & 255);
                sums[2 * k] += x[i] * ((both - low) / 256);
                sums[2 * k + 1] += x[i] * low;
            }
        }
        weight += 4 * fours;
    }
#endif
}

#endif
