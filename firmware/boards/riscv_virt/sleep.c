/* SPDX-License-Identifier: Apache-2.0 */
/* The machine sleeps until its UART asks for an interrupt: otherwise it keeps a core of the host busy. WFI ends when an
   interrupt is pending that `mie` enables, also while `mstatus` keeps it from being taken (The RISC-V Instruction Set
   Manual, volume II, "Wait for Interrupt"). The interrupt goes through the PLIC (RISC-V Platform-Level Interrupt
   Controller Specification; its address and the UART's number: QEMU's virt_memmap, UART0_IRQ). */

#include "board.h"
#include "protocol/ring.h"

#include <stdint.h>

#if defined(MCUQ_WAKE_INTERRUPT)

#define PLIC(offset) (*(volatile uint32_t *)(uintptr_t)(0x0c000000u + (offset)))
#define PRIORITY PLIC(4u * MCUQ_WAKE_INTERRUPT)
#define ENABLE PLIC(0x2000u) /* of hart 0 in machine mode, interrupts 0 to 31 */
#define CLAIM PLIC(0x200004u)

typedef char mcuq_wake_is_in_the_first_word[MCUQ_WAKE_INTERRUPT < 32 ? 1 : -1];

void mcuq_sleep(void);

/* No handler: what is pending is claimed, and so forgotten, before the look for a byte. */
void mcuq_sleep(void)
{
    uint32_t claimed;
    int byte;

    PRIORITY = 1;
    ENABLE = UINT32_C(1) << MCUQ_WAKE_INTERRUPT;
    __asm__ volatile(".option push\n\t"
                     ".option arch, +zicsr\n\t"
                     "csrs mie, %0\n\t" /* MEIE */
                     ".option pop" ::"r"(UINT32_C(1) << 11));
    claimed = CLAIM;
    byte = board_receive();
    CLAIM = claimed;
    if (byte >= 0)
        mcuq_received((uint8_t)byte);
    else
        __asm__ volatile("wfi" ::: "memory");
}

#endif
