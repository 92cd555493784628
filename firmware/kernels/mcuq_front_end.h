/* SPDX-License-Identifier: Apache-2.0
 *
 * What front ends (docs/front_ends.md) compute beside FFTs: mcuq/front_end/micro_speech.py and spectral.py have what gives
 * the same bits. The generator copies the functions a front end uses into its C file.
 */
#ifndef MCUQ_FRONT_END_H
#define MCUQ_FRONT_END_H

#include "mcuq_fft.h"
#include "mcuq_powers.h"
#include "mcuq_reduce.h"

/* item mcuq_bits_of: needs MCUQ_GNU; code 57 */
/* The number of bits of x; 0 of 0. */
static inline int32_t mcuq_bits_of(uint32_t x)
{
#if MCUQ_GNU
    return x == 0 ? 0 : 32 - __builtin_clz(x);
#else
    int32_t bits = 0;
    for (; x > 0; x >>= 1)
        bits++;
    return bits;
#endif
}

/* item mcuq_energy_s16: needs MCUQ_GNU; cpu dsp; code 89 */
/* The square of a complex number's magnitude; its parts are not both -32768. */
static inline uint32_t mcuq_energy_s16(uint32_t x)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smuad %0, %1, %1" : "=r"(x) : "r"(x));
    return x;
#else
    return (uint32_t)((int16_t)x * (int16_t)x + ((int32_t)x >> 16) * ((int32_t)x >> 16));
#endif
}

/* item mcuq_rounded_root: needs mcuq_integer_root; code 55 */
/* The square root of x < 2^62, rounded, but to no more than 16 bits where x has 32. */
static inline uint32_t mcuq_rounded_root(uint64_t x)
{
    const uint32_t root = (uint32_t)mcuq_integer_root(x);
    return root + (x - (uint64_t)root * root > root && (root != 0xffff || x >> 32 != 0));
}

/* item mcuq_less_noise: code 121 */
/* The signal less its noise, and no less than a part of it; `noise` follows signal * 2^bits. Parts are in 2^-14. */
static inline uint32_t mcuq_less_noise(uint32_t signal, uint32_t *noise, int32_t bits, uint32_t smoothing, uint32_t least)
{
    const uint32_t scaled = signal << bits;
    const uint32_t now = (uint32_t)(((uint64_t)scaled * smoothing + (uint64_t)*noise * (16384 - smoothing)) >> 14);
    const uint32_t rest = (scaled - (now > scaled ? scaled : now)) >> bits;
    const uint32_t part = (uint32_t)(((uint64_t)signal * least) >> 14);

    *noise = now;
    return rest > part ? rest : part;
}

/* item mcuq_gain_for: needs mcuq_bits_of; code 138 */
/* The gain for noise, of a table of 125: curves through three points of all numbers with as many bits. */
static inline int32_t mcuq_gain_for(uint32_t noise, const int16_t *gains)
{
    if (noise <= 2)
        return gains[noise];
    const int32_t bits = mcuq_bits_of(noise);
    const int32_t at = (int32_t)(bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3ff;
    const int16_t *const curve = gains + 4 * bits - 6;
    const int32_t slope = ((curve[2] * at) >> 5) + curve[1] * 32;
    return (int16_t)(((slope * at + (1 << 14)) >> 15) + curve[0]);
}

/* item mcuq_shrunk: code 36 */
/* A square that goes over into a line: x in 2^-12, the result in 2^-6. */
static inline uint32_t mcuq_shrunk(uint32_t x)
{
    return x < 2u << 12 ? (x * x) >> 20 : (x >> 6) - 64;
}

/* item mcuq_log_scaled: needs mcuq_bits_of; code 179 */
/* The natural logarithm of x > 1 in 2^-shift; `above` is a table of how far log2(1 + i / 128) is above i / 128. */
static inline uint32_t mcuq_log_scaled(uint32_t x, const uint16_t *above, int32_t shift)
{
    const int32_t whole = mcuq_bits_of(x) - 1;
    const uint32_t rest = x - ((uint32_t)1 << whole), fraction = whole < 16 ? rest << (16 - whole) : rest >> (whole - 16);
    const uint32_t at = fraction >> 9;
    const int32_t more = ((above[at + 1] - above[at]) * (int32_t)(fraction - (at << 9))) >> 16;
    const uint32_t binary = ((uint32_t)whole << 16) + fraction + above[at] + (uint32_t)more;
    const uint32_t natural = (uint32_t)((45426 * (uint64_t)binary + 32768) >> 16);
    return ((natural << shift) + 32768) >> 16;
}

/* item mcuq_windowed: needs MCUQ_GNU; cpu dsp; code 81 */
/* x * weight / 2^16, towards minus infinity; the weight has 16 bits. */
static inline int32_t mcuq_windowed(int32_t x, int32_t weight)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smulwb %0, %1, %2" : "=r"(x) : "r"(x), "r"(weight));
    return x;
#else
    return (int32_t)(((int64_t)x * weight) >> 16);
#endif
}

/* item mcuq_near_root: needs mcuq_bits_of; code 205 */
/* The square root of x < 2^62, within 2^-20 of it and 1: two steps of Newton's method from a line over the upper word, the
 * second to 8 more bits. */
static inline uint32_t mcuq_near_root(uint64_t x)
{
    const uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
    uint32_t upper;
    int32_t room;

    if (high > 0) {
        room = (32 - mcuq_bits_of(high)) & ~1;
        upper = high << room | low >> (32 - room);
    } else {
        if (low == 0)
            return 0;
        room = (32 - mcuq_bits_of(low)) & ~1;
        upper = low << room;
        room += 32;
    }
    const uint32_t line = 24019 + (upper >> 17) + (upper >> 19);
    const int32_t near = (int32_t)((line + upper / line) >> 1);
    const int32_t rest = (int32_t)(upper - (uint32_t)near * (uint32_t)near);

    return (uint32_t)(near * 256 + rest * 128 / near) << 7 >> (room / 2 - 1);
}

/* item mcuq_log2_of_sum: needs mcuq_bits_of, mcuq_binary_logarithm; code 269 */
/* log2(upper * 2^32 + lower + added * 2^places), upper < 2^62, places <= 62, in 2^-16; -2^29 of 0. Of the sum's first 63
 * bits 32 are looked at. */
static inline int32_t mcuq_log2_of_sum(uint64_t upper, uint64_t lower, uint32_t added, int32_t places)
{
    upper += lower >> 32;
    lower = (uint32_t)lower;
    if (places >= 32) {
        upper += (uint64_t)added << (places - 32);
    } else if (places >= 0) {
        lower += (uint32_t)(added << places);
        upper += ((uint64_t)added << places) >> 32;
    } else if (places > -32) {
        lower += added >> -places;
    }
    upper += lower >> 32;
    const int32_t is_long = upper >> 31 != 0;
    const uint64_t top = is_long ? upper : upper << 32 | (uint32_t)lower;
    const uint32_t high = (uint32_t)(top >> 32), low = (uint32_t)top;
    if (top == 0)
        return -(1 << 29);
    const int32_t bits = high > 0 ? 32 + mcuq_bits_of(high) : mcuq_bits_of(low);
    const uint32_t mantissa = bits > 32 ? (uint32_t)(top >> (bits - 32)) : low << (32 - bits);
    return (bits - 1 + 32 * is_long) * 65536 + ((mcuq_binary_logarithm(mantissa) + 128) >> 8);
}

#endif
