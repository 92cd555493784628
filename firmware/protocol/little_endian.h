/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers in a body: least significant byte first, at any address.
 */
#ifndef MCUQ_LITTLE_ENDIAN_H
#define MCUQ_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint16_t mcuq_get_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t mcuq_get_u32(const uint8_t *bytes)
{
    return mcuq_get_u16(bytes) | (uint32_t)mcuq_get_u16(bytes + 2) << 16;
}

/* Returns what follows the number. */
static inline uint8_t *mcuq_put_u16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value & 255);
    bytes[1] = (uint8_t)(value >> 8 & 255);
    return bytes + 2;
}

static inline uint8_t *mcuq_put_u32(uint8_t *bytes, uint32_t value)
{
    return mcuq_put_u16(mcuq_put_u16(bytes, value), value >> 16);
}

#endif
