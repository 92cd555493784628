/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

#if defined(MCUQ_MODELS)

enum { OF_MODEL_HEAD_BYTES = 2 };

const struct mcuq_model *mcuq_asked, *mcuq_ran;

void mcuq_models_forget(void)
{
    mcuq_asked = mcuq_ran = mcuq_models[0];
}

void mcuq_models_start(void)
{
    for (int i = 0; i < MCUQ_MODELS; i++)
        if (mcuq_models[i]->start != 0)
            mcuq_models[i]->start();
}

/* Makes `message` the request in it, and `model` the one that it is about. */
static uint8_t unwrap(struct mcuq_message *message, uint8_t *model)
{
    if (message->n_bytes < OF_MODEL_HEAD_BYTES)
        return MCUQ_BAD_LENGTH;
    if (message->body[0] >= MCUQ_MODELS)
        return MCUQ_BAD_ADDRESS;
    if (message->body[1] < MCUQ_FIRST_REQUEST || message->body[1] > MCUQ_LAST_REQUEST)
        return MCUQ_UNKNOWN_TYPE;
    *model = message->body[0];
    message->type = message->body[1];
    message->body += OF_MODEL_HEAD_BYTES;
    message->n_bytes = (uint16_t)(message->n_bytes - OF_MODEL_HEAD_BYTES);
    return MCUQ_OK;
}

/* While a model is paused this is called again from within its run, which goes on with what it was asked. CONTINUE is
   about the one that is paused, whoever asks. */
uint8_t mcuq_for_model(struct mcuq_message *message, uint8_t (*handle)(struct mcuq_message *message))
{
    const struct mcuq_model *const before = mcuq_asked;
    uint8_t model = 0, status;

    if (message->type == MCUQ_OF_MODEL) {
        status = unwrap(message, &model);
        if (status != MCUQ_OK)
            return status;
    }
    if (message->type != MCUQ_CONTINUE)
        mcuq_asked = mcuq_models[model];
    status = handle(message);
    mcuq_asked = before;
    return status;
}

#endif
