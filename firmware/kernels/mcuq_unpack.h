/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights of few values out of the words that hold them in flash, as mcuq/arithmetic/packing.py packs them; its functions of the
 * same names give the same bytes. The generator copies the functions a model uses into its C file.
 *
 * `packed` has words, `count` is how many values are wanted, each times 2^shift, which int8 holds. `out` gets whole
 * words of int8: it is aligned to 4 and has room for all values of the last word of `packed` (a codebook writes `count`
 * of them, anywhere, as they are, and blocks as many, anywhere). Four values are made at a time, in the bytes of a word, with no carry from one to
 * the next: no division, no long multiplication.
 */
#ifndef MCUQ_UNPACK_H
#define MCUQ_UNPACK_H

#include "mcuq_compiler.h"

#include <stdint.h>

/* item mcuq_unpack_four: code 27 */
/* In each byte of a word, 2^shift * (code - zero) of codes from 0 on, with scale = 2^shift and offset as below. Nothing
 * is carried: codes * scale + 128 - (zero << shift) is at most 240, for 15 of int4 with shift 4. */
static inline uint32_t mcuq_unpack_four(uint32_t codes, uint32_t scale, uint32_t offset)
{
    return (codes * scale + offset) ^ 0x80808080u;
}

/* item mcuq_unpack_offset: code 27 */
/* That offset: 128 - (zero << shift) in each byte. The top bits are turned afterwards, which takes off the 128. */
static inline uint32_t mcuq_unpack_offset(uint32_t zero, int shift)
{
    return (0x80u - (zero << shift)) * 0x01010101u;
}

/* item mcuq_unpack_int4: needs MCUQ_NOINLINE, mcuq_unpack_four, mcuq_unpack_offset; code 126 */
/* Eight values of -8..7 a word. */
MCUQ_NOINLINE
static void mcuq_unpack_int4(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t codes = 0x0f0f0f0fu, scale = 1u << shift, offset = mcuq_unpack_offset(8, shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 8) {
        const uint32_t word = (uint32_t)*packed++;
        to[0] = mcuq_unpack_four(word & codes, scale, offset);
        to[1] = mcuq_unpack_four((word >> 4) & codes, scale, offset);
        to += 2;
    }
}

/* item mcuq_unpack_int2: needs MCUQ_NOINLINE, mcuq_unpack_four, mcuq_unpack_offset; code 168 */
/* Sixteen values of -2..1 a word. */
MCUQ_NOINLINE
static void mcuq_unpack_int2(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t codes = 0x03030303u, scale = 1u << shift, offset = mcuq_unpack_offset(2, shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 16) {
        const uint32_t word = (uint32_t)*packed++;
        to[0] = mcuq_unpack_four(word & codes, scale, offset);
        to[1] = mcuq_unpack_four((word >> 2) & codes, scale, offset);
        to[2] = mcuq_unpack_four((word >> 4) & codes, scale, offset);
        to[3] = mcuq_unpack_four((word >> 6) & codes, scale, offset);
        to += 4;
    }
}

/* item mcuq_unpack_binary: needs MCUQ_NOINLINE; code 123 */
/* Thirty-two values of -1 or 1 a word: 2^shift in each byte, and what makes -2^shift of it where the bit is set. */
MCUQ_NOINLINE
static void mcuq_unpack_binary(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t ones = 0x01010101u, plus = ones << shift, turn = 256u - (2u << shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 32) {
        uint32_t word = (uint32_t)*packed++;
        for (int i = 0; i < 8; i++) {
            *to++ = (word & ones) * turn + plus;
            word >>= 1;
        }
    }
}

/* item mcuq_unpack_ternary: needs MCUQ_NOINLINE, mcuq_unpack_four, mcuq_unpack_offset; code 169 */
/* Twenty values of -1..1 a word: five digits to base 3 in each byte b = ceil(256 * v / 243), v below 243. The carry of
 * 3 * b is the highest digit, its lower byte belongs to the digits behind in the same way, for five of them. Even and
 * odd bytes apart, in halves of 16 bits, as 3 * 255 needs ten. */
MCUQ_NOINLINE
static void mcuq_unpack_ternary(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t bytes = 0x00ff00ffu, scale = 1u << shift, offset = mcuq_unpack_offset(1, shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 20) {
        const uint32_t word = (uint32_t)*packed++;
        uint32_t even = word & bytes, odd = (word >> 8) & bytes;
        for (int i = 0; i < 5; i++) {
            even *= 3;
            odd *= 3;
            *to++ = mcuq_unpack_four(((even >> 8) & bytes) | (odd & ~bytes), scale, offset);
            even &= bytes;
            odd &= bytes;
        }
    }
}

/* item mcuq_unpack_codebook: needs MCUQ_NOINLINE; code 261 */
/* Eight indices a word into the 16 int8 that the first four words hold. */
MCUQ_NOINLINE
static void mcuq_unpack_codebook(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const int8_t *const codes = (const int8_t *)(const void *)packed;
    const int32_t *word = packed + 4;
    (void)shift;
    for (; count >= 8; count -= 8) {
        const uint32_t indices = (uint32_t)*word++;
        out[0] = codes[indices & 15u];
        out[1] = codes[(indices >> 4) & 15u];
        out[2] = codes[(indices >> 8) & 15u];
        out[3] = codes[(indices >> 12) & 15u];
        out[4] = codes[(indices >> 16) & 15u];
        out[5] = codes[(indices >> 20) & 15u];
        out[6] = codes[(indices >> 24) & 15u];
        out[7] = codes[indices >> 28];
        out += 8;
    }
    if (count > 0) {
        uint32_t indices = (uint32_t)*word;
        for (; count > 0; count--) {
            *out++ = codes[indices & 15u];
            indices >>= 4;
        }
    }
}

/* item mcuq_unpack_step: code 104 */
/* In each byte of a word ((code - zero) * step + 8) >> 4 times 2^shift, of codes there, with offset = 8 - zero * step +
 * 4096 in both halves: 279 to 7,929 with what is added, so that nothing is carried, and 4096 >> 4 is 0 in a byte. Even
 * and odd bytes apart, in halves of 16 bits. */
static inline uint32_t mcuq_unpack_step(uint32_t codes, uint32_t step, uint32_t offset, int shift)
{
    const uint32_t bytes = 0x00ff00ffu;
    const uint32_t even = ((((codes & bytes) * step + offset) >> 4) & bytes) << shift;
    const uint32_t odd = (((((codes >> 8) & bytes) * step + offset) >> 4) & bytes) << shift;
    return (even & bytes) | ((odd & bytes) << 8);
}

/* item mcuq_unpack_blocks: needs MCUQ_NOINLINE, mcuq_unpack_step; stack 8; code 300 */
/* Eight codes a word, behind a step and a zero of each 32 values, bytes that fill words. Words are written where they may
 * be, so that rows of any length may follow each other. */
MCUQ_NOINLINE
static void mcuq_unpack_blocks(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint8_t *shared = (const uint8_t *)(const void *)packed;
    const int32_t *word = packed + (count + 63) / 64;
    const int is_aligned = ((uintptr_t)out & 3u) == 0;
    while (count > 0) {
        const uint32_t step = shared[0], offset = (4104u - shared[1] * step) * 0x00010001u;
        const int32_t after = count - 32;
        shared += 2;
        for (; count > 0 && count > after; count -= 8) {
            const uint32_t codes = (uint32_t)*word++;
            uint32_t four[2];
            four[0] = mcuq_unpack_step(codes & 0x0f0f0f0fu, step, offset, shift);
            four[1] = mcuq_unpack_step((codes >> 4) & 0x0f0f0f0fu, step, offset, shift);
            if (is_aligned && count >= 8) {
                uint32_t *to = (uint32_t *)(void *)out;
                to[0] = four[0];
                to[1] = four[1];
            } else {
                for (int i = 0; i < 8 && i < count; i++) {
                    out[i] = (int8_t)(uint8_t)(four[i / 4] >> (8 * (i % 4)));
                }
            }
            out += 8;
        }
    }
}

#endif
