/* SPDX-License-Identifier: Apache-2.0 */
#include "../memory.h"
#include "../model.h"
#include "../protocol/little_endian.h"
#include "orders.h"
#include "requests.h"
#include "rows.h"
#include "run.h"
#include "tensors.h"

enum { WRITE_INPUT_HEAD_BYTES = 4, READ_OUTPUT_BYTES = 10, READ_ARENA_BYTES = 6 };

uint8_t mcuq_answer_write_input(struct mcuq_message *message)
{
    uint32_t offset, n_bytes;

    if (message->n_bytes < WRITE_INPUT_HEAD_BYTES)
        return MCUQ_BAD_LENGTH;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    offset = mcuq_get_u32(message->body);
    n_bytes = (uint32_t)(message->n_bytes - WRITE_INPUT_HEAD_BYTES);
    if (!mcuq_is_inside(offset, n_bytes, MCUQ_MODEL.input_bytes))
        return MCUQ_BAD_ADDRESS;
    mcuq_forget_order();
    if (MCUQ_ROW != 0) {
        mcuq_forget_result();
        return mcuq_take_rows(offset, message->body + WRITE_INPUT_HEAD_BYTES, n_bytes, message->sequence);
    }
    if (MCUQ_MODEL.kept_input != 0) {
        memcpy(MCUQ_MODEL.kept_input + offset, message->body + WRITE_INPUT_HEAD_BYTES, n_bytes);
    } else {
        mcuq_forget_result();
        mcuq_put_input(offset, message->body + WRITE_INPUT_HEAD_BYTES, n_bytes);
    }
    return MCUQ_OK;
}

uint8_t mcuq_answer_read_output(struct mcuq_message *message)
{
    uint32_t crc, offset, n_bytes;

    if (message->n_bytes != READ_OUTPUT_BYTES)
        return MCUQ_BAD_LENGTH;
    crc = mcuq_get_u32(message->body);
    offset = mcuq_get_u32(message->body + 4);
    n_bytes = mcuq_get_u16(message->body + 8);
    if (n_bytes > MCUQ_MOST_ANSWER_BYTES)
        return MCUQ_BAD_LENGTH;
    if (!mcuq_is_inside(offset, n_bytes, MCUQ_MODEL.output_bytes))
        return MCUQ_BAD_ADDRESS;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    if (!mcuq_has_result_of(crc))
        return MCUQ_NO_RESULT;
    mcuq_get_output(offset, message->answer, n_bytes);
    message->answer_bytes = (uint16_t)n_bytes;
    return MCUQ_OK;
}

static void read_arena(uint8_t *to, uint32_t offset, uint32_t n_bytes)
{
#if defined(MCUQ_ARENAS)
    for (uint32_t i = 0; i < n_bytes; i++)
        to[i] = (uint8_t)*mcuq_arena_byte(offset + i);
#else
    memcpy(to, mcuq_arena_byte(offset), n_bytes);
#endif
}

uint8_t mcuq_answer_read_arena(struct mcuq_message *message)
{
    uint32_t offset, n_bytes;

    if (message->n_bytes != READ_ARENA_BYTES)
        return MCUQ_BAD_LENGTH;
    offset = mcuq_get_u32(message->body);
    n_bytes = mcuq_get_u16(message->body + 4);
    if (n_bytes > MCUQ_MOST_ANSWER_BYTES)
        return MCUQ_BAD_LENGTH;
    if (!mcuq_is_inside(offset, n_bytes, MCUQ_MODEL.arena_bytes))
        return MCUQ_BAD_ADDRESS;
    read_arena(message->answer, offset, n_bytes);
    message->answer_bytes = (uint16_t)n_bytes;
    return MCUQ_OK;
}
