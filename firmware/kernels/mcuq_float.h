/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of layers that stay in float. Every function has a namesake in mcuq/arithmetic/float32.py that gives the same
   bits: the including file keeps the compiler from fusing a product with a sum. Each result is assigned before the next
   operation uses it, so that none is kept in more bits than a float has. */
#ifndef MCUQ_FLOAT_H
#define MCUQ_FLOAT_H

#include <stdint.h>

/* item mcuq_float_of_bits: code 32 */
/* The float with these bits. */
static inline float mcuq_float_of_bits(uint32_t bits)
{
    union { uint32_t bits; float value; } both;
    both.bits = bits;
    return both.value;
}

/* item mcuq_infinity: needs mcuq_float_of_bits; code 15 */
/* What 1.0f / 0.0f is; freestanding C has no name for it. */
static inline float mcuq_infinity(void)
{
    return mcuq_float_of_bits(0x7f800000u);
}

/* item mcuq_one_nan: needs mcuq_float_of_bits; code 23 */
/* x, with one NaN for all: which one an operation gives depends on the CPU. */
static inline float mcuq_one_nan(float x)
{
    return x == x ? x : mcuq_float_of_bits(0x7fc00000u);
}

/* item mcuq_quantize_float: code 109 */
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

/* item mcuq_dequantize_float: code 28 */
/* (x - zero_point) * scale */
static inline float mcuq_dequantize_float(int32_t x, float scale, int32_t zero_point)
{
    return (float)(x - zero_point) * scale;
}

/* item mcuq_half_to_float: needs mcuq_float_of_bits; code 138 */
/* The number whose 16 bits as IEEE 754 binary16 these are, exactly. */
static inline float mcuq_half_to_float(uint16_t x)
{
    const uint32_t sign = (uint32_t)(x & 0x8000u) << 16;
    uint32_t magnitude = x & 0x7fffu;
    if (magnitude >= 0x7c00u) /* infinity and NaN */
        return mcuq_float_of_bits(sign | 0x7f800000u | magnitude << 13);
    if (magnitude >= 0x0400u)
        return mcuq_float_of_bits(sign | ((magnitude << 13) + (112u << 23)));
    if (magnitude == 0)
        return mcuq_float_of_bits(sign);
    /* subnormal: the leading one moves to where normal numbers have it */
    uint32_t exponent = 113;
    while (magnitude < 0x0400u) {
        magnitude <<= 1;
        exponent--;
    }
    return mcuq_float_of_bits(sign | exponent << 23 | (magnitude & 0x03ffu) << 13);
}

/* item mcuq_clamp_float: needs mcuq_one_nan; code 40 */
/* x limited to [minimum, maximum]; NaN stays one. */
static inline float mcuq_clamp_float(float x, float minimum, float maximum)
{
    const float raised = x < minimum ? minimum : x;
    return mcuq_one_nan(raised > maximum ? maximum : raised);
}

/* item mcuq_maximum: code 28 */
/* The larger of both; NaN where one is. Of zeros that differ in sign, b. */
static inline float mcuq_maximum(float a, float b)
{
    return a > b || a != a ? a : b;
}

/* item mcuq_minimum: code 28 */
/* The smaller of both; NaN where one is. Of zeros that differ in sign, b. */
static inline float mcuq_minimum(float a, float b)
{
    return a < b || a != a ? a : b;
}

/* item mcuq_float_quotient: code 50 */
/* a / b; what is no larger than 2^-126 is 0 of its sign, as the software division of some compilers has it. */
static inline float mcuq_float_quotient(float a, float b)
{
    const float q = a / b;
    return q <= 1.17549435e-38f && q >= -1.17549435e-38f ? q * 0.0f : q;
}

/* item mcuq_reduced_exponential: code 192 */
/* exp(r) - 1 with r = x - n * ln 2, n = round(x / ln 2): exp(x) = 2^n * exp(r), for -126 <= n <= 128. */
static inline float mcuq_reduced_exponential(float x, int32_t *n)
{
    const float scaled = x * 1.442695041f;
    const float raised = scaled + 0.5f;
    const int32_t truncated = (int32_t)raised;
    *n = truncated - ((float)truncated > raised);
    const float whole = (float)*n;
    const float first = whole * 0.693359375f, second = whole * -2.12194440e-4f;
    const float rest = x - first;
    const float r = rest - second;
    float y = 1.3950491e-3f;
    y = y * r;
    y = y + 8.3688894e-3f;
    y = y * r;
    y = y + 4.1666206e-2f;
    y = y * r;
    y = y + 0.16666519f;
    y = y * r;
    y = y + 0.5f;
    const float square = r * r;
    y = square * y;
    return y + r;
}

/* item mcuq_exponential: needs mcuq_reduced_exponential, mcuq_float_of_bits, mcuq_infinity, mcuq_one_nan; code 154 */
/* exp(x) */
static inline float mcuq_exponential(float x)
{
    const float low = -87.33654f, high = 88.72283f; /* 2^-126 and 2^128 */
    const float limited = x >= low ? (x <= high ? x : high) : low;
    int32_t n;
    const float less = mcuq_reduced_exponential(limited, &n);
    float y = less + 1.0f;
    y = y * mcuq_float_of_bits((uint32_t)((n >> 1) + 127) << 23);
    y = y * mcuq_float_of_bits((uint32_t)(n - (n >> 1) + 127) << 23);
    y = x < low ? 0.0f : x > high ? mcuq_infinity() : y;
    return mcuq_one_nan(x == x ? y : x);
}

/* item mcuq_logarithm: needs mcuq_float_of_bits, mcuq_infinity, mcuq_one_nan; code 328 */
/* ln(x) = n * ln 2 + ln(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); what is less than 2^-126 counts as that.
   -126 <= n <= 128. */
static inline float mcuq_logarithm(float x)
{
    const float smallest = mcuq_float_of_bits(0x00800000u);
    union { float value; uint32_t bits; } limited;
    limited.value = x > smallest ? x : smallest;
    const uint32_t above = limited.bits - 0x3f3504f3u + (128u << 23); /* less the bits of sqrt(1/2); 128 too large */
    const int32_t n = (int32_t)(above >> 23) - 128;
    const float f = mcuq_float_of_bits(limited.bits + (128u << 23) - (above >> 23 << 23)) - 1.0f;
    float y = -0.0763443112f;
    y = y * f;
    y = y + 0.127615511f;
    y = y * f;
    y = y + -0.131601945f;
    y = y * f;
    y = y + 0.142017618f;
    y = y * f;
    y = y + -0.166233569f;
    y = y * f;
    y = y + 0.200012267f;
    y = y * f;
    y = y + -0.250008225f;
    y = y * f;
    y = y + 0.333333313f;
    const float whole = (float)n, square = f * f;
    const float cube = square * f, low = whole * -2.12194440e-4f;
    y = cube * y;
    y = y + low;
    const float half = square * 0.5f, high = whole * 0.693359375f;
    y = y - half;
    y = y + f;
    y = y + high;
    y = limited.value == mcuq_infinity() ? mcuq_infinity() : y;
    return mcuq_one_nan(x == x ? y : x);
}

/* item mcuq_sigmoid: needs mcuq_one_nan, mcuq_exponential; code 70 */
/* 1 / (1 + exp(-x)) */
static inline float mcuq_sigmoid(float x)
{
    const float e = mcuq_exponential(x < 0.0f ? x : -x);
    const float divisor = 1.0f + e;
    const float inverse = 1.0f / divisor;
    const float product = e * inverse;
    return mcuq_one_nan(x < 0.0f ? product : inverse);
}

/* item mcuq_hyperbolic_tangent: needs mcuq_one_nan, mcuq_exponential; code 213 */
/* tanh(x): near 0 a polynomial, elsewhere 1 - 2e / (1 + e) with e = exp(-2|x|), and the sign of x. */
static inline float mcuq_hyperbolic_tangent(float x)
{
    const float size = x < 0.0f ? -x : x;
    if (size < 0.625f) {
        const float z = x * x;
        float y = -5.7094959e-3f;
        y = y * z;
        y = y + 2.0644135e-2f;
        y = y * z;
        y = y + -5.3741622e-2f;
        y = y * z;
        y = y + 0.1333147f;
        y = y * z;
        y = y + -0.33333283f;
        y = y * z;
        y = y * x;
        return y + x;
    }
    const float twice = size * -2.0f;
    const float e = mcuq_exponential(twice);
    const float divisor = 1.0f + e;
    const float inverse = 1.0f / divisor;
    const float doubled = e + e;
    const float product = doubled * inverse;
    const float y = 1.0f - product;
    return mcuq_one_nan(x < 0.0f ? -y : y);
}

/* item mcuq_dynamic_range: needs mcuq_quantize_float; code 193 */
/* Scale, its inverse and zero point for int8 codes of `count` values: their range with 0, as far as +-2^126, over 255.
   NaN is left out. Returns the zero point. */
static inline int32_t mcuq_dynamic_range(const float *x, int32_t count, float *scale, float *inverse_scale)
{
    const float largest = 8.50705917e37f, smallest_span = 7.88860905e-31f; /* 2^126 and 2^-100 */
    float low = 0.0f, high = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        if (x[i] < low)
            low = x[i];
        if (x[i] > high)
            high = x[i];
    }
    low = low < -largest ? -largest : low;
    high = high > largest ? largest : high;
    const float span = high - low;
    const float share = span * 3.92156886e-3f; /* 1 / 255 */
    *scale = span < smallest_span ? 1.0f : share;
    *inverse_scale = 1.0f / *scale;
    const float distance = 0.0f - low;
    return mcuq_quantize_float(distance, *inverse_scale, -128, -128, 127);
}

#endif
