/* SPDX-License-Identifier: Apache-2.0
 *
 * What ST's chips with GPIO ports on AHB have in common, STM32G0 (reference manual RM0444), L4+ (RM0432), H7 (RM0433):
 * a wait that ends, and a pin's registers (GPIOx_MODER and following, each manual's chapter on general-purpose I/Os).
 */
#ifndef MCUQ_STM32_H
#define MCUQ_STM32_H

#include <stdint.h>

#define STM32_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Reads of one register: more than ten milliseconds at any clock, a hundred times what a PLL or an oscillator takes. */
#define STM32_READY_TRIES UINT32_C(100000)

static inline int stm32_becomes(volatile uint32_t *address, uint32_t mask, uint32_t wanted)
{
    for (uint32_t i = 0; i < STM32_READY_TRIES; i++) {
        if ((*address & mask) == wanted)
            return 1;
    }
    return 0;
}

/* The field of `mask`, which begins at bit `shift`, gets `value`; other bits stay. */
static inline void stm32_set_field(volatile uint32_t *address, uint32_t mask, uint32_t shift, uint32_t value)
{
    *address = (*address & ~(mask << shift)) | value << shift;
}

/* A peripheral answers some cycles after its clock was enabled: reading the register back takes that long. */
static inline void stm32_enable(volatile uint32_t *clock_register, uint32_t bit)
{
    *clock_register |= UINT32_C(1) << bit;
    (void)*clock_register;
}

/* Gives a pin to a peripheral, with high speed and a pull-up, so that an open line rests. The function is chosen before
   the pin leaves analog mode, so that nothing else is ever driven. `port` is the address of its GPIO port. */
static inline void stm32_pin_start(uint32_t port, uint32_t pin, uint32_t alternate)
{
    stm32_set_field(&STM32_REGISTER(port + 0x20u + 4u * (pin / 8u)), 0xf, 4u * (pin % 8u), alternate); /* AFRL, AFRH */
    stm32_set_field(&STM32_REGISTER(port + 0x08u), 3, 2u * pin, 2); /* OSPEEDR: high */
    stm32_set_field(&STM32_REGISTER(port + 0x0cu), 3, 2u * pin, 1); /* PUPDR: up */
    stm32_set_field(&STM32_REGISTER(port + 0x00u), 3, 2u * pin, 2); /* MODER: alternate function */
}

#endif
