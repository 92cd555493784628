"""Unpool: values at places that indices say, zeros elsewhere; MaxUnpool."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import index_within
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import FLOAT32, MIXED


def from_max_unpool(node: OnnxNode, graph: GraphBuilder) -> str:
    """Indices count through the whole output, which is as large as pooling needs, or as is said."""
    shape, kernel = node.shape(0), tuple(node.attribute("kernel_shape"))
    rank = len(shape) - 2
    strides, pads = (
        tuple(node.attribute(name, (v,) * n)) for name, v, n in (("strides", 1, rank), ("pads", 0, 2 * rank))
    )
    if not (len(kernel) == len(strides) == rank and len(pads) == 2 * rank):
        raise node.error(f"kernel_shape={list(kernel)} does not fit input of shape {list(shape)}")
    pooled = tuple(
        (n - 1) * s + k - begin - end
        for n, k, s, begin, end in zip(shape[2:], kernel, strides, pads[:rank], pads[rank:], strict=True)
    )
    wanted = node.ints("output_shape", 2) or (*shape[:2], *pooled)
    if len(wanted) != len(shape) or any(a < b for a, b in zip(wanted, (*shape[:2], *pooled), strict=True)):
        raise node.error(f"output_shape={list(wanted)} is less than the {[*shape[:2], *pooled]} that pooling needs")
    return graph.add(Unpool(tuple(wanted)), [node.computed(0), node.integers(1)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Unpool(Operator):
    """y = 0, and at place indices[i] of all of y the value x[i], of several at one place the last. Exact.

    Indices beyond y, which ONNX Runtime refuses, are taken for the nearest that there is.
    """

    shape: Shape

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"MaxUnpool": from_max_unpool}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    shares_scale = True
    choosing = (1,)
    dtypes = MIXED | FLOAT32

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, indices = (t.shape for t in inputs)
        if x != indices:
            raise ModelError(f"indices {list(indices)} do not fit values {list(x)}")
        return self.shape

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        return (0, prod(self.shape) - 1) if index == 1 else None

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return output

    @property
    def fills(self) -> tuple[float, ...]:
        return (0.0,)

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, indices = (t.name for t in layer.inputs)
        flat = writer.constant(np.array([-1], np.int64))
        zeros = writer.constant(np.zeros(prod(self.shape), np.float32))
        whole = writer.node("Cast", [writer.node("Reshape", [indices, flat])], to=TensorProto.INT64)
        y = writer.node("ScatterElements", [zeros, whole, writer.node("Reshape", [x, flat])])
        writer.node("Reshape", [y, writer.constant(np.array(self.shape, np.int64))], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        found = np.full((len(inputs[0]), y.elements), y.encode(np.array(0.0)), inputs[0].dtype)
        places = index_within(inputs[1], y.elements).reshape(len(found), -1)
        for own, at, values in zip(found, places, inputs[0].reshape(len(found), -1), strict=True):
            own[at] = values
        return found.reshape(-1, *y.shape)
