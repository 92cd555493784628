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

#endif
