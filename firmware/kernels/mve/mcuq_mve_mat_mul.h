/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two computed matrices for Armv8.1-M with MVE: columns as rows, and what zero points add up to. */
#ifndef MCUQ_MVE_MAT_MUL_H
#define MCUQ_MVE_MAT_MUL_H

#include "mcuq_mve_dot.h"

/* item mcuq_mve_sum: needs MCUQ_GNU; cpu mve; code 134 */
/* The sum of n values. */
static inline int32_t mcuq_mve_sum(const int8_t *x, int32_t n)
{
    int32_t sum = 0;
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[x]], #16\n\t"
                     "vaddva.s8 %[sum], q0\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [sum] "+&Te"(sum), [x] "+r"(x)
                     : [n] "r"(n)
                     : "q0", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < n; i++)
        sum += x[i];
#endif
    return sum;
}

/* item mcuq_mve_transpose: needs MCUQ_GNU, MCUQ_NOINLINE; cpu mve; code 254 */
/* to[column * rows + row] = from[row * from_row + column]: 8 columns at a time, 7 * rows below 2^16, in 5 instructions a
 * row. */
MCUQ_NOINLINE
static void mcuq_mve_transpose(int8_t *to, const int8_t *from, int32_t from_row, int32_t rows, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    for (; columns > 0; columns -= 8, from += 8, to += 8 * rows) {
        const int8_t *source = from;
        int8_t *target = to;
        int32_t lane = 0;

        __asm__ volatile("vidup.u16 q1, %[lane], #1\n\t"
                         "vmul.i16 q1, q1, %[rows]\n\t"
                         "vctp.16 %[columns]\n\t"
                         "dls lr, %[rows]\n"
                         "1:\n\t"
                         "vpstt\n\t"
                         "vldrbt.u16 q0, [%[source]]\n\t"
                         "vstrbt.16 q0, [%[target], q1]\n\t"
                         "add %[source], %[source], %[from_row]\n\t"
                         "add %[target], %[target], #1\n\t"
                         "le lr, 1b"
                         : [lane] "+&Te"(lane), [source] "+&l"(source), [target] "+&r"(target)
                         : [rows] "r"(rows), [columns] "r"(columns), [from_row] "r"(from_row)
                         : "q0", "q1", "lr", "cc", "memory");
    }
#else
    for (int32_t column = 0; column < columns; column++)
        for (int32_t row = 0; row < rows; row++)
            to[column * rows + row] = from[row * from_row + column];
#endif
}

/* item mcuq_mve_add_to_rows: needs MCUQ_GNU; cpu mve; stack 32; code 200 */
/* Adds `row[k]` to the sums of mcuq_mve_dot_2x3 of the vector k, for `pairs` pairs of channels. */
static inline void mcuq_mve_add_to_rows(int32_t *sums, const int32_t *row, int32_t pairs)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t terms[8] = {0, 0, row[0], row[0], row[1], row[1], row[2], row[2]};

    __asm__ volatile("vldrw.32 q2, [%[terms]]\n\t"
                     "vldrw.32 q3, [%[terms], #16]\n\t"
                     "dls lr, %[pairs]\n"
                     "1:\n\t"
                     "vldrw.32 q0, [%[sums]]\n\t"
                     "vadd.i32 q0, q0, q2\n\t"
                     "vldrw.32 q1, [%[sums], #16]\n\t"
                     "vadd.i32 q1, q1, q3\n\t"
                     "vstrw.32 q0, [%[sums]], #16\n\t"
                     "vstrw.32 q1, [%[sums]], #16\n\t"
                     "le lr, 1b"
                     : [sums] "+r"(sums)
                     : [terms] "r"(terms), [pairs] "r"(pairs)
                     : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < 6 * pairs; i++)
        sums[i / 6 * 8 + 2 + i % 6] += row[i % 6 / 2];
#endif
}

#endif
