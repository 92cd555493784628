/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F405/407/415/417/42x/43x (reference manual RM0090), F401 (RM0368), F411 (RM0383), F446 (RM0390): the sections
   named are RM0090's. The registers used are the same in all of them, but F401 and F411 start at a lower voltage, for
   which their board files state voltage_scale, and only some have over-drive. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m_reset.h"
#include "drivers/stm32_usart_v1.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define PWR_CR REGISTER(0x40007000u) /* 5.4.1; the address: 2.3, table 1, as all below */
#define PWR_CSR REGISTER(0x40007004u)
#define FLASH_ACR REGISTER(0x40023c00u) /* 3.9.1 */
#define RCC_CR REGISTER(0x40023800u)    /* 7.3.1 and following */
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define RCC_APB2ENR REGISTER(0x40023844u)
#define GPIO(port, offset) REGISTER(0x40020000u + 0x400u * (port) + (offset)) /* 8.4 */
#define MODER 0x00u
#define OSPEEDR 0x08u
#define PUPDR 0x0cu
#define AFR 0x20u

#define HSION UINT32_C(1) /* RCC_CR */
#define HSIRDY UINT32_C(2)
#define HSEON (UINT32_C(1) << 16)
#define HSERDY (UINT32_C(1) << 17)
#define HSEBYP (UINT32_C(1) << 18)
#define PLLON (UINT32_C(1) << 24)
#define PLLRDY (UINT32_C(1) << 25)
#define PLLSRC_HSE (UINT32_C(1) << 22) /* RCC_PLLCFGR */
#define PLLQ_PLLR (UINT32_C(7) << 24 | UINT32_C(2) << 28) /* F446 forbids PLLR = 0; in others reset leaves this there */
#define SW_PLL UINT32_C(2)             /* RCC_CFGR */
#define SWS UINT32_C(0xc)
#define SWS_PLL UINT32_C(8)
#define PWREN (UINT32_C(1) << 28)    /* RCC_APB1ENR */
#define ODEN (UINT32_C(1) << 16)     /* PWR_CR: over-drive, which F42x, F43x and F446 need above 168 MHz */
#define ODSWEN (UINT32_C(1) << 17)
#define VOS (UINT32_C(3) << 14)      /* F401, F411: 3 is scale 1; 2 is scale 2, as reset leaves it, to 84 MHz */
#define ODRDY (UINT32_C(1) << 16)    /* PWR_CSR */
#define ODSWRDY (UINT32_C(1) << 17)
#define VOSRDY (UINT32_C(1) << 14)
#define PREFETCH_AND_CACHES UINT32_C(0x700) /* FLASH_ACR: PRFTEN, ICEN, DCEN */

#define HSI_HZ UINT32_C(16000000)      /* 7.2.2 */
#define READY_TRIES UINT32_C(100000) /* tens of milliseconds; ends also where no crystal starts, as in QEMU */

/* PPRE1, PPRE2: 0 for 1, 4 for 2, 5 for 4, 6 for 8, 7 for 16 */
#define APB_BITS(divider) ((divider) == 1 ? 0u : (divider) == 2 ? 4u : (divider) == 4 ? 5u : (divider) == 8 ? 6u : 7u)

static int becomes(volatile uint32_t *address, uint32_t mask, uint32_t wanted)
{
    for (uint32_t i = 0; i < READY_TRIES; i++) {
        if ((*address & mask) == wanted)
            return 1;
    }
    return 0;
}

/* The core on HSI, undivided, PLL and HSE off, so that they can be set up: reset leaves this, the ROM's loader, which
   starts programs too, does not. */
static int clock_stop(void)
{
    RCC_CR |= HSION;
    if (!becomes(&RCC_CR, HSIRDY, HSIRDY))
        return 0;
    RCC_CFGR = 0;
    if (!becomes(&RCC_CFGR, SWS, 0))
        return 0;
    RCC_CR &= ~(PLLON | HSEON);
    return becomes(&RCC_CR, PLLRDY | HSERDY, 0);
}

/* 7.2.3 (PLL), 3.5.1 (wait states go up before the clock). Returns whether the chip now runs from the PLL; where not,
   it goes on from HSI, undivided. */
static int clock_start(void)
{
    if (!clock_stop())
        return 0;
#if defined(MCUQ_CLOCK_VOLTAGE_SCALE)
    RCC_APB1ENR |= PWREN; /* RM0383, PWR_CR: VOS is locked while the PLL is on, and counts when it is */
    (void)RCC_APB1ENR;
    PWR_CR = (PWR_CR & ~VOS) | (4u - MCUQ_CLOCK_VOLTAGE_SCALE) << 14;
#endif
#if MCUQ_CLOCK_HSE_HZ > 0
#if defined(MCUQ_CLOCK_HSE_BYPASS) && MCUQ_CLOCK_HSE_BYPASS
    RCC_CR |= HSEBYP;
#endif
    RCC_CR |= HSEON;
    if (!becomes(&RCC_CR, HSERDY, HSERDY))
        return 0;
    RCC_PLLCFGR = MCUQ_CLOCK_PLL_M | MCUQ_CLOCK_PLL_N << 6 | (MCUQ_CLOCK_PLL_P / 2 - 1) << 16 | PLLSRC_HSE | PLLQ_PLLR;
#else
    RCC_PLLCFGR = MCUQ_CLOCK_PLL_M | MCUQ_CLOCK_PLL_N << 6 | (MCUQ_CLOCK_PLL_P / 2 - 1) << 16 | PLLQ_PLLR;
#endif
    RCC_CR |= PLLON;
#if defined(MCUQ_CLOCK_OVER_DRIVE) && MCUQ_CLOCK_OVER_DRIVE
    RCC_APB1ENR |= PWREN; /* 5.1.4 */
    PWR_CR |= ODEN;
    if (!becomes(&PWR_CSR, ODRDY, ODRDY))
        return 0;
    PWR_CR |= ODSWEN;
    if (!becomes(&PWR_CSR, ODSWRDY, ODSWRDY))
        return 0;
#endif
    if (!becomes(&RCC_CR, PLLRDY, PLLRDY))
        return 0;
#if defined(MCUQ_CLOCK_VOLTAGE_SCALE)
    if (!becomes(&PWR_CSR, VOSRDY, VOSRDY))
        return 0;
#endif
    FLASH_ACR = PREFETCH_AND_CACHES | MCUQ_FLASH_WAIT_STATES;
    if (!becomes(&FLASH_ACR, 0xf, MCUQ_FLASH_WAIT_STATES))
        return 0;
    RCC_CFGR = APB_BITS(MCUQ_CLOCK_APB1_DIVIDER) << 10 | APB_BITS(MCUQ_CLOCK_APB2_DIVIDER) << 13 | SW_PLL;
    return becomes(&RCC_CFGR, SWS, SWS_PLL);
}

/* 8.4: alternate function, high speed, pulled up so that an open line rests */
static void pin_start(uint32_t port, uint32_t pin)
{
    RCC_AHB1ENR |= UINT32_C(1) << port;
    (void)RCC_AHB1ENR; /* a peripheral answers two cycles after its clock was enabled (7.2.13) */
    volatile uint32_t *const function = &GPIO(port, AFR + 4u * (pin / 8u));
    *function = (*function & ~(UINT32_C(0xf) << 4u * (pin % 8u))) | MCUQ_UART_ALTERNATE << 4u * (pin % 8u);
    GPIO(port, OSPEEDR) |= UINT32_C(2) << 2u * pin;
    GPIO(port, PUPDR) = (GPIO(port, PUPDR) & ~(UINT32_C(3) << 2u * pin)) | UINT32_C(1) << 2u * pin;
    GPIO(port, MODER) = (GPIO(port, MODER) & ~(UINT32_C(3) << 2u * pin)) | UINT32_C(2) << 2u * pin;
}

/* 7.3.13, 7.3.14: USART2, 3, UART4, 5 are APB1's bits 17 to 20, USART1 and 6 APB2's bits 4 and 5 */
static void usart_enable(void)
{
#if MCUQ_UART_ADDRESS >= 0x40010000u
    RCC_APB2ENR |= UINT32_C(1) << (4u + (MCUQ_UART_ADDRESS - 0x40011000u) / 0x400u);
    (void)RCC_APB2ENR;
#else
    RCC_APB1ENR |= UINT32_C(1) << (17u + (MCUQ_UART_ADDRESS - 0x40004400u) / 0x400u);
    (void)RCC_APB1ENR;
#endif
}

void board_start(void)
{
    const uint32_t usart_hz = clock_start() ? MCUQ_UART_CLOCK_HZ : HSI_HZ;

    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
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
