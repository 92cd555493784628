"""Cast: to the type that the values have already."""

from __future__ import annotations

from onnx import TensorProto, helper

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode


def from_cast(node: OnnxNode, graph: GraphBuilder) -> str:
    """All that is computed is float32: any other type would change values."""
    to = node.attribute("to")
    if to != TensorProto.FLOAT:
        name = helper.tensor_dtype_to_np_dtype(to).name if to in TensorProto.DataType.values() else f"type {to}"
        raise node.error(f"to {name}; what is computed is float32: only a Cast to float32 is supported")
    return node.computed(0)
