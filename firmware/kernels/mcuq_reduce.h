/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of reductions, beside that of mcuq_normalize.h. Every function has a namesake in
 * mcuq/arithmetic/reduce.py that gives the same bits. The generator copies the functions a model uses into its C file.
 */
#ifndef MCUQ_REDUCE_H
#define MCUQ_REDUCE_H

#include "mcuq_normalize.h"

/* item mcuq_integer_root: needs mcuq_inverse_square_root; code 160 */
/* The largest integer whose square is not above a, a < 2^62.
 *
 * a * 4^room has 61 or 62 bits; of its upper 32, times their inverse root, the root is off by 5 at most, which is made
 * good: what the shift leaves of it is that much less. */
static inline int32_t mcuq_integer_root(uint64_t a)
{
    if (a == 0)
        return 0;
    uint64_t scaled = a;
    int room = 0;
    for (int step = 16; step > 0; step >>= 1)
        if ((scaled >> (62 - 2 * step)) == 0) {
            scaled <<= 2 * step;
            room += step;
        }
    const uint32_t upper = (uint32_t)(scaled >> 30);
    uint32_t root = (uint32_t)(((uint64_t)upper * mcuq_inverse_square_root(upper)) >> 32) >> room;
    while ((uint64_t)root * root > a)
        root--;
    while ((uint64_t)(root + 1u) * (root + 1u) <= a)
        root++;
    return (int32_t)root;
}

/* item mcuq_integer_power_root: code 96 */
/* The largest integer whose power, of 3 to 32, is not above a, a < 2^(power * (64 / power)). Bit by bit: so many that no
 * power of them has more than 64. */
static inline int32_t mcuq_integer_power_root(uint64_t a, int32_t power)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << (64 / power - 1); bit > 0; bit >>= 1) {
        const uint32_t candidate = root | bit;
        uint64_t product = candidate;
        for (int32_t k = 1; k < power; k++)
            product *= candidate;
        if (product <= a)
            root = candidate;
    }
    return (int32_t)root;
}

/* item mcuq_product, mcuq_product_with: code 75 */
/* mantissa / 2^30 * 2^exponent, 0 or with |mantissa| from 2^30 to 2^31. */
typedef struct {
    int32_t mantissa, exponent;
} mcuq_product;

/* The product with a factor of at most 17 bits and sign: what it loses is less than 2^-30 of it. */
static inline mcuq_product mcuq_product_with(mcuq_product a, int32_t factor)
{
    int64_t product = (int64_t)a.mantissa * factor;
    for (; product > 2147483647 || product < -2147483647 - 1; product >>= 1)
        a.exponent++;
    a.mantissa = (int32_t)product;
    return a;
}

/* item mcuq_product_value: needs mcuq_product; code 140 */
/* zero_point + a * multiplier / 2^31 * 2^exponent, multiplier from 2^30 to 2^31, rounded once, halves up, then clamped.
 * The product is no less than 2^60 where it is not 0: results beyond 2^20 lie on the bounds, those below 1/4 are 0. */
static inline int32_t mcuq_product_value(mcuq_product a, int32_t multiplier, int32_t exponent, int32_t zero_point,
                                         int32_t output_min, int32_t output_max)
{
    const int64_t product = (int64_t)a.mantissa * multiplier;
    const int32_t shift = 61 - a.exponent - exponent;
    int64_t q = 0;
    if (product != 0 && shift < 40)
        q = product < 0 ? -1048576 : 1048576;
    else if (product != 0 && shift <= 62)
        q = (product + ((int64_t)1 << (shift - 1))) >> shift;
    q += zero_point;
    return (int32_t)(q < output_min ? output_min : q > output_max ? output_max : q);
}

#endif
