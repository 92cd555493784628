/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors and start-up of every Cortex-M, from reset to mcuq_main().
   Exceptions and registers: Armv7-M Architecture Reference Manual (Arm DDI 0403), B1.5 (exceptions), B3.2 (SCB,
   CPACR), B3.4 (NVIC); Armv8-M (DDI 0553) has them at the same addresses, Armv6-M (DDI 0419) those it has.

   Any fault resets the chip: the host sees the device start again. The fault's own stack may be what failed, so the
   handler takes a fresh one first. */

#include "board.h"
#include "protocol/ring.h"

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define VTOR REGISTER(0xe000ed08u)
#define CCR REGISTER(0xe000ed14u)
#define CPACR REGISTER(0xe000ed88u)
#define SYST_CSR REGISTER(0xe000e010u)
#define NVIC_ISER(n) REGISTER(0xe000e100u + 4u * (n))
#define NVIC_ICER(n) REGISTER(0xe000e180u + 4u * (n))
#define NVIC_ICPR(n) REGISTER(0xe000e280u + 4u * (n))

#define CPACR_FPU (UINT32_C(0xf) << 20) /* full access to CP10 and CP11: the FPU's registers, which MVE's are */
#define CCR_LOB (UINT32_C(1) << 19)     /* Armv8.1-M: low-overhead loops use their buffer */
#define CCR_BP (UINT32_C(1) << 18)      /* Armv8.1-M: branch prediction */

#if defined(MCUQ_UART_INTERRUPT)
#define INTERRUPTS (MCUQ_UART_INTERRUPT + 1)
#else
#define INTERRUPTS 0
#endif
#define VECTORS (16 + INTERRUPTS)

extern uint32_t mcuq_data_start[], mcuq_data_end[], mcuq_bss_start[], mcuq_bss_end[];
extern const uint32_t mcuq_data_image[];
#if defined(MCUQ_COPIES_WEIGHTS)
extern uint32_t mcuq_fast_start[], mcuq_fast_end[]; /* constants that are used most */
extern const uint32_t mcuq_fast_image[];
#endif

void mcuq_reset(void);
void mcuq_fault(void);
void mcuq_prepare(void);
void mcuq_systick(void);
void mcuq_uart(void);

#if defined(MCUQ_COUNTER_DWT) || defined(MCUQ_COUNTER_SYSTICK)
#define SYSTICK mcuq_systick
#else
#define SYSTICK mcuq_fault
#endif

union vector {
    void (*handler)(void);
    unsigned char *stack_top;
};

/* The linker script puts them first, aligned as VTOR wants it: to the table's size, rounded up to a power of two. */
__attribute__((section(".mcuq_vectors"), used)) static const union vector vectors[VECTORS] = {
    {.stack_top = mcuq_stack_top}, {mcuq_reset}, {mcuq_fault}, {mcuq_fault}, {mcuq_fault}, {mcuq_fault},
    {mcuq_fault}, {mcuq_fault}, {mcuq_fault}, {mcuq_fault}, {mcuq_fault}, {mcuq_fault},
    {mcuq_fault}, {mcuq_fault}, {mcuq_fault}, {SYSTICK},
#if INTERRUPTS > 0
    [16 + MCUQ_UART_INTERRUPT] = {mcuq_uart},
#endif
};

/* Nothing but assembly: a stack and the FPU's registers must be there before the first line of C. */
__attribute__((naked, used)) void mcuq_reset(void)
{
    __asm__ volatile("cpsid i\n\t"
                     "ldr r0, =mcuq_stack_top\n\t"
                     "mov sp, r0\n\t"
                     "ldr r0, =mcuq_prepare\n\t"
                     "bx r0\n\t"
                     ".ltorg\n");
}

__attribute__((naked, used)) void mcuq_fault(void)
{
    __asm__ volatile("ldr r0, =mcuq_stack_top\n\t"
                     "mov sp, r0\n\t"
                     "ldr r0, =board_reset\n\t"
                     "bx r0\n\t"
                     ".ltorg\n");
}

#if INTERRUPTS > 0
/* Reads all that is there: the UART asks again as long as it holds a byte. */
void mcuq_uart(void)
{
    int byte;

    while ((byte = board_receive()) >= 0)
        mcuq_received((uint8_t)byte);
}
#endif

/* What a loader that started this program may have left behind. */
static void quieten(void)
{
    SYST_CSR = 0;
#if INTERRUPTS > 0
    for (uint32_t n = 0; n <= MCUQ_UART_INTERRUPT / 32; n++) {
        NVIC_ICER(n) = UINT32_C(0xffffffff);
        NVIC_ICPR(n) = UINT32_C(0xffffffff);
    }
#endif
}

static void enable_core(void)
{
#if defined(MCUQ_HAS_VTOR)
    VTOR = (uint32_t)(uintptr_t)vectors;
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= CPACR_FPU;
#endif
#if defined(__ARM_ARCH_8_1M_MAIN__)
    CCR |= CCR_LOB | CCR_BP;
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    /* Below the stack a push faults, whatever lies there. */
    __asm__ volatile("msr msplim, %0" ::"r"(mcuq_stack_bottom));
#endif
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* Word by word through volatile, so that no compiler makes a call of memset of it, and always inline: a function would
   have its frame in the stack that is being painted. */
__attribute__((always_inline)) static inline void fill(volatile uint32_t *from, const volatile uint32_t *end, uint32_t word)
{
    while (from < end)
        *from++ = word;
}

#if defined(MCUQ_COPIES_WEIGHTS)
/* The family's own goes before. */
__attribute__((weak)) void board_memory_start(void)
{
}
#endif

void mcuq_prepare(void)
{
    volatile uint32_t *to = mcuq_data_start;
    const volatile uint32_t *from = mcuq_data_image;
    uint32_t *stack;

    quieten();
    enable_core();
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    fill((uint32_t *)(void *)mcuq_stack_bottom, stack, MCUQ_STACK_PAINT);
    while (to < mcuq_data_end)
        *to++ = *from++;
#if defined(MCUQ_COPIES_WEIGHTS)
    board_memory_start();
    to = mcuq_fast_start;
    from = mcuq_fast_image;
    while (to < mcuq_fast_end)
        *to++ = *from++;
#endif
    fill(mcuq_bss_start, mcuq_bss_end, 0);
#if INTERRUPTS > 0
    /* The UART itself asks for nothing before board_start() has told it to. */
    NVIC_ISER(MCUQ_UART_INTERRUPT / 32) = UINT32_C(1) << (MCUQ_UART_INTERRUPT % 32);
#endif
    __asm__ volatile("cpsie i" ::: "memory");
    mcuq_main();
    board_reset();
}
