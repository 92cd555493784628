"""MaxPool: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MOVED
from mcuq.ops.layout import channels_first, channels_last
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.pool import Pool, maxima_shape, pool_windows
from mcuq.ops.volume import plane_by_plane
from mcuq.ops.window import Window, plane_window


def from_max_pool(node: OnnxNode, graph: GraphBuilder) -> str | tuple[str, ...]:
    """Indices of the maxima are a layer of their own, over signals and images."""
    windows = pool_windows(node)

    def pool(images: str, window: Window) -> str:
        return graph.add(MaxPool(window), [images], name=node.name)

    if node.gives(1) and (len(windows) == 3 or node.given(0) is not None):
        kind = "three dimensions" if len(windows) == 3 else "integers of a QuantizeLinear"
        raise node.error(f"output Indices is not supported over {kind}; use the values alone")
    if len(windows) == 3:
        return plane_by_plane(graph, node.computed(0), windows, pool)
    x = channels_last(node, graph)
    y = channels_first(node, graph, pool(x, plane_window(windows)))
    if not node.gives(1):
        return y
    op = MaxPlaces(plane_window(windows), bool(node.attribute("storage_order", 0)))
    places = graph.add(op, [x], name=node.name)
    return y, channels_first(replace(node, outputs=node.outputs[1:]), graph, places)


@dataclass(frozen=True)
class MaxPool(Pool):
    """y = max of x over each window, padding left out. x NHWC. Exact.

    Among floats NaN is left out, and -infinity is what a window of nothing else has.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"MaxPool": from_max_pool}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    shares_scale = True
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return maxima_shape(self.window, inputs[0].shape)

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return inputs[0].integers

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
