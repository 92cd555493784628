/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers that run row by row: which rows a layer can make now, and where they and those that it reads lie. The generator
 * copies the functions a model uses into its C file.
 */
#ifndef MCUQ_ROWS_H
#define MCUQ_ROWS_H

#include "mcuq_copy.h"

#include <stdint.h>

/* item mcuq_move_down: needs mcuq_copy_bytes; code 128 */
/* Bytes move to a lower address, from the first to the last. */
static inline void mcuq_move_down(int8_t *to, const int8_t *from, int32_t n_bytes)
{
#if defined(__GNUC__) && defined(__thumb__)
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0)
        for (; n_bytes >= 32; n_bytes -= 32)
            __asm__ volatile("ldmia %1!, {r3, r4, r5, r6}\n\t"
                             "stmia %0!, {r3, r4, r5, r6}\n\t"
                             "ldmia %1!, {r3, r4, r5, r6}\n\t"
                             "stmia %0!, {r3, r4, r5, r6}"
                             : "+l"(to), "+l"(from)
                             :
                             : "r3", "r4", "r5", "r6", "memory");
#endif
    mcuq_copy_bytes(to, from, n_bytes);
}

/* item mcuq_row_layer, mcuq_band, mcuq_next_band: needs mcuq_move_down, MCUQ_NOINLINE; stack 16; code 551 */
/* A layer: bytes of a row of its inputs and its output, the numbers of these tensors (x2 is below 0 where there is one
 * input; it has the output's rows), the rows of x and y in all, the windows on x, how many rows are made at a time and
 * how many of them are held; and the reader of the oldest of these: its output, the rows of that in all, its windows. */
typedef struct {
    int32_t x_row, x2_row, y_row;
    int16_t x, x2, y, x_rows, y_rows, extent, stride, begin, band, held;
    int16_t reader, reader_rows, reader_stride, reader_begin;
} mcuq_row_layer;

/* Where a layer reads and writes, in bytes from the first row of each tensor that is held; and how many rows it reads,
 * how many it makes, how many of padding lie above them, and how many were made before. */
typedef struct {
    int32_t x, x2, y;
    int16_t rows[4];
} mcuq_band;

/* Whether the rows are there that the layer needs for its next band. `state` has the first row that is held of each
 * tensor, and the number of rows that were made of it; `y` is where held rows of the output lie: those that are still to
 * be read move to its front when there is no room behind them. */
MCUQ_NOINLINE
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noclone))
#endif
static int mcuq_next_band(const mcuq_row_layer *layer, int16_t *state, int8_t *y, mcuq_band *band)
{
    int16_t *const out = state + 2 * layer->y;
    const int16_t *const in = state + 2 * layer->x, *const in2 = layer->x2 < 0 ? 0 : state + 2 * layer->x2;
    const int32_t made = out[1], left = layer->y_rows - made;
    const int32_t rows = left < layer->band ? left : layer->band;
    const int32_t top = made * layer->stride - layer->begin;
    const int32_t bottom = top + (rows - 1) * layer->stride + layer->extent;
    const int32_t start = top < 0 ? 0 : top, end = bottom < layer->x_rows ? bottom : layer->x_rows;
    if (rows == 0 || in[1] < end || (in2 && in2[1] < made + rows))
        return 0;
    if (made + rows - out[0] > layer->held) {
        const int32_t read = state[2 * layer->reader + 1];
        int32_t oldest = read * layer->reader_stride - layer->reader_begin;
        if (oldest < 0)
            oldest = 0;
        if (oldest > made || read == layer->reader_rows)
            oldest = made;
        mcuq_move_down(y, y + (oldest - out[0]) * layer->y_row, (made - oldest) * layer->y_row);
        out[0] = (int16_t)oldest;
    }
    band->x = (start - in[0]) * layer->x_row;
    if (in2)
        band->x2 = (made - in2[0]) * layer->x2_row;
    band->y = (made - out[0]) * layer->y_row;
    band->rows[0] = (int16_t)(end - start);
    band->rows[1] = (int16_t)rows;
    band->rows[2] = (int16_t)(start - top);
    band->rows[3] = (int16_t)made;
    out[1] = (int16_t)(made + rows);
    return 1;
}

#endif
