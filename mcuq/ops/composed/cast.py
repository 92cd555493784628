"""Cast: to the type that the values have already, and between integers, booleans and real values."""

from __future__ import annotations

from onnx import TensorProto, helper

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.composed.logic import is_not_zero
from mcuq.ops.from_integers import FromIntegers, reach
from mcuq.ops.to_integers import ToIntegers


def from_cast(node: OnnxNode, graph: GraphBuilder) -> str:
    """All real values are float32; integers are what is left of them without their fraction."""
    to = node.attribute("to")
    if to == TensorProto.FLOAT:
        return node.computed(0)
    if to == TensorProto.BOOL:
        return is_not_zero(node, graph, node.computed(0))
    if to not in _RANGES:
        raise _unsupported(node, "float32")
    return graph.add(ToIntegers(*_RANGES[to]), [node.computed(0)], node.outputs[0], node.name)


def from_cast_of_integers(node: OnnxNode, graph: GraphBuilder) -> str:
    """To real values, or to a type that holds them all."""
    x = node.integers(0)
    to = node.attribute("to")
    if to == TensorProto.FLOAT:
        return graph.add(FromIntegers(), [x], node.outputs[0], node.name)
    low, high = reach(graph.tensors[x])
    if to == TensorProto.BOOL and not 0 <= low <= high <= 1:
        return is_not_zero(node, graph, x)
    least, most = _RANGES.get(to, (0, -1))
    if not least <= low <= high <= most:
        raise _unsupported(node, f"integers from {low} to {high}")
    return x


_RANGES = {
    TensorProto.BOOL: (0, 1),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
    TensorProto.UINT32: (0, 2**32 - 1),
    TensorProto.INT64: (-(2**63), 2**63 - 1),
    TensorProto.UINT64: (0, 2**64 - 1),
}


def _unsupported(node: OnnxNode, computed: str) -> ModelError:
    to = node.attribute("to")
    name = helper.tensor_dtype_to_np_dtype(to).name if to in TensorProto.DataType.values() else f"type {to}"
    return node.error(f"to {name}; what is computed is {computed}: only a Cast to a type that holds it is supported")
