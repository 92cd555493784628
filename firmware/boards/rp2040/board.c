/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040 (RP2040 Datasheet): addresses of its registers: chapter on the system's address map. */

#include "board.h"
#include "counter.h"

#include <stdint.h>

#define RP2_CLOCKS 0x40008000u
#define RP2_RESETS 0x4000c000u
#define RP2_PSM 0x40010000u
#define RP2_IO_BANK0 0x40014000u
#define RP2_PADS_BANK0 0x4001c000u
#define RP2_XOSC 0x40024000u
#define RP2_PLL_SYS 0x40028000u
#define RP2_UART0 0x40034000u
#define RP2_WATCHDOG 0x40058000u

enum { RP2_RESET_IO_BANK0 = 5, RP2_RESET_PADS_BANK0 = 8, RP2_RESET_PLL_SYS = 12 }; /* RESETS: RESET */
#define RP2_RESET_UART (MCUQ_UART_ADDRESS == RP2_UART0 ? 22u : 23u)
#define RP2_PSM_ALL_BUT_OSCILLATORS UINT32_C(0x1fffc) /* PSM: WDSEL, without ROSC and XOSC */

#include "drivers/rp2.h"

void board_start(void)
{
    rp2_clock_start(MCUQ_CLOCK_PLL_FEEDBACK, MCUQ_CLOCK_PLL_POST_1, MCUQ_CLOCK_PLL_POST_2);
    rp2_uart_start(MCUQ_UART_TX_PIN, MCUQ_UART_RX_PIN);
    mcuq_counter_start();
}

int board_receive(void)
{
    return rp2_receive();
}

void board_send(uint8_t byte)
{
    rp2_send(byte);
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    rp2_restart();
}
