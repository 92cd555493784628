/* SPDX-License-Identifier: Apache-2.0
 *
 * The second version of ST's USART, of STM32G0 (reference manual RM0444), L4+ (RM0432) and H7 (RM0433), each in its
 * chapter on the USART: USART_CR1 and following. Data registers for both directions; a register clears the errors. The
 * low-power UART has the same registers and another divider. The FIFOs stay off: one byte takes ten thousand cycles.
 */
#ifndef MCUQ_STM32_USART_V2_H
#define MCUQ_STM32_USART_V2_H

#include <stdint.h>

#define USART_REGISTER(offset) (*(volatile uint32_t *)(uintptr_t)(MCUQ_UART_ADDRESS + (offset)))
#define USART_CR1 USART_REGISTER(0x00u)
#define USART_CR2 USART_REGISTER(0x04u)
#define USART_CR3 USART_REGISTER(0x08u)
#define USART_BRR USART_REGISTER(0x0cu)
#define USART_ISR USART_REGISTER(0x1cu)
#define USART_ICR USART_REGISTER(0x20u)
#define USART_RDR USART_REGISTER(0x24u)
#define USART_TDR USART_REGISTER(0x28u)

enum { USART_UE = 1, USART_RE = 4, USART_TE = 8, USART_RXNEIE = 32 };                              /* CR1 */
enum { USART_PE = 1, USART_FE = 2, USART_NE = 4, USART_ORE = 8, USART_RXNE = 32, USART_TXE = 128 }; /* ISR; ICR too */

/* USART: 16 x oversampling, so that the divider is a bit's length in clocks; LPUART: in 256ths of a clock. */
#define USART_DIVIDER ((MCUQ_UART_CLOCK_HZ + MCUQ_UART_BAUD / 2) / MCUQ_UART_BAUD)
#define LPUART_DIVIDER ((uint32_t)((UINT64_C(256) * MCUQ_UART_CLOCK_HZ + MCUQ_UART_BAUD / 2) / MCUQ_UART_BAUD))

/* 8 data bits, no parity, one stop bit, which is not what the ROM's loader leaves when it starts a program. Most can be
   written while the UART is off only. */
static inline void usart_start(uint32_t divider)
{
    USART_CR1 = 0;
    USART_CR2 = 0;
    USART_CR3 = 0;
    USART_BRR = divider;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    USART_CR1 = USART_UE | USART_TE | USART_RE | USART_RXNEIE; /* RXNEIE asks at an overrun too */
#else
    USART_CR1 = USART_UE | USART_TE | USART_RE;
#endif
}

/* A byte with a wrong stop bit is dropped; one with noise had a majority of its samples, and the frame's CRC judges. */
static inline int usart_receive(void)
{
    for (;;) {
        const uint32_t status = USART_ISR;
        if ((status & (USART_PE | USART_FE | USART_NE | USART_ORE)) != 0)
            USART_ICR = status & (USART_PE | USART_FE | USART_NE | USART_ORE);
        if ((status & USART_RXNE) == 0)
            return -1;
        const uint32_t data = USART_RDR; /* clears RXNE */
        if ((status & (USART_PE | USART_FE)) == 0)
            return (int)(data & 0xffu);
    }
}

static inline void usart_send(uint8_t byte)
{
    while ((USART_ISR & USART_TXE) == 0) {
    }
    USART_TDR = byte;
}

#endif
