/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise 3x3 for Armv8.1-M with MVE. A strip holds four rows of up to 16 channels: for each column 64 bytes, in
 * which each channel has a word of four bytes, one of each row. So a gathering load of four words is a window of four
 * rows by four columns of one channel, which meets all taps of a filter in one VMLADAV.
 *
 * A record has what is constant of one channel in five words: three columns of taps, with the first row in the lowest
 * byte and nothing in the highest, bias and multiplier.
 */
#ifndef MCUQ_MVE_DEPTHWISE_3X3_H
#define MCUQ_MVE_DEPTHWISE_3X3_H

#include "mcuq_mve.h"

/* item mcuq_mve_strip: needs MCUQ_GNU, MCUQ_NOINLINE; cpu mve; code 501 */
/* Rows row to row + 3 of `channels` (up to 16) channels into the columns of a strip. x is the first pixel of row 0;
 * where a row is not one of in_rows, `padding` has 16 bytes for it. */
MCUQ_NOINLINE
static void mcuq_mve_strip(int8_t *strip, const int8_t *x, int32_t row, int32_t in_rows, int32_t x_row, int32_t x_step,
                           int32_t columns, int32_t channels, const int8_t *padding)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const uint32_t n_rows = (uint32_t)in_rows;
    const int32_t s0 = (uint32_t)row < n_rows ? x_step : 0;
    const int32_t s1 = (uint32_t)row + 1 < n_rows ? x_step : 0;
    const int32_t s2 = (uint32_t)row + 2 < n_rows ? x_step : 0;
    const int32_t s3 = (uint32_t)row + 3 < n_rows ? x_step : 0;
    const int8_t *p0 = s0 ? x + row * x_row : padding;
    const int8_t *p1 = s1 ? x + (row + 1) * x_row : padding;
    const int8_t *p2 = s2 ? x + (row + 2) * x_row : padding;
    const int8_t *p3 = s3 ? x + (row + 3) * x_row : padding;

    __asm__ volatile("vctp.8 %[channels]\n\t"
                     "dls lr, %[columns]\n"
                     "1:\n\t"
                     "vpstttt\n\t"
                     "vldrbt.8 q0, [%[p0]]\n\t"
                     "vldrbt.8 q1, [%[p1]]\n\t"
                     "vldrbt.8 q2, [%[p2]]\n\t"
                     "vldrbt.8 q3, [%[p3]]\n\t"
                     "add %[p0], %[p0], %[s0]\n\t"
                     "vst40.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[p1], %[p1], %[s1]\n\t"
                     "vst41.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[p2], %[p2], %[s2]\n\t"
                     "vst42.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[p3], %[p3], %[s3]\n\t"
                     "vst43.8 {q0, q1, q2, q3}, [%[strip]]!\n\t"
                     "le lr, 1b"
                     : [strip] "+&r"(strip), [p0] "+&r"(p0), [p1] "+&r"(p1), [p2] "+&r"(p2), [p3] "+&r"(p3)
                     : [s0] "r"(s0), [s1] "r"(s1), [s2] "r"(s2), [s3] "r"(s3), [columns] "r"(columns),
                       [channels] "r"(channels)
                     : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
#else
    for (int32_t column = 0; column < columns; column++)
        for (int32_t c = 0; c < channels; c++)
            for (int32_t ky = 0; ky < 4; ky++) {
                const int32_t iy = row + ky;
                const int is_inside = iy >= 0 && iy < in_rows;
                strip[64 * column + 4 * c + ky] = is_inside ? x[iy * x_row + column * x_step + c] : padding[c];
            }
#endif
}
#endif
