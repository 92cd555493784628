"""Conv2d with integer weights between floats: quantizes its input by the range that it has at each inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.float_weights import DYNAMIC_CONSTANTS
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import FLOAT32
from mcuq.ops.float_weights import dynamic_bound, is_dynamic, weight_scales


@dataclass(frozen=True)
class Conv2dDynamicConstants(WindowConstants):
    """Portable dynamic convolution, any groups; `overlaps`: whether any input lies in several windows, so that all of
    them are quantized at first."""

    template = "portable/conv2d_dynamic"
    computes_in_float = True

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    overlaps: int
    minimum: float
    maximum: float


@dataclass(frozen=True)
class DepthwiseDynamicConstants(WindowConstants):
    """Portable dynamic depthwise convolution."""

    template = "portable/depthwise_dynamic"
    computes_in_float = True

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    minimum: float
    maximum: float


def lower_conv2d_dynamic(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI. Scratch is one window of a group as int16, and the image as int8 where windows overlap."""
    x, weight = layer.inputs[:2]
    overlaps = any(k > s for k, s in zip(op.window.kernel, op.window.strides, strict=True))
    constants = Conv2dDynamicConstants(**_constants(op, layer), overlaps=int(overlaps))  # type: ignore[arg-type]
    taps = weight.elements // weight.shape[0]
    return (_call(constants, layer, weight.values, 2 * taps + overlaps * x.elements),)


def lower_depthwise_dynamic(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO. Scratch is the image as int8."""
    x, weight = layer.inputs[:2]
    constants = DepthwiseDynamicConstants(**_constants(op, layer))  # type: ignore[arg-type]
    return (_call(constants, layer, weight.values[..., 0].transpose(1, 2, 0), x.elements),)


def _constants(op: Conv2d, layer: Layer) -> dict[str, object]:
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "groups": op.groups,
        "meets_padding": int(op.window.leaves(x, y)),
        "minimum": float32(op.minimum),
        "maximum": float32(op.maximum),
    }


def _call(
    constants: Conv2dDynamicConstants | DepthwiseDynamicConstants, layer: Layer, weight: Array, scratch_bytes: int
) -> Call:
    arrays = {
        "weight": np.ascontiguousarray(weight),
        "weight_scale": np.array(weight_scales(layer)),
        "bias": layer.inputs[2].values,
    }
    return Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=dynamic_bound(layer))


CONV2D_DYNAMIC_KERNELS = (
    Kernel(
        lower_depthwise_dynamic,
        accepts=lambda op, layer: is_dynamic(layer) and op.is_depthwise(layer),
        activations=FLOAT32,
        constants=DYNAMIC_CONSTANTS,
    ),
    Kernel(
        lower_conv2d_dynamic,
        accepts=lambda op, layer: is_dynamic(layer),
        activations=FLOAT32,
        constants=DYNAMIC_CONSTANTS,
    ),
)
