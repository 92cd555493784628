/* SPDX-License-Identifier: Apache-2.0 */
/* Products of a row with columns of a computed matrix for Cortex-M0 and M0+. Assembly, and portable C that gives the same
 * bits. */
#ifndef MCUQ_COLUMNS_H
#define MCUQ_COLUMNS_H

#include "../mcuq_compiler.h"
#include "../mcuq_mat_mul.h"

#include <stdint.h>

/* item mcuq_pack_columns: needs MCUQ_NOINLINE; code 289 */
/* Columns of a matrix, their taps `tap_step` apart and one column `output_step` behind the other, as mcuq_column_sums
 * reads them: for each four columns a, b, c, d where the sums of each two begin, then for each of `padded` taps the
 * words -(a + 65536 * b) and -(c + 65536 * d). Taps beyond the last are 0, columns beyond it the last one again. Sums
 * begin at -a_zero_point times the sum of (b - b_zero_point) of a column. */
MCUQ_NOINLINE
static void mcuq_pack_columns(const int8_t *b, int32_t taps, int32_t padded, int32_t outputs, int32_t tap_step,
                              int32_t output_step, int32_t a_zero_point, int32_t b_zero_point, int32_t *columns)
{
    for (int32_t oc = 0; oc < (outputs + 3) / 4 * 4; oc += 2) {
        const int8_t *first = b + (oc < outputs ? oc : outputs - 1) * output_step;
        const int8_t *second = b + (oc + 1 < outputs ? oc + 1 : outputs - 1) * output_step;
        int32_t *const start = columns + oc / 4 * (4 + 2 * padded) + oc % 4, *word = start + 4 - oc % 4 / 2;
        int32_t one = -taps * b_zero_point, two = one, ic = 0;
        for (; ic < taps; ic++) {
            *word = -(*first + *second * 65536);
            word += 2;
            one += *first;
            two += *second;
            first += tap_step;
            second += tap_step;
        }
        for (; ic < padded; ic++) {
            *word = 0;
            word += 2;
        }
        start[1] = a_zero_point * two;
        start[0] = (int32_t)(((uint32_t)start[1] << 16) - ((uint32_t)padded << 14) + (uint32_t)(a_zero_point * one));
    }
}

/* item mcuq_expand_row: code 90 */
/* A row as words, 0 beyond its n values up to `padded`. Gives their sum. */
static inline int32_t mcuq_expand_row(const int8_t *x, int32_t n, int32_t padded, int32_t *to)
{
    int32_t sum = 0, i = 0;
    for (; i < n; i++) {
        const int32_t value = *x++;
        to[i] = value;
        sum += value;
    }
    for (; i < padded; i++)
        to[i] = 0;
    return sum;
}

/* item mcuq_column_sums: needs MCUQ_NOINLINE, MCUQ_GNU; cpu armv6m; stack 16; code 571 */
/* Sums of x[k] * column[k] of four columns each to `sums` up to `end`, of what mcuq_expand_row and mcuq_pack_columns
 * wrote; `padded` is a multiple of 4, x and columns hold int8. 17 instructions for the 8 products of two taps.
 *
 * One multiplication by -(a + 65536 * b) gives -x * a in the lower half and -x * b in the upper. Two of them add up to
 * -32768..32512 in either, so that with 32768 more the lower half is not negative and the upper one is exact. `high`
 * gains the upper halves, `low` gains all, modulo 2^32: low = 32768 * padded / 2 + first + 65536 * high. */
MCUQ_NOINLINE
static void mcuq_column_sums(const int32_t *x, const int32_t *columns, int32_t padded, int32_t *sums,
                             const int32_t *end)
{
#if MCUQ_GNU && defined(__ARM_ARCH_6M__)
    /* r0-r3 pairs, r4 and r7 values, r8-r11 low and high of each two, r12 32768, lr where x ends; on the stack sums, end,
     * x and r7, which may be the frame pointer */
    register int32_t *to __asm__("r0") = sums;
    register const int32_t *last __asm__("r1") = end;
    register const int32_t *x_end __asm__("r4") = x + padded;
    register const int32_t *pairs __asm__("r5") = columns;
    register const int32_t *values __asm__("r6") = x;
    __asm__ volatile(".syntax unified\n"
                     "push {r0, r1, r6, r7}\n"
                     "mov lr, r4\n"
                     "movs r0, #1\n"
                     "lsls r0, r0, #15\n"
                     "mov r12, r0\n"
                     "1:\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "mov r8, r0\n"
                     "mov r9, r1\n"
                     "mov r10, r2\n"
                     "mov r11, r3\n"
                     "2:\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "ldmia r6!, {r4, r7}\n"
                     "muls r0, r4, r0\n"
                     "muls r2, r7, r2\n"
                     "muls r1, r4, r1\n"
                     "muls r3, r7, r3\n"
                     "add r0, r12\n"
                     "adds r0, r0, r2\n"
                     "add r8, r0\n"
                     "asrs r0, r0, #16\n"
                     "add r9, r0\n"
                     "add r1, r12\n"
                     "adds r1, r1, r3\n"
                     "add r10, r1\n"
                     "asrs r1, r1, #16\n"
                     "add r11, r1\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "ldmia r6!, {r4, r7}\n"
                     "muls r0, r4, r0\n"
                     "muls r2, r7, r2\n"
                     "muls r1, r4, r1\n"
                     "muls r3, r7, r3\n"
                     "add r0, r12\n"
                     "adds r0, r0, r2\n"
                     "add r8, r0\n"
                     "asrs r0, r0, #16\n"
                     "add r9, r0\n"
                     "add r1, r12\n"
                     "adds r1, r1, r3\n"
                     "add r10, r1\n"
                     "asrs r1, r1, #16\n"
                     "add r11, r1\n"
                     "cmp r6, lr\n"
                     "bne 2b\n"
                     "mov r0, r8\n"
                     "mov r1, r9\n"
                     "mov r2, r10\n"
                     "mov r3, r11\n"
                     "lsls r4, r1, #16\n"
                     "subs r0, r4, r0\n"
                     "rsbs r1, r1, #0\n"
                     "lsls r4, r3, #16\n"
                     "subs r2, r4, r2\n"
                     "rsbs r3, r3, #0\n"
                     "ldr r4, [sp]\n"
                     "ldr r7, [sp, #4]\n"
                     "ldr r6, [sp, #8]\n"
                     "stmia r4!, {r0, r1, r2, r3}\n"
                     "str r4, [sp]\n"
                     "cmp r4, r7\n"
                     "bne 1b\n"
                     "add sp, #12\n"
                     "pop {r7}\n"
                     : "+r"(to), "+r"(last), "+r"(x_end), "+r"(pairs), "+r"(values)
                     :
                     : "r2", "r3", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
    for (; sums != end; columns += 4 + 2 * padded)
        for (int32_t j = 0; j < 2; j++) {
            const int32_t *const pair = columns + 4 + j;
            uint32_t low = (uint32_t)columns[2 * j], high = (uint32_t)columns[2 * j + 1];
            for (int32_t i = 0; i < padded; i += 2) {
                const int32_t both = 32768 + x[i] * pair[2 * i] + x[i + 1] * pair[2 * i + 2];
                low += (uint32_t)both;
                high += (uint32_t)(both >> 16);
            }
            *sums++ = (int32_t)((high << 16) - low);
            *sums++ = (int32_t)(0 - high);
        }
#endif
}

/* item mcuq_word_sums_even: needs MCUQ_GNU, MCUQ_NOINLINE, mcuq_word_sums; cpu armv6m; stack 16; code 340 */
/* mcuq_word_sums where n is even: 21 instructions for the 8 products of two taps on Cortex-M0. */
MCUQ_NOINLINE
static void mcuq_word_sums_even(const int32_t *x, const int32_t *columns, int32_t n, int32_t *sums, const int32_t *end)
{
#if MCUQ_GNU && defined(__ARM_ARCH_6M__)
    /* r0-r3 products, r4 and r7 values, r8-r11 sums, lr where x ends; on the stack `sums`, `end`, x and r7, which may be
     * the frame pointer */
    register int32_t *to __asm__("r0") = sums;
    register const int32_t *last __asm__("r1") = end;
    register const int32_t *x_end __asm__("r4") = x + n;
    register const int32_t *words __asm__("r5") = columns;
    register const int32_t *values __asm__("r6") = x;
    __asm__ volatile(".syntax unified\n"
                     "push {r0, r1, r6, r7}\n"
                     "mov lr, r4\n"
                     "1:\n"
                     "movs r0, #0\n"
                     "mov r8, r0\n"
                     "mov r9, r0\n"
                     "mov r10, r0\n"
                     "mov r11, r0\n"
                     "2:\n"
                     "ldmia r6!, {r4, r7}\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "muls r0, r4, r0\n"
                     "muls r1, r4, r1\n"
                     "muls r2, r4, r2\n"
                     "muls r3, r4, r3\n"
                     "add r8, r0\n"
                     "add r9, r1\n"
                     "add r10, r2\n"
                     "add r11, r3\n"
                     "ldmia r5!, {r0, r1, r2, r3}\n"
                     "muls r0, r7, r0\n"
                     "muls r1, r7, r1\n"
                     "muls r2, r7, r2\n"
                     "muls r3, r7, r3\n"
                     "add r8, r0\n"
                     "add r9, r1\n"
                     "add r10, r2\n"
                     "add r11, r3\n"
                     "cmp r6, lr\n"
                     "bne 2b\n"
                     "mov r0, r8\n"
                     "mov r1, r9\n"
                     "mov r2, r10\n"
                     "mov r3, r11\n"
                     "ldr r4, [sp]\n"
                     "ldr r7, [sp, #4]\n"
                     "ldr r6, [sp, #8]\n"
                     "stmia r4!, {r0, r1, r2, r3}\n"
                     "str r4, [sp]\n"
                     "cmp r4, r7\n"
                     "bne 1b\n"
                     "add sp, #12\n"
                     "pop {r7}\n"
                     : "+r"(to), "+r"(last), "+r"(x_end), "+r"(words), "+r"(values)
                     :
                     : "r2", "r3", "r8", "r9", "r10", "r11", "lr", "cc", "memory");
    (void)mcuq_word_sums; /* the twin's */
#else
    mcuq_word_sums(x, columns, n, sums, end);
#endif
}

/* item mcuq_opaque: needs MCUQ_GNU; code 30 */
/* A number that compilers multiply by, as they would not by one they know: on Cortex-M0 they shift and add instead,
 * which takes three times as many instructions. */
static inline int32_t mcuq_opaque(int32_t value)
{
#if MCUQ_GNU
    __asm__("" : "+r"(value));
#endif
    return value;
}

#endif
