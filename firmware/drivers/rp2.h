/* SPDX-License-Identifier: Apache-2.0
 *
 * What RP2040 (RP2040 Datasheet) and RP2350 (RP2350 Datasheet) have in common: clocks from the crystal through PLL_SYS,
 * pins, the UART (Arm's PL011), and the reset by the watchdog. Registers: each datasheet's lists of CLOCKS, RESETS,
 * XOSC, PLL, IO_BANK0, PADS_BANK0, UART, PSM and WATCHDOG; the two chips have the same registers at other addresses,
 * which a family's board.c defines before it includes this, with its numbers of resets.
 */
#ifndef MCUQ_RP2_H
#define MCUQ_RP2_H

#include "cortex_m_reset.h"

#include <stdint.h>

#define RP2_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define RP2_CLK_REF_CTRL RP2_REGISTER(RP2_CLOCKS + 0x30u)
#define RP2_CLK_REF_SELECTED RP2_REGISTER(RP2_CLOCKS + 0x38u)
#define RP2_CLK_SYS_CTRL RP2_REGISTER(RP2_CLOCKS + 0x3cu)
#define RP2_CLK_SYS_SELECTED RP2_REGISTER(RP2_CLOCKS + 0x44u)
#define RP2_CLK_PERI_CTRL RP2_REGISTER(RP2_CLOCKS + 0x48u)
#define RP2_RESET RP2_REGISTER(RP2_RESETS + 0x0u)
#define RP2_RESET_DONE RP2_REGISTER(RP2_RESETS + 0x8u)
#define RP2_XOSC_CTRL RP2_REGISTER(RP2_XOSC + 0x00u)
#define RP2_XOSC_STATUS RP2_REGISTER(RP2_XOSC + 0x04u)
#define RP2_XOSC_STARTUP RP2_REGISTER(RP2_XOSC + 0x0cu)
#define RP2_PLL_CS RP2_REGISTER(RP2_PLL_SYS + 0x0u)
#define RP2_PLL_PWR RP2_REGISTER(RP2_PLL_SYS + 0x4u)
#define RP2_PLL_FBDIV_INT RP2_REGISTER(RP2_PLL_SYS + 0x8u)
#define RP2_PLL_PRIM RP2_REGISTER(RP2_PLL_SYS + 0xcu)
#define RP2_GPIO_CTRL(pin) RP2_REGISTER(RP2_IO_BANK0 + 4u + 8u * (pin))
#define RP2_PAD(pin) RP2_REGISTER(RP2_PADS_BANK0 + 4u + 4u * (pin))
#define RP2_UARTDR RP2_REGISTER(MCUQ_UART_ADDRESS + 0x00u)
#define RP2_UARTRSR RP2_REGISTER(MCUQ_UART_ADDRESS + 0x04u)
#define RP2_UARTFR RP2_REGISTER(MCUQ_UART_ADDRESS + 0x18u)
#define RP2_UARTIBRD RP2_REGISTER(MCUQ_UART_ADDRESS + 0x24u)
#define RP2_UARTFBRD RP2_REGISTER(MCUQ_UART_ADDRESS + 0x28u)
#define RP2_UARTLCR_H RP2_REGISTER(MCUQ_UART_ADDRESS + 0x2cu)
#define RP2_UARTCR RP2_REGISTER(MCUQ_UART_ADDRESS + 0x30u)
#define RP2_UARTIFLS RP2_REGISTER(MCUQ_UART_ADDRESS + 0x34u)
#define RP2_UARTIMSC RP2_REGISTER(MCUQ_UART_ADDRESS + 0x38u)
#define RP2_PSM_WDSEL RP2_REGISTER(RP2_PSM + 0x8u)
#define RP2_WATCHDOG_CTRL RP2_REGISTER(RP2_WATCHDOG + 0x00u)
#define RP2_WATCHDOG_SCRATCH4 RP2_REGISTER(RP2_WATCHDOG + 0x1cu)

#define RP2_REF_SRC_XOSC UINT32_C(2) /* CLK_REF_CTRL: SRC */
#define RP2_REF_SRC UINT32_C(3)
#define RP2_SYS_SRC_AUX UINT32_C(1)           /* CLK_SYS_CTRL: SRC; AUXSRC 0 is PLL_SYS */
#define RP2_SYS_AUXSRC (UINT32_C(7) << 5)
#define RP2_PERI_FROM_SYS (UINT32_C(1) << 11) /* CLK_PERI_CTRL: ENABLE; AUXSRC 0 is clk_sys */
#define RP2_XOSC_1_TO_15_MHZ UINT32_C(0xaa0)  /* XOSC_CTRL: FREQ_RANGE */
#define RP2_XOSC_ENABLE (UINT32_C(0xfab) << 12)
#define RP2_XOSC_MILLISECOND UINT32_C(47)     /* XOSC_STARTUP: DELAY, in 256 periods of 12 MHz */
#define RP2_XOSC_STABLE (UINT32_C(1) << 31)
#define RP2_PLL_LOCK (UINT32_C(1) << 31)
#define RP2_PLL_PD UINT32_C(1)                /* PLL_PWR */
#define RP2_PLL_POSTDIVPD (UINT32_C(1) << 3)
#define RP2_PLL_VCOPD (UINT32_C(1) << 5)
#define RP2_FUNCTION_UART UINT32_C(2)         /* GPIO_CTRL: FUNCSEL */
#define RP2_PAD_PULLED_UP UINT32_C(0x5a)      /* IE, DRIVE 4 mA, PUE, SCHMITT; neither OD nor, on RP2350, ISO */
#define RP2_UART_RXFE (UINT32_C(1) << 4)      /* UARTFR */
#define RP2_UART_TXFF (UINT32_C(1) << 5)
#define RP2_UART_DAMAGED (UINT32_C(7) << 8)   /* UARTDR: framing, parity, break; an overrun leaves this byte whole */
#define RP2_UART_8_BITS_FIFO UINT32_C(0x70)   /* UARTLCR_H: WLEN, FEN */
#define RP2_UART_RX_TX_ON UINT32_C(0x301)     /* UARTCR: RXE, TXE, UARTEN */
#define RP2_UART_EIGHTH UINT32_C(0)           /* UARTIFLS: asks when the receive FIFO holds 4 of 32 */
#define RP2_UART_RX_OR_TIMEOUT (UINT32_C(1) << 4 | UINT32_C(1) << 6) /* UARTIMSC: RXIM, RTIM */
#define RP2_UART_FIFO_BYTES 32u
#define RP2_WATCHDOG_ENABLE (UINT32_C(1) << 30)
#define RP2_WATCHDOG_TRIGGER (UINT32_C(1) << 31)

/* PL011 counts 64ths of the divisor of 16 clocks a bit (Arm DDI 0183, baud rate divisor). */
#define RP2_BAUD_64THS ((4u * MCUQ_UART_CLOCK_HZ + MCUQ_UART_BAUD / 2u) / MCUQ_UART_BAUD)

#define RP2_READY_TRIES UINT32_C(100000) /* tens of milliseconds: ends also where no crystal starts */

static inline int rp2_becomes(volatile uint32_t *address, uint32_t mask)
{
    for (uint32_t i = 0; i < RP2_READY_TRIES; i++) {
        if ((*address & mask) == mask)
            return 1;
    }
    return 0;
}

/* Resets a block and takes it out of reset, whatever ran before. */
static inline int rp2_reset(uint32_t number)
{
    RP2_RESET |= UINT32_C(1) << number;
    RP2_RESET &= ~(UINT32_C(1) << number);
    return rp2_becomes(&RP2_RESET_DONE, UINT32_C(1) << number);
}

/* clk_sys may run from the PLL after a reset of the core alone: off it, before the PLL stops. Where the crystal or the
   PLL does not come, the chip goes on from what ran before, and the UART with a wrong baud rate. */
static inline void rp2_clock_start(uint32_t feedback, uint32_t post_1, uint32_t post_2)
{
    RP2_XOSC_STARTUP = RP2_XOSC_MILLISECOND;
    RP2_XOSC_CTRL = RP2_XOSC_1_TO_15_MHZ | RP2_XOSC_ENABLE;
    if (!rp2_becomes(&RP2_XOSC_STATUS, RP2_XOSC_STABLE))
        return;
    RP2_CLK_SYS_CTRL &= ~RP2_SYS_SRC_AUX;
    if (!rp2_becomes(&RP2_CLK_SYS_SELECTED, 1))
        return;
    RP2_CLK_REF_CTRL = (RP2_CLK_REF_CTRL & ~RP2_REF_SRC) | RP2_REF_SRC_XOSC;
    if (!rp2_becomes(&RP2_CLK_REF_SELECTED, UINT32_C(1) << RP2_REF_SRC_XOSC) || !rp2_reset(RP2_RESET_PLL_SYS))
        return;
    RP2_PLL_CS = 1; /* REFDIV */
    RP2_PLL_FBDIV_INT = feedback;
    RP2_PLL_PWR &= ~(RP2_PLL_PD | RP2_PLL_VCOPD);
    if (!rp2_becomes(&RP2_PLL_CS, RP2_PLL_LOCK))
        return;
    RP2_PLL_PRIM = post_1 << 16 | post_2 << 12;
    RP2_PLL_PWR &= ~RP2_PLL_POSTDIVPD;
    RP2_CLK_SYS_CTRL &= ~RP2_SYS_AUXSRC;
    RP2_CLK_SYS_CTRL |= RP2_SYS_SRC_AUX;
    (void)rp2_becomes(&RP2_CLK_SYS_SELECTED, UINT32_C(1) << RP2_SYS_SRC_AUX);
}

/* The function before the pad, so that nothing else is ever driven; a pull-up on both, so that an open line rests. */
static inline void rp2_pin_start(uint32_t pin)
{
    RP2_GPIO_CTRL(pin) = RP2_FUNCTION_UART;
    RP2_PAD(pin) = RP2_PAD_PULLED_UP;
}

/* UARTLCR_H last of the three: it takes over the baud rate. */
static inline void rp2_uart_start(uint32_t tx_pin, uint32_t rx_pin)
{
    RP2_CLK_PERI_CTRL = RP2_PERI_FROM_SYS;
    (void)rp2_reset(RP2_RESET_IO_BANK0);
    (void)rp2_reset(RP2_RESET_PADS_BANK0);
    (void)rp2_reset(RP2_RESET_UART);
    RP2_UARTIBRD = RP2_BAUD_64THS / 64u;
    RP2_UARTFBRD = RP2_BAUD_64THS % 64u;
    RP2_UARTLCR_H = RP2_UART_8_BITS_FIFO;
    RP2_UARTCR = RP2_UART_RX_TX_ON;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    RP2_UARTIFLS = RP2_UART_EIGHTH;
    RP2_UARTIMSC = RP2_UART_RX_OR_TIMEOUT;
#endif
    rp2_pin_start(tx_pin);
    rp2_pin_start(rx_pin);
}

/* Skips damaged bytes, so that the handler of the interrupt empties the FIFO. */
static inline int rp2_receive(void)
{
    for (uint32_t i = 0; i < RP2_UART_FIFO_BYTES && (RP2_UARTFR & RP2_UART_RXFE) == 0; i++) {
        const uint32_t data = RP2_UARTDR;

        if ((data & RP2_UART_DAMAGED) == 0)
            return (int)(data & 0xffu);
        RP2_UARTRSR = 0;
    }
    return -1;
}

static inline void rp2_send(uint8_t byte)
{
    while (RP2_UARTFR & RP2_UART_TXFF) {
    }
    RP2_UARTDR = byte;
}

/* The watchdog resets the whole chip but its oscillators, as the ROM expects it; SYSRESETREQ alone would leave clocks
   and peripherals as they are. The ROM looks into SCRATCH4 for a word that says to start elsewhere. */
static inline void rp2_restart(void)
{
    RP2_WATCHDOG_CTRL &= ~RP2_WATCHDOG_ENABLE;
    RP2_WATCHDOG_SCRATCH4 = 0;
    RP2_PSM_WDSEL = RP2_PSM_ALL_BUT_OSCILLATORS;
    RP2_WATCHDOG_CTRL |= RP2_WATCHDOG_TRIGGER;
    mcuq_cortex_m_reset();
}

#endif
