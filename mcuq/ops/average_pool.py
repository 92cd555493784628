"""AveragePool: the mean of each window, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.rows import RowWindow
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MIXED
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.pool import Pool, pool_windows
from mcuq.ops.requantized import largest_difference, requantize_output
from mcuq.ops.volume import means_over_volume
from mcuq.ops.window import Window, plane_window

# What a node's metadata say where its file's runtime takes halves away from zero.
HALVES_AWAY = "mcuq.halves_away"
# Positions of a window up to which a multiplier of 30 bits tells each half from its neighbours: see `requantization`.
MOST_HALVES = 2047


def from_average_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """With or without the padding in the count."""
    windows, counts_pads = pool_windows(node), bool(node.attribute("count_include_pad", 0))
    for along, size in zip(windows, node.shape(0)[2:], strict=True):
        if not counts_pads and not along.meets(size):
            pads = [along.begin, along.end]
            raise node.error(f"pads={pads} and dilation={along.dilation} leave a window without input of {size}")

    halves_away = bool(node.attribute(HALVES_AWAY, False))

    def pool(images: str, window: Window) -> str:
        return graph.add(AveragePool(window, counts_pads, halves_away), [images], name=node.name)

    if len(windows) == 3:
        return means_over_volume(graph, node.computed(0), windows, counts_pads, pool)
    return channels_first(node, graph, pool(channels_last(node, graph), plane_window(windows)))


@dataclass(frozen=True)
class AveragePool(Pool, Clamped):
    """y = clamp(sum of x over the window / count), x NHWC; largest error half a step.

    `count` is the number of positions on the image, or with `count_include_pad` on the padded image.

    Halves are rounded up. With `halves_away`, where input and output have one int8 quantization, the mean is that of
    the integers as they are, its halves away from zero: what TensorFlow Lite computes.
    """

    count_include_pad: bool = False
    halves_away: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"AveragePool": from_average_pool}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True

    def averaged(self, layer: Layer) -> int | None:
        return prod(self.window.kernel)

    def padded(self, pads: tuple[int, int, int, int]) -> Operator | None:
        if any(self.window.pads) or self.window.ceil_mode:
            return None
        window = self.window.padded(pads)
        # ONNX, which calibration runs, has no pooling window in the padding alone.
        if any(pad >= size for pad, size in zip(pads, window.kernel * 2, strict=True)):
            return None
        return replace(self, window=window, count_include_pad=True)

    def row_window(self, layer: Layer, index: int, axis: int) -> RowWindow | None:
        # What ceil_mode adds below the image is not counted where padding is: a band's padding would be.
        return None if self.count_include_pad and self.window.ceil_mode else super().row_window(layer, index, axis)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        if self.window.dilations == (1, 1):
            y = self.written(layer, writer, count_include_pad=int(self.count_include_pad))
        else:
            # Opset 17 has no dilations for this operator.
            sums = self.written_sums(layer, writer, layer.inputs[0].name)
            y = writer.node("Div", [sums, writer.constant(self.counts(layer).astype(np.float32))])
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

    def zero_points(self, layer: Layer) -> tuple[int, int]:
        """What the sum takes off each input, and what is added to its mean: none where halves go away from zero."""
        return (0, 0) if self._rounds_away(layer) else (layer.inputs[0].zero_point, layer.output.zero_point)

    def _rounds_away(self, layer: Layer) -> bool:
        x, y = layer.inputs[0], layer.output
        if not self.halves_away or self.count_include_pad or prod(self.window.kernel) > MOST_HALVES:
            return False
        return x.quant == y.quant and x.dtype == y.dtype == "int8"

    def requantization(self, layer: Layer) -> tuple[int, Requantization]:
        """(smallest count, multipliers for that count and all up to the largest).

        Where halves go away from zero, a multiplier is the least integer above 2^(32+shift) / count. The product is
        then further from zero than the mean, by at most |sum| / 2^30 <= 128 * count / 2^30: a half comes to lie beyond
        itself, and of the other means, which are 1 / (2 * count) or more from one, none does while count < 2048.
        """
        counts = self.counts(layer)
        smallest, largest = int(counts.min()), int(counts.max())
        scale = layer.inputs[0].scale / layer.output.scale
        factors = [scale / count for count in range(smallest, largest + 1)]
        found = requantization(factors, self.bound(layer), layer.where)
        if self._rounds_away(layer):
            one = 1 << (32 + found.shift - found.prescale)
            found = replace(found, multiplier=tuple(one // count + 1 for count in range(smallest, largest + 1)))
        return smallest, found

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.quant is None:
            return simulate_average_pool_float32(self, layer, inputs[0])
        zero_points = self.zero_points(layer)
        images = inputs[0].reshape(-1, *x.shape[1:]).astype(np.int32) - zero_points[0]
        acc = np.zeros((len(images), *y.shape[1:]), np.int64)
        for taps, region in self.window.taps(images, acc):
            region += taps
        smallest, requant = self.requantization(layer)
        multiplier = np.array(requant.multiplier)[self.counts(layer) - smallest]
        per_window = Requantization(multiplier[..., None], requant.shift, requant.prescale)
        q = requantize_output(self, acc, per_window, self.bound(layer), y, zero_points[1])
        return q.reshape(*inputs[0].shape[:2], *y.shape[1:])


def simulate_average_pool_float32(op: AveragePool, layer: Layer, x: Array) -> Array:
    """0 + x for each tap on the image, in the order ky, kx, times 1 / count rounded to float32."""
    images = x.reshape(-1, *layer.inputs[0].shape[1:])
    acc = np.zeros((len(images), *layer.output.shape[1:]), np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for taps, region in op.window.taps(images, acc):
            region += taps
        mean = acc * inverse_counts(op.counts(layer))[..., None]
    return clamp_float(mean, op.minimum, op.maximum).reshape(*x.shape[:2], *layer.output.shape[1:])


def inverse_counts(counts: Array) -> Array:
    return (1 / counts).astype(np.float32)
