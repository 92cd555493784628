/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a generated model on QEMU's Armv8-M machines: samples from the file samples.bin of QEMU's working folder,
   answers to answers.bin, until the samples end; then the bytes of stack that one inference took, four bytes.
   A sample is what all outputs are to hold before the inference and then the bytes of all inputs, an answer those of
   all outputs, in the model's order. Nothing of one inference is left in the arena for the next.
   Files come from semihosting (Arm's semihosting specification, SYS_OPEN and others). QEMU reads the first stack
   pointer and mcuq_qemu_reset from the first two words of memory; mcuq/emulate/qemu_cpu.py puts them there.
   QEMU_START, if any, gives the model its weights. qemu_model.h, from the same module, names the model. */

#include "qemu_model.h"

#include <stddef.h>
#include <stdint.h>

#ifndef QEMU_START
#define QEMU_START() 0
#endif

enum { SYS_OPEN = 1, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18, READ_BINARY = 1, WRITE_BINARY = 5 };
enum { ENDED_WELL = 0x20026, ENDED_BADLY = 0x20023 }; /* ADP_Stopped_ApplicationExit, ..._RunTimeErrorUnknown */
enum { PAINT = 0xa5 };

extern unsigned char mcuq_stack_bottom[];
void mcuq_qemu_reset(void);
void mcuq_qemu_fault(void);
uint32_t mcuq_qemu_run_model(void);
void mcuq_qemu_main(void);

static const size_t tensor_bytes[QEMU_TENSORS] = QEMU_TENSOR_BYTES;
static const size_t arena_bytes[QEMU_ARENAS] = QEMU_ARENA_BYTES;

static int32_t semihosting(int32_t operation, const void *block)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void stop(uint32_t reason)
{
    for (;;) {
        semihosting(SYS_EXIT, (const void *)reason);
    }
}

static int32_t open_file(const char *name, uint32_t name_bytes, uint32_t mode)
{
    const uint32_t block[3] = {(uint32_t)name, mode, name_bytes};

    return semihosting(SYS_OPEN, block);
}

/* Bytes that were not transferred. */
static int32_t transfer(int32_t operation, int32_t file, void *data, size_t n_bytes)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)data, n_bytes};

    return semihosting(operation, block);
}

/* Every exception. */
void mcuq_qemu_fault(void) { stop(ENDED_BADLY); }

static void (*const vectors[16])(void) __attribute__((aligned(128))) = {
    0,
    mcuq_qemu_reset,
    mcuq_qemu_fault,
    mcuq_qemu_fault,
    mcuq_qemu_fault,
    mcuq_qemu_fault,
    mcuq_qemu_fault,
    mcuq_qemu_fault,
};

/* The only caller of the model: counting ends where the program counter is back in here. Returns how far below
   this function's own stack the model wrote. */
__attribute__((noinline)) uint32_t mcuq_qemu_run_model(void)
{
    unsigned char *top;
    volatile unsigned char *lowest = mcuq_stack_bottom;

    __asm__ volatile("mov %0, sp" : "=r"(top));
    while (lowest < top) {
        *lowest++ = PAINT;
    }
    QEMU_RUN();
    lowest = mcuq_stack_bottom;
    while (lowest < top && *lowest == PAINT) {
        lowest++;
    }
    return (uint32_t)(top - lowest);
}

void mcuq_qemu_main(void)
{
    void *const tensor[QEMU_TENSORS] = QEMU_TENSOR_ADDRESSES;
    volatile unsigned char *const arena[QEMU_ARENAS] = QEMU_ARENA_ADDRESSES;
    const int32_t in = open_file("samples.bin", 11, READ_BINARY);
    const int32_t out = open_file("answers.bin", 11, WRITE_BINARY);
    uint32_t stack_bytes = 0;

    if (QEMU_START() != 0) {
        stop(ENDED_BADLY);
    }
    for (unsigned char poison = 0xa5;; poison ^= 0xff) {
        for (size_t i = 0; i < QEMU_ARENAS; i++) {
            for (size_t k = 0; k < arena_bytes[i]; k++) {
                arena[i][k] = poison;
            }
        }
        /* Inputs last: they may lie where outputs do. */
        for (size_t k = 0; k < QEMU_TENSORS; k++) {
            const size_t i = (QEMU_INPUTS + k) % QEMU_TENSORS;
            const int32_t missing = transfer(SYS_READ, in, tensor[i], tensor_bytes[i]);
            if (missing == (int32_t)tensor_bytes[i] && k == 0) {
                transfer(SYS_WRITE, out, &stack_bytes, sizeof stack_bytes);
                stop(ENDED_WELL);
            }
            if (missing != 0) {
                stop(ENDED_BADLY);
            }
        }
        stack_bytes = mcuq_qemu_run_model();
        for (size_t i = QEMU_INPUTS; i < QEMU_TENSORS; i++) {
            if (transfer(SYS_WRITE, out, tensor[i], tensor_bytes[i]) != 0) {
                stop(ENDED_BADLY);
            }
        }
    }
}

/* CPACR (0xe000ed88): access to the FPU's registers, which MVE's are; VTOR (0xe000ed08): the exceptions above. */
__attribute__((naked)) void mcuq_qemu_reset(void)
{
    __asm__ volatile("movw r0, #0xed08\n\t"
                     "movt r0, #0xe000\n\t"
                     "ldr r1, 1f\n\t"
                     "str r1, [r0]\n\t"
                     "ldr r1, [r0, #0x80]\n\t"
                     "orr r1, r1, #0xf00000\n\t"
                     "str r1, [r0, #0x80]\n\t"
                     "dsb\n\t"
                     "isb\n\t"
                     "bl mcuq_qemu_main\n\t"
                     ".p2align 2\n"
                     "1: .word %c0\n\t"
                     :
                     : "i"(vectors));
}
