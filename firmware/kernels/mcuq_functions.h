/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one float beside those of mcuq_float.h, for which the same holds; their namesakes are in
   mcuq/arithmetic/functions.py. */
#ifndef MCUQ_FUNCTIONS_H
#define MCUQ_FUNCTIONS_H

#include <stdint.h>

#include "mcuq_float.h"

/* item mcuq_exponential_minus_one: needs mcuq_reduced_exponential, mcuq_float_of_bits, mcuq_one_nan; code 113 */
/* exp(x) - 1 for x <= 0; 0 for greater x. As that of exp(r), with 1 taken off before it can hide what is left. */
static inline float mcuq_exponential_minus_one(float x)
{
    const float least = -20.0f; /* exp(-20) is lost in 1 */
    const float limited = x >= least ? (x <= 0.0f ? x : 0.0f) : least;
    int32_t n;
    float y = mcuq_reduced_exponential(limited, &n);
    const float power = mcuq_float_of_bits((uint32_t)(n + 127) << 23);
    y = y * power;
    const float rest = power - 1.0f;
    y = y + rest;
    return mcuq_one_nan(x == x ? y : x);
}

/* item mcuq_square_root: needs mcuq_float_of_bits, mcuq_one_nan; code 251 */
/* sqrt(x), rounded to nearest; NaN for negative x. Digit by digit: 25 bits of the root of a number in [1, 4). */
static inline float mcuq_square_root(float x)
{
    union { float value; uint32_t bits; } both;
    both.value = x;
    if (!(x > 0.0f) || both.bits == 0x7f800000u) /* 0, negative, NaN, infinity */
        return x < 0.0f ? mcuq_float_of_bits(0x7fc00000u) : mcuq_one_nan(x);
    int32_t exponent = (int32_t)(both.bits >> 23) - 127;
    uint32_t rest = both.bits & 0x007fffffu;
    if (exponent == -127) { /* subnormal: the leading one moves to where normal numbers have it */
        exponent++;
        while (rest < 0x00800000u) {
            rest <<= 1;
            exponent--;
        }
    }
    rest |= 0x00800000u;
    const uint32_t odd = (uint32_t)exponent & 1u;
    rest <<= 1 + odd;
    uint32_t root = 0, twice = 0; /* twice = 2 * root, less than 2^27 as rest is */
    for (uint32_t bit = 0x01000000u; bit != 0; bit >>= 1) {
        if (twice + bit <= rest) {
            rest -= twice + bit;
            twice += bit << 1;
            root += bit;
        }
        rest <<= 1;
    }
    /* No root lies between two floats' middle and itself: its square would have more bits than x. */
    root = (root + 1u) >> 1;
    return mcuq_float_of_bits(root + ((uint32_t)((exponent - (int32_t)odd) / 2 + 126) << 23));
}

/* item mcuq_reciprocal: needs mcuq_float_of_bits, mcuq_one_nan; code 70 */
/* 1 / x. No quotient is subnormal: some compilers' divisions give 0 for such. */
static inline float mcuq_reciprocal(float x)
{
    const float large = mcuq_float_of_bits(0x7e800000u); /* 2^126 */
    const float quarter = x * 0.25f;
    if (x > large || x < -large) {
        const float inverse = 1.0f / quarter;
        return inverse * 0.25f;
    }
    return mcuq_one_nan(1.0f / x);
}

/* item mcuq_round_half_even: needs mcuq_one_nan; code 76 */
/* The nearest whole number, ties to even; from 2^23 on all are whole. */
static inline float mcuq_round_half_even(float x)
{
    const float whole = 8388608.0f; /* 2^23 */
    const float size = x < 0.0f ? -x : x;
    const float raised = size + whole;
    const float rounded = raised - whole;
    const float y = x < 0.0f ? -rounded : rounded;
    return mcuq_one_nan(size < whole ? y : x);
}

/* item mcuq_round_down: needs mcuq_round_half_even; code 38 */
/* The greatest whole number that is not above x. */
static inline float mcuq_round_down(float x)
{
    const float nearest = mcuq_round_half_even(x);
    const float y = nearest - 1.0f;
    return nearest > x ? y : nearest;
}

/* item mcuq_round_up: needs mcuq_round_half_even; code 38 */
/* The least whole number that is not below x. */
static inline float mcuq_round_up(float x)
{
    const float nearest = mcuq_round_half_even(x);
    const float y = nearest + 1.0f;
    return nearest < x ? y : nearest;
}

/* item mcuq_complementary_error: needs mcuq_exponential, mcuq_one_nan; code 359 */
/* erfc(x) for x >= 0.8; that of 0.8 for less: t * exp(polynomial in t - x^2) with t = 1 / (1 + x / 2). What rounding
   takes from the exponent, which is as large as 90, is made good. */
static inline float mcuq_complementary_error(float x)
{
    union { float value; uint32_t bits; } high;
    const float size = x > 0.8f ? (x < 16.0f ? x : 16.0f) : 0.8f; /* from 10 on it is less than 2^-126 */
    const float half = size * 0.5f;
    const float divisor = 1.0f + half;
    const float t = 1.0f / divisor;
    float p = -0.190194413f;
    p = p * t;
    p = p + 0.479278624f;
    p = p * t;
    p = p + -0.219040573f;
    p = p * t;
    p = p + -0.245295659f;
    p = p * t;
    p = p + 0.0114788618f;
    p = p * t;
    p = p + 0.0471249558f;
    p = p * t;
    p = p + 0.382125884f;
    p = p * t;
    p = p + 0.999268532f;
    p = p * t;
    p = p + -1.26548135f;
    const float square = size * size;
    const float exponent = p - square;
    high.value = size;
    high.bits &= 0xfffff000u;
    const float low = size - high.value, high_square = high.value * high.value;
    const float cross = high.value * low, low_square = low * low;
    const float twice = cross + cross;
    float rest = high_square - square; /* what square has too much, negative */
    rest = rest + twice;
    rest = rest + low_square;
    const float back = exponent + square;
    const float lost = p - back;
    rest = lost - rest;
    const float e = mcuq_exponential(exponent);
    const float more = e * rest;
    float y = e + more;
    y = t * y;
    return mcuq_one_nan(x == x ? y : x);
}

/* item mcuq_error_function: needs mcuq_complementary_error, mcuq_one_nan; code 162 */
/* erf(x): near 0 a polynomial, elsewhere 1 - erfc(|x|) and the sign of x. */
static inline float mcuq_error_function(float x)
{
    const float size = x < 0.0f ? -x : x;
    if (size < 0.921875f) {
        const float z = x * x;
        float y = -0.000595366582f;
        y = y * z;
        y = y + 0.00498592528f;
        y = y * z;
        y = y + -0.0267617088f;
        y = y * z;
        y = y + 0.112816826f;
        y = y * z;
        y = y + -0.376124799f;
        y = y * z;
        y = y + 0.128379151f;
        y = y * x;
        return y + x;
    }
    const float far = 1.0f - mcuq_complementary_error(size);
    return mcuq_one_nan(x < 0.0f ? -far : far);
}

/* item mcuq_reduced_angle: needs mcuq_float_of_bits; stack 12; code 317 */
/* |x| less the nearest multiple of pi / 2, and which one that is, modulo 4.

   |x| = m * 2^e with m < 2^24: of the bits of 2 / pi, 96 take part, those whose products with |x| are less than 4 and no
   less than 2^-94. Two bits of the sum are the multiple, the others a fraction in 2^-62. */
static inline float mcuq_reduced_angle(float x, int32_t *multiple)
{
    static const uint32_t two_over_pi[] = {0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u,
                                           0x3c439041u, 0xfe5163abu};
    union { float value; uint32_t bits; } both;
    both.value = x;
    const uint32_t size = both.bits & 0x7fffffffu;
    *multiple = 0;
    if (size < 0x3f490fdbu) /* pi / 4 */
        return mcuq_float_of_bits(size);
    if (size >= 0x7f800000u)
        return mcuq_float_of_bits(0x7fc00000u);
    const uint32_t m = (size & 0x007fffffu) | 0x00800000u;
    const uint32_t first = (size >> 23) - 120u; /* e + 30, the first bit that takes part: 6..134 */
    const uint32_t *const words = two_over_pi + (first >> 5);
    const uint32_t shift = first & 31u;
    uint32_t part[3];
    for (int32_t i = 0; i < 3; i++)
        part[i] = shift ? words[i] << shift | words[i + 1] >> (32u - shift) : words[i];
    uint64_t phase = (uint64_t)(m * part[0]) << 32;
    phase += (uint64_t)m * part[1];
    phase += (uint64_t)m * part[2] >> 32;
    const uint64_t nearest = (phase + (1ull << 61)) >> 62;
    *multiple = (int32_t)(nearest & 3u);
    phase -= nearest << 62;
    const float fraction = phase >> 63 ? -(float)(0u - phase) : (float)phase;
    return fraction * 3.4061217e-19f; /* pi / 2 / 2^62 */
}

/* item mcuq_near_sine: code 72 */
/* sin(r) for |r| <= pi / 4 */
static inline float mcuq_near_sine(float r)
{
    const float z = r * r;
    float y = -0.000195146102f;
    y = y * z;
    y = y + 0.00833215564f;
    y = y * z;
    y = y + -0.166666552f;
    y = y * z;
    y = y * r;
    return y + r;
}

/* item mcuq_near_cosine: code 91 */
/* cos(r) for |r| <= pi / 4 */
static inline float mcuq_near_cosine(float r)
{
    const float z = r * r;
    float y = 2.44323946e-05f;
    y = y * z;
    y = y + -0.00138873095f;
    y = y * z;
    y = y + 0.0416666456f;
    y = y * z;
    y = y * z;
    const float half = z * 0.5f;
    y = y - half;
    return y + 1.0f;
}

/* item mcuq_sine: needs mcuq_reduced_angle, mcuq_near_cosine, mcuq_near_sine, mcuq_one_nan; code 68 */
/* sin(x) */
static inline float mcuq_sine(float x)
{
    int32_t multiple;
    const float r = mcuq_reduced_angle(x, &multiple);
    float y = multiple & 1 ? mcuq_near_cosine(r) : mcuq_near_sine(r);
    y = multiple & 2 ? -y : y;
    return mcuq_one_nan(x < 0.0f ? -y : y);
}

/* item mcuq_cosine: needs mcuq_reduced_angle, mcuq_near_sine, mcuq_near_cosine, mcuq_one_nan; code 60 */
/* cos(x) */
static inline float mcuq_cosine(float x)
{
    int32_t multiple;
    const float r = mcuq_reduced_angle(x, &multiple);
    const float y = multiple & 1 ? mcuq_near_sine(r) : mcuq_near_cosine(r);
    return mcuq_one_nan((multiple + 1) & 2 ? -y : y);
}

/* item mcuq_arctangent: needs mcuq_one_nan; code 230 */
/* atan(x): of t no larger than tan(pi / 8), to which pi / 4 or pi / 2 is added where x is larger. */
static inline float mcuq_arctangent(float x)
{
    const float size = x < 0.0f ? -x : x;
    float t = size, whole = 0.0f, rest = 0.0f;
    if (size > 2.41421366f) { /* tan(3 pi / 8) */
        t = -1.0f / size;
        whole = 1.57079637f;
        rest = -4.37113883e-8f;
    } else if (size > 0.414213568f) { /* tan(pi / 8) */
        const float less = size - 1.0f, more = size + 1.0f;
        t = less / more;
        whole = 0.785398185f;
        rest = -2.18556941e-8f;
    }
    const float z = t * t;
    float y = 0.0805120021f;
    y = y * z;
    y = y + -0.138769522f;
    y = y * z;
    y = y + 0.199776486f;
    y = y * z;
    y = y + -0.333329469f;
    y = y * z;
    y = y * t;
    y = y + t;
    y = y + rest;
    y = y + whole;
    return mcuq_one_nan(x < 0.0f ? -y : y);
}

/* item mcuq_power: needs mcuq_exponential, mcuq_logarithm, mcuq_round_half_even, mcuq_float_of_bits, mcuq_infinity, mcuq_one_nan; code 205 */
/* x^y: exp(y * ln |x|), with the sign of x where y is odd; NaN for negative x where y is not whole. */
static inline float mcuq_power(float x, float y)
{
    if (y == 0.0f || x == 1.0f)
        return 1.0f;
    const float size = x < 0.0f ? -x : x;
    float logarithm = size - mcuq_infinity();
    if (size > 0.0f) {
        const float least = mcuq_float_of_bits(0x00800000u); /* 2^-126 */
        const float scaled = size * 16777216.0f;
        logarithm = mcuq_logarithm(size < least ? scaled : size);
        const float lower = logarithm - 16.6355324f; /* ln(2^24) */
        logarithm = size < least ? lower : logarithm;
    }
    const float exponent = y * logarithm;
    float value = mcuq_exponential(size == 1.0f ? 0.0f : exponent);
    if (x < 0.0f) {
        const float half = y * 0.5f;
        if (mcuq_round_half_even(y) != y)
            return mcuq_float_of_bits(0x7fc00000u);
        value = mcuq_round_half_even(half) != half ? -value : value;
    }
    return mcuq_one_nan(value);
}

/* item mcuq_remainder: needs mcuq_float_of_bits; code 252 */
/* x less the multiple of y that is next to it towards 0: exact, with the sign of x; NaN where y is 0 or x infinite. Bit by
   bit of the quotient: of whole numbers a and b, in units of y's last place. */
static inline float mcuq_remainder(float x, float y)
{
    union { float value; uint32_t bits; } first, second;
    first.value = x;
    second.value = y;
    const uint32_t sign = first.bits & 0x80000000u, size = first.bits & 0x7fffffffu, other = second.bits & 0x7fffffffu;
    if (other == 0 || other > 0x7f800000u || size >= 0x7f800000u)
        return mcuq_float_of_bits(0x7fc00000u);
    if (size < other)
        return x;
    uint32_t exponent = size >> 23, unit = other >> 23; /* of subnormal numbers as of the least normal ones */
    const uint32_t b = unit ? (other & 0x007fffffu) | 0x00800000u : other;
    uint32_t a = (exponent ? (size & 0x007fffffu) | 0x00800000u : size) % b;
    unit += unit == 0;
    for (exponent += exponent == 0; exponent > unit && a != 0; exponent--) {
        a <<= 1;
        a -= a >= b ? b : 0u;
    }
    for (; a < 0x00800000u && unit > 1u && a != 0; a <<= 1)
        unit--;
    return mcuq_float_of_bits(sign | (a < 0x00800000u ? a : unit << 23 | (a & 0x007fffffu)));
}

#endif
