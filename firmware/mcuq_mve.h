/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner loops for Armv8.1-M with MVE (Helium). Each function has two bodies that give the same bits: inline
 * assembly, and plain C for every other compiler, CPU and for builds without optimization, where too few
 * registers are free. The generator copies the functions a model uses into its C file.
 *
 * Functions whose assembly takes nearly all registers are not inlined: a caller would compete for them.
 * Tail predication (DLSTP, LETP, VCTP) ends every load and store exactly at the last element.
 */
#ifndef MCUQ_MVE_H
#define MCUQ_MVE_H

#include "mcuq_math.h"

/* n_bytes from `from` to `to`, which do not overlap. */
static inline void mcuq_mve_copy(int8_t *to, const int8_t *from, int32_t n_bytes)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[from]], #16\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+r"(to), [from] "+r"(from)
                     : [n] "r"(n_bytes)
                     : "q0", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < n_bytes; i++)
        to[i] = from[i];
#endif
}

/* n_bytes of `value` at `to`. */
static inline void mcuq_mve_fill(int8_t *to, int32_t value, int32_t n_bytes)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    __asm__ volatile("vdup.8 q0, %[value]\n\t"
                     "wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [to] "+r"(to)
                     : [n] "r"(n_bytes), [value] "r"(value)
                     : "q0", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < n_bytes; i++)
        to[i] = (int8_t)value;
#endif
}

/* The bits of `word` as the compiler keeps them in a floating-point register: inline assembly below needs more
 * values than there are integer registers. No arithmetic is done with it. */
static inline float mcuq_mve_hold(int32_t word)
{
    const union {
        int32_t word;
        float held;
    } both = {word};
    return both.held;
}

/* The biases of `pairs` pairs of output channels to where mcuq_mve_dot_2x3 reads them. */
static inline void mcuq_mve_start_sums(int32_t *sums, const int32_t *bias, int32_t pairs)
{
    for (int32_t pair = 0; pair < pairs; pair++) {
        sums[8 * pair] = bias[2 * pair];
        sums[8 * pair + 1] = bias[2 * pair + 1];
    }
}

/* For each pair of output channels a, b and three vectors x0, x1, x2 of `taps` values: the six sums of products
 * plus bias. `sums` has eight words a pair: the biases of a and b, which stay, then a0 b0 a1 b1 a2 b2, which are
 * written. Rows of weights are `taps` bytes, one after the other; the second of a pair is `second` bytes behind
 * the first. Five loads and six VMLADAVA make 96 products. */
__attribute__((noinline))
static void mcuq_mve_dot_2x3(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                             int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_x0 = mcuq_mve_hold((int32_t)x0);
    const float held_x1 = mcuq_mve_hold((int32_t)x1);
    const float held_x2 = mcuq_mve_hold((int32_t)x2);
    const float held_taps = mcuq_mve_hold(taps);
    const float held_step = mcuq_mve_hold(2 * taps - ((taps + 15) & ~15));
    const float held_end = mcuq_mve_hold((int32_t)(sums + 8 * pairs));
    const int8_t *w0 = weight;
    const int8_t *w1 = weight + second;
    int32_t a0, a1, a2, b0, b1, b2;

    __asm__ volatile("1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "vmov %[x0], %[held_x0]\n\t"
                     "vmov %[x1], %[held_x1]\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "vmov %[x2], %[held_x2]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vmov lr, %[taps]\n\t"
                     "dlstp.8 lr, lr\n"
                     "2:\n\t"
                     "vldrb.8 q0, [%[w0]], #16\n\t"
                     "vldrb.8 q1, [%[x0]], #16\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vldrb.8 q2, [%[x1]], #16\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vldrb.8 q3, [%[x2]], #16\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[w1]], #16\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "letp lr, 2b\n\t"
                     "vmov lr, %[step]\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "add %[w0], %[w0], lr\n\t"
                     "add %[w1], %[w1], lr\n\t"
                     "vmov lr, %[end]\n\t"
                     "cmp %[sums], lr\n\t"
                     "bne 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "=&Te"(b0), [b1] "=&Te"(b1),
                       [b2] "=&Te"(b2), [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2), [w0] "+&r"(w0),
                       [w1] "+&r"(w1), [sums] "+&r"(sums)
                     : [held_x0] "t"(held_x0), [held_x1] "t"(held_x1), [held_x2] "t"(held_x2),
                       [taps] "t"(held_taps), [step] "t"(held_step), [end] "t"(held_end)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    for (int32_t pair = 0; pair < pairs; pair++, sums += 8, weight += 2 * taps)
        for (int32_t row = 0; row < 2; row++) {
            const int8_t *w = weight + row * second;
            int32_t acc0 = sums[row];
            int32_t acc1 = acc0;
            int32_t acc2 = acc0;
            for (int32_t i = 0; i < taps; i++) {
                acc0 += x0[i] * w[i];
                acc1 += x1[i] * w[i];
                acc2 += x2[i] * w[i];
            }
            sums[2 + row] = acc0;
            sums[4 + row] = acc1;
            sums[6 + row] = acc2;
        }
#endif
}

/* Sums of mcuq_mve_dot_2x3 for `pixels` (1 to 3) as int8, `channels` bytes a pixel, one pixel after the other.
 *
 * 16 channels at a time: sums of channels 0, 4, 8, 12, of 1, 5, 9, 13 and so on are gathered into one vector
 * each, so that narrowing to the bottom and top halves of lanes brings them in order. Multipliers lie in that
 * order, and `sums` and `multiplier` reach to a multiple of 16 channels.
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8. */
__attribute__((noinline))
static void mcuq_mve_requantize_sums(const int32_t *sums, const int32_t *multiplier, int32_t channels, int32_t pixels,
                                     int32_t shift, int32_t zero_point, int32_t output_min, int32_t output_max,
                                     int8_t *y)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int32_t next_group = 256 - 8 * pixels;
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    int32_t left = channels;
    int32_t lane = 0;
    int8_t *pixel;

    const int is_full = output_min == -128 && output_max == 127; /* a constant */

    if (is_full)
        __asm__ volatile("vidup.u32 q7, %[lane], #8\n\t"
                         "vshl.i32 q7, q7, #3\n\t"
                         "vadd.i32 q7, q7, %[sums]\n"
                         "1:\n\t"
                         "vctp.8 %[left]\n\t"
                         "vldrw.u32 q0, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q2, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q3, [%[multiplier]], #16\n\t"
                         "mov %[pixel], %[y]\n\t"
                         "dls lr, %[pixels]\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [q7, #40]\n\t"
                         "vqdmlash.s32 q6, q2, %[offset]\n\t"
                         "vshl.s32 q6, %[minus_shift]\n\t"
                         "vldrw.u32 q5, [q7, #12]\n\t"
                         "vqdmlash.s32 q5, q1, %[offset]\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vldrw.u32 q4, [q7, #44]\n\t"
                         "vqdmlash.s32 q4, q3, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnt.s32 q5, q4\n\t"
                         "vldrw.u32 q4, [q7, #8]!\n\t"
                         "vqdmlash.s32 q4, q0, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vqmovnt.s32 q4, q6\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vqmovnt.s16 q4, q5\n\t"
                         "vpst\n\t"
                         "vstrbt.8 q4, [%[pixel]]\n\t"
                         "add %[pixel], %[pixel], %[channels]\n\t"
                         "le lr, 2b\n\t"
                         "vadd.i32 q7, q7, %[next_group]\n\t"
                         "adds %[y], %[y], #16\n\t"
                         "subs %[left], %[left], #16\n\t"
                         "bgt 1b"
                         : [lane] "+&Te"(lane), [left] "+&r"(left), [multiplier] "+&r"(multiplier), [y] "+&r"(y),
                           [pixel] "=&r"(pixel)
                         : [sums] "r"(sums), [pixels] "r"(pixels), [channels] "r"(channels), [minus_shift] "r"(minus_shift),
                           [offset] "r"(offset),
                           [next_group] "r"(next_group)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    else
        __asm__ volatile("vidup.u32 q7, %[lane], #8\n\t"
                         "vshl.i32 q7, q7, #3\n\t"
                         "vadd.i32 q7, q7, %[sums]\n"
                         "1:\n\t"
                         "vctp.8 %[left]\n\t"
                         "vldrw.u32 q0, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q2, [%[multiplier]], #16\n\t"
                         "vldrw.u32 q3, [%[multiplier]], #16\n\t"
                         "mov %[pixel], %[y]\n\t"
                         "dls lr, %[pixels]\n"
                         "2:\n\t"
                         "vldrw.u32 q6, [q7, #40]\n\t"
                         "vqdmlash.s32 q6, q2, %[offset]\n\t"
                         "vshl.s32 q6, %[minus_shift]\n\t"
                         "vldrw.u32 q5, [q7, #12]\n\t"
                         "vqdmlash.s32 q5, q1, %[offset]\n\t"
                         "vshl.s32 q5, %[minus_shift]\n\t"
                         "vqmovnb.s32 q5, q5\n\t"
                         "vldrw.u32 q4, [q7, #44]\n\t"
                         "vqdmlash.s32 q4, q3, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnt.s32 q5, q4\n\t"
                         "vldrw.u32 q4, [q7, #8]!\n\t"
                         "vqdmlash.s32 q4, q0, %[offset]\n\t"
                         "vshl.s32 q4, %[minus_shift]\n\t"
                         "vqmovnb.s32 q4, q4\n\t"
                         "vqmovnt.s32 q4, q6\n\t"
                         "vqmovnb.s16 q4, q4\n\t"
                         "vqmovnt.s16 q4, q5\n\t"
                         "vdup.8 q5, %[output_min]\n\t"
                         "vmax.s8 q4, q4, q5\n\t"
                         "vdup.8 q5, %[output_max]\n\t"
                         "vmin.s8 q4, q4, q5\n\t"
                         "vpst\n\t"
                         "vstrbt.8 q4, [%[pixel]]\n\t"
                         "add %[pixel], %[pixel], %[channels]\n\t"
                         "le lr, 2b\n\t"
                         "vadd.i32 q7, q7, %[next_group]\n\t"
                         "adds %[y], %[y], #16\n\t"
                         "subs %[left], %[left], #16\n\t"
                         "bgt 1b"
                         : [lane] "+&Te"(lane), [left] "+&r"(left), [multiplier] "+&r"(multiplier), [y] "+&r"(y),
                           [pixel] "=&r"(pixel)
                         : [sums] "r"(sums), [pixels] "r"(pixels), [channels] "r"(channels), [minus_shift] "r"(minus_shift),
                           [offset] "r"(offset), [output_min] "r"(output_min), [output_max] "r"(output_max),
                           [next_group] "r"(next_group)
                         : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
#else
    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t acc = sums[oc / 2 * 8 + 2 + 2 * pixel + oc % 2];
            const int32_t factor = multiplier[oc / 16 * 16 + oc % 4 * 4 + oc % 16 / 4];
            *y++ = mcuq_requantize(acc, factor, 0, shift, zero_point, output_min, output_max);
        }
#endif
}
/* One row of outputs of a fully connected layer, four channels at a time. `bias` and `multiplier` reach to a
 * multiple of four channels. Nine instructions make 64 products. */
__attribute__((noinline))
static void mcuq_mve_matrix_vector(const int8_t *x, const int8_t *weight, const int32_t *bias,
                                   const int32_t *multiplier, int32_t taps, int32_t channels, int32_t shift,
                                   int32_t zero_point, int32_t output_min, int32_t output_max, int8_t *y)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    /* The last group reads its last row again where it has fewer than four. */
    const int8_t *w0 = weight;
    const int8_t *w1 = weight + (channels > 1 ? taps : 0);
    const int8_t *w2 = weight + (channels > 2 ? 2 * taps : 0);
    const int8_t *w3 = weight + (channels > 3 ? 3 * taps : 0);
    const float held_x = mcuq_mve_hold((int32_t)x);
    const float held_taps = mcuq_mve_hold(taps);
    const float held_step = mcuq_mve_hold(4 * taps - ((taps + 15) & ~15));
    const float held_shift = mcuq_mve_hold(-shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_min = mcuq_mve_hold(output_min);
    const float held_max = mcuq_mve_hold(output_max);
    const int32_t tail = channels % 4;
    float held_left = mcuq_mve_hold(channels - tail);
    int32_t a0, a1, a2, a3;
    const int8_t *next;

    if (channels < 4)
        held_left = mcuq_mve_hold(channels);
    for (;;) {
        __asm__ volatile("1:\n\t"
                         "vmov %[next], %[held_x]\n\t"
                         "ldrd %[a0], %[a1], [%[bias]], #8\n\t"
                         "ldrd %[a2], %[a3], [%[bias]], #8\n\t"
                         "vmov lr, %[held_taps]\n\t"
                         "dlstp.8 lr, lr\n"
                         "2:\n\t"
                         "vldrb.8 q0, [%[next]], #16\n\t"
                         "vldrb.8 q1, [%[w0]], #16\n\t"
                         "vmladava.s8 %[a0], q0, q1\n\t"
                         "vldrb.8 q2, [%[w1]], #16\n\t"
                         "vmladava.s8 %[a1], q0, q2\n\t"
                         "vldrb.8 q1, [%[w2]], #16\n\t"
                         "vmladava.s8 %[a2], q0, q1\n\t"
                         "vldrb.8 q2, [%[w3]], #16\n\t"
                         "vmladava.s8 %[a3], q0, q2\n\t"
                         "letp lr, 2b\n\t"
                         "vmov q0[2], q0[0], %[a0], %[a2]\n\t"
                         "vmov q0[3], q0[1], %[a1], %[a3]\n\t"
                         "vldrw.u32 q1, [%[multiplier]], #16\n\t"
                         "vmulh.s32 q0, q0, q1\n\t"
                         "vmov %[next], %[held_shift]\n\t"
                         "vrshl.s32 q0, %[next]\n\t"
                         "vmov %[next], %[held_zero_point]\n\t"
                         "vadd.i32 q0, q0, %[next]\n\t"
                         "vmov %[next], %[held_min]\n\t"
                         "vdup.32 q1, %[next]\n\t"
                         "vmax.s32 q0, q0, q1\n\t"
                         "vmov %[next], %[held_max]\n\t"
                         "vdup.32 q1, %[next]\n\t"
                         "vmin.s32 q0, q0, q1\n\t"
                         "vmov lr, %[held_left]\n\t"
                         "vctp.32 lr\n\t"
                         "vmov %[next], %[held_step]\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q0, [%[y]], #4\n\t"
                         "add %[w0], %[w0], %[next]\n\t"
                         "add %[w1], %[w1], %[next]\n\t"
                         "add %[w2], %[w2], %[next]\n\t"
                         "add %[w3], %[w3], %[next]\n\t"
                         "subs lr, #4\n\t"
                         "vmov %[held_left], lr\n\t"
                         "bgt 1b"
                         : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3), [next] "=&r"(next),
                           [w0] "+&r"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "+&r"(w3), [bias] "+&r"(bias),
                           [multiplier] "+&r"(multiplier), [y] "+&l"(y), [held_left] "+&t"(held_left)
                         : [held_x] "t"(held_x), [held_taps] "t"(held_taps), [held_step] "t"(held_step),
                           [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point),
                           [held_min] "t"(held_min), [held_max] "t"(held_max)
                         : "q0", "q1", "q2", "lr", "cc", "memory");
        if (channels < 4 || weight == 0 || tail == 0)
            break;
        /* The rows that are left; w0 is behind whole groups. */
        w1 = w0 + (tail > 1 ? taps : 0);
        w2 = w0 + (tail > 2 ? 2 * taps : 0);
        w3 = w0;
        held_left = mcuq_mve_hold(tail);
        weight = 0;
    }
#else
    for (int32_t oc = 0; oc < channels; oc++) {
        int32_t acc = bias[oc];
        for (int32_t i = 0; i < taps; i++)
            acc += x[i] * *weight++;
        y[oc] = mcuq_requantize(acc, multiplier[oc], 0, shift, zero_point, output_min, output_max);
    }
#endif
}

/* For each of `rows` rows: `columns` bytes that lie x_step bytes apart (7 * x_step < 2^16), one after the other. */
static inline void mcuq_mve_gather(int8_t *plane, int32_t plane_row, const int8_t *x, int32_t x_row, int32_t x_step,
                                   int32_t columns, int32_t rows)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int32_t next = 8 * x_step;
    int32_t lane = 0;
    const int8_t *from;
    int8_t *to;

    if (rows <= 0)
        return;
    __asm__ volatile("vidup.u16 q1, %[lane], #1\n\t"
                     "vmul.i16 q1, q1, %[x_step]\n"
                     "1:\n\t"
                     "mov %[from], %[x]\n\t"
                     "mov %[to], %[plane]\n\t"
                     "wlstp.16 lr, %[columns], 3f\n"
                     "2:\n\t"
                     "vldrb.u16 q0, [%[from], q1]\n\t"
                     "add %[from], %[from], %[next]\n\t"
                     "vstrb.16 q0, [%[to]], #8\n\t"
                     "letp lr, 2b\n"
                     "3:\n\t"
                     "add %[x], %[x], %[x_row]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "subs %[rows], %[rows], #1\n\t"
                     "bne 1b"
                     : [lane] "+&Te"(lane), [from] "=&r"(from), [to] "=&l"(to), [x] "+&r"(x), [plane] "+&r"(plane),
                       [rows] "+&r"(rows)
                     : [x_step] "r"(x_step), [columns] "r"(columns), [next] "r"(next), [x_row] "r"(x_row),
                       [plane_row] "r"(plane_row)
                     : "q0", "q1", "lr", "cc", "memory");
#else
    for (int32_t row = 0; row < rows; row++)
        for (int32_t i = 0; i < columns; i++)
            plane[row * plane_row + i] = x[row * x_row + i * x_step];
#endif
}

/* Three rows of `columns` outputs of a 3x3 window of one channel, from a plane whose rows are plane_row bytes.
 * Four columns at a time: 5 rows of inputs, each loaded at three offsets, meet 27 multiply-accumulates. Reads the
 * plane up to a multiple of four columns. VQDMLASH
 * as in mcuq_mve_requantize_sums. Clamps to int8. */
__attribute__((noinline))
static void mcuq_mve_depthwise_3x3_three(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t bias,
                                         int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                         int32_t y_row, int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_offset = mcuq_mve_hold(zero_point * (2 << shift) + (1 << shift));
    const float held_multiplier = mcuq_mve_hold(multiplier);
    const float held_y_row = mcuq_mve_hold(y_row);
    const float held_next_y = mcuq_mve_hold(4 * y_step - 2 * y_row);
    const float held_next = mcuq_mve_hold(4 - 4 * plane_row);
    float held_left = mcuq_mve_hold(columns);
    int32_t w0 = 0, w1 = y_step, w2 = bias, w3, w4, w5, w6, w7, w8 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[w0], #1\n\t"
                     "vmul.i32 q5, q5, %[w1]\n\t"
                     "vdup.32 q4, %[w2]\n\t"
                     "ldrsb %[w0], [%[w8], #0]\n\t"
                     "ldrsb %[w1], [%[w8], #1]\n\t"
                     "ldrsb %[w2], [%[w8], #2]\n\t"
                     "ldrsb %[w3], [%[w8], #3]\n\t"
                     "ldrsb %[w4], [%[w8], #4]\n\t"
                     "ldrsb %[w5], [%[w8], #5]\n\t"
                     "ldrsb %[w6], [%[w8], #6]\n\t"
                     "ldrsb %[w7], [%[w8], #7]\n\t"
                     "ldrsb %[w8], [%[w8], #8]\n"
                     "1:\n\t"
                     "vmov q0, q4\n\t"
                     "vmov q1, q4\n\t"
                     "vmov q2, q4\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w0]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w1]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w2]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w3]\n\t"
                     "vmla.s32 q1, q3, %[w0]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w4]\n\t"
                     "vmla.s32 q1, q3, %[w1]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w5]\n\t"
                     "vmla.s32 q1, q3, %[w2]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w6]\n\t"
                     "vmla.s32 q1, q3, %[w3]\n\t"
                     "vmla.s32 q2, q3, %[w0]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w7]\n\t"
                     "vmla.s32 q1, q3, %[w4]\n\t"
                     "vmla.s32 q2, q3, %[w1]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w8]\n\t"
                     "vmla.s32 q1, q3, %[w5]\n\t"
                     "vmla.s32 q2, q3, %[w2]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q1, q3, %[w6]\n\t"
                     "vmla.s32 q2, q3, %[w3]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q1, q3, %[w7]\n\t"
                     "vmla.s32 q2, q3, %[w4]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q1, q3, %[w8]\n\t"
                     "vmla.s32 q2, q3, %[w5]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q2, q3, %[w6]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q2, q3, %[w7]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q2, q3, %[w8]\n\t"
                     "vmov lr, %[held_multiplier]\n\t"
                     "vdup.32 q3, lr\n\t"
                     "vmov lr, %[held_offset]\n\t"
                     "vqdmlash.s32 q0, q3, lr\n\t"
                     "vqdmlash.s32 q1, q3, lr\n\t"
                     "vqdmlash.s32 q2, q3, lr\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vshl.s32 q0, lr\n\t"
                     "vshl.s32 q1, lr\n\t"
                     "vshl.s32 q2, lr\n\t"
                     "vmov lr, %[held_left]\n\t"
                     "vctp.32 lr\n\t"
                     "vmov lr, %[held_y_row]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s16 q0, q0\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q0, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "vqmovnb.s32 q1, q1\n\t"
                     "vqmovnb.s16 q1, q1\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q1, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "vqmovnb.s32 q2, q2\n\t"
                     "vqmovnb.s16 q2, q2\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q2, [%[y], q5]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "vmov lr, %[held_next]\n\t"
                     "add %[plane], %[plane], lr\n\t"
                     "vmov lr, %[held_left]\n\t"
                     "subs lr, #4\n\t"
                     "vmov %[held_left], lr\n\t"
                     "bgt 1b"
                     : [w0] "+&Te"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "=&r"(w3), [w4] "=&r"(w4),
                       [w5] "=&r"(w5), [w6] "=&r"(w6), [w7] "=&r"(w7), [w8] "+&r"(w8), [plane] "+&l"(plane),
                       [y] "+&r"(y), [held_left] "+&t"(held_left)
                     : [plane_row] "r"(plane_row), [held_shift] "t"(held_shift), [held_offset] "t"(held_offset),
                       [held_multiplier] "t"(held_multiplier), [held_y_row] "t"(held_y_row),
                       [held_next_y] "t"(held_next_y), [held_next] "t"(held_next)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t row = 0; row < 3; row++)
        for (int32_t i = 0; i < columns; i++) {
            int32_t acc = bias;
            for (int32_t ky = 0; ky < 3; ky++)
                for (int32_t kx = 0; kx < 3; kx++)
                    acc += plane[(row + ky) * plane_row + i + kx] * weight[3 * ky + kx];
            y[row * y_row + i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
        }
#endif
}

/* Two rows of `columns` outputs of a 3x3 window of one channel, from a plane whose rows are plane_row bytes.
 * Four columns at a time: 4 rows of inputs, each loaded at three offsets, meet 18 multiply-accumulates. Reads the
 * plane up to a multiple of four columns. VQDMLASH
 * as in mcuq_mve_requantize_sums. Clamps to int8. */
__attribute__((noinline))
static void mcuq_mve_depthwise_3x3_two(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t bias,
                                       int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                       int32_t y_row, int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_offset = mcuq_mve_hold(zero_point * (2 << shift) + (1 << shift));
    const float held_multiplier = mcuq_mve_hold(multiplier);
    const float held_y_row = mcuq_mve_hold(y_row);
    const float held_next_y = mcuq_mve_hold(4 * y_step - 1 * y_row);
    const float held_next = mcuq_mve_hold(4 - 3 * plane_row);
    float held_left = mcuq_mve_hold(columns);
    int32_t w0 = 0, w1 = y_step, w2 = bias, w3, w4, w5, w6, w7, w8 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[w0], #1\n\t"
                     "vmul.i32 q5, q5, %[w1]\n\t"
                     "vdup.32 q4, %[w2]\n\t"
                     "ldrsb %[w0], [%[w8], #0]\n\t"
                     "ldrsb %[w1], [%[w8], #1]\n\t"
                     "ldrsb %[w2], [%[w8], #2]\n\t"
                     "ldrsb %[w3], [%[w8], #3]\n\t"
                     "ldrsb %[w4], [%[w8], #4]\n\t"
                     "ldrsb %[w5], [%[w8], #5]\n\t"
                     "ldrsb %[w6], [%[w8], #6]\n\t"
                     "ldrsb %[w7], [%[w8], #7]\n\t"
                     "ldrsb %[w8], [%[w8], #8]\n"
                     "1:\n\t"
                     "vmov q0, q4\n\t"
                     "vmov q1, q4\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w0]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w1]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w2]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w3]\n\t"
                     "vmla.s32 q1, q3, %[w0]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w4]\n\t"
                     "vmla.s32 q1, q3, %[w1]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w5]\n\t"
                     "vmla.s32 q1, q3, %[w2]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q0, q3, %[w6]\n\t"
                     "vmla.s32 q1, q3, %[w3]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q0, q3, %[w7]\n\t"
                     "vmla.s32 q1, q3, %[w4]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q0, q3, %[w8]\n\t"
                     "vmla.s32 q1, q3, %[w5]\n\t"
                     "add %[plane], %[plane], %[plane_row]\n\t"
                     "vldrb.s32 q3, [%[plane]]\n\t"
                     "vmla.s32 q1, q3, %[w6]\n\t"
                     "vldrb.s32 q3, [%[plane], #1]\n\t"
                     "vmla.s32 q1, q3, %[w7]\n\t"
                     "vldrb.s32 q3, [%[plane], #2]\n\t"
                     "vmla.s32 q1, q3, %[w8]\n\t"
                     "vmov lr, %[held_multiplier]\n\t"
                     "vdup.32 q3, lr\n\t"
                     "vmov lr, %[held_offset]\n\t"
                     "vqdmlash.s32 q0, q3, lr\n\t"
                     "vqdmlash.s32 q1, q3, lr\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vshl.s32 q0, lr\n\t"
                     "vshl.s32 q1, lr\n\t"
                     "vmov lr, %[held_left]\n\t"
                     "vctp.32 lr\n\t"
                     "vmov lr, %[held_y_row]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s16 q0, q0\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q0, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "vqmovnb.s32 q1, q1\n\t"
                     "vqmovnb.s16 q1, q1\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q1, [%[y], q5]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "vmov lr, %[held_next]\n\t"
                     "add %[plane], %[plane], lr\n\t"
                     "vmov lr, %[held_left]\n\t"
                     "subs lr, #4\n\t"
                     "vmov %[held_left], lr\n\t"
                     "bgt 1b"
                     : [w0] "+&Te"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "=&r"(w3), [w4] "=&r"(w4),
                       [w5] "=&r"(w5), [w6] "=&r"(w6), [w7] "=&r"(w7), [w8] "+&r"(w8), [plane] "+&l"(plane),
                       [y] "+&r"(y), [held_left] "+&t"(held_left)
                     : [plane_row] "r"(plane_row), [held_shift] "t"(held_shift), [held_offset] "t"(held_offset),
                       [held_multiplier] "t"(held_multiplier), [held_y_row] "t"(held_y_row),
                       [held_next_y] "t"(held_next_y), [held_next] "t"(held_next)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t row = 0; row < 2; row++)
        for (int32_t i = 0; i < columns; i++) {
            int32_t acc = bias;
            for (int32_t ky = 0; ky < 3; ky++)
                for (int32_t kx = 0; kx < 3; kx++)
                    acc += plane[(row + ky) * plane_row + i + kx] * weight[3 * ky + kx];
            y[row * y_row + i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
        }
#endif
}

/* One row of `columns` outputs of any window of one channel, from a plane whose rows are plane_row bytes, eight
 * columns at a time. Reads the plane up to the windows of a multiple of eight columns. */
__attribute__((noinline))
static void mcuq_mve_depthwise_row(const int8_t *plane, int32_t plane_row, int32_t stride, const int8_t *weight,
                                   int32_t kernel_rows, int32_t kernel_columns, int32_t bias, int32_t multiplier,
                                   int32_t shift, int32_t zero_point, int32_t output_min, int32_t output_max,
                                   int8_t *y, int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    for (int32_t left = columns; left > 0; left -= 8) {
        const float held_shift = mcuq_mve_hold(-shift);
        const float held_zero_point = mcuq_mve_hold(zero_point);
        const float held_min = mcuq_mve_hold(output_min);
        const float held_max = mcuq_mve_hold(output_max);
        const float held_multiplier = mcuq_mve_hold(multiplier);
        const float held_left = mcuq_mve_hold(left);
        const float held_y_step = mcuq_mve_hold(y_step);
        const int32_t next_row = plane_row - kernel_columns;
        const int8_t *from = plane;
        const int8_t *w = weight;
        int32_t rows_left = kernel_rows;
        int32_t lane = 0;
        int32_t tap = stride;
        int8_t *const to = y;

        __asm__ volatile("vidup.u32 q5, %[lane], #1\n\t"
                         "mov %[lane], #0\n\t"
                         "vmul.i32 q5, q5, %[tap]\n\t"
                         "lsl %[tap], %[tap], #2\n\t"
                         "vadd.i32 q6, q5, %[tap]\n\t"
                         "vdup.32 q0, %[bias]\n\t"
                         "vdup.32 q1, %[bias]\n"
                         "1:\n\t"
                         "dls lr, %[kernel_columns]\n"
                         "2:\n\t"
                         "ldrsb %[tap], [%[w]], #1\n\t"
                         "vldrb.s32 q2, [%[from], q5]\n\t"
                         "vmla.s32 q0, q2, %[tap]\n\t"
                         "vldrb.s32 q3, [%[from], q6]\n\t"
                         "add %[from], %[from], #1\n\t"
                         "vmla.s32 q1, q3, %[tap]\n\t"
                         "le lr, 2b\n\t"
                         "add %[from], %[from], %[next_row]\n\t"
                         "subs %[rows_left], %[rows_left], #1\n\t"
                         "bne 1b\n\t"
                         "vidup.u32 q5, %[lane], #1\n\t"
                         "vmov %[tap], %[held_y_step]\n\t"
                         "vmul.i32 q5, q5, %[tap]\n\t"
                         "vmov %[w], %[held_multiplier]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmulh.s32 q0, q0, q2\n\t"
                         "vmulh.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_shift]\n\t"
                         "vrshl.s32 q0, %[w]\n\t"
                         "vrshl.s32 q1, %[w]\n\t"
                         "vmov %[w], %[held_zero_point]\n\t"
                         "vadd.i32 q0, q0, %[w]\n\t"
                         "vadd.i32 q1, q1, %[w]\n\t"
                         "vmov %[w], %[held_min]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmax.s32 q0, q0, q2\n\t"
                         "vmax.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_max]\n\t"
                         "vdup.32 q2, %[w]\n\t"
                         "vmin.s32 q0, q0, q2\n\t"
                         "vmin.s32 q1, q1, q2\n\t"
                         "vmov %[w], %[held_left]\n\t"
                         "vctp.32 %[w]\n\t"
                         "add %[from], %[to], %[tap], lsl #2\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q0, [%[to], q5]\n\t"
                         "subs %[w], %[w], #4\n\t"
                         "it mi\n\t"
                         "movmi %[w], #0\n\t"
                         "vctp.32 %[w]\n\t"
                         "vpst\n\t"
                         "vstrbt.32 q1, [%[from], q5]"
                         : [lane] "+&Te"(lane), [tap] "+&r"(tap), [w] "+&r"(w), [from] "+&r"(from),
                           [rows_left] "+&r"(rows_left)
                         : [to] "r"(to), [bias] "r"(bias), [kernel_columns] "r"(kernel_columns),
                           [next_row] "r"(next_row), [held_shift] "t"(held_shift),
                           [held_zero_point] "t"(held_zero_point), [held_min] "t"(held_min), [held_max] "t"(held_max),
                           [held_multiplier] "t"(held_multiplier), [held_left] "t"(held_left),
                           [held_y_step] "t"(held_y_step)
                         : "q0", "q1", "q2", "q3", "q5", "q6", "lr", "cc", "memory");
        plane += 8 * stride;
        y += 8 * y_step;
    }
#else
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < kernel_rows; ky++)
            for (int32_t kx = 0; kx < kernel_columns; kx++)
                acc += plane[ky * plane_row + i * stride + kx] * weight[ky * kernel_columns + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, output_min, output_max);
    }
#endif
}

/* One row of `columns` outputs, 1 apart, of a window of one row of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
static inline void mcuq_mve_depthwise_dot_1_1(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                              int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point,
                                              int8_t *y, int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    (void)plane_row;
    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 1; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 1 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* One row of `columns` outputs, 2 apart, of a window of one row of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
static inline void mcuq_mve_depthwise_dot_1_2(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                              int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point,
                                              int8_t *y, int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    (void)plane_row;
    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 1; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 2 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* One row of `columns` outputs, 1 apart, of a window of three rows of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
__attribute__((noinline))
static void mcuq_mve_depthwise_dot_3_1(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                       int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                       int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    const int8_t *plane1 = plane + plane_row;
    const int8_t *plane2 = plane1 + plane_row;
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q1, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q2, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a0], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a0], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a1], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a1], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a2], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a2], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #1\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #1\n\t"
                     "vmladava.s8 %[a3], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #1\n\t"
                     "vmladava.s8 %[a3], q2, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [plane1] "+&r"(plane1), [plane2] "+&r"(plane2), [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 3; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 1 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* One row of `columns` outputs, 2 apart, of a window of three rows of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8. */
__attribute__((noinline))
static void mcuq_mve_depthwise_dot_3_2(const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps,
                                       int32_t bias, int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y,
                                       int32_t y_step, int32_t columns)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    const int8_t *plane1 = plane + plane_row;
    const int8_t *plane2 = plane1 + plane_row;
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    __asm__ volatile("vidup.u32 q5, %[a0], #1\n\t"
                     "vmul.i32 q5, q5, %[a1]\n\t"
                     "vctp.8 %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q1, [%[a3]]\n\t"
                     "add %[a3], %[a3], %[a2]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q2, [%[a3]]\n"
                     "1:\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a0], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a0], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a0], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a1], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a1], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a1], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a2], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a2], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a2], q2, q3\n\t"
                     "vldrb.8 q3, [%[plane]], #2\n\t"
                     "vmladav.s8 %[a3], q0, q3\n\t"
                     "vldrb.8 q4, [%[plane1]], #2\n\t"
                     "vmladava.s8 %[a3], q1, q4\n\t"
                     "vldrb.8 q3, [%[plane2]], #2\n\t"
                     "vmladava.s8 %[a3], q2, q3\n\t"
                     "vmov q4[2], q4[0], %[a0], %[a2]\n\t"
                     "vmov q4[3], q4[1], %[a1], %[a3]\n\t"
                     "vadd.i32 q4, q4, %[bias]\n\t"
                     "vmov lr, %[held_shift]\n\t"
                     "vqdmulh.s32 q4, q4, %[multiplier]\n\t"
                     "vrshl.s32 q4, lr\n\t"
                     "vmov lr, %[held_zero_point]\n\t"
                     "vadd.i32 q4, q4, lr\n\t"
                     "vqmovnb.s32 q4, q4\n\t"
                     "vqmovnb.s16 q4, q4\n\t"
                     "vctp.32 %[columns]\n\t"
                     "vmov lr, %[held_next_y]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q4, [%[y], q5]\n\t"
                     "add %[y], %[y], lr\n\t"
                     "subs %[columns], %[columns], #4\n\t"
                     "bgt 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [a3] "+&Te"(a3), [plane] "+&r"(plane),
                       [plane1] "+&r"(plane1), [plane2] "+&r"(plane2), [y] "+&r"(y), [columns] "+&r"(columns)
                     : [bias] "r"(bias), [multiplier] "r"(multiplier), [held_next_y] "t"(held_next_y),
                       [held_shift] "t"(held_shift), [held_zero_point] "t"(held_zero_point)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < 3; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * 2 + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
#endif
}

/* mcuq_mve_dot_2x3 for up to 16 taps: the three vectors stay in registers. */
static inline void mcuq_mve_dot_2x3_16(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                       int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int32_t next_pair = 2 * taps - second;
    int32_t a0 = (int32_t)x0, a1 = (int32_t)x1, a2 = (int32_t)x2, b0 = taps, b1 = pairs, b2;

    __asm__ volatile("vctp.8 %[b0]\n\t"
                     "vpsttt\n\t"
                     "vldrbt.8 q1, [%[a0]]\n\t"
                     "vldrbt.8 q2, [%[a1]]\n\t"
                     "vldrbt.8 q3, [%[a2]]\n\t"
                     "dls lr, %[b1]\n"
                     "1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q0, [%[weight]]\n\t"
                     "add %[weight], %[weight], %[second]\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q4, [%[weight]]\n\t"
                     "add %[weight], %[weight], %[next_pair]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "le lr, 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [b0] "+&Te"(b0), [b1] "+&Te"(b1),
                       [b2] "=&Te"(b2), [weight] "+&r"(weight), [sums] "+&r"(sums)
                     : [second] "r"(second), [next_pair] "r"(next_pair)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    mcuq_mve_dot_2x3(x0, x1, x2, weight, second, taps, pairs, sums);
#endif
}

/* mcuq_mve_dot_2x3 for 17 to 32 taps: the three vectors stay in registers. */
static inline void mcuq_mve_dot_2x3_32(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                       int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int32_t next_pair = 2 * taps - second;
    int32_t a0 = (int32_t)x0, a1 = (int32_t)x1, a2 = (int32_t)x2, b0 = taps, b1 = pairs, b2;

    __asm__ volatile("subs %[b0], %[b0], #16\n\t"
                     "vctp.8 %[b0]\n\t"
                     "vldrb.8 q1, [%[a0]]\n\t"
                     "vldrb.8 q2, [%[a1]]\n\t"
                     "vldrb.8 q3, [%[a2]]\n\t"
                     "vpsttt\n\t"
                     "vldrbt.8 q5, [%[a0], #16]\n\t"
                     "vldrbt.8 q6, [%[a1], #16]\n\t"
                     "vldrbt.8 q7, [%[a2], #16]\n\t"
                     "dls lr, %[b1]\n"
                     "1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "vldrb.8 q0, [%[weight]]\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q4, [%[weight], #16]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "add %[weight], %[weight], %[second]\n\t"
                     "vldrb.8 q0, [%[weight]]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "vmladava.s8 %[a0], q4, q5\n\t"
                     "vmladava.s8 %[a1], q4, q6\n\t"
                     "vmladava.s8 %[a2], q4, q7\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vpst\n\t"
                     "vldrbt.8 q4, [%[weight], #16]\n\t"
                     "vmladava.s8 %[b0], q0, q1\n\t"
                     "vmladava.s8 %[b1], q0, q2\n\t"
                     "vmladava.s8 %[b2], q0, q3\n\t"
                     "add %[weight], %[weight], %[next_pair]\n\t"
                     "vmladava.s8 %[b0], q4, q5\n\t"
                     "vmladava.s8 %[b1], q4, q6\n\t"
                     "vmladava.s8 %[b2], q4, q7\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "le lr, 1b"
                     : [a0] "+&Te"(a0), [a1] "+&Te"(a1), [a2] "+&Te"(a2), [b0] "+&Te"(b0), [b1] "+&Te"(b1),
                       [b2] "=&Te"(b2), [weight] "+&r"(weight), [sums] "+&r"(sums)
                     : [second] "r"(second), [next_pair] "r"(next_pair)
                     : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
#else
    mcuq_mve_dot_2x3(x0, x1, x2, weight, second, taps, pairs, sums);
#endif
}

/* mcuq_mve_dot_2x3 for 64 taps in rows that follow each other: no inner loop. */
__attribute__((noinline))
static void mcuq_mve_dot_2x3_64(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                int32_t pairs, int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    int32_t a0, a1, a2, b0 = pairs, b1, b2;

    __asm__ volatile("dls lr, %[b0]\n"
                     "1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vldrb.8 q0, [%[weight]]\n\t"
                     "vldrb.8 q4, [%[weight], #64]\n\t"
                     "vldrb.8 q1, [%[x0]]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1]]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2]]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #16]\n\t"
                     "vldrb.8 q4, [%[weight], #80]\n\t"
                     "vldrb.8 q1, [%[x0], #16]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #16]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #16]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #32]\n\t"
                     "vldrb.8 q4, [%[weight], #96]\n\t"
                     "vldrb.8 q1, [%[x0], #32]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #32]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #32]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #48]\n\t"
                     "vldrb.8 q4, [%[weight], #112]\n\t"
                     "vldrb.8 q1, [%[x0], #48]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #48]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #48]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "add %[weight], %[weight], #128\n\t"
                     "le lr, 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "+&Te"(b0), [b1] "=&Te"(b1),
                       [b2] "=&Te"(b2), [weight] "+&r"(weight), [sums] "+&r"(sums)
                     : [x0] "r"(x0), [x1] "r"(x1), [x2] "r"(x2)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    mcuq_mve_dot_2x3(x0, x1, x2, weight, 64, 64, pairs, sums);
#endif
}

/* mcuq_mve_dot_2x3 for 128 taps in rows that follow each other: no inner loop. */
__attribute__((noinline))
static void mcuq_mve_dot_2x3_128(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                 int32_t pairs, int32_t *sums)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int8_t *w1 = weight + 128;
    int32_t a0, a1, a2, b0 = pairs, b1, b2;

    __asm__ volatile("dls lr, %[b0]\n"
                     "1:\n\t"
                     "ldrd %[a0], %[b0], [%[sums]], #8\n\t"
                     "mov %[a1], %[a0]\n\t"
                     "mov %[a2], %[a0]\n\t"
                     "mov %[b1], %[b0]\n\t"
                     "mov %[b2], %[b0]\n\t"
                     "vldrb.8 q0, [%[weight]]\n\t"
                     "vldrb.8 q4, [%[w1]]\n\t"
                     "vldrb.8 q1, [%[x0]]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1]]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2]]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #16]\n\t"
                     "vldrb.8 q4, [%[w1], #16]\n\t"
                     "vldrb.8 q1, [%[x0], #16]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #16]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #16]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #32]\n\t"
                     "vldrb.8 q4, [%[w1], #32]\n\t"
                     "vldrb.8 q1, [%[x0], #32]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #32]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #32]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #48]\n\t"
                     "vldrb.8 q4, [%[w1], #48]\n\t"
                     "vldrb.8 q1, [%[x0], #48]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #48]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #48]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #64]\n\t"
                     "vldrb.8 q4, [%[w1], #64]\n\t"
                     "vldrb.8 q1, [%[x0], #64]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #64]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #64]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #80]\n\t"
                     "vldrb.8 q4, [%[w1], #80]\n\t"
                     "vldrb.8 q1, [%[x0], #80]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #80]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #80]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #96]\n\t"
                     "vldrb.8 q4, [%[w1], #96]\n\t"
                     "vldrb.8 q1, [%[x0], #96]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #96]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #96]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "vldrb.8 q0, [%[weight], #112]\n\t"
                     "vldrb.8 q4, [%[w1], #112]\n\t"
                     "vldrb.8 q1, [%[x0], #112]\n\t"
                     "vmladava.s8 %[a0], q0, q1\n\t"
                     "vmladava.s8 %[b0], q4, q1\n\t"
                     "vldrb.8 q2, [%[x1], #112]\n\t"
                     "vmladava.s8 %[a1], q0, q2\n\t"
                     "vmladava.s8 %[b1], q4, q2\n\t"
                     "vldrb.8 q3, [%[x2], #112]\n\t"
                     "vmladava.s8 %[a2], q0, q3\n\t"
                     "vmladava.s8 %[b2], q4, q3\n\t"
                     "strd %[a0], %[b0], [%[sums]], #8\n\t"
                     "strd %[a1], %[b1], [%[sums]], #8\n\t"
                     "strd %[a2], %[b2], [%[sums]], #8\n\t"
                     "add %[weight], %[weight], #256\n\t"
                     "add %[w1], %[w1], #256\n\t"
                     "le lr, 1b"
                     : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [b0] "+&Te"(b0), [b1] "=&Te"(b1),
                       [b2] "=&Te"(b2), [weight] "+&r"(weight), [w1] "+&r"(w1), [sums] "+&r"(sums)
                     : [x0] "r"(x0), [x1] "r"(x1), [x2] "r"(x2)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    mcuq_mve_dot_2x3(x0, x1, x2, weight, 128, 128, pairs, sums);
#endif
}

/* The fastest of the five for a constant number of taps. */
static inline void mcuq_mve_dot(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight,
                                int32_t second, int32_t taps, int32_t pairs, int32_t *sums)
{
    if (taps <= 16)
        mcuq_mve_dot_2x3_16(x0, x1, x2, weight, second, taps, pairs, sums);
    else if (taps <= 32)
        mcuq_mve_dot_2x3_32(x0, x1, x2, weight, second, taps, pairs, sums);
    else if (taps == 64 && second == taps)
        mcuq_mve_dot_2x3_64(x0, x1, x2, weight, pairs, sums);
    else if (taps == 128 && second == taps)
        mcuq_mve_dot_2x3_128(x0, x1, x2, weight, pairs, sums);
    else
        mcuq_mve_dot_2x3(x0, x1, x2, weight, second, taps, pairs, sums);
}

/* y = (a * factor_a + b * factor_b + constant) >> shift, clamped; y may be a or b. */
static inline void mcuq_mve_weighted_sum(const int8_t *a, const int8_t *b, int32_t factor_a, int32_t factor_b,
                                         int32_t constant, int32_t shift, int32_t output_min, int32_t output_max,
                                         int32_t elements, int8_t *y)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int32_t minus_shift = -shift;

    __asm__ volatile("vdup.32 q2, %[factor_a]\n\t"
                     "vdup.32 q3, %[output_min]\n\t"
                     "vdup.32 q4, %[output_max]\n\t"
                     "wlstp.32 lr, %[elements], 2f\n"
                     "1:\n\t"
                     "vldrb.s32 q0, [%[a]], #4\n\t"
                     "vldrb.s32 q1, [%[b]], #4\n\t"
                     "vmlas.s32 q0, q2, %[constant]\n\t"
                     "vmla.s32 q0, q1, %[factor_b]\n\t"
                     "vshl.s32 q0, %[minus_shift]\n\t"
                     "vmax.s32 q0, q0, q3\n\t"
                     "vmin.s32 q0, q0, q4\n\t"
                     "vstrb.32 q0, [%[y]], #4\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [a] "+&l"(a), [b] "+&l"(b), [y] "+&l"(y)
                     : [factor_a] "r"(factor_a), [factor_b] "r"(factor_b), [constant] "r"(constant),
                       [minus_shift] "r"(minus_shift), [output_min] "r"(output_min), [output_max] "r"(output_max),
                       [elements] "r"(elements)
                     : "q0", "q1", "q2", "q3", "q4", "lr", "cc", "memory");
#else
    for (int32_t i = 0; i < elements; i++)
        y[i] = mcuq_weighted_sum(a[i], factor_a, b[i], factor_b, constant, shift, output_min, output_max);
#endif
}

/* n_rows rows of row_bytes, from_row apart, one behind the other at `to`. */
static inline void mcuq_mve_copy_rows(int8_t *to, const int8_t *from, int32_t from_row, int32_t row_bytes,
                                      int32_t n_rows)
{
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
    const int8_t *source;
    int8_t *target;

    __asm__ volatile("1:\n\t"
                     "mov %[source], %[from]\n\t"
                     "mov %[target], %[to]\n\t"
                     "wlstp.8 lr, %[row_bytes], 3f\n"
                     "2:\n\t"
                     "vldrb.8 q0, [%[source]], #16\n\t"
                     "vstrb.8 q0, [%[target]], #16\n\t"
                     "letp lr, 2b\n"
                     "3:\n\t"
                     "add %[from], %[from], %[from_row]\n\t"
                     "add %[to], %[to], %[row_bytes]\n\t"
                     "subs %[n_rows], %[n_rows], #1\n\t"
                     "bne 1b"
                     : [source] "=&r"(source), [target] "=&r"(target), [from] "+&r"(from), [to] "+&r"(to),
                       [n_rows] "+&r"(n_rows)
                     : [from_row] "r"(from_row), [row_bytes] "r"(row_bytes)
                     : "q0", "lr", "cc", "memory");
#else
    for (int32_t row = 0; row < n_rows; row++)
        for (int32_t i = 0; i < row_bytes; i++)
            to[row * row_bytes + i] = from[row * from_row + i];
#endif
}
#endif
