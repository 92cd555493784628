/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of a matrix of weights with pixels of any number of taps, for Armv8.1-M with MVE: two channels by three
 * pixels at a time, with sums in memory.
 */
#ifndef MCUQ_MVE_DOT_H
#define MCUQ_MVE_DOT_H

#include "mcuq_mve.h"

/* item mcuq_mve_start_sums: code 68 */
/* The biases of `pairs` pairs of output channels to where mcuq_mve_dot_2x3 reads them. */
static inline void mcuq_mve_start_sums(int32_t *sums, const int32_t *bias, int32_t pairs)
{
    for (int32_t pair = 0; pair < pairs; pair++) {
        sums[8 * pair] = bias[2 * pair];
        sums[8 * pair + 1] = bias[2 * pair + 1];
    }
}

/* item mcuq_mve_dot_2x3: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_mve_hold; cpu mve; code 650 */
/* For each pair of output channels a, b and three vectors x0, x1, x2 of `taps` values: the six sums of products
 * plus bias. `sums` has eight words a pair: the biases of a and b, which stay, then a0 b0 a1 b1 a2 b2, which are
 * written. Rows of weights are `taps` bytes, one after the other; the second of a pair is `second` bytes behind
 * the first. Five loads and six VMLADAVA make 96 products. */
MCUQ_NOINLINE
static void mcuq_mve_dot_2x3(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                             int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const float held_x0 = mcuq_mve_hold((int32_t)x0);
    const float held_x1 = mcuq_mve_hold((int32_t)x1);
    const float held_x2 = mcuq_mve_hold((int32_t)x2);
    const float held_taps = mcuq_mve_hold(taps);
    const float held_step = mcuq_mve_hold(2 * taps - ((taps + 15) & ~15));
    const float held_end = mcuq_mve_hold((int32_t)(sums + 8 * pairs));
    const int8_t *w0 = weight;
    const int8_t *w1 = weight + second;
    int32_t a0, a1, a2, b0, b1, b2;

    __asm__ volatile("1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "vmov %[x0], %[held_x0]\n\t"
                     "vmov %[x1], %[held_x1]\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "vmov %[x2], %[held_x2]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vmov lr, %[taps]\n\t"
                     "dlstp.8 lr, lr\n"
                     "2:\n\t"
                     "vldrb.8 q0, [%[w0]], #16\n\t"
                     "vldrb.8 q1, [%[x0]], #16\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vldrb.8 q2, [%[x1]], #16\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vldrb.8 q3, [%[x2]], #16\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[w1]], #16\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "letp lr, 2b\n\t"
                     "vmov lr, %[step]\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "add %[w0], %[w0], lr\n\t"
                     "add %[w1], %[w1], lr\n\t"
                     "vmov lr, %[end]\n\t"
                     "cmp %[sums], lr\n\t"
                     "bne 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "=&Te"(b0), [b1] "=&Te"(b1),
                       [b2] "=&Te"(b2), [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2), [w0] "+&r"(w0),
                       [w1] "+&r"(w1), [sums] "+&r"(sums)
                     : [held_x0] "t"(held_x0), [held_x1] "t"(held_x1), [held_x2] "t"(held_x2),
                       [taps] "t"(held_taps), [step] "t"(held_step), [end] "t"(held_end)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    (void)mcuq_mve_hold;
    for (int32_t pair = 0; pair < pairs; pair++, sums += 8, weight += 2 * taps)
        for (int32_t row = 0; row < 2; row++) {
            const int8_t *w = weight + row * second;
            int32_t acc0 = sums[row];
            int32_t acc1 = acc0;
            int32_t acc2 = acc0;
            for (int32_t i = 0; i < taps; i++) {
                acc0 += x0[i] * w[i];
                acc1 += x1[i] * w[i];
                acc2 += x2[i] * w[i];
            }
            sums[2 + row] = acc0;
            sums[4 + row] = acc1;
            sums[6 + row] = acc2;
        }
#endif
}

/* item mcuq_mve_dot: needs mcuq_mve_dot_2x3, mcuq_mve_dot_2x3_64, mcuq_mve_dot_2x3_128; code 117 */
/* The fastest of the three for a constant number of taps. */
static inline void mcuq_mve_dot(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
    if (taps == 64 && second == taps)
        mcuq_mve_dot_2x3_64(x0, x1, x2, weight, pairs, sums);
    else if (taps == 128 && second == taps)
        mcuq_mve_dot_2x3_128(x0, x1, x2, weight, pairs, sums);
    else
        mcuq_mve_dot_2x3(x0, x1, x2, weight, second, taps, pairs, sums);
}
#endif
