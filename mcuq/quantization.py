"""From a real range to a scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np

from mcuq.tensor import Quant

# Below this a step's inverse leaves float32; a tensor that small is zero for every purpose.
SMALLEST_STEP = 1e-30


@dataclass(frozen=True)
class WeightOptions:
    """Limits on the scales of weights: one for each output channel or one for all, any value or powers of two."""

    per_channel: bool = True
    power_of_two: bool = False


@dataclass(frozen=True)
class ActivationOptions:
    """Limits on the quantization of activations: zero point free or 0, any scale or powers of two."""

    symmetric: bool = False
    power_of_two: bool = False


ANY_WEIGHTS = WeightOptions()
ANY_ACTIVATIONS = ActivationOptions()


def quant_for_range(low: float, high: float, options: ActivationOptions = ANY_ACTIVATIONS) -> Quant:
    """int8 over [low, high], widened so that 0 is a code; 256 levels.

    The zero point is an integer, so the range moves by up to half a step. A symmetric one holds both ends, with the
    larger magnitude at 127. A power of two is the smallest that holds the range. [0, 0] gets the scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = max(-low, high) / 127 if options.symmetric else (high - low) / 255
    if step < SMALLEST_STEP:
        return Quant((1.0,), 0)
    if options.power_of_two:
        step = power_of_two_above(step)
    if options.symmetric:
        return Quant((step,), 0)
    zero_point = int(np.clip(np.floor(-128 - low / step + 0.5), -128, 127))
    return Quant((step,), zero_point)


def power_of_two_above(scale: float) -> float:
    """The smallest power of two that is not below a positive scale."""
    return float(2.0 ** ceil(log2(scale)))
