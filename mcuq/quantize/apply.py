"""Gives every tensor its scale and turns constants into integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuq.ir import Graph, Node, verify
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.float_weights import float_constants
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.pad import Pad
from mcuq.quantization import quant_for_range
from mcuq.quantize.calibrate import Range
from mcuq.quantize.dtypes import activation_dtypes
from mcuq.quantize.scheme import Scheme
from mcuq.tensor import Quant, Tensor

INT8_SCHEME = Scheme()


def quantize_graph(graph: Graph, ranges: Mapping[str, Range], scheme: Scheme = INT8_SCHEME) -> Graph:
    """The quantized graph of a float graph that has its conversions, whose scaled tensors have the given real ranges.

    Tensors that data only moves between share one scale, which covers the ranges of all of them. Raises
    QuantizationError where int32 cannot hold a layer's accumulator or bias.
    """
    dtypes = activation_dtypes(graph, scheme)
    quants = activation_quants(graph, ranges, dtypes)
    tensors = {
        name: replace(tensor, dtype=dtypes[name], quant=quants.get(name))
        for name, tensor in graph.tensors.items()
        if not tensor.is_constant
    }
    nodes = []
    for node in graph.nodes:
        layer = graph.layer(node)
        inputs = tuple(tensors.get(t.name, t) if not t.is_constant else t for t in layer.inputs)
        layer = replace(layer, inputs=inputs, output=tensors[node.output])
        weighted = isinstance(layer.op, Conv2d | FullyConnected)
        as_floats = float_constants(layer, scheme.of(node.name).weights) if weighted else None
        nodes.append(with_constants(node, as_floats or layer.op.quantize_constants(layer), tensors))
    return verify(Graph(graph.name, tuple(nodes), tensors, graph.inputs, graph.outputs))


def activation_quants(graph: Graph, ranges: Mapping[str, Range], dtypes: Mapping[str, str]) -> dict[str, Quant]:
    """Scale and zero point of every computed tensor of integers; `dtypes` has the type of all computed tensors."""
    groups = _Groups()
    covered: dict[str, Range] = dict(ranges)
    fixed: dict[str, Quant] = {}
    for layer in graph.layers():
        name = layer.output.name
        if dtypes[name] == "float32" and name not in ranges:
            continue
        if layer.op.shares_scale:
            for t in layer.activations:
                groups.join(name, t.name)
            constants = [v for t in layer.inputs if t.is_constant for v in (t.values.min(), t.values.max())]
            if isinstance(layer.op, Pad):
                constants.append(layer.op.value)
            if constants:
                covered[name] = (float(min(constants)), float(max(constants)))
        elif (quant := layer.op.output_quant(layer)) is not None:
            fixed[name] = quant
        else:
            covered[name] = layer.op.clip_range(*ranges[name])
    spans: dict[str, Range] = {}
    for name, (low, high) in covered.items():
        root = groups.root(name)
        a, b = spans.get(root, (low, high))
        spans[root] = (min(a, low), max(b, high))
    fixed_groups = {groups.root(name): quant for name, quant in fixed.items()}
    return {
        name: fixed_groups.get(groups.root(name)) or quant_for_range(*spans[groups.root(name)], dtype)
        for name, dtype in dtypes.items()
        if dtype != "float32"
    }


def with_constants(node: Node, inputs: tuple[Tensor, ...], tensors: dict[str, Tensor]) -> Node:
    """The node on its integer constants, added under names of their own: layers may share the float ones."""
    names = []
    for tensor in inputs:
        name = tensor.name
        if tensor.is_constant:
            suffix = 1
            while name in tensors:
                suffix += 1
                name = f"{tensor.name}_{suffix}"
            tensors[name] = replace(tensor, name=name)
        names.append(name)
    return replace(node, inputs=tuple(names))


class _Groups:
    """Sets of tensors with one scale: union-find."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (parent := self._parent.get(name, name)) != name:
            name = parent
        return name

    def join(self, a: str, b: str) -> None:
        self._parent[self.root(a)] = self.root(b)
