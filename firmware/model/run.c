/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "../board.h"
#include "../model.h"
#include "../protocol/session.h"
#include "../stack.h"

static uint32_t cycles;
static uint32_t resumed_at;   /* board_cycles() where the model's code went on */
static uint16_t next_pause;   /* after this layer, or MCUQ_NO_LAYER */
static uint16_t paused_after; /* layer, or MCUQ_NO_LAYER where the model is not paused */
static uint8_t goes_on;       /* a request has ended the pause */
static uint8_t is_complete;

#if !defined(MCUQ_NO_ROWS)
static uint32_t of_rows; /* cycles of the rows before the last */
#endif

/* Cycles that are no layer's yet. */
static uint32_t take_cycles_of_rows(void)
{
#if defined(MCUQ_NO_ROWS)
    return 0;
#else
    const uint32_t taken = of_rows;

    of_rows = 0;
    return taken;
#endif
}

void mcuq_run_forget(void)
{
    paused_after = MCUQ_NO_LAYER;
    is_complete = 0;
}

uint32_t mcuq_run_cycles(void)
{
    return cycles;
}

int mcuq_run_is_complete(void)
{
    return mcuq_is_asked(mcuq_ran) ? is_complete : 0;
}

uint16_t mcuq_paused_after(void)
{
    return paused_after;
}

void mcuq_resume(uint16_t pause_after)
{
    next_pause = pause_after;
    goes_on = 1;
}

/* Serves other requests until one lets the model go on. */
static void pause(uint16_t layer)
{
    mcuq_stack_measure();
    mcuq_has_paused();
    goes_on = 0;
    paused_after = layer;
    while (!goes_on)
        mcuq_session_step();
    paused_after = MCUQ_NO_LAYER;
    mcuq_stack_paint();
}

/* The time that passes in here counts for no layer. */
void mcuq_layer_done(uint16_t layer)
{
    const uint32_t layer_cycles = board_cycles() - resumed_at + take_cycles_of_rows();

    cycles += layer_cycles;
    if (layer < MCUQ_MODEL.layers)
        MCUQ_MODEL.layer_cycles[layer] = layer_cycles;
    if (layer == next_pause)
        pause(layer);
    resumed_at = board_cycles();
}

void mcuq_run_once(uint16_t pause_after)
{
    is_complete = 0;
#if defined(MCUQ_MODELS)
    mcuq_ran = mcuq_asked;
#endif
    next_pause = pause_after;
    cycles = 0;
    mcuq_stack_paint();
    resumed_at = board_cycles();
    MCUQ_MODEL.run();
    cycles += board_cycles() - resumed_at + take_cycles_of_rows();
    mcuq_stack_measure();
    is_complete = 1;
}

#if !defined(MCUQ_NO_ROWS)
void mcuq_run_begin(void)
{
    of_rows = 0;
}

void mcuq_run_row(void)
{
    mcuq_stack_paint();
    resumed_at = board_cycles();
    MCUQ_MODEL.run();
    of_rows += board_cycles() - resumed_at;
    mcuq_stack_measure();
}
#endif
