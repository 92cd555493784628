/* SPDX-License-Identifier: Apache-2.0 */
#include "weights.h"

#if defined(MCUQ_WEIGHTS_ADDRESS)

#include "../memory.h"
#include "../protocol/crc32.h"
#include "../protocol/little_endian.h"
#include "../slots/slot.h"
#include "orders.h"
#include "run.h"

#define SLOT_A ((uint32_t)(MCUQ_WEIGHTS_ADDRESS))
#define SLOT_B (SLOT_A + (uint32_t)(MCUQ_SLOT_BYTES))

/* How a blob begins (docs/weights.md), and what ID_set_weights says of it. */
enum { HEAD_BYTES = 64, BLOB_BYTES_AT = 28 };
enum { ACCEPTED = 0, CUT = 3 };

enum { WRITE_HEAD_BYTES = 4, USE_BYTES = 8 };

static uint32_t used; /* the slot in use, 0: none */

static uint32_t generation_of(uint32_t slot)
{
    const struct mcuq_slot_header *header = mcuq_slot_header(slot);

    return header != 0 ? ~header->not_generation : 0;
}

static uint32_t newer_slot(void)
{
    return (int32_t)(generation_of(SLOT_B) - generation_of(SLOT_A)) > 0 ? SLOT_B : SLOT_A;
}

static uint32_t other_than(uint32_t slot)
{
    return slot == SLOT_A ? SLOT_B : SLOT_A;
}

static int takes(uint32_t slot)
{
    return mcuq_slot_is_whole(slot) &&
           MCUQ_MODEL.set_weights(mcuq_slot_image(slot), mcuq_slot_header(slot)->image_bytes) == ACCEPTED;
}

void mcuq_weights_start(void)
{
    used = newer_slot();
    if (takes(used))
        return;
    used = other_than(used);
    if (takes(used))
        return;
    used = 0;
    (void)MCUQ_MODEL.start();
}

const void *mcuq_constant_data(const struct mcuq_constant *constant)
{
    const uintptr_t offset = (uintptr_t)constant->data - (uintptr_t)MCUQ_MODEL.blob;

    if (used == 0 || offset >= MCUQ_MODEL.blob_bytes)
        return constant->data;
    return (const uint8_t *)mcuq_slot_image(used) + offset;
}

/* A head of this program is refused because nothing follows it, all others for what they are. */
uint8_t mcuq_answer_erase_weights(struct mcuq_message *message)
{
    uint64_t head[HEAD_BYTES / 8];

    if (message->n_bytes != HEAD_BYTES)
        return MCUQ_BAD_LENGTH;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    memcpy(head, message->body, HEAD_BYTES);
    if (MCUQ_MODEL.set_weights(head, HEAD_BYTES) != CUT)
        return MCUQ_WRONG_IMAGE;
    return mcuq_slot_erase(other_than(used), mcuq_get_u32(message->body + BLOB_BYTES_AT));
}

uint8_t mcuq_answer_write_weights(struct mcuq_message *message)
{
    if (message->n_bytes < WRITE_HEAD_BYTES)
        return MCUQ_BAD_LENGTH;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    return mcuq_slot_write(other_than(used), mcuq_get_u32(message->body), message->body + WRITE_HEAD_BYTES,
                           (uint32_t)(message->n_bytes - WRITE_HEAD_BYTES));
}

/* Nothing is committed that the model does not take. */
static uint8_t commit(uint32_t image_bytes, uint32_t crc32)
{
    const uint32_t slot = other_than(used);

    if (image_bytes > MCUQ_MOST_IMAGE_BYTES)
        return MCUQ_BAD_ADDRESS;
    if (mcuq_crc32(0, mcuq_slot_image(slot), image_bytes) != crc32 ||
        MCUQ_MODEL.set_weights(mcuq_slot_image(slot), image_bytes) != ACCEPTED)
        return MCUQ_WRONG_IMAGE;
    return mcuq_slot_commit(slot, image_bytes, crc32, 1 + generation_of(newer_slot()));
}

/* The repeat of a request whose answer was lost finds these weights in use. */
uint8_t mcuq_answer_use_weights(struct mcuq_message *message)
{
    uint32_t image_bytes, crc32;
    uint8_t status;

    if (message->n_bytes != USE_BYTES)
        return MCUQ_BAD_LENGTH;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    image_bytes = mcuq_get_u32(message->body);
    crc32 = mcuq_get_u32(message->body + 4);
    if (used != 0 && mcuq_slot_header(used)->image_bytes == image_bytes && mcuq_slot_header(used)->crc32 == crc32)
        return MCUQ_OK;
    status = commit(image_bytes, crc32);
    mcuq_weights_start();
    mcuq_forget_order();
    mcuq_forget_result();
    return status;
}

#endif
