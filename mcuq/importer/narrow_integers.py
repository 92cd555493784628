"""Integers of 4 and 2 bits: the same in int8 and uint8, within the limits of the narrow type."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from mcuq.importer.constants import tensor_value
from mcuq.importer.precision import graphs_of

# Element type -> the one of 8 bits that holds it, and its least and greatest value.
_WIDER: dict[int, tuple[int, int, int]] = {
    TensorProto.INT4: (TensorProto.INT8, -8, 7),
    TensorProto.UINT4: (TensorProto.UINT8, 0, 15),
    TensorProto.INT2: (TensorProto.INT8, -2, 1),
    TensorProto.UINT2: (TensorProto.UINT8, 0, 3),
}
NARROW = frozenset(_WIDER)


def in_bytes(model: onnx.ModelProto) -> None:
    """Change the model where weights have 4 or 2 bits, or a QuantizeLinear makes such: the integers stay, in types of 8
    bits, and a Clip limits those that are made. A model without any stays as it is.

    Raises ModelError for stored tensors that are damaged.
    """
    for graph in graphs_of(model.graph):
        _widen(graph)


def _widen(graph: onnx.GraphProto) -> None:
    types = {t.name: t.data_type for t in graph.initializer}
    types |= {
        node.output[0]: attribute.t.data_type
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and attribute.name == "value"
    }
    for tensor in graph.initializer:
        _store_in_bytes(tensor, f"weight '{tensor.name}'")
    taken = {name for node in graph.node for name in (*node.input, *node.output)} | types.keys()
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _store_in_bytes(attribute.t, f"{node.op_type} '{node.name or node.output[0]}'")
        nodes.append(node)
        narrow = _made_type(node, types)
        if narrow not in _WIDER:
            continue
        wide, low, high = _WIDER[narrow]
        for attribute in node.attribute:
            if attribute.name == "output_dtype":
                attribute.i = wide
        narrowed = node.output[0]
        stem = f"{narrowed}.unlimited"
        while stem in taken:
            stem += "_"
        taken.add(stem)
        node.output[0] = stem
        bounds = [
            helper.make_tensor(f"{stem}.{name}", wide, [], [value]) for name, value in (("low", low), ("high", high))
        ]
        graph.initializer.extend(bounds)
        nodes.append(helper.make_node("Clip", [stem, *(t.name for t in bounds)], [narrowed], f"{narrowed}.limits"))
    if len(nodes) > len(graph.node):
        copies = [_copy(node) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    for value in graph.value_info:
        if value.type.tensor_type.elem_type in _WIDER:
            value.type.tensor_type.elem_type = _WIDER[value.type.tensor_type.elem_type][0]


def _made_type(node: onnx.NodeProto, types: dict[str, int]) -> int:
    """The element type that a QuantizeLinear quantizes to; UNDEFINED of others."""
    if node.op_type != "QuantizeLinear":
        return int(TensorProto.UNDEFINED)
    stated = next((a.i for a in node.attribute if a.name == "output_dtype"), TensorProto.UNDEFINED)
    zero_point = node.input[2] if len(node.input) > 2 else ""
    return int(types.get(zero_point, stated))


def _store_in_bytes(tensor: TensorProto, where: str) -> None:
    if tensor.data_type in _WIDER:
        wide = helper.tensor_dtype_to_np_dtype(_WIDER[tensor.data_type][0])
        values = tensor_value(tensor, where).astype(np.int8).astype(wide)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
