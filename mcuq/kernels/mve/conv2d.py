"""Convolution for Armv8.1-M with MVE: the kernels of Conv2d that need it."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Clamped, Layer
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.mve.pixels import (
    UndilatedConstants,
    accepts_conv2d_pixels,
    accepts_conv2d_windows,
    accepts_pixels,
    lower_conv2d_pixels,
    lower_conv2d_windows,
    lower_pixels,
)
from mcuq.kernels.mve.requantized import (
    MVE,
    RequantizedMveConstants,
    has_one_high_word,
    in_groups,
    interleaved,
    requantized_mve,
    sums_bytes,
)
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

PIXELS = 3  # that share each load of weights


@dataclass(frozen=True)
class PointwiseMveConstants(RequantizedMveConstants):
    """A window of one pixel, without stride or padding: the image is one row of pixels."""

    template = "mve/pointwise"

    pixels: int
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class Conv2dMveConstants(UndilatedConstants, RequantizedMveConstants):
    """Any window without dilation, any stride and padding, one group."""

    template = "mve/conv2d"


def accepts_conv2d(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_conv2d."""
    return op.groups == 1 and op.window.dilations == (1, 1) and has_one_high_word(layer_requantization(layer))


def accepts_pointwise(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_pointwise."""
    window = op.window
    is_pointwise = window.kernel == (1, 1) and window.strides == (1, 1) and window.pads == (0, 0, 0, 0)
    return is_pointwise and accepts_conv2d(op, layer)


def _call(layer: Layer, constants: Constants, scratch_bytes: int) -> tuple[Call, ...]:
    arrays = {
        "weight": layer.inputs[1].values,
        "bias": in_groups(layer.inputs[2].values, 2),
        "multiplier": interleaved(layer_requantization(layer).multiplier),
    }
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer)),)


def pointwise_call(op: Clamped, layer: Layer) -> tuple[Call, ...]:
    """A product of a matrix of weights with each row of x: pixels or rows with their channels last."""
    x, y = layer.inputs[0], layer.output
    constants = PointwiseMveConstants(
        **requantized_mve(op, layer),
        pixels=x.elements // x.shape[-1],
        in_channels=x.shape[-1],
        out_channels=y.shape[-1],
    )
    return _call(layer, constants, sums_bytes(y.shape[-1]))


def lower_pointwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI."""
    return pointwise_call(op, layer)


def lower_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI; scratch also holds the windows of three pixels."""
    x, weight, y = layer.inputs[0], layer.inputs[1], layer.output
    constants = Conv2dMveConstants(
        **requantized_mve(op, layer),
        batch=x.shape[0],
        in_height=x.shape[1],
        in_width=x.shape[2],
        in_channels=x.shape[3],
        out_height=y.shape[1],
        out_width=y.shape[2],
        out_channels=y.shape[3],
        kernel_height=op.window.kernel[0],
        kernel_width=op.window.kernel[1],
        stride_y=op.window.strides[0],
        stride_x=op.window.strides[1],
        pad_top=op.window.pads[0],
        pad_left=op.window.pads[1],
        x_zero_point=x.zero_point,
    )
    taps = weight.elements // weight.shape[0]
    return _call(layer, constants, sums_bytes(y.shape[3]) + PIXELS * taps)


CONV2D_KERNELS = (
    Kernel(lower_pixels, MVE, accepts_pixels),
    Kernel(lower_conv2d_pixels, MVE, accepts_conv2d_pixels),
    Kernel(lower_conv2d_windows, MVE, accepts_conv2d_windows),
    Kernel(lower_pointwise, MVE, accepts_pointwise),
    Kernel(lower_conv2d, MVE, accepts_conv2d),
)
