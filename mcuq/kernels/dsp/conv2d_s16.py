"""Convolutions of int16 by SMLAD (mcuq_dsp_s16.h), as those of int8 are."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.conv2d import (
    PIXELS,
    DepthwiseConv2dDspConstants,
    PointwiseDspConstants,
    WindowsDspConstants,
    is_conv2d_dsp,
    is_depthwise_dsp,
    is_pointwise_dsp,
    lower_conv2d_dsp,
    lower_depthwise_dsp,
    lower_pointwise_dsp,
)
from mcuq.kernels.dsp.order import pack_pairs
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.requantized import has_s16
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MIXED
from mcuq.ops.weighted import accumulator_bound


@dataclass(frozen=True)
class TypesConstants(Constants):
    """C types of input and output; `*_is_s16`: whether they are int16."""

    x_type: str
    y_type: str
    x_is_s16: int
    y_is_s16: int


@dataclass(frozen=True)
class PointwiseDspS16Constants(PointwiseDspConstants, TypesConstants):
    """1x1 convolution without padding, of whole fours of channels."""

    template = "dsp/pointwise_s16"


@dataclass(frozen=True)
class Conv2dDspS16Constants(WindowsDspConstants, TypesConstants):
    """Any convolution of one group."""

    template = "dsp/conv2d_s16"


@dataclass(frozen=True)
class DepthwiseConv2dDspS16Constants(DepthwiseConv2dDspConstants, TypesConstants):
    """As DepthwiseConv2dDspConstants; steps are in elements."""

    template = "dsp/depthwise_s16"


def lower_pointwise_dsp_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the channels of four pixels."""
    (call,) = lower_pointwise_dsp(op, layer)
    return (with_pairs(call, PointwiseDspS16Constants(**vars(call.constants), **types_s16(layer)), layer),)


def lower_conv2d_dsp_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the windows of four pixels as columns, then one tap of padding where taps are whole fours, else the
    windows once more."""
    (call,) = lower_conv2d_dsp(op, layer)
    channels, weight = layer.inputs[0].shape[3], layer.inputs[1]
    windows = PIXELS * -(-weight.elements // weight.shape[0] // 4) * 4
    behind = channels if channels % 4 == 0 else windows
    scratch_bytes = 2 * windows + behind * np.dtype(layer.inputs[0].dtype).itemsize
    call = replace(call, scratch_bytes=scratch_bytes)
    shared = {f.name: getattr(call.constants, f.name) for f in fields(WindowsDspConstants)}
    return (with_pairs(call, Conv2dDspS16Constants(**shared, **types_s16(layer)), layer),)


def lower_depthwise_dsp_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: weights and padded image (or a band of it) of four channels, as for int8."""
    (call,) = lower_depthwise_dsp(op, layer)
    constants = DepthwiseConv2dDspS16Constants(**vars(call.constants), **types_s16(layer))
    return (replace(call, constants=constants),)


def types_s16(layer: Layer) -> dict[str, Any]:
    """The fields of TypesConstants."""
    x, y = layer.inputs[0].dtype, layer.output.dtype
    return {
        "x_type": C_TYPES[x],
        "y_type": C_TYPES[y],
        "x_is_s16": int(x == "int16"),
        "y_is_s16": int(y == "int16"),
    }


def with_pairs(call: Call, constants: Constants, layer: Layer) -> Call:
    """The call with weights in the order of the input's pairs: as they are packed for int8, or neighbours."""
    arrays = dict(call.arrays)
    if layer.inputs[0].dtype == "int16":
        weight = layer.inputs[1].values
        arrays["weight"] = pack_neighbours(weight.reshape(len(weight), -1))
    return replace(call, constants=constants, arrays=arrays)


def pack_neighbours(weight: Array) -> Array:
    """int32 words of int8 `weight` (outputs, inputs) for mcuq_dsp_product_s16_4 and _1.

    As `pack_pairs`, but of each four inputs, 0 and 1 share a word, then 2 and 3.
    """
    outputs, inputs = weight.shape
    padded = np.zeros((outputs, -(-inputs // 4) * 4), np.int8)
    padded[:, :inputs] = weight
    return pack_pairs(padded.reshape(outputs, -1, 4)[:, :, [0, 2, 1, 3]].reshape(padded.shape))


def fits_int32(op: Operator, layer: Layer) -> bool:
    return has_s16(op, layer) and accumulator_bound(layer) <= INT32_MAX


DSP = frozenset({"dsp"})
CONV2D_KERNELS = (
    Kernel(
        lower_depthwise_dsp_s16,
        DSP,
        lambda op, layer: fits_int32(op, layer) and is_depthwise_dsp(op, layer),
        MIXED,
    ),
    Kernel(
        lower_pointwise_dsp_s16,
        DSP,
        lambda op, layer: fits_int32(op, layer) and is_pointwise_dsp(op, layer),
        MIXED,
    ),
    Kernel(lower_conv2d_dsp_s16, DSP, lambda op, layer: fits_int32(op, layer) and is_conv2d_dsp(op, layer), MIXED),
)
