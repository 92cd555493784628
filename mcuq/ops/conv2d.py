"""Conv2d: convolution of NHWC images, grouped or not, and depthwise as its extreme; 1-D is height 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.rows import Band, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.float_weights import (
    dynamic_input,
    dynamic_output,
    dynamic_product_dtype,
    float_output,
    is_dynamic,
    is_float,
    real_input,
)
from mcuq.ops.layout import channels_first, channels_last, spatial_shape
from mcuq.ops.volume import convolution_over_volume
from mcuq.ops.weighted import exact_product_dtype
from mcuq.ops.weighted_operator import Weighted
from mcuq.ops.window import Window, axis_windows, plane_window


def from_conv(node: OnnxNode, graph: GraphBuilder) -> str:
    """Weights (O, I/group, [[D,] H,] W) become OHWI; a missing bias is zero."""
    spatial = spatial_shape(node)
    weight = weights(node, 1, "weight")
    if len(weight.shape) != len(node.shape(0)):
        raise node.error(f"weight of shape {list(weight.shape)} does not fit input {list(node.shape(0))}")
    group, channels = node.attribute("group", 1), node.shape(0)[1]
    if group < 1 or channels % group or weight.shape[0] % group or weight.shape[1] * group != channels:
        raise node.error(f"group={group} and weight of shape {list(weight.shape)} do not fit {channels} input channels")
    kernel = node.attribute("kernel_shape", weight.shape[2:])
    if tuple(kernel) != weight.shape[2:]:
        raise node.error(f"kernel_shape={list(kernel)} differs from the weight's {list(weight.shape[2:])}")
    windows = axis_windows(node, kernel, spatial)
    bias = weights(node, 2, "bias") if node.has(2) else np.zeros(weight.shape[0], np.float32)
    bias_name = graph.constant(bias, node.inputs[2] if node.has(2) else f"{node.name}.bias")

    def convolution(images: str, window: Window, ohwi: Array) -> str:
        inputs = [images, graph.constant(ohwi, node.inputs[1], weight_quant(node, 1, axis=0)), bias_name]
        return graph.add(Conv2d(window, group), inputs, name=node.name)

    if len(windows) == 3:
        return convolution_over_volume(graph, node.computed(0), windows, weight, group, convolution)
    window = plane_window(windows)
    ohwi = weight.reshape(*weight.shape[:2], *window.kernel).transpose(0, 2, 3, 1)
    return channels_first(node, graph, convolution(channels_last(node, graph), window, ohwi))


@dataclass(frozen=True)
class Conv2d(Weighted):
    """y = clamp(sum over the window and the group's channels of x * weight, plus bias), rounded once.

    x (N, H, W, I), weight (O, KH, KW, I / groups), bias (O); x and y of 8 or 16 bits, each as it likes.
    Largest error against the same sum of the quantized operands: half a step, and of multiplier rounding 1e-4 steps in
    channels whose weight scale is at least 2^-9 of the largest, 0.032 steps down to the smallest that there can be,
    2^-18; 256 times that where y has 16 bits.
    """

    window: Window
    groups: int = 1

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Conv": from_conv}

    @property
    def is_padded(self) -> bool:
        return any(self.window.pads)

    def regrouped(self, groups: int) -> Conv2d:
        return replace(self, groups=groups)

    def row_window(self, layer: Layer, index: int, axis: int) -> RowWindow | None:
        # The range of a dynamic layer's input is that of all its rows.
        return None if is_dynamic(layer) else self.window.rows(axis)

    def banded(self, axis: int, band: Band) -> Operator:
        return replace(self, window=self.window.banded(axis, band))

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, weight, bias = inputs
        if len(x.shape) != 4 or len(weight.shape) != 4:
            raise ModelError(f"input {list(x.shape)} and weight {list(weight.shape)} must have 4 dimensions")
        if weight.shape[3] * self.groups != x.shape[3] or weight.shape[0] % self.groups:
            raise ModelError(f"weight {list(weight.shape)} in {self.groups} groups does not fit {x.shape[3]} channels")
        if bias.shape != weight.shape[:1]:
            raise ModelError(f"bias {list(bias.shape)} does not fit {weight.shape[0]} output channels")
        height, width = self.window.output_size(*x.shape[1:3])
        return (x.shape[0], height, width, weight.shape[0])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, weight, bias = layer.inputs
        y = writer.node(
            "Conv",
            [
                writer.transpose(x.name, (0, 3, 1, 2)),
                writer.permuted(weight, (0, 3, 1, 2)),
                bias.name,
            ],
            strides=self.window.strides,
            pads=self.window.pads,
            dilations=self.window.dilations,
            group=self.groups,
        )
        writer.clip(writer.transpose(y, (0, 2, 3, 1)), self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if is_float(layer):
            return simulate_conv2d_float32(self, layer, inputs[0])
        if is_dynamic(layer):
            return simulate_conv2d_dynamic(self, layer, inputs[0])
        return self.requantized(layer, self.sums(layer, inputs[0]))

    def sums(self, layer: Layer, x: Array) -> Array:
        own, weight = layer.inputs[0], layer.inputs[1].values
        images = x.reshape(-1, *own.shape[1:])
        top, left, bottom, right = self.window.pads
        dtype = exact_product_dtype(own, weight.reshape(weight.shape[0], -1))
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=own.zero_point).astype(
            dtype
        )
        return self.product(layer, padded, weight.astype(dtype)).reshape(*x.shape[:2], *layer.output.shape[1:])

    def padded(self, pads: tuple[int, int, int, int]) -> Operator | None:
        return replace(self, window=self.window.padded(pads))

    def macs(self, layer: Layer) -> int:
        weight, y = layer.inputs[1], layer.output
        return y.elements * weight.elements // weight.shape[0]

    def columns(self, layer: Layer, x: Array) -> Array:
        top, left, bottom, right = self.window.pads
        zero_point, out = layer.inputs[0].zero_point, layer.output.shape
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=zero_point)
        height, width = self.window.kernel
        taps = np.stack([self._taps(padded, out, ky, kx) for ky in range(height) for kx in range(width)], axis=-2)
        grouped = taps.reshape(-1, height * width, self.groups, x.shape[3] // self.groups)
        return grouped.transpose(2, 1, 3, 0).reshape(self.groups, -1, len(grouped))

    def product(self, layer: Layer, padded: Array, weight: Array) -> Array:
        """Sums of products (B, OH, OW, O) of padded images (B, H, W, I), in the dtype of both."""
        product = self._depthwise if self.is_depthwise(layer) else self._grouped
        return product(padded, weight, layer.output.shape)

    def _taps(self, padded: Array, out: Shape, ky: int, kx: int) -> Array:
        """The inputs that tap (ky, kx) of every window meets: (B, OH, OW, I)."""
        (sy, sx), (dy, dx) = self.window.strides, self.window.dilations
        rows = slice(ky * dy, ky * dy + (out[1] - 1) * sy + 1, sy)
        columns = slice(kx * dx, kx * dx + (out[2] - 1) * sx + 1, sx)
        return padded[:, rows, columns]

    def _depthwise(self, padded: Array, weight: Array, out: Shape) -> Array:
        multiplier = out[3] // padded.shape[3]
        acc = np.zeros((len(padded), *out[1:]), padded.dtype)
        for ky in range(weight.shape[1]):
            for kx in range(weight.shape[2]):
                taps = self._taps(padded, out, ky, kx)
                acc += (taps if multiplier == 1 else taps.repeat(multiplier, axis=3)) * weight[:, ky, kx, 0]
        return acc

    def _grouped(self, padded: Array, weight: Array, out: Shape) -> Array:
        channels, outputs = weight.shape[3], weight.shape[0] // self.groups
        parts = []
        for group in range(self.groups):
            source = padded[..., group * channels : (group + 1) * channels]
            matrix = weight[group * outputs : (group + 1) * outputs].reshape(outputs, -1)
            if weight.shape[1:3] == (1, 1):
                columns = self._taps(source, out, 0, 0)
            else:
                columns = np.concatenate(
                    [self._taps(source, out, ky, kx) for ky in range(weight.shape[1]) for kx in range(weight.shape[2])],
                    axis=3,
                )
            parts.append(columns.reshape(-1, matrix.shape[1]) @ matrix.T)
        acc = parts[0] if self.groups == 1 else np.concatenate(parts, axis=1)
        return acc.reshape(len(padded), *out[1:])


def simulate_conv2d_dynamic(op: Conv2d, layer: Layer, inputs: Array) -> Array:
    """The sums of x's codes times weights are exact, so that their order does not matter."""
    x, y = layer.inputs[0], layer.output
    weight = layer.inputs[1].values
    dtype = dynamic_product_dtype(weight)
    differences, scale = dynamic_input(inputs)
    top, left, bottom, right = op.window.pads
    images = differences.reshape(-1, *x.shape[1:]).astype(dtype)
    padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
    acc = op.product(layer, padded, weight.astype(dtype)).astype(np.int32)
    return dynamic_output(op, layer, acc.reshape(*inputs.shape[:2], *y.shape[1:]), scale)


def simulate_conv2d_float32(op: Conv2d, layer: Layer, inputs: Array) -> Array:
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
