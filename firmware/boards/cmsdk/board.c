/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's FPGA boards MPS2 and MPS3: the APB UART of the Cortex-M System Design Kit (technical reference manual Arm
   DDI 0479, "APB UART": programmers model). The FPGA's clocks and pins need no setting up. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define DATA REGISTER(MCUQ_UART_ADDRESS + 0x00u)
#define STATE REGISTER(MCUQ_UART_ADDRESS + 0x04u)
#define CTRL REGISTER(MCUQ_UART_ADDRESS + 0x08u)
#define INTCLEAR REGISTER(MCUQ_UART_ADDRESS + 0x0cu)
#define BAUDDIV REGISTER(MCUQ_UART_ADDRESS + 0x10u)

enum { TX_FULL = 1, RX_FULL = 2, RX_OVERRUN = 8 };                 /* STATE; an overrun is cleared by writing 1 */
enum { TX_ENABLE = 1, RX_ENABLE = 2, RX_INTERRUPT_ENABLE = 8 };    /* CTRL */
enum { RX_INTERRUPT = 2 };                                         /* INTCLEAR */
enum { LEAST_DIVIDER = 16 };                                       /* BAUDDIV: smaller ones are not allowed */

#define DIVIDER ((MCUQ_UART_CLOCK_HZ + MCUQ_UART_BAUD / 2) / MCUQ_UART_BAUD)

void board_start(void)
{
    BAUDDIV = DIVIDER < LEAST_DIVIDER ? LEAST_DIVIDER : DIVIDER;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    CTRL = TX_ENABLE | RX_ENABLE | RX_INTERRUPT_ENABLE;
    /* A byte from before would ask for nothing and keep all others out: the interrupt is raised by the arrival. */
    if (STATE & RX_FULL)
        (void)DATA;
#else
    CTRL = TX_ENABLE | RX_ENABLE;
#endif
    mcuq_counter_start();
}

int board_receive(void)
{
    if (STATE & RX_OVERRUN)
        STATE = RX_OVERRUN;
    INTCLEAR = RX_INTERRUPT; /* before the look at STATE: a byte that comes later asks again */
    return STATE & RX_FULL ? (int)(DATA & 0xffu) : -1;
}

void board_send(uint8_t byte)
{
    while (STATE & TX_FULL) {
    }
    DATA = byte;
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
