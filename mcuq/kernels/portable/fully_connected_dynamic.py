"""Fully connected layers of integer weights between floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.float_weights import dynamic_bound, weight_scales
from mcuq.ops.fully_connected import FullyConnected


@dataclass(frozen=True)
class FullyConnectedDynamicConstants(Constants):
    """Portable matrix of integers times vectors that are quantized at each inference."""

    template = "portable/fully_connected_dynamic"
    computes_in_float = True

    rows: int
    in_features: int
    out_features: int
    minimum: float
    maximum: float


def lower_fully_connected_dynamic(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch is one row of inputs as int16, less their zero point."""
    x, weight, bias = layer.inputs
    constants = FullyConnectedDynamicConstants(
        x.shape[0], x.shape[1], layer.output.shape[1], float32(op.minimum), float32(op.maximum)
    )
    arrays = {"weight": weight.values, "weight_scale": np.array(weight_scales(layer)), "bias": bias.values}
    return (Call(constants, arrays=arrays, scratch_bytes=2 * x.shape[1], bound=dynamic_bound(layer)),)
