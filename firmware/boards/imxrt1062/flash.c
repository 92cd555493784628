/* SPDX-License-Identifier: Apache-2.0 */
/* What i.MX RT1062's ROM reads from the start of the serial flash (i.MX RT1060 Processor Reference Manual, System
   Boot): how to read the flash (serial NOR configuration block) and, 4 KB behind it, where the program begins (image
   vector table and boot data). The figures are those of Teensy 4.1, an 8 MB W25Q64JV whose quad mode is on (as in
   PJRC's teensy4/bootdata.c); but without the flash's continuous read, so that a reset of the chip alone finds it as at
   power-on. Words that are not named here are 0: not used. */

#include "board.h"

#include <stdint.h>

void mcuq_reset(void);

#define BASE UINT32_C(0x60000000)
#define FLASH_BYTES UINT32_C(0x800000)
#define PROGRAM_BYTES UINT32_C(0x7c0000) /* 256 KB at the end belong to the board's loader */

/* An instruction of FlexSPI's sequences: opcode, lines (0: one, 2: four), operand. */
#define STEP(opcode, lines, operand) (UINT32_C(opcode) << 10 | UINT32_C(lines) << 8 | UINT32_C(operand))
#define STEPS(first, second) ((first) | (second) << 16)

union word {
    uint32_t word;
    void (*entry)(void);
    const union word *address;
};

enum { IVT = 0x1000 / 4, BOOT_DATA = IVT + 8, WORDS = BOOT_DATA + 3 };

extern const union word mcuq_flash_header[WORDS];

__attribute__((section(".mcuq_before_vectors"), used, aligned(4))) const union word mcuq_flash_header[WORDS] = {
    [0x000 / 4] = {.word = 0x42464346u}, /* tag "FCFB" */
    [0x004 / 4] = {.word = 0x56010000u}, /* version 1.0.0 */
    [0x00c / 4] = {.word = 0x00030301u}, /* readSampleClkSrc: from the DQS pad; dataHoldTime, dataSetupTime 3 */
    [0x044 / 4] = {.word = 0x00080401u}, /* deviceType: serial NOR; sflashPadType: 4 lines; serialClkFreq: 133 MHz */
    [0x050 / 4] = {.word = FLASH_BYTES}, /* sflashA1Size */
    /* lookupTable[0], reads: EBh, 24 bits of address, 8 of mode (0: no continuous read), 4 cycles, data */
    [0x080 / 4] = {.word = STEPS(STEP(0x01, 0, 0xeb), STEP(0x02, 2, 24))},
    [0x084 / 4] = {.word = STEPS(STEP(0x07, 2, 0x00), STEP(0x0c, 2, 4))},
    [0x088 / 4] = {.word = STEPS(STEP(0x09, 2, 4), STEP(0x00, 0, 0))},
    [0x1c0 / 4] = {.word = 256u},        /* pageSize */
    [0x1c4 / 4] = {.word = 4096u},       /* sectorSize */
    [0x1c8 / 4] = {.word = 1u},          /* ipcmdSerialClkFreq: 30 MHz */
    [0x1d0 / 4] = {.word = 0x00010000u}, /* blockSize */
    [IVT + 0] = {.word = 0x432000d1u},   /* tag, 32 bytes, version */
    [IVT + 1] = {.entry = mcuq_reset},
    [IVT + 4] = {.address = &mcuq_flash_header[BOOT_DATA]},
    [IVT + 5] = {.address = &mcuq_flash_header[IVT]},
    [BOOT_DATA + 0] = {.word = BASE},
    [BOOT_DATA + 1] = {.word = PROGRAM_BYTES},
};
