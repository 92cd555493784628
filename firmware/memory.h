/* SPDX-License-Identifier: Apache-2.0
 *
 * What memory.c defines: a freestanding compiler need not bring a <string.h>.
 */
#ifndef MCUQ_MEMORY_H
#define MCUQ_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n_bytes);
void *memmove(void *to, const void *from, size_t n_bytes);
void *memset(void *to, int value, size_t n_bytes);
int memcmp(const void *a, const void *b, size_t n_bytes);

#endif
