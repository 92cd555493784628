"""Values known at compile time: constant expressions are executed by ONNX Runtime and folded away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer.subgraphs import subgraphs
from mcuq.onnx_runtime import RuntimeFault, Session

NOT_CONSTANT = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
SHAPE_QUERIES = {"Shape", "Size"}
# Domains of which ONNX Runtime has operators of its own.
RUNTIME_DOMAINS = ("ai.onnx.ml", "com.microsoft")


def constant_node_value(node: onnx.NodeProto) -> Array:
    """The value of a Constant node in any of its spellings."""
    where = f"Constant '{node.name or node.output[0]}'"
    if len(node.attribute) != 1:
        raise ModelError(f"{where}: has {len(node.attribute)} values; give it one")
    attribute = node.attribute[0]
    if attribute.name == "value":
        return tensor_value(attribute.t, where)
    value = helper.get_attribute_value(attribute)
    if attribute.name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise ModelError(f"{where}: {attribute.name} is not supported; use a dense tensor of numbers, value")


def tensor_value(tensor: onnx.TensorProto, where: str) -> Array:
    """The array that the tensor stores; `where` begins the error for one that is damaged."""
    try:
        data = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        data = None
    if data is None or data.shape != tuple(tensor.dims):
        type_name = data_type_name(tensor.data_type)
        raise ModelError(
            f"{where}: is damaged: its data do not make {type_name} of shape {list(tensor.dims)}; "
            "export the model again"
        )
    return data


def data_type_name(code: int) -> str:
    """float, int8, ...: ONNX's names of element types."""
    known = code in onnx.TensorProto.DataType.values()
    return onnx.TensorProto.DataType.Name(code).lower() if known else f"data type {code}"


def shape_query_value(node: onnx.NodeProto, shape: tuple[int, ...]) -> Array:
    """What Shape or Size gives for a tensor of a known shape."""
    if node.op_type == "Size":
        return np.array(prod(shape), np.int64)
    attributes = {a.name: a.i for a in node.attribute}
    return np.array(shape[attributes.get("start", 0) : attributes.get("end", len(shape))], np.int64)


def reads(node: onnx.NodeProto) -> list[str]:
    """The tensors that a node needs: its inputs, and what its subgraphs take from around them."""
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        own = {t.name for t in graph.initializer} | {v.name for v in graph.input}
        own |= {name for inner in graph.node for name in inner.output}
        read = [name for inner in graph.node for name in reads(inner)] + [v.name for v in graph.output]
        names += [name for name in read if name not in own]
    return names


def is_foldable(node: onnx.NodeProto, constants: Collection[str]) -> bool:
    """Whether the node's value is known at compile time; Shape and Size need no values."""
    if node.domain:
        known = node.domain in RUNTIME_DOMAINS
    elif node.op_type in SHAPE_QUERIES:
        return True
    else:
        known = node.op_type not in NOT_CONSTANT and onnx.defs.has(node.op_type)
    return known and all(name in constants for name in reads(node))


def evaluate(
    node: onnx.NodeProto, constants: Mapping[str, Array], model: onnx.ModelProto, most_bytes: int
) -> dict[str, Array]:
    """The outputs of a node whose inputs are all constant; ModelError where they take more than `most_bytes`."""
    # As initializers, not as feeds: those cannot be bfloat16.
    known = [numpy_helper.from_array(np.asarray(constants[name]), name) for name in dict.fromkeys(reads(node))]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = helper.make_graph([node], "constant", [], outputs, known)
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=min(model.ir_version, 10))
    names = [name for name in node.output if name]
    try:
        values = Session(single.SerializeToString(), memory_bytes=2 * most_bytes).run({}, names, most_bytes)
    except RuntimeFault as fault:
        raise ModelError(
            f"{node.op_type} '{node.name or node.output[0]}': is constant but cannot be computed: {fault}"
        ) from None
    return dict(zip(names, values, strict=True))
