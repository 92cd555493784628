/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory that the slot lies in: flash_KIND.c implements it where the build gives MCUQ_SLOT_KIND.
 * Addresses are multiples of 4, and the memory can be read like any other; where there are caches, it is for these
 * functions to let reads and instruction fetches see what was written.
 */
#ifndef MCUQ_FLASH_H
#define MCUQ_FLASH_H

#include <stdint.h>

/* Makes all bits of the page at `address` 1. */
void mcuq_flash_erase_page(uint32_t address);

/* Writes one word: bits go from 1 to 0 only. */
void mcuq_flash_write_word(uint32_t address, uint32_t word);

#endif
