"""LpPool: the sum of sizes in each window, or the root of the sum of squares, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.functions import square_root
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MIXED
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.pool import Pool, pool_windows
from mcuq.ops.power_sum import PowerSum
from mcuq.ops.window import plane_window


def stated_power(node: OnnxNode) -> int:
    """Attribute p: 1 or 2."""
    power = int(node.attribute("p", 2))
    if power not in (1, 2):
        raise node.error(f"p={power} is not supported; use p=1 or p=2", "p")
    return power


def from_lp_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """Over signals and images; padding adds nothing."""
    windows, power = pool_windows(node), stated_power(node)
    if len(windows) == 3:
        raise node.error(f"input of shape {list(node.shape(0))}; supported are 1-D (N, C, L) and 2-D (N, C, H, W)")
    pooled = graph.add(LpPool(plane_window(windows), power), [channels_last(node, graph)], name=node.name)
    return channels_first(node, graph, pooled)


@dataclass(frozen=True)
class LpPool(Pool, Clamped):
    """y = clamp(sum of |x| over the window, or the root of the sum of x^2), x NHWC, for p=1 and p=2. Largest error half
    a step, and for p=2 2^-root_bits steps of x: 2^-16 up to 2^14 values of int8, 2^-16 to 2^-8 of int16."""

    power: int = 2

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"LpPool": from_lp_pool}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    is_monotone = False

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        low, high = super().clip_range(low, high)
        return max(low, 0.0), max(high, 0.0)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        # Opset 17 has neither dilations nor ceil_mode for this operator.
        x = layer.inputs[0].name
        each = writer.node("Abs", [x]) if self.power == 1 else writer.node("Mul", [x, x])
        y = self.written_sums(layer, writer, each)
        if self.power == 2:
            y = writer.node("Sqrt", [y])
        writer.clip(writer.transpose(y, (0, 2, 3, 1)), self.minimum, self.maximum, layer.output.name)

    def sums(self, layer: Layer) -> PowerSum:
        """Those of a window without padding."""
        return PowerSum(layer, self.power, self.power == 2, prod(self.window.kernel))

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        images = inputs[0].reshape(-1, *x.shape[1:])
        is_float = y.quant is None
        if not is_float:
            images = images.astype(np.int64) - x.zero_point
        acc = np.zeros((len(images), *y.shape[1:]), np.float32 if is_float else np.int64)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            each = np.abs(images) if self.power == 1 else images * images
            for taps, region in self.window.taps(each, acc):
                region += taps
        if is_float:
            value = clamp_float(square_root(acc) if self.power == 2 else acc, self.minimum, self.maximum)
        else:
            value = self.sums(layer).finished(self, acc)
        return value.reshape(*inputs[0].shape[:2], *y.shape[1:])
