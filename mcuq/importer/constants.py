"""Values known at compile time: constant expressions are executed by ONNX Runtime and folded away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from mcuq.errors import ModelError
from mcuq.tensor import Array

NOT_CONSTANT = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
SHAPE_QUERIES = {"Shape", "Size"}


def constant_node_value(node: onnx.NodeProto) -> Array:
    """The value of a Constant node in any of its spellings."""
    attribute = node.attribute[0]
    if attribute.name == "value":
        return numpy_helper.to_array(attribute.t)
    value = helper.get_attribute_value(attribute)
    if attribute.name in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise ModelError(f"Constant '{node.name or node.output[0]}': {attribute.name} is not supported; use a number")


def shape_query_value(node: onnx.NodeProto, shape: tuple[int, ...]) -> Array:
    """What Shape or Size gives for a tensor of a known shape."""
    if node.op_type == "Size":
        return np.array(int(np.prod(shape)), np.int64)
    attributes = {a.name: a.i for a in node.attribute}
    return np.array(shape[attributes.get("start", 0) : attributes.get("end", len(shape))], np.int64)


def is_foldable(node: onnx.NodeProto, constants: set[str] | Mapping[str, Array]) -> bool:
    """Whether the node's value is known once its inputs are; Shape and Size need no values."""
    if node.op_type in SHAPE_QUERIES:
        return True
    return node.op_type not in NOT_CONSTANT and all(name in constants for name in node.input if name)


def evaluate(node: onnx.NodeProto, constants: Mapping[str, Array], model: onnx.ModelProto) -> dict[str, Array]:
    """The outputs of a node whose inputs are all constant."""
    feeds = {name: np.asarray(constants[name]) for name in node.input if name}
    graph = helper.make_graph(
        [node],
        "constant",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=min(model.ir_version, 10))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(single.SerializeToString(), options, ["CPUExecutionProvider"])
        values = session.run(None, feeds)
    except Exception as error:  # ONNX Runtime raises bare exceptions of several kinds
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{node.op_type} '{node.name or node.output[0]}': is constant but cannot be computed: {reason}"
        ) from None
    return dict(zip([name for name in node.output if name], values, strict=True))
