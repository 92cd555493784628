"""Rewrites the nodes of an ONNX model, for reading quantized operators in another form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import helper, numpy_helper

from mcuq.graph.names import fresh
from mcuq.graph.tensor import Array
from mcuq.importer.constants import constant_node_value, tensor_value

# Operators whose output has as many dimensions as their first input.
_OF_ONE_RANK = frozenset(
    {
        *("AveragePool", "Clip", "Conv", "DequantizeLinear", "LeakyRelu", "MaxPool", "QuantizeLinear", "Relu"),
        *("NhwcMaxPool", "QLinearAveragePool", "QLinearConv", "QLinearLeakyRelu", "QLinearSigmoid", "Sigmoid"),
    }
)


class Rewriter:
    """The nodes of a model, some of them replaced; the model itself stays as it is."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self.nodes: list[onnx.NodeProto] = list(model.graph.node)
        self.producers = {output: node for node in self.nodes for output in node.output if output}
        self._weights = {t.name: t for t in model.graph.initializer}
        self._names = {name for node in self.nodes for name in (*node.input, *node.output)}
        self._names |= self._weights.keys()
        self._names |= {v.name for v in (*model.graph.input, *model.graph.output)}
        self._dequantized: dict[tuple[str, ...], str] = {}
        self._stored: list[onnx.TensorProto] = []
        self._changed = False

    def store(self, stem: str, value: Array) -> str:
        """Add a weight; returns its name."""
        name = self.fresh(stem)
        self._stored.append(numpy_helper.from_array(value, name))
        return name

    def fresh(self, stem: str) -> str:
        """A tensor name that is not yet taken."""
        return fresh(stem, self._names)

    def replace(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Take these nodes for all that there were."""
        self.nodes = list(nodes)
        self.producers = {output: node for node in self.nodes for output in node.output if output}
        self._changed = True

    def constant(self, name: str) -> Array | None:
        """The value of a weight or a Constant; None for what is computed."""
        node = self.producers.get(name)
        if node is not None:
            return constant_node_value(node) if node.op_type == "Constant" else None
        tensor = self._weights.get(name)
        return None if tensor is None else tensor_value(tensor, f"weight '{name}'")

    def readers(self, tensor: str) -> list[onnx.NodeProto] | None:
        """The nodes that read the tensor; None where the model gives it out."""
        if any(value.name == tensor for value in self._model.graph.output):
            return None
        return [node for node in self.nodes if tensor in node.input]

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """The one node that reads the tensor; None where there are none, several, or the model gives it out."""
        readers = self.readers(tensor)
        return readers[0] if readers is not None and len(readers) == 1 else None

    def rank(self, tensor: str) -> int | None:
        """The number of dimensions of an input of the model, or of what comes from one by way of operators on images
        alone; None where it is not known."""
        while (node := self.producers.get(tensor)) is not None:
            if node.op_type == "Transpose":
                return len(attributes_of(node).get("perm", ())) or None
            if node.op_type not in _OF_ONE_RANK:
                return None
            tensor = node.input[0]
        shapes = {v.name: v.type.tensor_type.shape for v in self._model.graph.input}
        return len(shapes[tensor].dim) if tensor in shapes else None

    def dequantize(
        self, into: list[onnx.NodeProto], x: str, scale: str, zero_point: str, axis: int | None = None
    ) -> str:
        """The real values of integers, by a DequantizeLinear that is added where there is none yet."""
        key = (x, scale, zero_point, str(axis))
        if key not in self._dequantized:
            y = self._dequantized[key] = self.fresh(f"{x}.real")
            inputs = [x, scale, zero_point] if zero_point else [x, scale]
            attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
            into.append(helper.make_node("DequantizeLinear", inputs, [y], y, **attributes))
        return self._dequantized[key]

    def model(self) -> onnx.ModelProto:
        """The model with the nodes as they are now."""
        if not self._changed:
            return self._model
        rewritten = onnx.ModelProto()
        rewritten.CopyFrom(self._model)
        del rewritten.graph.node[:]
        rewritten.graph.node.extend(self.nodes)
        rewritten.graph.initializer.extend(self._stored)
        return rewritten


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Name -> value."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def inputs_of(node: onnx.NodeProto, count: int) -> list[str]:
    """The node's first `count` inputs, "" for those that it has not."""
    return [*node.input, *[""] * count][:count]
