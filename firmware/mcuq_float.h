/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of layers that stay in float. Every function has a namesake in mcuq/float_arithmetic.py that gives the same
   bits: the including file keeps the compiler from fusing a product with a sum. */
#ifndef MCUQ_FLOAT_H
#define MCUQ_FLOAT_H

#include <stdint.h>

/* zero_point + floor(x * inverse_scale + 0.5), limited; NaN becomes output_min.
   Limits before it rounds, so that the conversion cannot overflow: |limited| <= 2^17. */
static inline int32_t mcuq_quantize_float(float x, float inverse_scale, int32_t zero_point, int32_t output_min,
                                          int32_t output_max)
{
    const float low = (float)(output_min - zero_point), high = (float)(output_max - zero_point);
    const float scaled = x * inverse_scale;
    const float limited = scaled >= low ? (scaled <= high ? scaled : high) : low;
    const float raised = limited + 0.5f;
    const int32_t q = (int32_t)raised; /* towards zero */
    return q - ((float)q > raised) + zero_point;
}

/* (x - zero_point) * scale */
static inline float mcuq_dequantize_float(int32_t x, float scale, int32_t zero_point)
{
    return (float)(x - zero_point) * scale;
}

#endif
