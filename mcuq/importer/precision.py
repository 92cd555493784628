"""Models that compute in float16, bfloat16 or float64: the same in float32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from mcuq.importer.subgraphs import subgraphs
from mcuq.importer.types import element_types, type_errors

_OTHERS = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "stash_type"})


def in_float32(model: onnx.ModelProto, version: int) -> None:
    """Change the model where its inputs have, or a Cast makes, another precision: all of it that has one is float32
    then. A model that mixes them against ONNX's rules stays as it is, and is refused for that."""
    if not any(_states_another(model)) or any(type_errors(model.graph.node, element_types(model), version)):
        return
    for graph in graphs_of(model.graph):
        _compute_in_float32(graph)


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and those of its branches and loops."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs_of(inner)


def _compute_in_float32(graph: onnx.GraphProto) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in _OTHERS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in graph.initializer:
        _store_as_float32(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _store_as_float32(attribute.t)
            elif attribute.name in _TYPE_ATTRIBUTES and attribute.i in _OTHERS:
                attribute.i = TensorProto.FLOAT


def _states_another(model: onnx.ModelProto) -> Iterator[bool]:
    weights = {t.name for t in model.graph.initializer}
    for value in model.graph.input:
        yield value.name not in weights and value.type.tensor_type.elem_type in _OTHERS
    for node in (node for graph in graphs_of(model.graph) for node in graph.node):
        if node.op_type == "Cast" and not node.domain:
            yield any(a.name == "to" and a.i in _OTHERS for a in node.attribute)


def _store_as_float32(tensor: TensorProto) -> None:
    if tensor.data_type not in _OTHERS:
        return
    with np.errstate(over="ignore"):  # what is too large is infinite, and refused where it is read
        values = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
