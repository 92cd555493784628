/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of mcuq_dsp.h for int16 activations: SMLAD takes pairs of them as they lie in memory. Only the
 * weights, int8, are expanded. Written as those are; each has a portable twin in its #else that gives the same bits.
 */
#ifndef MCUQ_DSP_S16_H
#define MCUQ_DSP_S16_H

#include "mcuq_dsp.h"

/* item mcuq_dsp_saturate: code 32 */
/* q limited to int16. */
static inline int16_t mcuq_dsp_saturate(int32_t q)
{
    return (int16_t)(q < -32768 ? -32768 : q > 32767 ? 32767 : q);
}

/* item mcuq_dsp_load_pair: needs mcuq_dsp_load; code 72 */
/* Two int16 as they lie in memory; `is_aligned` as mcuq_dsp_load has it. */
static inline uint32_t mcuq_dsp_load_pair(const int16_t *x, int is_aligned)
{
    const volatile int16_t *half = x;
    uint32_t low;
    if (is_aligned)
        return mcuq_dsp_load((const int8_t *)(const void *)x, 1);
    low = (uint16_t)half[0];
    return low | (uint32_t)half[1] << 16;
}

/* item mcuq_dsp_max_pair: needs MCUQ_GNU; cpu dsp; code 129 */
/* The larger of each of two int16. */
static inline uint32_t mcuq_dsp_max_pair(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t larger;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
#else
    const uint32_t low = (int16_t)a > (int16_t)b ? a : b;
    const uint32_t high = (int16_t)(a >> 16) > (int16_t)(b >> 16) ? a : b;
    return (low & 0xffffu) | (high & 0xffff0000u);
#endif
}

/* item mcuq_dsp_min_pair: needs MCUQ_GNU; cpu dsp; code 129 */
/* The smaller of each of two int16. */
static inline uint32_t mcuq_dsp_min_pair(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t smaller;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(smaller) : "r"(a), "r"(b) : "cc");
    return smaller;
#else
    const uint32_t low = (int16_t)a > (int16_t)b ? b : a;
    const uint32_t high = (int16_t)(a >> 16) > (int16_t)(b >> 16) ? b : a;
    return (low & 0xffffu) | (high & 0xffff0000u);
#endif
}

/* item mcuq_dsp_clamp_s16: needs mcuq_dsp_store, mcuq_dsp_load_pair, mcuq_dsp_max_pair, mcuq_dsp_min_pair; code 216 */
/* Limits what a layer wrote, pair by pair, where its bounds are narrower than int16. */
static inline void mcuq_dsp_clamp_s16(int16_t *y, int32_t elements, int32_t output_min, int32_t output_max)
{
    const uint32_t low = (uint16_t)output_min * 0x10001u, high = (uint16_t)output_max * 0x10001u;
    /* from the first whole word on, by words */
    int32_t i = (uintptr_t)y % 4 != 0;
    if (i > 0 && elements > 0)
        y[0] = (int16_t)(y[0] < output_min ? output_min : y[0] > output_max ? output_max : y[0]);
    for (; i < elements - 1; i += 2) {
        uint32_t pair = mcuq_dsp_load_pair(y + i, 1);
        if (output_min > -32768)
            pair = mcuq_dsp_max_pair(pair, low);
        if (output_max < 32767)
            pair = mcuq_dsp_min_pair(pair, high);
        mcuq_dsp_store((int8_t *)(void *)(y + i), pair, 1);
    }
    if (i < elements)
        y[i] = (int16_t)(y[i] < output_min ? output_min : y[i] > output_max ? output_max : y[i]);
}

/* item mcuq_dsp_gather_4: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_dsp_load_pair; cpu dsp; stack 52; code 345 */
/* Gathers 4 * fours int16 of each of four pixels: columns[8 * i] = the first pairs of the four pixels' four i,
 * columns[8 * i + 4] = their second pairs. 11 instructions for 16 values. */
MCUQ_NOINLINE
static void mcuq_dsp_gather_4(const int16_t *p0, const int16_t *p1, const int16_t *p2, const int16_t *p3,
                              int32_t fours, uint32_t *columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    register const int16_t *r0 __asm__("r0") = p0;
    register const int16_t *r1 __asm__("r1") = p1;
    register const int16_t *r2 __asm__("r2") = p2;
    register const int16_t *r3 __asm__("r3") = p3;
    register uint32_t *out __asm__("r12") = columns;
    register uint32_t *end __asm__("r4") = columns + 8 * fours;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "mov lr, r4\n"
                     "1:\n\t"
                     "ldr r4, [r0], #4\n\t"
                     "ldr r8, [r0], #4\n\t"
                     "ldr r5, [r1], #4\n\t"
                     "ldr r9, [r1], #4\n\t"
                     "ldr r6, [r2], #4\n\t"
                     "ldr r10, [r2], #4\n\t"
                     "ldr r7, [r3], #4\n\t"
                     "ldr r11, [r3], #4\n\t"
                     "stmia r12!, {r4-r11}\n\t"
                     "cmp r12, lr\n\t"
                     "bne 1b\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(out)
                     : "r"(end)
                     : "cc", "memory");
    (void)mcuq_dsp_load_pair; /* the twin's */
#else
    const int16_t *const pixel[4] = {p0, p1, p2, p3};
    for (int32_t i = 0; i < fours; i++)
        for (int32_t p = 0; p < 4; p++) {
            columns[8 * i + p] = mcuq_dsp_load_pair(pixel[p] + 4 * i, 0);
            columns[8 * i + 4 + p] = mcuq_dsp_load_pair(pixel[p] + 4 * i + 2, 0);
        }
#endif
}

/* item mcuq_dsp_product_s16_4: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_dsp_saturate; cpu dsp; stack
   136; code 917 */
/* Output channels of up to four pixels: products of int8 weights with columns of pairs, as gathered of four pixels.
 *
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * channel: the requantization's offset and shift, then for each two channels bias a, bias b, multiplier a, b.
 * y: pixel after pixel, out_channels each. Written two channels after the other, four pixels each; where a pixel or
 * the second channel is missing, its value goes to a place that is overwritten right after.
 * 13 instructions for the 16 products of one pair, 2 channels, 4 pixels. Accumulators as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_dsp_product_s16_4(const int32_t *weight, const int32_t *channel, const uint32_t *columns,
                                   int32_t fours, int32_t out_channels, int32_t pixels, int16_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_STEP                                                                                                      \
    "ldr r3, [r0], #4\n\t"                                                                                             \
    "ldrd r12, lr, [r1], #8\n\t"                                                                                       \
    "sxtb16 r2, r3\n\t"                                                                                                \
    "sxtb16 r3, r3, ror #8\n\t"                                                                                        \
    "smlad r4, r2, r12, r4\n\t"                                                                                        \
    "smlad r8, r3, r12, r8\n\t"                                                                                        \
    "smlad r5, r2, lr, r5\n\t"                                                                                         \
    "smlad r9, r3, lr, r9\n\t"                                                                                         \
    "ldrd r12, lr, [r1], #8\n\t"                                                                                       \
    "smlad r6, r2, r12, r6\n\t"                                                                                        \
    "smlad r10, r3, r12, r10\n\t"                                                                                      \
    "smlad r7, r2, lr, r7\n\t"                                                                                         \
    "smlad r11, r3, lr, r11\n\t"
    uint32_t frame[13];
    int32_t done = 0;
    frame[0] = (uint32_t)columns;
    frame[1] = (uint32_t)(columns + 8 * (fours & ~3));
    frame[2] = (uint32_t)(columns + 8 * fours);
    frame[3] = (uint32_t)(channel + 2);
    frame[5] = (uint32_t)channel[0];
    frame[6] = (uint32_t)channel[1];
    frame[7] = (uint32_t)y;
    frame[8] = (uint32_t)(pixels > 1 ? 2 * out_channels : 0);
    frame[9] = (uint32_t)(pixels > 2 ? 4 * out_channels : 0);
    frame[10] = (uint32_t)(pixels > 3 ? 6 * out_channels : 0);
    frame[12] = (uint32_t)weight;
    do {
        /* all whole pairs, then a last channel alone */
        const int32_t now = out_channels - done > 1 ? (out_channels - done) & ~1 : 1;
        frame[4] = frame[3] + 8u * (uint32_t)(now + (now & 1));
        frame[11] = now > 1 ? 2 : 0;
        register const uint32_t *r0 __asm__("r0") = frame;
        __asm__ volatile("push {r4-r11, lr}\n\t"
                         "ldr lr, [r0, #48]\n\t"
                         "ldm r0, {r1-r12}\n\t"
                         "push {r1-r12}\n\t"
                         "mov r0, lr\n"
                         "1:\n\t"
                         "ldr r3, [sp, #12]\n\t"
                         "ldrd r4, r8, [r3]\n\t"
                         "ldr r1, [sp]\n\t"
                         "mov r5, r4\n\t"
                         "mov r6, r4\n\t"
                         "mov r7, r4\n\t"
                         "mov r9, r8\n\t"
                         "mov r10, r8\n\t"
                         "mov r11, r8\n\t"
                         "b 3f\n"
                         "2:\n\t" MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP
                         "3:\n\t"
                         "ldr r2, [sp, #4]\n\t"
                         "cmp r1, r2\n\t"
                         "bne 2b\n\t"
                         "b 5f\n"
                         "4:\n\t" MCUQ_STEP MCUQ_STEP
                         "5:\n\t"
                         "ldr r2, [sp, #8]\n\t"
                         "cmp r1, r2\n\t"
                         "bne 4b\n\t"
                         "ldr r1, [sp, #12]\n\t"
                         "ldrd r2, r3, [r1, #8]\n\t"
                         "adds r1, #16\n\t"
                         "str r1, [sp, #12]\n\t"
                         "ldrd r12, lr, [sp, #20]\n\t"
                         "smmla r4, r4, r2, r12\n\t"
                         "smmla r5, r5, r2, r12\n\t"
                         "smmla r6, r6, r2, r12\n\t"
                         "smmla r7, r7, r2, r12\n\t"
                         "smmla r8, r8, r3, r12\n\t"
                         "smmla r9, r9, r3, r12\n\t"
                         "smmla r10, r10, r3, r12\n\t"
                         "smmla r11, r11, r3, r12\n\t"
                         "asr r4, r4, lr\n\t"
                         "asr r5, r5, lr\n\t"
                         "asr r6, r6, lr\n\t"
                         "asr r7, r7, lr\n\t"
                         "asr r8, r8, lr\n\t"
                         "asr r9, r9, lr\n\t"
                         "asr r10, r10, lr\n\t"
                         "asr r11, r11, lr\n\t"
                         "ssat r4, #16, r4\n\t"
                         "ssat r5, #16, r5\n\t"
                         "ssat r6, #16, r6\n\t"
                         "ssat r7, #16, r7\n\t"
                         "ssat r8, #16, r8\n\t"
                         "ssat r9, #16, r9\n\t"
                         "ssat r10, #16, r10\n\t"
                         "ssat r11, #16, r11\n\t"
                         "ldr lr, [sp, #28]\n\t"
                         "ldrd r2, r3, [sp, #32]\n\t"
                         "ldrd r12, r1, [sp, #40]\n\t"
                         "add r1, lr\n\t"
                         "strh r11, [r1, r12]\n\t"
                         "strh r10, [r1, r3]\n\t"
                         "strh r9, [r1, r2]\n\t"
                         "strh r8, [r1]\n\t"
                         "strh r7, [lr, r12]\n\t"
                         "strh r6, [lr, r3]\n\t"
                         "strh r5, [lr, r2]\n\t"
                         "strh r4, [lr], #4\n\t"
                         "str lr, [sp, #28]\n\t"
                         "ldrd r1, r2, [sp, #12]\n\t"
                         "cmp r1, r2\n\t"
                         "bne 1b\n\t"
                         "add sp, #48\n\t"
                         "pop {r4-r11, lr}"
                         : "+r"(r0)
                         :
                         : "r1", "r2", "r3", "r12", "cc", "memory");
        frame[3] = frame[4];
        frame[7] += 2u * (uint32_t)now;
        frame[12] += 4u * (uint32_t)(fours * now);
        done += now;
    } while (done < out_channels);
#undef MCUQ_STEP
    (void)mcuq_multiply_high, (void)mcuq_dsp_saturate; /* the twin's */
#else
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * fours;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        for (int32_t p = 0; p < pixels; p++) {
            int32_t acc = c[0];
            for (int32_t i = 0; i < 2 * fours; i++) {
                const uint32_t pair = columns[4 * i + p];
                const uint32_t factors = (uint32_t)w[i] >> 8 * (oc & 1);
                acc += (int16_t)pair * (int8_t)factors;
                acc += (int16_t)(pair >> 16) * (int8_t)(factors >> 16);
            }
            y[p * out_channels + oc] = mcuq_dsp_saturate((mcuq_multiply_high(acc, c[2]) + offset) >> shift);
        }
    }
#endif
}

/* item mcuq_dsp_product_s16_1: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_dsp_saturate; cpu dsp; stack
   136; code 844 */
/* Output channels of one pixel (or outputs of a fully connected layer) from its 4 * fours int16.
 *
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * channel: the requantization's offset and shift, then for each two channels bias a, bias b, multiplier a, b.
 * y is written four channels after the other, in descending order; those that are missing are written to the first
 * one's place before it. 20 instructions for 16 products. Accumulators as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_dsp_product_s16_1(const int32_t *weight, const int32_t *channel, const int16_t *x, int32_t fours,
                                   int32_t out_channels, int16_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_STEP                                                                                                      \
    "ldr r8, [r2], #4\n\t"                                                                                             \
    "ldr r9, [r2], #4\n\t"                                                                                             \
    "ldrd r10, r11, [r0], #8\n\t"                                                                                      \
    "sxtb16 r12, r10, ror #8\n\t"                                                                                      \
    "sxtb16 r10, r10\n\t"                                                                                              \
    "sxtb16 lr, r11, ror #8\n\t"                                                                                       \
    "sxtb16 r11, r11\n\t"                                                                                              \
    "smlad r4, r10, r8, r4\n\t"                                                                                        \
    "smlad r5, r12, r8, r5\n\t"                                                                                        \
    "smlad r4, r11, r9, r4\n\t"                                                                                        \
    "smlad r5, lr, r9, r5\n\t"                                                                                         \
    "ldrd r10, r11, [r1], #8\n\t"                                                                                      \
    "sxtb16 r12, r10, ror #8\n\t"                                                                                      \
    "sxtb16 r10, r10\n\t"                                                                                              \
    "sxtb16 lr, r11, ror #8\n\t"                                                                                       \
    "sxtb16 r11, r11\n\t"                                                                                              \
    "smlad r6, r10, r8, r6\n\t"                                                                                        \
    "smlad r7, r12, r8, r7\n\t"                                                                                        \
    "smlad r6, r11, r9, r6\n\t"                                                                                        \
    "smlad r7, lr, r9, r7\n\t"
    uint32_t frame[13];
    int32_t done = 0;
    frame[0] = (uint32_t)x;
    frame[1] = (uint32_t)(x + 4 * (fours & ~3));
    frame[2] = (uint32_t)(x + 4 * fours);
    frame[3] = (uint32_t)(channel + 2);
    frame[5] = (uint32_t)channel[0];
    frame[6] = (uint32_t)channel[1];
    frame[7] = (uint32_t)y;
    frame[12] = (uint32_t)weight;
    do {
        /* all whole fours, then what is left; a second pair that is not there is computed as the first */
        const int32_t left = out_channels - done;
        const int32_t now = left > 3 ? left & ~3 : left;
        frame[4] = frame[3] + 8u * (uint32_t)((now + 3) & ~3);
        frame[8] = now > 1 ? 2 : 0;
        frame[9] = now > 2 ? 4 : 0;
        frame[10] = now > 3 ? 6 : 0;
        frame[11] = now > 2 ? 8u * (uint32_t)fours : 0;
        register const uint32_t *r0 __asm__("r0") = frame;
        __asm__ volatile("push {r4-r11, lr}\n\t"
                         "ldr lr, [r0, #48]\n\t"
                         "ldm r0, {r1-r12}\n\t"
                         "push {r1-r12}\n\t"
                         "mov r0, lr\n"
                         "1:\n\t"
                         "ldr r12, [sp, #12]\n\t"
                         "ldrd r4, r5, [r12]\n\t"
                         "ldrd r6, r7, [r12, #16]\n\t"
                         "ldr r1, [sp, #44]\n\t"
                         "add r1, r0\n\t"
                         "ldrd r2, r3, [sp]\n\t"
                         "b 3f\n"
                         "2:\n\t" MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP
                         "3:\n\t"
                         "cmp r2, r3\n\t"
                         "bne 2b\n\t"
                         "ldr r3, [sp, #8]\n\t"
                         "b 5f\n"
                         "4:\n\t" MCUQ_STEP
                         "5:\n\t"
                         "cmp r2, r3\n\t"
                         "bne 4b\n\t"
                         "mov r0, r1\n\t"
                         "ldr r12, [sp, #12]\n\t"
                         "ldrd r8, r9, [r12, #8]\n\t"
                         "ldrd r10, r11, [r12, #24]\n\t"
                         "add r12, #32\n\t"
                         "str r12, [sp, #12]\n\t"
                         "ldrd r2, r3, [sp, #20]\n\t"
                         "smmla r4, r4, r8, r2\n\t"
                         "smmla r5, r5, r9, r2\n\t"
                         "smmla r6, r6, r10, r2\n\t"
                         "smmla r7, r7, r11, r2\n\t"
                         "asr r4, r4, r3\n\t"
                         "asr r5, r5, r3\n\t"
                         "asr r6, r6, r3\n\t"
                         "asr r7, r7, r3\n\t"
                         "ssat r4, #16, r4\n\t"
                         "ssat r5, #16, r5\n\t"
                         "ssat r6, #16, r6\n\t"
                         "ssat r7, #16, r7\n\t"
                         "ldrd lr, r8, [sp, #28]\n\t"
                         "ldrd r9, r10, [sp, #36]\n\t"
                         "strh r7, [lr, r10]\n\t"
                         "strh r6, [lr, r9]\n\t"
                         "strh r5, [lr, r8]\n\t"
                         "strh r4, [lr], #8\n\t"
                         "str lr, [sp, #28]\n\t"
                         "ldr r3, [sp, #16]\n\t"
                         "cmp r12, r3\n\t"
                         "bne 1b\n\t"
                         "add sp, #48\n\t"
                         "pop {r4-r11, lr}"
                         : "+r"(r0)
                         :
                         : "r1", "r2", "r3", "r12", "cc", "memory");
        frame[3] = frame[4];
        frame[7] += 2u * (uint32_t)now;
        frame[12] += 4u * (uint32_t)(fours * now);
        done += now;
    } while (done < out_channels);
#undef MCUQ_STEP
    (void)mcuq_multiply_high, (void)mcuq_dsp_saturate; /* the twin's */
#else
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * fours;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        int32_t acc = c[0];
        for (int32_t i = 0; i < fours; i++)
            for (int32_t k = 0; k < 4; k++) {
                const uint32_t factors = (uint32_t)w[2 * i + (k >> 1)] >> 8 * (oc & 1);
                acc += x[4 * i + k] * (int8_t)(factors >> 16 * (k & 1));
            }
        y[oc] = mcuq_dsp_saturate((mcuq_multiply_high(acc, c[2]) + offset) >> shift);
    }
#endif
}

/* item mcuq_dsp_gather_channels: needs MCUQ_NOINLINE, mcuq_dsp_load_pair; code 195 */
/* Four channels of `pixels` pixels, `distance` elements apart, as two words of pairs each: channels 0 and 2, 1 and 3.
 * 8 instructions a pixel where they lie in whole words, else 10. */
MCUQ_NOINLINE
static void mcuq_dsp_gather_channels(const int16_t *x, int32_t distance, int32_t pixels, uint32_t *pairs)
{
    if ((((uintptr_t)x | (uint32_t)(2 * distance)) & 3u) == 0)
        for (; pixels > 0; pixels--) {
            const uint32_t first = mcuq_dsp_load_pair(x, 1), second = mcuq_dsp_load_pair(x + 2, 1);
            pairs[0] = (first & 0xffffu) | second << 16;
            pairs[1] = first >> 16 | (second & 0xffff0000u);
            x += distance;
            pairs += 2;
        }
    for (; pixels > 0; pixels--) {
        pairs[0] = (uint16_t)x[0] | (uint32_t)x[2] << 16;
        pairs[1] = (uint16_t)x[1] | (uint32_t)x[3] << 16;
        x += distance;
        pairs += 2;
    }
}

/* item mcuq_dsp_gather_few: needs MCUQ_NOINLINE; code 99 */
/* The same where there are only `channels` of the four, 1 to 3: the others are 0. */
MCUQ_NOINLINE
static void mcuq_dsp_gather_few(const int16_t *x, int32_t channels, int32_t distance, int32_t pixels, uint32_t *pairs)
{
    for (; pixels > 0; pixels--) {
        pairs[0] = (uint16_t)x[0] | (channels > 2 ? (uint32_t)x[2] << 16 : 0);
        pairs[1] = channels > 1 ? (uint16_t)x[1] : 0;
        x += distance;
        pairs += 2;
    }
}

/* item mcuq_dsp_depthwise_s16_3x3_1: needs MCUQ_GNU; cpu dsp; stack 124; code 416 */
/* Depthwise 3x3, neighbouring outputs one pixel apart: 11 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_s16_3x3_1(const uint32_t *frame)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_TAP                                                                                                       \
    "ldrd r12, lr, [r1], #8\n\t"                                                                                       \
    "ldrd r2, r3, [r0], #8\n\t"                                                                                        \
    "smlabb r4, r2, r12, r4\n\t"                                                                                       \
    "smlabb r5, r3, lr, r5\n\t"                                                                                        \
    "smlatt r6, r2, r12, r6\n\t"                                                                                       \
    "smlatt r7, r3, lr, r7\n\t"                                                                                        \
    "ldrd r2, r3, [r0]\n\t"                                                                                            \
    "smlabb r8, r2, r12, r8\n\t"                                                                                       \
    "smlabb r9, r3, lr, r9\n\t"                                                                                        \
    "smlatt r10, r2, r12, r10\n\t"                                                                                     \
    "smlatt r11, r3, lr, r11\n\t"
    register const uint32_t *r0 __asm__("r0") = frame;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "ldmia r0!, {r1-r12}\n\t"
                     "push {r1-r12}\n\t"
                     "ldm r0, {r1-r10}\n\t"
                     "push {r1-r10}\n"
                     "1:\n\t"
                     "ldr r12, [sp, #52]\n\t"
                     "ldm r12, {r4-r7}\n\t"
                     "ldr r0, [sp, #0]\n\t"
                     "ldr r1, [sp, #40]\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #48]\n\t"
                     "add r0, r12\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #48]\n\t"
                     "add r0, r12\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #52]\n\t"
                     "ldrd r0, r1, [r12, #16]\n\t"
                     "ldrd r2, r3, [r12, #24]\n\t"
                     "ldrd r12, lr, [sp, #64]\n\t"
                     "smmla r4, r4, r0, r12\n\t"
                     "smmla r8, r8, r0, r12\n\t"
                     "smmla r5, r5, r1, r12\n\t"
                     "smmla r9, r9, r1, r12\n\t"
                     "smmla r6, r6, r2, r12\n\t"
                     "smmla r10, r10, r2, r12\n\t"
                     "smmla r7, r7, r3, r12\n\t"
                     "smmla r11, r11, r3, r12\n\t"
                     "asr r4, r4, lr\n\t"
                     "asr r5, r5, lr\n\t"
                     "asr r6, r6, lr\n\t"
                     "asr r7, r7, lr\n\t"
                     "asr r8, r8, lr\n\t"
                     "asr r9, r9, lr\n\t"
                     "asr r10, r10, lr\n\t"
                     "asr r11, r11, lr\n\t"
                     "ssat r4, #16, r4\n\t"
                     "ssat r5, #16, r5\n\t"
                     "ssat r6, #16, r6\n\t"
                     "ssat r7, #16, r7\n\t"
                     "ssat r8, #16, r8\n\t"
                     "ssat r9, #16, r9\n\t"
                     "ssat r10, #16, r10\n\t"
                     "ssat r11, #16, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strh r11, [r0, r3]\n\t"
                     "strh r10, [r0, r2]\n\t"
                     "strh r9, [r0, r1]\n\t"
                     "strh r8, [r0]\n\t"
                     "strh r7, [r12, r3]\n\t"
                     "strh r6, [r12, r2]\n\t"
                     "strh r5, [r12, r1]\n\t"
                     "strh r4, [r12]\n\t"
                     "add r0, lr\n\t"
                     "str r0, [sp, #24]\n\t"
                     "ldrd r0, r1, [sp, #0]\n\t"
                     "ldr r2, [sp, #8]\n\t"
                     "add r0, r2\n\t"
                     "str r0, [sp, #0]\n\t"
                     "cmp r0, r1\n\t"
                     "bne 1b\n\t"
                     "ldr r3, [sp, #20]\n\t"
                     "subs r3, #1\n\t"
                     "beq 9f\n\t"
                     "str r3, [sp, #20]\n\t"
                     "ldrd r1, r2, [sp, #12]\n\t"
                     "add r0, r1\n\t"
                     "add r1, r0, r2\n\t"
                     "strd r0, r1, [sp, #0]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #60]\n\t"
                     "add r1, r2\n\t"
                     "str r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #36]\n\t"
                     "sub r1, r2\n\t"
                     "str r1, [sp, #24]\n\t"
                     "b 1b\n"
                     "9:\n\t"
                     "add sp, #88\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r12", "cc", "memory");
#undef MCUQ_TAP
#else
    (void)frame;
#endif
}

/* item mcuq_dsp_depthwise_s16_3x3_2: needs MCUQ_GNU; cpu dsp; stack 124; code 416 */
/* Depthwise 3x3, neighbouring outputs two pixels apart: 11 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_s16_3x3_2(const uint32_t *frame)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_TAP                                                                                                       \
    "ldrd r12, lr, [r1], #8\n\t"                                                                                       \
    "ldrd r2, r3, [r0], #8\n\t"                                                                                        \
    "smlabb r4, r2, r12, r4\n\t"                                                                                       \
    "smlabb r5, r3, lr, r5\n\t"                                                                                        \
    "smlatt r6, r2, r12, r6\n\t"                                                                                       \
    "smlatt r7, r3, lr, r7\n\t"                                                                                        \
    "ldrd r2, r3, [r0, #8]\n\t"                                                                                        \
    "smlabb r8, r2, r12, r8\n\t"                                                                                       \
    "smlabb r9, r3, lr, r9\n\t"                                                                                        \
    "smlatt r10, r2, r12, r10\n\t"                                                                                     \
    "smlatt r11, r3, lr, r11\n\t"
    register const uint32_t *r0 __asm__("r0") = frame;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "ldmia r0!, {r1-r12}\n\t"
                     "push {r1-r12}\n\t"
                     "ldm r0, {r1-r10}\n\t"
                     "push {r1-r10}\n"
                     "1:\n\t"
                     "ldr r12, [sp, #52]\n\t"
                     "ldm r12, {r4-r7}\n\t"
                     "ldr r0, [sp, #0]\n\t"
                     "ldr r1, [sp, #40]\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #48]\n\t"
                     "add r0, r12\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #48]\n\t"
                     "add r0, r12\n\t"
                     MCUQ_TAP MCUQ_TAP MCUQ_TAP
                     "ldr r12, [sp, #52]\n\t"
                     "ldrd r0, r1, [r12, #16]\n\t"
                     "ldrd r2, r3, [r12, #24]\n\t"
                     "ldrd r12, lr, [sp, #64]\n\t"
                     "smmla r4, r4, r0, r12\n\t"
                     "smmla r8, r8, r0, r12\n\t"
                     "smmla r5, r5, r1, r12\n\t"
                     "smmla r9, r9, r1, r12\n\t"
                     "smmla r6, r6, r2, r12\n\t"
                     "smmla r10, r10, r2, r12\n\t"
                     "smmla r7, r7, r3, r12\n\t"
                     "smmla r11, r11, r3, r12\n\t"
                     "asr r4, r4, lr\n\t"
                     "asr r5, r5, lr\n\t"
                     "asr r6, r6, lr\n\t"
                     "asr r7, r7, lr\n\t"
                     "asr r8, r8, lr\n\t"
                     "asr r9, r9, lr\n\t"
                     "asr r10, r10, lr\n\t"
                     "asr r11, r11, lr\n\t"
                     "ssat r4, #16, r4\n\t"
                     "ssat r5, #16, r5\n\t"
                     "ssat r6, #16, r6\n\t"
                     "ssat r7, #16, r7\n\t"
                     "ssat r8, #16, r8\n\t"
                     "ssat r9, #16, r9\n\t"
                     "ssat r10, #16, r10\n\t"
                     "ssat r11, #16, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strh r11, [r0, r3]\n\t"
                     "strh r10, [r0, r2]\n\t"
                     "strh r9, [r0, r1]\n\t"
                     "strh r8, [r0]\n\t"
                     "strh r7, [r12, r3]\n\t"
                     "strh r6, [r12, r2]\n\t"
                     "strh r5, [r12, r1]\n\t"
                     "strh r4, [r12]\n\t"
                     "add r0, lr\n\t"
                     "str r0, [sp, #24]\n\t"
                     "ldrd r0, r1, [sp, #0]\n\t"
                     "ldr r2, [sp, #8]\n\t"
                     "add r0, r2\n\t"
                     "str r0, [sp, #0]\n\t"
                     "cmp r0, r1\n\t"
                     "bne 1b\n\t"
                     "ldr r3, [sp, #20]\n\t"
                     "subs r3, #1\n\t"
                     "beq 9f\n\t"
                     "str r3, [sp, #20]\n\t"
                     "ldrd r1, r2, [sp, #12]\n\t"
                     "add r0, r1\n\t"
                     "add r1, r0, r2\n\t"
                     "strd r0, r1, [sp, #0]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #60]\n\t"
                     "add r1, r2\n\t"
                     "str r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #36]\n\t"
                     "sub r1, r2\n\t"
                     "str r1, [sp, #24]\n\t"
                     "b 1b\n"
                     "9:\n\t"
                     "add sp, #88\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r12", "cc", "memory");
#undef MCUQ_TAP
#else
    (void)frame;
#endif
}

/* item mcuq_dsp_depthwise_s16_n: needs MCUQ_GNU; cpu dsp; stack 124; code 443 */
/* Depthwise of any size, outputs any number of pixels apart: 16 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_s16_n(const uint32_t *frame)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_TAP                                                                                                       \
    "ldrd r12, lr, [r1], #8\n\t"                                                                                       \
    "ldrd r2, r3, [r0], #8\n\t"                                                                                        \
    "smlabb r4, r2, r12, r4\n\t"                                                                                       \
    "smlabb r5, r3, lr, r5\n\t"                                                                                        \
    "smlatt r6, r2, r12, r6\n\t"                                                                                       \
    "smlatt r7, r3, lr, r7\n\t"                                                                                        \
    "ldr r2, [sp, #8]\n\t"                                                                                             \
    "add r2, r0, r2, lsr #1\n\t"                                                                                       \
    "ldrd r2, r3, [r2, #-8]\n\t"                                                                                       \
    "smlabb r8, r2, r12, r8\n\t"                                                                                       \
    "smlabb r9, r3, lr, r9\n\t"                                                                                        \
    "smlatt r10, r2, r12, r10\n\t"                                                                                     \
    "smlatt r11, r3, lr, r11\n\t"
    register const uint32_t *r0 __asm__("r0") = frame;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "ldmia r0!, {r1-r12}\n\t"
                     "push {r1-r12}\n\t"
                     "ldm r0, {r1-r10}\n\t"
                     "push {r1-r10}\n"
                     "1:\n\t"
                     "ldr r12, [sp, #52]\n\t"
                     "ldm r12, {r4-r7}\n\t"
                     "ldr r0, [sp, #0]\n\t"
                     "ldr r1, [sp, #40]\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "2:\n\t"
                     "ldr r12, [sp, #84]\n\t"
                     "add r12, r1\n\t"
                     "str r12, [sp, #32]\n"
                     "3:\n\t"
                     MCUQ_TAP
                     "ldr r12, [sp, #32]\n\t"
                     "cmp r1, r12\n\t"
                     "bne 3b\n\t"
                     "ldr r12, [sp, #48]\n\t"
                     "add r0, r12\n\t"
                     "ldr r12, [sp, #44]\n\t"
                     "cmp r1, r12\n\t"
                     "bne 2b\n\t"
                     "ldr r12, [sp, #52]\n\t"
                     "ldrd r0, r1, [r12, #16]\n\t"
                     "ldrd r2, r3, [r12, #24]\n\t"
                     "ldrd r12, lr, [sp, #64]\n\t"
                     "smmla r4, r4, r0, r12\n\t"
                     "smmla r8, r8, r0, r12\n\t"
                     "smmla r5, r5, r1, r12\n\t"
                     "smmla r9, r9, r1, r12\n\t"
                     "smmla r6, r6, r2, r12\n\t"
                     "smmla r10, r10, r2, r12\n\t"
                     "smmla r7, r7, r3, r12\n\t"
                     "smmla r11, r11, r3, r12\n\t"
                     "asr r4, r4, lr\n\t"
                     "asr r5, r5, lr\n\t"
                     "asr r6, r6, lr\n\t"
                     "asr r7, r7, lr\n\t"
                     "asr r8, r8, lr\n\t"
                     "asr r9, r9, lr\n\t"
                     "asr r10, r10, lr\n\t"
                     "asr r11, r11, lr\n\t"
                     "ssat r4, #16, r4\n\t"
                     "ssat r5, #16, r5\n\t"
                     "ssat r6, #16, r6\n\t"
                     "ssat r7, #16, r7\n\t"
                     "ssat r8, #16, r8\n\t"
                     "ssat r9, #16, r9\n\t"
                     "ssat r10, #16, r10\n\t"
                     "ssat r11, #16, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strh r11, [r0, r3]\n\t"
                     "strh r10, [r0, r2]\n\t"
                     "strh r9, [r0, r1]\n\t"
                     "strh r8, [r0]\n\t"
                     "strh r7, [r12, r3]\n\t"
                     "strh r6, [r12, r2]\n\t"
                     "strh r5, [r12, r1]\n\t"
                     "strh r4, [r12]\n\t"
                     "add r0, lr\n\t"
                     "str r0, [sp, #24]\n\t"
                     "ldrd r0, r1, [sp, #0]\n\t"
                     "ldr r2, [sp, #8]\n\t"
                     "add r0, r2\n\t"
                     "str r0, [sp, #0]\n\t"
                     "cmp r0, r1\n\t"
                     "bne 1b\n\t"
                     "ldr r3, [sp, #20]\n\t"
                     "subs r3, #1\n\t"
                     "beq 9f\n\t"
                     "str r3, [sp, #20]\n\t"
                     "ldrd r1, r2, [sp, #12]\n\t"
                     "add r0, r1\n\t"
                     "add r1, r0, r2\n\t"
                     "strd r0, r1, [sp, #0]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #60]\n\t"
                     "add r1, r2\n\t"
                     "str r1, [sp, #28]\n\t"
                     "ldr r2, [sp, #36]\n\t"
                     "sub r1, r2\n\t"
                     "str r1, [sp, #24]\n\t"
                     "b 1b\n"
                     "9:\n\t"
                     "add sp, #88\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r12", "cc", "memory");
#undef MCUQ_TAP
#else
    (void)frame;
#endif
}

/* item mcuq_dsp_depthwise_s16: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_dsp_saturate,
   mcuq_dsp_depthwise_s16_3x3_1, mcuq_dsp_depthwise_s16_3x3_2, mcuq_dsp_depthwise_s16_n; cpu dsp; stack 88; code 695 */
/* Four channels of `rows` output rows from their image as pairs: two words a pixel, `row_pixels` pixels a row.
 *
 * taps: kernel_height * kernel_width weights as pairs, two words each. channel: four biases, then four multipliers.
 * y is written row by row in two pixels at a time; a second pixel beyond the row and channels beyond `channels` (of
 * the four) go to a place that is overwritten right after. The image has room for an even number of outputs. */
MCUQ_NOINLINE
static void mcuq_dsp_depthwise_s16(const uint32_t *taps, int32_t kernel_height, int32_t kernel_width,
                               const int32_t *channel, int32_t offset, int32_t shift, const uint32_t *image,
                               int32_t row_pixels, int32_t stride_y, int32_t stride_x, int32_t rows,
                               int32_t out_width, int32_t channels, int32_t y_row_step, int32_t y_pixel_step,
                               int16_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t frame[22];
    const int32_t span = (out_width + 1) / 2 * 16 * stride_x;
    frame[0] = (uint32_t)taps;
    frame[1] = (uint32_t)(taps + 2 * kernel_height * kernel_width);
    frame[2] = (uint32_t)(8 * (row_pixels - kernel_width));
    frame[3] = (uint32_t)channel;
    frame[4] = (uint32_t)(2 * y_pixel_step);
    frame[5] = (uint32_t)(2 * y_row_step);
    frame[6] = (uint32_t)offset;
    frame[7] = (uint32_t)shift;
    frame[8] = channels > 1 ? 2 : 0;
    frame[9] = channels > 2 ? 4 : 0;
    frame[10] = channels > 3 ? 6 : 0;
    frame[11] = (uint32_t)(8 * kernel_width);
    frame[12] = (uint32_t)image;
    frame[13] = (uint32_t)image + (uint32_t)span;
    frame[14] = (uint32_t)(16 * stride_x);
    frame[15] = (uint32_t)(8 * stride_y * row_pixels - span);
    frame[16] = (uint32_t)span;
    frame[17] = (uint32_t)rows;
    frame[18] = (uint32_t)y;
    frame[19] = (uint32_t)(y + (out_width - 1) * y_pixel_step);
    frame[20] = 0;
    frame[21] = (uint32_t)(2 * (out_width - 1) * y_pixel_step);
    if (kernel_height == 3 && kernel_width == 3 && stride_x == 1)
        mcuq_dsp_depthwise_s16_3x3_1(frame);
    else if (kernel_height == 3 && kernel_width == 3 && stride_x == 2)
        mcuq_dsp_depthwise_s16_3x3_2(frame);
    else
        mcuq_dsp_depthwise_s16_n(frame);
    (void)mcuq_multiply_high, (void)mcuq_dsp_saturate; /* the twin's */
#else
    for (int32_t oy = 0; oy < rows; oy++)
        for (int32_t ox = 0; ox < out_width; ox++)
            for (int32_t oc = 0; oc < channels; oc++) {
                int32_t acc = channel[oc];
                for (int32_t ky = 0; ky < kernel_height; ky++)
                    for (int32_t kx = 0; kx < kernel_width; kx++) {
                        const int32_t at = (oy * stride_y + ky) * row_pixels + ox * stride_x + kx;
                        /* channels 0 and 2 are in the first word, 1 and 3 in the second */
                        const uint32_t value = image[2 * at + (oc & 1)] >> 16 * (oc >> 1);
                        const uint32_t factor = taps[2 * (ky * kernel_width + kx) + (oc & 1)] >> 16 * (oc >> 1);
                        acc += (int16_t)value * (int16_t)factor;
                    }
                const int32_t high = mcuq_multiply_high(acc, channel[4 + oc]);
                y[oy * y_row_step + ox * y_pixel_step + oc] = mcuq_dsp_saturate((high + offset) >> shift);
            }
    (void)mcuq_dsp_depthwise_s16_3x3_1, (void)mcuq_dsp_depthwise_s16_3x3_2; /* the assembly's */
    (void)mcuq_dsp_depthwise_s16_n;
#endif
}

/* item mcuq_dsp_columns_4: needs mcuq_dsp_expand_4, mcuq_dsp_gather_4; code 112 */
/* The same for either type of input or output: `is_s16`, a compile-time constant, says that it is int16, else int8.
 * Columns of int8 have the pairs (c0, c2) and (c1, c3) of each four, those of int16 (c0, c1) and (c2, c3), and so must
 * the weights. */
static inline void mcuq_dsp_columns_4(const void *p0, const void *p1, const void *p2, const void *p3, int is_s16,
                                      int32_t fours, uint32_t *columns)
{
    if (is_s16)
        mcuq_dsp_gather_4((const int16_t *)p0, (const int16_t *)p1, (const int16_t *)p2, (const int16_t *)p3, fours,
                          columns);
    else
        mcuq_dsp_expand_4((const int8_t *)p0, (const int8_t *)p1, (const int8_t *)p2, (const int8_t *)p3, fours,
                          columns);
}

/* item mcuq_dsp_product_any_4: needs mcuq_dsp_product_4, mcuq_dsp_product_s16_4; code 87 */
/* mcuq_dsp_product_s16_4 or mcuq_dsp_product_4. */
static inline void mcuq_dsp_product_any_4(const int32_t *weight, const int32_t *channel, const uint32_t *columns,
                                          int32_t fours, int32_t out_channels, int32_t pixels, int is_s16, void *y)
{
    if (is_s16)
        mcuq_dsp_product_s16_4(weight, channel, columns, fours, out_channels, pixels, (int16_t *)y);
    else
        mcuq_dsp_product_4(weight, channel, columns, fours, out_channels, pixels, out_channels, (int8_t *)y);
}

/* item mcuq_dsp_channels: needs mcuq_dsp_expand_channels, mcuq_dsp_gather_channels; code 62 */
/* mcuq_dsp_gather_channels or mcuq_dsp_expand_channels. */
static inline void mcuq_dsp_channels(const void *x, int is_s16, int32_t distance, int32_t pixels, uint32_t *pairs)
{
    if (is_s16)
        mcuq_dsp_gather_channels((const int16_t *)x, distance, pixels, pairs);
    else
        mcuq_dsp_expand_channels((const int8_t *)x, distance, pixels, pairs);
}

/* item mcuq_dsp_few_channels: needs mcuq_dsp_expand_few, mcuq_dsp_gather_few; code 69 */
/* mcuq_dsp_gather_few or mcuq_dsp_expand_few. */
static inline void mcuq_dsp_few_channels(const void *x, int is_s16, int32_t channels, int32_t distance, int32_t pixels,
                                         uint32_t *pairs)
{
    if (is_s16)
        mcuq_dsp_gather_few((const int16_t *)x, channels, distance, pixels, pairs);
    else
        mcuq_dsp_expand_few((const int8_t *)x, channels, distance, pixels, pairs);
}

/* item mcuq_dsp_depthwise_any: needs mcuq_dsp_depthwise, mcuq_dsp_depthwise_s16; code 148 */
/* mcuq_dsp_depthwise_s16 or mcuq_dsp_depthwise. */
static inline void mcuq_dsp_depthwise_any(const uint32_t *taps, int32_t kernel_height, int32_t kernel_width,
                                          const int32_t *channel, int32_t offset, int32_t shift,
                                          const uint32_t *image, int32_t row_pixels, int32_t stride_y,
                                          int32_t stride_x, int32_t rows, int32_t out_width, int32_t channels,
                                          int32_t y_row_step, int32_t y_pixel_step, int is_s16, void *y)
{
    if (is_s16)
        mcuq_dsp_depthwise_s16(taps, kernel_height, kernel_width, channel, offset, shift, image, row_pixels, stride_y,
                               stride_x, rows, out_width, channels, y_row_step, y_pixel_step, (int16_t *)y);
    else
        mcuq_dsp_depthwise(taps, kernel_height, kernel_width, channel, offset, shift, image, row_pixels, stride_y,
                           stride_x, rows, out_width, channels, y_row_step, y_pixel_step, (int8_t *)y);
}

/* item mcuq_dsp_limit: needs mcuq_dsp_clamp, mcuq_dsp_clamp_s16; code 88 */
/* Limits what a layer wrote where its bounds are narrower than its type. */
static inline void mcuq_dsp_limit(void *y, int is_s16, int32_t elements, int32_t output_min, int32_t output_max)
{
    if (is_s16 && (output_min > -32768 || output_max < 32767))
        mcuq_dsp_clamp_s16((int16_t *)y, elements, output_min, output_max);
    if (!is_s16 && (output_min > -128 || output_max < 127))
        mcuq_dsp_clamp((int8_t *)y, elements, output_min, output_max);
}

#endif
