/* SPDX-License-Identifier: Apache-2.0 */
/* nRF51 series (nRF51 Series Reference Manual, version 3.0): chapters 13 (CLOCK), 14 (GPIO), 18 (TIMER), 29 (UART);
   the peripherals' addresses: chapter 4, instantiation. Its core has no SysTick, so that TIMER0 counts, whose 16 MHz
   are the core's. */

#include "board.h"
#include "drivers/cortex_m_reset.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define HFCLKSTART REGISTER(0x40000000u) /* CLOCK, TASKS_ and EVENTS_ */
#define HFCLKSTARTED REGISTER(0x40000100u)
#define TIMER0(offset) REGISTER(0x40008000u + (offset)) /* TIMER */
#define TIMER_START TIMER0(0x000u)
#define TIMER_CLEAR TIMER0(0x00cu)
#define TIMER_CAPTURE0 TIMER0(0x040u)
#define TIMER_MODE TIMER0(0x504u)
#define TIMER_BITMODE TIMER0(0x508u)
#define TIMER_PRESCALER TIMER0(0x510u)
#define TIMER_CC0 TIMER0(0x540u)
#define OUTSET REGISTER(0x50000508u)                                /* GPIO */
#define PIN_CNF(pin) REGISTER(0x50000700u + 4u * (pin))
#define UART(offset) REGISTER(MCUQ_UART_ADDRESS + (offset)) /* UART */
#define STARTRX UART(0x000u)
#define STARTTX UART(0x008u)
#define RXDRDY UART(0x108u)
#define TXDRDY UART(0x11cu)
#define ERROR UART(0x124u)
#define INTENSET UART(0x304u)
#define ERRORSRC UART(0x480u)
#define ENABLE UART(0x500u)
#define PSELTXD UART(0x50cu)
#define PSELRXD UART(0x514u)
#define RXD UART(0x518u)
#define TXD UART(0x51cu)
#define BAUDRATE UART(0x524u)

enum { PIN_INPUT_PULLED_UP = 0xc, PIN_OUTPUT = 1 };  /* PIN_CNF: PULL; DIR */
enum { BITS_32 = 3, TIMER = 0 };                     /* TIMER: BITMODE; MODE */
enum { UART_ENABLED = 4, RXDRDY_INTERRUPT = 4 };     /* UART: ENABLE; INTENSET */
enum { UART_HOLDS = 7 };                             /* RXD and the six behind it (chapter 29, reception) */
enum { UART_ERRORS = 0xf };                          /* UART: ERRORSRC: overrun, parity, framing, break */

#define READY_TRIES UINT32_C(100000) /* tens of milliseconds: ends also where no crystal starts */

/* BAUDRATE: the share of 16 MHz in 32 bits of which the low 12 are 0; rounding gives the manual's figures */
#define BAUD_BITS ((((UINT64_C(0x10) * MCUQ_UART_BAUD << 28) / MCUQ_UART_CLOCK_HZ + 0x800u) >> 12) << 12)

static uint8_t is_sending;

/* The RC oscillator that the chip starts with is too inexact for a UART: the crystal's. */
static void clock_start(void)
{
    HFCLKSTARTED = 0;
    HFCLKSTART = 1;
    for (uint32_t i = 0; i < READY_TRIES && HFCLKSTARTED == 0; i++) {
    }
}

void board_start(void)
{
    clock_start();
    OUTSET = UINT32_C(1) << MCUQ_UART_TX_PIN; /* the line rests while the UART is not yet enabled */
    PIN_CNF(MCUQ_UART_TX_PIN) = PIN_OUTPUT;
    PIN_CNF(MCUQ_UART_RX_PIN) = PIN_INPUT_PULLED_UP;
    PSELTXD = MCUQ_UART_TX_PIN;
    PSELRXD = MCUQ_UART_RX_PIN;
    BAUDRATE = (uint32_t)BAUD_BITS;
    ENABLE = UART_ENABLED;
    BAUDRATE = (uint32_t)BAUD_BITS; /* QEMU takes it only from an enabled UART */
    STARTTX = 1;
    STARTRX = 1;
    /* Bytes that a loader has left unread: their event is gone, and while they stay no other comes. */
    for (int i = 0; i < UART_HOLDS; i++) {
        RXDRDY = 0;
        (void)RXD;
    }
#if defined(MCUQ_RECEIVE_INTERRUPT)
    INTENSET = RXDRDY_INTERRUPT;
#endif

    /* Last: QEMU looks for what waits for its UART when a timer starts, and not when a UART does. */
    TIMER_MODE = TIMER;
    TIMER_BITMODE = BITS_32;
    TIMER_PRESCALER = 0;
    TIMER_CLEAR = 1;
    TIMER_START = 1;
}

/* Chapter 29, reception: the event first, then the byte; reading it brings the next of the six that the UART holds. */
int board_receive(void)
{
    if (ERROR != 0) {
        ERROR = 0;
        ERRORSRC = UART_ERRORS;
    }
    if (RXDRDY == 0)
        return -1;
    RXDRDY = 0;
    return (int)(RXD & 0xffu);
}

void board_send(uint8_t byte)
{
    while (is_sending && TXDRDY == 0) {
    }
    TXDRDY = 0;
    TXD = byte;
    is_sending = 1;
}

uint32_t board_cycles(void)
{
    TIMER_CAPTURE0 = 1;
    return TIMER_CC0;
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
