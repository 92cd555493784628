/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a computed matrix for kernels of CPUs without vectors. */
#ifndef MCUQ_MAT_MUL_H
#define MCUQ_MAT_MUL_H

#include "mcuq_compiler.h"

#include <stdint.h>

/* item mcuq_gather_columns: needs MCUQ_NOINLINE; code 166 */
/* Columns of a matrix, their taps `tap_step` apart and one column `output_step` behind the other: `width` of them side by
 * side, tap by tap, those that are missing 0. start[oc] = -a_zero_point times the sum of (b - b_zero_point) of each. */
MCUQ_NOINLINE
static void mcuq_gather_columns(const int8_t *b, int32_t taps, int32_t outputs, int32_t tap_step, int32_t output_step,
                                int32_t width, int32_t a_zero_point, int32_t b_zero_point, int8_t *to, int32_t *start)
{
    for (int32_t oc = 0; oc < (outputs + width - 1) / width * width; oc++) {
        const int8_t *const column = b + oc * output_step;
        int8_t *out = to + oc / width * width * taps + oc % width;
        int32_t sum = 0;
        for (int32_t ic = 0; ic < taps; ic++, out += width) {
            *out = oc < outputs ? column[ic * tap_step] : (int8_t)0;
            sum += *out;
        }
        start[oc] = -a_zero_point * (sum - taps * b_zero_point);
    }
}

/* item mcuq_word_sums: code 200 */
/* Sums of x[k] * column[k], modulo 2^32, of four columns each to `sums` up to `end`: n of x, and columns four side by
 * side, tap by tap. */
static inline void mcuq_word_sums(const int32_t *x, const int32_t *columns, int32_t n, int32_t *sums, const int32_t *end)
{
    for (; sums != end; sums += 4) {
        uint32_t one = 0, two = 0, three = 0, four = 0;
        for (int32_t k = 0; k < n; k++, columns += 4) {
            const uint32_t value = (uint32_t)x[k];
            one += value * (uint32_t)columns[0];
            two += value * (uint32_t)columns[1];
            three += value * (uint32_t)columns[2];
            four += value * (uint32_t)columns[3];
        }
        sums[0] = (int32_t)one;
        sums[1] = (int32_t)two;
        sums[2] = (int32_t)three;
        sums[3] = (int32_t)four;
    }
}

/* item mcuq_sum_of_row: code 45 */
/* The sum of n values. */
static inline int32_t mcuq_sum_of_row(const int8_t *x, int32_t n)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

#endif
