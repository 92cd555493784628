"""Conv2d with float weights: reads and writes integers or floats, sums in float32."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from mcuq.graph.operator import Call, Kernel, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.float_weights import (
    FLOAT_ACTIVATIONS,
    FLOAT_WEIGHTS,
    FloatConstants,
    float_layer_constants,
    float_output,
    real_input,
    stored_weights,
)
from mcuq.ops.window import WindowConstants, window_constants

if TYPE_CHECKING:
    from mcuq.ops.conv2d import Conv2d

# Output channels whose float16 weights the kernel converts at once.
CONVERTED_CHANNELS = 8


@dataclass(frozen=True)
class FloatConv2dConstants(WindowConstants, FloatConstants):
    """Portable convolution in float, any groups; `meets_padding`: whether any window leaves the image."""

    template = "conv2d_float"

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int


class FloatDepthwiseConstants(FloatConv2dConstants):
    """Portable depthwise convolution in float: every input channel gives out_channels / in_channels outputs."""

    template = "depthwise_conv2d_float"


def lower_float_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI. Scratch: one window of a group as floats, and float16 weights of some channels as float32."""
    weight = layer.inputs[1]
    constants = FloatConv2dConstants(**_constants(op, layer))  # type: ignore[arg-type]
    converted = min(CONVERTED_CHANNELS, weight.shape[0] // op.groups) if weight.dtype == "float16" else 0
    return (_call(constants, layer, weight.values, 4 * (1 + converted) * (weight.elements // weight.shape[0])),)


def lower_float_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO: neighbouring channels lie together, as in the image."""
    constants = FloatDepthwiseConstants(**_constants(op, layer))  # type: ignore[arg-type]
    return (_call(constants, layer, layer.inputs[1].values[..., 0].transpose(1, 2, 0)),)


def _constants(op: Conv2d, layer: Layer) -> dict[str, object]:
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        **float_layer_constants(op, layer),
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "groups": op.groups,
        "meets_padding": int(op.window.leaves(x, y)),
    }


def _call(constants: FloatConv2dConstants, layer: Layer, weight: Array, scratch_bytes: int = 0) -> Call:
    arrays = {"weight": stored_weights(layer.inputs[1], weight), "bias": layer.inputs[2].values}
    return Call(constants, arrays=arrays, scratch_bytes=scratch_bytes)


def simulate_float_conv2d(op: Conv2d, layer: Layer, inputs: Array) -> Array:
    """bias + x * weight for each tap on the image, in the order ky, kx, ic: each product and each sum float32."""
    x, y = layer.inputs[0], layer.output
    weight = layer.inputs[1].values.astype(np.float32)
    outputs, height, width, channels = weight.shape
    images = real_input(x, inputs).reshape(-1, *x.shape[1:3], op.groups, channels)
    by_group = weight.reshape(op.groups, outputs // op.groups, height, width, channels)
    acc = np.empty((len(images), *y.shape[1:3], *by_group.shape[:2]), np.float32)
    acc[:] = layer.inputs[2].values.reshape(by_group.shape[:2])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        positions = product(range(height), range(width))
        for (ky, kx), (taps, region) in zip(positions, op.window.taps(images, acc), strict=True):
            for ic in range(channels):
                region += taps[..., ic, None] * by_group[:, :, ky, kx, ic]
    return float_output(op, y, acc.reshape(*inputs.shape[:2], *y.shape[1:]))


FLOAT_CONV2D_KERNELS = (
    Kernel(
        lower_float_depthwise,
        accepts=lambda op, layer: op.is_depthwise(layer),
        activations=FLOAT_ACTIVATIONS,
        constants=FLOAT_WEIGHTS,
    ),
    Kernel(lower_float_conv2d, activations=FLOAT_ACTIVATIONS, constants=FLOAT_WEIGHTS),
)
