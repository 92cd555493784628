/* SPDX-License-Identifier: Apache-2.0 */
/* A board that firmware was tried on in QEMU alone sleeps until its UART asks for an interrupt: otherwise each that is
   emulated keeps a core of the host busy. All others go on looking: asleep, some chips stop their debug interface and
   cycle counter.
   WFI ends when an enabled interrupt is pending, also while PRIMASK keeps it from being taken: Armv7-M Architecture
   Reference Manual (Arm DDI 0403), B1.5.19; NVIC: B3.4; Armv6-M (DDI 0419) and Armv8-M (DDI 0553) have the same. */

#include "board.h"
#include "protocol/ring.h"

#include <stdint.h>

#if defined(MCUQ_WAKE_INTERRUPT)

void mcuq_sleep(void);

#if defined(MCUQ_UART_INTERRUPT)

/* The handler puts bytes into the ring: one that comes after the look at it leaves its interrupt pending. */
void mcuq_sleep(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    if (mcuq_ring_is_empty())
        __asm__ volatile("wfi" ::: "memory");
    __asm__ volatile("cpsie i" ::: "memory");
}

#else

#define NVIC(offset) (*(volatile uint32_t *)(uintptr_t)(0xe000e000u + (offset) + 4u * (MCUQ_WAKE_INTERRUPT / 32u)))
#define ISER NVIC(0x100u)
#define ICER NVIC(0x180u)
#define ICPR NVIC(0x280u)
#define WAKE (UINT32_C(1) << (MCUQ_WAKE_INTERRUPT % 32u))

/* No handler: the interrupt is enabled while none can be taken, and forgotten before the look for a byte. */
void mcuq_sleep(void)
{
    int byte;

    __asm__ volatile("cpsid i" ::: "memory");
    ISER = WAKE;
    ICPR = WAKE;
    byte = board_receive();
    if (byte >= 0)
        mcuq_received((uint8_t)byte);
    else
        __asm__ volatile("dsb\n\twfi" ::: "memory");
    ICER = WAKE;
    ICPR = WAKE;
    __asm__ volatile("dsb\n\tisb\n\tcpsie i" ::: "memory");
}

#endif
#endif
