/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a model on a board for the host that speaks docs/protocol.md: the same file for all boards and models. */

#include "board.h"
#include "model.h"
#include "model/models.h"
#include "model/requests.h"
#include "model/rows.h"
#include "model/run.h"
#include "model/weights.h"
#include "protocol/little_endian.h"
#include "protocol/session.h"
#include "stack.h"

const uint8_t mcuq_role = MCUQ_ROLE_MODEL;

uint8_t mcuq_handle(struct mcuq_message *message)
{
    switch (message->type) {
    case MCUQ_INFER:
        return mcuq_answer_infer(message);
    case MCUQ_WRITE_INPUT:
        return mcuq_answer_write_input(message);
    case MCUQ_RUN:
        return mcuq_answer_run(message);
    case MCUQ_READ_OUTPUT:
        return mcuq_answer_read_output(message);
    case MCUQ_READ_ARENA:
        return mcuq_answer_read_arena(message);
    case MCUQ_CONTINUE:
        return mcuq_answer_continue(message);
    case MCUQ_LAYER_CYCLES:
        return mcuq_answer_layer_cycles(message);
    case MCUQ_MARKS:
        return mcuq_answer_marks(message);
    case MCUQ_CHECKSUM:
        return mcuq_answer_checksum(message);
#if defined(MCUQ_WEIGHTS_ADDRESS)
    case MCUQ_ERASE_WEIGHTS:
        return mcuq_answer_erase_weights(message);
    case MCUQ_WRITE_WEIGHTS:
        return mcuq_answer_write_weights(message);
    case MCUQ_USE_WEIGHTS:
        return mcuq_answer_use_weights(message);
#endif
    default:
        return MCUQ_UNKNOWN_TYPE;
    }
}

#if defined(MCUQ_WEIGHTS_ADDRESS)
enum { OF_WEIGHTS = MCUQ_TAKES_WEIGHTS };
#else
enum { OF_WEIGHTS = 0 };
#endif

uint8_t mcuq_hello_flags(void)
{
    return (uint8_t)(OF_WEIGHTS | (MCUQ_MODEL.kept_input != 0 ? MCUQ_KEEPS_ITS_INPUT : 0) |
                     (MCUQ_ROW != 0 ? MCUQ_TAKES_ROWS : 0) | (mcuq_is_paused() ? MCUQ_IS_PAUSED : 0));
}

void mcuq_hello_numbers(uint8_t *bytes)
{
    bytes = mcuq_put_u32(bytes, MCUQ_MODEL.digest);
    bytes = mcuq_put_u32(bytes, MCUQ_MODEL.input_bytes);
    bytes = mcuq_put_u32(bytes, MCUQ_MODEL.output_bytes);
    bytes = mcuq_put_u32(bytes, MCUQ_MODEL.arena_bytes);
    bytes = mcuq_put_u32(bytes, mcuq_stack_bytes());
    mcuq_put_u16(bytes, MCUQ_MODEL.layers);
}

const char *mcuq_hello_name(void)
{
    return MCUQ_MODEL.name;
}

void mcuq_main(void)
{
    mcuq_run_forget();
    mcuq_models_forget();
    board_start();
#if defined(MCUQ_WEIGHTS_ADDRESS)
    mcuq_weights_start();
#elif !defined(MCUQ_NO_START) /* the models' weights are in their C */
    mcuq_models_start();
#endif
    mcuq_session_start();
    for (;;)
        mcuq_session_step();
}
