/* SPDX-License-Identifier: Apache-2.0 */
/* Inner steps for RV32IM. Its 31 registers hold 16 accumulators with all that a step needs, so that eight loads serve
   16 products. The assembly computes what the C beside it does; it is volatile to keep compilers from loading ahead,
   for which they would move accumulators to the stack. The generator copies the functions a model uses into its C
   file. */
#ifndef MCUQ_RV32_H
#define MCUQ_RV32_H

#include "../mcuq_compiler.h"
#include "../mcuq_math.h"

#include <stdint.h>

/* item mcuq_copy: needs MCUQ_GNU, MCUQ_MEMCPY; code 63 */
/* Copies bytes; memcpy does it word by word where both addresses allow it, a loop would not. */
static inline void mcuq_copy(int8_t *to, const int8_t *from, int32_t n_bytes)
{
#if MCUQ_GNU
    MCUQ_MEMCPY(to, from, (uint32_t)n_bytes);
#else
    for (int32_t i = 0; i < n_bytes; i++)
        to[i] = from[i];
#endif
}

/* item mcuq_add_products: needs MCUQ_GNU; cpu rv32m; code 208 */
/* acc[i] += x[i] * w for i in 0..3: one input of four pixels times one weight. */
static inline void mcuq_add_products(int32_t *acc, int32_t x0, int32_t x1, int32_t x2, int32_t x3, int32_t w)
{
#if MCUQ_GNU && defined(__riscv_mul) && __riscv_xlen == 32
    int32_t product, next;
    __asm__ volatile("mul %4, %6, %10\n\t"
                     "mul %5, %7, %10\n\t"
                     "add %0, %0, %4\n\t"
                     "mul %4, %8, %10\n\t"
                     "add %1, %1, %5\n\t"
                     "mul %5, %9, %10\n\t"
                     "add %2, %2, %4\n\t"
                     "add %3, %3, %5"
                     : "+r"(acc[0]), "+r"(acc[1]), "+r"(acc[2]), "+r"(acc[3]), "=&r"(product), "=&r"(next)
                     : "r"(x0), "r"(x1), "r"(x2), "r"(x3), "r"(w));
#else
    acc[0] += x0 * w;
    acc[1] += x1 * w;
    acc[2] += x2 * w;
    acc[3] += x3 * w;
#endif
}

/* item mcuq_step_4x4: needs mcuq_add_products; code 136 */
/* acc[4 * j + i] += x[i * distance] * w[j]: one input of four pixels for four output channels. */
static inline void mcuq_step_4x4(int32_t *acc, const int8_t *x, int32_t distance, const int8_t *w)
{
    const int32_t x0 = x[0], x1 = x[distance], x2 = x[2 * distance], x3 = x[3 * distance];

    mcuq_add_products(acc, x0, x1, x2, x3, w[0]);
    mcuq_add_products(acc + 4, x0, x1, x2, x3, w[1]);
    mcuq_add_products(acc + 8, x0, x1, x2, x3, w[2]);
    mcuq_add_products(acc + 12, x0, x1, x2, x3, w[3]);
}

/* item mcuq_step_4x1: needs mcuq_add_products; code 53 */
/* acc[i] += x[i * distance] * w: one input of four pixels for one output channel. */
static inline void mcuq_step_4x1(int32_t *acc, const int8_t *x, int32_t distance, int32_t w)
{
    mcuq_add_products(acc, x[0], x[distance], x[2 * distance], x[3 * distance], w);
}

/* item mcuq_step_1x4: needs mcuq_add_products; code 46 */
/* acc[j] += x * w[j] for j in 0..3: one input for four output channels. */
static inline void mcuq_step_1x4(int32_t *acc, int32_t x, const int8_t *w)
{
    mcuq_add_products(acc, w[0], w[1], w[2], w[3], x);
}

/* item mcuq_step_1x16: needs mcuq_step_1x4; code 67 */
/* acc[j] += x * w[j] for j in 0..15: one input for sixteen outputs. */
static inline void mcuq_step_1x16(int32_t *acc, int32_t x, const int8_t *w)
{
    mcuq_step_1x4(acc, x, w);
    mcuq_step_1x4(acc + 4, x, w + 4);
    mcuq_step_1x4(acc + 8, x, w + 8);
    mcuq_step_1x4(acc + 12, x, w + 12);
}

/* item mcuq_step_row_3: needs mcuq_add_products; code 132 */
/* acc[i] += x[i * stride + k] * w[k] over k in 0..2, for i in 0..3: one row of a 3 wide window at four places. */
static inline void mcuq_step_row_3(int32_t *acc, const int8_t *x, int32_t stride, int32_t w0, int32_t w1, int32_t w2)
{
    const int8_t *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;

    mcuq_add_products(acc, x[0], x1[0], x2[0], x3[0], w0);
    mcuq_add_products(acc, x[1], x1[1], x2[1], x3[1], w1);
    mcuq_add_products(acc, x[2], x1[2], x2[2], x3[2], w2);
}

/* item mcuq_requantize_rv32: needs MCUQ_GNU, mcuq_multiply_high, mcuq_requantize; cpu rv32m; code 167 */
/* mcuq_requantize in six instructions, of which compilers make a dozen, where one high word will do. */
static inline int8_t mcuq_requantize_rv32(int32_t acc, int32_t multiplier, int prescale, int shift, int32_t zero_point,
                                          int32_t output_min, int32_t output_max)
{
#if MCUQ_GNU && defined(__riscv_mul) && __riscv_xlen == 32
    if (shift >= 1) {
        const int32_t offset = zero_point * (1 << shift) + ((1 << shift) >> 1);
        int32_t q = (mcuq_multiply_high(acc * (1 << prescale), multiplier) + offset) >> shift;
        __asm__("bge %0, %1, 1f\n\t"
                "mv %0, %1\n"
                "1:\tbge %2, %0, 2f\n\t"
                "mv %0, %2\n"
                "2:"
                : "+r"(q)
                : "r"(output_min), "r"(output_max));
        return (int8_t)q;
    }
#endif
    return mcuq_requantize(acc, multiplier, prescale, shift, zero_point, output_min, output_max);
}

/* item mcuq_store_pixels: needs mcuq_requantize_rv32; code 141 */
/* y[i * distance] of acc[i] for i in 0..3: four pixels of one output channel. */
static inline void mcuq_store_pixels(int8_t *y, int32_t distance, const int32_t *acc, int32_t multiplier, int prescale,
                                     int shift, int32_t zero_point, int32_t output_min, int32_t output_max)
{
    y[0] = mcuq_requantize_rv32(acc[0], multiplier, prescale, shift, zero_point, output_min, output_max);
    y[distance] = mcuq_requantize_rv32(acc[1], multiplier, prescale, shift, zero_point, output_min, output_max);
    y[2 * distance] = mcuq_requantize_rv32(acc[2], multiplier, prescale, shift, zero_point, output_min, output_max);
    y[3 * distance] = mcuq_requantize_rv32(acc[3], multiplier, prescale, shift, zero_point, output_min, output_max);
}

/* item mcuq_store_channels: needs mcuq_requantize_rv32; code 148 */
/* y[j] of acc[j] for j in 0..3: four output channels of one pixel. */
static inline void mcuq_store_channels(int8_t *y, const int32_t *acc, const int32_t *multiplier, int prescale,
                                       int shift, int32_t zero_point, int32_t output_min, int32_t output_max)
{
    y[0] = mcuq_requantize_rv32(acc[0], multiplier[0], prescale, shift, zero_point, output_min, output_max);
    y[1] = mcuq_requantize_rv32(acc[1], multiplier[1], prescale, shift, zero_point, output_min, output_max);
    y[2] = mcuq_requantize_rv32(acc[2], multiplier[2], prescale, shift, zero_point, output_min, output_max);
    y[3] = mcuq_requantize_rv32(acc[3], multiplier[3], prescale, shift, zero_point, output_min, output_max);
}

#endif
