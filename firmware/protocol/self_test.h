/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device can find out about itself: a compiler, a clock or a memory that is not what it should be.
 */
#ifndef MCUQ_SELF_TEST_H
#define MCUQ_SELF_TEST_H

#include <stdint.h>

/* The checks that fail, as bits MCUQ_..._FAILS; 0 where all is well. */
uint32_t mcuq_self_test(void);

/* Whether board_cycles() counts. */
int mcuq_cycles_move(void);

#endif
