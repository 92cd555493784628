/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two computed matrices by SMLAD: columns of one in the order of weights, and what zero points add up to. */
#ifndef MCUQ_DSP_MAT_MUL_H
#define MCUQ_DSP_MAT_MUL_H

#include "mcuq_dsp.h"

/* item mcuq_dsp_add_pair: needs MCUQ_GNU; cpu dsp; code 81 */
/* acc plus both int16 of a pair. */
static inline int32_t mcuq_dsp_add_pair(int32_t acc, uint32_t pair)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(pair), "r"(0x10001));
    return acc;
#else
    return acc + (int16_t)pair + (int16_t)(pair >> 16);
#endif
}

/* item mcuq_dsp_pack_columns: needs MCUQ_NOINLINE, mcuq_dsp_load; code 590 */
/* Columns of a matrix, their taps `tap_step` apart and one column `output_step` behind the other, in the order of
 * weights of mcuq_dsp_product_4: for each two columns 2 * fours words. What lies beyond the last column or tap is 0. Of
 * words where they are aligned: 11 instructions for 8 bytes. */
MCUQ_NOINLINE
static void mcuq_dsp_pack_columns(const int8_t *b, int32_t taps, int32_t outputs, int32_t tap_step, int32_t output_step,
                                  int32_t fours, uint32_t *weight)
{
    const int32_t pairs = (outputs + 1) / 2, whole = taps / 4;
    if (tap_step == 1 && taps % 4 == 0 && outputs % 2 == 0) {
        for (int32_t pair = 0; pair < pairs; pair++) {
            const int8_t *const one = b + 2 * pair * output_step, *const two = one + output_step;
            uint32_t *to = weight + 2 * pair * fours;
            for (int32_t i = 0; i < whole; i++) {
                const uint32_t first = mcuq_dsp_load(one + 4 * i, 1), second = mcuq_dsp_load(two + 4 * i, 1);
                *to++ = (first & 0x00ff00ffu) | (second & 0x00ff00ffu) << 8;
                *to++ = (first >> 8 & 0x00ff00ffu) | (second & 0xff00ff00u);
            }
        }
    } else if (output_step == 1 && tap_step % 4 == 0 && taps % 4 == 0 && outputs % 4 == 0) {
        for (int32_t i = 0; i < whole; i++) {
            const int8_t *const row = b + 4 * i * tap_step;
            for (int32_t oc = 0; oc < outputs; oc += 4) {
                const uint32_t r0 = mcuq_dsp_load(row + oc, 1), r1 = mcuq_dsp_load(row + tap_step + oc, 1);
                const uint32_t r2 = mcuq_dsp_load(row + 2 * tap_step + oc, 1);
                const uint32_t r3 = mcuq_dsp_load(row + 3 * tap_step + oc, 1);
                uint32_t *const to = weight + oc * fours + 2 * i;
                to[0] = (r0 & 0xffffu) | r2 << 16;
                to[1] = (r1 & 0xffffu) | r3 << 16;
                to[2 * fours] = r0 >> 16 | (r2 & 0xffff0000u);
                to[2 * fours + 1] = r1 >> 16 | (r3 & 0xffff0000u);
            }
        }
    } else {
        for (int32_t pair = 0; pair < pairs; pair++)
            for (int32_t i = 0; i < 2 * ((taps + 3) / 4); i++) {
                uint32_t word = 0;
                for (int32_t k = 0; k < 4; k++) {
                    const int32_t tap = i / 2 * 4 + i % 2 + k / 2 * 2, oc = 2 * pair + k % 2;
                    const int8_t value = tap < taps && oc < outputs ? b[tap * tap_step + oc * output_step] : 0;
                    word |= (uint32_t)(uint8_t)value << 8 * k;
                }
                weight[2 * pair * fours + i] = word;
            }
    }
}

/* item mcuq_dsp_start_columns: needs MCUQ_NOINLINE, mcuq_dsp_even, mcuq_dsp_odd, mcuq_dsp_add_pair; code 180 */
/* The channels of mcuq_dsp_product_4 for packed columns of `fours` fours: each starts at -a_zero_point times the sum of
 * its taps less `sum_zero_points`, and all are multiplied by one number. */
MCUQ_NOINLINE
static void mcuq_dsp_start_columns(const uint32_t *weight, int32_t fours, int32_t outputs, int32_t a_zero_point,
                                   int32_t sum_zero_points, int32_t multiplier, int32_t *channel)
{
    for (int32_t pair = 0; pair < (outputs + 1) / 2; pair++) {
        int32_t one = -sum_zero_points, two = -sum_zero_points;
        if (a_zero_point != 0)
            for (int32_t i = 0; i < 2 * fours; i++) {
                const uint32_t word = weight[2 * pair * fours + i];
                one = mcuq_dsp_add_pair(one, mcuq_dsp_even(word));
                two = mcuq_dsp_add_pair(two, mcuq_dsp_odd(word));
            }
        channel[4 * pair] = -a_zero_point * one;
        channel[4 * pair + 1] = -a_zero_point * two;
        channel[4 * pair + 2] = channel[4 * pair + 3] = multiplier;
    }
}

/* item mcuq_dsp_end_rows: needs MCUQ_NOINLINE, mcuq_dsp_add_pair; code 190 */
/* Fours behind the `words` of four rows as columns, whose values add up to minus the row's sum: times b's
 * zero point, as which such fours are packed, they are what it takes from a product. */
MCUQ_NOINLINE
static void mcuq_dsp_end_rows(int32_t words, int32_t extra, uint32_t *columns)
{
    for (int32_t p = 0; p < 4; p++) {
        int32_t left = 0;
        uint32_t *column = columns + p;
        for (int32_t i = 0; i < words; i++, column += 8)
            left -= mcuq_dsp_add_pair(mcuq_dsp_add_pair(0, column[0]), column[4]);
        for (int32_t i = extra; i > 0; i--, column += 8) {
            const int32_t part = left / i, quarter = part / 4;
            column[0] = (uint32_t)(quarter * 65536) | (uint16_t)quarter;
            column[4] = (uint32_t)(quarter * 65536) | (uint16_t)(part - 3 * quarter);
            left -= part;
        }
    }
}

#endif
