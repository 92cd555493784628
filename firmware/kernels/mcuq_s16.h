/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of layers that read or write 16 bits, beside that of mcuq_math.h. Every function has a
 * namesake in mcuq/arithmetic/int16.py that gives the same bits. The generator copies the functions a model uses into
 * its C file.
 */
#ifndef MCUQ_S16_H
#define MCUQ_S16_H

#include "mcuq_math.h"

/* item mcuq_requantize_long: code 126 */
/* zero_point + acc * multiplier / 2^(32 + shift), rounded once, halves up, then clamped; |acc| < 2^46, shift in -1..22.
 *
 * acc = upper * 2^31 + lower, and floors nest: lower * multiplier < 2^62 and the half is at most 2^53; |upper| <= 2^15,
 * so that the sum of both parts stays below 2^47. */
static inline int32_t mcuq_requantize_long(int64_t acc, int32_t multiplier, int shift, int32_t zero_point,
                                           int32_t output_min, int32_t output_max)
{
    const int32_t lower = (int32_t)(acc & 0x7fffffff), upper = (int32_t)(acc >> 31);
    const int64_t part = ((int64_t)lower * multiplier + ((int64_t)1 << (31 + shift))) >> 31;
    const int64_t q = (((int64_t)upper * multiplier + part) >> (1 + shift)) + zero_point;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_weighted_sum_s16: code 83 */
/* (a * factor_a + b * factor_b) / 2^shift, rounded once, halves up, then clamped; a and b of 16 bits, shift in 1..30:
 * the sum stays below 2^48. */
static inline int32_t mcuq_weighted_sum_s16(int32_t a, int32_t factor_a, int32_t b, int32_t factor_b, int shift,
                                            int32_t output_min, int32_t output_max)
{
    const int64_t q = ((int64_t)a * factor_a + (int64_t)b * factor_b + ((1 << shift) >> 1)) >> shift;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_weighted_max_s16: code 95 */
/* The larger of a * factor_a and b * factor_b over 2^shift, rounded once, halves up, then clamped; a and b of 16 bits,
 * shift in 1..30: the products stay below 2^47. */
static inline int32_t mcuq_weighted_max_s16(int32_t a, int32_t factor_a, int32_t b, int32_t factor_b, int shift,
                                            int32_t output_min, int32_t output_max)
{
    const int64_t first = (int64_t)a * factor_a, second = (int64_t)b * factor_b;
    const int64_t q = ((first > second ? first : second) + ((1 << shift) >> 1)) >> shift;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_weighted_min_s16: code 95 */
/* The smaller of a * factor_a and b * factor_b over 2^shift, rounded once, halves up, then clamped; a and b of 16 bits,
 * shift in 1..30: the products stay below 2^47. */
static inline int32_t mcuq_weighted_min_s16(int32_t a, int32_t factor_a, int32_t b, int32_t factor_b, int shift,
                                            int32_t output_min, int32_t output_max)
{
    const int64_t first = (int64_t)a * factor_a, second = (int64_t)b * factor_b;
    const int64_t q = ((first < second ? first : second) + ((1 << shift) >> 1)) >> shift;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

/* item mcuq_interpolate: code 129 */
/* A function of one int16 by straight pieces between tabled values. `pieces` has for each upper byte of x + 32768 the
 * index of its first value times 16, plus the logarithm of how many x share a piece; `values` have 6 fraction bits.
 *
 * |value| <= 2^21 and `fraction` <= 2^8, so that all products and their sum, which lies between the values, stay
 * below 2^31. */
static inline int32_t mcuq_interpolate(int32_t x, const int32_t *pieces, const int32_t *values)
{
    const int32_t code = x + 32768, piece = pieces[code >> 8], shift = piece & 15;
    const int32_t *value = values + (piece >> 4) + ((code & 255) >> shift);
    const int32_t fraction = code & ((1 << shift) - 1);
    return (value[0] * (1 << shift) + (value[1] - value[0]) * fraction + (32 << shift)) >> (6 + shift);
}

/* item mcuq_exponential_of_tables: needs mcuq_multiply_high; code 39 */
/* 2^28 * exp(-scale * distance) from the exponentials of its bytes, `coarse` and `fine`, which have 30 fraction bits:
 * distance in 0..65535. */
static inline int32_t mcuq_exponential_of_tables(int32_t distance, const int32_t *coarse, const int32_t *fine)
{
    return mcuq_multiply_high(coarse[distance >> 8], fine[distance & 255]);
}

#endif
