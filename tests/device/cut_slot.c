/* Cuts the power at every step of an update of the loader's slot: at each word that is written and each page that is
   erased, which are then left in the middle: some bits have changed, others not. What is in the slot afterwards must be
   the old image, the new one, or none, and a second update must succeed.

     cut_slot ROUNDS

   Prints how often each was found. */

#define _GNU_SOURCE
#include "../../firmware/slots/slot.h"
#include "../../firmware/protocol/crc32.h"
#include "../../firmware/protocol/numbers.h"
#include "cutting_flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLD_BYTES = 2000, NEW_BYTES = 1402, CHUNK_BYTES = 256 };
enum { FOUND_NONE, FOUND_OLD, FOUND_NEW, FINDINGS };

static uint8_t old_image[OLD_BYTES], new_image[NEW_BYTES];
static int update(const uint8_t *image, uint32_t image_bytes)
{
    if (mcuq_slot_erase(MCUQ_SLOT_ADDRESS, image_bytes) != MCUQ_OK)
        return 0;
    for (uint32_t offset = 0; offset < image_bytes; offset += CHUNK_BYTES) {
        const uint32_t left = image_bytes - offset;
        if (mcuq_slot_write(MCUQ_SLOT_ADDRESS, offset, image + offset, left < CHUNK_BYTES ? left : CHUNK_BYTES) != MCUQ_OK)
            return 0;
    }
    return mcuq_slot_commit(MCUQ_SLOT_ADDRESS, image_bytes, mcuq_crc32(0, image, image_bytes), 0) == MCUQ_OK && mcuq_slot_is_whole(MCUQ_SLOT_ADDRESS);
}

static int holds(const uint8_t *image, uint32_t image_bytes)
{
    const struct mcuq_slot_header *header = mcuq_slot_header(MCUQ_SLOT_ADDRESS);

    return header->image_bytes == image_bytes &&
           memcmp(mcuq_slot_image(MCUQ_SLOT_ADDRESS), image, image_bytes) == 0;
}

static int find(void)
{
    if (!mcuq_slot_is_whole(MCUQ_SLOT_ADDRESS))
        return FOUND_NONE;
    if (holds(new_image, NEW_BYTES))
        return FOUND_NEW;
    if (!holds(old_image, OLD_BYTES))
        fail("the slot would start an image that nobody has sent");
    return FOUND_OLD;
}

int main(int argc, char **argv)
{
    const long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    long found[FINDINGS] = {0, 0, 0};
    volatile long steps = 0;

    map_flash(MCUQ_SLOT_ADDRESS, MCUQ_SLOT_BYTES);
    for (int i = 0; i < OLD_BYTES; i++)
        old_image[i] = (uint8_t)(random_u32() & 255);
    for (int i = 0; i < NEW_BYTES; i++)
        new_image[i] = (uint8_t)(random_u32() & 255);
    for (volatile long round = 0; round < rounds; round++) {
        volatile int is_cut = 1;
        for (volatile long cut = 0; is_cut; cut++) {
            steps_left = FOR_EVER;
            if (!update(old_image, OLD_BYTES))
                fail("the old image cannot be loaded");
            steps_left = cut;
            if (setjmp(power_cut) == 0) {
                if (!update(new_image, NEW_BYTES))
                    fail("the new image cannot be loaded");
                is_cut = 0;
                steps = cut;
            }
            found[find()]++;
            steps_left = FOR_EVER;
            if (!update(new_image, NEW_BYTES) || find() != FOUND_NEW)
                fail("no second update is possible");
        }
    }
    printf("%ld steps, %ld none, %ld old, %ld new\n", steps, found[FOUND_NONE], found[FOUND_OLD], found[FOUND_NEW]);
    return EXIT_SUCCESS;
}
