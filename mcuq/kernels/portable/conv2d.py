"""Portable convolution of 8 and 16 bits, and depthwise as its extreme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, weighted_sum
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d


@dataclass(frozen=True)
class Conv2dConstants(WindowConstants):
    """Portable convolution, any groups; `meets_padding`: whether any window leaves the image.

    `sums` declares acc, all 0; `stored` assigns y[oc + j], of acc[j].
    """

    template = "portable/conv2d"

    x_type: str
    y_type: str
    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    x_zero_point: int
    sums: Fragment
    stored: Fragment


class DepthwiseConv2dConstants(Conv2dConstants):
    """Portable depthwise convolution: every input channel gives out_channels / in_channels outputs.

    `x_zero_point` is taken off each input.
    """

    template = "portable/depthwise"


def lower_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI: every output channel's taps lie together. Scratch is one window of a group as int16."""
    x, weight, bias = layer.inputs
    total = weighted_sum(op, layer)
    constants = Conv2dConstants(**_constants(op, layer), **_ending(total, 2, "conv2d"), x_zero_point=x.zero_point)
    return (_call(constants, total, weight.values, bias.values, 2 * (weight.elements // weight.shape[0])),)


def lower_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO: neighbouring channels lie together, as in the image.

    Where windows leave the image, inputs less their zero point make padding add nothing, with no code for it: the
    bias is then the one before `quantize_weights` folded the zero point into it, which is within the layer's bound,
    as all partial sums are: sums over taps that were met of weight * x, over the others of weight * zero_point.
    """
    x, weight, bias = layer.inputs
    hwo = weight.values[..., 0].transpose(1, 2, 0)
    total = weighted_sum(op, layer)
    zero_point = x.zero_point if op.window.leaves(x, layer.output) else 0
    constants = DepthwiseConv2dConstants(
        **_constants(op, layer), **_ending(total, 4, "depthwise"), x_zero_point=zero_point
    )
    unfolded = bias.values + zero_point * hwo.sum(axis=(0, 1), dtype=np.int64)
    return (_call(constants, total, hwo, unfolded.astype(np.int32)),)


def _constants(op: Conv2d, layer: Layer) -> dict[str, Any]:
    """The fields of Conv2dConstants but the zero point and what is pasted."""
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        "x_type": C_TYPES[x.dtype],
        "y_type": C_TYPES[y.dtype],
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "groups": op.groups,
        "meets_padding": int(op.window.leaves(x, y)),
    }


def _ending(total: Sum, channels: int, operator: str) -> dict[str, Any]:
    """What is pasted, where so many channels are summed at a time."""
    stored = total.stored("bias[oc + j] + acc[j]", "y[oc + j]", "multiplier[oc + j]", total.named(operator))
    return {"sums": total.declared(channels), "stored": stored}


def _call(constants: Conv2dConstants, total: Sum, weight: Array, bias: Array, scratch_bytes: int = 0) -> Call:
    arrays = {"weight": weight, "bias": bias, "multiplier": np.array(total.requant.multiplier, np.int32)}
    return Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=total.bound)
