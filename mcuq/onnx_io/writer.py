"""Writes a float graph as ONNX, so that ONNX Runtime can execute it: calibration, comparison, tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Tensor

OPSET = 17
IR_VERSION = 8  # the first that goes with opset 17: runtimes from 2022 on read it


class OnnxWriter:
    """Collects nodes and constants; operators' `to_onnx` methods call it."""

    def __init__(self, taken: Collection[str] = ()) -> None:
        """`taken` are the tensor names of the graph: the writer's own keep clear of them."""
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        # Outputs of nodes each of whose elements is a function of those in its place in the inputs.
        self.elementwise: set[str] = set()
        self._prefix = "mcuq"
        self._fresh = 0
        self._rounded: dict[str, str] = {}
        while any(name.startswith(f"{self._prefix}.") for name in taken):
            self._prefix += "_"

    def constant(self, data: Array) -> str:
        """Add constant data; returns its name."""
        name = f"{self._prefix}.constant.{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(data).reshape(data.shape), name))
        return name

    def permuted(self, tensor: Tensor, perm: Sequence[int]) -> str:
        """Add a constant tensor of the graph with its dimensions in another order; returns its name."""
        return self.constant(tensor.values.transpose(perm))

    def fresh(self) -> str:
        """A tensor name for a node that is to be added next."""
        self._fresh += 1
        return f"{self._prefix}.exact.{self._fresh}"

    def rounded_input(self, name: str, quant: Quant) -> str:
        """The model's input with the values of its quantization, written once."""
        if name not in self._rounded:
            self._rounded[name] = self.quantized(name, quant)
        return self._rounded[name]

    def node(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node; returns its output's name."""
        output = output or f"{self._prefix}.value.{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], **attributes))
        return output

    def second(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of two outputs, of which the second is wanted; returns its name."""
        return self.several(op_type, inputs, 2, **attributes)[1]

    def several(self, op_type: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node of `count` outputs; returns their names."""
        stem = f"{self._prefix}.value.{len(self.nodes)}"
        outputs = [f"{stem}.{index}" for index in range(count)]
        self.nodes.append(helper.make_node(op_type, list(inputs), outputs, **attributes))
        return outputs

    def each(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node that works element by element."""
        output = self.node(op_type, inputs, output, **attributes)
        self.elementwise.add(output)
        return output

    def transpose(self, x: str, perm: Sequence[int], output: str | None = None) -> str:
        """Add a Transpose."""
        return self.node("Transpose", [x], output, perm=list(perm))

    def quantized(self, x: str, quant: Quant, output: str | None = None) -> str:
        """Add QuantizeLinear and DequantizeLinear: the values as integers of that quantization have them. Of 16 bits,
        which opset 17 does not quantize to, they are rounded as floats."""
        if quant.dtype == "int16":
            low, high = (float(bound - quant.zero_point) for bound in quant.bounds)
            scale = self.constant(np.asarray(quant.step, np.float32))
            steps = self.each("Round", [self.each("Div", [x, scale])])
            return self.each("Mul", [self.clip(steps, low, high), scale], output)
        scale = self.constant(np.asarray(quant.step, np.float32))
        zero_point = self.constant(np.asarray(quant.zero_point, np.int8))
        q = self.node("QuantizeLinear", [x, scale, zero_point])
        return self.node("DequantizeLinear", [q, scale, zero_point], output)

    def clip(self, x: str, minimum: float, maximum: float, output: str | None = None) -> str:
        """Add what a fused activation means: Clip, or Identity where nothing is clipped."""
        if minimum == -np.inf and maximum == np.inf:
            return self.each("Identity", [x], output)
        bounds = [
            "" if np.isinf(bound) else self.constant(np.asarray(bound, np.float32)) for bound in (minimum, maximum)
        ]
        return self.each("Clip", [x, *bounds], output)


def _write_layer(layer: Layer, graph: Graph, writer: OnnxWriter) -> None:
    """The layer's nodes, and the rounding that the quantizations of its inputs and output ask for."""
    rounded = {
        name: writer.rounded_input(name, quant)
        for name in dict.fromkeys(t.name for t in layer.inputs)
        if name in graph.inputs and (quant := graph.tensors[name].quant) is not None
        if graph.tensors[name].integers is None
    }
    inputs = tuple(replace(t, name=rounded.get(t.name, t.name)) for t in layer.inputs)
    y = layer.output
    if y.quant is None or y.integers is not None or layer.op.shares_scale or layer.op.output_quant(layer) == y.quant:
        # What only moves values of a quantization keeps them.
        layer.op.to_onnx(replace(layer, inputs=inputs), writer)
        return
    exact = writer.fresh()
    layer.op.to_onnx(replace(layer, inputs=inputs, output=replace(y, name=exact)), writer)
    writer.quantized(exact, y.quant, y.name)


def write_onnx(graph: Graph, outputs: Sequence[str] | None = None) -> onnx.ModelProto:
    """The float graph as an ONNX model that gives `outputs` (default: the graph's own).

    Tensors with a given quantization have its values, as in a graph with Q/DQ.
    """
    writer = OnnxWriter(graph.tensors)
    for layer in graph.layers():
        _write_layer(layer, graph, writer)
    used = {name for node in writer.nodes for name in node.input}
    names = graph.outputs if outputs is None else outputs
    constants = [
        numpy_helper.from_array(t.values, t.name)
        for t in graph.tensors.values()
        if t.is_constant and (t.name in used or t.name in names)
    ]
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            graph.name,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, graph.tensors[n].shape) for n in graph.inputs],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, graph.tensors[n].shape) for n in names],
            constants + writer.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mcuq",
    )
    onnx.checker.check_model(model)
    return model
