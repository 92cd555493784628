/* SPDX-License-Identifier: Apache-2.0 */
/* An image for Cortex-M begins with its vectors: stack pointer, then entry. One for RISC-V begins with its entry. */

#include "jump.h"

#if defined(__riscv)

void mcuq_jump(uint32_t address)
{
    /* mstatus.MIE and all of mie off; 0x0000100f is fence.i, which not every assembler knows for a core without
       Zifencei: there it does nothing */
    __asm__ volatile(".option push\n\t"
                     ".option arch, +zicsr\n\t"
                     "csrci mstatus, 8\n\t"
                     "csrw mie, zero\n\t"
                     ".option pop\n\t"
                     ".word 0x0000100f\n\t"
                     "jr %0"
                     :
                     : "r"(address)
                     : "memory");
    __builtin_unreachable();
}

#elif defined(__arm__)

/* The same in all of Armv6-M (DDI 0419), Armv7-M (DDI 0403) and Armv8-M (DDI 0553): SysTick, NVIC, SCB. */
#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define SYST_CSR REGISTER(0xe000e010u)
#define NVIC_ICER(n) REGISTER(0xe000e180u + 4u * (n))
#define NVIC_ICPR(n) REGISTER(0xe000e280u + 4u * (n))
#define ICSR REGISTER(0xe000ed04u)
#define VTOR REGISTER(0xe000ed08u)
#define PENDSTCLR (UINT32_C(1) << 25)

#if defined(__ARM_ARCH_6M__)
enum { NVIC_WORDS = 1 };
#else
enum { NVIC_WORDS = 15 }; /* interrupts 0..479; those that a chip does not have ignore it */
#endif

static void silence(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    SYST_CSR = 0;
    ICSR = PENDSTCLR;
    for (uint32_t n = 0; n < NVIC_WORDS; n++) {
        NVIC_ICER(n) = UINT32_C(0xffffffff);
        NVIC_ICPR(n) = UINT32_C(0xffffffff);
    }
}

void mcuq_jump(uint32_t address)
{
    const volatile uint32_t *vectors = (const volatile uint32_t *)(uintptr_t)address;
    const uint32_t stack_pointer = vectors[0], entry = vectors[1];

    silence();
#if defined(MCUQ_HAS_VTOR)
    VTOR = address;
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    __asm__ volatile("msr msplim, %0" ::"r"(0));
#endif
    __asm__ volatile("dsb\n\t"
                     "isb\n\t"
                     "msr msp, %0\n\t"
                     "cpsie i\n\t"
                     "bx %1"
                     :
                     : "r"(stack_pointer), "r"(entry)
                     : "memory");
    __builtin_unreachable();
}

#endif
