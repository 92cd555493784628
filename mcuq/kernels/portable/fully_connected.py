"""Portable matrix times vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class FullyConnectedConstants(RequantizedConstants):
    """Portable matrix times vector, row by row."""

    template = "portable/fully_connected"

    rows: int
    in_features: int
    out_features: int


def lower_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are: one row an output."""
    requant = layer_requantization(layer)
    x, y = layer.inputs[0], layer.output
    constants = FullyConnectedConstants(
        **requantized(op, requant, y), rows=x.shape[0], in_features=x.shape[1], out_features=y.shape[1]
    )
    arrays = {
        "weight": layer.inputs[1].values,
        "bias": layer.inputs[2].values,
        "multiplier": np.array(requant.multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)
