/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of QEMU: counts how often each block of translated code runs from the first arrival at an address until
   execution is back in a range of addresses, once. mcuq/emulate/qemu_cpu.py compiles it.
   Arguments: start=ADDRESS, home=FIRST, end=BEYOND (hexadecimal), and mark=FIRST-BEYOND for each function at whose
   calls the counts are divided. Writes blocks.txt in the working folder: a line "address instructions count" for each
   block that ran. (No lengths in bytes: QEMU 7.2 is wrong about them at the end of a page.) At each call of a marked
   function, the counts until then stand above a line "mark FIRST".
   The interface is declared here because Debian packages QEMU without qemu-plugin.h; it is QEMU's documented plugin
   ABI (docs/devel/tcg-plugins.rst), of which only functions that all versions share are used. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif

/* Weak, because a linker may refuse what is defined only in the program that loads the plugin. */
#define QEMU_API __attribute__((weak)) extern

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
typedef void (*on_translation)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*on_execution)(unsigned int cpu, void *block);
typedef void (*on_exit)(plugin_id id, void *data);

QEMU_API void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, on_translation call);
QEMU_API void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, on_execution call, int flags, void *data);
QEMU_API void qemu_plugin_register_atexit_cb(plugin_id id, on_exit call, void *data);
QEMU_API size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
QEMU_API uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

__attribute__((visibility("default"))) extern int qemu_plugin_version;
int qemu_plugin_version = QEMU_PLUGIN_VERSION;
__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

struct block {
    uint64_t address;
    size_t n_instructions;
    uint64_t count;
    struct block *next;
};

enum { BEFORE, COUNTING, AFTER };
enum { MOST_MARKS = 1024 };

static struct block *blocks;
static uint64_t start, home, end;
static int state = BEFORE;
static uint64_t mark_first[MOST_MARKS], mark_beyond[MOST_MARKS];
static size_t n_marks;
static uint64_t previous; /* the block that ran last */
static FILE *file;

static void write_counts(void)
{
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        if (block->count > 0) {
            fprintf(file, "%llu %zu %llu\n", (unsigned long long)block->address, block->n_instructions,
                    (unsigned long long)block->count);
        }
    }
}

static void divide(uint64_t address)
{
    for (size_t i = 0; i < n_marks; i++) {
        /* A loop back to a function's first instruction is no call. */
        if (mark_first[i] == address && (previous < address || previous >= mark_beyond[i])) {
            write_counts();
            fprintf(file, "mark %llu\n", (unsigned long long)address);
        }
    }
}

static void execute(unsigned int cpu, void *data)
{
    struct block *block = data;

    (void)cpu;
    if (state == BEFORE && block->address == start) {
        state = COUNTING;
    } else if (state == COUNTING && block->address >= home && block->address < end) {
        state = AFTER;
    }
    if (state == COUNTING) {
        divide(block->address);
        block->count++;
        previous = block->address;
    }
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block);

    (void)id;
    if (block == NULL) {
        abort();
    }
    block->address = qemu_plugin_tb_vaddr(tb);
    block->n_instructions = qemu_plugin_tb_n_insns(tb);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, execute, 0, block);
}

static void report(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    write_counts();
    fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "start=", 6) == 0) {
            start = strtoull(argv[i] + 6, NULL, 16);
        } else if (strncmp(argv[i], "home=", 5) == 0) {
            home = strtoull(argv[i] + 5, NULL, 16);
        } else if (strncmp(argv[i], "end=", 4) == 0) {
            end = strtoull(argv[i] + 4, NULL, 16);
        } else if (strncmp(argv[i], "mark=", 5) == 0 && n_marks < MOST_MARKS) {
            char *beyond;
            mark_first[n_marks] = strtoull(argv[i] + 5, &beyond, 16);
            mark_beyond[n_marks++] = strtoull(beyond + 1, NULL, 16);
        } else {
            return -1;
        }
    }
    file = fopen("blocks.txt", "w");
    if (file == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
