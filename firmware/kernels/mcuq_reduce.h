/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of reductions, beside that of mcuq_math.h. Every function has a namesake in
 * mcuq/arithmetic/reduce.py that gives the same bits. The generator copies the functions a model uses into its C file.
 */
#ifndef MCUQ_REDUCE_H
#define MCUQ_REDUCE_H

#include "mcuq_math.h"

/* item mcuq_integer_root: code 80 */
/* The largest integer whose square is not above a, a < 2^62. Digit by digit: two bits of a make one of the root. */
static inline int32_t mcuq_integer_root(uint64_t a)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 60; bit != 0; bit >>= 2) {
        const uint64_t next = root + bit;
        root >>= 1;
        if (a >= next) {
            a -= next;
            root += bit;
        }
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
