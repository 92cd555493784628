/* SPDX-License-Identifier: Apache-2.0 */
/* Called by Unicorn at every entry of a basic block; mcuq/emulate/block_counts.py compiles and registers it.
   A call of Python instead would cost half a microsecond and more per block. */

#include <stdint.h>

/* Laid out as _Counts in block_counts.py; slot i belongs to the block that starts at first_address + 2 i. */
struct counts {
    uint64_t first_address;
    uint64_t n_slots;
    uint64_t *count;
    uint32_t *block_bytes;
    uint64_t *left;      /* how often it was left for elsewhere than the code behind it */
    uint64_t last_slot;  /* the block that ran last; n_slots: none yet */
    uint64_t unexpected; /* blocks outside of the code, or of another length than last time */
};

void mcuq_count_block(void *engine, uint64_t address, uint32_t block_bytes, struct counts *counts);

void mcuq_count_block(void *engine, uint64_t address, uint32_t block_bytes, struct counts *counts) {
    /* Below first_address this wraps to a number beyond n_slots. */
    const uint64_t slot = (address - counts->first_address) / 2;
    const uint64_t last = counts->last_slot;

    (void)engine;
    if (slot >= counts->n_slots) {
        counts->unexpected++;
        return;
    }
    if (counts->block_bytes[slot] != block_bytes && counts->count[slot] > 0) {
        counts->unexpected++;
    }
    if (last < counts->n_slots && last + counts->block_bytes[last] / 2 != slot) {
        counts->left[last]++;
    }
    counts->last_slot = slot;
    counts->block_bytes[slot] = block_bytes;
    counts->count[slot]++;
}
