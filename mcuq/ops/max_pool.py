"""MaxPool: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MOVED
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.pool import Pool, pool_windows
from mcuq.ops.volume import maxima_over_volume
from mcuq.ops.window import Window, plane_window


def from_max_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """The indices of the maxima are not supported."""
    if node.gives(1):
        raise node.error("output Indices is not supported; use the values alone")
    windows = pool_windows(node)

    def pool(images: str, window: Window) -> str:
        return graph.add(MaxPool(window), [images], name=node.name)

    if len(windows) == 3:
        return maxima_over_volume(graph, node.computed(0), windows, pool)
    return channels_first(node, graph, pool(channels_last(node, graph), plane_window(windows)))


@dataclass(frozen=True)
class MaxPool(Pool):
    """y = max of x over each window, padding left out. x NHWC. Exact.

    Among floats NaN is left out, and -infinity is what a window of nothing else has.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"MaxPool": from_max_pool}
    shares_scale = True
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        _, height, width, _ = inputs[0].shape
        (kh, kw), (dy, dx), (top, left, bottom, right) = (
            self.window.kernel,
            self.window.dilations,
            self.window.pads,
        )
        # A window wholly inside the padding would have no maximum.
        if max(top, bottom) > (kh - 1) * dy or max(left, right) > (kw - 1) * dx:
            raise ModelError(f"pads={list(self.window.pads)} reach beyond the window {[kh, kw]}")
        if not self.window.meets_input(height, width):
            raise ModelError(
                f"pads={list(self.window.pads)} and dilations={[dy, dx]} leave a window without input of "
                f"{[height, width]}"
            )
        return super().infer(inputs)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = self.written(layer, writer, dilations=self.window.dilations)
        writer.transpose(y, (0, 2, 3, 1), layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x = inputs[0].reshape(-1, *layer.inputs[0].shape[1:])
        if layer.output.quant is None:
            y = np.full((len(x), *layer.output.shape[1:]), -np.inf, np.float32)
            for taps, region in self.window.taps(x, y):
                region[...] = np.where(taps > region, taps, region)
            return y.reshape(*inputs[0].shape[:2], *y.shape[1:])
        y = np.full((len(x), *layer.output.shape[1:]), layer.output.quantization.bounds[0], layer.output.dtype)
        for taps, region in self.window.taps(x, y):
            np.maximum(region, taps, out=region)
        return y.reshape(*inputs[0].shape[:2], *y.shape[1:])
