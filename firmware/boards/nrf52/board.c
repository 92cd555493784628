/* SPDX-License-Identifier: Apache-2.0 */
/* nRF52 series (nRF52840 Product Specification, version 1.7): chapters CLOCK, NVMC, GPIO and UART; addresses as in
   Nordic's nrf52840.h too. The core has 64 MHz from reset on; the crystal makes them exact enough for the UART, which
   is the older one without DMA: it holds six bytes and asks for an interrupt at each. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define FICR_VARIANT REGISTER(0x10000104u) /* FICR: INFO.VARIANT */
#define UICR_APPROTECT REGISTER(0x10001208u)
#define HFCLKSTART REGISTER(0x40000000u) /* CLOCK */
#define HFCLKSTARTED REGISTER(0x40000100u)
#define APPROTECT_DISABLE REGISTER(0x40000558u)
#define ICACHECNF REGISTER(0x4001e540u) /* NVMC */
#define PORT(port) (0x50000000u + 0x300u * (port)) /* GPIO */
#define OUTSET(port) REGISTER(PORT(port) + 0x508u)
#define PIN_CNF(port, pin) REGISTER(PORT(port) + 0x700u + 4u * (pin))
#define UART(offset) REGISTER(MCUQ_UART_ADDRESS + (offset))
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

enum { CACHE_ON = 1 };                               /* ICACHECNF: CACHEEN */
enum { PIN_INPUT_PULLED_UP = 0xc, PIN_OUTPUT = 1 };  /* PIN_CNF: PULL; DIR */
enum { UART_ENABLED = 4, RXDRDY_INTERRUPT = 4 };     /* UART: ENABLE; INTENSET */
enum { UART_ERRORS = 0xf };                          /* UART: ERRORSRC: overrun, parity, framing, break */

#define READY_TRIES UINT32_C(100000) /* tens of milliseconds: ends also where no crystal starts */
#define PSEL(port, pin) ((port) << 5 | (pin)) /* CONNECT, bit 31, is 0 where a pin is connected */

/* BAUDRATE: the share of 16 MHz in 32 bits of which the low 12 are 0; rounding gives the specification's figures */
#define BAUD_BITS ((((UINT64_C(0x10) * MCUQ_UART_BAUD << 28) / MCUQ_UART_CLOCK_HZ + 0x800u) >> 12) << 12)

static uint8_t is_sending;

/* The RC oscillator that the chip starts with is too inexact for a UART: the crystal's. */
static void clock_start(void)
{
    HFCLKSTARTED = 0;
    HFCLKSTART = 1;
    for (uint32_t i = 0; i < READY_TRIES && HFCLKSTARTED == 0; i++) {
    }
    ICACHECNF = CACHE_ON;
}

/* From revision F on, the debug port is locked from reset until the program repeats what UICR says of it (configuration
   249 in the errata sheet of revision 3); otherwise a probe could come back in only by erasing the chip. The revision
   is the third letter of the four in VARIANT. */
static void debug_port_start(void)
{
    if ((FICR_VARIANT >> 8 & 0xffu) >= 'F')
        APPROTECT_DISABLE = UICR_APPROTECT;
}

static void pins_start(void)
{
    OUTSET(MCUQ_UART_TX_PORT) = UINT32_C(1) << MCUQ_UART_TX_PIN; /* the line rests while the UART is not yet enabled */
    PIN_CNF(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN) = PIN_OUTPUT;
    PIN_CNF(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN) = PIN_INPUT_PULLED_UP;
}

void board_start(void)
{
    clock_start();
    debug_port_start();
    mcuq_counter_start();
    pins_start();
    PSELTXD = PSEL(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    PSELRXD = PSEL(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
    BAUDRATE = (uint32_t)BAUD_BITS;
    ENABLE = UART_ENABLED;
    RXDRDY = 0;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    INTENSET = RXDRDY_INTERRUPT;
#endif
    STARTTX = 1;
    STARTRX = 1;
}

/* The event first, then the byte; reading it brings the next of the six that the UART holds. Which of them was damaged
   the UART does not say: the frame's CRC finds it. */
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
    return mcuq_counter();
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
