/* SPDX-License-Identifier: Apache-2.0
 *
 * Places for one image each, of MCUQ_SLOT_BYTES: a page with the header, then the image. The header is made invalid
 * before anything else changes and written last, its first word at the very end, so that power may go at any moment:
 * what is found afterwards is no image or a whole one. `slot` is the address of its first page.
 */
#ifndef MCUQ_SLOT_H
#define MCUQ_SLOT_H

#include <stdint.h>

#define MCUQ_MOST_IMAGE_BYTES ((uint32_t)(MCUQ_SLOT_BYTES) - (uint32_t)(MCUQ_PAGE_BYTES))

/* As it lies in memory. Of generation 0, the last word is as erased. */
struct mcuq_slot_header {
    uint32_t magic; /* "MCUQ" */
    uint32_t image_bytes;
    uint32_t crc32;          /* of the image */
    uint32_t complement;     /* exclusive or of the two before it and the one behind it */
    uint32_t not_generation; /* complement of a number that grows with each image, where there are several slots */
};

/* The header of a committed image, or 0. */
const struct mcuq_slot_header *mcuq_slot_header(uint32_t slot);

/* The image's first byte. */
const void *mcuq_slot_image(uint32_t slot);

/* Whether there is a header and the image has its CRC. */
int mcuq_slot_is_whole(uint32_t slot);

/* These return a status; each may be repeated. Offsets count from the image's first byte. One slot is changed at a time:
 * what is written and committed goes into the one that was erased last. */
uint8_t mcuq_slot_erase(uint32_t slot, uint32_t image_bytes);
uint8_t mcuq_slot_write(uint32_t slot, uint32_t offset, const uint8_t *data, uint32_t n_bytes);
uint8_t mcuq_slot_commit(uint32_t slot, uint32_t image_bytes, uint32_t crc32, uint32_t generation);

#endif
