/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns on the caches of a Cortex-M7, which are off after reset and hold anything then. Registers: Armv7-M Architecture
 * Reference Manual (Arm DDI 0403), B3.2 (CCR, CSSELR, CCSIDR) and B2.2.7 (cache maintenance).
 */
#ifndef MCUQ_CORTEX_M7_CACHES_H
#define MCUQ_CORTEX_M7_CACHES_H

#include <stdint.h>

#define MCUQ_CACHE_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define MCUQ_CCR MCUQ_CACHE_REGISTER(0xe000ed14u)
#define MCUQ_CCSIDR MCUQ_CACHE_REGISTER(0xe000ed80u)
#define MCUQ_CSSELR MCUQ_CACHE_REGISTER(0xe000ed84u)
#define MCUQ_ICIALLU MCUQ_CACHE_REGISTER(0xe000ef50u)
#define MCUQ_DCISW MCUQ_CACHE_REGISTER(0xe000ef60u)

#define MCUQ_CCR_IC (UINT32_C(1) << 17)
#define MCUQ_CCR_DC (UINT32_C(1) << 16)

static inline void mcuq_cache_barrier(void)
{
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* A data cache that is on already holds what RAM does not: it stays as it is.
   DCISW wants the way at the top of the word and the set above the line's 32 bytes (Cortex-M7 Technical Reference
   Manual, Arm DDI 0489, on the caches: 4 ways, lines of 32 bytes). */
static inline void mcuq_caches_start(void)
{
    mcuq_cache_barrier();
    MCUQ_ICIALLU = 0;
    mcuq_cache_barrier();
    MCUQ_CCR |= MCUQ_CCR_IC;
    mcuq_cache_barrier();
    if ((MCUQ_CCR & MCUQ_CCR_DC) != 0)
        return;
    MCUQ_CSSELR = 0; /* level 1, data */
    mcuq_cache_barrier();
    const uint32_t last_set = MCUQ_CCSIDR >> 13 & 0x7fffu;
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way < 4; way++)
            MCUQ_DCISW = way << 30 | set << 5;
    }
    mcuq_cache_barrier();
    MCUQ_CCR |= MCUQ_CCR_DC;
    mcuq_cache_barrier();
}

#endif
