/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F100 (reference manual RM0041), F101 and F103 (RM0008): the sections named are RM0041's; the registers used are
   the same in both, except that F100 has no wait states. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"
#include "drivers/stm32_usart_v1.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define RCC_CR REGISTER(0x40021000u) /* 6.3; the addresses: 2.3, table 3 */
#define RCC_CFGR REGISTER(0x40021004u)
#define RCC_APB2ENR REGISTER(0x40021018u)
#define RCC_APB1ENR REGISTER(0x4002101cu)
#define FLASH_ACR REGISTER(0x40022000u)                                       /* RM0008: PM0075, 3.1 */
#define GPIO(port, offset) REGISTER(0x40010800u + 0x400u * (port) + (offset)) /* 7.2 */
#define CR 0x00u
#define ODR 0x0cu

#define HSION UINT32_C(1) /* RCC_CR */
#define HSIRDY UINT32_C(2)
#define HSEON (UINT32_C(1) << 16)
#define HSERDY (UINT32_C(1) << 17)
#define PLLON (UINT32_C(1) << 24)
#define PLLRDY (UINT32_C(1) << 25)
#define SW_PLL UINT32_C(2) /* RCC_CFGR */
#define SWS UINT32_C(0xc)
#define SWS_PLL UINT32_C(8)
#define PLLSRC_HSE (UINT32_C(1) << 16)
#define PREFETCH UINT32_C(0x10) /* FLASH_ACR */

#define ALTERNATE_PUSH_PULL UINT32_C(0xb) /* 7.2.1: CNF = 2, MODE = 50 MHz */
#define INPUT_PULLED UINT32_C(0x8)        /* CNF = 2, MODE = input; ODR says which way */

#define HSI_HZ UINT32_C(8000000)      /* 6.2.2 */
#define READY_TRIES UINT32_C(100000) /* tens of milliseconds; ends also where no crystal starts, as in QEMU */

/* PPRE1: 0 for 1, 4 for 2 */
#define APB_BITS(divider) ((divider) == 1 ? 0u : 4u)

static int becomes(volatile uint32_t *address, uint32_t mask, uint32_t wanted)
{
    for (uint32_t i = 0; i < READY_TRIES; i++) {
        if ((*address & mask) == wanted)
            return 1;
    }
    return 0;
}

/* The core on HSI, undivided, and the PLL off, so that it can be set up: reset leaves this, the ROM's loader, which
   starts programs too, does not. */
static int clock_stop(void)
{
    RCC_CR |= HSION;
    if (!becomes(&RCC_CR, HSIRDY, HSIRDY))
        return 0;
    RCC_CFGR = 0;
    if (!becomes(&RCC_CFGR, SWS, 0))
        return 0;
    RCC_CR &= ~PLLON;
    return becomes(&RCC_CR, PLLRDY, 0);
}

/* 6.2.3 (PLL). Returns whether the chip now runs from the PLL; where not, it goes on from HSI, undivided. */
static int clock_start(void)
{
    if (!clock_stop())
        return 0;
    RCC_CR |= HSEON;
    if (!becomes(&RCC_CR, HSERDY, HSERDY))
        return 0;
    RCC_CFGR = (MCUQ_CLOCK_PLL_MULTIPLIER - 2u) << 18 | PLLSRC_HSE;
    RCC_CR |= PLLON;
    if (!becomes(&RCC_CR, PLLRDY, PLLRDY))
        return 0;
#if defined(MCUQ_FLASH_WAIT_STATES)
    FLASH_ACR = PREFETCH | MCUQ_FLASH_WAIT_STATES;
#endif
    RCC_CFGR |= APB_BITS(MCUQ_CLOCK_APB1_DIVIDER) << 8 | SW_PLL;
    return becomes(&RCC_CFGR, SWS, SWS_PLL);
}

static void pin_start(uint32_t port, uint32_t pin, uint32_t mode)
{
    volatile uint32_t *const configuration = &GPIO(port, CR + 4u * (pin / 8u));

    RCC_APB2ENR |= UINT32_C(1) | UINT32_C(4) << port; /* AFIO, and the port (6.3.7) */
    (void)RCC_APB2ENR;
    GPIO(port, ODR) |= UINT32_C(1) << pin; /* an open line rests, pulled up */
    *configuration = (*configuration & ~(UINT32_C(0xf) << 4u * (pin % 8u))) | mode << 4u * (pin % 8u);
}

/* 6.3.7, 6.3.8: USART1 is APB2's bit 14, USART2 to UART5 APB1's bits 17 to 20 */
static void usart_enable(void)
{
#if MCUQ_UART_ADDRESS >= 0x40010000u
    RCC_APB2ENR |= UINT32_C(1) << 14;
    (void)RCC_APB2ENR;
#else
    RCC_APB1ENR |= UINT32_C(1) << (17u + (MCUQ_UART_ADDRESS - 0x40004400u) / 0x400u);
    (void)RCC_APB1ENR;
#endif
}

void board_start(void)
{
    const uint32_t usart_hz = clock_start() ? MCUQ_UART_CLOCK_HZ : HSI_HZ;

    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN, ALTERNATE_PUSH_PULL);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN, INPUT_PULLED);
    usart_enable();
    usart_start(usart_hz);
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
