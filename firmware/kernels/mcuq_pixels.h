/* SPDX-License-Identifier: Apache-2.0
 *
 * What front ends of images (docs/images.md) compute of a camera's pixels: mcuq/front_end/pixels.py and image.py have
 * what gives the same bits. The generator copies the functions a front end uses into its C file.
 */
#ifndef MCUQ_PIXELS_H
#define MCUQ_PIXELS_H

#include "mcuq_compiler.h"
#include "mcuq_math.h"

#include <stdint.h>

/* item mcuq_take_grey: code 29 */
/* Pixel x of a row: its brightness. */
static inline void mcuq_take_grey(const uint8_t *row, int32_t x, uint8_t *c)
{
    c[0] = row[x];
}

/* item mcuq_take_rgb888: code 59 */
/* Pixel x of a row of three bytes each, in their order. */
static inline void mcuq_take_rgb888(const uint8_t *row, int32_t x, uint8_t *c)
{
    c[0] = row[3 * x];
    c[1] = row[3 * x + 1];
    c[2] = row[3 * x + 2];
}

/* item mcuq_take_bgr888: code 59 */
/* The same in the other order. */
static inline void mcuq_take_bgr888(const uint8_t *row, int32_t x, uint8_t *c)
{
    c[0] = row[3 * x + 2];
    c[1] = row[3 * x + 1];
    c[2] = row[3 * x];
}

/* item mcuq_of_565: code 86 */
/* Red, green and blue of 5, 6 and 5 bits as 8 bits each, rounded. */
static inline void mcuq_of_565(uint32_t pixel, uint8_t *c)
{
    c[0] = (uint8_t)(((pixel >> 11) * 527 + 23) >> 6);
    c[1] = (uint8_t)(((pixel >> 5 & 63) * 259 + 33) >> 6);
    c[2] = (uint8_t)(((pixel & 31) * 527 + 23) >> 6);
}

/* item mcuq_take_rgb565: needs mcuq_of_565; code 48 */
/* Pixel x of a row of two bytes each, the lower one first. */
static inline void mcuq_take_rgb565(const uint8_t *row, int32_t x, uint8_t *c)
{
    mcuq_of_565((uint32_t)(row[2 * x] | row[2 * x + 1] << 8), c);
}

/* item mcuq_take_rgb565_be: needs mcuq_of_565; code 48 */
/* The same, the upper one first. */
static inline void mcuq_take_rgb565_be(const uint8_t *row, int32_t x, uint8_t *c)
{
    mcuq_of_565((uint32_t)(row[2 * x] << 8 | row[2 * x + 1]), c);
}

/* item mcuq_take_yuyv: code 68 */
/* Y, U and V of pixel x of a row in which two share U and V: bytes Y U Y V. */
static inline void mcuq_take_yuyv(const uint8_t *row, int32_t x, uint8_t *c)
{
    const uint8_t *const pair = row + 4 * (x >> 1);
    c[0] = row[2 * x];
    c[1] = pair[1];
    c[2] = pair[3];
}

/* item mcuq_take_uyvy: code 70 */
/* The same: bytes U Y V Y. */
static inline void mcuq_take_uyvy(const uint8_t *row, int32_t x, uint8_t *c)
{
    const uint8_t *const pair = row + 4 * (x >> 1);
    c[0] = row[2 * x + 1];
    c[1] = pair[0];
    c[2] = pair[2];
}

/* item mcuq_byte_of: code 36 */
/* Limited to 0..255. */
static inline uint8_t mcuq_byte_of(int32_t x)
{
    const int32_t low = x < 0 ? 0 : x;
    return (uint8_t)(low > 255 ? 255 : low);
}

/* item mcuq_rgb_of_full_yuv: needs mcuq_byte_of; code 93 */
/* Red, green and blue of Y, U and V that reach from 0 to 255 (BT.601 as JFIF has it), each rounded once. */
static inline void mcuq_rgb_of_full_yuv(uint8_t *c)
{
    const int32_t y = c[0] * 65536 + 32768, u = c[1] - 128, v = c[2] - 128;
    c[0] = mcuq_byte_of((y + 91881 * v) >> 16);
    c[1] = mcuq_byte_of((y - 22554 * u - 46802 * v) >> 16);
    c[2] = mcuq_byte_of((y + 116130 * u) >> 16);
}

/* item mcuq_rgb_of_yuv: needs mcuq_byte_of; code 97 */
/* The same where Y is from 16 to 235 (BT.601 as video has it). */
static inline void mcuq_rgb_of_yuv(uint8_t *c)
{
    const int32_t y = (c[0] - 16) * 76309 + 32768, u = c[1] - 128, v = c[2] - 128;
    c[0] = mcuq_byte_of((y + 104597 * v) >> 16);
    c[1] = mcuq_byte_of((y - 25675 * u - 53279 * v) >> 16);
    c[2] = mcuq_byte_of((y + 132201 * u) >> 16);
}

/* item mcuq_grey_of_luma: needs mcuq_byte_of; code 28 */
/* Brightness of a Y from 16 to 235. */
static inline uint8_t mcuq_grey_of_luma(int32_t y)
{
    return mcuq_byte_of(((y - 16) * 76309 + 32768) >> 16);
}

/* item mcuq_grey_of_rgb: code 46 */
/* Brightness by BT.601. */
static inline uint8_t mcuq_grey_of_rgb(const uint8_t *c)
{
    return (uint8_t)((19595 * c[0] + 38470 * c[1] + 7471 * c[2] + 32768) >> 16);
}

/* item mcuq_code_of_pixel: code 54 */
/* (pixel * multiplier + offset) / 2^shift towards minus infinity, limited; the generator keeps the sum below 2^31. */
static inline int32_t mcuq_code_of_pixel(int32_t pixel, int32_t multiplier, int32_t offset, int32_t shift, int32_t low,
                                         int32_t high)
{
    const int32_t code = (pixel * multiplier + offset) >> shift, above = code < low ? low : code;
    return above > high ? high : above;
}

/* item mcuq_code_of_sum: needs mcuq_multiply_high; code 56 */
/* (sum * multiplier / 2^32 + offset) / 2^shift, both towards minus infinity, limited; sum < 2^30. */
static inline int32_t mcuq_code_of_sum(int32_t sum, int32_t multiplier, int32_t offset, int32_t shift, int32_t low,
                                       int32_t high)
{
    const int32_t code = (mcuq_multiply_high(sum, multiplier) + offset) >> shift, above = code < low ? low : code;
    return above > high ? high : above;
}

/* item mcuq_less_128: needs MCUQ_GNU; code 126 */
/* Bytes as codes: each less 128, by words where both places are aligned to them. */
static inline void mcuq_less_128(const uint8_t *from, int8_t *to, int32_t count)
{
    int32_t i = 0;

#if MCUQ_GNU
    typedef uint32_t __attribute__((may_alias)) word;
    if ((((uintptr_t)from | (uintptr_t)to) & 3u) == 0)
        for (; i + 4 <= count; i += 4)
            *(word *)(void *)(to + i) = *(const word *)(const void *)(from + i) ^ 0x80808080u;
#endif
    for (; i < count; i++)
        to[i] = (int8_t)(from[i] - 128);
}

#endif
