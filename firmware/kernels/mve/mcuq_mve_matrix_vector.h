/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix times vector for Armv8.1-M with MVE. */
#ifndef MCUQ_MVE_MATRIX_VECTOR_H
#define MCUQ_MVE_MATRIX_VECTOR_H

#include "mcuq_mve.h"

/* item mcuq_mve_matrix_vector: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_requantize, mcuq_mve_hold; cpu mve; code 773 */
/* One row of outputs of a fully connected layer, four channels at a time. `bias` and `multiplier` reach to a
 * multiple of four channels. Nine instructions make 64 products. */
MCUQ_NOINLINE
static void mcuq_mve_matrix_vector(const int8_t *x, const int8_t *weight, const int32_t *bias,
                                   const int32_t *multiplier, int32_t taps, int32_t channels, int32_t shift,
                                   int32_t zero_point, int32_t output_min, int32_t output_max, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    /* The last group reads its last row again where it has fewer than four. */
    const int8_t *w0 = weight;
    const int8_t *w1 = weight + (channels > 1 ? taps : 0);
    const int8_t *w2 = weight + (channels > 2 ? 2 * taps : 0);
    const int8_t *w3 = weight + (channels > 3 ? 3 * taps : 0);
    const float held_x = mcuq_mve_hold((int32_t)x);
    const float held_taps = mcuq_mve_hold(taps);
    const float held_step = mcuq_mve_hold(4 * taps - ((taps + 15) & ~15));
    const float held_shift = mcuq_mve_hold(-shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_min = mcuq_mve_hold(output_min);
    const float held_max = mcuq_mve_hold(output_max);
    const int32_t tail = channels % 4;
    float held_left = mcuq_mve_hold(channels - tail);
    int32_t a0, a1, a2, a3;
    const int8_t *next;

    if (channels < 4)
        held_left = mcuq_mve_hold(channels);
    for (;;) {
        __asm__ volatile("1:\n\t"
                         "vmov %[next], %[held_x]\n\t"
                         "ldrd %[a0], %[a1], [%[bias]], #8\n\t"
                         "ldrd %[a2], %[a3], [%[bias]], #8\n\t"
                         "vmov lr, %[held_taps]\n\t"
                         "dlstp.8 lr, lr\n"
                         "2:\n\t"
                         "vldrb.8 q0, [%[next]], #16\n\t"
                         "vldrb.8 q1, [%[w0]], #16\n\t"
                         "vmladava.s8 %[a0], q0, q1\n\t"
                         "vldrb.8 q2, [%[w1]], #16\n\t"
                         "vmladava.s8 %[a1], q0, q2\n\t"
                         "vldrb.8 q1, [%[w2]], #16\n\t"
                         "vmladava.s8 %[a2], q0, q1\n\t"
                         "vldrb.8 q2, [%[w3]], #16\n\t"
                         "vmladava.s8 %[a3], q0, q2\n\t"
                         "letp lr, 2b\n\t"
                         "vmov q0[2], q0[0], %[a0], %[a2]\n\t"
                         "vmov q0[3], q0[1], %[a1], %[a3]\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vmulh.s32 q0, q0, q1\n\t"
                         "vmov %[next], %[held_shift]\n\t"
                         "vrshl.s32 q0, %[next]\n\t"
                         "vmov %[next], %[held_zero_point]\n\t"
                         "vadd.i32 q0, q0, %[next]\n\t"
                         "vmov %[next], %[held_min]\n\t"
                         "vdup.32 q1, %[next]\n\t"
                         "vmax.s32 q0, q0, q1\n\t"
                         "vmov %[next], %[held_max]\n\t"
                         "vdup.32 q1, %[next]\n\t"
                         "vmin.s32 q0, q0, q1\n\t"
                         "vmov lr, %[held_left]\n\t"
                         "vctp.32 lr\n\t"
                         "vmov %[next], %[held_step]\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q0, [%[y]], #4\n\t"
                         "add %[w0], %[w0], %[next]\n\t"
                         "add %[w1], %[w1], %[next]\n\t"
                         "add %[w2], %[w2], %[next]\n\t"
                         "add %[w3], %[w3], %[next]\n\t"
                         "subs lr, #4\n\t"
                         "vmov %[held_left], lr\n\t"
                         "bgt 1b"
                         : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3), [next] "=&r"(next),
                           [w0] "+&r"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "+&r"(w3), [bias] "+&r"(bias),
                           [multiplier] "+&r"(multiplier), [y] "+&l"(y), [held_left] "+&t"(held_left)
                         : [held_x] "t"(held_x), [held_taps] "t"(held_taps), [held_step] "t"(held_step),
                           [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point),
                           [held_min] "t"(held_min), [held_max] "t"(held_max)
                         : "q0", "q1", "q2", "lr", "cc", "memory");
        if (channels < 4 || weight == 0 || tail == 0)
            break;
        /* The rows that are left; w0 is behind whole groups. */
        w1 = w0 + (tail > 1 ? taps : 0);
        w2 = w0 + (tail > 2 ? 2 * taps : 0);
        w3 = w0;
        held_left = mcuq_mve_hold(tail);
        weight = 0;
    }
    (void)mcuq_requantize;
#else
    (void)mcuq_mve_hold;
    for (int32_t oc = 0; oc < channels; oc++) {
        int32_t acc = bias[oc];
        for (int32_t i = 0; i < taps; i++)
            acc += x[i] * *weight++;
        y[oc] = mcuq_requantize(acc, multiplier[oc], 0, shift, zero_point, output_min, output_max);
    }
#endif
}
#endif
