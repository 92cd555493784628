/* SPDX-License-Identifier: Apache-2.0 */
/* The resident loader: starts the image in the slot, or, where there is none, the mailbox says so, or the image was
   started three times and has answered nothing, waits for one from the host that speaks docs/protocol.md. */

#include "../board.h"
#include "../protocol/little_endian.h"
#include "../protocol/mailbox.h"
#include "../protocol/session.h"
#include "../slots/slot.h"
#include "jump.h"

#define MCUQ_IMAGE_ADDRESS ((uint32_t)(MCUQ_SLOT_ADDRESS) + (uint32_t)(MCUQ_PAGE_BYTES))

enum { ERASE_BYTES = 4, WRITE_HEAD_BYTES = 4, COMMIT_BYTES = 8 };

const uint8_t mcuq_role = MCUQ_ROLE_LOADER;

static uint8_t erase(const struct mcuq_message *message)
{
    if (message->n_bytes != ERASE_BYTES)
        return MCUQ_BAD_LENGTH;
    return mcuq_slot_erase(MCUQ_SLOT_ADDRESS, mcuq_get_u32(message->body));
}

static uint8_t write(const struct mcuq_message *message)
{
    if (message->n_bytes < WRITE_HEAD_BYTES)
        return MCUQ_BAD_LENGTH;
    return mcuq_slot_write(MCUQ_SLOT_ADDRESS, mcuq_get_u32(message->body), message->body + WRITE_HEAD_BYTES,
                           (uint32_t)(message->n_bytes - WRITE_HEAD_BYTES));
}

static uint8_t commit(const struct mcuq_message *message)
{
    if (message->n_bytes != COMMIT_BYTES)
        return MCUQ_BAD_LENGTH;
    return mcuq_slot_commit(MCUQ_SLOT_ADDRESS, mcuq_get_u32(message->body), mcuq_get_u32(message->body + 4), 0);
}

static uint8_t boot(struct mcuq_message *message)
{
    if (message->n_bytes != 0)
        return MCUQ_BAD_LENGTH;
    if (!mcuq_slot_is_whole(MCUQ_SLOT_ADDRESS))
        return MCUQ_WRONG_IMAGE;
    mcuq_session_answer(message, MCUQ_OK);
    mcuq_session_drain();
    (void)mcuq_mailbox_count_start(); /* the first one since the answer */
    mcuq_jump(MCUQ_IMAGE_ADDRESS);
    return MCUQ_ANSWERED_LATER;
}

uint8_t mcuq_handle(struct mcuq_message *message)
{
    switch (message->type) {
    case MCUQ_ERASE:
        return erase(message);
    case MCUQ_WRITE:
        return write(message);
    case MCUQ_COMMIT:
        return commit(message);
    case MCUQ_BOOT:
        return boot(message);
    default:
        return MCUQ_UNKNOWN_TYPE;
    }
}

uint8_t mcuq_hello_flags(void)
{
    return 0;
}

void mcuq_hello_numbers(uint8_t *bytes)
{
    const struct mcuq_slot_header *header = mcuq_slot_header(MCUQ_SLOT_ADDRESS);

    bytes = mcuq_put_u32(bytes, MCUQ_SLOT_ADDRESS);
    bytes = mcuq_put_u32(bytes, MCUQ_SLOT_BYTES);
    bytes = mcuq_put_u32(bytes, MCUQ_PAGE_BYTES);
    bytes = mcuq_put_u32(bytes, header != 0 ? header->image_bytes : 0);
    bytes = mcuq_put_u32(bytes, header != 0 ? header->crc32 : 0);
    mcuq_put_u16(bytes, 0);
}

const char *mcuq_hello_name(void)
{
    return "";
}

/* The decision comes before board_start(): the image finds the chip as a reset leaves it. */
void mcuq_main(void)
{
    if (!mcuq_mailbox_take() && mcuq_slot_is_whole(MCUQ_SLOT_ADDRESS) && mcuq_mailbox_count_start())
        mcuq_jump(MCUQ_IMAGE_ADDRESS);
    board_start();
    mcuq_session_start();
    for (;;)
        mcuq_session_step();
}
