/* SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#include "../protocol/crc32.h"
#include "../protocol/numbers.h"
#include "flash.h"

#define MAGIC UINT32_C(0x5155434d) /* "MCUQ" */
#define ERASED UINT32_C(0xffffffff)

enum { WORD_BYTES = 4, HEADER_WORDS = 5 };

typedef char mcuq_header_fits_a_page[sizeof(struct mcuq_slot_header) == HEADER_WORDS * WORD_BYTES ? 1 : -1];

static uint32_t erased_bytes; /* of the image, since start; 0 when nothing may be written */

static uint32_t word_at(uint32_t address)
{
    return *(const volatile uint32_t *)(uintptr_t)address;
}

const void *mcuq_slot_image(uint32_t slot)
{
    return (const void *)(uintptr_t)(slot + MCUQ_PAGE_BYTES);
}

const struct mcuq_slot_header *mcuq_slot_header(uint32_t slot)
{
    const struct mcuq_slot_header *header = (const struct mcuq_slot_header *)(uintptr_t)slot;

    if (header->magic != MAGIC || header->complement != (header->image_bytes ^ header->crc32 ^ header->not_generation))
        return 0;
    return header->image_bytes > 0 && header->image_bytes <= MCUQ_MOST_IMAGE_BYTES ? header : 0;
}

int mcuq_slot_is_whole(uint32_t slot)
{
    const struct mcuq_slot_header *header = mcuq_slot_header(slot);

    return header != 0 && mcuq_crc32(0, mcuq_slot_image(slot), header->image_bytes) == header->crc32;
}

static int erase_page(uint32_t address)
{
    mcuq_flash_erase_page(address);
    for (uint32_t i = 0; i < MCUQ_PAGE_BYTES; i += WORD_BYTES) {
        if (word_at(address + i) != ERASED)
            return 0;
    }
    return 1;
}

/* A word that is there already is not written again: flash bears few writes of a word between two erasures. */
static int write_word(uint32_t address, uint32_t word)
{
    if (word_at(address) != word)
        mcuq_flash_write_word(address, word);
    return word_at(address) == word;
}

/* The header's page first: nothing else is touched before it reads as erased. */
uint8_t mcuq_slot_erase(uint32_t slot, uint32_t image_bytes)
{
    if (image_bytes > MCUQ_MOST_IMAGE_BYTES)
        return MCUQ_BAD_ADDRESS;
    erased_bytes = 0;
    for (uint32_t start = 0; start < MCUQ_PAGE_BYTES + image_bytes; start += MCUQ_PAGE_BYTES) {
        if (!erase_page(slot + start))
            return MCUQ_FLASH_FAILED;
    }
    erased_bytes = image_bytes;
    return MCUQ_OK;
}

/* The last word may be written in part: its other bytes stay erased. */
uint8_t mcuq_slot_write(uint32_t slot, uint32_t offset, const uint8_t *data, uint32_t n_bytes)
{
    if (erased_bytes == 0)
        return MCUQ_WRONG_STATE;
    if (offset % WORD_BYTES != 0 || offset > erased_bytes || n_bytes > erased_bytes - offset)
        return MCUQ_BAD_ADDRESS;
    for (uint32_t i = 0; i < n_bytes; i += WORD_BYTES) {
        uint32_t word = ERASED;
        for (uint32_t k = 0; k < WORD_BYTES && i + k < n_bytes; k++)
            word = (word & ~(UINT32_C(255) << 8 * k)) | (uint32_t)data[i + k] << 8 * k;
        if (!write_word(slot + MCUQ_PAGE_BYTES + offset + i, word))
            return MCUQ_FLASH_FAILED;
    }
    return MCUQ_OK;
}

uint8_t mcuq_slot_commit(uint32_t slot, uint32_t image_bytes, uint32_t crc32, uint32_t generation)
{
    const struct mcuq_slot_header *header = mcuq_slot_header(slot);
    const uint32_t words[HEADER_WORDS] = {MAGIC, image_bytes, crc32, image_bytes ^ crc32 ^ ~generation, ~generation};

    if (header != 0)
        return header->image_bytes == image_bytes && header->crc32 == crc32 ? MCUQ_OK : MCUQ_WRONG_STATE;
    if (erased_bytes == 0)
        return MCUQ_WRONG_STATE;
    if (image_bytes == 0 || image_bytes > erased_bytes)
        return MCUQ_BAD_ADDRESS;
    if (mcuq_crc32(0, mcuq_slot_image(slot), image_bytes) != crc32)
        return MCUQ_WRONG_IMAGE;
    erased_bytes = 0;
    for (uint32_t i = HEADER_WORDS; i-- > 0;) {
        if (!write_word(slot + WORD_BYTES * i, words[i]))
            return MCUQ_FLASH_FAILED;
    }
    return MCUQ_OK;
}
