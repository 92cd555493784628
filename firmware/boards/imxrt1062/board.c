/* SPDX-License-Identifier: Apache-2.0 */
/* NXP's i.MX RT1062 (i.MX RT1060 Processor Reference Manual, IMXRT1060RM): the core from the Arm PLL at 600 MHz, the
   bus of the peripherals at a quarter of it, LPUART6 from the 24 MHz crystal at pads AD_B0_02 (TX) and AD_B0_03 (RX).
   The program runs from serial flash behind the caches; flash.c says to the ROM how to read it. Addresses and fields:
   chapters CCM, DCDC, IOMUXC and LPUART. */

#include "board.h"
#include "counter.h"
#include "drivers/cortex_m7_caches.h"
#include "drivers/cortex_m_reset.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define DCDC_REG0 REGISTER(0x40080000u)
#define DCDC_REG3 REGISTER(0x4008000cu)
#define CCM_ANALOG_PLL_ARM REGISTER(0x400d8000u)
#define CCM_CACRR REGISTER(0x400fc010u)
#define CCM_CBCDR REGISTER(0x400fc014u)
#define CCM_CBCMR REGISTER(0x400fc018u)
#define CCM_CSCDR1 REGISTER(0x400fc024u)
#define CCM_CDHIPR REGISTER(0x400fc048u)
#define CCM_CCGR3 REGISTER(0x400fc074u)
#define CCM_CCGR6 REGISTER(0x400fc080u)
#define MUX_AD_B0_02 REGISTER(0x401f80c4u)
#define MUX_AD_B0_03 REGISTER(0x401f80c8u)
#define PAD_AD_B0_02 REGISTER(0x401f82b4u)
#define PAD_AD_B0_03 REGISTER(0x401f82b8u)
#define LPUART6_RX_SELECT_INPUT REGISTER(0x401f8550u)
#define LPUART6_TX_SELECT_INPUT REGISTER(0x401f8554u)
#define UART_GLOBAL REGISTER(MCUQ_UART_ADDRESS + 0x08u)
#define UART_BAUD REGISTER(MCUQ_UART_ADDRESS + 0x10u)
#define UART_STAT REGISTER(MCUQ_UART_ADDRESS + 0x14u)
#define UART_CTRL REGISTER(MCUQ_UART_ADDRESS + 0x18u)
#define UART_DATA REGISTER(MCUQ_UART_ADDRESS + 0x1cu)
#define UART_FIFO REGISTER(MCUQ_UART_ADDRESS + 0x28u)
#define UART_WATER REGISTER(MCUQ_UART_ADDRESS + 0x2cu)
/* Armv7-M Architecture Reference Manual (Arm DDI 0403), B3.5: MPU */
#define MPU_CTRL REGISTER(0xe000ed94u)
#define MPU_RBAR REGISTER(0xe000ed9cu)
#define MPU_RASR REGISTER(0xe000eda0u)

#define STS_DC_OK (UINT32_C(1) << 31)        /* DCDC_REG0 */
#define TRG UINT32_C(0x1f)                   /* DCDC_REG3: VDD_SOC, 0.8 V and 25 mV a step */
#define TRG_1275_MV UINT32_C(0x13)
#define CCGR_DCDC (UINT32_C(3) << 6)         /* CCGR6: CG3 */
#define CCGR_LPUART6 (UINT32_C(3) << 6)      /* CCGR3: CG3 */
#define IPG_PODF (UINT32_C(3) << 8)          /* CBCDR */
#define AHB_PODF (UINT32_C(7) << 10)
#define PERIPH_CLK_SEL (UINT32_C(1) << 25)
#define PERIPH_CLK2_PODF (UINT32_C(7) << 27)
#define PERIPH_CLK2_SEL (UINT32_C(3) << 12)  /* CBCMR */
#define PERIPH_CLK2_SEL_OSC (UINT32_C(1) << 12)
#define PRE_PERIPH_CLK_SEL_ARM (UINT32_C(3) << 18)
#define PERIPH2_CLK_SEL_BUSY (UINT32_C(1) << 3) /* CDHIPR */
#define AHB_PODF_BUSY (UINT32_C(1) << 1)
#define PERIPH_CLK_SEL_BUSY (UINT32_C(1) << 5)
#define ARM_PODF_BUSY (UINT32_C(1) << 16)
#define PLL_POWERDOWN (UINT32_C(1) << 12)    /* PLL_ARM */
#define PLL_ENABLE (UINT32_C(1) << 13)
#define PLL_LOCK (UINT32_C(1) << 31)
#define UART_CLK_SEL_OSC (UINT32_C(1) << 6)  /* CSCDR1 */
#define UART_CLK_PODF UINT32_C(0x3f)

#define LPUART6_FUNCTION UINT32_C(2)         /* IOMUXC: MUX_MODE */
#define FROM_AD_B0 UINT32_C(1)               /* IOMUXC: DAISY */
#define PAD_OUTPUT UINT32_C(0x10b0)          /* as reset leaves it: DSE 6, SPEED 100 MHz, keeper */
#define PAD_INPUT_PULLED_UP UINT32_C(0x1f0b0) /* the same with hysteresis and 22 kOhm up */

#define GLOBAL_RST UINT32_C(2)               /* LPUART */
#define OVERSAMPLING 16u
#define BAUD_OSR ((OVERSAMPLING - 1u) << 24)
#define STAT_ERRORS (UINT32_C(15) << 16)     /* OR, NF, FE, PF, cleared by writing 1 */
#define STAT_TDRE (UINT32_C(1) << 23)
#define CTRL_TE_RE (UINT32_C(3) << 18)
#define CTRL_RIE (UINT32_C(1) << 21)
#define FIFO_RXFE (UINT32_C(1) << 3)
#define FIFO_RXEMPT (UINT32_C(1) << 22)
#define FIFO_BYTES 4u
#define DATA_DAMAGED (UINT32_C(3) << 13)     /* FRETSC, PARITYE */

#define MPU_REGION(number, address) ((address) | UINT32_C(1) << 4 | (number)) /* RBAR: VALID */
#define MPU_BYTES(log2) (((log2) - 1u) << 1 | UINT32_C(1)) /* RASR: SIZE, ENABLE */
#define MPU_NORMAL (UINT32_C(1) << 19 | UINT32_C(3) << 16) /* TEX 1, C, B: write-back, write-allocate */
#define MPU_DEVICE (UINT32_C(2) << 19)
#define MPU_READ_WRITE (UINT32_C(3) << 24)
#define MPU_READ_ONLY (UINT32_C(7) << 24)
#define MPU_NEVER_EXECUTE (UINT32_C(1) << 28)

#define READY_TRIES UINT32_C(100000) /* more than a millisecond at any clock */

#define BAUD_DIVIDER ((MCUQ_UART_CLOCK_HZ + OVERSAMPLING / 2u * MCUQ_UART_BAUD) / (OVERSAMPLING * MCUQ_UART_BAUD))

static int becomes(volatile uint32_t *address, uint32_t mask, uint32_t wanted)
{
    for (uint32_t i = 0; i < READY_TRIES; i++) {
        if ((*address & mask) == wanted)
            return 1;
    }
    return 0;
}

/* The core onto the 24 MHz of the crystal, while voltage and PLL change; where one of them does not come, it stays
   there. The flash has its own clock all the time. */
static void clock_start(void)
{
    CCM_CBCDR &= ~PERIPH_CLK2_PODF;
    CCM_CBCMR = (CCM_CBCMR & ~PERIPH_CLK2_SEL) | PERIPH_CLK2_SEL_OSC;
    if (!becomes(&CCM_CDHIPR, PERIPH2_CLK_SEL_BUSY, 0))
        return;
    CCM_CBCDR |= PERIPH_CLK_SEL;
    if (!becomes(&CCM_CDHIPR, PERIPH_CLK_SEL_BUSY, 0))
        return;

    CCM_CCGR6 |= CCGR_DCDC;
    DCDC_REG3 = (DCDC_REG3 & ~TRG) | TRG_1275_MV;
    if (!becomes(&DCDC_REG0, STS_DC_OK, STS_DC_OK))
        return;
    CCM_ANALOG_PLL_ARM = PLL_POWERDOWN;
    CCM_ANALOG_PLL_ARM = PLL_ENABLE | MCUQ_CLOCK_PLL_DIV_SELECT;
    if (!becomes(&CCM_ANALOG_PLL_ARM, PLL_LOCK, PLL_LOCK))
        return;

    CCM_CACRR = MCUQ_CLOCK_ARM_DIVIDER - 1u;
    if (!becomes(&CCM_CDHIPR, ARM_PODF_BUSY, 0))
        return;
    CCM_CBCDR &= ~AHB_PODF;
    if (!becomes(&CCM_CDHIPR, AHB_PODF_BUSY, 0))
        return;
    CCM_CBCDR = (CCM_CBCDR & ~IPG_PODF) | (MCUQ_CLOCK_IPG_DIVIDER - 1u) << 8;
    CCM_CBCMR |= PRE_PERIPH_CLK_SEL_ARM;
    CCM_CBCDR &= ~PERIPH_CLK_SEL;
    (void)becomes(&CCM_CDHIPR, PERIPH_CLK_SEL_BUSY, 0);
}

/* A Cortex-M7 reads ahead wherever memory may be; outside of what is there such a read may never end. A region with a
   higher number goes before. */
static void memory_start(void)
{
    MPU_CTRL = 0;
    MPU_RBAR = MPU_REGION(0u, 0u);
    MPU_RASR = MPU_NEVER_EXECUTE | MPU_BYTES(32u); /* nobody may */
    MPU_RBAR = MPU_REGION(1u, UINT32_C(0x60000000));
    MPU_RASR = MPU_READ_ONLY | MPU_NORMAL | MPU_BYTES(23u); /* 8 MB of flash */
    MPU_RBAR = MPU_REGION(2u, UINT32_C(0x20200000));
    MPU_RASR = MPU_READ_WRITE | MPU_NORMAL | MPU_NEVER_EXECUTE | MPU_BYTES(19u); /* 512 KB of OCRAM2 */
    MPU_RBAR = MPU_REGION(4u, UINT32_C(0x20280000));
    MPU_RASR = MPU_READ_WRITE | MPU_NORMAL | MPU_NEVER_EXECUTE | MPU_BYTES(18u); /* 256 KB of FlexRAM's OCRAM */
    MPU_RBAR = MPU_REGION(5u, UINT32_C(0x20000000));
    MPU_RASR = MPU_READ_WRITE | MPU_NORMAL | MPU_NEVER_EXECUTE | MPU_BYTES(17u); /* 128 KB of DTCM */
    MPU_RBAR = MPU_REGION(3u, UINT32_C(0x40000000));
    MPU_RASR = MPU_READ_WRITE | MPU_DEVICE | MPU_NEVER_EXECUTE | MPU_BYTES(26u); /* 64 MB of peripherals */
    mcuq_cache_barrier();
    MPU_CTRL = 1;
    mcuq_cache_barrier();
    /* Where the ROM has left the data cache on, what it holds must not be thrown away. */
    if ((MCUQ_CCR & MCUQ_CCR_DC) == 0)
        mcuq_caches_start();
}

static void uart_start(void)
{
    CCM_CSCDR1 = (CCM_CSCDR1 & ~UART_CLK_PODF) | UART_CLK_SEL_OSC;
    CCM_CCGR3 |= CCGR_LPUART6;
    UART_GLOBAL = GLOBAL_RST;
    UART_GLOBAL = 0;
    UART_BAUD = BAUD_OSR | BAUD_DIVIDER;
    UART_WATER = 0; /* asks at the first byte in the receive FIFO */
    UART_FIFO = FIFO_RXFE;
#if defined(MCUQ_RECEIVE_INTERRUPT)
    UART_CTRL = CTRL_TE_RE | CTRL_RIE;
#else
    UART_CTRL = CTRL_TE_RE;
#endif
    PAD_AD_B0_02 = PAD_OUTPUT;
    PAD_AD_B0_03 = PAD_INPUT_PULLED_UP;
    LPUART6_TX_SELECT_INPUT = FROM_AD_B0;
    LPUART6_RX_SELECT_INPUT = FROM_AD_B0;
    MUX_AD_B0_02 = LPUART6_FUNCTION;
    MUX_AD_B0_03 = LPUART6_FUNCTION;
}

void board_start(void)
{
    memory_start();
    clock_start();
    uart_start();
    mcuq_counter_start();
}

/* Skips damaged bytes, so that the handler of the interrupt empties the FIFO; an overrun stops reception until it is
   cleared. */
int board_receive(void)
{
    if (UART_STAT & STAT_ERRORS)
        UART_STAT = STAT_ERRORS;
    for (uint32_t i = 0; i < FIFO_BYTES && (UART_FIFO & FIFO_RXEMPT) == 0; i++) {
        const uint32_t data = UART_DATA;

        if ((data & DATA_DAMAGED) == 0)
            return (int)(data & 0xffu);
    }
    return -1;
}

void board_send(uint8_t byte)
{
    while ((UART_STAT & STAT_TDRE) == 0) {
    }
    UART_DATA = byte;
}

uint32_t board_cycles(void)
{
    return mcuq_counter();
}

void board_reset(void)
{
    mcuq_cortex_m_reset();
}
