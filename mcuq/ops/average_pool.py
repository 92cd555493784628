"""AveragePool: the mean of each window, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Clamped, Kernel, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.average_pool_blocked import accepts_whole_image, lower_whole_image
from mcuq.ops.average_pool_float import lower_average_pool_float, simulate_average_pool_float
from mcuq.ops.average_pool_wide import lower_average_pool_wide
from mcuq.ops.float_weights import FLOAT32
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.pool import counted_constants, pool_window
from mcuq.ops.pool_dsp import is_average_pool_dsp, lower_average_pool_dsp
from mcuq.ops.requantized import (
    MIXED,
    RequantizedConstants,
    is_wide,
    largest_difference,
    requantize_output,
    requantized,
)
from mcuq.ops.window import Window, WindowConstants, window_constants


def from_average_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """With or without the padding in the count."""
    window = pool_window(node)
    if window.dilations != (1, 1):
        raise node.error(f"dilations={list(node.attribute('dilations'))} are not supported; use 1")
    op = AveragePool(window, bool(node.attribute("count_include_pad", 0)))
    return channels_first(node, graph, graph.add(op, [channels_last(node, graph)], name=node.name))


@dataclass(frozen=True)
class AveragePoolConstants(WindowConstants, RequantizedConstants):
    """Portable average pooling; `counted_*` frame the positions that the divisor counts, all of each window that
    stays on the image; others there are where `meets_padding`."""

    template = "average_pool"

    channels: int
    counted_top: int
    counted_left: int
    counted_bottom: int
    counted_right: int
    smallest_count: int
    meets_padding: int
    x_zero_point: int


def lower_average_pool(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One multiplier for each divisor from the smallest to the largest."""
    x, y = layer.inputs[0], layer.output
    smallest, requant = op.requantization(layer)
    constants = AveragePoolConstants(
        **window_constants(op.window, x, y),
        **requantized(op, requant, y),
        **counted_constants(op, x),
        smallest_count=smallest,
        meets_padding=int(op.window.leaves(x, y)),
        x_zero_point=x.zero_point,
    )
    arrays = {"multiplier": np.array(requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, bound=op.bound(layer)),)


@dataclass(frozen=True)
class AveragePool(Clamped):
    """y = clamp(sum of x over the window / count), x NHWC; largest error half a step.

    `count` is the number of positions on the image, or with `count_include_pad` on the padded image.
    """

    window: Window
    count_include_pad: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"AveragePool": from_average_pool}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    kernels = (
        Kernel(lower_average_pool_float, activations=FLOAT32),
        Kernel(lower_average_pool_dsp, needs=frozenset({"dsp"}), accepts=is_average_pool_dsp),
        Kernel(lower_whole_image, accepts=accepts_whole_image),
        Kernel(lower_average_pool_wide, activations=MIXED, accepts=is_wide),
        Kernel(lower_average_pool),
    )

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        n, height, width, channels = inputs[0].shape
        return (n, *self.window.output_size(height, width), channels)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        window = self.window
        # Opset 17 has no dilations for this operator.
        y = writer.node(
            "AveragePool",
            [writer.transpose(layer.inputs[0].name, (0, 3, 1, 2))],
            kernel_shape=window.kernel,
            strides=window.strides,
            pads=window.pads,
            ceil_mode=window.onnx_ceil_mode(*layer.inputs[0].shape[1:3]),
            count_include_pad=int(self.count_include_pad),
        )
        writer.clip(writer.transpose(y, (0, 2, 3, 1)), self.minimum, self.maximum, layer.output.name)

    def counts(self, layer: Layer) -> Array:
        """The divisor of each window: int64 (OH, OW)."""
        _, height, width, _ = layer.inputs[0].shape
        counts = np.zeros((1, *layer.output.shape[1:3]), np.int64)
        window, size = self.window, (height, width)
        if self.count_include_pad:
            top, left, bottom, right = window.pads
            size = (height + top + bottom, width + left + right)
            window = Window(window.kernel, window.strides, (0, 0, 0, 0), window.dilations)
        for taps, region in window.taps(np.ones((1, *size), np.int64), counts):
            region += taps
        return counts.reshape(counts.shape[1:])

    def bound(self, layer: Layer) -> int:
        """Largest sum of (x - zero_point)."""
        return largest_difference(layer.inputs[0]) * self.window.kernel[0] * self.window.kernel[1]

    def requantization(self, layer: Layer) -> tuple[int, Requantization]:
        """(smallest count, multipliers for that count and all up to the largest)."""
        counts = self.counts(layer)
        smallest, largest = int(counts.min()), int(counts.max())
        scale = layer.inputs[0].scale / layer.output.scale
        factors = [scale / count for count in range(smallest, largest + 1)]
        return smallest, requantization(factors, self.bound(layer), layer.where)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.quant is None:
            return simulate_average_pool_float(self, layer, inputs[0])
        images = inputs[0].reshape(-1, *x.shape[1:]).astype(np.int32) - x.zero_point
        acc = np.zeros((len(images), *y.shape[1:]), np.int64)
        for taps, region in self.window.taps(images, acc):
            region += taps
        smallest, requant = self.requantization(layer)
        multiplier = np.array(requant.multiplier)[self.counts(layer) - smallest]
        per_window = Requantization(multiplier[..., None], requant.shift, requant.prescale)
        q = requantize_output(self, acc, per_window, self.bound(layer), y)
        return q.reshape(*inputs[0].shape[:2], *y.shape[1:])
