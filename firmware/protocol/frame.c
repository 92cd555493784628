/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "crc32.h"
#include "little_endian.h"
#include "numbers.h"

enum { LONGEST_BLOCK = 255 }; /* its code: 254 bytes follow and no 0 is implied */

void mcuq_decoder_start(struct mcuq_decoder *decoder, uint8_t *bytes, uint16_t capacity)
{
    decoder->bytes = bytes;
    decoder->capacity = capacity;
    decoder->n_bytes = 0;
    decoder->code = 0;
    decoder->left = 0;
    decoder->is_full = 0;
}

static void store(struct mcuq_decoder *decoder, uint8_t byte)
{
    if (decoder->n_bytes < decoder->capacity)
        decoder->bytes[decoder->n_bytes++] = byte;
    else
        decoder->is_full = 1;
}

/* A frame that ends here: good, or why not. */
static int judge(struct mcuq_decoder *decoder)
{
    const uint16_t n_bytes = decoder->n_bytes;
    const uint16_t covered_bytes = (uint16_t)(n_bytes - MCUQ_FRAME_CRC_BYTES);

    if (decoder->code == 0)
        return MCUQ_NO_FRAME;
    if (decoder->is_full)
        return MCUQ_TOO_LONG;
    if (decoder->left != 0)
        return MCUQ_BAD_COBS;
    if (n_bytes < MCUQ_FRAME_BYTES)
        return MCUQ_TOO_SHORT;
    if (mcuq_crc32(0, decoder->bytes, covered_bytes) != mcuq_get_u32(decoder->bytes + covered_bytes))
        return MCUQ_BAD_CRC;
    return MCUQ_GOOD_FRAME;
}

int mcuq_decode(struct mcuq_decoder *decoder, uint8_t byte)
{
    if (byte == 0) {
        const int judgement = judge(decoder);
        const uint16_t n_bytes = decoder->n_bytes;

        mcuq_decoder_start(decoder, decoder->bytes, decoder->capacity);
        if (judgement == MCUQ_GOOD_FRAME)
            decoder->n_bytes = (uint16_t)(n_bytes - MCUQ_FRAME_CRC_BYTES);
        return judgement;
    }
    if (decoder->left > 0) {
        decoder->left--;
        store(decoder, byte);
        return MCUQ_NO_FRAME;
    }
    if (decoder->code == 0)
        decoder->n_bytes = 0;
    else if (decoder->code != LONGEST_BLOCK)
        store(decoder, 0);
    decoder->code = byte;
    decoder->left = (uint8_t)(byte - 1);
    return MCUQ_NO_FRAME;
}

void mcuq_encode(uint8_t *bytes, uint16_t n_bytes, void (*put)(uint8_t byte))
{
    const uint8_t *next = bytes;
    const uint8_t *end = mcuq_put_u32(bytes + n_bytes, mcuq_crc32(0, bytes, n_bytes));
    int is_zero_due = 1; /* the last block ended with a 0 of the frame, so one more block must follow */

    while (is_zero_due || next != end) {
        uint8_t code = 1;

        while (next + code - 1 != end && next[code - 1] != 0 && code != LONGEST_BLOCK)
            code++;
        put(code);
        for (uint8_t i = 1; i < code; i++)
            put(*next++);
        is_zero_due = code != LONGEST_BLOCK && next != end;
        if (is_zero_due)
            next++;
    }
    put(0);
}
