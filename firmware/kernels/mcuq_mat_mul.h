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
