/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies that call nothing and take no word or halfword from an address that is not a multiple of its size: CPUs may
 * trap that, and C libraries' memcpy may do it. The generator copies the functions a model uses into its C file.
 */
#ifndef MCUQ_COPY_H
#define MCUQ_COPY_H

#include "mcuq_compiler.h"

#include <stdint.h>

/* item mcuq_copy_few: code 130 */
/* Copies bytes one by one, for few of them. They are volatile, so that no compiler joins them to words or calls memcpy. */
static inline void mcuq_copy_few(void *to, const void *from, int32_t n_bytes)
{
    volatile uint8_t *out = (volatile uint8_t *)to;
    const volatile uint8_t *in = (const volatile uint8_t *)from;
    for (; n_bytes > 3; n_bytes -= 4, in += 4, out += 4) {
        out[0] = in[0];
        out[1] = in[1];
        out[2] = in[2];
        out[3] = in[3];
    }
    for (; n_bytes > 0; n_bytes--)
        *out++ = *in++;
}

/* item mcuq_copy_bytes: needs MCUQ_GNU, MCUQ_NOINLINE; code 286 */
/* Copies bytes from the first to the last: words or halfwords where both addresses reach such at a time. */
MCUQ_NOINLINE
static void mcuq_copy_bytes(void *to, const void *from, int32_t n_bytes)
{
    volatile uint8_t *out = (volatile uint8_t *)to;
    const volatile uint8_t *in = (const volatile uint8_t *)from;
#if MCUQ_GNU
    typedef uint32_t __attribute__((may_alias)) word;
    typedef uint16_t __attribute__((may_alias)) half;
    const uintptr_t apart = (uintptr_t)to ^ (uintptr_t)from;
    const uintptr_t unit = (apart & 3u) == 0 ? 4 : (apart & 1u) == 0 ? 2 : 1;
    for (; n_bytes > 0 && ((uintptr_t)out & (unit - 1u)) != 0; n_bytes--)
        *out++ = *in++;
    if (unit == 4)
        for (; n_bytes > 3; n_bytes -= 4, in += 4, out += 4)
            *(volatile word *)(volatile void *)out = *(const volatile word *)(const volatile void *)in;
    else if (unit == 2)
        for (; n_bytes > 1; n_bytes -= 2, in += 2, out += 2)
            *(volatile half *)(volatile void *)out = *(const volatile half *)(const volatile void *)in;
#endif
    for (; n_bytes > 0; n_bytes--)
        *out++ = *in++;
}

#endif
