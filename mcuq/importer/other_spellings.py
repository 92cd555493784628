"""What exporters write and no runtime takes: pools over more than three dimensions, as jax2onnx has them, and Erfc,
which tf2onnx hands on from TensorFlow. Both in ONNX's own operators, with which the float model runs too."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuq.graph.tensor import Array, Shape
from mcuq.importer.rewriter import attributes_of
from mcuq.importer.shapes import inferred_shapes

_MOST = 3  # dimensions that runtimes pool
_POOLS = ("AveragePool", "MaxPool")
_ALONG = ("kernel_shape", "strides", "dilations")  # a number for each dimension behind the channels


def runnable(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, or a copy in which such nodes are spelled in others; those that have no such form stay."""
    if not any(_is_deep(node) or _is_erfc(node) for node in model.graph.node):
        return model
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input}
    shapes |= inferred_shapes(model)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    spelling = _Spelling(copy)
    for node in model.graph.node:
        shape = shapes.get(node.input[0]) if _is_deep(node) else None
        if _is_erfc(node):
            spelling.spell_erfc(node)
        elif shape is None or not spelling.spell_pool(node, shape):
            spelling.nodes.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(spelling.nodes)
    return copy


def _is_deep(node: onnx.NodeProto) -> bool:
    kernel = next((a.ints for a in node.attribute if a.name == "kernel_shape"), ())
    return not node.domain and node.op_type in _POOLS and len(kernel) > _MOST and len(node.output) == 1


def _is_erfc(node: onnx.NodeProto) -> bool:
    return not node.domain and node.op_type == "Erfc" and len(node.input) == len(node.output) == 1


class _Spelling:
    """Nodes so far; constants go into the model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._graph = model.graph
        self._taken = {t.name for t in model.graph.initializer}
        self._taken |= {name for node in model.graph.node for name in (*node.input, *node.output)}

    def spell_erfc(self, node: onnx.NodeProto) -> None:
        """1 - erf(x)."""
        one = self._constant(np.array(1, np.float32), f"{node.output[0]}.one")
        erf = self._add("Erf", [node.input[0]], f"{node.output[0]}.erf")
        self._add("Sub", [one, erf], node.output[0], is_new=False)

    def spell_pool(self, node: onnx.NodeProto, shape: Shape) -> bool:
        """Dimensions along which windows do nothing join the channels. Whether at most three are left."""
        attributes, rank, stem = attributes_of(node), len(shape) - 2, node.output[0]
        strides, pads = attributes.get("strides", [1] * rank), attributes.get("pads", [0] * 2 * rank)
        kernel = attributes["kernel_shape"]
        if len(kernel) != rank or len(strides) != rank or len(pads) != 2 * rank:
            return False
        busy = [i for i in range(rank) if (kernel[i], strides[i], pads[i], pads[i + rank]) != (1, 1, 0, 0)] or [0]
        if len(busy) > _MOST:
            return False
        idle = [i for i in range(rank) if i not in busy]
        perm = [0, 1, *(i + 2 for i in (*idle, *busy))]
        few = [shape[0], prod(shape[axis] for axis in perm[1 : 2 + len(idle)]), *(shape[i + 2] for i in busy)]
        moved = self._add("Transpose", [node.input[0]], f"{stem}.moved", perm=perm)
        x = self._add("Reshape", [moved, self._constant(np.array(few), f"{stem}.few")], f"{stem}.x")
        y = self._add(node.op_type, [x], f"{stem}.y", **_of_these(attributes, busy, rank))
        kept = [shape[axis] for axis in perm[: 2 + len(idle)]]
        sizes = self._sizes(y, len(busy), stem)
        whole = self._add("Concat", [self._constant(np.array(kept), f"{stem}.kept"), sizes], f"{stem}.whole", axis=0)
        apart = self._add("Reshape", [y, whole], f"{stem}.apart")
        self._add("Transpose", [apart], stem, is_new=False, perm=np.argsort(perm).tolist())
        return True

    def _sizes(self, y: str, count: int, stem: str) -> str:
        """The last sizes of a tensor."""
        bounds = [self._constant(np.array([n]), f"{stem}.{what}") for n, what in ((2, "first"), (2 + count, "end"))]
        return self._add("Slice", [self._add("Shape", [y], f"{stem}.shape"), *bounds], f"{stem}.sizes")

    def _constant(self, value: Array, stem: str) -> str:
        name = self._fresh(stem)
        self._graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def _add(self, op_type: str, inputs: list[str], output: str, is_new: bool = True, **attributes: Any) -> str:
        name = self._fresh(output) if is_new else output
        self.nodes.append(helper.make_node(op_type, inputs, [name], name, **attributes))
        return name

    def _fresh(self, stem: str) -> str:
        name = stem
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _of_these(attributes: Mapping[str, Any], busy: list[int], rank: int) -> dict[str, Any]:
    """A pool's attributes along some of its dimensions."""
    found = {name: [attributes[name][i] for i in busy] for name in _ALONG if name in attributes}
    if "pads" in attributes:
        found["pads"] = [attributes["pads"][i + end] for end in (0, rank) for i in busy]
    return {**attributes, **found}
