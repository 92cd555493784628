/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done with a network's outputs. Every function has a namesake in mcuq/after/scores.py that gives the same bits.
 * The generator copies the functions that are used into ID_after.c.
 */
#ifndef MCUQ_AFTER_H
#define MCUQ_AFTER_H

#include "mcuq_powers.h"

/* item mcuq_power_below: needs mcuq_binary_power; code 113 */
/* 2^-(d / 2^24) in 2^-29, rounded, for d of 0 or more */
static inline uint32_t mcuq_power_below(int64_t d)
{
    if (d > ((int64_t)31 << 24))
        return 0;
    const int32_t n = (int32_t)((d + 0xffffff) >> 24);
    const uint32_t rest = (uint32_t)(((int64_t)n << 24) - d);
    const uint32_t value = (uint32_t)mcuq_binary_power(0x80000000u | (rest << 7));
    return n > 0 ? (value + ((uint32_t)1 << (n - 1))) >> n : value;
}

/* item mcuq_logarithm_of: needs mcuq_binary_logarithm; code 50 */
/* log2 of value, 1 to 65535, in 2^-24 */
static inline int32_t mcuq_logarithm_of(int32_t value)
{
    uint32_t mantissa = (uint32_t)value;
    int32_t exponent = 31;
    for (; mantissa < 0x80000000u; mantissa <<= 1)
        exponent--;
    return exponent * 16777216 + mcuq_binary_logarithm(mantissa);
}

/* item mcuq_share: code 43 */
/* part / whole in 2^-15, rounded, halves up; 0 of nothing */
static inline int32_t mcuq_share(uint32_t part, uint64_t whole)
{
    return whole > 0 ? (int32_t)((((uint64_t)part << 15) + whole / 2) / whole) : 0;
}

/* item mcuq_logistic: needs mcuq_power_below, mcuq_share; code 49 */
/* 1 / (1 + 2^-(x / 2^24)) in 2^-15 */
static inline int32_t mcuq_logistic(int64_t x)
{
    const uint32_t one = 536870912, power = mcuq_power_below(x < 0 ? -x : x);
    return mcuq_share(x < 0 ? power : one, (uint64_t)one + power);
}

#endif
