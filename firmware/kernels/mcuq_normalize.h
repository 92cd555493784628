/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of normalizations, beside that of mcuq_math.h. Every function has a namesake in
 * mcuq/arithmetic/normalize.py that gives the same bits. The generator copies the functions a model uses into its C
 * file.
 */
#ifndef MCUQ_NORMALIZE_H
#define MCUQ_NORMALIZE_H

#include "mcuq_math.h"

/* item mcuq_inverse_square_root: code 114 */
/* 2^47 / sqrt(a), a in [2^30, 2^32), from 2^31 to 2^32: within 2.5, tried on all.
 *
 * Newton's iteration, y * (3 - a * y^2) / 2, from a line that is within 15 % of it:
 * after four the error is that of rounding. All are products of 32 bits of which the upper half is kept. */
static inline uint32_t mcuq_inverse_square_root(uint32_t a)
{
    uint32_t y = 0xffffffffu - (a >> 1) - (a >> 4);
    for (int i = 0; i < 4; i++) {
        const uint32_t square = (uint32_t)(((uint64_t)y * y) >> 32);   /* 30 fraction bits, less than 4 */
        const uint32_t near = (uint32_t)(((uint64_t)a * square) >> 32); /* about 2^30 */
        y = (uint32_t)(((uint64_t)y * (0xc0000000u - near)) >> 31);
    }
    return y;
}

/* item mcuq_normalizer, mcuq_normalizer_of: needs mcuq_inverse_square_root; code 237 */
/* x -> (x * count - total) / root: see mcuq_normalized. */
typedef struct {
    uint32_t factor, offset;
    int32_t down, inverse;
} mcuq_normalizer;

/* For elements x of `count` whose deviations x * count - total have `variance` as the mean of their squares, at most
 * 2^60: root = sqrt(variance + epsilon * 4^-precision).
 *
 * Both together are made a number of 62 bits by a shift of 2 * room, so that sqrt(variance) * 2^(precision + room) is
 * less than 2^31; a deviation is at most 2^guard = sqrt(count), rounded up to a power of two, times as large. Times
 * 2^up it stays below 2^30. */
static inline mcuq_normalizer mcuq_normalizer_of(int32_t count, int32_t total, uint64_t variance, uint64_t epsilon,
                                                 int precision, int guard)
{
    uint64_t sum = (precision < 0 ? variance >> (-2 * precision) : variance << (2 * precision)) + epsilon;
    int room = 0;
    sum += sum == 0;
    for (int step = 16; step > 0; step >>= 1)
        if ((sum >> (62 - 2 * step)) == 0) {
            sum <<= 2 * step;
            room += step;
        }
    const int most = precision + room - guard - 1, up = most < 0 ? 0 : most > 30 ? 30 : most;
    mcuq_normalizer by;
    by.factor = (uint32_t)count << up;
    by.offset = (uint32_t)total << up;
    by.down = most < -31 ? 31 : most < 0 ? -most : 0;
    by.inverse = (int32_t)(mcuq_inverse_square_root((uint32_t)(sum >> 30)) >> 1);
    return by;
}

/* item mcuq_normalized: needs mcuq_multiply_high, mcuq_normalizer; code 44 */
/* (x * count - total) / root * 2^(28 - guard), at most 2^28 in magnitude; the product may wrap, the difference is less
 * than 2^30. */
static inline int32_t mcuq_normalized(int32_t x, mcuq_normalizer by)
{
    return mcuq_multiply_high((int32_t)((uint32_t)x * by.factor - by.offset) >> by.down, by.inverse);
}

/* item mcuq_scaled_power, mcuq_inverse_power: needs mcuq_multiply_high; code 200 */
/* factor * 2^-shift */
typedef struct {
    int32_t factor, shift;
} mcuq_scaled_power;

/* base^-beta from 257 `powers` of 1 to 2, in 2^-30, linear in between, times multiplier / 2^(shift + 2) of the power of
 * two that the base begins with, which is 2^first or the next ones'. base from 1 to 2^63. */
static inline mcuq_scaled_power mcuq_inverse_power(uint64_t base, int32_t first, const int32_t *powers,
                                                   const int32_t *multiplier, const int32_t *shift)
{
    int32_t exponent = 62 - first;
    for (int step = 32; step > 0; step >>= 1)
        if ((base >> (63 - step)) == 0) {
            base <<= step;
            exponent -= step;
        }
    const uint32_t mantissa = (uint32_t)(base >> 31), index = (mantissa >> 23) & 255u;
    const int32_t fraction = (int32_t)((mantissa << 9) >> 1), difference = powers[index + 1u] - powers[index];
    const int32_t power = powers[index] + mcuq_multiply_high(difference * 2, fraction);
    const mcuq_scaled_power by = { mcuq_multiply_high(power, multiplier[exponent]), shift[exponent] };
    return by;
}

#endif
