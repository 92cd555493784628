/* SPDX-License-Identifier: Apache-2.0
 *
 * The model's inputs and outputs, each at its own place in the arena, as one row of bytes: all inputs one after the
 * other, and all outputs.
 */
#ifndef MCUQ_TENSORS_H
#define MCUQ_TENSORS_H

#include <stdint.h>

/* Writes bytes of the inputs in the arena; they must lie inside. */
void mcuq_put_input(uint32_t offset, const void *data, uint32_t n_bytes);

/* Reads bytes of the outputs; they must lie inside. */
void mcuq_get_output(uint32_t offset, uint8_t *to, uint32_t n_bytes);

/* Adds 85 to every byte of the outputs of what has run last, so that none that the next run leaves alone is right again; nor are those that
 * 255 runs leave alone. */
void mcuq_spoil_outputs(void);

/* CRC-32 of the whole input: of the kept one where the model keeps it, else of what lies in the arena. */
uint32_t mcuq_input_crc(void);

#endif
