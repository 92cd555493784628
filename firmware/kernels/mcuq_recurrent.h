/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer arithmetic of recurrent networks, beside that of mcuq_s16.h. Every function has a namesake in
 * mcuq/arithmetic/recurrent.py that gives the same bits. The generator copies the functions a model uses into its C
 * file.
 */
#ifndef MCUQ_RECURRENT_H
#define MCUQ_RECURRENT_H

#include "mcuq_s16.h"

/* item mcuq_rounded_s16: code 60 */
/* total / 2^shift, rounded once, halves up, then limited to 16 bits; shift in 1..62, |total| < 2^62. */
static inline int32_t mcuq_rounded_s16(int64_t total, int shift)
{
    const int64_t q = (total + ((int64_t)1 << (shift - 1))) >> shift;
    return (int32_t)(q < -32768 ? -32768 : q > 32767 ? 32767 : q);
}

/* item mcuq_curve: code 88 */
/* A function of one int16 by straight lines between values 2^shift codes apart, `middle` being that of x = 0; rounded to
 * nearest, halves up; shift in 1..8: a difference of values times a fraction stays below 2^24. */
static inline int32_t mcuq_curve(int32_t x, const int16_t *middle, int shift)
{
    const int16_t *value = middle + (x >> shift);
    const int32_t low = value[0], fraction = x & ((1 << shift) - 1);
    return low + (((value[1] - low) * fraction + (1 << (shift - 1))) >> shift);
}

#endif
