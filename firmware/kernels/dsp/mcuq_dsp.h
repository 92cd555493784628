/* SPDX-License-Identifier: Apache-2.0
 *
 * Inner loops for Armv7E-M and Armv8-M Mainline with the DSP extension (Cortex-M4, M7, M33). Each function has a
 * portable twin in its #else that gives the same bits, so that the same C runs on any little-endian computer.
 *
 * The loops need all fourteen registers that there are, at any optimization level and with or without a frame
 * pointer. So the assembly saves what it uses, takes its arguments from an array and keeps them on the stack. Those
 * for either width of activations are printed: mcuq/kernels/dsp/assembly.
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

/* item mcuq_dsp_int8: needs MCUQ_GNU, mcuq_clamp; cpu dsp; code 72 */
/* x limited to int8. */
static inline int8_t mcuq_dsp_int8(int32_t x)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    (void)mcuq_clamp;
    __asm__("ssat %0, #8, %1" : "=r"(x) : "r"(x));
    return (int8_t)x;
#else
    return mcuq_clamp(x, -128, 127);
#endif
}

/* item mcuq_dsp_pixel_sums: needs mcuq_dsp_load, mcuq_dsp_even, mcuq_dsp_odd; code 238 */
/* Adds up the products of four channels over `taps` pixels, `distance` bytes apart, and their weights, four a tap.
 * 11 instructions for four products. */
static inline void mcuq_dsp_pixel_sums(const int8_t *x, int32_t distance, int32_t taps, const int8_t *weight,
                                       int32_t *sums, int is_aligned)
{
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (int32_t k = 0; k < taps; k++) {
        const uint32_t values = mcuq_dsp_load(x, is_aligned), factors = mcuq_dsp_load(weight, is_aligned);
        const uint32_t x02 = mcuq_dsp_even(values), x13 = mcuq_dsp_odd(values);
        const uint32_t w02 = mcuq_dsp_even(factors), w13 = mcuq_dsp_odd(factors);
        s0 += (int16_t)x02 * (int16_t)w02;
        s1 += (int16_t)x13 * (int16_t)w13;
        s2 += (int16_t)(x02 >> 16) * (int16_t)(w02 >> 16);
        s3 += (int16_t)(x13 >> 16) * (int16_t)(w13 >> 16);
        x += distance;
        weight += 4;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* item mcuq_dsp_one_pixel: needs MCUQ_NOINLINE, mcuq_multiply_high, mcuq_dsp_int8, mcuq_dsp_pixel_sums; stack 16; code 200 */
/* A pixel of a depthwise convolution whose window is the image of `taps` pixels: four channels after the other.
 * channel: for each four channels their biases and their multipliers. */
MCUQ_NOINLINE
static void mcuq_dsp_one_pixel(const int8_t *x, int32_t taps, const int8_t *weight, const int32_t *channel,
                               int32_t offset, int32_t shift, int32_t channels, int8_t *y)
{
    /* CPUs may trap words from other addresses. */
    const int are_words = (((uintptr_t)x | (uintptr_t)weight | (uint32_t)channels) & 3u) == 0;
    for (int32_t oc = 0; oc < channels; oc += 4) {
        int32_t sums[4] = {channel[0], channel[1], channel[2], channel[3]};
        if (are_words)
            mcuq_dsp_pixel_sums(x + oc, channels, taps, weight, sums, 1);
        else
            mcuq_dsp_pixel_sums(x + oc, channels, taps, weight, sums, 0);
        for (int32_t k = 0; k < 4; k++)
            y[oc + k] = mcuq_dsp_int8((mcuq_multiply_high(sums[k], channel[4 + k]) + offset) >> shift);
        weight += 4 * taps;
        channel += 8;
    }
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
