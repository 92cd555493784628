"""Softmax along the last dimension, in integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import ONE, exponential, one_nan
from mcuq.arithmetic.int8 import clamp
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.dtypes import MIXED
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax_s16 import distances, softmax_s16
from mcuq.ops.transpose import Transpose


def from_softmax(make: Callable[[], Operator]) -> FromOnnx:
    """`from_onnx` of an operator along one dimension, which becomes the last."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        x, shape = node.computed(0), node.shape(0)
        rank = len(shape)
        if node.opset < 13:
            # Before opset 13 all dimensions from `axis` on are one.
            axis = normalized_axis(node.attribute("axis", 1), rank, node)
            if axis == rank - 1:
                return graph.add(make(), [x], node.outputs[0], node.name)
            flat = graph.add(Reshape((prod(shape[:axis]), prod(shape[axis:]))), [x])
            return graph.add(Reshape(shape), [graph.add(make(), [flat], name=node.name)], node.outputs[0])
        axis = normalized_axis(node.attribute("axis", -1), rank, node)
        if axis == rank - 1:
            return graph.add(make(), [x], node.outputs[0], node.name)
        perm = (*(a for a in range(rank) if a != axis), axis)
        inverse = tuple(perm.index(a) for a in range(rank))
        last = graph.add(Transpose(perm), [x])
        return graph.add(Transpose(inverse), [graph.add(make(), [last], name=node.name)], node.outputs[0])

    return add


def exponential_bits(classes: int) -> int:
    """Fraction bits of the exponentials: the sum of `classes` of them, each at most 1, stays below 2^31."""
    return min(22, 30 - (classes - 1).bit_length())


def exponential_table(scale: float, classes: int) -> Array:
    """int32 (256): exp(-scale * d) for d = largest - x."""
    d = np.arange(256.0)
    return np.rint(np.exp(-scale * d) * 2.0 ** exponential_bits(classes)).astype(np.int32)


def exponentials(x: Array, layer: Layer, keep: Array | None = None) -> tuple[Array, Array, Array]:
    """(largest - x, their exponentials, the sum of those along the last dimension), all int64; 0 where not `keep`."""
    table = exponential_table(layer.inputs[0].scale, layer.output.shape[-1]).astype(np.int64)
    distance = distances(x, keep)
    terms = table[distance]
    if keep is not None:
        terms = np.where(keep, terms, 0)
    return distance, terms, terms.sum(axis=-1, keepdims=True)


def softmax_s8(x: Array, layer: Layer, keep: Array | None = None) -> Array:
    """Shares of 256, rounded once."""
    _, terms, total = exponentials(x, layer, keep)
    return clamp((terms * 256 + total // 2) // total - 128, -128, 127)


@dataclass(frozen=True)
class Softmax(Operator):
    """y = exp(x - largest) / sum of those; y has scale 1/256 and zero point -128. Largest error 1 step.

    The exponentials have 22 fraction bits, fewer for more than 256 classes; one division an element. On int16 y has
    scale 1/32768 and zero point 0, see mcuq.ops.softmax_s16; largest error 1 step up to 4096 classes, where 1 itself
    counts as the greatest code.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Softmax": from_softmax(lambda: Softmax())}
    hides_errors = True
    dtypes = frozenset({*MIXED, "float32"})

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        return (axis, OWN_ROW) if axis < len(layer.output.shape) - 1 else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Softmax", [layer.inputs[0].name], layer.output.name, axis=-1)

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        return Quant((1 / 32768,), 0, "int16") if dtype == "int16" else Quant((1 / 256,), -128)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_softmax_float32(inputs[0])
        if layer.output.dtype == "int16":
            return softmax_s16(inputs[0], layer)
        return softmax_s8(inputs[0], layer)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return (0,)


def exponentials_float32(x: Array) -> tuple[Array, Array, Array]:
    """(x - largest, exp of it, the sum of those along the last dimension, one after the other).

    NaN is no largest value, and makes its row's sum NaN.
    """
    largest = np.fmax.reduce(x, axis=-1, keepdims=True, initial=np.float32(-np.inf))
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        distance = x - largest
        terms = exponential(distance)
        total = np.zeros_like(terms[..., 0])
        for i in range(terms.shape[-1]):
            total = total + terms[..., i]
    return distance, terms, total


def simulate_softmax_float32(x: Array) -> Array:
    """e = exp(x - largest) for each, e * (1 / sum of e); a row with NaN is NaN throughout."""
    _, terms, total = exponentials_float32(x)
    with np.errstate(invalid="ignore", under="ignore", divide="ignore"):
        return one_nan(terms * (ONE / total)[..., None])
