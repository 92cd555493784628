"""LpPool: the sum of sizes in each window, or the root of the sum of squares or higher powers, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MIXED
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.pool import Pool, pool_windows
from mcuq.ops.power_sum import PowerSum, power_of_size, root_float32, write_power, write_root
from mcuq.ops.volume import plane_by_plane
from mcuq.ops.window import Window, plane_window

MOST_POWER = 32


def stated_power(node: OnnxNode) -> int:
    """Attribute p, a whole number up to MOST_POWER."""
    power = float(node.attribute("p", 2))  # a float in opset 1
    if power not in range(1, MOST_POWER + 1):
        raise node.error(f"p={power:g} is not supported; use a whole number from 1 to {MOST_POWER}", "p")
    return int(power)


def from_lp_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """Padding adds nothing. Over volumes norms along the depth, and of these over each image."""
    windows, power = pool_windows(node), stated_power(node)

    def pool(images: str, window: Window) -> str:
        return graph.add(LpPool(window, power), [images], name=node.name)

    if len(windows) == 3:
        return plane_by_plane(graph, node.computed(0), windows, pool)
    return channels_first(node, graph, pool(channels_last(node, graph), plane_window(windows)))


@dataclass(frozen=True)
class LpPool(Pool, Clamped):
    """y = clamp(sum of |x| over the window, or the p-th root of the sum of |x|^p), x NHWC, p = `power`. Largest error
    half a step, and from p=2 on 2^-root_bits steps of x: for p=2 2^-16 up to 2^14 values of int8, 2^-16 to 2^-8 of
    int16; for p=3 2^-7 of int8, 2^-1 of int16; it has 20 bits for p=3, 15 for p=4, 10 for p=6 between 0 and the largest
    norm."""

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
        y = write_root(writer, self.written_sums(layer, writer, write_power(writer, x, self.power)), self.power)
        writer.clip(writer.transpose(y, (0, 2, 3, 1)), self.minimum, self.maximum, layer.output.name)

    def sums(self, layer: Layer) -> PowerSum:
        """Those of a window without padding."""
        return PowerSum(layer, self.power, self.power > 1, prod(self.window.kernel))

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        images = inputs[0].reshape(-1, *x.shape[1:])
        is_float = y.quant is None
        if not is_float:
            images = images.astype(np.int64) - x.zero_point
        acc = np.zeros((len(images), *y.shape[1:]), np.float32 if is_float else np.int64)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for taps, region in self.window.taps(power_of_size(images, self.power), acc):
                region += taps
        if is_float:
            root = root_float32(acc, self.power) if self.power > 1 else acc
            value = clamp_float(root, self.minimum, self.maximum)
        else:
            value = self.sums(layer).finished(self, acc)
        return value.reshape(*inputs[0].shape[:2], *y.shape[1:])
