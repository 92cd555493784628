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

/* item mcuq_mve_total: needs MCUQ_GNU, mcuq_weighted_sum; cpu mve; stack 16; code 390 */
/* y = (the sum of four tensors times their factors + constant) >> shift, clamped; y may be any of them. */
static inline void mcuq_mve_total(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *x3,
                                  int32_t factor_0, int32_t factor_1, int32_t factor_2, int32_t factor_3,
                                  int32_t constant, int32_t shift, int32_t output_min, int32_t output_max,
                                  int32_t elements, int8_t *y)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int32_t repeated[4] = { factor_0, output_min, output_max, -shift };

    __asm__ volatile("ldr lr, [%[repeated]]\n\t"
                     "vdup.32 q2, lr\n\t"
                     "ldr lr, [%[repeated], #4]\n\t"
                     "vdup.32 q3, lr\n\t"
                     "ldr lr, [%[repeated], #8]\n\t"
                     "vdup.32 q4, lr\n\t"
                     "ldr lr, [%[repeated], #12]\n\t"
                     "vdup.32 q5, lr\n\t"
                     "wlstp.32 lr, %[elements], 2f\n"
                     "1:\n\t"
                     "vldrb.s32 q0, [%[x0]], #4\n\t"
                     "vldrb.s32 q1, [%[x1]], #4\n\t"
                     "vmlas.s32 q0, q2, %[constant]\n\t"
                     "vmla.s32 q0, q1, %[factor_1]\n\t"
                     "vldrb.s32 q1, [%[x2]], #4\n\t"
                     "vmla.s32 q0, q1, %[factor_2]\n\t"
                     "vldrb.s32 q1, [%[x3]], #4\n\t"
                     "vmla.s32 q0, q1, %[factor_3]\n\t"
                     "vshl.s32 q0, q0, q5\n\t"
                     "vmax.s32 q0, q0, q3\n\t"
                     "vmin.s32 q0, q0, q4\n\t"
                     "vstrb.32 q0, [%[y]], #4\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [x0] "+&l"(x0), [x1] "+&l"(x1), [x2] "+&l"(x2), [x3] "+&l"(x3), [y] "+&l"(y)
                     : [repeated] "r"(repeated), [factor_1] "r"(factor_1), [factor_2] "r"(factor_2),
                       [factor_3] "r"(factor_3), [constant] "r"(constant), [elements] "r"(elements)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
    (void)mcuq_weighted_sum;
#else
    for (int32_t i = 0; i < elements; i++) {
        const int32_t rest = constant + x2[i] * factor_2 + x3[i] * factor_3;
        y[i] = mcuq_weighted_sum(x0[i], factor_0, x1[i], factor_1, rest, shift, output_min, output_max);
    }
#endif
}
#endif
