/* SPDX-License-Identifier: Apache-2.0 */
/* The IMAGE_DEF block that RP2350's ROM looks for in the first 4 KB of the flash (RP2350 Datasheet, 5.9, metadata block
   details): a program for the Arm cores in secure state, with its entry and its stack, so that the vectors may begin
   behind the block. */

#include "board.h"

#include <stdint.h>

void mcuq_reset(void);

union item {
    uint32_t word;
    void (*entry)(void);
    unsigned char *stack_top;
};

__attribute__((section(".mcuq_before_vectors"), used, aligned(4))) const union item mcuq_image_def[8] = {
    {.word = 0xffffded3u},          /* PICOBIN_BLOCK_MARKER_START */
    {.word = 0x10210142u},          /* IMAGE_TYPE, 1 word: executable, secure, Arm, RP2350 */
    {.word = 0x00000344u},          /* ENTRY_POINT, 3 words */
    {.entry = mcuq_reset},
    {.stack_top = mcuq_stack_top},
    {.word = 0x000004ffu},          /* LAST: the items have 4 words */
    {.word = 0},                    /* the next block is this one: there is no other */
    {.word = 0xab123579u},          /* PICOBIN_BLOCK_MARKER_END */
};
