"""Portable convolution of int8, and depthwise as its extreme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class Conv2dConstants(WindowConstants, RequantizedConstants):
    """Portable convolution, any groups; `meets_padding`: whether any window leaves the image."""

    template = "portable/conv2d"

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    x_zero_point: int


class DepthwiseConv2dConstants(Conv2dConstants):
    """Portable depthwise convolution: every input channel gives out_channels / in_channels outputs.

    `x_zero_point` is taken off each input.
    """

    template = "portable/depthwise"


def lower_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI: every output channel's taps lie together. Scratch is one window of a group as int16."""
    x, weight, bias = layer.inputs
    constants = Conv2dConstants(**_constants(op, layer), x_zero_point=x.zero_point)
    return (_call(constants, layer, weight.values, bias.values, 2 * (weight.elements // weight.shape[0])),)


def lower_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO: neighbouring channels lie together, as in the image.

    Where windows leave the image, inputs less their zero point make padding add nothing, with no code for it: the
    bias is then the one before `quantize_weights` folded the zero point into it, which is within the layer's bound,
    as all partial sums are: sums over taps that were met of weight * x, over the others of weight * zero_point.
    """
    x, weight, bias = layer.inputs
    hwo = weight.values[..., 0].transpose(1, 2, 0)
    constants = DepthwiseConv2dConstants(
        **_constants(op, layer), x_zero_point=x.zero_point if op.window.leaves(x, layer.output) else 0
    )
    unfolded = bias.values + constants.x_zero_point * hwo.sum(axis=(0, 1), dtype=np.int64)
    return (_call(constants, layer, hwo, unfolded.astype(np.int32)),)


def _constants(op: Conv2d, layer: Layer) -> dict[str, int]:
    """The fields of Conv2dConstants but the zero point."""
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        **requantized(op, layer_requantization(layer), y),
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "groups": op.groups,
        "meets_padding": int(op.window.leaves(x, y)),
    }


def _call(constants: Conv2dConstants, layer: Layer, weight: Array, bias: Array, scratch_bytes: int = 0) -> Call:
    multiplier = np.array(layer_requantization(layer).multiplier, np.int32)
    arrays = {"weight": weight, "bias": bias, "multiplier": multiplier}
    return Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer))
