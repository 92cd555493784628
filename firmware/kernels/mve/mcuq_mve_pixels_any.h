/* SPDX-License-Identifier: Apache-2.0 */
/* Products of a matrix of weights with pixels of more than 32 taps, for Armv8.1-M with MVE; see mcuq_mve_pixels.h. */
#ifndef MCUQ_MVE_PIXELS_ANY_H
#define MCUQ_MVE_PIXELS_ANY_H

#include "mcuq_mve.h"

/* item mcuq_mve_pixels_any: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize; cpu mve; stack 64; code 1192 */
/* All of `channels` (at least 4) outputs of each of `pixels` pixels of more than 32 taps, x_step bytes apart. Clamps to
 * int8. Three pixels by four channels: for each 16 taps five loads and six VMLADAV, twice. A block has 16 taps of
 * channel 0, 16 of channel 2 and so on to the end of their rows, then the same of channels 1 and 3.
 *
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8.
 *
 * The assembly finds in `walk` what has no register: three pixels; the blocks; how many there are, and are left; how
 * many times to take two vectors of taps between the first and the last, and whether to begin with the second of them;
 * offset and shift; y, from pixel to pixel, and back where the last block has channels of the one before; from three
 * pixels to the next, and how often. */
MCUQ_NOINLINE
static void mcuq_mve_pixels_any(const int8_t *x, int32_t x_step, int32_t pixels, int32_t taps, const int32_t *blocks,
                                int32_t channels, int32_t shift, int32_t zero_point, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t vectors = (taps + 15) / 16;
    const int32_t back = channels % 4 ? 4 - channels % 4 : 0;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    int32_t left = pixels;

    while (left > 0) {
        /* Fewer than three pixels: the last stands for those that are not there, and is written again. */
        const int32_t second = left > 1 ? 1 : 0;
        const int32_t third = left > 2 ? 1 : 0;
        int32_t walk[16] = {
            (int32_t)x, (int32_t)(x + second * x_step), (int32_t)(x + (second + third) * x_step), (int32_t)blocks,
            (channels + 3) / 4, 0, (vectors - 1) / 2, vectors % 2, offset, -1 - shift, (int32_t)y, second * channels,
            third * channels, back, 3 * x_step, left > 2 ? left / 3 : 1
        };
        const int8_t *x0, *x1, *x2;
        const int32_t *block;
        int32_t a0 = (taps - 1) % 16 + 1, a1, a2, b0, b1, b2;

        __asm__ volatile("vctp.8 %[a0]\n"
                         "1:\n\t"
                         "ldrd %[block], %[a0], [%[walk], #12]\n\t"
                         "str %[a0], [%[walk], #20]\n"
                         "2:\n\t"
                         "ldrd lr, %[a0], [%[walk], #24]\n\t"
                         "ldrd %[x0], %[x1], [%[walk]]\n\t"
                         "ldr %[x2], [%[walk], #8]\n\t"
                         "cmp %[a0], #0\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladav.s8 %[a0], q3, q5\n\t"
                         "vmladav.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladav.s8 %[a1], q3, q6\n\t"
                         "vmladav.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladav.s8 %[a2], q3, q7\n\t"
                         "vmladav.s8 %[b2], q4, q7\n\t"
                         "dls lr, lr\n\t"
                         "bne 4f\n"
                         "3:\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n"
                         "4:\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n\t"
                         "le lr, 3b\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vpsttt\n\t"
                         "vldrbt.8 q5, [%[x0]]\n\t"
                         "vldrbt.8 q6, [%[x1]]\n\t"
                         "vldrbt.8 q7, [%[x2]]\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n\t"
                         "vmov q0[2], q0[0], %[a0], %[b0]\n\t"
                         "vmov q1[2], q1[0], %[a1], %[b1]\n\t"
                         "vmov q2[2], q2[0], %[a2], %[b2]\n\t"
                         "ldrd lr, %[a0], [%[walk], #24]\n\t"
                         "ldrd %[x0], %[x1], [%[walk]]\n\t"
                         "ldr %[x2], [%[walk], #8]\n\t"
                         "cmp %[a0], #0\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladav.s8 %[a0], q3, q5\n\t"
                         "vmladav.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladav.s8 %[a1], q3, q6\n\t"
                         "vmladav.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladav.s8 %[a2], q3, q7\n\t"
                         "vmladav.s8 %[b2], q4, q7\n\t"
                         "dls lr, lr\n\t"
                         "bne 6f\n"
                         "5:\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n"
                         "6:\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vldrb.8 q5, [%[x0]], #16\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vldrb.8 q6, [%[x1]], #16\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vldrb.8 q7, [%[x2]], #16\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n\t"
                         "le lr, 5b\n\t"
                         "vldrw.u32 q3, [%[block]], #16\n\t"
                         "vldrw.u32 q4, [%[block]], #16\n\t"
                         "vpsttt\n\t"
                         "vldrbt.8 q5, [%[x0]]\n\t"
                         "vldrbt.8 q6, [%[x1]]\n\t"
                         "vldrbt.8 q7, [%[x2]]\n\t"
                         "vmladava.s8 %[a0], q3, q5\n\t"
                         "vmladava.s8 %[b0], q4, q5\n\t"
                         "vmladava.s8 %[a1], q3, q6\n\t"
                         "vmladava.s8 %[b1], q4, q6\n\t"
                         "vmladava.s8 %[a2], q3, q7\n\t"
                         "vmladava.s8 %[b2], q4, q7\n\t"
                         "vmov q0[3], q0[1], %[a0], %[b0]\n\t"
                         "vmov q1[3], q1[1], %[a1], %[b1]\n\t"
                         "vmov q2[3], q2[1], %[a2], %[b2]\n\t"
                         "vldrw.u32 q6, [%[block]], #16\n\t"
                         "vldrw.u32 q7, [%[block]], #16\n\t"
                         "ldrd %[a0], %[a1], [%[walk], #32]\n\t"
                         "ldrd %[x0], %[a2], [%[walk], #40]\n\t"
                         "ldrd %[b0], %[b1], [%[walk], #48]\n\t"
                         "ldr %[b2], [%[walk], #20]\n\t"
                         "vadd.i32 q0, q0, q6\n\t"
                         "vadd.i32 q1, q1, q6\n\t"
                         "vadd.i32 q2, q2, q6\n\t"
                         "vqdmlash.s32 q0, q7, %[a0]\n\t"
                         "vqdmlash.s32 q1, q7, %[a0]\n\t"
                         "vqdmlash.s32 q2, q7, %[a0]\n\t"
                         "add %[x1], %[x0], %[a2]\n\t"
                         "add %[x2], %[x1], %[b0]\n\t"
                         "vshl.s32 q0, %[a1]\n\t"
                         "vshl.s32 q1, %[a1]\n\t"
                         "vshl.s32 q2, %[a1]\n\t"
                         "vqmovnb.s32 q0, q0\n\t"
                         "vqmovnb.s32 q1, q1\n\t"
                         "vqmovnb.s32 q2, q2\n\t"
                         "vqmovnb.s16 q0, q0\n\t"
                         "vqmovnb.s16 q1, q1\n\t"
                         "vqmovnb.s16 q2, q2\n\t"
                         "vstrb.32 q0, [%[x0]], #4\n\t"
                         "vstrb.32 q1, [%[x1]]\n\t"
                         "vstrb.32 q2, [%[x2]]\n\t"
                         "subs %[b2], %[b2], #1\n\t"
                         "str %[b2], [%[walk], #20]\n\t"
                         "cmp %[b2], #1\n\t"
                         "it eq\n\t"
                         "subeq %[x0], %[x0], %[b1]\n\t"
                         "str %[x0], [%[walk], #40]\n\t"
                         "bhs 2b\n\t"
                         "ldrd %[b0], %[b1], [%[walk], #56]\n\t"
                         "ldrd %[x1], %[x2], [%[walk]]\n\t"
                         "add %[x0], %[x0], %[a2], lsl #1\n\t"
                         "str %[x0], [%[walk], #40]\n\t"
                         "ldr %[a0], [%[walk], #8]\n\t"
                         "add %[x1], %[x1], %[b0]\n\t"
                         "add %[x2], %[x2], %[b0]\n\t"
                         "add %[a0], %[a0], %[b0]\n\t"
                         "strd %[x1], %[x2], [%[walk]]\n\t"
                         "str %[a0], [%[walk], #8]\n\t"
                         "subs %[b1], %[b1], #1\n\t"
                         "str %[b1], [%[walk], #60]\n\t"
                         "bne 1b"
                         : [a0] "+&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "=&Te"(b0), [b1] "=&Te"(b1),
                           [b2] "=&Te"(b2), [x0] "=&l"(x0), [x1] "=&l"(x1), [x2] "=&l"(x2), [block] "=&r"(block)
                         : [walk] "r"(walk)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
        if (left <= 3)
            break;
        x += left / 3 * 3 * x_step;
        y += left / 3 * 3 * channels;
        left %= 3;
    }
    (void)mcuq_requantize;
#else
    const int32_t vectors = (taps + 15) / 16;

    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t lane = oc < channels / 4 * 4 ? oc % 4 : oc - channels + 4;
            const int32_t *block = blocks + oc / 4 * (16 * vectors + 8);
            const int32_t *row = block + lane % 2 * 8 * vectors + lane / 2 * 4;
            int32_t acc = block[16 * vectors + lane];
            for (int32_t i = 0; i < taps; i++)
                acc += x[pixel * x_step + i] * (int8_t)((uint32_t)row[i / 16 * 8 + i % 16 / 4] >> (i % 4 * 8));
            y[pixel * channels + oc] =
                mcuq_requantize(acc, block[16 * vectors + 4 + lane], 0, shift, zero_point, -128, 127);
        }
#endif
}
#endif
