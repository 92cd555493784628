/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of the stack a model takes: paint what lies below the caller's frame, run, look how far the paint is gone.
 */
#ifndef MCUQ_STACK_H
#define MCUQ_STACK_H

#include <stdint.h>

/* Paints the stack from its end to just below the caller. */
void mcuq_stack_paint(void);

/* Looks how deep the stack was since the last mcuq_stack_paint(); keeps the deepest of all. */
void mcuq_stack_measure(void);

/* Bytes from the top of the stack to the deepest that was measured; 0 before the first. */
uint32_t mcuq_stack_high_water(void);

/* The whole stack. */
uint32_t mcuq_stack_bytes(void);

#endif
