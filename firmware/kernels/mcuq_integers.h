/* SPDX-License-Identifier: Apache-2.0
 *
 * The arithmetic of integers that stand for themselves: indices, classes, counts. Every function has a namesake in
 * mcuq/arithmetic/integers.py that gives the same bits. The generator copies the functions a model uses into its C file.
 */
#ifndef MCUQ_INTEGERS_H
#define MCUQ_INTEGERS_H

#include <stdint.h>

/* item mcuq_within: code 40 */
/* x limited to [low, high]. */
static inline int32_t mcuq_within(int32_t x, int32_t low, int32_t high)
{
    const int32_t least = x < low ? low : x;
    return least > high ? high : least;
}

/* item mcuq_index_within: needs mcuq_within; code 33 */
/* The place of `index` among `size`: those below 0 count from the back, those beyond are the nearest that there is. */
static inline int32_t mcuq_index_within(int32_t index, int32_t size)
{
    return mcuq_within(index < 0 ? index + size : index, 0, size - 1);
}

/* item mcuq_within_long: code 41 */
/* x limited to [low, high]. */
static inline int32_t mcuq_within_long(int64_t x, int32_t low, int32_t high)
{
    const int64_t least = x < low ? low : x;
    return (int32_t)(least > high ? high : least);
}

/* item mcuq_wrapped_add: code 29 */
/* a + b modulo 2^32. */
static inline int32_t mcuq_wrapped_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* item mcuq_wrapped_sub: code 29 */
/* a - b modulo 2^32. */
static inline int32_t mcuq_wrapped_sub(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* item mcuq_wrapped_mul: code 29 */
/* a * b modulo 2^32. */
static inline int32_t mcuq_wrapped_mul(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

/* item mcuq_integer_quotient: code 37 */
/* a / b towards 0, 0 where b is. */
static inline int64_t mcuq_integer_quotient(int32_t a, int32_t b)
{
    return b == 0 ? 0 : b == -1 ? -(int64_t)a : a / b;
}

/* item mcuq_integer_remainder: code 30 */
/* a - b * (a / b) towards 0, of a's sign; 0 where b is. */
static inline int64_t mcuq_integer_remainder(int32_t a, int32_t b)
{
    return b == 0 || b == -1 ? 0 : a % b;
}

/* item mcuq_integer_modulo: needs mcuq_integer_remainder; code 50 */
/* The remainder of b's sign, 0 where b is. */
static inline int64_t mcuq_integer_modulo(int32_t a, int32_t b)
{
    const int64_t remainder = mcuq_integer_remainder(a, b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

/* item mcuq_truncate: needs mcuq_within_long; code 62 */
/* x * multiplier / 2^shift towards 0, limited to [low, high]; |x| < 2^17, the multiplier below 2^31, shift in 0..62. */
static inline int32_t mcuq_truncate(int32_t x, int32_t multiplier, int32_t shift, int32_t low, int32_t high)
{
    const int64_t magnitude = (x < 0 ? -(int64_t)x : x) * multiplier >> shift;
    return mcuq_within_long(x < 0 ? -magnitude : magnitude, low, high);
}

/* item mcuq_truncate_float: needs mcuq_within; code 61 */
/* x towards 0, limited to [low, high]; NaN is 0, or else what of them is next to it. */
static inline int32_t mcuq_truncate_float(float x, int32_t low, int32_t high)
{
    const int32_t whole = x >= 2147483648.0f ? INT32_MAX : x <= -2147483648.0f ? INT32_MIN : x == x ? (int32_t)x : 0;
    return mcuq_within(whole, low, high);
}

#endif
