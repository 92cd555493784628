/* SPDX-License-Identifier: Apache-2.0 */
/* A slot in RAM, where the emulator's flash is ROM. */

#include "flash.h"

#if defined(MCUQ_SLOT_RAM)

#define WORD(address) (*(volatile uint32_t *)(uintptr_t)(address))

void mcuq_flash_erase_page(uint32_t address)
{
    for (uint32_t i = 0; i < MCUQ_PAGE_BYTES; i += 4)
        WORD(address + i) = UINT32_C(0xffffffff);
}

/* Like flash, so that what relies on an erased page is found on every board. */
void mcuq_flash_write_word(uint32_t address, uint32_t word)
{
    WORD(address) &= word;
}

#endif
