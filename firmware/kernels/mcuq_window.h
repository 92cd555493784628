/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the window of a convolution or pooling leaves its image. The generator copies the functions a model uses into
 * its C file.
 */
#ifndef MCUQ_WINDOW_H
#define MCUQ_WINDOW_H

#include <stdint.h>

/* item mcuq_taps_before: code 41 */
/* How many of a row or column of `kernel` taps lie before `position`, the first at 0, the others `dilation` apart. */
static inline int32_t mcuq_taps_before(int32_t position, int32_t dilation, int32_t kernel)
{
    int32_t count = 0;
    while (count < kernel && count * dilation < position)
        count++;
    return count;
}

#endif
