/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that have been received and not yet looked at. One writer (the UART's interrupt, or the main program where
 * there is none) and one reader (the main program): no locks.
 */
#ifndef MCUQ_RING_H
#define MCUQ_RING_H

#include <stdint.h>

/* What the host may have on the wire while the device computes; 0 where no interrupt receives. */
#if !defined(MCUQ_WINDOW_BYTES)
#define MCUQ_WINDOW_BYTES 0
#endif

/* Stores a byte; to be called from the interrupt. A full ring drops it: the frame's CRC finds that it is missing. */
void mcuq_received(uint8_t byte);

/* Whether mcuq_received() would keep a byte. */
int mcuq_ring_has_room(void);

/* Whether there is nothing to take: for boards that sleep meanwhile. */
int mcuq_ring_is_empty(void);

/* The oldest byte, or -1. */
int mcuq_ring_take(void);

/* Forgets all bytes. */
void mcuq_ring_clear(void);

#endif
