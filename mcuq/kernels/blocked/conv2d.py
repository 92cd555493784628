"""Conv2d for CPUs without SIMD: blocks of 8 pixels, two products in one 32-bit multiplication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.requantized import requantized
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

NARROW = 2**20
LONGEST_GROUP = 127
LARGEST_SCRATCH_BYTES = 24576


@dataclass(frozen=True)
class ShortRequantizedConstants(WindowConstants):
    """What mcuq_requantize_short needs beside the accumulator and its multiplier, and a window."""

    y_zero_point: int
    is_narrow: int
    shift: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class BlockedConv2dConstants(ShortRequantizedConstants):
    """Convolution in one group."""

    template = "blocked/conv2d"

    in_channels: int
    out_channels: int
    x_zero_point: int


def takes_short_requantization(layer: Layer) -> bool:
    """Whether the high word of acc * multiplier and a shift of at least 1 give the output."""
    requant = layer_requantization(layer)
    return requant.prescale == 0 and requant.shift >= 1


def accepts_blocked(op: Conv2d, layer: Layer) -> bool:
    """Convolutions in one group whose block of 8 pixels is not too large."""
    return op.groups == 1 and _scratch_bytes(layer) <= LARGEST_SCRATCH_BYTES and takes_short_requantization(layer)


def short_requantized(op: Clamped, layer: Layer) -> dict[str, int]:
    """The fields of ShortRequantizedConstants beside the window's."""
    fields = requantized(op, layer_requantization(layer), layer.output)
    del fields["prescale"]
    return {**fields, "is_narrow": int(accumulator_bound(layer) < NARROW)}


def lower_blocked(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become groups (see `weight_groups`); each bias is stored for the first and the second of a pair."""
    x, weight, bias = layer.inputs
    taps = weight.elements // weight.shape[0]
    stream, groups = weight_groups(weight.values.reshape(weight.shape[0], taps))
    constants = BlockedConv2dConstants(
        **window_constants(op.window, x, layer.output),
        **short_requantized(op, layer),
        in_channels=x.shape[3],
        out_channels=layer.output.shape[3],
        x_zero_point=x.zero_point,
    )
    second = bias.values.astype(np.int64)
    pairs = np.stack([second - groups * 32768, second], axis=1)  # the first is summed modulo 2^32
    arrays = {
        "weight": stream,
        "bias": pairs.astype(np.uint32).view(np.int32),
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=_scratch_bytes(layer),
            bound=accumulator_bound(layer),
            below=by_pixels(op.window, layer.inputs[0], layer.output),
        ),
    )


def _scratch_bytes(layer: Layer) -> int:
    """Four pairs for each tap, and a pixel of padding."""
    x, weight, _ = layer.inputs
    return 16 * (weight.elements // weight.shape[0]) + x.shape[3]


def weight_groups(weight: Array) -> tuple[Array, Array]:
    """int8 groups of weights (O, K), each after its length, a 0 behind each channel; and groups of each channel.

    Groups are as long as the sum of weight * x over any part of one lies in [-32768, 32767] for all int8 x: that is
    what the lower half of a word holds.
    """
    stream: list[int] = []
    counts = []
    for row in weight.astype(int).tolist():
        groups: list[list[int]] = []
        high = low = 0
        for w in row:
            high, low = high + max(-128 * w, 127 * w), low + min(-128 * w, 127 * w)
            if not groups or high > 32767 or low < -32768 or len(groups[-1]) == LONGEST_GROUP:
                groups.append([])
                high, low = max(-128 * w, 127 * w), min(-128 * w, 127 * w)
            groups[-1].append(w)
        counts.append(len(groups))
        for group in groups:
            stream += [len(group), *group]
        stream.append(0)
    return np.array(stream, np.int8), np.array(counts, np.int64)
