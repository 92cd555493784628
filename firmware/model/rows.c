/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include "../model.h"
#include "../protocol/crc32.h"
#include "../protocol/session.h"
#include "run.h"

#if !defined(MCUQ_NO_ROWS)
static uint32_t taken; /* bytes */
static uint32_t taken_crc;
static uint8_t begun_by; /* sequence of the request */

void mcuq_forget_rows(void)
{
    taken = 0;
    taken_crc = 0;
}

uint8_t mcuq_take_rows(uint32_t offset, const uint8_t *data, uint32_t n_bytes, uint8_t sequence)
{
    const int is_repeat = offset + n_bytes == taken && (offset > 0 || sequence == begun_by);

    if (is_repeat && n_bytes > 0)
        return MCUQ_OK;
    if (offset == 0) {
        mcuq_forget_rows();
        MCUQ_MODEL.reset();
        mcuq_run_begin();
        begun_by = sequence;
    }
    if (offset != taken)
        return MCUQ_BAD_ADDRESS;
    taken_crc = mcuq_crc32(taken_crc, data, n_bytes);
    for (uint32_t i = 0; i < n_bytes; i++) {
        const uint32_t at = taken % MCUQ_MODEL.row_bytes;

        if (at == 0 && taken > 0)
            mcuq_run_row();
        MCUQ_MODEL.row[at] = (int8_t)data[i];
        taken++;
    }
    return MCUQ_OK;
}

int mcuq_has_rows(uint32_t crc)
{
    return taken == MCUQ_MODEL.input_bytes && taken_crc == crc;
}
#endif
