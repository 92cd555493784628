"""Sums of products with weights: convolutions and dense layers.

Weights are O, H, W, I in the file, those of depthwise layers 1, H, W, O.
"""

from __future__ import annotations

from math import prod

from mcuq.importer.tflite.operator import Op
from mcuq.importer.tflite.padding import SAME, VALID, pads, window_option


def conv_2d(op: Op) -> str:
    """CONV_2D; groups where the weights read fewer channels than the image has."""
    channels = op.images(0)[3]
    outputs, *kernel, inputs = op.images(1)
    if inputs == 0 or channels % inputs or outputs % (channels // inputs):
        raise op.error(f"weight of shape {list(op.shape(1))} does not fit input of shape {list(op.shape(0))}")
    weight = op.weight(1, (0, 3, 1, 2))
    return _conv(op, "Conv2DOptions", kernel, weight, channels // inputs)


def depthwise_conv_2d(op: Op) -> str:
    """DEPTHWISE_CONV_2D: each channel has outputs / channels kernels of its own."""
    channels = op.images(0)[3]
    one, *kernel, outputs = op.images(1)
    if one != 1 or channels == 0 or outputs % channels:
        raise op.error(f"weight of shape {list(op.shape(1))} does not fit input of shape {list(op.shape(0))}")
    weight = op.weight(1, (3, 0, 1, 2))
    return _conv(op, "DepthwiseConv2DOptions", kernel, weight, channels)


def _conv(op: Op, options: str, kernel: list[int], weight: str, group: int) -> str:
    strides = [window_option(op, options, f"Stride{side}") for side in "HW"]
    dilations = [window_option(op, options, f"Dilation{side}Factor") for side in "HW"]
    y = op.write(
        "Conv",
        [op.channels_first(op.x()), weight, *op.bias(2, 0, 1)],
        group=group,
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        pads=pads(op, options, op.shape(0)[1:3], kernel, strides, dilations),
    )
    return op.activated(op.channels_last(y), options)


def transpose_conv(op: Op) -> str:
    """TRANSPOSE_CONV: inputs are the output's shape, weights, the image and maybe a bias."""
    options = "TransposeConvOptions"
    _, height, width, channels = op.images(2)
    outputs, *kernel, inputs = op.images(1)
    size = op.ints(0, "output_shape")
    if inputs != channels or len(size) != 4 or size[3] != outputs:
        raise op.error(
            f"weight of shape {list(op.shape(1))} does not fit input of shape {list(op.shape(2))} and output of shape "
            f"{size}"
        )
    strides = [window_option(op, options, f"Stride{side}") for side in "HW"]
    padding = op.option(options, "Padding")
    if padding not in (SAME, VALID):
        raise op.error(f"padding of code {padding} is not supported; use SAME or VALID")
    before, after, more = [], [], []
    for image, result, kernel_size, stride in zip((height, width), size[1:3], kernel, strides, strict=True):
        # The padding of a convolution from the output to the input; what is left out of it ends the output.
        full = (image - 1) * stride + kernel_size
        total = max(full - result, 0)
        before.append(total // 2)
        after.append(total - total // 2)
        more.append(max(result - full, 0))
    y = op.write(
        "ConvTranspose",
        [op.channels_first(op.x(2)), op.weight(1, (3, 0, 1, 2)), *op.bias(3, 2, 1)],
        kernel_shape=kernel,
        strides=strides,
        pads=[*before, *after],
        output_padding=more,
    )
    return op.activated(op.channels_last(y), options)


def fully_connected(op: Op) -> str:
    """FULLY_CONNECTED: weights of shape outputs, inputs; the image is taken as rows of so many inputs."""
    options = "FullyConnectedOptions"
    if op.option(options, "WeightsFormat") != 0:
        raise op.error("weights are shuffled for another runtime; convert the model again, without that")
    if len(op.shape(1)) != 2:
        raise op.error(f"weight is of shape {list(op.shape(1))}; supported are two dimensions")
    outputs, inputs = op.shape(1)
    shape = op.shape(0)
    if inputs == 0 or prod(shape) % inputs:
        raise op.error(f"weight of shape {list(op.shape(1))} does not fit input of shape {list(shape)}")
    rows = [prod(shape) // inputs, inputs]
    x = op.x() if list(shape) == rows else op.reshaped(op.x(), rows)
    weight = op.weight(1, (1, 0))
    y = op.write("Gemm", [x, weight, *op.bias(2, 0, 1)])
    kept = [*shape[:-1], outputs] if op.option(options, "KeepNumDims") else [rows[0], outputs]
    if kept != [rows[0], outputs]:
        y = op.reshaped(y, kept)
    return op.activated(y, options)


def batch_matmul(op: Op) -> str:
    """BATCH_MATMUL; either side may be stored with its last two dimensions exchanged."""
    sides = []
    for index, field in enumerate(("AdjX", "AdjY")):
        side, rank = op.x(index), len(op.shape(index))
        if op.option("BatchMatMulOptions", field):
            side = op.transposed(side, (*range(rank - 2), rank - 1, rank - 2))
        sides.append(side)
    return op.write("MatMul", sides)
