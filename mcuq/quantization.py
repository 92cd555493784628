"""From a real range to a scale and zero point."""

from __future__ import annotations

import numpy as np

from mcuq.tensor import Quant

# Below this a step's inverse leaves float32; a tensor that small is zero for every purpose.
SMALLEST_STEP = 1e-30


def quant_for_range(low: float, high: float) -> Quant:
    """Asymmetric int8 over [low, high], widened so that 0 is a code; 256 levels.

    The zero point is an integer, so the range moves by up to half a step. [0, 0] gets the scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255
    if step < SMALLEST_STEP:
        return Quant((1.0,), 0)
    zero_point = int(np.clip(np.floor(-128 - low / step + 0.5), -128, 127))
    return Quant((step,), zero_point)
