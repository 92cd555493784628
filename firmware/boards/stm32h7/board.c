/* SPDX-License-Identifier: Apache-2.0 */
/* STM32H742, H743, H750 and H753 (reference manual RM0433), supplied by their own LDO. The core runs from PLL1 on the
   internal 64 MHz oscillator, the buses at half its clock, the peripherals' buses at a quarter; the UART takes its
   clock from that oscillator itself, so that the baud rate holds also where the PLL does not lock. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m7_caches.h"
#include "drivers/cortex_m_reset.h"
#include "drivers/stm32.h"
#include "drivers/stm32_usart_v2.h"

#include <stdint.h>

/* RM0433: memory map (RCC, PWR, FLASH, GPIO, DBGMCU), RCC, PWR, FLASH and AXI interconnect registers */
#define AXI_TARG7_FN_MOD STM32_REGISTER(0x51008108u)
#define FLASH_ACR STM32_REGISTER(0x52002000u)
#define RCC_CR STM32_REGISTER(0x58024400u)
#define RCC_CFGR STM32_REGISTER(0x58024410u)
#define RCC_D1CFGR STM32_REGISTER(0x58024418u)
#define RCC_D2CFGR STM32_REGISTER(0x5802441cu)
#define RCC_D3CFGR STM32_REGISTER(0x58024420u)
#define RCC_PLLCKSELR STM32_REGISTER(0x58024428u)
#define RCC_PLLCFGR STM32_REGISTER(0x5802442cu)
#define RCC_PLL1DIVR STM32_REGISTER(0x58024430u)
#define RCC_D2CCIP2R STM32_REGISTER(0x58024454u)
#define RCC_AHB2ENR STM32_REGISTER(0x580244dcu)
#define RCC_AHB4ENR STM32_REGISTER(0x580244e0u)
#define RCC_APB1LENR STM32_REGISTER(0x580244e8u)
#define RCC_APB2ENR STM32_REGISTER(0x580244f0u)
#define PWR_CSR1 STM32_REGISTER(0x58024804u)
#define PWR_CR3 STM32_REGISTER(0x5802480cu)
#define PWR_D3CR STM32_REGISTER(0x58024818u)
#define DBGMCU_IDC STM32_REGISTER(0x5c001000u)
#define GPIO(port) (0x58020000u + 0x400u * (port))

#define HSION UINT32_C(1) /* RCC_CR */
#define HSIRDY UINT32_C(4)
#define PLL1ON (UINT32_C(1) << 24)
#define PLL1RDY (UINT32_C(1) << 25)
#define SW UINT32_C(7) /* RCC_CFGR */
#define SW_HSI UINT32_C(0)
#define SW_PLL1 UINT32_C(3)
#define SWS (UINT32_C(7) << 3)
#define SWS_HSI UINT32_C(0)
#define SWS_PLL1 (UINT32_C(3) << 3)
#define HPRE_HALF UINT32_C(8)            /* RCC_D1CFGR */
#define D1PPRE_HALF (UINT32_C(4) << 4)   /* APB3 */
#define D2PPRE1_HALF (UINT32_C(4) << 4)  /* RCC_D2CFGR: APB1 */
#define D2PPRE2_HALF (UINT32_C(4) << 8)  /* APB2 */
#define D3PPRE_HALF (UINT32_C(4) << 4)   /* RCC_D3CFGR: APB4 */
#define DIVM1_AND_SOURCE UINT32_C(0x3f3) /* RCC_PLLCKSELR; source 0 is HSI */
#define PLL1_SETTINGS UINT32_C(0x7000f)  /* RCC_PLLCFGR: DIVP1EN, DIVQ1EN, DIVR1EN, PLL1RGE, PLL1VCOSEL, PLL1FRACEN */
#define DIVP1EN (UINT32_C(1) << 16)
#define DIVQ1_DIVR1_2 (UINT32_C(1) << 16 | UINT32_C(1) << 24) /* RCC_PLL1DIVR: as reset leaves them */
#define SUPPLY UINT32_C(7) /* PWR_CR3: SCUEN, LDOEN, BYPASS, to be written once after power-on */
#define LDOEN UINT32_C(2)
#define ACTVOSRDY (UINT32_C(1) << 13) /* PWR_CSR1 */
#define VOSRDY (UINT32_C(1) << 13)    /* PWR_D3CR */
#define VOS_1 UINT32_C(3)
#define LATENCY UINT32_C(0x3f) /* FLASH_ACR, with WRHIGHFREQ */
#define SRAM1_TO_3 (UINT32_C(7) << 29) /* RCC_AHB2ENR */
#define FROM_HSI UINT32_C(3)   /* RCC_D2CCIP2R */
#define FIXED_REVISIONS UINT32_C(0x20000000) /* DBGMCU_IDC, REV_ID above the chip's number: X and V; before: Z and Y */

#define HSI_HZ 64000000u
#define PLL_INPUT_HZ (HSI_HZ / MCUQ_CLOCK_PLL_M)
#define PLL1RGE (PLL_INPUT_HZ >= 8000000u ? 3u : PLL_INPUT_HZ >= 4000000u ? 2u : 1u) /* 8 to 16, 4 to 8, 2 to 4 MHz */

#define USART1_ADDRESS 0x40011000u
#define USART2_ADDRESS 0x40004400u

/* Voltage scale 1 allows 400 MHz on every revision. */
static int supply_start(void)
{
    PWR_CR3 = (PWR_CR3 & ~SUPPLY) | LDOEN;
    if (!stm32_becomes(&PWR_CSR1, ACTVOSRDY, ACTVOSRDY))
        return 0;
    stm32_set_field(&PWR_D3CR, 3, 14, VOS_1);
    return stm32_becomes(&PWR_D3CR, VOSRDY, VOSRDY);
}

/* The core on HSI and the PLL off, so that it can be set up: reset leaves this, the ROM's loader, which starts programs
   too, may not. */
static int clock_stop(void)
{
    RCC_CR |= HSION;
    if (!stm32_becomes(&RCC_CR, HSIRDY, HSIRDY))
        return 0;
    stm32_set_field(&RCC_CFGR, SW, 0, SW_HSI);
    if (!stm32_becomes(&RCC_CFGR, SWS, SWS_HSI))
        return 0;
    RCC_CR &= ~PLL1ON;
    return stm32_becomes(&RCC_CR, PLL1RDY, 0);
}

static void clock_start(void)
{
    const uint32_t flash = MCUQ_FLASH_WAIT_STATES | MCUQ_CLOCK_FLASH_WRHIGHFREQ << 4;

    if (!clock_stop() || !supply_start())
        return;
    stm32_set_field(&RCC_PLLCKSELR, DIVM1_AND_SOURCE, 0, MCUQ_CLOCK_PLL_M << 4);
    stm32_set_field(&RCC_PLLCFGR, PLL1_SETTINGS, 0, DIVP1EN | PLL1RGE << 2); /* VCO of 192 to 836 MHz, no fraction */
    RCC_PLL1DIVR = (MCUQ_CLOCK_PLL_N - 1u) | (MCUQ_CLOCK_PLL_P - 1u) << 9 | DIVQ1_DIVR1_2;
    RCC_CR |= PLL1ON;
    if (!stm32_becomes(&RCC_CR, PLL1RDY, PLL1RDY))
        return;
    FLASH_ACR = flash;
    if (!stm32_becomes(&FLASH_ACR, LATENCY, flash))
        return;
    RCC_D1CFGR = HPRE_HALF | D1PPRE_HALF;
    RCC_D2CFGR = D2PPRE1_HALF | D2PPRE2_HALF;
    RCC_D3CFGR = D3PPRE_HALF;
    stm32_set_field(&RCC_CFGR, SW, 0, SW_PLL1);
    (void)stm32_becomes(&RCC_CFGR, SWS, SWS_PLL1);
}

static void pin_start(uint32_t port, uint32_t pin)
{
    stm32_enable(&RCC_AHB4ENR, port);
    stm32_pin_start(GPIO(port), pin, MCUQ_UART_ALTERNATE);
}

/* APB2ENR's bits 4 and 5 are USART1 and 6; APB1LENR's from 17 on USART2, USART3, UART4, UART5, and 30 and 31 UART7 and
   8, which follow the addresses too. */
static void usart_enable(void)
{
#if MCUQ_UART_ADDRESS >= USART1_ADDRESS
    stm32_set_field(&RCC_D2CCIP2R, 7, 3, FROM_HSI);
    stm32_enable(&RCC_APB2ENR, 4u + (MCUQ_UART_ADDRESS - USART1_ADDRESS) / 0x400u);
#else
    stm32_set_field(&RCC_D2CCIP2R, 7, 0, FROM_HSI);
    stm32_enable(&RCC_APB1LENR, 17u + (MCUQ_UART_ADDRESS - USART2_ADDRESS) / 0x400u);
#endif
}

/* SRAM1 to 3 are without a clock after a reset; what reads the register back waits for it, as RM0433 asks. */
void board_memory_start(void)
{
    RCC_AHB2ENR |= SRAM1_TO_3;
    (void)RCC_AHB2ENR;
}

void board_start(void)
{
    /* In the first revisions reads of AXI SRAM may be wrong where more than one is under way (errata sheet ES0392,
       "Reading from AXI SRAM may lead to data read corruption"). */
    if (DBGMCU_IDC < FIXED_REVISIONS)
        AXI_TARG7_FN_MOD = 1;
    board_memory_start();
    clock_start();
    pin_start(MCUQ_UART_TX_PORT, MCUQ_UART_TX_PIN);
    pin_start(MCUQ_UART_RX_PORT, MCUQ_UART_RX_PIN);
    usart_enable();
    usart_start(USART_DIVIDER);
    mcuq_caches_start();
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
