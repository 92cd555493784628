/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up of every RISC-V core in machine mode, from reset to mcuq_main(); reception is polled.
   Registers: The RISC-V Instruction Set Manual, volume II (privileged architecture), chapter "Machine-Level ISA":
   mtvec, mstatus.

   Any trap resets the chip: the host sees the device start again. The trap's own stack may be what failed, so the
   handler takes a fresh one first. */

#include "board.h"

#include <stdint.h>

extern uint32_t mcuq_data_start[], mcuq_data_end[], mcuq_bss_start[], mcuq_bss_end[];
extern const uint32_t mcuq_data_image[];
#if defined(MCUQ_COPIES_WEIGHTS)
extern uint32_t mcuq_fast_start[], mcuq_fast_end[]; /* constants that are used most */
extern const uint32_t mcuq_fast_image[];
#endif

void mcuq_reset(void);
void mcuq_fault(void);
void mcuq_prepare(void);

/* The linker script puts it first: whatever starts the program jumps to its first byte. */
__attribute__((naked, used, section(".mcuq_vectors"))) void mcuq_reset(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option arch, +zicsr\n\t"
                     "csrci mstatus, 8\n\t" /* MIE: no interrupts */
                     "la t0, mcuq_fault\n\t"
                     "csrw mtvec, t0\n\t" /* the low two bits are 0: all traps to one address */
                     ".option pop\n\t"
                     "la sp, mcuq_stack_top\n\t"
                     "tail mcuq_prepare\n\t");
}

__attribute__((naked, used, aligned(4))) void mcuq_fault(void)
{
    __asm__ volatile("la sp, mcuq_stack_top\n\t"
                     "tail board_reset\n\t");
}

/* Word by word through volatile, so that no compiler makes a call of memset of it, and always inline: a function would
   have its frame in the stack that is being painted. */
__attribute__((always_inline)) static inline void fill(volatile uint32_t *from, const volatile uint32_t *end, uint32_t word)
{
    while (from < end)
        *from++ = word;
}

void mcuq_prepare(void)
{
    volatile uint32_t *to = mcuq_data_start;
    const volatile uint32_t *from = mcuq_data_image;
    uint32_t *stack;

    __asm__ volatile("mv %0, sp" : "=r"(stack));
    fill((uint32_t *)(void *)mcuq_stack_bottom, stack, MCUQ_STACK_PAINT);
    while (to < mcuq_data_end)
        *to++ = *from++;
#if defined(MCUQ_COPIES_WEIGHTS)
    to = mcuq_fast_start;
    from = mcuq_fast_image;
    while (to < mcuq_fast_end)
        *to++ = *from++;
#endif
    fill(mcuq_bss_start, mcuq_bss_end, 0);
    mcuq_main();
    board_reset();
}
