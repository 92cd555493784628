"""What kernels with float weights, and those of inputs quantized on the device, are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Constants

# What layers with float weights read and write, and the storages of their constants.
FLOAT_ACTIVATIONS = frozenset({"int8", "int16", "float32"})
# Of layers with integer weights whose inputs are quantized on the device.
DYNAMIC_CONSTANTS = frozenset({"int8", "float32"})


def stored_weights(weight: Tensor, values: Array) -> Array:
    """`values` of the weight, in any order, as C has them: float16 as bits."""
    ordered = np.ascontiguousarray(values)
    return ordered.view(np.uint16) if weight.dtype == "float16" else ordered


@dataclass(frozen=True)
class FloatConstants(Constants):
    """What kernels with float weights need beside their sizes.

    Inputs are (x - x_zero_point) * x_scale; of floats x_zero_point is 0 and x_scale 1, which is no operation.
    Sums become y by limits and, where it is of integers, mcuq_quantize_float.
    """

    computes_in_float = True

    x_type: str
    weight_type: str
    y_type: str
    x_scale: float
    x_zero_point: int
    weights_are_half: int
    y_is_float: int
    minimum: float
    maximum: float
    y_inverse_scale: float
    y_zero_point: int
    output_min: int
    output_max: int


def float_layer_constants(op: Clamped, layer: Layer) -> dict[str, object]:
    """The fields of FloatConstants."""
    x, weight, y = layer.inputs[0], layer.inputs[1], layer.output
    output_min, output_max = (0, 0) if y.quant is None else op.output_bounds(y)
    return {
        "x_type": C_TYPES[x.dtype],
        "weight_type": C_TYPES[weight.dtype],
        "y_type": C_TYPES[y.dtype],
        "x_scale": 1.0 if x.quant is None else float32(x.scale),
        "x_zero_point": 0 if x.quant is None else x.zero_point,
        "weights_are_half": int(weight.dtype == "float16"),
        "y_is_float": int(y.quant is None),
        "minimum": float32(op.minimum),
        "maximum": float32(op.maximum),
        "y_inverse_scale": 1.0 if y.quant is None else float32(1 / y.scale),
        "y_zero_point": 0 if y.quant is None else y.zero_point,
        "output_min": output_min,
        "output_max": output_max,
    }
