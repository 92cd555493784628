/* Cuts the power at every step of an update of the loader's slot: at each word that is written and each page that is
   erased, which are then left in the middle: some bits have changed, others not. What is in the slot afterwards must be
   the old image, the new one, or none, and a second update must succeed.

     cut_slot ROUNDS

   Prints how often each was found. */

#define _GNU_SOURCE
#include "../../firmware/loader/flash.h"
#include "../../firmware/loader/slot.h"
#include "../../firmware/protocol/crc32.h"
#include "../../firmware/protocol/numbers.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OLD_BYTES = 2000, NEW_BYTES = 1402, CHUNK_BYTES = 256, FOR_EVER = -1 };
enum { FOUND_NONE, FOUND_OLD, FOUND_NEW, FINDINGS };

static uint8_t old_image[OLD_BYTES], new_image[NEW_BYTES];
static long steps_left; /* FOR_EVER: the power stays */
static uint32_t random_state = 1;
static jmp_buf power_cut;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Xorshift, Marsaglia, Journal of Statistical Software 8(14), 2003. */
static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Whether this step is the one in which the power goes. */
static int is_last_step(void)
{
    return steps_left != FOR_EVER && steps_left-- == 0;
}

void mcuq_flash_erase_page(uint32_t address)
{
    uint32_t *word = (uint32_t *)(uintptr_t)address;
    const int is_last = is_last_step();
    const uint32_t sparse = random_u32() & random_u32() & random_u32();

    for (uint32_t i = 0; i < MCUQ_PAGE_BYTES / 4; i++)
        word[i] |= is_last ? random_u32() & sparse : UINT32_C(0xffffffff);
    if (is_last)
        longjmp(power_cut, 1);
}

void mcuq_flash_write_word(uint32_t address, uint32_t word)
{
    const int is_last = is_last_step();

    *(uint32_t *)(uintptr_t)address &= is_last ? word | random_u32() : word;
    if (is_last)
        longjmp(power_cut, 1);
}

static int update(const uint8_t *image, uint32_t image_bytes)
{
    if (mcuq_slot_erase(image_bytes) != MCUQ_OK)
        return 0;
    for (uint32_t offset = 0; offset < image_bytes; offset += CHUNK_BYTES) {
        const uint32_t left = image_bytes - offset;
        if (mcuq_slot_write(offset, image + offset, left < CHUNK_BYTES ? left : CHUNK_BYTES) != MCUQ_OK)
            return 0;
    }
    return mcuq_slot_commit(image_bytes, mcuq_crc32(0, image, image_bytes)) == MCUQ_OK && mcuq_slot_is_whole();
}

static int holds(const uint8_t *image, uint32_t image_bytes)
{
    const struct mcuq_slot_header *header = mcuq_slot_header();

    return header->image_bytes == image_bytes &&
           memcmp((const void *)(uintptr_t)MCUQ_IMAGE_ADDRESS, image, image_bytes) == 0;
}

static int find(void)
{
    if (!mcuq_slot_is_whole())
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

    if (mmap((void *)(uintptr_t)MCUQ_SLOT_ADDRESS, MCUQ_SLOT_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)(uintptr_t)MCUQ_SLOT_ADDRESS)
        fail("no memory at the slot's address");
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
