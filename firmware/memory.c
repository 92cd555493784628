/* SPDX-License-Identifier: Apache-2.0 */
/* The four functions that a compiler may call on its own, for programs linked without a C library.
   Whole words where both addresses allow it, which any Cortex-M and RISC-V core can do; bytes elsewhere. */

#include <stddef.h>
#include <stdint.h>

/* Else the compiler would see a copying loop in memcpy and replace it by a call of memcpy. */
#if defined(__clang__)
#define NO_CALLS __attribute__((no_builtin))
#else
#define NO_CALLS __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t n_bytes);
void *memmove(void *to, const void *from, size_t n_bytes);
void *memset(void *to, int value, size_t n_bytes);
int memcmp(const void *a, const void *b, size_t n_bytes);

static int is_aligned(uintptr_t address) { return (address & (sizeof(word) - 1)) == 0; }

/* From the lowest address to the highest: right for every overlap in which `to` is below `from`. */
NO_CALLS static void copy_up(unsigned char *to, const unsigned char *from, size_t n_bytes) {
    if (is_aligned((uintptr_t)to ^ (uintptr_t)from)) {
        for (; n_bytes > 0 && !is_aligned((uintptr_t)to); n_bytes--) {
            *to++ = *from++;
        }
        for (; n_bytes >= sizeof(word); n_bytes -= sizeof(word)) {
            *(word *)(void *)to = *(const word *)(const void *)from;
            to += sizeof(word);
            from += sizeof(word);
        }
    }
    for (; n_bytes > 0; n_bytes--) {
        *to++ = *from++;
    }
}

NO_CALLS void *memcpy(void *restrict to, const void *restrict from, size_t n_bytes) {
    copy_up(to, from, n_bytes);
    return to;
}

NO_CALLS void *memmove(void *to, const void *from, size_t n_bytes) {
    unsigned char *high = (unsigned char *)to + n_bytes;
    const unsigned char *high_from = (const unsigned char *)from + n_bytes;

    if ((uintptr_t)to <= (uintptr_t)from) {
        copy_up(to, from, n_bytes);
        return to;
    }
    for (; n_bytes > 0; n_bytes--) {
        *--high = *--high_from;
    }
    return to;
}

NO_CALLS void *memset(void *to, int value, size_t n_bytes) {
    unsigned char *next = to;
    const word fill = (unsigned char)value * UINT32_C(0x01010101);

    for (; n_bytes > 0 && !is_aligned((uintptr_t)next); n_bytes--) {
        *next++ = (unsigned char)value;
    }
    for (; n_bytes >= sizeof(word); n_bytes -= sizeof(word)) {
        *(word *)(void *)next = fill;
        next += sizeof(word);
    }
    for (; n_bytes > 0; n_bytes--) {
        *next++ = (unsigned char)value;
    }
    return to;
}

NO_CALLS int memcmp(const void *a, const void *b, size_t n_bytes) {
    const unsigned char *p = a;
    const unsigned char *q = b;

    for (; n_bytes > 0; n_bytes--, p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}
