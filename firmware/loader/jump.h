/* SPDX-License-Identifier: Apache-2.0
 *
 * Leaves the loader for an image.
 */
#ifndef MCUQ_JUMP_H
#define MCUQ_JUMP_H

#include <stdint.h>

/* Starts the image at `address` with interrupts as after a reset; does not return. */
void mcuq_jump(uint32_t address);

#endif
