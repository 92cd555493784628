/* SPDX-License-Identifier: Apache-2.0
 *
 * Real FFTs of 64 to 2048 points for front ends (docs/front_ends.md): mcuq/front_end/fft.py has what gives the same bits,
 * and says of what kind they are. The generator copies the functions a front end uses into its C file.
 *
 * Complex numbers of 16 bits are a word, the real part below; those of 32 bits are two words, the real part first. Data
 * lies in the order of its digits, and `turns` has the twiddles in the order in which they are read.
 */
#ifndef MCUQ_FFT_H
#define MCUQ_FFT_H

#include "mcuq_compiler.h"
#include "mcuq_math.h"

/* item MCUQ_ALWAYS_INLINE: needs MCUQ_GNU */
/* Functions whose arguments are constants are pasted, and places in memory known. */
#if MCUQ_GNU
#define MCUQ_ALWAYS_INLINE __attribute__((always_inline))
#else
#define MCUQ_ALWAYS_INLINE
#endif

/* item mcuq_complex_s16: code 30 */
static inline uint32_t mcuq_complex_s16(int32_t real, int32_t imaginary)
{
    return (uint32_t)(uint16_t)real | (uint32_t)imaginary << 16;
}

/* item mcuq_divided_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 179 */
/* Both parts times factor / 2^15, rounded, halves up; |factor| < 2^14. */
static inline uint32_t mcuq_divided_s16(uint32_t x, int32_t factor)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    /* of twice the factor the upper halves are what is wanted */
    uint32_t real, imaginary;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(real) : "r"(x), "r"(2 * factor), "r"(32768));
    __asm__("smlatb %0, %1, %2, %3" : "=r"(imaginary) : "r"(x), "r"(2 * factor), "r"(32768));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(x) : "r"(imaginary), "r"(real));
    return x;
#else
    return mcuq_complex_s16(((int16_t)x * factor + 16384) >> 15, (((int32_t)x >> 16) * factor + 16384) >> 15);
#endif
}

/* item mcuq_product_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 211 */
/* The complex product with a twiddle in units of 2^-15, rounded, halves up. */
static inline uint32_t mcuq_product_s16(uint32_t x, uint32_t turn)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    uint32_t real, imaginary;
    __asm__("smlsd %0, %1, %2, %3" : "=r"(real) : "r"(x), "r"(turn), "r"(16384));
    __asm__("smladx %0, %1, %2, %3" : "=r"(imaginary) : "r"(x), "r"(turn), "r"(16384));
    __asm__("pkhtb %0, %1, %2, asr #15" : "=r"(x) : "r"(imaginary << 1), "r"(real));
    return x;
#else
    const int32_t a = (int16_t)x, b = (int32_t)x >> 16, c = (int16_t)turn, d = (int32_t)turn >> 16;
    return mcuq_complex_s16((a * c - b * d + 16384) >> 15, (a * d + b * c + 16384) >> 15);
#endif
}

/* item mcuq_add_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 97 */
/* a + b; what does not fit into 16 bits loses its upper ones. */
static inline uint32_t mcuq_add_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("sadd16 %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16((int16_t)a + (int16_t)b, ((int32_t)a >> 16) + ((int32_t)b >> 16));
#endif
}

/* item mcuq_sub_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 97 */
/* a - b, likewise. */
static inline uint32_t mcuq_sub_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("ssub16 %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16((int16_t)a - (int16_t)b, ((int32_t)a >> 16) - ((int32_t)b >> 16));
#endif
}

/* item mcuq_add_turned_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 97 */
/* a + ib, likewise. */
static inline uint32_t mcuq_add_turned_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("sasx %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16((int16_t)a - ((int32_t)b >> 16), ((int32_t)a >> 16) + (int16_t)b);
#endif
}

/* item mcuq_sub_turned_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 97 */
/* a - ib, likewise. */
static inline uint32_t mcuq_sub_turned_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("ssax %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16((int16_t)a + ((int32_t)b >> 16), ((int32_t)a >> 16) - (int16_t)b);
#endif
}

/* item mcuq_half_add_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 107 */
/* Half of a + b, towards minus infinity. */
static inline uint32_t mcuq_half_add_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("shadd16 %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16(((int16_t)a + (int16_t)b) >> 1, (((int32_t)a >> 16) + ((int32_t)b >> 16)) >> 1);
#endif
}

/* item mcuq_half_sub_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 107 */
/* Half of a - b, likewise. */
static inline uint32_t mcuq_half_sub_s16(uint32_t a, uint32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("shsub16 %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_complex_s16(((int16_t)a - (int16_t)b) >> 1, (((int32_t)a >> 16) - ((int32_t)b >> 16)) >> 1);
#endif
}

/* item mcuq_radix_4_s16: needs MCUQ_ALWAYS_INLINE, mcuq_add_s16, mcuq_sub_s16, mcuq_add_turned_s16, mcuq_sub_turned_s16; code 119 */
/* Of values times their twiddles, to places `length` apart. */
static MCUQ_ALWAYS_INLINE inline void mcuq_radix_4_s16(uint32_t *x, int32_t length, uint32_t a, uint32_t b, uint32_t c,
                                                       uint32_t d)
{
    const uint32_t even = mcuq_add_s16(a, c), odd = mcuq_sub_s16(a, c);
    const uint32_t sum = mcuq_add_s16(b, d), difference = mcuq_sub_s16(b, d);
    x[0] = mcuq_add_s16(even, sum);
    x[length] = mcuq_sub_turned_s16(odd, difference);
    x[2 * length] = mcuq_sub_s16(even, sum);
    x[3 * length] = mcuq_add_turned_s16(odd, difference);
}

/* item mcuq_first_2_s16: needs MCUQ_ALWAYS_INLINE, mcuq_divided_s16, mcuq_add_s16, mcuq_sub_s16; code 60 */
/* Two values through the first stage, whose twiddles are 1, which is 32767: times that, what is divided is as it is. */
static MCUQ_ALWAYS_INLINE inline void mcuq_first_2_s16(uint32_t *x, uint32_t a, uint32_t b)
{
    a = mcuq_divided_s16(a, 16383);
    b = mcuq_divided_s16(b, 16383);
    x[0] = mcuq_add_s16(a, b);
    x[1] = mcuq_sub_s16(a, b);
}

/* item mcuq_first_4_s16: needs MCUQ_ALWAYS_INLINE, mcuq_divided_s16, mcuq_radix_4_s16; code 59 */
/* Four of them. */
static MCUQ_ALWAYS_INLINE inline void mcuq_first_4_s16(uint32_t *x, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    mcuq_radix_4_s16(x, 1, mcuq_divided_s16(a, 8191), mcuq_divided_s16(b, 8191), mcuq_divided_s16(c, 8191),
                     mcuq_divided_s16(d, 8191));
}

/* item mcuq_stage_s16: needs MCUQ_ALWAYS_INLINE, mcuq_divided_s16, mcuq_product_s16, mcuq_radix_4_s16; code 175 */
/* One of radix 4 on results of `length` points; all numbers are constants, so that places are known. */
static MCUQ_ALWAYS_INLINE inline void mcuq_stage_s16(uint32_t *x, const uint32_t *turns, int32_t points, int32_t length)
{
    for (const uint32_t *const end = x + points; x < end; x += 3 * length) {
        const uint32_t *turn = turns;
        for (const uint32_t *const next = x + length; x < next; x++, turn += 3) {
            const uint32_t d = mcuq_product_s16(mcuq_divided_s16(x[3 * length], 8191), turn[2]);
            const uint32_t b = mcuq_product_s16(mcuq_divided_s16(x[length], 8191), turn[0]);
            const uint32_t c = mcuq_product_s16(mcuq_divided_s16(x[2 * length], 8191), turn[1]);
            mcuq_radix_4_s16(x, length, mcuq_divided_s16(x[0], 8191), b, c, d);
        }
    }
}

/* item mcuq_mixed_s16: needs MCUQ_GNU, mcuq_complex_s16; cpu dsp; code 80 */
/* The real part of one and the imaginary part of another. */
static inline uint32_t mcuq_mixed_s16(uint32_t real, uint32_t imaginary)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("pkhtb %0, %1, %2" : "=r"(real) : "r"(imaginary), "r"(real));
    return real;
#else
    return mcuq_complex_s16((int16_t)real, (int32_t)imaginary >> 16);
#endif
}

/* item mcuq_spectrum_s16: needs MCUQ_ALWAYS_INLINE, mcuq_complex_s16, mcuq_divided_s16, mcuq_product_s16, mcuq_add_s16, mcuq_sub_s16, mcuq_half_add_s16, mcuq_half_sub_s16, mcuq_mixed_s16; code 213 */
/* points + 1 values of a real signal's spectrum, in place of that of its pairs. */
static MCUQ_ALWAYS_INLINE inline void mcuq_spectrum_s16(uint32_t *x, const uint32_t *turns, int32_t points)
{
    const uint32_t first = mcuq_divided_s16(x[0], 16383);

    x[0] = mcuq_complex_s16((int16_t)first + ((int32_t)first >> 16), 0);
    x[points] = mcuq_complex_s16((int16_t)first - ((int32_t)first >> 16), 0);
    for (uint32_t *a = x + 1, *b = x + points - 1; a <= b; a++, b--) {
        const uint32_t low = mcuq_divided_s16(*a, 16383);
        const uint32_t high = mcuq_divided_s16(mcuq_mixed_s16(*b, mcuq_sub_s16(0, *b)), 16383);
        const uint32_t sum = mcuq_add_s16(low, high);
        const uint32_t turned = mcuq_product_s16(mcuq_sub_s16(low, high), *turns++);
        *a = mcuq_half_add_s16(sum, turned);
        *b = mcuq_mixed_s16(mcuq_half_sub_s16(sum, turned), mcuq_half_sub_s16(turned, sum));
    }
}

/* item mcuq_high: needs MCUQ_GNU, mcuq_multiply_high; cpu dsp; code 71 */
/* The upper word of a * b, towards minus infinity, by an instruction that leaves the lower one. */
static inline int32_t mcuq_high(int32_t a, int32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smmul %0, %1, %2" : "=r"(a) : "r"(a), "r"(b));
    return a;
#else
    return mcuq_multiply_high(a, b);
#endif
}

/* item mcuq_high_add: needs MCUQ_GNU, mcuq_multiply_high; cpu dsp; code 83 */
/* acc + the upper word of a * b, towards minus infinity. */
static inline int32_t mcuq_high_add(int32_t acc, int32_t a, int32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smmla %0, %1, %2, %3" : "=r"(acc) : "r"(a), "r"(b), "r"(acc));
    return acc;
#else
    return acc + mcuq_multiply_high(a, b);
#endif
}

/* item mcuq_high_sub: needs MCUQ_GNU, mcuq_multiply_high; cpu dsp; code 84 */
/* acc + the upper word of -a * b, towards minus infinity. */
static inline int32_t mcuq_high_sub(int32_t acc, int32_t a, int32_t b)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smmls %0, %1, %2, %3" : "=r"(acc) : "r"(a), "r"(b), "r"(acc));
    return acc;
#else
    return acc + mcuq_multiply_high(-a, b);
#endif
}

/* item mcuq_radix_4_s32: needs MCUQ_ALWAYS_INLINE; code 177 */
/* Of halves of values times their twiddles, to places `step` words apart. */
static MCUQ_ALWAYS_INLINE inline void mcuq_radix_4_s32(int32_t *x, int32_t step, int32_t r0, int32_t i0, int32_t r1,
                                                       int32_t i1, int32_t r2, int32_t i2, int32_t r3, int32_t i3)
{
    const int32_t sum_r = r1 + r3, sum_i = i1 + i3, difference_r = r1 - r3, difference_i = i1 - i3;
    const int32_t even_r = r2 + r0, even_i = i2 + i0, odd_r = r0 - r2, odd_i = i0 - i2;
    x[0] = even_r + sum_r;
    x[1] = even_i + sum_i;
    x[2 * step] = even_r - sum_r;
    x[2 * step + 1] = even_i - sum_i;
    x[step] = odd_r + difference_i;
    x[step + 1] = odd_i - difference_r;
    x[3 * step] = odd_r - difference_i;
    x[3 * step + 1] = odd_i + difference_r;
}

/* item mcuq_first_2_s32: needs MCUQ_ALWAYS_INLINE; code 100 */
/* Two values through the first stage, whose twiddles are 1. */
static MCUQ_ALWAYS_INLINE inline void mcuq_first_2_s32(int32_t *x, int32_t r0, int32_t i0, int32_t r1, int32_t i1)
{
    x[0] = (r0 >> 1) + (r1 >> 1);
    x[1] = (i0 >> 1) + (i1 >> 1);
    x[2] = (r0 >> 1) - (r1 >> 1);
    x[3] = (i0 >> 1) - (i1 >> 1);
}

/* item mcuq_first_4_s32: needs MCUQ_ALWAYS_INLINE, mcuq_radix_4_s32; code 90 */
/* Four of them. */
static MCUQ_ALWAYS_INLINE inline void mcuq_first_4_s32(int32_t *x, int32_t r0, int32_t i0, int32_t r1, int32_t i1,
                                                       int32_t r2, int32_t i2, int32_t r3, int32_t i3)
{
    mcuq_radix_4_s32(x, 2, r0 >> 1, i0 >> 1, r1 >> 1, i1 >> 1, r2 >> 1, i2 >> 1, r3 >> 1, i3 >> 1);
}

/* item mcuq_stage_s32: needs MCUQ_ALWAYS_INLINE, mcuq_high, mcuq_high_add, mcuq_high_sub, mcuq_radix_4_s32; code 320 */
/* One of radix 4 on results of `length` points; all numbers are constants, so that places are known. */
static MCUQ_ALWAYS_INLINE inline void mcuq_stage_s32(int32_t *x, const int32_t *turns, int32_t points, int32_t length)
{
    const int32_t step = 2 * length;

    for (const int32_t *const end = x + 2 * points; x < end; x += 3 * step) {
        const int32_t *turn = turns;
        for (const int32_t *const next = x + step; x < next; x += 2, turn += 6) {
            const int32_t r1 = mcuq_high_sub(mcuq_high(x[step], turn[0]), x[step + 1], turn[1]);
            const int32_t i1 = mcuq_high_add(mcuq_high(x[step], turn[1]), x[step + 1], turn[0]);
            const int32_t r3 = mcuq_high_sub(mcuq_high(x[3 * step], turn[4]), x[3 * step + 1], turn[5]);
            const int32_t i3 = mcuq_high_add(mcuq_high(x[3 * step], turn[5]), x[3 * step + 1], turn[4]);
            const int32_t r2 = mcuq_high_sub(mcuq_high(x[2 * step], turn[2]), x[2 * step + 1], turn[3]);
            const int32_t i2 = mcuq_high_add(mcuq_high(x[2 * step], turn[3]), x[2 * step + 1], turn[2]);
            mcuq_radix_4_s32(x, step, x[0] >> 1, x[1] >> 1, r1, i1, r2, i2, r3, i3);
        }
    }
}

/* item mcuq_spectrum_s32: needs MCUQ_ALWAYS_INLINE, mcuq_high, mcuq_high_add, mcuq_high_sub; code 274 */
/* points + 1 values of a real signal's spectrum, in place of that of its pairs; if not all, those of its lower half. */
static MCUQ_ALWAYS_INLINE inline void mcuq_spectrum_s32(int32_t *x, const int32_t *turns, int32_t points, int32_t all)
{
    int32_t *const end = x + 2 * points;
    const int32_t first = x[0], second = x[1];

    x[0] = first + second;
    x[1] = 0;
    if (all) {
        end[0] = first - second;
        end[1] = 0;
    }
    for (int32_t *a = x + 2, *b = end - 2; all ? a <= b : a < b; a += 2, b -= 2, turns += 2) {
        const int32_t r = a[0] - b[0], i = a[1] + b[1];
        const int32_t turned_r = mcuq_high_sub(mcuq_high(r, turns[0]), i, turns[1]);
        const int32_t turned_i = mcuq_high_add(mcuq_high(r, turns[1]), i, turns[0]);
        const int32_t sum_r = a[0] + b[0], sum_i = a[1] - b[1];
        a[0] = turned_r + (sum_r >> 1);
        a[1] = turned_i + (sum_i >> 1);
        if (all) {
            b[0] = (sum_r >> 1) - turned_r;
            b[1] = turned_i - (sum_i >> 1);
        }
    }
}

#endif
