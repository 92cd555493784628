/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32 of IEEE 802.3, the one of zlib: polynomial 0x04c11db7, reflected, all ones before and after.
 */
#ifndef MCUQ_CRC32_H
#define MCUQ_CRC32_H

#include <stdint.h>

/* The CRC of all data so far, followed by `data`; `crc` is 0 before the first. */
uint32_t mcuq_crc32(uint32_t crc, const void *data, uint32_t n_bytes);

#endif
