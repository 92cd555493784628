/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of the model: its time, layer by layer, its stack, and a pause between two layers.
 */
#ifndef MCUQ_RUN_H
#define MCUQ_RUN_H

#include <stdint.h>

enum { MCUQ_NO_LAYER = 0xffff };

/* No run, no pause: to be called at start. */
void mcuq_run_forget(void);

/* Rows of another input follow. */
void mcuq_run_begin(void);

/* Gives the model a row that is not the input's last: its time is the first layer's. */
void mcuq_run_row(void);

/* Runs the model once on what its inputs hold in the arena, or on the last row, with a pause after a layer if it is
 * one. */
void mcuq_run_once(uint16_t pause_after);

/* Cycles of the run that goes on, or of the last one, without the time in which it was paused. */
uint32_t mcuq_run_cycles(void);

/* Whether there was a run, and the last one has come to its end: the cycles of its layers are at hand. */
int mcuq_run_is_complete(void);

/* The layer after which the model is paused, or MCUQ_NO_LAYER. */
uint16_t mcuq_paused_after(void);

static inline int mcuq_is_paused(void)
{
    return mcuq_paused_after() != MCUQ_NO_LAYER;
}

/* Lets a paused model go on, with another pause if it is a layer, as soon as the request at hand is done with. */
void mcuq_resume(uint16_t pause_after);

/* Called when the model has paused, to answer the request that let it run; orders.c provides it. */
void mcuq_has_paused(void);

#endif
