/* SPDX-License-Identifier: Apache-2.0 */
/* Indices and bytes are volatile, so that the compiler keeps the order of the accesses; one core sees its own accesses
   in that order, in an interrupt too. */

#include "ring.h"

/* Without an interrupt the ring keeps what arrives while an answer is sent: the host speaks only after that, but the
   rest of a frame that noise has cut is answered too (DAMAGED). */
enum { CAPACITY = MCUQ_WINDOW_BYTES > 64 ? MCUQ_WINDOW_BYTES : 64, PLACES = CAPACITY + 1 };

typedef char mcuq_window_fits_an_index[MCUQ_WINDOW_BYTES < 65535 ? 1 : -1];

static volatile uint8_t bytes[PLACES];
static volatile uint16_t next_in;  /* written by mcuq_received alone */
static volatile uint16_t next_out; /* written by the reader alone; equal to next_in where the ring is empty */

static uint16_t after(uint16_t place)
{
    return (uint16_t)(place + 1 == PLACES ? 0 : place + 1);
}

void mcuq_received(uint8_t byte)
{
    const uint16_t place = next_in;

    if (!mcuq_ring_has_room())
        return;
    bytes[place] = byte;
    next_in = after(place);
}

int mcuq_ring_has_room(void)
{
    return after(next_in) != next_out;
}

#if defined(MCUQ_WAKE_INTERRUPT)
int mcuq_ring_is_empty(void)
{
    return next_out == next_in;
}
#endif

int mcuq_ring_take(void)
{
    const uint16_t place = next_out;
    uint8_t byte;

    if (place == next_in)
        return -1;
    byte = bytes[place];
    next_out = after(place);
    return byte;
}

void mcuq_ring_clear(void)
{
    next_out = next_in;
}
