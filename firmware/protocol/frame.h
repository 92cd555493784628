/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames on the wire: COBS(type, sequence, body, CRC-32 of these) 0x00.
 *
 * COBS is Consistent Overhead Byte Stuffing, Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999: no
 * byte inside a frame is 0, so that whatever noise does, a receiver is in step again after the next 0.
 */
#ifndef MCUQ_FRAME_H
#define MCUQ_FRAME_H

#include <stdint.h>

enum {
    MCUQ_FRAME_HEAD_BYTES = 2, /* type, sequence */
    MCUQ_FRAME_CRC_BYTES = 4,
    MCUQ_FRAME_BYTES = MCUQ_FRAME_HEAD_BYTES + MCUQ_FRAME_CRC_BYTES /* beside the body */
};

/* Takes a frame out of bytes as they come, into `bytes`, which holds `capacity` of them. */
struct mcuq_decoder {
    uint8_t *bytes;
    uint16_t capacity;
    uint16_t n_bytes; /* stored so far; after mcuq_decode returned MCUQ_GOOD_FRAME: of type, sequence and body */
    uint8_t code;     /* of the block that comes in, 0 before the first */
    uint8_t left;     /* bytes still to come of that block */
    uint8_t is_full;  /* the frame has more bytes than fit */
};

/* What mcuq_decode returns; otherwise a reason of DAMAGED. */
enum { MCUQ_NO_FRAME = 0, MCUQ_GOOD_FRAME = 0x100 };

/* Makes the decoder ready for a frame's first byte. */
void mcuq_decoder_start(struct mcuq_decoder *decoder, uint8_t *bytes, uint16_t capacity);

/* Takes one byte. Whatever came before, the first byte after a 0 is taken as a frame's first. What it has returned
 * stays in `bytes` until the next call. */
int mcuq_decode(struct mcuq_decoder *decoder, uint8_t byte);

/* Puts the CRC behind the n_bytes of type, sequence and body and gives the frame on the wire to `put`, byte by byte;
 * `bytes` has room for MCUQ_FRAME_CRC_BYTES more. */
void mcuq_encode(uint8_t *bytes, uint16_t n_bytes, void (*put)(uint8_t byte));

#endif
