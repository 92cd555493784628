/* SPDX-License-Identifier: Apache-2.0
 *
 * The reset that a Cortex-M core asks its chip for: AIRCR.SYSRESETREQ (Armv6-M manual, Arm DDI 0419, B3.2.6; Armv7-M,
 * DDI 0403, B3.2.6; Armv8-M, DDI 0553: the same).
 */
#ifndef MCUQ_CORTEX_M_RESET_H
#define MCUQ_CORTEX_M_RESET_H

#include <stdint.h>

#define MCUQ_AIRCR (*(volatile uint32_t *)(uintptr_t)0xe000ed0cu)
#define MCUQ_AIRCR_RESET UINT32_C(0x05fa0004) /* the key, SYSRESETREQ */

static inline void mcuq_cortex_m_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    MCUQ_AIRCR = MCUQ_AIRCR_RESET;
    for (;;) {
    }
}

#endif
