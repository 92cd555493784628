"""LogSoftmax of int16 along the last dimension, in integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.errors import QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.softmax_s16 import exponentials_s16, normalized

INTERVALS = 256  # of the logarithm between 1 and 2; linear in between is within 1.9e-6 of it
EXPONENTIAL_BITS = 28  # what exponentials_s16 gives


@dataclass(frozen=True)
class Parameters:
    """q = (2^(shift-1) - distance * factor - (logarithm << spare)) >> shift; logarithms int32 (257) of 1 to 2."""

    factor: int
    ln2: int
    shift: int
    spare: int
    logarithms: Array


def parameters(layer: Layer) -> Parameters:
    """As fine as int32 allows. Raises QuantizationError where scales are too far apart for it."""
    x, y = layer.inputs[0].scale, layer.output.scale
    shift = next((s for s in range(30, 0, -1) if round(x / y * 2**s) <= INT32_MAX), 0)
    fine = next((s for s in range(shift, 0, -1) if log(2) / y * 2**s <= 2**30), 0)
    if fine == 0:
        raise QuantizationError(
            f"{layer.where}: input scale {x:g} and output scale {y:g} are too far apart for int32; "
            "check the calibration data"
        )
    nodes = np.log1p(np.arange(INTERVALS + 1) / INTERVALS)
    unit = 2.0**fine / y
    logarithms = np.rint(nodes * unit).astype(np.int32)
    return Parameters(round(x / y * 2**shift), round(log(2) * unit), shift, shift - fine, logarithms)


def log_softmax_s16(x: Array, layer: Layer) -> Array:
    """-distance - ln(total), in steps of y. The total's logarithm is that of its leading 24 bits."""
    p = parameters(layer)
    distance, _, total = exponentials_s16(x, layer)
    bits, mantissa = normalized(total)
    index, fraction = (mantissa >> 22) & 255, (mantissa >> 6) & 65535
    table = p.logarithms.astype(np.int64)
    logarithm = table[index] + (((table[index + 1] - table[index]) * fraction) >> 16)
    logarithm += (bits - 1 - EXPONENTIAL_BITS) * p.ln2
    q = ((1 << (p.shift - 1)) - distance * p.factor - (logarithm << p.spare)) >> p.shift
    return np.asarray(np.clip(q, *layer.output.quantization.bounds), np.int16)
