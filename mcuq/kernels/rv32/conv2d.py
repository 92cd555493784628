"""Convolution on RV32IM: blocks of four pixels and four output channels, and depthwise by planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.overwriting import Below, by_channels, by_pixels, by_rows
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization
from mcuq.ops.window import Window

CHANNELS = 4  # of a block


@dataclass(frozen=True)
class PointwiseConv2dRv32Constants(RequantizedConstants):
    """Windows of one pixel that leave none out: a product of matrices."""

    template = "rv32/pointwise"

    pixels: int
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class _ImageConstants(RequantizedConstants):
    batch: int
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    stride_y: int
    stride_x: int
    pad_top: int
    pad_left: int
    x_zero_point: int


@dataclass(frozen=True)
class Conv2dRv32Constants(_ImageConstants):
    """Any window without gaps along x; scratch holds the padded rows that it meets."""

    template = "rv32/conv2d"

    kernel_height: int
    kernel_width: int
    dilation_y: int


@dataclass(frozen=True)
class Depthwise3x3Rv32Constants(_ImageConstants):
    """Nine weights in registers; scratch holds the padded plane of a channel."""

    template = "rv32/depthwise_3x3"


@dataclass(frozen=True)
class DepthwiseConv2dRv32Constants(Conv2dRv32Constants):
    """Any window; scratch holds the padded plane of a channel."""

    template = "rv32/depthwise"

    dilation_x: int


def is_pointwise(op: Conv2d, layer: Layer) -> bool:
    """Whether output pixel n is a product of input pixel n alone."""
    window = op.window
    unpadded = not any(window.pads) and window.kernel == (1, 1)
    return op.groups == 1 and unpadded and window.strides == (1, 1)


def is_dense(op: Conv2d, layer: Layer) -> bool:
    """Whether the inputs of a window's row lie together."""
    return op.groups == 1 and (op.window.dilations[1] == 1 or op.window.kernel[1] == 1)


def lower_pointwise_rv32(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights as `blocked` packs them."""
    x, y = layer.inputs[0], layer.output
    constants = PointwiseConv2dRv32Constants(
        **requantized(op, layer_requantization(layer), y),
        pixels=x.elements // x.shape[3],
        in_channels=x.shape[3],
        out_channels=y.shape[3],
    )
    return _call(layer, constants, blocked(layer.inputs[1].values), 0, by_pixels(op.window, x, y, 4))


def lower_conv2d_rv32(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights as `blocked` packs them."""
    window = _places(op, layer).window
    constants = Conv2dRv32Constants(
        **_image_constants(op, layer),
        kernel_height=window.kernel[0],
        kernel_width=window.kernel[1],
        dilation_y=window.dilations[0],
    )
    columns = (constants.out_width - 1) * constants.stride_x + constants.kernel_width
    scratch_bytes = constants.kernel_height * columns * constants.in_channels
    return _call(
        layer,
        constants,
        blocked(layer.inputs[1].values),
        scratch_bytes,
        by_rows(op.window, layer.inputs[0], layer.output),
    )


def lower_depthwise_rv32(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHW: the taps of a channel lie together."""
    window = _places(op, layer).window
    image = _image_constants(op, layer)
    constants: Constants = Depthwise3x3Rv32Constants(**image)
    if window.kernel != (3, 3) or window.dilations != (1, 1):
        constants = DepthwiseConv2dRv32Constants(
            **image,
            kernel_height=window.kernel[0],
            kernel_width=window.kernel[1],
            dilation_y=window.dilations[0],
            dilation_x=window.dilations[1],
        )
    rows = (image["out_height"] - 1) * image["stride_y"] + window.dilations[0] * (window.kernel[0] - 1) + 1
    columns = (image["out_width"] - 1) * image["stride_x"] + window.dilations[1] * (window.kernel[1] - 1) + 1
    below = by_channels(op.window, layer.inputs[0], layer.output, layer.output.shape[1])
    return _call(layer, constants, layer.inputs[1].values, rows * columns, below)


def blocked(weight: Array) -> Array:
    """Weights (O, ...) with one weight of CHANNELS output channels after the other; channels left over stay as
    they are, behind those."""
    matrix = weight.reshape(weight.shape[0], -1)
    full = weight.shape[0] // CHANNELS * CHANNELS
    blocks = matrix[:full].reshape(-1, CHANNELS, matrix.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), matrix[full:].reshape(-1)])


@dataclass(frozen=True)
class _Places:
    """A window with the height and width of the images it reads and makes."""

    window: Window
    in_size: Shape
    out_size: Shape


def _places(op: Conv2d, layer: Layer) -> _Places:
    """Images of width 1 laid down: the same bytes are an image of height 1, and blocks of pixels run along x."""
    window = op.window
    in_size, out_size = layer.inputs[0].shape[1:3], layer.output.shape[1:3]
    is_column = in_size[1] == out_size[1] == window.kernel[1] == 1 and not (window.pads[1] or window.pads[3])
    if not is_column or window.dilations[0] != 1:
        return _Places(window, in_size, out_size)
    top, _, bottom, _ = window.pads
    flat = Window((1, window.kernel[0]), (1, window.strides[0]), (0, top, 0, bottom))
    return _Places(flat, in_size[::-1], out_size[::-1])


def _image_constants(op: Conv2d, layer: Layer) -> dict[str, int]:
    x, y = layer.inputs[0], layer.output
    places = _places(op, layer)
    return {
        **requantized(op, layer_requantization(layer), y),
        "batch": x.shape[0],
        "in_height": places.in_size[0],
        "in_width": places.in_size[1],
        "in_channels": x.shape[3],
        "out_height": places.out_size[0],
        "out_width": places.out_size[1],
        "out_channels": y.shape[3],
        "stride_y": places.window.strides[0],
        "stride_x": places.window.strides[1],
        "pad_top": places.window.pads[0],
        "pad_left": places.window.pads[1],
        "x_zero_point": x.zero_point,
    }


def _call(
    layer: Layer, constants: Constants, weight: Array, scratch_bytes: int, below: Below | None
) -> tuple[Call, ...]:
    arrays = {
        "weight": weight,
        "bias": layer.inputs[2].values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer), below=below),)
