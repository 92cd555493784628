/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L4R, L4S, L4P and L4Q (reference manual RM0432), which ST calls L4+. The core runs from the PLL on the internal
   16 MHz oscillator; the UART takes its clock from that oscillator itself, so that the baud rate holds also where the
   PLL does not lock. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"
#include "drivers/stm32.h"
#include "drivers/stm32_usart_v2.h"

#include <stdint.h>

/* RM0432: memory map (RCC, PWR, FLASH, GPIO), RCC registers, PWR registers, FLASH access control register */
#define PWR_CR1 STM32_REGISTER(0x40007000u)
#define PWR_CR2 STM32_REGISTER(0x40007004u)
#define PWR_SR2 STM32_REGISTER(0x40007014u)
#define PWR_CR5 STM32_REGISTER(0x40007080u)
#define RCC_CR STM32_REGISTER(0x40021000u)
#define RCC_CFGR STM32_REGISTER(0x40021008u)
#define RCC_PLLCFGR STM32_REGISTER(0x4002100cu)
#define RCC_AHB2ENR STM32_REGISTER(0x4002104cu)
#define RCC_APB1ENR1 STM32_REGISTER(0x40021058u)
#define RCC_APB1ENR2 STM32_REGISTER(0x4002105cu)
#define RCC_APB2ENR STM32_REGISTER(0x40021060u)
#define RCC_CCIPR STM32_REGISTER(0x40021088u)
#define FLASH_ACR STM32_REGISTER(0x40022000u)
#define GPIO(port) (0x48000000u + 0x400u * (port))

#define HSION (UINT32_C(1) << 8) /* RCC_CR */
#define HSIRDY (UINT32_C(1) << 10)
#define PLLON (UINT32_C(1) << 24)
#define PLLRDY (UINT32_C(1) << 25)
#define PLLSRC_HSI16 UINT32_C(2) /* RCC_PLLCFGR */
#define PLLREN (UINT32_C(1) << 24)
#define SW_HSI16 UINT32_C(1) /* RCC_CFGR */
#define SW_PLL UINT32_C(3)
#define SWS (UINT32_C(3) << 2)
#define SWS_HSI16 (UINT32_C(1) << 2)
#define SWS_PLL (UINT32_C(3) << 2)
#define HPRE_HALF (UINT32_C(8) << 4)
#define LATENCY UINT32_C(0xf) /* FLASH_ACR */
#define PREFETCH_AND_CACHES UINT32_C(0x700)
#define PWREN 28u                 /* RCC_APB1ENR1 */
#define VOS_RANGE_1 UINT32_C(1)   /* PWR_CR1 */
#define VOSF (UINT32_C(1) << 10)  /* PWR_SR2: the voltage changes */
#define IOSV (UINT32_C(1) << 9)   /* PWR_CR2: PG2 to PG15 are supplied, by VDDIO2 */
#define R1MODE (UINT32_C(1) << 8) /* PWR_CR5: range 1 without boost */
#define FROM_HSI16 UINT32_C(2)    /* RCC_CCIPR, every UART's field */
#define PORT_G 6u
#define SETTLE_TURNS 256u

#define USART1_ADDRESS 0x40013800u
#define USART2_ADDRESS 0x40004400u
#define LPUART1_ADDRESS 0x40008000u

/* Range 1, the core on HSI16 and the PLL off, so that it can be set up: the ROM's loader, which starts programs too,
   leaves something else. */
static int clock_stop(void)
{
    stm32_set_field(&PWR_CR1, 3, 9, VOS_RANGE_1);
    if (!stm32_becomes(&PWR_SR2, VOSF, 0))
        return 0;
    RCC_CR |= HSION;
    if (!stm32_becomes(&RCC_CR, HSIRDY, HSIRDY))
        return 0;
    RCC_CFGR = SW_HSI16;
    if (!stm32_becomes(&RCC_CFGR, SWS, SWS_HSI16))
        return 0;
    RCC_CR &= ~PLLON;
    return stm32_becomes(&RCC_CR, PLLRDY, 0);
}

/* Beyond 80 MHz range 1 needs its boost, and the step up goes through half the frequency for a microsecond at least
   (RM0432, PWR, "Dynamic voltage scaling management"). */
static void clock_start(void)
{
    if (!clock_stop())
        return;
#if MCUQ_CLOCK_HZ > 80000000u
    PWR_CR5 &= ~R1MODE;
#endif
    RCC_PLLCFGR = PLLSRC_HSI16 | (MCUQ_CLOCK_PLL_M - 1u) << 4 | MCUQ_CLOCK_PLL_N << 8 | PLLREN |
                  (MCUQ_CLOCK_PLL_R / 2u - 1u) << 25;
    RCC_CR |= PLLON;
    if (!stm32_becomes(&RCC_CR, PLLRDY, PLLRDY))
        return;
    FLASH_ACR = (FLASH_ACR & ~LATENCY) | PREFETCH_AND_CACHES | MCUQ_FLASH_WAIT_STATES;
    if (!stm32_becomes(&FLASH_ACR, LATENCY, MCUQ_FLASH_WAIT_STATES))
        return;
#if MCUQ_CLOCK_HZ > 80000000u
    RCC_CFGR = HPRE_HALF;
    RCC_CFGR = HPRE_HALF | SW_PLL;
    if (!stm32_becomes(&RCC_CFGR, SWS, SWS_PLL))
        return;
    for (volatile uint32_t i = 0; i < SETTLE_TURNS; i++) {
    }
    RCC_CFGR = SW_PLL;
#else
    RCC_CFGR = SW_PLL;
    (void)stm32_becomes(&RCC_CFGR, SWS, SWS_PLL);
#endif
}

static void pin_start(uint32_t port, uint32_t pin)
{
    if (port == PORT_G)
        PWR_CR2 |= IOSV;
    stm32_enable(&RCC_AHB2ENR, port);
    stm32_pin_start(GPIO(port), pin, MCUQ_UART_ALTERNATE);
}

/* APB1ENR1's bits 17 to 20 and CCIPR's fields from bit 2 on are USART2, USART3, UART4, UART5. */
static void usart_enable(void)
{
#if MCUQ_UART_ADDRESS == LPUART1_ADDRESS
    stm32_set_field(&RCC_CCIPR, 3, 10, FROM_HSI16);
    stm32_enable(&RCC_APB1ENR2, 0);
#elif MCUQ_UART_ADDRESS == USART1_ADDRESS
    stm32_set_field(&RCC_CCIPR, 3, 0, FROM_HSI16);
    stm32_enable(&RCC_APB2ENR, 14);
#else
    stm32_set_field(&RCC_CCIPR, 3, 2u + 2u * ((MCUQ_UART_ADDRESS - USART2_ADDRESS) / 0x400u), FROM_HSI16);
    stm32_enable(&RCC_APB1ENR1, 17u + (MCUQ_UART_ADDRESS - USART2_ADDRESS) / 0x400u);
#endif
}

void board_start(void)
{
    stm32_enable(&RCC_APB1ENR1, PWREN);
    clock_start();
    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
    usart_enable();
#if MCUQ_UART_ADDRESS == LPUART1_ADDRESS
    usart_start(LPUART_DIVIDER);
#else
    usart_start(USART_DIVIDER);
#endif
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
