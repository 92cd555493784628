/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts core clock cycles with what the core itself has; firmware/cortex_m/ and firmware/riscv/ implement it. A
 * family's driver calls it from board_start() and board_cycles(), unless a timer of the chip does better.
 */
#ifndef MCUQ_COUNTER_H
#define MCUQ_COUNTER_H

#include <stdint.h>

void mcuq_counter_start(void);

/* Free-running, 32 bits. */
uint32_t mcuq_counter(void);

#endif
