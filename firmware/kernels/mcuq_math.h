/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of the kernels. Every function has a namesake in mcuq/arithmetic/int8.py that gives the
 * same bits. The generator copies the functions a model uses into its C file.
 *
 * Right shifts of negative numbers are arithmetic here: C leaves that to the compiler, and all that target
 * these CPUs do it; the check below refuses one that does not.
 */
#ifndef MCUQ_MATH_H
#define MCUQ_MATH_H

#include <stdint.h>

typedef char mcuq_right_shift_is_arithmetic[(((int32_t)-3) >> 1) == -2 ? 1 : -1];

/* item mcuq_multiply_high: code 31 */
/* Upper word of a * b, towards minus infinity; |result| <= 2^30. */
static inline int32_t mcuq_multiply_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b) >> 32);
}

/* item mcuq_clamp: code 42 */
/* q limited to [output_min, output_max], which lie in [-128, 127]. */
static inline int8_t mcuq_clamp(int32_t q, int32_t output_min, int32_t output_max)
{
    /* One bound at a time: compilers make two conditional moves of this, and a branch of one nested choice. */
    const int32_t low = q < output_min ? output_min : q;
    return (int8_t)(low > output_max ? output_max : low);
}

/* item mcuq_requantize_shift: needs mcuq_clamp; code 55 */
/* zero_point + acc / 2^shift, shift in 1..31, rounded once, halves up, then clamped; |acc| + 2^(shift - 1) < 2^31. */
static inline int8_t mcuq_requantize_shift(int32_t acc, int32_t shift, int32_t zero_point, int32_t output_min,
                                           int32_t output_max)
{
    return mcuq_clamp(((acc + ((int32_t)1 << (shift - 1))) >> shift) + zero_point, output_min, output_max);
}

/* item mcuq_requantize: needs mcuq_multiply_high, mcuq_clamp, mcuq_requantize_shift; code 179 */
/* zero_point + acc * multiplier / 2^(32 + shift - prescale), rounded once, halves up, then clamped.
 *
 * prescale, shift, zero_point and the bounds are compile-time constants, so that one branch remains.
 * shift in 1..22: |acc| * 2^prescale < 2^31, so |high| <= 2^30, |zero_point << shift| <= 2^29 and the half is
 * at most 2^21: the sum fits. shift in -31..0: |acc * multiplier| < 2^62, the half at most 2^31. Where prescale is -1
 * all factors are powers of two, and `multiplier` is how far to shift right. */
static inline int8_t mcuq_requantize(int32_t acc, int32_t multiplier, int prescale, int shift, int32_t zero_point,
                                     int32_t output_min, int32_t output_max)
{
    if (prescale < 0)
        return mcuq_requantize_shift(acc, multiplier, zero_point, output_min, output_max);
    if (shift >= 1) {
        const int32_t high = mcuq_multiply_high(acc * (1 << prescale), multiplier);
        const int32_t offset = zero_point * (1 << shift) + ((1 << shift) >> 1);
        return mcuq_clamp((high + offset) >> shift, output_min, output_max);
    }
    const int64_t scaled = ((int64_t)acc * multiplier + ((int64_t)1 << (31 + shift))) >> (32 + shift);
    const int64_t q = scaled + zero_point;
    return (int8_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_requantize_s16: needs mcuq_multiply_high; code 170 */
/* mcuq_requantize for results of 8 or 16 bits, signed or not: |zero_point << shift| <= 2^30 for zero points to 255, and
 * those of 16 bits have zero point 0, so that the sum fits likewise. */
static inline int32_t mcuq_requantize_s16(int32_t acc, int32_t multiplier, int prescale, int shift,
                                          int32_t zero_point, int32_t output_min, int32_t output_max)
{
    if (shift >= 1) {
        const int32_t high = mcuq_multiply_high(acc * (1 << prescale), multiplier);
        const int32_t q = (high + zero_point * (1 << shift) + ((1 << shift) >> 1)) >> shift;
        const int32_t low = q < output_min ? output_min : q;
        return low > output_max ? output_max : low;
    }
    const int64_t scaled = ((int64_t)acc * multiplier + ((int64_t)1 << (31 + shift))) >> (32 + shift);
    const int64_t q = scaled + zero_point;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_weighted_sum: needs mcuq_clamp; code 54 */
/* (a * factor_a + b * factor_b + constant) >> shift, clamped; the generator keeps the sum below 2^31. */
static inline int8_t mcuq_weighted_sum(int32_t a, int32_t factor_a, int32_t b, int32_t factor_b, int32_t constant,
                                       int shift, int32_t output_min, int32_t output_max)
{
    return mcuq_clamp((a * factor_a + b * factor_b + constant) >> shift, output_min, output_max);
}

/* item mcuq_weighted_max: needs mcuq_clamp; code 70 */
/* The larger of a * factor_a + constant_a and b * factor_b + constant_b, >> shift, clamped; the generator keeps both below
 * 2^31. */
static inline int8_t mcuq_weighted_max(int32_t a, int32_t factor_a, int32_t constant_a, int32_t b, int32_t factor_b,
                                       int32_t constant_b, int shift, int32_t output_min, int32_t output_max)
{
    const int32_t first = a * factor_a + constant_a, second = b * factor_b + constant_b;
    return mcuq_clamp((first > second ? first : second) >> shift, output_min, output_max);
}

/* item mcuq_weighted_min: needs mcuq_clamp; code 70 */
/* The smaller of a * factor_a + constant_a and b * factor_b + constant_b, >> shift, clamped; the generator keeps both below
 * 2^31. */
static inline int8_t mcuq_weighted_min(int32_t a, int32_t factor_a, int32_t constant_a, int32_t b, int32_t factor_b,
                                       int32_t constant_b, int shift, int32_t output_min, int32_t output_max)
{
    const int32_t first = a * factor_a + constant_a, second = b * factor_b + constant_b;
    return mcuq_clamp((first < second ? first : second) >> shift, output_min, output_max);
}

/* item mcuq_quotient: needs mcuq_clamp; code 120 */
/* zero_point + a * multiplier / (b * 2^shift), rounded once, halves up, then clamped; a / 0 is the bound on the side of
 * its sign, 0 / 0 is 0. |a * multiplier| + 2^29 < 2^31, shift in 0..30; floors nest, so that the half is added to that of
 * the division. */
static inline int8_t mcuq_quotient(int32_t a, int32_t b, int32_t multiplier, int shift, int32_t zero_point,
                                   int32_t output_min, int32_t output_max)
{
    if (b == 0)
        return mcuq_clamp(a > 0 ? output_max : a < 0 ? output_min : zero_point, output_min, output_max);
    const int32_t scaled = (b < 0 ? -a : a) * multiplier, divisor = b < 0 ? -b : b;
    const int32_t whole = scaled / divisor - (scaled % divisor < 0);
    return mcuq_clamp(((whole + ((1 << shift) >> 1)) >> shift) + zero_point, output_min, output_max);
}

/* item mcuq_quotient_s16: code 230 */
/* mcuq_quotient for operands and results of 16 bits and any multiplier: |a * multiplier| <= 2^46 is divided in two digits
 * of 16 bits, rounded away from zero where it is negative, so that no division has 64 bits. */
static inline int32_t mcuq_quotient_s16(int32_t a, int32_t b, int32_t multiplier, int shift, int32_t zero_point,
                                        int32_t output_min, int32_t output_max)
{
    int64_t q = a > 0 ? output_max : a < 0 ? output_min : zero_point;
    if (b != 0) {
        const int64_t scaled = (int64_t)(b < 0 ? -a : a) * multiplier;
        const uint32_t divisor = (uint32_t)(b < 0 ? -b : b);
        const uint64_t magnitude = scaled < 0 ? (uint64_t)-scaled + (divisor - 1) : (uint64_t)scaled;
        const uint32_t upper = (uint32_t)(magnitude >> 16);
        const uint32_t lower = (upper % divisor) << 16 | (uint32_t)(magnitude & 0xffff);
        const int64_t whole = (int64_t)(upper / divisor) * 65536 + lower / divisor;
        q = (((scaled < 0 ? -whole : whole) + ((1 << shift) >> 1)) >> shift) + zero_point;
    }
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_lookup: code 23 */
/* table[x + 128]: any function of one int8. */
static inline int8_t mcuq_lookup(int8_t x, const int8_t *table)
{
    return table[x + 128];
}

#endif
