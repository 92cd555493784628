/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of recurrent networks for Armv8.1-M with MVE. */
#ifndef MCUQ_MVE_RECURRENT_H
#define MCUQ_MVE_RECURRENT_H

#include "mcuq_mve.h"

/* item mcuq_mve_row_sums: needs MCUQ_GNU, MCUQ_NOINLINE; cpu mve; code 383 */
/* Products of `groups` groups of four rows of int8 weights, each of `taps`, with as many int16: `sums` has four words a
 * group. Nine instructions make 32 products. Sums as the caller's bound. */
MCUQ_NOINLINE
static void mcuq_mve_row_sums(const int16_t *x, const int8_t *weight, int32_t taps, int32_t groups, int32_t *sums)
{
    for (int32_t g = 0; g < groups; g++, weight += 4 * taps, sums += 4) {
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
        const int16_t *next = x;
        const int8_t *w0 = weight, *w1 = weight + taps, *w2 = weight + 2 * taps, *w3 = weight + 3 * taps;
        int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
        __asm__ volatile("dlstp.16 lr, %[taps]\n"
                         "1:\n\t"
                         "vldrh.16 q0, [%[next]], #16\n\t"
                         "vldrb.s16 q1, [%[w0]], #8\n\t"
                         "vmladava.s16 %[a0], q0, q1\n\t"
                         "vldrb.s16 q2, [%[w1]], #8\n\t"
                         "vmladava.s16 %[a1], q0, q2\n\t"
                         "vldrb.s16 q1, [%[w2]], #8\n\t"
                         "vmladava.s16 %[a2], q0, q1\n\t"
                         "vldrb.s16 q2, [%[w3]], #8\n\t"
                         "vmladava.s16 %[a3], q0, q2\n\t"
                         "letp lr, 1b"
                         : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [next] "+&r"(next),
                           [w0] "+&l"(w0), [w1] "+&l"(w1), [w2] "+&l"(w2), [w3] "+&l"(w3)
                         : [taps] "r"(taps)
                         : "q0", "q1", "q2", "lr", "cc", "memory");
        sums[0] = a0;
        sums[1] = a1;
        sums[2] = a2;
        sums[3] = a3;
#else
        for (int32_t k = 0; k < 4; k++) {
            sums[k] = 0;
            for (int32_t i = 0; i < taps; i++)
                sums[k] += x[i] * weight[k * taps + i];
        }
#endif
    }
}

#endif
