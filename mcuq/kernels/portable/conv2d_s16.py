"""Portable convolutions of which input or output, or both, have 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import S16Constants, requantized_s16
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class Conv2dS16Constants(WindowConstants, S16Constants):
    """Any groups; `meets_padding`: whether any window leaves the image."""

    template = "portable/conv2d_s16"

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    x_zero_point: int


class DepthwiseConv2dS16Constants(Conv2dS16Constants):
    """Every input channel gives out_channels / in_channels outputs; `x_zero_point` is taken off each input."""

    template = "portable/depthwise_s16"


def lower_conv2d_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """As lower_conv2d."""
    weight, bias = layer.inputs[1], layer.inputs[2]
    scratch_bytes = 2 * (weight.elements // weight.shape[0])
    zero_point = layer.inputs[0].zero_point
    return _call(Conv2dS16Constants, op, layer, zero_point, weight.values, bias.values, scratch_bytes)


def lower_depthwise_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """As lower_depthwise, with the bias before the zero point was folded into it."""
    x, weight, bias = layer.inputs
    hwo = weight.values[..., 0].transpose(1, 2, 0)
    zero_point = x.zero_point if op.window.leaves(x, layer.output) else 0
    unfolded = bias.values + zero_point * hwo.sum(axis=(0, 1), dtype=np.int64)
    return _call(DepthwiseConv2dS16Constants, op, layer, zero_point, hwo, unfolded.astype(np.int32), 0)


def _call(
    kind: type[Conv2dS16Constants],
    op: Conv2d,
    layer: Layer,
    zero_point: int,
    weight: Array,
    bias: Array,
    scratch_bytes: int,
) -> tuple[Call, ...]:
    x, y = layer.inputs[0], layer.output
    bound, requant = accumulator_bound(layer), layer_requantization(layer)
    constants = kind(
        **{**window_constants(op.window, x, y), **requantized_s16(op, layer, requant, bound)},
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        groups=op.groups,
        meets_padding=int(op.window.leaves(x, y)),
        x_zero_point=zero_point,
    )
    arrays = {"weight": weight, "bias": bias, "multiplier": np.array(requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=bound),)
