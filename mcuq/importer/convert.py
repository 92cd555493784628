"""Walks the ONNX nodes in order and lets each operator add itself to the graph."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from mcuq.builder import GraphBuilder
from mcuq.errors import ModelError
from mcuq.importer.constants import (
    SHAPE_QUERIES,
    constant_node_value,
    data_type_name,
    evaluate,
    is_foldable,
    reads,
    shape_query_value,
    tensor_value,
)
from mcuq.importer.load import opset
from mcuq.importer.nodes import check_nodes, needed_nodes, node_name, unique_names, unsupported_nodes, unsupported_text
from mcuq.importer.qdq import to_qdq
from mcuq.importer.quantized import (
    LIMITS,
    dequantized_constant,
    integer_inputs,
    limits_nothing,
    moved_quant,
    moves_integers,
)
from mcuq.ir import Graph
from mcuq.onnx_io.given import GivenQuant, read_given
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops import FROM_ONNX
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.identity import Identity
from mcuq.tensor import Array, Tensor

MOST_ELEMENTS = 2**31 - 1  # of one tensor: the C code counts in int32


def convert(model: onnx.ModelProto, name: str) -> Graph:
    """The float graph of a model with fixed input shapes; `name` is the file's.

    A quantized model becomes a float graph too, with FakeQuantize where it quantizes and constants that carry their
    quantization.
    """
    written = needed_nodes(model.graph, name)
    model = to_qdq(model)
    nodes = needed_nodes(model.graph, name)
    unsupported = unsupported_nodes(model.graph, nodes)
    if unsupported:
        raise ModelError(unsupported_text(name, unsupported))
    check_nodes(written, model)
    graph = GraphBuilder(Path(name).stem)
    graph.reserve(output for node in nodes for output in node.output)
    names = unique_names(nodes)
    graph.reserve_nodes(dict(zip(names, map(node_name, nodes), strict=True)))
    read = {i for node in nodes for i in reads(node)} | {v.name for v in model.graph.output}
    constants = {t.name: tensor_value(t, f"weight '{t.name}'") for t in model.graph.initializer if t.name in read}
    # ONNX name -> the graph's: a node that changes nothing is known by its input's name.
    tensors: dict[str, str] = {}
    # ONNX name -> what the file says of a constant behind DequantizeLinear, and of computed integers.
    quants: dict[str, GivenQuant] = {}
    for value in model.graph.input:
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        tensors[value.name] = graph.input(value.name, shape)
    for node, name_in_graph in zip(nodes, names, strict=True):
        if node.op_type == "Constant":
            constants[node.output[0]] = constant_node_value(node)
        elif node.op_type in SHAPE_QUERIES:
            source = node.input[0]
            shape = constants[source].shape if source in constants else graph.tensors[tensors[source]].shape
            constants[node.output[0]] = shape_query_value(node, shape)
        elif is_foldable(node, constants):
            _fold(node, constants, quants, model)
        else:
            view = _view(node, name_in_graph, opset(model), constants, tensors, graph.tensors, read, quants)
            y = tensors[node.output[0]] = _add_node(view, graph, quants)
            if node.op_type == "DequantizeLinear":
                _rename(graph, tensors, y, node.output[0])
                y = tensors[node.output[0]]
            if not 1 <= graph.tensors[y].elements <= MOST_ELEMENTS:
                sizes = list(graph.tensors[y].shape)
                raise view.error(f"gives a tensor of shape {sizes}; supported are 1 to {MOST_ELEMENTS} elements")
    for value in model.graph.output:
        _add_output(graph, value, tensors, name)
    return graph.graph()


def _view(
    node: onnx.NodeProto,
    name: str,
    version: int,
    constants: Mapping[str, Array],
    tensors: Mapping[str, str],
    known: Mapping[str, Tensor],
    read: Set[str],
    quants: Mapping[str, GivenQuant],
) -> OnnxNode:
    return OnnxNode(
        op_type=node.op_type,
        name=name,
        opset=version,
        inputs=tuple(tensors.get(i, i) for i in node.input),
        outputs=tuple(node.output),
        attributes={a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute},
        constants={i: constants[i] for i in node.input if i in constants},
        tensors=known,
        unread=frozenset(node.output) - read,
        quants={tensors.get(i, i): quants[i] for i in node.input if i in quants},
    )


def _fold(
    node: onnx.NodeProto, constants: dict[str, Array], quants: dict[str, GivenQuant], model: onnx.ModelProto
) -> None:
    """Compute a node of constants; what is known of their quantization goes on."""
    source = node.input[0] if node.input else ""
    if node.op_type == "DequantizeLinear":
        view = _view(node, node_name(node), opset(model), constants, {}, {}, set(), {})
        constants[node.output[0]], given = dequantized_constant(view)
    else:
        constants.update(evaluate(node, constants, model))
        given = quants.get(source)
        if given is not None:
            given = moved_quant(node, given, constants[source].shape, constants[node.output[0]].shape)
    if given is not None:
        quants[node.output[0]] = given


def _add_node(view: OnnxNode, graph: GraphBuilder, quants: dict[str, GivenQuant]) -> str:
    """Let the operator add itself; an output of integers is noted with its quantization."""
    given = None
    if view.op_type == "QuantizeLinear":
        given = read_given(view, view.shape(0))[0]
    elif view.op_type != "DequantizeLinear" and integer_inputs(view):
        view, given = moves_integers(view)
    if given is not None:
        quants[view.outputs[0]] = given
    if given is not None and view.op_type == "Clip" and limits_nothing(view, given):
        return view.computed(0)
    if given is not None and view.op_type in LIMITS:
        y = FROM_ONNX[view.op_type](replace(view, outputs=(graph.fresh(view.name),)), graph)
        return graph.add(FakeQuantize(given.scale[0], given.zero_point), [y], view.outputs[0], view.name)
    return FROM_ONNX[view.op_type](view, graph)


def _rename(graph: GraphBuilder, tensors: dict[str, str], old: str, new: str) -> None:
    """Call a computed tensor by the name that its real values have in the file; only the first one counts."""
    if old in graph.nodes and old not in graph.outputs and tensors.get(new) == old:
        graph.rename(old, new)
        tensors.update({alias: new for alias, known in tensors.items() if known == old})


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return tuple(value) if isinstance(value, list) else value


def _add_output(graph: GraphBuilder, value: onnx.ValueInfoProto, tensors: dict[str, str], name: str) -> None:
    if value.name not in tensors:
        raise ModelError(f"{name}: output '{value.name}' is constant; it depends on no input")
    if value.type.tensor_type.elem_type not in (TensorProto.FLOAT, TensorProto.UNDEFINED):
        type_name = data_type_name(value.type.tensor_type.elem_type)
        raise ModelError(f"{name}: output '{value.name}' is {type_name}; only float32 outputs are supported")
    if value.name in graph.inputs:
        raise ModelError(f"{name}: output '{value.name}' is an input too; leave it out, or copy it with Identity")
    if value.name in graph.outputs:
        raise ModelError(f"{name}: output '{value.name}' is listed twice; leave one out, or copy it with Identity")
    tensor = tensors[value.name]
    if tensor != value.name and tensor in graph.nodes and tensor not in graph.outputs:
        graph.rename(tensor, value.name)
        tensors.update({alias: value.name for alias, known in tensors.items() if known == tensor})
    elif tensor != value.name:
        # An input, or a tensor that is another output already, cannot be renamed.
        graph.add(Identity(), [tensor], value.name)
    graph.outputs.append(value.name)
