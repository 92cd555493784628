"""Mean: the average over whole dimensions; GlobalAveragePool and ReduceMean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.dtypes import MIXED
from mcuq.ops.reduction import Reduction
from mcuq.ops.requantized import largest_difference, requantize_output
from mcuq.ops.reshape import Reshape


def from_global_average_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions behind the channels."""
    axes = tuple(range(2, len(node.shape(0))))
    return graph.add(Mean(axes), [node.computed(0)], node.outputs[0], node.name)


def from_reduce_mean(node: OnnxNode, graph: GraphBuilder) -> str:
    """Without axes all dimensions, or none if noop_with_empty_axes says so."""
    shape = node.shape(0)
    axes = node.ints("axes", 1)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return node.computed(0)
        axes = tuple(range(len(shape)))
    reduced = tuple(sorted({normalized_axis(axis, len(shape), node) for axis in axes}))
    if node.attribute("keepdims", 1):
        return graph.add(Mean(reduced), [node.computed(0)], node.outputs[0], node.name)
    y = graph.add(Mean(reduced), [node.computed(0)], name=node.name)
    kept = tuple(size for axis, size in enumerate(shape) if axis not in reduced)
    return graph.add(Reshape(kept), [y], node.outputs[0])


@dataclass(frozen=True)
class Mean(Reduction, Clamped):
    """y = clamp(sum of x over `axes` / their size); reduced dimensions stay with size 1.

    Largest error half a step.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "GlobalAveragePool": from_global_average_pool,
        "ReduceMean": from_reduce_mean,
    }
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    is_monotone = True

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def averaged(self, layer: Layer) -> int | None:
        return self.count(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        # ReduceMean without axes reduces all dimensions.
        x = layer.inputs[0].name
        y = writer.node("ReduceMean", [x], axes=list(self.axes), keepdims=1) if self.axes else x
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def bound(self, layer: Layer) -> int:
        """Largest sum of (x - zero_point)."""
        return largest_difference(layer.inputs[0]) * self.count(layer)

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: input scale / (output scale * count)."""
        factor = layer.inputs[0].scale / (layer.output.scale * self.count(layer))
        return requantization([factor], self.bound(layer), layer.where)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.quant is None:
            return simulate_mean_float32(self, layer, inputs[0])
        axes = tuple(axis + 1 for axis in self.axes)
        acc = inputs[0].sum(axis=axes, keepdims=True, dtype=np.int64) - self.count(layer) * x.zero_point
        return requantize_output(self, acc, self.requantization(layer), self.bound(layer), y)


def simulate_mean_float32(op: Mean, layer: Layer, x: Array) -> Array:
    """0 + x, one after the other, times 1 / count rounded to float32."""
    outer, reduced, inner = mean_sizes(op, layer)
    values = x.reshape(len(x), outer, reduced, inner)
    acc = np.zeros((len(x), outer, inner), np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for i in range(reduced):
            acc += values[:, :, i]
        mean = acc * np.float32(1 / reduced)
    return clamp_float(mean, op.minimum, op.maximum).reshape(len(x), *layer.output.shape)


def mean_sizes(op: Mean, layer: Layer) -> tuple[int, int, int]:
    shape = layer.inputs[0].shape
    first, last = op.span(shape)
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])
