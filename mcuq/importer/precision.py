"""Models that compute in float16, bfloat16 or float64: the same in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.graph.tensor import Array
from mcuq.importer.labels import DOMAIN
from mcuq.importer.subgraphs import subgraphs
from mcuq.importer.types import all_types, element_types, type_errors

_OTHERS = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "stash_type"})
# Of decision trees, and the modes, of both spellings, whose thresholds are the least, or the greatest, numbers there.
_THRESHOLDS = ("nodes_values_as_tensor", "nodes_splits")
_UP = (b"BRANCH_LT", b"BRANCH_GTE", 1, 2)
_DOWN = (b"BRANCH_LEQ", b"BRANCH_GT", 0, 3)


def in_float32(model: onnx.ModelProto, version: int) -> None:
    """Change the model where its inputs have, or a Cast makes, another precision: all of it that has one is float32
    then. A model that mixes them against ONNX's rules stays as it is, and is refused for that."""
    if not any(_states_another(model)) or any(type_errors(model.graph.node, element_types(model), version)):
        return
    types = all_types(model.graph.node, model, version)
    _keep_decisions(model.graph, types)
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


def _keep_decisions(graph: onnx.GraphProto, types: Mapping[str, str]) -> None:
    """Let thresholds of float64 decide about features that a Cast made of float32 as they do there: what is rounded is
    not to the nearest, but so that no float32 lies between it and the threshold."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast" and not node.domain}
    for node in graph.node:
        is_tree = node.domain == DOMAIN and node.op_type.startswith("TreeEnsemble")
        if not is_tree or types.get(casts.get(node.input[0], "")) != "float":
            continue
        given = {attribute.name: attribute for attribute in node.attribute}
        tensor = next((given[name].t for name in _THRESHOLDS if name in given), None)
        if tensor is None or tensor.data_type != TensorProto.DOUBLE or "nodes_modes" not in given:
            continue
        modes = helper.get_attribute_value(given["nodes_modes"])
        modes = modes if isinstance(modes, list) else numpy_helper.to_array(modes).tolist()
        thresholds = numpy_helper.to_array(tensor)
        if len(modes) == len(thresholds):  # else the tree is damaged, which its reader says
            is_up, is_down = ([mode in own for mode in modes] for own in (_UP, _DOWN))
            tensor.CopyFrom(numpy_helper.from_array(_beside(thresholds, is_up, is_down), tensor.name))


def _beside(thresholds: Array, is_up: Sequence[bool], is_down: Sequence[bool]) -> Array:
    """float64: the nearest float32, or the next one above, or below, where the nearest is on the other side."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    found = np.where(is_up & (nearest < thresholds), np.nextafter(nearest, np.float32(np.inf)), nearest)
    found = np.where(is_down & (nearest > thresholds), np.nextafter(nearest, np.float32(-np.inf)), found)
    return found.astype(np.float64)


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
