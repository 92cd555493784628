/* SPDX-License-Identifier: Apache-2.0 */
#include "tensors.h"

#include "../memory.h"
#include "../model.h"
#include "../protocol/crc32.h"

/* The part of `tensor` that overlaps bytes offset..offset + n_bytes - 1 of all tensors one after the other, which it
 * begins `*start` bytes behind: its first byte and its length, 0 where nothing overlaps. Moves *start to the next. */
static uint32_t overlap(const struct mcuq_tensor *tensor, uint32_t *start, uint32_t offset, uint32_t n_bytes,
                        uint32_t *first)
{
    const uint32_t begin = offset > *start ? offset : *start;
    const uint32_t end = *start + tensor->n_bytes;
    const uint32_t stop = offset + n_bytes < end ? offset + n_bytes : end;

    *first = begin - *start;
    *start = end;
    return stop > begin ? stop - begin : 0;
}

void mcuq_put_input(uint32_t offset, const void *data, uint32_t n_bytes)
{
    const uint8_t *from = data;
    uint32_t start = 0, first;

    for (uint16_t i = 0; i < MCUQ_MODEL.n_inputs; i++) {
        const uint32_t part_bytes = overlap(&MCUQ_MODEL.inputs[i], &start, offset, n_bytes, &first);
        if (part_bytes > 0)
            memcpy(MCUQ_MODEL.inputs[i].address + first, from, part_bytes);
        from += part_bytes;
    }
}

void mcuq_get_output(uint32_t offset, uint8_t *to, uint32_t n_bytes)
{
    uint32_t start = 0, first;

    for (uint16_t i = 0; i < MCUQ_MODEL.n_outputs; i++) {
        const uint32_t part_bytes = overlap(&MCUQ_MODEL.outputs[i], &start, offset, n_bytes, &first);
        if (part_bytes > 0)
            memcpy(to, MCUQ_MODEL.outputs[i].address + first, part_bytes);
        to += part_bytes;
    }
}

void mcuq_spoil_outputs(void)
{
    for (uint16_t i = 0; i < MCUQ_RAN.n_outputs; i++)
        for (uint32_t k = 0; k < MCUQ_RAN.outputs[i].n_bytes; k++)
            MCUQ_RAN.outputs[i].address[k] = (int8_t)(uint8_t)(MCUQ_RAN.outputs[i].address[k] + 85);
}

uint32_t mcuq_input_crc(void)
{
    uint32_t crc = 0;

    if (MCUQ_MODEL.kept_input != 0)
        return mcuq_crc32(0, MCUQ_MODEL.kept_input, MCUQ_MODEL.input_bytes);
    for (uint16_t i = 0; i < MCUQ_MODEL.n_inputs; i++)
        crc = mcuq_crc32(crc, MCUQ_MODEL.inputs[i].address, MCUQ_MODEL.inputs[i].n_bytes);
    return crc;
}
