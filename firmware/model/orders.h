/* SPDX-License-Identifier: Apache-2.0
 *
 * The last RUN or CONTINUE, whose repeat is answered from memory, and the result that it has left.
 */
#ifndef MCUQ_ORDERS_H
#define MCUQ_ORDERS_H

#include <stdint.h>

/* A new input, or none any more: what looks like a repeat of the last order is a new one. */
void mcuq_forget_order(void);

/* The outputs in the arena are those of no input any more, and no byte of theirs is left; inputs are written after. */
void mcuq_forget_result(void);

/* Whether the outputs in the arena are those of an input with this CRC. */
int mcuq_has_result_of(uint32_t input_crc);

#endif
