/* SPDX-License-Identifier: Apache-2.0
 *
 * Inner loops for Armv7E-M and Armv8-M Mainline with the DSP extension (Cortex-M4, M7, M33). Each function has a
 * portable twin in its #else that gives the same bits, so that the same C runs on any little-endian computer.
 *
 * The loops need all fourteen registers that there are, at any optimization level and with or without a frame
 * pointer. So the assembly saves what it uses, takes its arguments from an array and keeps them on the stack.
 *
 * "Pairs" are two int16 in one word. Four neighbouring int8 c0 c1 c2 c3 become the pairs (c0, c2) and (c1, c3):
 * what SXTB16 gives of the word, plain and rotated by 8.
 */
#ifndef MCUQ_DSP_H
#define MCUQ_DSP_H

#include "../mcuq_compiler.h"
#include "../mcuq_copy.h"
#include "../mcuq_math.h"

/* item mcuq_dsp_load: needs MCUQ_GNU; cpu dsp; code 151 */
/* Four int8 as they lie in memory. `is_aligned`, a compile-time constant, says that the address is a multiple of 4: CPUs
 * may trap words from others, so four bytes are loaded there, volatile to keep compilers from joining them. */
static inline uint32_t mcuq_dsp_load(const int8_t *x, int is_aligned)
{
    const volatile int8_t *byte = x;
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    if (is_aligned) {
        uint32_t word;
        __asm__("ldr %0, %1" : "=r"(word) : "m"(*(const int8_t(*)[4])x));
        return word;
    }
#else
    (void)is_aligned;
#endif
    const uint32_t b0 = (uint8_t)byte[0], b1 = (uint8_t)byte[1], b2 = (uint8_t)byte[2], b3 = (uint8_t)byte[3];
    return b0 | b1 << 8 | b2 << 16 | b3 << 24;
}

/* item mcuq_dsp_store: needs MCUQ_GNU; cpu dsp; code 119 */
/* Stores four int8, in the same way. */
static inline void mcuq_dsp_store(int8_t *y, uint32_t word, int is_aligned)
{
    volatile int8_t *byte = y;
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    if (is_aligned) {
        __asm__("str %1, %0" : "=m"(*(int8_t(*)[4])y) : "r"(word));
        return;
    }
#else
    (void)is_aligned;
#endif
    for (int32_t k = 0; k < 4; k++)
        byte[k] = (int8_t)(word >> 8 * k);
}

/* item mcuq_dsp_even: needs MCUQ_GNU; cpu dsp; code 87 */
/* The pair of bytes 0 and 2 of a word. */
static inline uint32_t mcuq_dsp_even(uint32_t word)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
#else
    return (uint32_t)(uint16_t)(int8_t)word | (uint32_t)(uint16_t)(int8_t)(word >> 16) << 16;
#endif
}

/* item mcuq_dsp_odd: needs MCUQ_GNU, mcuq_dsp_even; cpu dsp; code 65 */
/* The pair of bytes 1 and 3 of a word. */
static inline uint32_t mcuq_dsp_odd(uint32_t word)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
#else
    return mcuq_dsp_even(word >> 8);
#endif
}

/* item mcuq_dsp_clamp: needs mcuq_clamp; code 52 */
/* Limits what a layer wrote where its bounds are narrower than int8. */
static inline void mcuq_dsp_clamp(int8_t *y, int32_t elements, int32_t output_min, int32_t output_max)
{
    for (int32_t i = 0; i < elements; i++)
        y[i] = mcuq_clamp(y[i], output_min, output_max);
}

/* item mcuq_dsp_expand_4: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_dsp_load, mcuq_dsp_even, mcuq_dsp_odd; cpu dsp; stack 52;
   code 371 */
/* Expands 4 * words int8 of each of four pixels: columns[8 * i] = even pairs of the four pixels' word i,
 * columns[8 * i + 4] = their odd pairs. 15 instructions for 16 values. */
MCUQ_NOINLINE
static void mcuq_dsp_expand_4(const int8_t *p0, const int8_t *p1, const int8_t *p2, const int8_t *p3,
                              int32_t words, uint32_t *columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    register const int8_t *r0 __asm__("r0") = p0;
    register const int8_t *r1 __asm__("r1") = p1;
    register const int8_t *r2 __asm__("r2") = p2;
    register const int8_t *r3 __asm__("r3") = p3;
    register uint32_t *out __asm__("r12") = columns;
    register uint32_t *end __asm__("r4") = columns + 8 * words;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "mov lr, r4\n"
                     "1:\n\t"
                     "ldr r4, [r0], #4\n\t"
                     "ldr r5, [r1], #4\n\t"
                     "ldr r6, [r2], #4\n\t"
                     "ldr r7, [r3], #4\n\t"
                     "sxtb16 r8, r4, ror #8\n\t"
                     "sxtb16 r9, r5, ror #8\n\t"
                     "sxtb16 r10, r6, ror #8\n\t"
                     "sxtb16 r11, r7, ror #8\n\t"
                     "sxtb16 r4, r4\n\t"
                     "sxtb16 r5, r5\n\t"
                     "sxtb16 r6, r6\n\t"
                     "sxtb16 r7, r7\n\t"
                     "stmia r12!, {r4-r11}\n\t"
                     "cmp r12, lr\n\t"
                     "bne 1b\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(out)
                     : "r"(end)
                     : "cc", "memory");
    (void)mcuq_dsp_load, (void)mcuq_dsp_even, (void)mcuq_dsp_odd; /* the twin's */
#else
    const int8_t *const pixel[4] = {p0, p1, p2, p3};
    for (int32_t i = 0; i < words; i++)
        for (int32_t p = 0; p < 4; p++) {
            columns[8 * i + p] = mcuq_dsp_even(mcuq_dsp_load(pixel[p] + 4 * i, 0));
            columns[8 * i + 4 + p] = mcuq_dsp_odd(mcuq_dsp_load(pixel[p] + 4 * i, 0));
        }
#endif
}

/* item mcuq_dsp_find_taps: needs MCUQ_NOINLINE; code 164 */
/* Where the taps of a window lie behind its first one: two words for each of the pairs of columns. Those beyond the last
 * tap, up to whole words of bytes, are the first tap again. */
MCUQ_NOINLINE
static void mcuq_dsp_find_taps(int32_t kernel_height, int32_t kernel_width, int32_t in_channels, int32_t row_bytes,
                               int32_t tap_bytes, int32_t *taps)
{
    int32_t k = 0;
    for (int32_t ky = 0; ky < kernel_height; ky++)
        for (int32_t kx = 0; kx < kernel_width; kx++)
            for (int32_t ic = 0; ic < in_channels; ic++, k++)
                taps[(k & ~3) | (k & 1) << 1 | (k & 2) >> 1] = ky * row_bytes + kx * tap_bytes + ic;
    for (; (k & 3) != 0; k++)
        taps[(k & ~3) | (k & 1) << 1 | (k & 2) >> 1] = 0;
}

/* item mcuq_dsp_expand_taps: needs MCUQ_GNU, MCUQ_NOINLINE; cpu dsp; stack 52; code 420 */
/* Expands 4 * words int8 of each of four windows as mcuq_dsp_expand_4 does, from the places that mcuq_dsp_find_taps
 * found, at any address. 30 instructions for 16 values. */
MCUQ_NOINLINE
static void mcuq_dsp_expand_taps(const int8_t *p0, const int8_t *p1, const int8_t *p2, const int8_t *p3,
                                 const int32_t *taps, int32_t words, uint32_t *columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_PAIR                                                                                                      \
    "ldrd r8, r9, [r11], #8\n\t"                                                                                       \
    "ldrsb r4, [r0, r8]\n\t"                                                                                           \
    "ldrsb r5, [r1, r8]\n\t"                                                                                           \
    "ldrsb r6, [r2, r8]\n\t"                                                                                           \
    "ldrsb r7, [r3, r8]\n\t"                                                                                           \
    "ldrsb r8, [r0, r9]\n\t"                                                                                           \
    "ldrsb r10, [r1, r9]\n\t"                                                                                          \
    "pkhbt r4, r4, r8, lsl #16\n\t"                                                                                    \
    "pkhbt r5, r5, r10, lsl #16\n\t"                                                                                   \
    "ldrsb r8, [r2, r9]\n\t"                                                                                           \
    "ldrsb r10, [r3, r9]\n\t"                                                                                          \
    "pkhbt r6, r6, r8, lsl #16\n\t"                                                                                    \
    "pkhbt r7, r7, r10, lsl #16\n\t"                                                                                   \
    "stmia r12!, {r4-r7}\n\t"
    register const int8_t *r0 __asm__("r0") = p0;
    register const int8_t *r1 __asm__("r1") = p1;
    register const int8_t *r2 __asm__("r2") = p2;
    register const int8_t *r3 __asm__("r3") = p3;
    register uint32_t *out __asm__("r12") = columns;
    register uint32_t *end __asm__("r4") = columns + 8 * words;
    register const int32_t *places __asm__("r5") = taps;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "mov lr, r4\n\t"
                     "mov r11, r5\n"
                     "1:\n\t"
                     MCUQ_PAIR MCUQ_PAIR
                     "cmp r12, lr\n\t"
                     "bne 1b\n\t"
                     "pop {r4-r11, lr}"
                     : "+r"(out)
                     : "r"(r0), "r"(r1), "r"(r2), "r"(r3), "r"(end), "r"(places)
                     : "cc", "memory");
#undef MCUQ_PAIR
#else
    const int8_t *const pixel[4] = {p0, p1, p2, p3};
    for (int32_t i = 0; i < 2 * words; i++)
        for (int32_t p = 0; p < 4; p++) {
            const int8_t low = pixel[p][taps[2 * i]], high = pixel[p][taps[2 * i + 1]];
            columns[4 * i + p] = (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
        }
#endif
}

/* item mcuq_dsp_copy_window: needs MCUQ_NOINLINE; code 287 */
/* Copies a window to where its taps follow each other, padding as zero points. `to` is volatile as in mcuq_copy_few. */
MCUQ_NOINLINE
static void mcuq_dsp_copy_window(const int8_t *image, int32_t in_height, int32_t in_width, int32_t in_channels,
                                 int32_t top, int32_t left, int32_t kernel_height, int32_t kernel_width,
                                 int32_t dilation_y, int32_t dilation_x, int8_t x_zero_point, int8_t *window)
{
    volatile int8_t *to = window;
    /* taps kx in first..end-1 are inside, as far as their row is */
    const int32_t first = left < 0 ? (-left + dilation_x - 1) / dilation_x : 0;
    const int32_t room = left < in_width ? (in_width - left + dilation_x - 1) / dilation_x : 0;
    const int32_t end = room < kernel_width ? room : kernel_width;
    for (int32_t ky = 0, iy = top; ky < kernel_height; ky++, iy += dilation_y) {
        const int is_row = iy >= 0 && iy < in_height && first < end;
        const int32_t before = is_row ? first : kernel_width;
        for (int32_t k = 0; k < before * in_channels; k++)
            *to++ = x_zero_point;
        if (is_row) {
            const int8_t *tap = image + (iy * in_width + left + first * dilation_x) * in_channels;
            for (int32_t kx = first; kx < end; kx++, tap += dilation_x * in_channels)
                for (int32_t ic = 0; ic < in_channels; ic++)
                    *to++ = tap[ic];
            for (int32_t k = end * in_channels; k < kernel_width * in_channels; k++)
                *to++ = x_zero_point;
        }
    }
}

/* item mcuq_dsp_product_4: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_clamp; cpu dsp; stack 136; code 917
   */
/* Output channels of up to four pixels: products of int8 weights with columns of pairs, as expanded by four pixels.
 *
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * channel: the requantization's offset and shift, then for each two channels bias a, bias b, multiplier a, b.
 * y: pixel after pixel, y_step apart, out_channels each. Written two channels after the other, four pixels each; where
 * a pixel or the second channel is missing, its value goes to a place that is overwritten right after.
 * 13 instructions for the 16 products of one pair, 2 channels, 4 pixels. Accumulators as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_dsp_product_4(const int32_t *weight, const int32_t *channel, const uint32_t *columns,
                               int32_t words, int32_t out_channels, int32_t pixels, int32_t y_step, int8_t *y)
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
    frame[1] = (uint32_t)(columns + 8 * (words & ~3));
    frame[2] = (uint32_t)(columns + 8 * words);
    frame[3] = (uint32_t)(channel + 2);
    frame[5] = (uint32_t)channel[0];
    frame[6] = (uint32_t)channel[1];
    frame[7] = (uint32_t)y;
    frame[8] = (uint32_t)(pixels > 1 ? y_step : 0);
    frame[9] = (uint32_t)(pixels > 2 ? 2 * y_step : 0);
    frame[10] = (uint32_t)(pixels > 3 ? 3 * y_step : 0);
    frame[12] = (uint32_t)weight;
    do {
        /* all whole pairs, then a last channel alone */
        const int32_t now = out_channels - done > 1 ? (out_channels - done) & ~1 : 1;
        frame[4] = frame[3] + 8u * (uint32_t)(now + (now & 1));
        frame[11] = now > 1;
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
                         "ssat r4, #8, r4\n\t"
                         "ssat r5, #8, r5\n\t"
                         "ssat r6, #8, r6\n\t"
                         "ssat r7, #8, r7\n\t"
                         "ssat r8, #8, r8\n\t"
                         "ssat r9, #8, r9\n\t"
                         "ssat r10, #8, r10\n\t"
                         "ssat r11, #8, r11\n\t"
                         "ldr lr, [sp, #28]\n\t"
                         "ldrd r2, r3, [sp, #32]\n\t"
                         "ldrd r12, r1, [sp, #40]\n\t"
                         "add r1, lr\n\t"
                         "strb r11, [r1, r12]\n\t"
                         "strb r10, [r1, r3]\n\t"
                         "strb r9, [r1, r2]\n\t"
                         "strb r8, [r1]\n\t"
                         "strb r7, [lr, r12]\n\t"
                         "strb r6, [lr, r3]\n\t"
                         "strb r5, [lr, r2]\n\t"
                         "strb r4, [lr], #2\n\t"
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
        frame[7] += (uint32_t)now;
        frame[12] += 4u * (uint32_t)(words * now);
        done += now;
    } while (done < out_channels);
#undef MCUQ_STEP
    (void)mcuq_multiply_high, (void)mcuq_clamp; /* the twin's */
#else
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * words;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        for (int32_t p = 0; p < pixels; p++) {
            int32_t acc = c[0];
            for (int32_t i = 0; i < 2 * words; i++) {
                const uint32_t pair = columns[4 * i + p];
                const uint32_t factors = (uint32_t)w[i] >> 8 * (oc & 1);
                acc += (int16_t)pair * (int8_t)factors;
                acc += (int16_t)(pair >> 16) * (int8_t)(factors >> 16);
            }
            y[p * y_step + oc] = mcuq_clamp((mcuq_multiply_high(acc, c[2]) + offset) >> shift, -128, 127);
        }
    }
#endif
}

/* item mcuq_dsp_product_1: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_clamp; cpu dsp; stack 136; code 847
   */
/* Output channels of one pixel (or outputs of a fully connected layer) from its 4 * words int8.
 *
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * channel: the requantization's offset and shift, then for each two channels bias a, bias b, multiplier a, b.
 * y is written four channels after the other, in descending order; those that are missing are written to the first
 * one's place before it. 21 instructions for 16 products. Accumulators as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_dsp_product_1(const int32_t *weight, const int32_t *channel, const int8_t *x, int32_t words,
                               int32_t out_channels, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_STEP                                                                                                      \
    "ldr r8, [r2], #4\n\t"                                                                                             \
    "sxtb16 r9, r8, ror #8\n\t"                                                                                        \
    "sxtb16 r8, r8\n\t"                                                                                                \
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
    frame[1] = (uint32_t)(x + 4 * (words & ~3));
    frame[2] = (uint32_t)(x + 4 * words);
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
        frame[8] = now > 1;
        frame[9] = now > 2 ? 2 : 0;
        frame[10] = now > 3 ? 3 : 0;
        frame[11] = now > 2 ? 8u * (uint32_t)words : 0;
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
                         "ssat r4, #8, r4\n\t"
                         "ssat r5, #8, r5\n\t"
                         "ssat r6, #8, r6\n\t"
                         "ssat r7, #8, r7\n\t"
                         "ldrd lr, r8, [sp, #28]\n\t"
                         "ldrd r9, r10, [sp, #36]\n\t"
                         "strb r7, [lr, r10]\n\t"
                         "strb r6, [lr, r9]\n\t"
                         "strb r5, [lr, r8]\n\t"
                         "strb r4, [lr], #4\n\t"
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
        frame[7] += (uint32_t)now;
        frame[12] += 4u * (uint32_t)(words * now);
        done += now;
    } while (done < out_channels);
#undef MCUQ_STEP
    (void)mcuq_multiply_high, (void)mcuq_clamp; /* the twin's */
#else
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * words;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        int32_t acc = c[0];
        for (int32_t i = 0; i < words; i++)
            for (int32_t k = 0; k < 4; k++) {
                /* the even pair is in the first word of weights, the odd one in the second */
                const uint32_t factors = (uint32_t)w[2 * i + (k & 1)] >> 8 * (oc & 1);
                acc += x[4 * i + k] * (int8_t)(factors >> 16 * (k >> 1));
            }
        y[oc] = mcuq_clamp((mcuq_multiply_high(acc, c[2]) + offset) >> shift, -128, 127);
    }
#endif
}

/* item mcuq_dsp_expand_channels: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_dsp_load, mcuq_dsp_even, mcuq_dsp_odd; cpu dsp;
   stack 16; code 290 */
/* Expands four channels of `pixels` pixels, `distance` bytes apart, to two words of pairs each.
 * 10 instructions for two pixels. */
MCUQ_NOINLINE
static void mcuq_dsp_expand_channels(const int8_t *x, int32_t distance, int32_t pixels, uint32_t *pairs)
{
    /* CPUs may trap words from other addresses. */
    const int are_words = (((uintptr_t)x | (uint32_t)distance) & 3u) == 0;
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    if (are_words) {
        register const int8_t *r0 __asm__("r0") = x;
        register int32_t r1 __asm__("r1") = distance;
        register uint32_t *r2 __asm__("r2") = pairs;
        register uint32_t *r3 __asm__("r3") = pairs + 4 * (pixels / 2);
        __asm__ volatile("push {r4-r7}\n\t"
                         "b 2f\n"
                         "1:\n\t"
                         "ldr r4, [r0]\n\t"
                         "ldr r6, [r0, r1]\n\t"
                         "add r0, r0, r1, lsl #1\n\t"
                         "sxtb16 r5, r4, ror #8\n\t"
                         "sxtb16 r4, r4\n\t"
                         "sxtb16 r7, r6, ror #8\n\t"
                         "sxtb16 r6, r6\n\t"
                         "stmia r2!, {r4-r7}\n"
                         "2:\n\t"
                         "cmp r2, r3\n\t"
                         "bne 1b\n\t"
                         "pop {r4-r7}"
                         : "+r"(r0), "+r"(r2)
                         : "r"(r1), "r"(r3)
                         : "cc", "memory");
        x = r0;
        pairs = r2;
        pixels &= 1;
    }
#endif
    for (; pixels > 0; pixels--) {
        const uint32_t word = are_words ? mcuq_dsp_load(x, 1) : mcuq_dsp_load(x, 0);
        pairs[0] = mcuq_dsp_even(word);
        pairs[1] = mcuq_dsp_odd(word);
        x += distance;
        pairs += 2;
    }
}

/* item mcuq_dsp_expand_few: needs MCUQ_NOINLINE; code 105 */
/* The same where there are only `channels` of the four, 1 to 3: the others are 0. */
MCUQ_NOINLINE
static void mcuq_dsp_expand_few(const int8_t *x, int32_t channels, int32_t distance, int32_t pixels, uint32_t *pairs)
{
    for (; pixels > 0; pixels--) {
        pairs[0] = (uint32_t)(uint16_t)x[0] | (channels > 2 ? (uint32_t)x[2] << 16 : 0);
        pairs[1] = channels > 1 ? (uint32_t)(uint16_t)x[1] : 0;
        x += distance;
        pairs += 2;
    }
}

/* item mcuq_dsp_depthwise_3x3_1: needs MCUQ_GNU; cpu dsp; stack 124; code 416 */
/* Depthwise 3x3, neighbouring outputs one pixel apart: 11 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_3x3_1(const uint32_t *frame)
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
                     "ssat r4, #8, r4\n\t"
                     "ssat r5, #8, r5\n\t"
                     "ssat r6, #8, r6\n\t"
                     "ssat r7, #8, r7\n\t"
                     "ssat r8, #8, r8\n\t"
                     "ssat r9, #8, r9\n\t"
                     "ssat r10, #8, r10\n\t"
                     "ssat r11, #8, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strb r11, [r0, r3]\n\t"
                     "strb r10, [r0, r2]\n\t"
                     "strb r9, [r0, r1]\n\t"
                     "strb r8, [r0]\n\t"
                     "strb r7, [r12, r3]\n\t"
                     "strb r6, [r12, r2]\n\t"
                     "strb r5, [r12, r1]\n\t"
                     "strb r4, [r12]\n\t"
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

/* item mcuq_dsp_depthwise_3x3_2: needs MCUQ_GNU; cpu dsp; stack 124; code 416 */
/* Depthwise 3x3, neighbouring outputs two pixels apart: 11 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_3x3_2(const uint32_t *frame)
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
                     "ssat r4, #8, r4\n\t"
                     "ssat r5, #8, r5\n\t"
                     "ssat r6, #8, r6\n\t"
                     "ssat r7, #8, r7\n\t"
                     "ssat r8, #8, r8\n\t"
                     "ssat r9, #8, r9\n\t"
                     "ssat r10, #8, r10\n\t"
                     "ssat r11, #8, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strb r11, [r0, r3]\n\t"
                     "strb r10, [r0, r2]\n\t"
                     "strb r9, [r0, r1]\n\t"
                     "strb r8, [r0]\n\t"
                     "strb r7, [r12, r3]\n\t"
                     "strb r6, [r12, r2]\n\t"
                     "strb r5, [r12, r1]\n\t"
                     "strb r4, [r12]\n\t"
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

/* item mcuq_dsp_depthwise_n: needs MCUQ_GNU; cpu dsp; stack 124; code 443 */
/* Depthwise of any size, outputs any number of pixels apart: 16 instructions for 8 products. */
static inline void mcuq_dsp_depthwise_n(const uint32_t *frame)
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
                     "ssat r4, #8, r4\n\t"
                     "ssat r5, #8, r5\n\t"
                     "ssat r6, #8, r6\n\t"
                     "ssat r7, #8, r7\n\t"
                     "ssat r8, #8, r8\n\t"
                     "ssat r9, #8, r9\n\t"
                     "ssat r10, #8, r10\n\t"
                     "ssat r11, #8, r11\n\t"
                     "ldr r12, [sp, #24]\n\t"
                     "ldr lr, [sp, #56]\n\t"
                     "ldr r1, [sp, #28]\n\t"
                     "add r0, r12, lr\n\t"
                     "cmp r0, r1\n\t"
                     "it hi\n\t"
                     "movhi r0, r12\n\t"
                     "ldrd r1, r2, [sp, #72]\n\t"
                     "ldr r3, [sp, #80]\n\t"
                     "strb r11, [r0, r3]\n\t"
                     "strb r10, [r0, r2]\n\t"
                     "strb r9, [r0, r1]\n\t"
                     "strb r8, [r0]\n\t"
                     "strb r7, [r12, r3]\n\t"
                     "strb r6, [r12, r2]\n\t"
                     "strb r5, [r12, r1]\n\t"
                     "strb r4, [r12]\n\t"
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

/* item mcuq_dsp_depthwise: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_multiply_high, mcuq_clamp, mcuq_dsp_depthwise_3x3_1,
   mcuq_dsp_depthwise_3x3_2, mcuq_dsp_depthwise_n; cpu dsp; stack 88; code 686 */
/* Four channels of `rows` output rows from their image as pairs: two words a pixel, `row_pixels` pixels a row.
 *
 * taps: kernel_height * kernel_width weights as pairs, two words each. channel: four biases, then four multipliers.
 * y is written row by row in two pixels at a time; a second pixel beyond the row and channels beyond `channels` (of
 * the four) go to a place that is overwritten right after. The image has room for an even number of outputs. */
MCUQ_NOINLINE
static void mcuq_dsp_depthwise(const uint32_t *taps, int32_t kernel_height, int32_t kernel_width,
                               const int32_t *channel, int32_t offset, int32_t shift, const uint32_t *image,
                               int32_t row_pixels, int32_t stride_y, int32_t stride_x, int32_t rows,
                               int32_t out_width, int32_t channels, int32_t y_row_step, int32_t y_pixel_step,
                               int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t frame[22];
    const int32_t span = (out_width + 1) / 2 * 16 * stride_x;
    frame[0] = (uint32_t)taps;
    frame[1] = (uint32_t)(taps + 2 * kernel_height * kernel_width);
    frame[2] = (uint32_t)(8 * (row_pixels - kernel_width));
    frame[3] = (uint32_t)channel;
    frame[4] = (uint32_t)y_pixel_step;
    frame[5] = (uint32_t)y_row_step;
    frame[6] = (uint32_t)offset;
    frame[7] = (uint32_t)shift;
    frame[8] = channels > 1;
    frame[9] = channels > 2 ? 2 : 0;
    frame[10] = channels > 3 ? 3 : 0;
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
    frame[21] = (uint32_t)((out_width - 1) * y_pixel_step);
    if (kernel_height == 3 && kernel_width == 3 && stride_x == 1)
        mcuq_dsp_depthwise_3x3_1(frame);
    else if (kernel_height == 3 && kernel_width == 3 && stride_x == 2)
        mcuq_dsp_depthwise_3x3_2(frame);
    else
        mcuq_dsp_depthwise_n(frame);
    (void)mcuq_multiply_high, (void)mcuq_clamp; /* the twin's */
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
                y[oy * y_row_step + ox * y_pixel_step + oc] = mcuq_clamp((high + offset) >> shift, -128, 127);
            }
    (void)mcuq_dsp_depthwise_3x3_1, (void)mcuq_dsp_depthwise_3x3_2, (void)mcuq_dsp_depthwise_n; /* the assembly's */
#endif
}

/* item mcuq_dsp_add: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_clamp; cpu dsp; stack 48; code 337 */
/* y[i] = (a[i] * factor_a + b[i] * factor_b + constant) >> shift, limited to int8, for i < 4 * words, words > 0.
 * The generator keeps the sum below 2^31. Each four are read before they are written: y may be a or b.
 * 8 instructions an element. */
MCUQ_NOINLINE
static void mcuq_dsp_add(const int8_t *a, const int8_t *b, int32_t factor_a, int32_t factor_b, int32_t constant,
                         int32_t shift, int32_t words, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MCUQ_ELEMENT(rotation)                                                                                         \
    "sxtb r10, r8" rotation "\n\t"                                                                                     \
    "sxtb r11, r9" rotation "\n\t"                                                                                     \
    "mla r10, r10, r4, r6\n\t"                                                                                         \
    "mla r10, r11, r5, r10\n\t"                                                                                        \
    "asr r10, r10, r7\n\t"                                                                                             \
    "ssat r10, #8, r10\n\t"                                                                                            \
    "strb r10, [r2], #1\n\t"
    const int32_t frame[4] = {factor_a, factor_b, constant, shift};
    register const int8_t *r0 __asm__("r0") = a;
    register const int8_t *r1 __asm__("r1") = b;
    register int8_t *r2 __asm__("r2") = y;
    register const int8_t *r3 __asm__("r3") = a + 4 * words;
    register const int32_t *r12 __asm__("r12") = frame;
    __asm__ volatile("push {r4-r11}\n\t"
                     "ldm r12, {r4-r7}\n"
                     "1:\n\t"
                     "ldr r8, [r0], #4\n\t"
                     "ldr r9, [r1], #4\n\t" MCUQ_ELEMENT("") MCUQ_ELEMENT(", ror #8") MCUQ_ELEMENT(", ror #16")
                         MCUQ_ELEMENT(", ror #24")
                     "cmp r0, r3\n\t"
                     "bne 1b\n\t"
                     "pop {r4-r11}"
                     : "+r"(r0), "+r"(r1), "+r"(r2)
                     : "r"(r3), "r"(r12)
                     : "cc", "memory");
#undef MCUQ_ELEMENT
#else
    for (int32_t i = 0; i < 4 * words; i++)
        y[i] = mcuq_clamp((a[i] * factor_a + b[i] * factor_b + constant) >> shift, -128, 127);
#endif
}

/* item mcuq_dsp_add_even: needs MCUQ_GNU; cpu dsp; code 111 */
/* Sums of pairs: sum + the pair of bytes 0 and 2 of a word, in two halves of 16 bits. */
static inline uint32_t mcuq_dsp_add_even(uint32_t sum, uint32_t word)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("sxtab16 %0, %0, %1" : "+r"(sum) : "r"(word));
    return sum;
#else
    const int32_t low = (int16_t)sum + (int8_t)word;
    const int32_t high = (int16_t)(sum >> 16) + (int8_t)(word >> 16);
    return (uint32_t)(uint16_t)low | (uint32_t)high << 16;
#endif
}

/* item mcuq_dsp_add_odd: needs MCUQ_GNU, mcuq_dsp_add_even; cpu dsp; code 67 */
/* Sums of pairs: sum + the pair of bytes 1 and 3 of a word. */
static inline uint32_t mcuq_dsp_add_odd(uint32_t sum, uint32_t word)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sum) : "r"(word));
    return sum;
#else
    return mcuq_dsp_add_even(sum, word >> 8);
#endif
}

/* item mcuq_dsp_max: needs MCUQ_GNU; cpu dsp; code 128 */
/* The larger of each of four int8. */
static inline uint32_t mcuq_dsp_max(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t larger;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
#else
    uint32_t larger = 0;
    for (int32_t k = 0; k < 32; k += 8)
        larger |= ((int8_t)(a >> k) > (int8_t)(b >> k) ? a : b) & 255u << k;
    return larger;
#endif
}

#endif
