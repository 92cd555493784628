/* SPDX-License-Identifier: Apache-2.0
 *
 * The models of a firmware: all are started, and where there are several (MCUQ_MODELS), requests say which one they are
 * about.
 */
#ifndef MCUQ_MODELS_H
#define MCUQ_MODELS_H

#include "../model.h"
#include "../protocol/session.h"

#if defined(MCUQ_MODELS)

/* None has run: to be called at start. */
void mcuq_models_forget(void);

/* Gives each its weights. */
void mcuq_models_start(void);

/* Lets `handle` answer a request about the model that it names, or the first; what was asked before is asked after. */
uint8_t mcuq_for_model(struct mcuq_message *message, uint8_t (*handle)(struct mcuq_message *message));

#else

#define mcuq_models_forget() ((void)0)

static inline void mcuq_models_start(void)
{
    if (mcuq_model.start != 0)
        mcuq_model.start();
}

#endif

#endif
