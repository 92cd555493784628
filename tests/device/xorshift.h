/* Random numbers, the same each time from the same state: Xorshift, Marsaglia, Journal of Statistical Software 8(14),
   2003. */

#ifndef MCUQ_XORSHIFT_H
#define MCUQ_XORSHIFT_H

#include <stdint.h>

static uint32_t random_state = 1; /* any but 0 */

static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

#endif
