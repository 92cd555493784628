/* SPDX-License-Identifier: Apache-2.0
 *
 * The first version of ST's USART, of STM32F1 (RM0041, section 23.6; RM0008, 27.6), F2 and F4 (RM0090, 30.6): one data
 * register, status bits that reading status and then data clears.
 */
#ifndef MCUQ_STM32_USART_V1_H
#define MCUQ_STM32_USART_V1_H

#include <stdint.h>

#define USART_REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(MCUQ_UART_ADDRESS + (offset)))
#define USART_SR USART_REGISTER(0x00u)
#define USART_DR USART_REGISTER(0x04u)
#define USART_BRR USART_REGISTER(0x08u)
#define USART_CR1 USART_REGISTER(0x0cu)
#define USART_CR2 USART_REGISTER(0x10u)
#define USART_CR3 USART_REGISTER(0x14u)

enum { USART_PE = 1, USART_FE = 2, USART_NE = 4, USART_ORE = 8, USART_RXNE = 32, USART_TXE = 128 }; /* SR */
enum { USART_RE = 4, USART_TE = 8, USART_RXNEIE = 32, USART_UE = 8192 };                            /* CR1 */

/* `clock_hz` is what its bus really runs at. 8 data bits, no parity, one stop bit, which is not what the ROM's loader
   leaves when it starts a program. */
static inline void usart_start(uint32_t clock_hz)
{
    USART_CR1 = 0;
    USART_CR2 = 0;
    USART_CR3 = 0;
    USART_BRR = (clock_hz + MCUQ_UART_BAUD / 2) / MCUQ_UART_BAUD; /* sixteenths in the low 4 bits: 16 x oversampling */
#if defined(MCUQ_RECEIVE_INTERRUPT)
    USART_CR1 = USART_UE | USART_TE | USART_RE | USART_RXNEIE;
#else
    USART_CR1 = USART_UE | USART_TE | USART_RE;
#endif
}

static inline int usart_receive(void)
{
    for (;;) {
        const uint32_t status = USART_SR;
        if ((status & (USART_RXNE | USART_ORE)) == 0)
            return -1;
        /* Reading the data after the status clears RXNE and all errors; an overrun keeps the byte before it. */
        const uint32_t data = USART_DR;
        if ((status & USART_RXNE) != 0 && (status & (USART_PE | USART_FE | USART_NE)) == 0)
            return (int)(data & 0xffu);
    }
}

static inline void usart_send(uint8_t byte)
{
    while ((USART_SR & USART_TXE) == 0) {
    }
    USART_DR = byte;
}

#endif
