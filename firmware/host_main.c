/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a generated model on the computer: samples from stdin, answers to stdout, until stdin ends.
   A sample is what all outputs are to hold before the inference and then the bytes of all inputs, an answer those of
   all outputs, in the model's order. Nothing of one inference is left in the arena for the next.
   The parts of the arena and each tensor are allocated on their own and exactly as large as the model says, so that
   AddressSanitizer sees an access one byte beyond. HOST_START, if any, gives the model its weights. host_model.h, from
   mcuq/build/host_program.py, names the model. */

#include "host_model.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#ifndef HOST_START
#define HOST_START() 0
#endif

enum { ENDED_WELL = 0, NO_MEMORY = 2, BROKEN_STREAM = 3, REFUSED_WEIGHTS = 4 };

static const size_t tensor_bytes[HOST_TENSORS] = HOST_TENSOR_BYTES;
static const size_t arena_bytes[HOST_ARENAS] = HOST_ARENA_BYTES;

static int run_all(void **arena, void **tensor) {
    for (unsigned char poison = 0xa5;; poison ^= 0xff) {
        for (size_t k = 0; k < HOST_TENSORS; k++) {
            size_t i = (HOST_INPUTS + k) % HOST_TENSORS;
            size_t got = fread(tensor[i], 1, tensor_bytes[i], stdin);
            if (got == 0 && k == 0) {
                return ENDED_WELL;
            }
            if (got != tensor_bytes[i]) {
                return BROKEN_STREAM;
            }
        }
        for (size_t i = 0; i < HOST_ARENAS; i++) {
            memset(arena[i], poison, arena_bytes[i]);
        }
        HOST_RUN(arena, tensor);
        for (size_t i = HOST_INPUTS; i < HOST_TENSORS; i++) {
            if (fwrite(tensor[i], 1, tensor_bytes[i], stdout) != tensor_bytes[i]) {
                return BROKEN_STREAM;
            }
        }
    }
}

int main(void) {
    void *tensor[HOST_TENSORS];
    void *arena[HOST_ARENAS];
    int ended = ENDED_WELL;

#ifdef _WIN32
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
#endif
    for (size_t i = 0; i < HOST_ARENAS; i++) {
        arena[i] = malloc(arena_bytes[i]);
        if (arena[i] == NULL) {
            ended = NO_MEMORY;
        }
    }
    for (size_t i = 0; i < HOST_TENSORS; i++) {
        tensor[i] = malloc(tensor_bytes[i]);
        if (tensor[i] == NULL) {
            ended = NO_MEMORY;
        }
    }
    if (ended == ENDED_WELL && HOST_START() != 0) {
        ended = REFUSED_WEIGHTS;
    }
    if (ended == ENDED_WELL) {
        ended = run_all(arena, tensor);
    }
    for (size_t i = 0; i < HOST_TENSORS; i++) {
        free(tensor[i]);
    }
    for (size_t i = 0; i < HOST_ARENAS; i++) {
        free(arena[i]);
    }
    return ended;
}
