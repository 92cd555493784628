/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a generated model once on one of QEMU's machines, started with -icount shift=0: each instruction then takes
   1 ns of the machine's time, which a timer of the machine tells. Writes what icount.py reads to the file answer.bin
   of QEMU's working folder: how far the timer's sums went during a call that does nothing, then during the same call
   of the model, a word each, then all outputs. icount_model.h, from icount.py, names the model and holds its input. */

#include "icount_model.h"

#include <stddef.h>
#include <stdint.h>

/* Arm's semihosting specification; RISC-V's has the same operations. */
enum { SYS_OPEN = 1, SYS_WRITE = 5, SYS_EXIT = 0x18, WRITE_BINARY = 5 };
enum { ENDED_WELL = 0x20026, ENDED_BADLY = 0x20023 }; /* ADP_Stopped_ApplicationExit, ..._RunTimeErrorUnknown */

void icount_reset(void);
void icount_fault(void);
void icount_main(void);
extern __typeof__(ICOUNT_MODEL) icount_nothing;

#ifdef __riscv

/* Three instructions of 32 bits within a page (RISC-V's semihosting specification). */
#define SEMIHOSTING                                                                                                    \
    ".option push\n\t.option norvc\n\t.p2align 4\n\tslli x0, x0, 31\n\tebreak\n\tsrai x0, x0, 7\n\t.option pop"
#define CSR ".option push\n\t.option arch, +zicsr\n\t"
#define RESULT "a0"
#define ARGUMENT "a1"

/* The instructions retired until here (RISC-V privileged architecture, 3.1.10). */
__attribute__((noinline)) static uint32_t now(void)
{
    uint32_t retired;

    __asm__ volatile(CSR "csrr %0, minstret\n\t.option pop" : "=r"(retired));
    return retired;
}

static void start_timer(void) {}

static int timer_ran_out(void) { return 0; }

/* mtvec: faults; then the stack, which nothing has set. */
__attribute__((naked)) void icount_reset(void)
{
    __asm__ volatile(CSR "la t0, icount_fault\n\tcsrw mtvec, t0\n\t.option pop\n\t"
                         "la sp, mcuq_stack_top\n\tj icount_main");
}

__asm__(".pushsection .text.icount_nothing, \"ax\", %progbits\n"
        ".global icount_nothing\n"
        ".type icount_nothing, %function\n"
        "icount_nothing: ret\n"
        ".popsection");

#else

#define SEMIHOSTING "bkpt 0xab"
#define RESULT "r0"
#define ARGUMENT "r1"

#define SYST_CSR (*(volatile uint32_t *)0xe000e010) /* bit 0: enable, bit 2: processor clock, bit 16: reached 0 */
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018)
#define CPACR (*(volatile uint32_t *)0xe000ed88)

/* Minus the sum of ICOUNT_READS values of SysTick, read three instructions apart; icount.py says why. */
__attribute__((naked, noinline)) static uint32_t sum_of_reads(volatile uint32_t *timer __attribute__((unused)))
{
    __asm__ volatile(".syntax unified\n\t"
                     "mov r1, r0\n\t"
                     "movs r0, #0\n\t"
                     ".rept %c0\n\t"
                     "ldr r2, [r1]\n\t"
                     "subs r0, r0, r2\n\t"
                     "nop\n\t"
                     ".endr\n\t"
                     "bx lr"
                     :
                     : "i"(ICOUNT_READS));
}

__attribute__((noinline)) static uint32_t now(void) { return sum_of_reads(&SYST_CVR); }

static void start_timer(void)
{
    SYST_RVR = 0xffffff;
    SYST_CVR = 0;
    SYST_CSR = 5;
    while (SYST_CVR == 0) {
    }
    (void)SYST_CSR; /* clears bit 16 */
}

static int timer_ran_out(void) { return (SYST_CSR >> 16 & 1) != 0; }

/* CPACR: access to the FPU's registers, which MVE's are; cores without it ignore the write. */
void icount_reset(void)
{
    CPACR |= 0xf00000;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    icount_main();
}

__asm__(".pushsection .text.icount_nothing, \"ax\", %progbits\n"
        ".thumb\n"
        ".global icount_nothing\n"
        ".type icount_nothing, %function\n"
        ".thumb_func\n"
        "icount_nothing: bx lr\n"
        ".popsection");

#endif

static int32_t semihosting(int32_t operation, const void *block)
{
    register int32_t result __asm__(RESULT) = operation;
    register const void *argument __asm__(ARGUMENT) = block;

    __asm__ volatile(SEMIHOSTING : "+r"(result) : "r"(argument) : "memory");
    return result;
}

static void stop(uint32_t reason)
{
    for (;;) {
        semihosting(SYS_EXIT, (const void *)reason);
    }
}

/* Every exception. */
void icount_fault(void) { stop(ENDED_BADLY); }

static void write(int32_t file, const void *data, size_t n_bytes)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)data, n_bytes};

    if (semihosting(SYS_WRITE, block) != 0) { /* bytes that were not written */
        stop(ENDED_BADLY);
    }
}

/* The same instructions but for the function that they call. */
__attribute__((noinline)) static void call_nothing(void) { ICOUNT_CALL(icount_nothing); }
__attribute__((noinline)) static void call_model(void) { ICOUNT_CALL(ICOUNT_MODEL); }

__attribute__((noinline)) static uint32_t measure(void (*call)(void))
{
    const uint32_t before = now();

    call();
    return now() - before;
}

void icount_main(void)
{
    static const uint32_t open[3] = {(uint32_t) "answer.bin", WRITE_BINARY, 10};
    static const struct {
        int8_t *(*place)(void);
        const int8_t *values;
        size_t n_bytes;
    } tensor[] = {ICOUNT_TENSORS}; /* `values` of inputs, none of outputs */
    const int32_t file = semihosting(SYS_OPEN, open);
    uint32_t sums[2];

    for (size_t i = 0; i < sizeof tensor / sizeof tensor[0]; i++) {
        for (size_t j = 0; tensor[i].values != NULL && j < tensor[i].n_bytes; j++) {
            tensor[i].place()[j] = tensor[i].values[j];
        }
    }
    start_timer();
    sums[0] = measure(call_nothing);
    sums[1] = measure(call_model);
    if (timer_ran_out()) {
        stop(ENDED_BADLY);
    }
    write(file, sums, sizeof sums);
    for (size_t i = 0; i < sizeof tensor / sizeof tensor[0]; i++) {
        if (tensor[i].values == NULL) {
            write(file, tensor[i].place(), tensor[i].n_bytes);
        }
    }
    stop(ENDED_WELL);
}
