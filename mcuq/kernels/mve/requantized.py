"""What kernels for Armv8.1-M with MVE share: their requantization and how they want constants arranged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.int8 import Requantization
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Constants
from mcuq.ops.weighted import layer_requantization

MVE = frozenset({"mve"})
LANES = 16


@dataclass(frozen=True)
class RequantizedMveConstants(Constants):
    """What the vector requantization needs beside accumulators and multipliers."""

    y_zero_point: int
    shift: int
    output_min: int
    output_max: int


def requantized_mve(op: Clamped, layer: Layer) -> dict[str, int]:
    """The fields of RequantizedMveConstants for a layer with weights."""
    output_min, output_max = op.output_bounds(layer.output)
    return {
        "y_zero_point": layer.output.zero_point,
        "shift": layer_requantization(layer).shift,
        "output_min": output_min,
        "output_max": output_max,
    }


def has_one_high_word(requant: Requantization) -> bool:
    """Whether the upper word of acc * multiplier suffices: the vector kernels have no other form."""
    return requant.prescale == 0 and requant.shift >= 1


def sums_bytes(out_channels: int) -> int:
    """Scratch of mcuq_mve_dot_2x3: two biases and six sums for each pair of channels, in groups of 16 channels."""
    return -(-out_channels // LANES) * LANES * 16


def interleaved(multiplier: tuple[int, ...]) -> Array:
    """Multipliers in the order of mcuq_mve_requantize_sums: of 16 channels 0, 4, 8, 12, then 1, 5, 9, 13, ..."""
    padded = in_groups(np.array(multiplier, np.int32), LANES)
    return padded.reshape(-1, 4, 4).transpose(0, 2, 1).reshape(-1)


def in_groups(values: Array, channels: int) -> Array:
    """Values with zeros up to a multiple of `channels`."""
    return np.pad(values, (0, -len(values) % channels))
