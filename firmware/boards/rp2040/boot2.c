/* SPDX-License-Identifier: Apache-2.0 */
/* What RP2040's ROM copies from the first 256 bytes of the flash into RAM, checks and runs (RP2040 Datasheet, chapter
   on the boot sequence): it sets up the flash's controller (SSI, at 0x18000000) to read by command 03h, which every
   serial flash knows, at a quarter of clk_sys, 31 MHz at 125 MHz; then it starts the program behind it from its
   vectors, as a core does at reset.
   Machine code, because its last word is the CRC-32 (polynomial 0x04c11db7, from the top bit, begun with all ones) of
   the 252 bytes before it: no compiler may choose others. tests/device/test_real_boards_2.py computes it and runs the
   code. */

#include <stdint.h>

#define LOW(word) ((word) & 0xffffu)
#define HIGH(word) ((word) >> 16)
#define WORD(word) LOW(word), HIGH(word)

#define SSI UINT32_C(0x18000000)
#define CTRLR0 UINT32_C(0x001f0300)     /* SPI_FRF standard, DFS_32 31: frames of 32 bits, TMOD 3: read an EEPROM */
#define SPI_CTRLR0 UINT32_C(0x03000218) /* XIP_CMD 03h, INST_L 8 bits, ADDR_L 24 bits, TRANS_TYPE all serial */
#define VECTORS UINT32_C(0x10000100)
#define VTOR UINT32_C(0xe000ed08)
#define CHECK UINT32_C(0xe1304c6e)

__attribute__((section(".mcuq_before_vectors"), used, aligned(4))) const uint16_t mcuq_boot2[128] = {
    0x4b0a,          /* ldr r3, =SSI */
    0x2100,          /* movs r1, #0 */
    0x6099,          /* str r1, [r3, #0x08]: SSIENR: off, for what follows */
    0x2204,          /* movs r2, #4 */
    0x615a,          /* str r2, [r3, #0x14]: BAUDR */
    0x4a09,          /* ldr r2, =CTRLR0 */
    0x601a,          /* str r2, [r3, #0x00]: CTRLR0 */
    0x6059,          /* str r1, [r3, #0x04]: CTRLR1: one frame */
    0x4a08,          /* ldr r2, =SPI_CTRLR0 */
    0x20f4,          /* movs r0, #0xf4 */
    0x501a,          /* str r2, [r3, r0]: SPI_CTRLR0 */
    0x2101,          /* movs r1, #1 */
    0x6099,          /* str r1, [r3, #0x08]: SSIENR: on */
    0x4807,          /* ldr r0, =VECTORS */
    0x4907,          /* ldr r1, =VTOR */
    0x6008,          /* str r0, [r1] */
    0x6801,          /* ldr r1, [r0, #0] */
    0xf381, 0x8808,  /* msr msp, r1 */
    0x6841,          /* ldr r1, [r0, #4] */
    0x4708,          /* bx r1 */
    0x46c0,          /* nop: what is loaded from here begins at a word */
    WORD(SSI), WORD(CTRLR0), WORD(SPI_CTRLR0), WORD(VECTORS), WORD(VTOR),
    [126] = WORD(CHECK),
};
