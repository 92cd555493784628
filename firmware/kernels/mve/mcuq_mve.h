/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner loops for Armv8.1-M with MVE (Helium). Each function has two bodies that give the same bits: inline
 * assembly, and plain C for every other compiler, CPU and for builds without optimization, where too few
 * registers are free. The generator copies the functions a model uses into its C file. Those that are unrolled or come
 * with several strides or endings are printed: mcuq/kernels/mve/assembly.
 *
 * Functions whose assembly takes nearly all registers are not inlined: a caller would compete for them.
 * Tail predication (DLSTP, LETP, VCTP) ends every load and store exactly at the last element.
 * What only one of the two calls is named beside the other too: Clang reports functions that nothing uses.
 */
#ifndef MCUQ_MVE_H
#define MCUQ_MVE_H

#include "../mcuq_compiler.h"
#include "../mcuq_math.h"

/* item mcuq_mve_copy: needs MCUQ_GNU; cpu mve; code 132 */
/* n_bytes from `from` to `to`, which do not overlap. */
static inline void mcuq_mve_copy(int8_t *to, const int8_t *from, int32_t n_bytes)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
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

/* item mcuq_mve_copy_rows: needs MCUQ_GNU; cpu mve; code 231 */
/* n_rows rows of row_bytes, from_row apart, one behind the other at `to`. */
static inline void mcuq_mve_copy_rows(int8_t *to, const int8_t *from, int32_t from_row, int32_t row_bytes,
                                      int32_t n_rows)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
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

/* item mcuq_mve_fill: needs MCUQ_GNU; cpu mve; code 130 */
/* n_bytes of `value` at `to`. */
static inline void mcuq_mve_fill(int8_t *to, int32_t value, int32_t n_bytes)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
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

/* item mcuq_mve_hold: code 31 */
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

/* item mcuq_mve_windows: needs MCUQ_GNU; cpu mve; code 286 */
/* `windows` windows of `rows` rows of up to 16 bytes, x_step apart, one every 32 bytes. */
static inline void mcuq_mve_windows(int8_t *to, const int8_t *x, int32_t x_row, int32_t x_step, int32_t row_bytes,
                                    int32_t rows, int32_t windows)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
    const int8_t *from;
    int8_t *target;

    __asm__ volatile("vctp.8 %[row_bytes]\n"
                     "1:\n\t"
                     "mov %[from], %[x]\n\t"
                     "mov %[target], %[to]\n\t"
                     "dls lr, %[windows]\n"
                     "2:\n\t"
                     "vpstt\n\t"
                     "vldrbt.8 q0, [%[from]]\n\t"
                     "vstrbt.8 q0, [%[target]], #32\n\t"
                     "add %[from], %[from], %[x_step]\n\t"
                     "le lr, 2b\n\t"
                     "add %[x], %[x], %[x_row]\n\t"
                     "add %[to], %[to], %[row_bytes]\n\t"
                     "subs %[rows], %[rows], #1\n\t"
                     "bne 1b"
                     : [from] "=&r"(from), [target] "=&r"(target), [x] "+&r"(x), [to] "+&r"(to), [rows] "+&r"(rows)
                     : [x_row] "r"(x_row), [x_step] "r"(x_step), [row_bytes] "r"(row_bytes), [windows] "r"(windows)
                     : "q0", "lr", "cc", "memory");
#else
    for (int32_t window = 0; window < windows; window++)
        for (int32_t ky = 0; ky < rows; ky++)
            for (int32_t i = 0; i < row_bytes; i++)
                to[32 * window + ky * row_bytes + i] = x[window * x_step + ky * x_row + i];
#endif
}
#endif
