/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of a matrix of weights with pixels of up to 32 taps, for Armv8.1-M with MVE. Pixels stay in registers while
 * weights pass by; sums become int8 without a way through memory.
 *
 * A block has what is constant of four channels, in words: a row of taps of channels 0, 2, 1 and 3, with zeros up to 16
 * or 32 bytes, then four biases and four multipliers. The order is that of lanes which VMOV fills in pairs. Where the
 * number of channels is not a multiple of four, the last block is of the last four: some are computed twice.
 */
#ifndef MCUQ_MVE_PIXELS_H
#define MCUQ_MVE_PIXELS_H

#include "mcuq_mve.h"

/* item mcuq_mve_pixels_16: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize; cpu mve; stack 28; code 846 */
/* All of `channels` (at least 4) outputs of each of `pixels` (at least 3) pixels of up to 16 taps, x_step bytes apart.
 * Clamps to int8.
 *
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8.
 *
 * Three pixels by four channels: 43 instructions for 12 outputs. Where pixels are left, the last three are computed. */
MCUQ_NOINLINE
static void mcuq_mve_pixels_16(const int8_t *x, int32_t x_step, int32_t pixels, int32_t taps, const int32_t *blocks,
                               int32_t channels, int32_t shift, int32_t zero_point, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    const int32_t back = channels % 4 ? 4 - channels % 4 : 0;
    int32_t left = pixels;
    int32_t walk[7] = {(int32_t)x, x_step, (int32_t)blocks, channels / 4, channels, back, pixels / 3};

    for (;;) {
        int8_t *y0, *y1, *y2 = y;
        const int32_t *block;
        int32_t a0 = taps, a1, a2, b0, b1, b2;

        __asm__ volatile("vctp.8 %[a0]\n"
                         "1:\n\t"
                         "ldrd %[a0], %[a1], [%[walk]]\n\t"
                         "ldr %[block], [%[walk], #8]\n\t"
                         "add %[a2], %[a0], %[a1]\n\t"
                         "add %[b0], %[a2], %[a1]\n\t"
                         "ldrd lr, %[b1], [%[walk], #12]\n\t"
                         "vpsttt\n\t"
                         "vldrbt.8 q0, [%[a0]]\n\t"
                         "vldrbt.8 q1, [%[a2]]\n\t"
                         "vldrbt.8 q2, [%[b0]]\n\t"
                         "add %[b0], %[b0], %[a1]\n\t"
                         "str %[b0], [%[walk]]\n\t"
                         "mov %[y0], %[y2]\n\t"
                         "add %[y1], %[y0], %[b1]\n\t"
                         "add %[y2], %[y1], %[b1]\n\t"
                         "dls lr, lr\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladav.s8 %[a0], q6, q0\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmladav.s8 %[b0], q7, q0\n\t"
                         "vmladav.s8 %[a1], q6, q1\n\t"
                         "vmov q3[2], q3[0], %[a0], %[b0]\n\t"
                         "vmladav.s8 %[b1], q7, q1\n\t"
                         "vmladav.s8 %[a2], q6, q2\n\t"
                         "vmov q4[2], q4[0], %[a1], %[b1]\n\t"
                         "vmladav.s8 %[b2], q7, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladav.s8 %[a0], q6, q0\n\t"
                         "vmov q5[2], q5[0], %[a2], %[b2]\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmladav.s8 %[b0], q7, q0\n\t"
                         "vmladav.s8 %[a1], q6, q1\n\t"
                         "vmov q3[3], q3[1], %[a0], %[b0]\n\t"
                         "vmladav.s8 %[b1], q7, q1\n\t"
                         "vmladav.s8 %[a2], q6, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladav.s8 %[b2], q7, q2\n\t"
                         "vmov q4[3], q4[1], %[a1], %[b1]\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vadd.i32 q3, q3, q6\n\t"
                         "vmov q5[3], q5[1], %[a2], %[b2]\n\t"
                         "vqdmlash.s32 q3, q7, %[offset]\n\t"
                         "vadd.i32 q4, q4, q6\n\t"
                         "vshl.s32 q3, %[minus_shift]\n\t"
                         "vqdmlash.s32 q4, q7, %[offset]\n\t"
                         "vadd.i32 q5, q5, q6\n\t"
                         "vqmovnb.s32 q3, q3\n\t"
                         "vqdmlash.s32 q5, q7, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnb.s16 q3, q3\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vstrb.32 q3, [%[y0]], #4\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vstrb.32 q4, [%[y1]], #4\n\t"
                         "vqmovnb.s16 q5, q5\n\t"
                         "vstrb.32 q5, [%[y2]], #4\n\t"
                         "le lr, 2b\n\t"
                         "ldrd %[a0], %[a1], [%[walk], #20]\n\t"
                         "cmp %[a0], #0\n\t"
                         "beq 3f\n\t"
                         "cmp lr, #0\n\t" /* what LE leaves is 1; 0 ends it again */
                         "beq 3f\n\t"
                         "mov lr, #0\n\t"
                         "sub %[y0], %[y0], %[a0]\n\t"
                         "sub %[y1], %[y1], %[a0]\n\t"
                         "sub %[y2], %[y2], %[a0]\n\t"
                         "b 2b\n"
                         "3:\n\t"
                         "subs %[a1], %[a1], #1\n\t"
                         "str %[a1], [%[walk], #24]\n\t"
                         "bne 1b"
                         : [a0] "+&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "=&Te"(b0), [b1] "=&Te"(b1),
                           [b2] "=&Te"(b2), [y0] "=&l"(y0), [y1] "=&l"(y1), [y2] "+&l"(y2), [block] "=&r"(block)
                         : [walk] "r"(walk), [offset] "r"(offset), [minus_shift] "r"(minus_shift)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
        left %= 3;
        if (left == 0)
            break;
        walk[0] -= (3 - left) * x_step;
        walk[6] = 1;
        y = y2 - (3 - left) * channels;
        left = 0;
    }
    (void)mcuq_requantize;
#else
    const int32_t row_words = (taps + 15) / 16 * 4;

    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t lane = oc < channels / 4 * 4 ? oc % 4 : oc - channels + 4;
            const int32_t *block = blocks + oc / 4 * (4 * row_words + 8);
            const int32_t *row = block + (lane % 2 * 2 + lane / 2) * row_words;
            int32_t acc = block[4 * row_words + lane];
            for (int32_t i = 0; i < taps; i++)
                acc += x[pixel * x_step + i] * (int8_t)((uint32_t)row[i / 4] >> (i % 4 * 8));
            y[pixel * channels + oc] =
                mcuq_requantize(acc, block[4 * row_words + 4 + lane], 0, shift, zero_point, -128, 127);
        }
#endif
}

/* item mcuq_mve_pixels_32: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_mve_pixels_16; cpu mve; stack 28; code 602 */
/* The same for 17 to 32 taps and at least 2 pixels. Two pixels by four channels: 43 instructions for 8
 * outputs. */
MCUQ_NOINLINE
static void mcuq_mve_pixels_32(const int8_t *x, int32_t x_step, int32_t pixels, int32_t taps, const int32_t *blocks,
                               int32_t channels, int32_t shift, int32_t zero_point, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    const int32_t back = channels % 4 ? 4 - channels % 4 : 0;
    int32_t left = pixels;
    int32_t walk[7] = {(int32_t)x, x_step, (int32_t)blocks, channels / 4, channels, back, pixels / 2};

    for (;;) {
        int8_t *y0, *y1 = y;
        const int32_t *block;
        int32_t a0 = taps - 16, a1, b0, b1;

        __asm__ volatile("vctp.8 %[a0]\n"
                         "1:\n\t"
                         "ldrd %[a0], %[a1], [%[walk]]\n\t"
                         "ldr %[block], [%[walk], #8]\n\t"
                         "add %[b0], %[a0], %[a1]\n\t"
                         "ldrd lr, %[b1], [%[walk], #12]\n\t"
                         "vldrb.8 q0, [%[a0]]\n\t"
                         "vldrb.8 q2, [%[b0]]\n\t"
                         "vpstt\n\t"
                         "vldrbt.8 q1, [%[a0], #16]\n\t"
                         "vldrbt.8 q3, [%[b0], #16]\n\t"
                         "add %[b0], %[b0], %[a1]\n\t"
                         "str %[b0], [%[walk]]\n\t"
                         "mov %[y0], %[y1]\n\t"
                         "add %[y1], %[y0], %[b1]\n\t"
                         "dls lr, lr\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladav.s8 %[a0], q6, q0\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmladav.s8 %[a1], q6, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladava.s8 %[a0], q7, q1\n\t"
                         "vmladava.s8 %[a1], q7, q3\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmladav.s8 %[b0], q6, q0\n\t"
                         "vmladav.s8 %[b1], q6, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladava.s8 %[b0], q7, q1\n\t"
                         "vmladava.s8 %[b1], q7, q3\n\t"
                         "vmov q4[2], q4[0], %[a0], %[b0]\n\t"
                         "vmladav.s8 %[a0], q6, q0\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmov q5[2], q5[0], %[a1], %[b1]\n\t"
                         "vmladav.s8 %[a1], q6, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladava.s8 %[a0], q7, q1\n\t"
                         "vmladava.s8 %[a1], q7, q3\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmladav.s8 %[b0], q6, q0\n\t"
                         "vmladav.s8 %[b1], q6, q2\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vmladava.s8 %[b0], q7, q1\n\t"
                         "vmladava.s8 %[b1], q7, q3\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "vmov q4[3], q4[1], %[a0], %[b0]\n\t"
                         "vadd.i32 q4, q4, q6\n\t"
                         "vmov q5[3], q5[1], %[a1], %[b1]\n\t"
                         "vqdmlash.s32 q4, q7, %[offset]\n\t"
                         "vadd.i32 q5, q5, q6\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqdmlash.s32 q5, q7, %[offset]\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vstrb.32 q4, [%[y0]], #4\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vqmovnb.s16 q5, q5\n\t"
                         "vstrb.32 q5, [%[y1]], #4\n\t"
                         "le lr, 2b\n\t"
                         "ldrd %[a0], %[a1], [%[walk], #20]\n\t"
                         "cmp %[a0], #0\n\t"
                         "beq 3f\n\t"
                         "cmp lr, #0\n\t" /* what LE leaves is 1; 0 ends it again */
                         "beq 3f\n\t"
                         "mov lr, #0\n\t"
                         "sub %[y0], %[y0], %[a0]\n\t"
                         "sub %[y1], %[y1], %[a0]\n\t"
                         "b 2b\n"
                         "3:\n\t"
                         "subs %[a1], %[a1], #1\n\t"
                         "str %[a1], [%[walk], #24]\n\t"
                         "bne 1b"
                         : [a0] "+&Te"(a0), [a1] "=&Te"(a1), [b0] "=&Te"(b0), [b1] "=&Te"(b1), [y0] "=&l"(y0),
                           [y1] "+&l"(y1), [block] "=&r"(block)
                         : [walk] "r"(walk), [offset] "r"(offset), [minus_shift] "r"(minus_shift)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
        left %= 2;
        if (left == 0)
            break;
        walk[0] -= x_step;
        walk[6] = 1;
        y = y1 - channels;
        left = 0;
    }
#else
    mcuq_mve_pixels_16(x, x_step, pixels, taps, blocks, channels, shift, zero_point, y);
#endif
}
#endif
