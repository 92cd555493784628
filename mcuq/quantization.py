"""From a real range to a scale and zero point."""

from __future__ import annotations

import numpy as np

from mcuq.tensor import Quant

# Below this a step's inverse leaves float32; a tensor that small is zero for every purpose.
SMALLEST_STEP = 1e-30


def quant_for_range(low: float, high: float, dtype: str = "int8") -> Quant:
    """Integers of `dtype` over [low, high], widened so that 0 is a code.

    int8 is asymmetric: 256 levels; the zero point is an integer, so the range moves by up to half a step. int16 is
    symmetric, from -32767, as its zero point costs kernels more than the bit that it may save. [0, 0] gets the scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    info = np.iinfo(dtype)
    step = max(-low, high) / info.max if dtype == "int16" else (high - low) / (info.max - info.min)
    if step < SMALLEST_STEP:
        return Quant((1.0,), 0, dtype)
    if dtype == "int16":
        return Quant((step,), 0, dtype)
    zero_point = int(np.clip(np.floor(info.min - low / step + 0.5), info.min, info.max))
    return Quant((step,), zero_point, dtype)


def with_dtype(quant: Quant, dtype: str) -> Quant:
    """The quantization in another type that expresses the same range: the same steps between int8 and uint8."""
    if quant.dtype == dtype:
        return quant
    if {quant.dtype, dtype} == {"int8", "uint8"}:
        return Quant(quant.scale, quant.zero_point + (128 if dtype == "uint8" else -128), dtype)
    return quant_for_range(*quant.real_bounds, dtype)
