/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products to int8 for Armv8.1-M with MVE. */
#ifndef MCUQ_MVE_REQUANTIZE_H
#define MCUQ_MVE_REQUANTIZE_H

#include "mcuq_mve.h"

/* item mcuq_mve_requantize_sums: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize; cpu mve; code 824 */
/* Sums of mcuq_mve_dot_2x3 for `pixels` (1 to 3) as int8, `channels` bytes a pixel, `y_step` from one to the next.
 *
 * 16 channels at a time: sums of channels 0, 4, 8, 12, of 1, 5, 9, 13 and so on are gathered into one vector
 * each, so that narrowing to the bottom and top halves of lanes brings them in order. Multipliers lie in that
 * order, and `sums` and `multiplier` reach to a multiple of 16 channels.
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8. */
MCUQ_NOINLINE
static void mcuq_mve_requantize_sums(const int32_t *sums, const int32_t *multiplier, int32_t channels, int32_t pixels,
                                     int32_t shift, int32_t zero_point, int32_t output_min, int32_t output_max,
                                     int32_t y_step, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t next_group = 256 - 8 * pixels;
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    int32_t left = channels;
    int32_t lane = 0;
    int8_t *pixel;

    const int is_full = output_min == -128 && output_max == 127; /* a constant */

    if (is_full)
        __asm__ volatile("vidup.u32 q7, %[lane], #8\n\t"
                         "vshl.i32 q7, q7, #3\n\t"
                         "vadd.i32 q7, q7, %[sums]\n"
                         "1:\n\t"
                         "vctp.8 %[left]\n\t"
                         "vldrw.u32 q0, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q2, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q3, [%[multiplier]], #16\n\t"
                         "mov %[pixel], %[y]\n\t"
                         "dls lr, %[pixels]\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [q7, #40]\n\t"
                         "vqdmlash.s32 q6, q2, %[offset]\n\t"
                         "vshl.s32 q6, %[minus_shift]\n\t"
                         "vldrw.u32 q5, [q7, #12]\n\t"
                         "vqdmlash.s32 q5, q1, %[offset]\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vldrw.u32 q4, [q7, #44]\n\t"
                         "vqdmlash.s32 q4, q3, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnt.s32 q5, q4\n\t"
                         "vldrw.u32 q4, [q7, #8]!\n\t"
                         "vqdmlash.s32 q4, q0, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vqmovnt.s32 q4, q6\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vqmovnt.s16 q4, q5\n\t"
                         "vpst\n\t"
                         "vstrbt.8 q4, [%[pixel]]\n\t"
                         "add %[pixel], %[pixel], %[y_step]\n\t"
                         "le lr, 2b\n\t"
                         "vadd.i32 q7, q7, %[next_group]\n\t"
                         "adds %[y], %[y], #16\n\t"
                         "subs %[left], %[left], #16\n\t"
                         "bgt 1b"
                         : [lane] "+&Te"(lane), [left] "+&r"(left), [multiplier] "+&r"(multiplier), [y] "+&r"(y),
                           [pixel] "=&r"(pixel)
                         : [sums] "r"(sums), [pixels] "r"(pixels), [y_step] "r"(y_step),
                           [minus_shift] "r"(minus_shift), [offset] "r"(offset), [next_group] "r"(next_group)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    else
        __asm__ volatile("vidup.u32 q7, %[lane], #8\n\t"
                         "vshl.i32 q7, q7, #3\n\t"
                         "vadd.i32 q7, q7, %[sums]\n"
                         "1:\n\t"
                         "vctp.8 %[left]\n\t"
                         "vldrw.u32 q0, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q2, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q3, [%[multiplier]], #16\n\t"
                         "mov %[pixel], %[y]\n\t"
                         "dls lr, %[pixels]\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [q7, #40]\n\t"
                         "vqdmlash.s32 q6, q2, %[offset]\n\t"
                         "vshl.s32 q6, %[minus_shift]\n\t"
                         "vldrw.u32 q5, [q7, #12]\n\t"
                         "vqdmlash.s32 q5, q1, %[offset]\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vldrw.u32 q4, [q7, #44]\n\t"
                         "vqdmlash.s32 q4, q3, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnt.s32 q5, q4\n\t"
                         "vldrw.u32 q4, [q7, #8]!\n\t"
                         "vqdmlash.s32 q4, q0, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vqmovnt.s32 q4, q6\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vqmovnt.s16 q4, q5\n\t"
                         "vdup.8 q5, %[output_min]\n\t"
                         "vmax.s8 q4, q4, q5\n\t"
                         "vdup.8 q5, %[output_max]\n\t"
                         "vmin.s8 q4, q4, q5\n\t"
                         "vpst\n\t"
                         "vstrbt.8 q4, [%[pixel]]\n\t"
                         "add %[pixel], %[pixel], %[y_step]\n\t"
                         "le lr, 2b\n\t"
                         "vadd.i32 q7, q7, %[next_group]\n\t"
                         "adds %[y], %[y], #16\n\t"
                         "subs %[left], %[left], #16\n\t"
                         "bgt 1b"
                         : [lane] "+&Te"(lane), [left] "+&r"(left), [multiplier] "+&r"(multiplier), [y] "+&r"(y),
                           [pixel] "=&r"(pixel)
                         : [sums] "r"(sums), [pixels] "r"(pixels), [y_step] "r"(y_step),
                           [minus_shift] "r"(minus_shift), [offset] "r"(offset), [output_min] "r"(output_min),
                           [output_max] "r"(output_max), [next_group] "r"(next_group)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    (void)mcuq_requantize;
#else
    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t acc = sums[oc / 2 * 8 + 2 + 2 * pixel + oc % 2];
            const int32_t factor = multiplier[oc / 16 * 16 + oc % 4 * 4 + oc % 16 / 4];
            y[pixel * y_step + oc] = mcuq_requantize(acc, factor, 0, shift, zero_point, output_min, output_max);
        }
#endif
}
#endif
