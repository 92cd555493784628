/* SPDX-License-Identifier: Apache-2.0 */
#include "self_test.h"

#include "../board.h"
#include "../kernels/mcuq_math.h"
#include "crc32.h"
#include "frame.h"
#include "numbers.h"

enum { CYCLE_READINGS = 1000, SAMPLE_BYTES = 12 };

static struct mcuq_decoder decoder;
static int decoded;

static int crc_fails(void)
{
    return mcuq_crc32(mcuq_crc32(0, "1234", 4), "56789", 5) != UINT32_C(0xcbf43926);
}

static void decode(uint8_t byte)
{
    decoded = mcuq_decode(&decoder, byte);
}

static int cobs_fails(void)
{
    static const uint8_t sample[SAMPLE_BYTES] = {0, 1, 0, 0, 255, 254, 3, 2, 1, 127, 128, 0};
    uint8_t sent[SAMPLE_BYTES + MCUQ_FRAME_CRC_BYTES], received[SAMPLE_BYTES + MCUQ_FRAME_CRC_BYTES];

    for (int i = 0; i < SAMPLE_BYTES; i++)
        sent[i] = sample[i];
    mcuq_decoder_start(&decoder, received, sizeof received);
    mcuq_encode(sent, SAMPLE_BYTES, decode);
    if (decoded != MCUQ_GOOD_FRAME || decoder.n_bytes != SAMPLE_BYTES)
        return 1;
    for (int i = 0; i < SAMPLE_BYTES; i++) {
        if (received[i] != sample[i])
            return 1;
    }
    return 0;
}

/* acc, multiplier, prescale, shift, zero_point, output_min, output_max, and what mcuq/arithmetic/int8.py makes of them */
static const int32_t vectors[][8] = {
    {120563, 1518500250, 0, 9, -3, -128, 127, 80},
    {-120563, 1518500250, 0, 9, -3, -128, 127, -86},
    {1163919375, 1163919375, 0, 22, 5, -128, 127, 80},
    {-2147483647, 2147483647, 0, 1, 0, -128, 127, -128},
    {5, 1073741824, 0, -1, 0, -128, 127, 3},
    {-5, 1073741824, 0, -1, 0, -128, 127, -2},
    {-200, 1395864371, 3, 3, 28, -128, 127, -37},
    {19, 1100000000, 0, 0, -128, -100, 127, -100},
};

static int arithmetic_fails(void)
{
    const int32_t (*volatile table)[8] = vectors; /* volatile, so that the device computes and not its compiler */

    for (uint32_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const int32_t *v = table[i];
        if (mcuq_requantize(v[0], v[1], (int)v[2], (int)v[3], v[4], v[5], v[6]) != v[7])
            return 1;
    }
    return 0;
}

int mcuq_cycles_move(void)
{
    const uint32_t first = board_cycles();

    for (int i = 0; i < CYCLE_READINGS; i++) {
        if (board_cycles() != first)
            return 1;
    }
    return 0;
}

uint32_t mcuq_self_test(void)
{
    uint32_t failed = 0;

    if (crc_fails())
        failed |= MCUQ_CRC_FAILS;
    if (cobs_fails())
        failed |= MCUQ_COBS_FAILS;
    if (arithmetic_fails())
        failed |= MCUQ_ARITHMETIC_FAILS;
    if (!mcuq_cycles_move())
        failed |= MCUQ_CYCLES_FAIL;
    return failed;
}
