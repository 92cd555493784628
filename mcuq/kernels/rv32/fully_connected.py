"""Fully connected layers on RV32IM: sixteen outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import by_matrix_rows
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization

BLOCKS = (16, 4, 1)  # outputs at a time, as long as there are so many


@dataclass(frozen=True)
class FullyConnectedRv32Constants(RequantizedConstants):
    """Matrix times vector, sixteen, then four, then single outputs."""

    template = "rv32/fully_connected"

    rows: int
    in_features: int
    out_features: int


def lower_fully_connected_rv32(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights as `in_blocks` packs them."""
    requant = layer_requantization(layer)
    x, y = layer.inputs[0], layer.output
    constants = FullyConnectedRv32Constants(
        **requantized(op, requant, y), rows=x.shape[0], in_features=x.shape[1], out_features=y.shape[1]
    )
    arrays = {
        "weight": in_blocks(layer.inputs[1].values),
        "bias": layer.inputs[2].values,
        "multiplier": np.array(requant.multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer), below=by_matrix_rows(x, y)),)


def in_blocks(weight: Array) -> Array:
    """Weights (outputs, inputs) in the order in which they are used: in each block of outputs, input by input."""
    parts = []
    first = 0
    for size in BLOCKS:
        last = first + (len(weight) - first) // size * size
        parts.append(weight[first:last].reshape(-1, size, weight.shape[1]).transpose(0, 2, 1).reshape(-1))
        first = last
    return np.concatenate(parts)
