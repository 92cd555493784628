/* SPDX-License-Identifier: Apache-2.0 */
/* mcycle (The RISC-V Instruction Set Manual, volume II, "Hardware Performance Monitor") counts from reset on; what
   mcountinhibit could stop is left as reset leaves it, because cores before version 1.11 of the manual trap there. */

#include "counter.h"

#include <stdint.h>

#if defined(MCUQ_COUNTER_MCYCLE)

void mcuq_counter_start(void)
{
}

uint32_t mcuq_counter(void)
{
    uint32_t cycles;

    __asm__ volatile(".option push\n\t"
                     ".option arch, +zicsr\n\t"
                     "csrr %0, mcycle\n\t"
                     ".option pop"
                     : "=r"(cycles));
    return cycles;
}

#endif
