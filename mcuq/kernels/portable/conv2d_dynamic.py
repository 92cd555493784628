"""Conv2d with integer weights between floats: quantizes its input by the range that it has at each inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.conv2d import GroupedConstants, grouped_constants
from mcuq.kernels.portable.depthwise import lower_depthwise_dynamic
from mcuq.kernels.portable.float_weights import DYNAMIC_CONSTANTS
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import FLOAT32
from mcuq.ops.float_weights import dynamic_bound, is_dynamic, weight_scales


@dataclass(frozen=True)
class Conv2dDynamicConstants(GroupedConstants):
    """Portable dynamic convolution, any groups; `overlaps`: whether any input lies in several windows, so that all of
    them are quantized at first."""

    template = "portable/conv2d_dynamic"
    computes_in_float = True

    overlaps: int
    minimum: float
    maximum: float


def lower_conv2d_dynamic(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI. Scratch is one window of a group as int16, and the image as int8 where windows overlap."""
    x, weight = layer.inputs[:2]
    overlaps = any(k > s for k, s in zip(op.window.kernel, op.window.strides, strict=True))
    constants = Conv2dDynamicConstants(
        **grouped_constants(op, layer),
        overlaps=int(overlaps),
        minimum=float32(op.minimum),
        maximum=float32(op.maximum),
    )
    arrays = {"weight": weight.values, "weight_scale": np.array(weight_scales(layer)), "bias": layer.inputs[2].values}
    scratch_bytes = 2 * (weight.elements // weight.shape[0]) + overlaps * x.elements
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=dynamic_bound(layer)),)


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
