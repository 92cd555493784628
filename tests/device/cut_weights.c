/* Cuts the power at every step of an update of weights (cutting_flash.h). What the model computes with afterwards must be
   the old weights or the new ones, whole, and a second update must succeed.

     cut_weights ROUNDS

   Prints how often each was found. */

#define _GNU_SOURCE
#include "../../firmware/model.h"
#include "../../firmware/model/orders.h"
#include "../../firmware/model/run.h"
#include "../../firmware/model/weights.h"
#include "../../firmware/protocol/crc32.h"
#include "../../firmware/protocol/little_endian.h"
#include "../../firmware/slots/slot.h"
#include "cutting_flash.h"

#include <string.h>

enum { HEAD_BYTES = 64, BLOB_BYTES = 1408, CHUNK_BYTES = 256, ACCEPTED = 0, CUT = 3, REFUSED = 6 };

static uint64_t words_of_blobs[3][BLOB_BYTES / 8]; /* the program's own, and two that are sent */
#define OWN ((uint8_t *)words_of_blobs[0])
#define SENT(i) ((uint8_t *)words_of_blobs[1 + (i)])

static const void *in_use;

uint16_t mcuq_paused_after(void)
{
    return MCUQ_NO_LAYER;
}

void mcuq_forget_order(void)
{
}

void mcuq_forget_result(void)
{
}

/* As ID_set_weights: the head, the length, then the checksum behind the head. */
static int32_t set_weights(const void *blob, uint32_t bytes)
{
    const uint8_t *from = blob;

    if (memcmp(from, OWN, HEAD_BYTES - 4) != 0)
        return REFUSED;
    if (bytes < BLOB_BYTES)
        return CUT;
    if (mcuq_crc32(0, from + HEAD_BYTES, BLOB_BYTES - HEAD_BYTES) != mcuq_get_u32(from + HEAD_BYTES - 4))
        return REFUSED;
    in_use = blob;
    return ACCEPTED;
}

static int32_t start(void)
{
    return set_weights(OWN, BLOB_BYTES);
}

const struct mcuq_model mcuq_model = {
    .set_weights = set_weights,
    .start = start,
    .blob = words_of_blobs[0],
    .blob_bytes = BLOB_BYTES,
};

static void make(uint8_t *blob)
{
    memcpy(blob, "weights of this program", 24);
    mcuq_put_u32(blob + 28, BLOB_BYTES);
    for (int i = HEAD_BYTES; i < BLOB_BYTES; i++)
        blob[i] = (uint8_t)(random_u32() & 255);
    mcuq_put_u32(blob + HEAD_BYTES - 4, mcuq_crc32(0, blob + HEAD_BYTES, BLOB_BYTES - HEAD_BYTES));
}

static int ask(uint8_t (*answer)(struct mcuq_message *), const uint8_t *body, uint32_t n_bytes)
{
    struct mcuq_message message = {.body = body, .n_bytes = (uint16_t)n_bytes};

    return answer(&message) == MCUQ_OK;
}

/* The last request twice, as where its answer was lost. */
static int update(const uint8_t *blob)
{
    uint8_t body[4 + CHUNK_BYTES];

    if (!ask(mcuq_answer_erase_weights, blob, HEAD_BYTES))
        return 0;
    for (uint32_t offset = 0; offset < BLOB_BYTES; offset += CHUNK_BYTES) {
        const uint32_t left = BLOB_BYTES - offset, n_bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        mcuq_put_u32(body, offset);
        memcpy(body + 4, blob + offset, n_bytes);
        if (!ask(mcuq_answer_write_weights, body, 4 + n_bytes))
            return 0;
    }
    mcuq_put_u32(mcuq_put_u32(body, BLOB_BYTES), mcuq_crc32(0, blob, BLOB_BYTES));
    return ask(mcuq_answer_use_weights, body, 8) && ask(mcuq_answer_use_weights, body, 8);
}

/* Whether the model computes with these weights, and constants are said to be there. */
static int uses(const uint8_t *blob)
{
    const struct mcuq_constant last = {OWN + BLOB_BYTES - 1, 1}, elsewhere = {&in_use, 1};

    return memcmp(in_use, blob, BLOB_BYTES) == 0 && mcuq_constant_data(&elsewhere) == (const void *)&in_use &&
           mcuq_constant_data(&last) == (const uint8_t *)in_use + BLOB_BYTES - 1;
}

static void switch_on(void)
{
    in_use = NULL;
    steps_left = FOR_EVER;
    mcuq_weights_start();
}

int main(int argc, char **argv)
{
    const long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    volatile long found_old = 0, found_new = 0, steps = 0;

    map_flash(MCUQ_WEIGHTS_ADDRESS, 2 * MCUQ_SLOT_BYTES);
    for (int i = 0; i < 3; i++)
        make((uint8_t *)words_of_blobs[i]);
    switch_on();
    if (!uses(OWN))
        fail("without weights in a slot the program's own are not used");
    for (volatile long round = 0; round < rounds; round++) {
        volatile int is_cut = 1;
        for (volatile long cut = 0; is_cut; cut++) {
            const uint8_t *volatile old = SENT(cut % 2), *volatile new = SENT((cut + 1) % 2);
            switch_on();
            if (!update(old) || !uses(old))
                fail("the old weights cannot be loaded");
            steps_left = cut;
            if (setjmp(power_cut) == 0) {
                if (!update(new) || !uses(new))
                    fail("the new weights cannot be loaded");
                is_cut = 0;
                steps = cut;
            }
            switch_on();
            if (uses(old))
                found_old++;
            else if (uses(new))
                found_new++;
            else
                fail("the model computes with weights that nobody has sent");
            if (!update(new) || !uses(new))
                fail("no second update is possible");
            switch_on();
            if (!uses(new))
                fail("the newer weights are forgotten");
        }
    }
    printf("%ld steps, %ld old, %ld new\n", steps, found_old, found_new);
    return EXIT_SUCCESS;
}
