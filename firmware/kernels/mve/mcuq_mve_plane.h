/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution with any window for Armv8.1-M with MVE: a channel is gathered into a plane with its padding;
 * columns are the lanes of a vector.
 */
#ifndef MCUQ_MVE_PLANE_H
#define MCUQ_MVE_PLANE_H

#include "mcuq_mve.h"

/* item mcuq_mve_gather: needs MCUQ_GNU; cpu mve; code 314 */
/* For each of `rows` rows: `columns` bytes that lie x_step bytes apart (7 * x_step < 2^16), one after the other. */
static inline void mcuq_mve_gather(int8_t *plane, int32_t plane_row, const int8_t *x, int32_t x_row, int32_t x_step,
                                   int32_t columns, int32_t rows)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t next = 8 * x_step;
    int32_t lane = 0;
    const int8_t *from;
    int8_t *to;

    if (rows <= 0)
        return;
    __asm__ volatile("vidup.u16 q1, %[lane], #1\n\t"
                     "vmul.i16 q1, q1, %[x_step]\n"
                     "1:\n\t"
                     "mov %[from], %[x]\n\t"
                     "mov %[to], %[plane]\n\t"
                     "wlstp.16 lr, %[columns], 3f\n"
                     "2:\n\t"
                     "vldrb.u16 q0, [%[from], q1]\n\t"
                     "add %[from], %[from], %[next]\n\t"
                     "vstrb.16 q0, [%[to]], #8\n\t"
                     "letp lr, 2b\n"
                     "3:\n\t"
                     "add %[x], %[x], %[x_row]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "subs %[rows], %[rows], #1\n\t"
                     "bne 1b"
                     : [lane] "+&Te"(lane), [from] "=&r"(from), [to] "=&l"(to), [x] "+&r"(x), [plane] "+&r"(plane),
                       [rows] "+&r"(rows)
                     : [x_step] "r"(x_step), [columns] "r"(columns), [next] "r"(next), [x_row] "r"(x_row),
                       [plane_row] "r"(plane_row)
                     : "q0", "q1", "lr", "cc", "memory");
#else
    for (int32_t row = 0; row < rows; row++)
        for (int32_t i = 0; i < columns; i++)
            plane[row * plane_row + i] = x[row * x_row + i * x_step];
#endif
}

/* item mcuq_mve_depthwise_row: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize, mcuq_mve_hold; cpu mve; code 684 */
/* One row of `columns` outputs of any window of one channel, from a plane whose rows are plane_row bytes, eight
 * columns at a time. Reads the plane up to the windows of a multiple of eight columns. */
MCUQ_NOINLINE
static void mcuq_mve_depthwise_row(const int8_t *plane, int32_t plane_row, int32_t stride, const int8_t *weight,
                                   int32_t kernel_rows, int32_t kernel_columns, int32_t bias, int32_t multiplier,
                                   int32_t shift, int32_t zero_point, int32_t output_min, int32_t output_max,
                                   int8_t *y, int32_t y_step, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    for (int32_t left = columns; left > 0; left -= 8) {
        const float held_shift = mcuq_mve_hold(-shift);
        const float held_zero_point = mcuq_mve_hold(zero_point);
        const float held_min = mcuq_mve_hold(output_min);
        const float held_max = mcuq_mve_hold(output_max);
        const float held_multiplier = mcuq_mve_hold(multiplier);
        const float held_left = mcuq_mve_hold(left);
        const float held_y_step = mcuq_mve_hold(y_step);
        const int32_t next_row = plane_row - kernel_columns;
        const int8_t *from = plane;
        const int8_t *w = weight;
        int32_t rows_left = kernel_rows;
        int32_t lane = 0;
        int32_t tap = stride;
        int8_t *const to = y;

        __asm__ volatile("vidup.u32 q5, %[lane], #1\n\t"
                         "mov %[lane], #0\n\t"
                         "vmul.i32 q5, q5, %[tap]\n\t"
                         "lsl %[tap], %[tap], #2\n\t"
                         "vadd.i32 q6, q5, %[tap]\n\t"
                         "vdup.32 q0, %[bias]\n\t"
                         "vdup.32 q1, %[bias]\n"
                         "1:\n\t"
                         "dls lr, %[kernel_columns]\n"
                         "2:\n\t"
                         "ldrsb %[tap], [%[w]], #1\n\t"
                         "vldrb.s32 q2, [%[from], q5]\n\t"
                         "vmla.s32 q0, q2, %[tap]\n\t"
                         "vldrb.s32 q3, [%[from], q6]\n\t"
                         "add %[from], %[from], #1\n\t"
                         "vmla.s32 q1, q3, %[tap]\n\t"
                         "le lr, 2b\n\t"
                         "add %[from], %[from], %[next_row]\n\t"
                         "subs %[rows_left], %[rows_left], #1\n\t"
                         "bne 1b\n\t"
                         "vidup.u32 q5, %[lane], #1\n\t"
                         "vmov %[tap], %[held_y_step]\n\t"
                         "vmul.i32 q5, q5, %[tap]\n\t"
                         "vmov %[w], %[held_multiplier]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmulh.s32 q0, q0, q2\n\t"
                         "vmulh.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_shift]\n\t"
                         "vrshl.s32 q0, %[w]\n\t"
                         "vrshl.s32 q1, %[w]\n\t"
                         "vmov %[w], %[held_zero_point]\n\t"
                         "vadd.i32 q0, q0, %[w]\n\t"
                         "vadd.i32 q1, q1, %[w]\n\t"
                         "vmov %[w], %[held_min]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmax.s32 q0, q0, q2\n\t"
                         "vmax.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_max]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmin.s32 q0, q0, q2\n\t"
                         "vmin.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_left]\n\t"
                         "vctp.32 %[w]\n\t"
                         "add %[from], %[to], %[tap], lsl #2\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q0, [%[to], q5]\n\t"
                         "subs %[w], %[w], #4\n\t"
                         "it mi\n\t"
                         "movmi %[w], #0\n\t"
                         "vctp.32 %[w]\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q1, [%[from], q5]"
                         : [lane] "+&Te"(lane), [tap] "+&r"(tap), [w] "+&r"(w), [from] "+&r"(from),
                           [rows_left] "+&r"(rows_left)
                         : [to] "r"(to), [bias] "r"(bias), [kernel_columns] "r"(kernel_columns),
                           [next_row] "r"(next_row), [held_shift] "t"(held_shift),
                           [held_zero_point] "t"(held_zero_point), [held_min] "t"(held_min), [held_max] "t"(held_max),
                           [held_multiplier] "t"(held_multiplier), [held_left] "t"(held_left),
                           [held_y_step] "t"(held_y_step)
                         : "q0", "q1", "q2", "q3", "q5", "q6", "lr", "cc", "memory");
        plane += 8 * stride;
        y += 8 * y_step;
    }
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < kernel_rows; ky++)
            for (int32_t kx = 0; kx < kernel_columns; kx++)
                acc += plane[ky * plane_row + i * stride + kx] * weight[ky * kernel_columns + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, output_min, output_max);
    }
#endif
}
#endif
