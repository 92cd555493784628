"""A front end of sensors -> what its C files hold."""

from __future__ import annotations

import numpy as np

from mcuq.emit.front_end_files import Arrays, Parts
from mcuq.emit.port import Port
from mcuq.errors import ModelError
from mcuq.front_end.front_end import last_step
from mcuq.front_end.heard import HeldFrames
from mcuq.front_end.sensor import VALUE_MAX, Sensor

NEEDS = ("mcuq_biquad",)


def sensor_parts(front: Sensor, port: Port, held: HeldFrames, arguments: str, has_states: bool, model_id: str) -> Parts:
    """For an input `port` that holds frames as `held` says. `arguments` are those of the run function. Raises
    ModelError where inferences would pass over samples."""
    tensor = port.tensor
    if held.hop_frames > held.frames:
        raise ModelError(
            f"model '{model_id}': --front-end: hop_frames = {held.hop_frames}: is more than the {held.frames} frames "
            "that an inference takes"
        )
    last = last_step(front, tensor.scale, tensor.zero_point, tensor.quantization.bounds)
    arrays: Arrays = {"front_end_multipliers": ("int32_t", last.multipliers)}
    arrays["front_end_offsets"] = ("int64_t", last.offsets)
    biquads, taps = len(front.biquads), len(front.taps)
    if biquads:
        arrays["front_end_coefficients"] = ("int32_t", front.coefficients)
    if front.decimation > 1:
        arrays["front_end_taps"] = ("int16_t", front.taps)
    context = {
        "described": front.described(),
        "front": front,
        "input": port,
        "arguments": arguments,
        "has_states": has_states,
        "features_first": held.features_first,
        "frames": held.frames,
        "hop_frames": held.hop_frames,
        "is_streamed": held.full_frames > held.frames,
        "samples_per_inference": front.samples(held.hop_frames),
        "samples_until_first": front.samples(held.frames),
        "samples_until_full": front.samples(held.full_frames),
        "biquads": biquads,
        "taps": taps,
        "last": last,
        "most": VALUE_MAX,
    }
    words = 1 + 5 * biquads * front.channels + (taps * front.channels + 2 if front.decimation > 1 else 0)
    state_bytes = 4 * words + np.dtype(tensor.dtype).itemsize * held.frames * front.channels
    # Counted on Cortex-M4.
    a_sample = 24 + 47 * biquads + (21 if front.decimation == 1 else 8 + (9 * taps + 40) / front.decimation)
    instructions = round(a_sample * front.channels * front.sample_rate_hz)
    needs = NEEDS if biquads else ()
    return Parts("sensor", needs, arrays, context, state_bytes + -state_bytes % 4, instructions, "second")
