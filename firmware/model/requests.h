/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of the role model. Each function answers its own as mcuq_handle() does.
 */
#ifndef MCUQ_REQUESTS_H
#define MCUQ_REQUESTS_H

#include <stdint.h>

#include "../protocol/session.h"

/* orders.c: let the model run */
uint8_t mcuq_answer_infer(struct mcuq_message *message);
uint8_t mcuq_answer_run(struct mcuq_message *message);
uint8_t mcuq_answer_continue(struct mcuq_message *message);

/* transfers.c: bytes in and out */
uint8_t mcuq_answer_write_input(struct mcuq_message *message);
uint8_t mcuq_answer_read_output(struct mcuq_message *message);
uint8_t mcuq_answer_read_arena(struct mcuq_message *message);

/* figures.c: what was measured */
uint8_t mcuq_answer_layer_cycles(struct mcuq_message *message);
uint8_t mcuq_answer_marks(struct mcuq_message *message);
uint8_t mcuq_answer_checksum(struct mcuq_message *message);

/* Whether n_bytes from `offset` lie in all_bytes. */
static inline int mcuq_is_inside(uint32_t offset, uint32_t n_bytes, uint32_t all_bytes)
{
    return offset <= all_bytes && n_bytes <= all_bytes - offset;
}

#endif
