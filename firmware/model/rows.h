/* SPDX-License-Identifier: Apache-2.0
 *
 * An input that comes row by row (MCUQ_MODEL.row): its bytes go into the model as rows of them are complete, all but
 * the last row, which waits for the run.
 */
#ifndef MCUQ_ROWS_OF_INPUT_H
#define MCUQ_ROWS_OF_INPUT_H

#include "../model.h"

#include <stdint.h>

/* Where a row is put, or 0. A build for a model that takes none has MCUQ_NO_ROWS, and no code for them. */
#if defined(MCUQ_NO_ROWS)
#define MCUQ_ROW ((int8_t *)0)
#define mcuq_forget_rows() ((void)0)
#else
#define MCUQ_ROW MCUQ_MODEL.row

/* What was taken is gone, or has run. */
void mcuq_forget_rows(void);
#endif

/* Takes bytes of the input, which follow those that were taken; those at `offset` 0 begin it anew. What was taken last
 * is its repeat, at offset 0 where the request has the same sequence. Returns the status. */
uint8_t mcuq_take_rows(uint32_t offset, const uint8_t *data, uint32_t n_bytes, uint8_t sequence);

/* Whether all of an input with this CRC was taken, and it has not run. */
int mcuq_has_rows(uint32_t crc);

#endif
