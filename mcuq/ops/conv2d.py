"""Conv2d: convolution of NHWC images, grouped or not, and depthwise as its extreme; 1-D is height 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Clamped, Kernel, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.conv2d_blocked import accepts_blocked, lower_blocked
from mcuq.ops.conv2d_dsp import (
    is_conv2d_dsp,
    is_depthwise_dsp,
    is_pointwise_dsp,
    lower_conv2d_dsp,
    lower_depthwise_dsp,
    lower_pointwise_dsp,
)
from mcuq.ops.conv2d_dynamic import DYNAMIC_CONV2D_KERNELS, simulate_dynamic_conv2d
from mcuq.ops.conv2d_float import FLOAT_CONV2D_KERNELS, simulate_float_conv2d
from mcuq.ops.conv2d_mve import CONV2D_KERNELS
from mcuq.ops.conv2d_packed import lower_packed, lower_packed_depthwise
from mcuq.ops.conv2d_packed_blocked import PACKED_BLOCKED_KERNELS
from mcuq.ops.conv2d_packed_dsp import PACKED_DSP_KERNELS
from mcuq.ops.conv2d_rv32 import (
    is_dense,
    is_pointwise,
    lower_conv2d_rv32,
    lower_depthwise_rv32,
    lower_pointwise_rv32,
)
from mcuq.ops.conv2d_small import lower_small
from mcuq.ops.conv2d_wide import lower_conv2d_wide, lower_depthwise_wide
from mcuq.ops.depthwise_blocked import accepts_blocked_depthwise, lower_blocked_depthwise
from mcuq.ops.depthwise_mve import DEPTHWISE_KERNELS
from mcuq.ops.float_weights import is_dynamic, is_float, weighted_operand_dtype
from mcuq.ops.fully_connected_mve import ONE_PIXEL_KERNELS
from mcuq.ops.layout import channels_first, channels_last, spatial_shape
from mcuq.ops.packed_blocks import PACKED_CONSTANTS, whole_weights
from mcuq.ops.packed_mve import PACKED_CONV2D_KERNELS
from mcuq.ops.requantized import MIXED, RequantizedConstants, is_wide, requantize_output, requantized
from mcuq.ops.shifted import with_shifts
from mcuq.ops.weighted import accumulator_bound, exact_product_dtype, layer_requantization, quantize_weights
from mcuq.ops.weighted_dsp_wide import CONV2D_KERNELS as INT16_KERNELS
from mcuq.ops.window import Window, WindowConstants, window_constants, window_from_onnx


def from_conv(node: OnnxNode, graph: GraphBuilder) -> str:
    """Weights (O, I/group, [H,] W) become OHWI; a missing bias is zero."""
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
    window = window_from_onnx(node, kernel, spatial)
    bias = weights(node, 2, "bias") if node.has(2) else np.zeros(weight.shape[0], np.float32)
    ohwi = weight.reshape(*weight.shape[:2], *window.kernel).transpose(0, 2, 3, 1)
    inputs = [
        channels_last(node, graph),
        graph.constant(ohwi, node.inputs[1], weight_quant(node, 1, axis=0)),
        graph.constant(bias, node.inputs[2] if node.has(2) else f"{node.name}.bias"),
    ]
    return channels_first(node, graph, graph.add(Conv2d(window, group), inputs, name=node.name))


@dataclass(frozen=True)
class Conv2dConstants(WindowConstants, RequantizedConstants):
    """Portable convolution, any groups; `meets_padding`: whether any window leaves the image."""

    template = "conv2d"

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int
    x_zero_point: int


class DepthwiseConv2dConstants(Conv2dConstants):
    """Portable depthwise convolution: every input channel gives out_channels / in_channels outputs.

    `x_zero_point` is taken off each input.
    """

    template = "depthwise_conv2d"


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


@dataclass(frozen=True)
class Conv2d(Clamped):
    """y = clamp(sum over the window and the group's channels of x * weight, plus bias), rounded once.

    x (N, H, W, I), weight (O, KH, KW, I / groups), bias (O); x and y of 8 or 16 bits, each as it likes.
    Largest error against the same sum of the quantized operands: half a step, and of multiplier rounding 1e-4 steps in
    channels whose weight scale is at least 2^-9 of the largest, 0.032 steps down to the smallest that there can be,
    2^-18; 256 times that where y has 16 bits.
    """

    window: Window
    groups: int = 1

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Conv": from_conv}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    kernels = (
        *FLOAT_CONV2D_KERNELS,
        *DYNAMIC_CONV2D_KERNELS,
        *DEPTHWISE_KERNELS,
        *ONE_PIXEL_KERNELS,
        *CONV2D_KERNELS,
        *INT16_KERNELS,
        Kernel(lower_depthwise_dsp, needs=frozenset({"dsp"}), accepts=is_depthwise_dsp),
        Kernel(lower_pointwise_dsp, needs=frozenset({"dsp"}), accepts=is_pointwise_dsp),
        Kernel(lower_conv2d_dsp, needs=frozenset({"dsp"}), accepts=is_conv2d_dsp),
        Kernel(with_shifts(lower_blocked), needs=frozenset({"armv6m"}), accepts=accepts_blocked),
        Kernel(lower_blocked, needs=frozenset({"armv7m"}), accepts=accepts_blocked),
        Kernel(lower_depthwise_rv32, needs=frozenset({"rv32m"}), accepts=lambda op, layer: op.is_depthwise(layer)),
        Kernel(lower_pointwise_rv32, needs=frozenset({"rv32m"}), accepts=is_pointwise),
        Kernel(lower_conv2d_rv32, needs=frozenset({"rv32m"}), accepts=is_dense),
        Kernel(with_shifts(lower_blocked_depthwise), needs=frozenset({"armv6m"}), accepts=accepts_blocked_depthwise),
        Kernel(lower_blocked_depthwise, needs=frozenset({"armv7m"}), accepts=accepts_blocked_depthwise),
        Kernel(with_shifts(lower_small), needs=frozenset({"size"})),
        *PACKED_CONV2D_KERNELS,
        *PACKED_DSP_KERNELS,
        *PACKED_BLOCKED_KERNELS,
        Kernel(
            with_shifts(lower_packed_depthwise),
            accepts=lambda op, layer: op.is_depthwise(layer),
            constants=PACKED_CONSTANTS,
        ),
        Kernel(with_shifts(lower_packed), constants=PACKED_CONSTANTS),
        Kernel(with_shifts(lower_depthwise), accepts=lambda op, layer: op.is_depthwise(layer)),
        Kernel(
            lower_depthwise_wide,
            activations=MIXED,
            accepts=lambda op, layer: is_wide(op, layer) and op.is_depthwise(layer),
        ),
        Kernel(lower_conv2d_wide, activations=MIXED, accepts=is_wide),
        Kernel(with_shifts(lower_conv2d)),
    )

    def is_depthwise(self, layer: Layer) -> bool:
        """Whether every output channel reads just one of several input channels."""
        return self.groups > 1 and layer.inputs[1].shape[3] == 1

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

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return weighted_operand_dtype(own, output, weights)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        return quantize_weights(layer)

    def whole_weights(self, layer: Layer) -> tuple[Layer, int]:
        return whole_weights(layer)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if is_float(layer):
            return simulate_float_conv2d(self, layer, inputs[0])
        if is_dynamic(layer):
            return simulate_dynamic_conv2d(self, layer, inputs[0])
        x, y = layer.inputs[0], layer.output
        weight, bias = layer.inputs[1].values, layer.inputs[2].values
        samples = inputs[0].shape[:2]
        images = inputs[0].reshape(-1, *x.shape[1:])
        top, left, bottom, right = self.window.pads
        dtype = exact_product_dtype(x, weight.reshape(weight.shape[0], -1))
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=x.zero_point).astype(
            dtype
        )
        acc = self.product(layer, padded, weight.astype(dtype)).astype(np.int64)
        acc += bias
        q = requantize_output(self, acc, layer_requantization(layer), accumulator_bound(layer), y)
        return q.reshape(*samples, *y.shape[1:])

    def macs(self, layer: Layer) -> int:
        weight, y = layer.inputs[1], layer.output
        return y.elements * weight.elements // weight.shape[0]

    def columns(self, images: Array, out: Shape, padding: int) -> Array:
        """What each output's weights meet: (groups, taps, windows) of images (B, H, W, I), taps as in OHWI weights."""
        top, left, bottom, right = self.window.pads
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=padding)
        height, width = self.window.kernel
        taps = np.stack([self._taps(padded, out, ky, kx) for ky in range(height) for kx in range(width)], axis=-2)
        grouped = taps.reshape(-1, height * width, self.groups, images.shape[3] // self.groups)
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
