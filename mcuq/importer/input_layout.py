"""Images given as cameras give them, whatever the order of the file's input."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.errors import ModelError
from mcuq.importer.rewriter import Rewriter
from mcuq.importer.subgraphs import subgraphs

CHANNELS_FIRST = (0, 3, 1, 2)  # of an image with its channels last
CHANNELS_LAST = (0, 2, 3, 1)
# What exporters put between an input and the first layer that reads it as an image.
_ELEMENTWISE = frozenset(("QuantizeLinear", "DequantizeLinear", "Cast", "Identity", "Add", "Sub", "Mul", "Div", "Clip"))


def with_channels_last(model: onnx.ModelProto, states: Collection[str], name: str) -> onnx.ModelProto:
    """A copy whose inputs (n, c, h, w) are (n, h, w, c), each behind a Transpose of its own; all sizes are known. The
    inputs of `states` stay as the outputs are that come back in them.

    Raises ModelError where no input is an image, and where the file itself has its channels last.
    """
    turned = onnx.ModelProto()
    turned.CopyFrom(model)
    graph = turned.graph
    weights = {t.name for t in graph.initializer}
    inputs = [v for v in graph.input if v.name not in weights and v.name not in states]
    images = [v for v in inputs if len(v.type.tensor_type.shape.dim) == len(CHANNELS_LAST)]
    if not images:
        raise ModelError(f"{name}: --input-layout nhwc: no input has four dimensions, as images have; leave it out")
    rewriter = Rewriter(model)
    transposes = []
    for value in images:
        if _is_channels_last(graph, value):
            raise ModelError(
                f"{name}: --input-layout nhwc: input '{value.name}' has its channels last in the file; leave it out"
            )
        inner = rewriter.fresh(f"{value.name}.channels_first")
        _rename(graph.node, value.name, inner)
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, [dims[axis].dim_value for axis in CHANNELS_LAST], strict=True):
            dim.dim_value = size
        transposes.append(helper.make_node("Transpose", [value.name], [inner], inner, perm=CHANNELS_FIRST))
    nodes = [*transposes, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return turned


def _is_channels_last(graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> bool:
    """Whether something that reads the input puts its channels first, as files do whose tool has them last: a
    Transpose, or of one channel a Reshape, behind what is done to each element."""
    n, *image, channels = (d.dim_value for d in value.type.tensor_type.shape.dim)
    shapes = {t.name: numpy_helper.to_array(t).tolist() for t in graph.initializer if t.data_type == TensorProto.INT64}
    found = {value.name}
    for node in graph.node:
        if found.isdisjoint(node.input):
            continue
        if node.op_type in _ELEMENTWISE:
            found.update(node.output)
        elif node.op_type == "Transpose":
            if [list(a.ints) for a in node.attribute if a.name == "perm"] == [list(CHANNELS_FIRST)]:
                return True
        elif node.op_type == "Reshape" and channels == 1:
            given = shapes.get(node.input[1], [])
            if len(given) == len(CHANNELS_FIRST) and given[1:] == [1, *image] != [*image, 1] and given[0] in (n, 0, -1):
                return True
    return False


def _rename(nodes: Iterable[onnx.NodeProto], old: str, new: str) -> None:
    """Have the nodes, and those of the graphs in them, read another tensor."""
    for node in nodes:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
        for inner in subgraphs(node):
            _rename(inner.node, old, new)
            for value in inner.output:
                value.name = new if value.name == old else value.name
