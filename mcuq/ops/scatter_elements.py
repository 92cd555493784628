"""ScatterElements: a tensor with other elements at indices along one dimension."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import index_within
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis, weights
from mcuq.ops.add import Add
from mcuq.ops.dtypes import MOVED
from mcuq.ops.gather_elements import indices_of
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.moved_constants import in_shared_scale, of_all_samples
from mcuq.ops.mul import Mul
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.slice import Slice

MOST_PRODUCTS = 16


def from_scatter_elements(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any of the three may be constant, if not all are. With reduction add the sums are added to the data; with mul
    those that may meet are multiplied one after the other."""
    axis = normalized_axis(node.attribute("axis", 0), len(node.shape(0)), node)
    return scatter(node, graph, axis, scattered(node, graph), node.outputs[0])


def scatter(
    node: OnnxNode, graph: GraphBuilder, axis: int, inputs: list[str], output: str | None = None, apart: int = 1
) -> str:
    """Data with updates at indices along a dimension, reduced as the node says; of computed indices each `apart` in a
    row are known to differ."""
    reduction = node.attribute("reduction", "none")
    if reduction == "mul":
        return _multiplied(node, graph, axis, inputs, output, apart)
    if reduction != "add":
        return graph.add(ScatterElements(axis, reduction), inputs, output, node.name)
    x, indices, updates = inputs
    data = graph.tensors[x]
    starts = data.is_constant and not np.any(data.values)
    total = output if starts else None
    sums = graph.add(ScatterSum(axis, data.shape[axis]), [updates, indices], total, node.name)
    if starts:
        return sums
    add = Add() if data.integers is None else IntegerArithmetic("Add")
    return graph.add(add, [x, sums], output, node.name)


def _multiplied(
    node: OnnxNode, graph: GraphBuilder, axis: int, inputs: list[str], output: str | None, apart: int
) -> str:
    """Times tensors of ones that have updates at their places, so many that no two of one tensor meet."""
    x, indices, updates = inputs
    data, places = graph.tensors[x], graph.tensors[indices]
    ones = np.ones(data.shape, np.float32)
    groups = [*_groups(places, axis, data.shape[axis], apart)]
    if len(groups) > MOST_PRODUCTS:
        raise node.error(
            f"reduction=mul has updates that may meet {len(groups)} times; supported are {MOST_PRODUCTS}, each a "
            "layer; use constant indices, each of them once",
            "reduction",
        )
    mul = Mul() if data.integers is None else IntegerArithmetic("Mul")
    for i, span in enumerate(groups):
        parts = [_span(graph, name, axis, span) for name in (indices, updates)]
        at, new = (graph.tensors[part] for part in parts)
        if at.is_constant and new.is_constant:
            factors = ones.copy()
            np.put_along_axis(factors, at.values.astype(np.int64), new.values, axis)
            factor = graph.constant(factors, f"{node.name}.factors")
        else:
            start = graph.constant(ones, f"{node.name}.ones", _quant_of(new))
            factor = graph.add(ScatterElements(axis), [start, *parts], name=node.name)
        x = graph.add(mul, [x, factor], output if i == len(groups) - 1 else None, node.name)
    return x


def _quant_of(tensor: Tensor) -> Integers | None:
    """That integers stand for themselves in what is beside them."""
    return None if tensor.integers is None else Integers.of(1, 1)


def _groups(indices: Tensor, axis: int, size: int, apart: int) -> Iterator[tuple[int, int]]:
    """From where to where along the axis no two indices mean one place."""
    count = indices.shape[axis]
    if not indices.is_constant:
        yield from ((begin, begin + apart) for begin in range(0, count, apart))
        return
    rows = np.moveaxis(indices.values.astype(np.int64) % size, axis, 0).reshape(count, -1)
    begin = 0
    for k in range(count):
        if (rows[begin:k] == rows[k]).any():
            yield begin, k
            begin = k
    yield begin, count


def _span(graph: GraphBuilder, name: str, axis: int, span: tuple[int, int]) -> str:
    tensor, (begin, end) = graph.tensors[name], span
    if (begin, end) == (0, tensor.shape[axis]):
        return name
    if tensor.is_constant:
        return graph.constant(np.take(tensor.values, range(begin, end), axis), name, tensor.quant)
    starts = tuple(begin if a == axis else 0 for a in range(len(tensor.shape)))
    sizes = tuple(end - begin if a == axis else n for a, n in enumerate(tensor.shape))
    return graph.add(Slice(starts, sizes, (1,) * len(sizes)), [name])


def scattered(node: OnnxNode, graph: GraphBuilder) -> list[str]:
    """Data, indices and updates."""
    reduction = node.attribute("reduction", "none")
    if reduction not in ("none", "add", "mul", "min", "max"):
        raise node.error(f"reduction={reduction} is not supported; use none, add, mul, min or max", "reduction")

    def values(index: int, what: str) -> str:
        if not node.is_constant(index):
            return node.computed(index)
        return graph.constant(weights(node, index, what), node.inputs[index], operand_quant(node, index))

    inputs = [values(0, "data"), indices_of(node, graph, 1), values(2, "updates")]
    if (graph.tensors[inputs[0]].integers is None) != (graph.tensors[inputs[2]].integers is None):
        raise node.error("puts real values among integers, or integers among those; Cast one of them")
    return inputs


def _along(shape: Shape, axis: int, other: Shape) -> Shape:
    return (*shape[:axis], *other[axis : axis + 1], *shape[axis + 1 :])


@dataclass(frozen=True)
class ScatterElements(Operator):
    """y = x, but y[.., indices[.., i, ..], ..] = updates[.., i, ..] along `axis`, one after the other; with `reduction`
    min or max the smaller or the larger of both. Exact.

    Indices below 0 count from the back; those beyond are taken for the nearest that there is. All but the indices share
    one scale.
    """

    axis: int
    reduction: str = "none"

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "ScatterElements": from_scatter_elements,
        "Scatter": from_scatter_elements,
    }
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    shares_scale = True
    choosing = (1,)
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, indices, updates = (t.shape for t in inputs)
        if len(x) != len(indices) or indices != updates or _along(x, self.axis, indices) != indices:
            shapes = f"indices of shape {list(indices)} and updates of shape {list(updates)}"
            raise ModelError(f"{shapes} do not fit data of shape {list(x)}")
        return x

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        x, updates = inputs[0].integers, inputs[2].integers
        return Integers.of(min(x.low, updates.low), max(x.high, updates.high)) if x and updates else None

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        size = inputs[0].shape[self.axis]
        return (-size, size - 1) if index == 1 else None

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constants in the shared scale."""
        return in_shared_scale(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, indices, updates = (t.name for t in layer.inputs)
        whole = writer.node("Cast", [indices], to=TensorProto.INT64)
        writer.node("ScatterElements", [x, whole, updates], layer.output.name, axis=self.axis, reduction=self.reduction)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, indices, updates = of_all_samples(layer, inputs)
        places = index_within(indices, layer.output.shape[self.axis])
        y = np.array(x, layer.output.dtype)
        others: list[Array] = list(np.indices(indices.shape, sparse=True))
        others[self.axis + 1] = places
        # In the order of the elements, so that the last of several at one place stays.
        for k in range(indices.shape[self.axis + 1]):
            one = tuple(np.take(np.broadcast_to(o, indices.shape), k, axis=self.axis + 1) for o in others)
            new, old = np.take(updates, k, axis=self.axis + 1), y[one]
            stays = {"none": np.False_, "min": ~(new < old), "max": ~(new > old)}[self.reduction]
            y[one] = np.where(stays, old, new)
        return y
