/* SPDX-License-Identifier: Apache-2.0 */
/* Four bits a step: 20 cycles a byte on a Cortex-M0 and 116 bytes of flash with the table. One bit a step takes 87
   cycles and 52 bytes; a table for whole bytes some 14 cycles and more than 1024 bytes. (GCC 12 -O2, instruction times
   of the Cortex-M0 Technical Reference Manual.) */

#include "crc32.h"

uint32_t mcuq_crc32(uint32_t crc, const void *data, uint32_t n_bytes)
{
    /* remainder of each value of four bits, times x^28, by the polynomial */
    static const uint32_t remainder[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *bytes = data;

    crc = ~crc;
    for (; n_bytes > 0; n_bytes--) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ remainder[crc & 15];
        crc = (crc >> 4) ^ remainder[crc & 15];
    }
    return ~crc;
}
