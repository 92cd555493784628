"""Portable fully connected layers of which input or output, or both, have 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import S16Constants, requantized_s16
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class FullyConnectedS16Constants(S16Constants):
    """Matrix times vector, row by row."""

    template = "portable/fully_connected_s16"

    rows: int
    in_features: int
    out_features: int


def lower_fully_connected_s16(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are, one row of them an output."""
    x, weight, bias = layer.inputs
    bound, requant = accumulator_bound(layer), layer_requantization(layer)
    constants = FullyConnectedS16Constants(
        **requantized_s16(op, layer, requant, bound),
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=weight.shape[0],
    )
    arrays = {"weight": weight.values, "bias": bias.values, "multiplier": np.array(requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, bound=bound),)
