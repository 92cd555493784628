/* SPDX-License-Identifier: Apache-2.0 */
#include "stack.h"

#include "board.h"

/* Room for a frame of this file, whichever end of it the compiler takes for its address. */
enum { OWN_FRAME_BYTES = 64 };

static uint32_t high_water;

uint32_t mcuq_stack_bytes(void)
{
    return (uint32_t)(mcuq_stack_top - mcuq_stack_bottom);
}

/* Interrupts use the stack too, but have gone again when this code goes on: what they leave is painted over. */
__attribute__((noinline)) void mcuq_stack_paint(void)
{
    volatile uint32_t *word = (volatile uint32_t *)(void *)mcuq_stack_bottom;
    const uintptr_t end = (uintptr_t)__builtin_frame_address(0) - OWN_FRAME_BYTES;

    for (; (uintptr_t)word < end; word++)
        *word = MCUQ_STACK_PAINT;
}

void mcuq_stack_measure(void)
{
    const volatile uint32_t *word = (const volatile uint32_t *)(void *)mcuq_stack_bottom;
    uint32_t n_bytes;

    while ((uintptr_t)word < (uintptr_t)mcuq_stack_top && *word == MCUQ_STACK_PAINT)
        word++;
    n_bytes = (uint32_t)((uintptr_t)mcuq_stack_top - (uintptr_t)word);
    if (n_bytes > high_water)
        high_water = n_bytes;
}

uint32_t mcuq_stack_high_water(void)
{
    return high_water;
}
