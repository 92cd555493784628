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

#endif
