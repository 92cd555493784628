/* SPDX-License-Identifier: Apache-2.0
 *
 * The place for one image: a page with the header, then the image. The header is made invalid before anything else
 * changes and written last, its first word at the very end, so that power may go at any moment: what is found
 * afterwards is no image or a whole one.
 */
#ifndef MCUQ_SLOT_H
#define MCUQ_SLOT_H

#include <stdint.h>

#define MCUQ_IMAGE_ADDRESS ((uint32_t)(MCUQ_SLOT_ADDRESS) + (uint32_t)(MCUQ_PAGE_BYTES))
#define MCUQ_MOST_IMAGE_BYTES ((uint32_t)(MCUQ_SLOT_BYTES) - (uint32_t)(MCUQ_PAGE_BYTES))

/* As it lies in memory; `complement` is the complement of the exclusive or of the two before it. */
struct mcuq_slot_header {
    uint32_t magic; /* "MCUQ" */
    uint32_t image_bytes;
    uint32_t crc32; /* of the image */
    uint32_t complement;
};

/* The header of a committed image, or 0. */
const struct mcuq_slot_header *mcuq_slot_header(void);

/* Whether there is a header and the image has its CRC. */
int mcuq_slot_is_whole(void);

/* These return a status; each may be repeated. Offsets count from the image's first byte. */
uint8_t mcuq_slot_erase(uint32_t image_bytes);
uint8_t mcuq_slot_write(uint32_t offset, const uint8_t *data, uint32_t n_bytes);
uint8_t mcuq_slot_commit(uint32_t image_bytes, uint32_t crc32);

#endif
