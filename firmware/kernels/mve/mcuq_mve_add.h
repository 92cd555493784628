/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of whole tensors for Armv8.1-M with MVE. */
#ifndef MCUQ_MVE_ADD_H
#define MCUQ_MVE_ADD_H

#include "mcuq_mve.h"

/* item mcuq_mve_weighted_sum: needs MCUQ_GNU, mcuq_weighted_sum; cpu mve; code 300 */
/* y = (a * factor_a + b * factor_b + constant) >> shift, clamped; y may be a or b. */
static inline void mcuq_mve_weighted_sum(const int8_t *a, const int8_t *b, int32_t factor_a, int32_t factor_b,
                                         int32_t constant, int32_t shift, int32_t output_min, int32_t output_max,
                                         int32_t elements, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t minus_shift = -shift;

    __asm__ volatile("vdup.32 q2, %[factor_a]\n\t"
                     "vdup.32 q3, %[output_min]\n\t"
                     "vdup.32 q4, %[output_max]\n\t"
                     "wlstp.32 lr, %[elements], 2f\n"
                     "1:\n\t"
                     "vldrb.s32 q0, [%[a]], #4\n\t"
                     "vldrb.s32 q1, [%[b]], #4\n\t"
                     "vmlas.s32 q0, q2, %[constant]\n\t"
                     "vmla.s32 q0, q1, %[factor_b]\n\t"
                     "vshl.s32 q0, %[minus_shift]\n\t"
                     "vmax.s32 q0, q0, q3\n\t"
                     "vmin.s32 q0, q0, q4\n\t"
                     "vstrb.32 q0, [%[y]], #4\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [a] "+&l"(a), [b] "+&l"(b), [y] "+&l"(y)
                     : [factor_a] "r"(factor_a), [factor_b] "r"(factor_b), [constant] "r"(constant),
                       [minus_shift] "r"(minus_shift), [output_min] "r"(output_min), [output_max] "r"(output_max),
                       [elements] "r"(elements)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
    (void)mcuq_weighted_sum;
#else
    for (int32_t i = 0; i < elements; i++)
        y[i] = mcuq_weighted_sum(a[i], factor_a, b[i], factor_b, constant, shift, output_min, output_max);
#endif
}

#endif
