/* SPDX-License-Identifier: Apache-2.0 */
#include "../memory.h"
#include "../model.h"
#include "../protocol/crc32.h"
#include "../protocol/little_endian.h"
#include "../stack.h"
#include "orders.h"
#include "requests.h"
#include "rows.h"
#include "run.h"
#include "weights.h"

enum { LAYER_CYCLES_BYTES = 4 };

static uint8_t arena_paint; /* 0: not painted */

/* Whose arena is painted. */
#if defined(MCUQ_MODELS)
static const struct mcuq_model *painted;
#define paint_is_of_asked() (painted = mcuq_asked)
#else
#define paint_is_of_asked() ((void)0)
#endif

uint8_t mcuq_answer_layer_cycles(struct mcuq_message *message)
{
    uint16_t first, n;
    uint8_t *next = message->answer;

    if (message->n_bytes != LAYER_CYCLES_BYTES)
        return MCUQ_BAD_LENGTH;
    first = mcuq_get_u16(message->body);
    n = mcuq_get_u16(message->body + 2);
    if (n > MCUQ_MOST_ANSWER_BYTES / 4)
        return MCUQ_BAD_LENGTH;
    if (!mcuq_is_inside(first, n, MCUQ_MODEL.layers))
        return MCUQ_BAD_ADDRESS;
    if (mcuq_is_paused())
        return MCUQ_WRONG_STATE;
    if (!mcuq_run_is_complete())
        return MCUQ_NO_RESULT;
    for (uint16_t i = 0; i < n; i++)
        next = mcuq_put_u32(next, MCUQ_MODEL.layer_cycles[first + i]);
    message->answer_bytes = (uint16_t)(4 * n);
    return MCUQ_OK;
}

/* Bytes from the arena's first to the last that is not painted any more. */
static uint32_t arena_high_water(void)
{
    uint32_t n_bytes = MCUQ_MODEL.arena_bytes;

    if (arena_paint == 0 || !mcuq_is_asked(painted))
        return 0;
    while (n_bytes > 0 && (uint8_t)*mcuq_arena_byte(n_bytes - 1) == arena_paint)
        n_bytes--;
    return n_bytes;
}

static void fill_arena(uint8_t value)
{
#if defined(MCUQ_ARENAS)
    for (const struct mcuq_tensor *part = MCUQ_MODEL.arenas; part < MCUQ_MODEL.arenas + MCUQ_ARENAS; part++)
        memset(part->address, value, part->n_bytes);
#else
    memset(MCUQ_MODEL.arena, value, MCUQ_MODEL.arena_bytes);
#endif
}

uint8_t mcuq_answer_marks(struct mcuq_message *message)
{
    uint8_t task;

    if (message->n_bytes != 1)
        return MCUQ_BAD_LENGTH;
    task = message->body[0];
    if (task > MCUQ_MARKS_PAINT_5A)
        return MCUQ_UNSUPPORTED;
    if (task != MCUQ_MARKS_READ) {
        if (mcuq_is_paused())
            return MCUQ_WRONG_STATE;
        mcuq_forget_result();
        mcuq_forget_order();
        arena_paint = task == MCUQ_MARKS_PAINT_A5 ? 0xa5 : 0x5a;
        fill_arena(arena_paint);
        paint_is_of_asked();
        mcuq_forget_rows();
    }
    mcuq_put_u32(message->answer, mcuq_stack_high_water());
    mcuq_put_u32(message->answer + 4, arena_high_water());
    message->answer_bytes = 8;
    return MCUQ_OK;
}

uint8_t mcuq_answer_checksum(struct mcuq_message *message)
{
    uint32_t crc = 0, n_bytes = 0;

    if (message->n_bytes != 0)
        return MCUQ_BAD_LENGTH;
    for (uint16_t i = 0; i < MCUQ_MODEL.n_constants; i++) {
        crc = mcuq_crc32(crc, mcuq_constant_data(&MCUQ_MODEL.constants[i]), MCUQ_MODEL.constants[i].n_bytes);
        n_bytes += MCUQ_MODEL.constants[i].n_bytes;
    }
    mcuq_put_u32(message->answer, crc);
    mcuq_put_u32(message->answer + 4, n_bytes);
    message->answer_bytes = 8;
    return MCUQ_OK;
}
