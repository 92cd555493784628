/* SPDX-License-Identifier: Apache-2.0
 *
 * What front ends of sensors (docs/sensors.md) compute: mcuq/front_end/sensor.py has what gives the same bits. The
 * generator copies the functions a front end uses into its C file.
 */
#ifndef MCUQ_SENSOR_H
#define MCUQ_SENSOR_H

#include <stdint.h>

/* item mcuq_biquad_state, mcuq_biquad: code 190 */
/* What a filter of second order keeps of a channel: its last inputs and outputs, and what was cut off. */
typedef struct {
    int32_t x1, x2, y1, y2;
    uint32_t rest;
} mcuq_biquad_state;

/* The next value: coefficients b0, b1, b2, a1, a2 in 2^-30, |x| and values below 2^29, so that a sum is below 2^63. What
 * is cut off of a sum is added to the next, so that a constant stays one. */
static inline int32_t mcuq_biquad(int32_t x, const int32_t *coefficients, mcuq_biquad_state *state)
{
    int64_t total = (int64_t)coefficients[0] * x + state->rest;
    total += (int64_t)coefficients[1] * state->x1 + (int64_t)coefficients[2] * state->x2;
    total -= (int64_t)coefficients[3] * state->y1 + (int64_t)coefficients[4] * state->y2;
    const int64_t value = total >> 30;
    const int64_t above = value < -536870911 ? -536870911 : value;
    const int32_t y = (int32_t)(above > 536870911 ? 536870911 : above);

    state->rest = (uint32_t)total & 0x3fffffffu;
    state->x2 = state->x1;
    state->x1 = x;
    state->y2 = state->y1;
    state->y1 = y;
    return y;
}

#endif
