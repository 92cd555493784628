/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's RISC-V machine `virt`, which exists nowhere else: a 16550 UART (National Semiconductor's data sheet PC16550D,
   section 8) with registers one byte apart, and SiFive's test device, whose writes reset the machine. Both addresses:
   QEMU's hw/riscv/virt.c, virt_memmap. */

#include "board.h"
#include "counter.h"

#include <stdint.h>

#define UART(offset) (*(volatile uint8_t *)(uintptr_t)(MCUQ_UART_ADDRESS + (offset)))
#define RBR UART(0u) /* read */
#define THR UART(0u) /* write */
#define DLL UART(0u) /* while DLAB is set */
#define DLM UART(1u)
#define IER UART(1u)
#define FCR UART(2u)
#define LCR UART(3u)
#define LSR UART(5u)
#define TEST_DEVICE (*(volatile uint32_t *)(uintptr_t)0x00100000u)

enum { RECEIVED = 1 };                                               /* IER */
enum { FIFOS_ON_AND_EMPTY = 7 };                                     /* FCR */
enum { BITS_8 = 3, DLAB = 0x80 };                                    /* LCR */
enum { DATA_READY = 1, WRONG_BYTE = 0x1c, TRANSMITTER_HAS_ROOM = 32 }; /* LSR: parity, framing, break */
enum { TEST_RESET = 0x7777 };                                        /* QEMU: include/hw/misc/sifive_test.h */

#define DIVIDER ((MCUQ_UART_CLOCK_HZ / 8u / MCUQ_UART_BAUD + 1u) / 2u)

void board_start(void)
{
    LCR = DLAB;
    DLL = DIVIDER & 0xffu;
    DLM = DIVIDER >> 8;
    LCR = BITS_8;
    FCR = FIFOS_ON_AND_EMPTY;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    IER = RECEIVED;
#endif
    mcuq_counter_start();
}

int board_receive(void)
{
    for (;;) {
        const uint8_t status = LSR; /* reading it clears the errors */
        if ((status & DATA_READY) == 0)
            return -1;
        const uint8_t data = RBR;
        if ((status & WRONG_BYTE) == 0)
            return data;
    }
}

void board_send(uint8_t byte)
{
    while ((LSR & TRANSMITTER_HAS_ROOM) == 0) {
    }
    THR = byte;
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    TEST_DEVICE = TEST_RESET;
    for (;;) {
    }
}
