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

/* item mcuq_mve_depthwise_2x2: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize; cpu mve; stack 56; code 763 */
/* Two rows of `columns` (at least 4) outputs of a 3x3 window with stride 1, of each of `channels` of a strip. Clamps to
 * int8. y_row + 3 * y_step < 2^16.
 *
 * A window has all that 2x2 outputs read: a load and four VMLADAV, with the taps moved by a row, a column, or both. Two
 * windows are requantized together, so that the lanes are the outputs of four columns.
 *
 * The assembly finds in `walk` what has no register: where the lanes begin to read, less one step; how many times four
 * columns there are; where some are left, by how many bytes y and the lanes step back so that four more end with the
 * last; from the end of a channel to the next, for lanes and y; the end of the records. */
MCUQ_NOINLINE
static void mcuq_mve_depthwise_2x2(const int32_t *record, int32_t channels, const int8_t *strip, int32_t columns,
                                   int32_t shift, int32_t zero_point, int8_t *y, int32_t y_row, int32_t y_step)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t next_y = 4 * y_step;
    const int32_t minus_shift = -1 - shift;
    const int32_t back = columns % 4 ? 4 - columns % 4 : 0;
    const int32_t first = (int32_t)strip - 128;
    const uint32_t twice = 65537, later = (uint32_t)y_step << 17, row = (uint32_t)y_row, step = (uint32_t)y_step;
    /* See above; then where outputs go: columns 0 and 2, 1 and 3, the same of the second row, in halves of words. */
    const int32_t walk[14] = {
        first, first + 64, first + 128, first + 192,
        columns / 4, back * y_step, 64 * back, 4 - 64 * columns, 1 - columns * y_step, (int32_t)(record + 5 * channels),
        (int32_t)later, (int32_t)(later + step * twice), (int32_t)(later + row * twice),
        (int32_t)(later + (row + step) * twice)
    };
    int32_t a0, a1, a2, a3, bias, multiplier;

    __asm__ volatile("vldrw.u32 q7, [%[walk], #40]\n\t"
                     "vldrw.u32 q5, [%[walk]]\n"
                     "1:\n\t"
                     "vldrw.u32 q0, [%[record]], #12\n\t"
                     "mov %[a0], #0\n\t"
                     "vmov.32 q0[3], %[a0]\n\t"
                     "vmov q2, q0\n\t"
                     "vshlc q2, %[a0], #32\n\t"
                     "vshl.i32 q1, q0, #8\n\t"
                     "vshl.i32 q3, q2, #8\n\t"
                     "ldr lr, [%[walk], #16]\n\t"
                     "ldrd %[bias], %[multiplier], [%[record]], #8\n\t"
                     "dls lr, lr\n"
                     "2:\n\t"
                     "vldrw.u32 q4, [q5, #128]!\n\t"
                     "vmladav.s8 %[a0], q0, q4\n\t"
                     "vmladav.s8 %[a1], q2, q4\n\t"
                     "vmladav.s8 %[a2], q1, q4\n\t"
                     "vmladav.s8 %[a3], q3, q4\n\t"
                     "vldrw.u32 q6, [q5, #128]!\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmladav.s8 %[a0], q0, q6\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vmladav.s8 %[a1], q2, q6\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmladav.s8 %[a2], q1, q6\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vmladav.s8 %[a3], q3, q6\n\t"
                     "vrshl.s32 q4, %[minus_shift]\n\t"
                     "vmov q6[2], q6[0], %[a0], %[a2]\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vmov q6[3], q6[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q6, q6, %[bias]\n\t"
                     "vqdmulh.s32 q6, q6, %[multiplier]\n\t"
                     "vrshl.s32 q6, %[minus_shift]\n\t"
                     "vqmovnt.s32 q4, q6\n\t"
                     "vqadd.s16 q4, q4, %[zero_point]\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vstrb.16 q4, [%[y], q7]\n\t"
                     "add %[y], %[y], %[next_y]\n\t"
                     "le lr, 2b\n\t"
                     "ldrd %[a0], %[a1], [%[walk], #20]\n\t"
                     "cmp %[a0], #0\n\t"
                     "beq 3f\n\t"
                     "cmp lr, #0\n\t" /* what LE leaves is 1; 0 ends it again */
                     "beq 3f\n\t"
                     "mov lr, #0\n\t"
                     "sub %[y], %[y], %[a0]\n\t"
                     "vsub.i32 q5, q5, %[a1]\n\t"
                     "b 2b\n"
                     "3:\n\t"
                     "ldrd %[a0], %[a1], [%[walk], #28]\n\t"
                     "ldr %[a2], [%[walk], #36]\n\t"
                     "add %[y], %[y], %[a1]\n\t"
                     "vadd.i32 q5, q5, %[a0]\n\t"
                     "cmp %[record], %[a2]\n\t"
                     "bne 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3), [record] "+&r"(record),
                       [y] "+&r"(y), [bias] "=&r"(bias), [multiplier] "=&r"(multiplier)
                     : [walk] "r"(walk), [next_y] "r"(next_y), [minus_shift] "r"(minus_shift),
                       [zero_point] "r"(zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    for (int32_t c = 0; c < channels; c++, record += 5)
        for (int32_t row = 0; row < 2; row++)
            for (int32_t column = 0; column < columns; column++) {
                const int8_t *window = strip + 64 * column + 4 * c + row;
                int32_t acc = record[3];
                for (int32_t ky = 0; ky < 3; ky++)
                    for (int32_t kx = 0; kx < 3; kx++)
                        acc += window[64 * kx + ky] * (int8_t)((uint32_t)record[kx] >> (8 * ky));
                y[row * y_row + column * y_step + c] =
                    mcuq_requantize(acc, record[4], 0, shift, zero_point, -128, 127);
            }
#endif
}

/* item mcuq_mve_depthwise_1x4: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize; cpu mve; stack 56; code 659 */
/* One row of `columns` (at least 4) outputs of a 3x3 window, two columns apart, of each of `channels` of a strip.
 * Clamps to int8. A load and a VMLADAV make an output. */
MCUQ_NOINLINE
static void mcuq_mve_depthwise_1x4(const int32_t *record, int32_t channels, const int8_t *strip, int32_t columns,
                                   int32_t shift, int32_t zero_point, int8_t *y, int32_t y_step)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t next_y = 4 * y_step;
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    const int32_t back = columns % 4 ? 4 - columns % 4 : 0;
    const int32_t first = (int32_t)strip - 128;
    /* As of mcuq_mve_depthwise_2x2; then where outputs go. */
    const int32_t walk[14] = {
        first, first + 64, first + 128, first + 192,
        columns / 4, back * y_step, 128 * back, 4 - 128 * columns, 1 - columns * y_step,
        (int32_t)(record + 5 * channels), 0, y_step, 2 * y_step, 3 * y_step
    };
    int32_t a0, a1, a2, a3, bias, multiplier;

    __asm__ volatile("vldrw.u32 q7, [%[walk], #40]\n\t"
                     "vldrw.u32 q5, [%[walk]]\n"
                     "1:\n\t"
                     "vldrw.u32 q0, [%[record]], #12\n\t"
                     "mov %[a0], #0\n\t"
                     "vmov.32 q0[3], %[a0]\n\t"
                     "ldr lr, [%[walk], #16]\n\t"
                     "ldrd %[bias], %[multiplier], [%[record]], #8\n\t"
                     "vdup.32 q6, %[multiplier]\n\t"
                     "dls lr, lr\n"
                     "2:\n\t"
                     "vldrw.u32 q1, [q5, #128]!\n\t"
                     "vmladav.s8 %[a0], q0, q1\n\t"
                     "vldrw.u32 q2, [q5, #128]!\n\t"
                     "vmladav.s8 %[a1], q0, q2\n\t"
                     "vldrw.u32 q1, [q5, #128]!\n\t"
                     "vmladav.s8 %[a2], q0, q1\n\t"
                     "vldrw.u32 q2, [q5, #128]!\n\t"
                     "vmladav.s8 %[a3], q0, q2\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vqdmlash.s32 q4, q6, %[offset]\n\t"
                     "vshl.s32 q4, %[minus_shift]\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vstrb.32 q4, [%[y], q7]\n\t"
                     "add %[y], %[y], %[next_y]\n\t"
                     "le lr, 2b\n\t"
                     "ldrd %[a0], %[a1], [%[walk], #20]\n\t"
                     "cmp %[a0], #0\n\t"
                     "beq 3f\n\t"
                     "cmp lr, #0\n\t" /* what LE leaves is 1; 0 ends it again */
                     "beq 3f\n\t"
                     "mov lr, #0\n\t"
                     "sub %[y], %[y], %[a0]\n\t"
                     "vsub.i32 q5, q5, %[a1]\n\t"
                     "b 2b\n"
                     "3:\n\t"
                     "ldrd %[a0], %[a1], [%[walk], #28]\n\t"
                     "ldr %[a2], [%[walk], #36]\n\t"
                     "add %[y], %[y], %[a1]\n\t"
                     "vadd.i32 q5, q5, %[a0]\n\t"
                     "cmp %[record], %[a2]\n\t"
                     "bne 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3), [record] "+&r"(record),
                       [y] "+&r"(y), [bias] "=&r"(bias), [multiplier] "=&r"(multiplier)
                     : [walk] "r"(walk), [next_y] "r"(next_y), [minus_shift] "r"(minus_shift), [offset] "r"(offset)
                     : "q0", "q1", "q2", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    for (int32_t c = 0; c < channels; c++, record += 5)
        for (int32_t column = 0; column < columns; column++) {
            const int8_t *window = strip + 128 * column + 4 * c;
            int32_t acc = record[3];
            for (int32_t ky = 0; ky < 3; ky++)
                for (int32_t kx = 0; kx < 3; kx++)
                    acc += window[64 * kx + ky] * (int8_t)((uint32_t)record[kx] >> (8 * ky));
            y[column * y_step + c] = mcuq_requantize(acc, record[4], 0, shift, zero_point, -128, 127);
        }
#endif
}
#endif
