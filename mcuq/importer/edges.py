"""Inputs and outputs that are integers in the file become float32: callers speak in real values."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.graph.tensor import Array
from mcuq.importer.constants import constant_node_value
from mcuq.importer.load import opset
from mcuq.importer.qdq import to_qdq
from mcuq.importer.quantized import MOVERS
from mcuq.importer.wide_integers import in_known_types

_INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16)


def float_edges(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a QuantizeLinear behind inputs of 8 or 16 bits, and a DequantizeLinear before such outputs.

    Their scales are those with which the model reads the input, or makes the output. Where it does not say them, they
    are integers that stand for themselves, and stay.
    """
    weights = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.type.tensor_type.elem_type in _INTEGERS and v.name not in weights]
    outputs = [v for v in model.graph.output if v.type.tensor_type.elem_type in _INTEGERS]
    if not inputs and not outputs:
        return model
    quantizations = _Quantizations(model)
    found = {v.name: _of_type(quantizations.of_input(v.name), v) for v in inputs}
    found.update({v.name: _of_type(quantizations.of_output(v.name), v) for v in outputs})
    model = _copy(model)
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in found or value.type.tensor_type.elem_type not in _INTEGERS:
            continue
        is_input = any(v.name == value.name for v in model.graph.input)
        scale_and_zero_point = found[value.name]
        if scale_and_zero_point is None:
            continue
        value.type.tensor_type.elem_type = TensorProto.FLOAT
        _put_between(model, value.name, scale_and_zero_point, is_input)
    in_known_types(model, opset(model))
    return model


def _of_type(found: tuple[Array, Array | None] | None, value: onnx.ValueInfoProto) -> tuple[Array, Array] | None:
    """Scale and zero point, where that has the type of the input or output; without one it is 0."""
    if found is None:
        return None
    scale, zero_point = found
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    zero_point = np.zeros((), dtype) if zero_point is None else zero_point
    return (scale, zero_point) if zero_point.dtype == dtype else None


def _put_between(model: onnx.ModelProto, edge: str, quantization: tuple[Array, Array], is_input: bool) -> None:
    graph = model.graph
    taken = {n for node in graph.node for n in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    names = []
    for stem in ("integers", "scale", "zero_point"):
        fresh, n = f"{edge}.{stem}", 1
        while fresh in taken:
            n += 1
            fresh = f"{edge}.{stem}_{n}"
        names.append(fresh)
    integers, *parameters = names
    for node in graph.node:
        node.input[:] = [integers if i == edge else i for i in node.input]
        node.output[:] = [integers if o == edge else o for o in node.output]
    graph.initializer.extend(numpy_helper.from_array(v, n) for v, n in zip(quantization, parameters, strict=True))
    if is_input:
        graph.node.insert(0, helper.make_node("QuantizeLinear", [edge, *parameters], [integers], f"{edge}.quantize"))
    else:
        graph.node.append(helper.make_node("DequantizeLinear", [integers, *parameters], [edge], f"{edge}.dequantize"))


class _Quantizations:
    """Scales and zero points of integer tensors, found by walking over operators that only move them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = to_qdq(model).graph
        self._nodes = list(graph.node)
        self._producers = {output: node for node in self._nodes for output in node.output}
        self._stored = {t.name: t for t in graph.initializer}

    def of_input(self, name: str) -> tuple[Array, Array | None] | None:
        """Those of the first DequantizeLinear that the tensor meets."""
        pending, seen = [name], set()
        while pending:
            tensor = pending.pop(0)
            for node in self._nodes:
                if tensor not in node.input:
                    continue
                if node.op_type == "DequantizeLinear" and node.input[0] == tensor:
                    return self._parameters(node)
                if node.op_type in MOVERS and node.output[0] not in seen:
                    seen.add(node.output[0])
                    pending.append(node.output[0])
        return None

    def of_output(self, name: str) -> tuple[Array, Array | None] | None:
        """Those of the QuantizeLinear that the tensor comes from, or of the input that it is."""
        while (node := self._producers.get(name)) is not None:
            if node.op_type == "QuantizeLinear":
                return self._parameters(node)
            if node.op_type not in MOVERS:
                return None
            name = node.input[0]
        return self.of_input(name)

    def _parameters(self, node: onnx.NodeProto) -> tuple[Array, Array | None] | None:
        scale = self._constant(node.input[1])
        zero_point = self._constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if scale is None or scale.size != 1:
            return None
        return scale.reshape(()), None if zero_point is None else zero_point.reshape(())

    def _constant(self, name: str) -> Array | None:
        if name in self._stored:
            return numpy_helper.to_array(self._stored[name])
        node = self._producers.get(name)
        return constant_node_value(node) if node is not None and node.op_type == "Constant" else None


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
