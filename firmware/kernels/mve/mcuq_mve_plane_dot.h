/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution with a window of one or three rows for Armv8.1-M with MVE: the taps of a row are the lanes of
 * a vector, against a plane of mcuq_mve_gather.
 */
#ifndef MCUQ_MVE_PLANE_DOT_H
#define MCUQ_MVE_PLANE_DOT_H

#include "mcuq_mve.h"

/* item mcuq_mve_depthwise_dot_1_1: needs MCUQ_GNU, mcuq_requantize, mcuq_mve_hold; cpu mve; code 487 */
/* One row of `columns` outputs, 1 apart, of a window of one row of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
static inline void mcuq_mve_depthwise_dot_1_1(const int8_t *plane, int32_t plane_row, const int8_t *weight,
                                              int32_t taps, int32_t bias, int32_t multiplier, int32_t shift,
                                              int32_t zero_point, int8_t *y, int32_t y_step, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    (void)plane_row;
    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 1; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 1 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* item mcuq_mve_depthwise_dot_1_2: needs MCUQ_GNU, mcuq_requantize, mcuq_mve_hold; cpu mve; code 487 */
/* One row of `columns` outputs, 2 apart, of a window of one row of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
static inline void mcuq_mve_depthwise_dot_1_2(const int8_t *plane, int32_t plane_row, const int8_t *weight,
                                              int32_t taps, int32_t bias, int32_t multiplier, int32_t shift,
                                              int32_t zero_point, int8_t *y, int32_t y_step, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    (void)plane_row;
    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 1; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 2 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* item mcuq_mve_depthwise_dot_3_1: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize, mcuq_mve_hold; cpu mve; code 586 */
/* One row of `columns` outputs, 1 apart, of a window of three rows of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
MCUQ_NOINLINE
static void mcuq_mve_depthwise_dot_3_1(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                       int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                       int32_t y_step, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    const int8_t *plane1 = plane + plane_row;
    const int8_t *plane2 = plane1 + plane_row;
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q1, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q2, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a0], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a0], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a1], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a1], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a2], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a2], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a3], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a3], q2, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [plane1] "+&r"(plane1), [plane2] "+&r"(plane2), [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 3; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 1 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* item mcuq_mve_depthwise_dot_3_2: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize, mcuq_mve_hold; cpu mve; code 586 */
/* One row of `columns` outputs, 2 apart, of a window of three rows of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
MCUQ_NOINLINE
static void mcuq_mve_depthwise_dot_3_2(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                       int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                       int32_t y_step, int32_t columns)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    const int8_t *plane1 = plane + plane_row;
    const int8_t *plane2 = plane1 + plane_row;
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q1, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q2, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a0], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a0], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a1], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a1], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a2], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a2], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a3], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a3], q2, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [plane1] "+&r"(plane1), [plane2] "+&r"(plane2), [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 3; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 2 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}
#endif
