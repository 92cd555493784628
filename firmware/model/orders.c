/* SPDX-License-Identifier: Apache-2.0 */
#include "orders.h"

#include "../memory.h"
#include "../model.h"
#include "../protocol/little_endian.h"
#include "requests.h"
#include "rows.h"
#include "run.h"
#include "tensors.h"

enum { RUN_BYTES = 9, CONTINUE_BYTES = 3, RUN_HEAD_BYTES = 5, CYCLES_BYTES = 4, REPORT_BYTES = 5 };

static uint8_t has_result; /* the outputs in the arena are those of an input with this CRC: */
static uint32_t result_crc;
static uint8_t has_outputs; /* of any run, this or an earlier one */

/* The request that runs, RUN or CONTINUE, and what a repeat of it gets. */
static struct {
    uint8_t type;
    uint8_t sequence;
    uint8_t body[RUN_BYTES];
    uint8_t is_answered; /* 0: the answer is still to come, or a new input has made it worthless */
    uint8_t state;
    uint32_t cycles;
} order;

void mcuq_forget_order(void)
{
    order.is_answered = 0;
}

void mcuq_forget_result(void)
{
    has_result = 0;
    if (has_outputs)
        mcuq_spoil_outputs();
    has_outputs = 0;
}

int mcuq_has_result_of(uint32_t input_crc)
{
    return has_result && mcuq_is_asked(mcuq_ran) && input_crc == result_crc;
}

/* Takes the request as the one that runs from now on. */
static void take_order(const struct mcuq_message *message)
{
    order.type = message->type;
    order.sequence = message->sequence;
    memcpy(order.body, message->body, message->n_bytes);
    order.is_answered = 0;
}

static void end_order(uint8_t state)
{
    order.is_answered = 1;
    order.state = state;
    order.cycles = mcuq_run_cycles();
}

static int is_repeated(const struct mcuq_message *message)
{
    return order.is_answered && message->type == order.type && message->sequence == order.sequence &&
           (order.type == MCUQ_CONTINUE || mcuq_is_asked(mcuq_ran)) &&
           memcmp(message->body, order.body, message->n_bytes) == 0;
}

/* The answer to the order, of which this is the request, or its repeat. */
static uint8_t report_order(struct mcuq_message *message)
{
    mcuq_session_open_answer(message, order.type, order.sequence);
    message->answer[0] = order.state;
    mcuq_put_u32(message->answer + 1, order.cycles);
    message->answer_bytes = REPORT_BYTES;
    return MCUQ_OK;
}

void mcuq_has_paused(void)
{
    struct mcuq_message message;

    end_order(MCUQ_STATE_PAUSED);
    mcuq_session_answer(&message, report_order(&message));
}

/* Reads flags and layer, which RUN and CONTINUE have alike: the layer to pause after goes to *pause_after. */
static uint8_t read_pause(const uint8_t *body, uint16_t *pause_after)
{
    const uint8_t flags = body[0];
    const uint16_t layer = mcuq_get_u16(body + 1);

    *pause_after = MCUQ_NO_LAYER;
    if (flags & ~MCUQ_PAUSE)
        return MCUQ_UNSUPPORTED;
    if (flags & MCUQ_PAUSE) {
        if (layer >= MCUQ_MODEL.layers || (mcuq_is_paused() && layer <= mcuq_paused_after()))
            return MCUQ_BAD_ADDRESS;
        *pause_after = layer;
    }
    return MCUQ_OK;
}

uint8_t mcuq_answer_infer(struct mcuq_message *message)
{
    if (MCUQ_MODEL.input_bytes > MCUQ_PAYLOAD_BYTES || MCUQ_MODEL.output_bytes > MCUQ_MOST_ANSWER_BYTES - CYCLES_BYTES)
        return MCUQ_UNSUPPORTED;
    if (message->n_bytes != MCUQ_MODEL.input_bytes)
        return MCUQ_BAD_LENGTH;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    order.is_answered = 0;
    mcuq_forget_result();
    if (MCUQ_ROW != 0) {
        mcuq_forget_rows();
        mcuq_take_rows(0, message->body, MCUQ_MODEL.input_bytes, message->sequence);
    } else {
        mcuq_put_input(0, message->body, MCUQ_MODEL.input_bytes);
    }
    mcuq_run_once(MCUQ_NO_LAYER);
    mcuq_forget_rows();
    has_outputs = 1;
    mcuq_get_output(0, mcuq_put_u32(message->answer, mcuq_run_cycles()), MCUQ_MODEL.output_bytes);
    message->answer_bytes = (uint16_t)(CYCLES_BYTES + MCUQ_MODEL.output_bytes);
    return MCUQ_OK;
}

uint8_t mcuq_answer_run(struct mcuq_message *message)
{
    uint16_t count, pause_after;
    uint32_t crc;
    uint8_t status;

    if (message->n_bytes != RUN_BYTES)
        return MCUQ_BAD_LENGTH;
    if (is_repeated(message))
        return report_order(message);
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    count = mcuq_get_u16(message->body);
    if (count == 0 || (count > 1 && MCUQ_MODEL.kept_input == 0))
        return MCUQ_UNSUPPORTED;
    status = read_pause(message->body + 2, &pause_after);
    if (status != MCUQ_OK)
        return status;
    crc = mcuq_get_u32(message->body + RUN_HEAD_BYTES);
    if (MCUQ_ROW != 0 ? !mcuq_has_rows(crc) : mcuq_input_crc() != crc)
        return MCUQ_WRONG_INPUT;

    take_order(message);
    has_result = 0;
    for (; count > 0; count--) {
        if (MCUQ_MODEL.kept_input != 0) {
            mcuq_forget_result();
            mcuq_put_input(0, MCUQ_MODEL.kept_input, MCUQ_MODEL.input_bytes);
        }
        mcuq_run_once(count == 1 ? pause_after : MCUQ_NO_LAYER);
        has_outputs = 1;
    }
    mcuq_forget_rows();
    has_result = 1;
    result_crc = crc;
    end_order(MCUQ_STATE_DONE);
    return report_order(message);
}

/* The answer comes when the model has paused again or ended. */
uint8_t mcuq_answer_continue(struct mcuq_message *message)
{
    uint16_t pause_after;
    uint8_t status;

    if (message->n_bytes != CONTINUE_BYTES)
        return MCUQ_BAD_LENGTH;
    if (is_repeated(message))
        return report_order(message);
    if (!mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    status = read_pause(message->body, &pause_after);
    if (status != MCUQ_OK)
        return status;
    take_order(message);
    mcuq_resume(pause_after);
    return MCUQ_ANSWERED_LATER;
}
