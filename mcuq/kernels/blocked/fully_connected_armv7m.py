"""FullyConnected for Cortex-M3: eight outputs at a time, four products in three multiplications (mcuq_quads.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.blocked.conv2d import short_requantized
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization

SUM_MIN, SUM_MAX = -(2**23), 2**23 - 1


@dataclass(frozen=True)
class Armv7mFullyConnectedConstants(Constants):
    """Matrix times vector, eight outputs at a time; `part_features` inputs, and then the rest, are summed at once."""

    template = "blocked/fully_connected_armv7m"

    rows: int
    in_features: int
    out_features: int
    part_features: int
    y_zero_point: int
    is_narrow: int
    shift: int
    output_min: int
    output_max: int


def lower_armv7m_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights become words (see `pack_quads`)."""
    x, weight, bias = layer.inputs
    constants = Armv7mFullyConnectedConstants(
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=weight.shape[0],
        part_features=longest_part(weight.values),
        **short_requantized(op, layer),
    )
    arrays = {
        "weight": pack_quads(weight.values),
        "bias": bias.values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)


def longest_part(weight: Array) -> int:
    """How many inputs of int8 `weight` (outputs, inputs) are summed at once: as few parts as give sums of x * weight
    in [-2^23, 2^23) for all int8 x. 511 inputs always do."""
    inputs: int = weight.shape[1]
    w = weight.astype(np.int64)
    high, low = np.maximum(-128 * w, 127 * w), np.minimum(-128 * w, 127 * w)
    parts, length = 1, inputs
    while _part_sums(high, length).max() > SUM_MAX or _part_sums(low, length).min() < SUM_MIN:
        parts += 1
        length = -(-inputs // parts)
    return length


def _part_sums(terms: Array, length: int) -> Array:
    """Sums of each `length` columns; the last of what is left."""
    sums: Array = np.add.reduceat(terms, range(0, terms.shape[1], length), axis=1)
    return sums


def pack_quads(weight: Array) -> Array:
    """int32 words of int8 `weight` (outputs, inputs), each of four outputs, the first in the lowest byte, 128 added to
    each: for each eight outputs and each input two words, and one for each input at the end where four outputs or
    fewer are left. Outputs are filled up with zeros."""
    padded = np.pad(weight, ((0, -len(weight) % 4), (0, 0)))
    words = np.ascontiguousarray(padded.reshape(-1, 4, weight.shape[1]).transpose(0, 2, 1)).view("<u4")[..., 0]
    # (fours, inputs) -> for each two fours (inputs, 2)
    blocks = [words[start : start + 2].T.reshape(-1) for start in range(0, len(words), 2)]
    return (np.concatenate(blocks) ^ 0x80808080).astype(np.uint32).view(np.int32)
