/* SPDX-License-Identifier: Apache-2.0 */
/* Texas Instruments' (Luminary's) Stellaris LM3S6965 (data sheet DS-LM3S6965): chapters "System Control", "General-
   Purpose Input/Outputs" and "Universal Asynchronous Receivers/Transmitters", register descriptions there. Its UART is
   Arm's PL011 (Arm DDI 0183). */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define RIS REGISTER(0x400fe050u) /* System Control */
#define RCC REGISTER(0x400fe060u)
#define RCGC1 REGISTER(0x400fe104u)
#define RCGC2 REGISTER(0x400fe108u)
/* ports A to D, then E to H */
#define GPIO(port, offset) REGISTER(((port) < 4u ? 0x40004000u : 0x40020000u) + 0x1000u * (port) + (offset))
#define AFSEL 0x420u
#define PUR 0x510u
#define DEN 0x51cu
#define UART(offset) REGISTER(MCUQ_UART_ADDRESS + (offset))
#define DR UART(0x00u)
#define ECR UART(0x04u)
#define FR UART(0x18u)
#define IBRD UART(0x24u)
#define FBRD UART(0x28u)
#define LCRH UART(0x2cu)
#define CTL UART(0x30u)
#define IM UART(0x38u)

#define BYPASS (UINT32_C(1) << 11) /* RCC */
#define PWRDN (UINT32_C(1) << 13)
#define OEN (UINT32_C(1) << 12) /* the PLL's output is off while this is set; newer revisions ignore it */
#define USESYSDIV (UINT32_C(1) << 22)
#define SYSDIV (UINT32_C(0xf) << 23)
#define XTAL (UINT32_C(0xf) << 6)
#define OSCSRC (UINT32_C(3) << 4)
#define MOSCDIS UINT32_C(1)
#define PLLLRIS (UINT32_C(1) << 6) /* RIS */

enum { RX_EMPTY = 0x10, TX_FULL = 0x20 };                 /* FR */
enum { ERRORS = 0xf00, WRONG_BYTE = 0x700 };              /* DR: overrun; break, parity, framing */
enum { BITS_8_WITH_FIFO = 0x70 };                         /* LCRH */
enum { ENABLED = 0x301 };                                 /* CTL: UARTEN, TXE, RXE */
enum { RECEIVE_AND_TIMEOUT_INTERRUPTS = 0x50 };           /* IM: RXIM, RTIM */

#define READY_TRIES UINT32_C(100000) /* tens of milliseconds: ends also where no crystal starts */
/* in 1/64 of a bit's sixteenth: clock / (16 x baud) x 64, rounded */
#define DIVIDER ((8u * MCUQ_UART_CLOCK_HZ / MCUQ_UART_BAUD + 1u) / 2u)

/* "System Control", initialization and configuration: around the PLL, start it, wait for its lock, into it. */
static void clock_start(void)
{
    uint32_t rcc = (RCC | BYPASS) & ~(USESYSDIV | MOSCDIS);

    RCC = rcc;
    rcc &= ~(XTAL | OSCSRC | PWRDN | OEN);
    rcc |= MCUQ_CLOCK_XTAL << 6;
    RCC = rcc;
    rcc = (rcc & ~SYSDIV) | (MCUQ_CLOCK_PLL_DIVIDER - 1u) << 23 | USESYSDIV;
    RCC = rcc;
    for (uint32_t i = 0; i < READY_TRIES && (RIS & PLLLRIS) == 0; i++) {
    }
    RCC = rcc & ~BYPASS;
}

static void pin_start(uint32_t port, uint32_t pin)
{
    RCGC2 |= UINT32_C(1) << port;
    (void)RCGC2; /* three cycles until the port answers */
    (void)RCGC2;
    GPIO(port, AFSEL) |= UINT32_C(1) << pin;
    GPIO(port, PUR) |= UINT32_C(1) << pin; /* an open line rests */
    GPIO(port, DEN) |= UINT32_C(1) << pin;
}

void board_start(void)
{
    clock_start();
    RCGC1 |= UINT32_C(1) << ((MCUQ_UART_ADDRESS - 0x4000c000u) / 0x1000u);
    (void)RCGC1;
    (void)RCGC1;
    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
    CTL = 0;
    IBRD = DIVIDER / 64u;
    FBRD = DIVIDER % 64u;
    LCRH = BITS_8_WITH_FIFO; /* takes the divider over */
#if defined(MCUQ_RECEIVE_INTERRUPT)
    IM = RECEIVE_AND_TIMEOUT_INTERRUPTS;
#endif
    CTL = ENABLED;
    mcuq_counter_start();
}

int board_receive(void)
{
    while ((FR & RX_EMPTY) == 0) {
        const uint32_t data = DR;
        if (data & ERRORS)
            ECR = 0;
        if ((data & WRONG_BYTE) == 0)
            return (int)(data & 0xffu);
    }
    return -1;
}

void board_send(uint8_t byte)
{
    while (FR & TX_FULL) {
    }
    DR = byte;
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
