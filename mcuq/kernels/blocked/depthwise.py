"""Depthwise Conv2d for CPUs without SIMD: a padded channel at a time, four outputs below each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.blocked.conv2d import ShortRequantizedConstants, short_requantized, takes_short_requantization
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import by_channels
from mcuq.kernels.window import window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

LARGEST_PLANE_BYTES = 8192


@dataclass(frozen=True)
class BlockedDepthwiseConstants(ShortRequantizedConstants):
    """Depthwise convolution; `plane_*` is a channel with its padding, as far as windows reach."""

    template = "blocked/depthwise"

    in_channels: int
    out_channels: int
    plane_height: int
    plane_width: int
    x_zero_point: int


def accepts_blocked_depthwise(op: Conv2d, layer: Layer) -> bool:
    """Depthwise layers whose channels, padded, are not too large to copy and whose accumulators have room.

    Some window must reach the image.
    """
    height, width = _plane(op, layer)
    top, left, _, _ = op.window.pads
    return (
        op.is_depthwise(layer)
        and top < height
        and left < width
        and height * width <= LARGEST_PLANE_BYTES
        and takes_short_requantization(layer)
        and 3 * accumulator_bound(layer) < 2**31  # with x + 128 for x, see lower_blocked_depthwise
    )


def lower_blocked_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become OHW, and the bias takes in that the kernel's inputs are x + 128."""
    x, weight, bias = layer.inputs
    y = layer.output
    constants, windows = short_requantized(op, layer), window_constants(op.window, x, y)
    # Of one row only, what lies side by side may as well lie below each other: four outputs are below each other.
    if x.shape[1] == y.shape[1] == 1 and op.window.kernel[0] == 1 and op.window.pads[0] == 0:
        windows = {_turned(key): value for key, value in windows.items()}
    height, width = (
        (windows[f"out_{size}"] - 1) * windows[f"stride_{axis}"]
        + (windows[f"kernel_{size}"] - 1) * windows[f"dilation_{axis}"]
        + 1
        for size, axis in (("height", "y"), ("width", "x"))
    )
    taps = weight.values.reshape(weight.shape[0], -1)
    shifted = bias.values.astype(np.int64) - 128 * taps.sum(axis=1, dtype=np.int64)
    # A partial sum of (x + 128) * weight is at most 255 * sum|w|, below twice the bound.
    bound = int(np.abs(shifted).max() + 255 * np.abs(taps.astype(np.int64)).sum(axis=1).max())
    lowered = BlockedDepthwiseConstants(
        **windows,
        **constants,
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        plane_height=height,
        plane_width=width,
        x_zero_point=x.zero_point,
    )
    arrays = {
        "weight": taps,
        "bias": shifted.astype(np.int32),
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (
        Call(
            lowered,
            arrays=arrays,
            scratch_bytes=height * width,
            bound=bound,
            below=by_channels(op.window, x, y, y.shape[1]),
        ),
    )


def _plane(op: Conv2d, layer: Layer) -> tuple[int, int]:
    """Height and width of the padded image that windows reach."""
    kernel, strides, dilations = op.window.kernel, op.window.strides, op.window.dilations
    height, width = (
        (layer.output.shape[axis + 1] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        for axis in range(2)
    )
    return height, width


def _turned(key: str) -> str:
    """The field of the other axis."""
    pairs = (("height", "width"), ("_y", "_x"), ("pad_top", "pad_left"))
    for a, b in pairs:
        if key.endswith(a):
            return key.removesuffix(a) + b
        if key.endswith(b):
            return key.removesuffix(b) + a
    return key
