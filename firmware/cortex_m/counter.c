/* SPDX-License-Identifier: Apache-2.0 */
/* MCUQ_COUNTER_DWT: the cycle counter of the debug unit, which Armv7-M and Armv8-M Mainline have, some without it and
   emulators as a register that stands still; then, and with MCUQ_COUNTER_SYSTICK, the core's timer, whose 24 bits an
   interrupt extends.
   Registers: Armv7-M Architecture Reference Manual (Arm DDI 0403), C1.8 (DWT), C1.6.5 (DEMCR), B3.3 (SysTick); the
   same addresses in the manuals of Armv6-M (DDI 0419, SysTick only) and Armv8-M (DDI 0553). */

#include "counter.h"

#include <stdint.h>

#if defined(MCUQ_COUNTER_DWT) || defined(MCUQ_COUNTER_SYSTICK)

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define DEMCR REGISTER(0xe000edfcu)
#define DWT_CTRL REGISTER(0xe0001000u)
#define DWT_CYCCNT REGISTER(0xe0001004u)
#define DWT_LAR REGISTER(0xe0001fb0u)
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)

#define TRCENA (UINT32_C(1) << 24)
#define CYCCNTENA UINT32_C(1)
#define UNLOCK UINT32_C(0xc5acce55) /* Cortex-M7 alone has a lock; elsewhere the write does nothing */
#define SYSTICK_RUNS UINT32_C(7)    /* enabled, with its interrupt, from the core's clock */
#define SYSTICK_MOST UINT32_C(0xffffff)

static volatile uint32_t wraps;
static uint8_t uses_systick;

void mcuq_systick(void);

/* The exception: vectors in startup.c name it. */
void mcuq_systick(void)
{
    wraps++;
}

static int dwt_counts(void)
{
#if defined(MCUQ_COUNTER_DWT)
    DEMCR |= TRCENA;
    DWT_LAR = UNLOCK;
    DWT_CYCCNT = 0;
    DWT_CTRL |= CYCCNTENA;
    const uint32_t before = DWT_CYCCNT;
    for (volatile uint32_t i = 0; i < 16; i++) {
    }
    return DWT_CYCCNT != before;
#else
    return 0;
#endif
}

void mcuq_counter_start(void)
{
    uses_systick = !dwt_counts();
    if (uses_systick) {
        SYST_RVR = SYSTICK_MOST;
        SYST_CVR = 0;
        SYST_CSR = SYSTICK_RUNS;
    }
}

uint32_t mcuq_counter(void)
{
    uint32_t high, low;

    if (!uses_systick)
        return DWT_CYCCNT;
    do { /* again where the exception came between the two */
        high = wraps;
        low = (0u - SYST_CVR) & SYSTICK_MOST; /* the exception comes with 0, one tick before the timer begins anew */
        __asm__ volatile("dsb\n\tisb" ::: "memory");
    } while (high != wraps);
    return (high << 24) + low;
}

#endif
