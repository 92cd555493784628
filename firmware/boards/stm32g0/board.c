/* SPDX-License-Identifier: Apache-2.0 */
/* STM32G0x0 and G0x1 with USART1 to USART4 (reference manual RM0444). The core runs from the PLL on the internal 16 MHz
   oscillator; USART1 and USART2 take their clock from that oscillator itself, so that the baud rate holds also where
   the PLL does not lock. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"
#include "drivers/stm32.h"
#include "drivers/stm32_usart_v2.h"

#include <stdint.h>

/* RM0444: memory map (RCC, FLASH, GPIO), RCC registers, FLASH access control register */
#define RCC_CR STM32_REGISTER(0x40021000u)
#define RCC_CFGR STM32_REGISTER(0x40021008u)
#define RCC_PLLCFGR STM32_REGISTER(0x4002100cu)
#define RCC_IOPENR STM32_REGISTER(0x40021034u)
#define RCC_APBENR1 STM32_REGISTER(0x4002103cu)
#define RCC_APBENR2 STM32_REGISTER(0x40021040u)
#define RCC_CCIPR STM32_REGISTER(0x40021054u)
#define FLASH_ACR STM32_REGISTER(0x40022000u)
#define GPIO(port) (0x50000000u + 0x400u * (port))

#define HSION (UINT32_C(1) << 8) /* RCC_CR */
#define HSIRDY (UINT32_C(1) << 10)
#define PLLON (UINT32_C(1) << 24)
#define PLLRDY (UINT32_C(1) << 25)
#define PLLSRC_HSI16 UINT32_C(2) /* RCC_PLLCFGR */
#define PLLREN (UINT32_C(1) << 28)
#define SW_HSI UINT32_C(0) /* RCC_CFGR */
#define SW_PLLR UINT32_C(2)
#define SWS (UINT32_C(7) << 3)
#define SWS_HSI UINT32_C(0)
#define SWS_PLLR (UINT32_C(2) << 3)
#define LATENCY UINT32_C(7) /* FLASH_ACR */
#define PREFETCH_AND_CACHE UINT32_C(0x300)
#define FROM_HSI16 UINT32_C(2) /* RCC_CCIPR, USART1SEL and USART2SEL */

#define USART1_ADDRESS 0x40013800u
#define USART2_ADDRESS 0x40004400u

/* The core on HSI16 and the PLL off, so that it can be set up: reset leaves this, the ROM's loader, which starts
   programs too, does not. */
static int clock_stop(void)
{
    RCC_CR |= HSION;
    if (!stm32_becomes(&RCC_CR, HSIRDY, HSIRDY))
        return 0;
    RCC_CFGR = SW_HSI;
    if (!stm32_becomes(&RCC_CFGR, SWS, SWS_HSI))
        return 0;
    RCC_CR &= ~PLLON;
    return stm32_becomes(&RCC_CR, PLLRDY, 0);
}

/* Voltage range 1, which reset leaves, allows 64 MHz. */
static void clock_start(void)
{
    if (!clock_stop())
        return;
    RCC_PLLCFGR = PLLSRC_HSI16 | (MCUQ_CLOCK_PLL_M - 1u) << 4 | MCUQ_CLOCK_PLL_N << 8 | PLLREN |
                  (MCUQ_CLOCK_PLL_R - 1u) << 29;
    RCC_CR |= PLLON;
    if (!stm32_becomes(&RCC_CR, PLLRDY, PLLRDY))
        return;
    FLASH_ACR = (FLASH_ACR & ~LATENCY) | PREFETCH_AND_CACHE | MCUQ_FLASH_WAIT_STATES;
    if (!stm32_becomes(&FLASH_ACR, LATENCY, MCUQ_FLASH_WAIT_STATES))
        return;
    RCC_CFGR = SW_PLLR;
    (void)stm32_becomes(&RCC_CFGR, SWS, SWS_PLLR);
}

static void pin_start(uint32_t port, uint32_t pin)
{
    stm32_enable(&RCC_IOPENR, port);
    stm32_pin_start(GPIO(port), pin, MCUQ_UART_ALTERNATE);
}

static void usart_enable(void)
{
#if MCUQ_UART_ADDRESS == USART1_ADDRESS
    stm32_set_field(&RCC_CCIPR, 3, 0, FROM_HSI16);
    stm32_enable(&RCC_APBENR2, 14);
#elif MCUQ_UART_ADDRESS == USART2_ADDRESS
    stm32_set_field(&RCC_CCIPR, 3, 2, FROM_HSI16);
    stm32_enable(&RCC_APBENR1, 17);
#else
#error "STM32G0: USART1 and USART2 are known, which have a clock of their own"
#endif
}

void board_start(void)
{
    clock_start();
    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
    usart_enable();
    usart_start(USART_DIVIDER);
    mcuq_counter_start();
}

int board_receive(void)
{
    return usart_receive();
}

void board_send(uint8_t byte)
{
    usart_send(byte);
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
