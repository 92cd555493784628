/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights that the host replaces: two slots (../slots/slot.h) at MCUQ_WEIGHTS_ADDRESS, of which the newer one that holds a
 * whole blob of this program is used, else the blob that the program itself has. A blob goes into the slot that is not
 * in use, so that power may go at any moment.
 */
#ifndef MCUQ_MODEL_WEIGHTS_H
#define MCUQ_MODEL_WEIGHTS_H

#include "../model.h"
#include "../protocol/session.h"

#if defined(MCUQ_WEIGHTS_ADDRESS)

/* Looks for weights and gives them to the model. */
void mcuq_weights_start(void);

/* Where a constant is, of the weights in use. */
const void *mcuq_constant_data(const struct mcuq_constant *constant);

/* Each answers its request as mcuq_handle() does. */
uint8_t mcuq_answer_erase_weights(struct mcuq_message *message);
uint8_t mcuq_answer_write_weights(struct mcuq_message *message);
uint8_t mcuq_answer_use_weights(struct mcuq_message *message);

#else

static inline const void *mcuq_constant_data(const struct mcuq_constant *constant)
{
    return constant->data;
}

#endif

#endif
