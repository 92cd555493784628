/* Flash in memory at the slots' address, from which the power is cut at a step: a word that is written or a page that is
   erased is then left in the middle, some bits changed and others not. */

#ifndef MCUQ_CUTTING_FLASH_H
#define MCUQ_CUTTING_FLASH_H

#include "../../firmware/slots/flash.h"
#include "xorshift.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { FOR_EVER = -1 };

static long steps_left = FOR_EVER; /* before the power goes; FOR_EVER: it stays */
static jmp_buf power_cut;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Whether this step is the one in which the power goes. */
static int is_last_step(void)
{
    return steps_left != FOR_EVER && steps_left-- == 0;
}

void mcuq_flash_erase_page(uint32_t address)
{
    uint32_t *word = (uint32_t *)(uintptr_t)address;
    const int is_last = is_last_step();
    const uint32_t sparse = random_u32() & random_u32() & random_u32();

    for (uint32_t i = 0; i < MCUQ_PAGE_BYTES / 4; i++)
        word[i] |= is_last ? random_u32() & sparse : UINT32_C(0xffffffff);
    if (is_last)
        longjmp(power_cut, 1);
}

void mcuq_flash_write_word(uint32_t address, uint32_t word)
{
    const int is_last = is_last_step();

    *(uint32_t *)(uintptr_t)address &= is_last ? word | random_u32() : word;
    if (is_last)
        longjmp(power_cut, 1);
}

static void map_flash(uint32_t address, uint32_t n_bytes)
{
    void *const wanted = (void *)(uintptr_t)address;

    if (mmap(wanted, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != wanted)
        fail("no memory at the slot's address");
}

#endif
