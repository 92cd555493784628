"""From a real range to a scale and zero point."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np

from mcuq.graph.tensor import Quant

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


def quant_for_range(
    low: float, high: float, dtype: str = "int8", options: ActivationOptions = ANY_ACTIVATIONS
) -> Quant:
    """Integers of `dtype` over [low, high], widened so that 0 is a code.

    int8 is asymmetric unless `options` say otherwise: 256 levels; the zero point is an integer, so the range moves by
    up to half a step. int16 is symmetric, from -32767, as its zero point costs kernels more than the bit that it may
    save. A symmetric range holds both ends, with the larger magnitude at the greatest integer. A power of two is the
    smallest that holds the range. [0, 0] gets the scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    info = np.iinfo(dtype)
    is_symmetric = dtype == "int16" or options.symmetric
    middle = int(info.min + info.max + 1) // 2  # 0, and 128 for uint8
    step = max(-low, high) / (info.max - middle) if is_symmetric else (high - low) / (info.max - info.min)
    if step < SMALLEST_STEP:
        return Quant((1.0,), middle if dtype == "uint8" else 0, dtype)
    if options.power_of_two:
        step = power_of_two_above(step)
    if is_symmetric:
        return Quant((step,), middle, dtype)
    zero_point = int(np.clip(np.floor(info.min - low / step + 0.5), info.min, info.max))
    return Quant((step,), zero_point, dtype)


def with_dtype(quant: Quant, dtype: str, options: ActivationOptions = ANY_ACTIVATIONS) -> Quant:
    """The quantization in a type that expresses the same range: the same steps between int8 and uint8.

    One of int16 that has a zero point, as files state them, becomes one about 0, which has no more than half as fine
    steps.
    """
    if quant.dtype == dtype and not (dtype == "int16" and quant.zero_point):
        return quant
    if {quant.dtype, dtype} == {"int8", "uint8"}:
        return Quant(quant.scale, quant.zero_point + (128 if dtype == "uint8" else -128), dtype)
    return quant_for_range(*quant.real_bounds, dtype, options)


def power_of_two_above(scale: float) -> float:
    """The smallest power of two that is not below a positive scale."""
    return float(2.0 ** ceil(log2(scale)))
