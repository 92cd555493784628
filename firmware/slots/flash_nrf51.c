/* SPDX-License-Identifier: Apache-2.0 */
/* Flash of the nRF51 by its non-volatile memory controller: nRF51 Series Reference Manual v3.0, chapter "Non-Volatile
   Memory Controller (NVMC)". While it erases or writes, the core waits for its next instruction from flash. */

#include "flash.h"

#if defined(MCUQ_SLOT_NRF51)

#define REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(0x4001e000u + (offset)))
#define READY REGISTER(0x400u)
#define CONFIG REGISTER(0x504u)
#define ERASEPAGE REGISTER(0x508u)

enum { CONFIG_READ = 0, CONFIG_WRITE = 1, CONFIG_ERASE = 2 };

typedef char mcuq_page_is_the_chips[MCUQ_PAGE_BYTES == 1024 ? 1 : -1];

static void wait(void)
{
    while ((READY & 1) == 0) {
    }
}

static void configure(uint32_t mode)
{
    CONFIG = mode;
    wait();
}

void mcuq_flash_erase_page(uint32_t address)
{
    configure(CONFIG_ERASE);
    ERASEPAGE = address;
    wait();
    configure(CONFIG_READ);
}

void mcuq_flash_write_word(uint32_t address, uint32_t word)
{
    configure(CONFIG_WRITE);
    *(volatile uint32_t *)(uintptr_t)address = word;
    wait();
    configure(CONFIG_READ);
}

#endif
