/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights of few values out of the words that hold them in flash, as mcuq/packing.py packs them; its functions of the
 * same names give the same bytes. The generator copies the functions a model uses into its C file.
 *
 * `packed` has words, `count` is how many values are wanted, each times 2^shift, which int8 holds. `out` gets whole
 * words of int8: it is aligned to 4 and has room for all values of the last word of `packed` (a codebook writes `count`
 * of them, anywhere, as they are). Four values are made at a time, in the bytes of a word, with no carry from one to
 * the next: no division, no long multiplication.
 */
#ifndef MCUQ_UNPACK_H
#define MCUQ_UNPACK_H

#include <stdint.h>

/* The bits of each byte that are left when its value was shifted left. */
static inline uint32_t mcuq_unpack_kept(int shift)
{
    return ((0xffu << shift) & 0xffu) * 0x01010101u;
}

/* Eight values of -8..7 a word. A byte 0x08 of sign bits times 30 is 0xf0. */
__attribute__((noinline))
static void mcuq_unpack_int4(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t codes = 0x0f0f0f0fu, signs = 0x08080808u, kept = mcuq_unpack_kept(shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 8) {
        const uint32_t word = (uint32_t)*packed++;
        const uint32_t low = word & codes, high = (word >> 4) & codes;
        to[0] = ((low | (low & signs) * 30u) << shift) & kept;
        to[1] = ((high | (high & signs) * 30u) << shift) & kept;
        to += 2;
    }
}

/* Sixteen values of -2..1 a word. A byte 0x02 of sign bits times 126 is 0xfc. */
__attribute__((noinline))
static void mcuq_unpack_int2(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t codes = 0x03030303u, signs = 0x02020202u, kept = mcuq_unpack_kept(shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 16) {
        uint32_t word = (uint32_t)*packed++;
        for (int i = 0; i < 4; i++) {
            const uint32_t part = word & codes;
            *to++ = ((part | (part & signs) * 126u) << shift) & kept;
            word >>= 2;
        }
    }
}

/* Thirty-two values of -1 or 1 a word. */
__attribute__((noinline))
static void mcuq_unpack_binary(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    /* 2^shift, and what makes -2^shift of it */
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

/* Twenty values of -1..1 a word: five digits to base 3 in each byte b = ceil(256 * v / 243), v below 243. The carry of
 * 3 * b is the highest digit, its lower byte belongs to the digits behind in the same way, for five of them. Even and
 * odd bytes apart, in halves of 16 bits, as 3 * 255 needs ten. Less one in all bytes: 0x7f more, the top bit turned. */
__attribute__((noinline))
static void mcuq_unpack_ternary(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const uint32_t bytes = 0x00ff00ffu, kept = mcuq_unpack_kept(shift);
    uint32_t *to = (uint32_t *)(void *)out;
    for (; count > 0; count -= 20) {
        const uint32_t word = (uint32_t)*packed++;
        uint32_t even = word & bytes, odd = (word >> 8) & bytes;
        for (int i = 0; i < 5; i++) {
            even *= 3;
            odd *= 3;
            const uint32_t digits = ((even >> 8) & bytes) | (odd & ~bytes);
            *to++ = (((digits + 0x7f7f7f7fu) ^ 0x80808080u) << shift) & kept;
            even &= bytes;
            odd &= bytes;
        }
    }
}

/* Eight indices a word into the 16 int8 that the first four words hold. */
__attribute__((noinline))
static void mcuq_unpack_codebook(const int32_t *packed, int32_t count, int shift, int8_t *out)
{
    const int8_t *const codes = (const int8_t *)(const void *)packed;
    const int32_t *word = packed + 4;
    int32_t i = 0;
    (void)shift;
    for (; i + 8 <= count; i += 8) {
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
    for (; i < count; i++)
        *out++ = codes[((uint32_t)*word >> 4 * (i & 7)) & 15u];
}

#endif
