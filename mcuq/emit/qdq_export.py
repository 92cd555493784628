"""The quantized graph as ONNX with QuantizeLinear and DequantizeLinear: to look at, and to check with other runtimes.

Every operator stands between them as other quantizers write it: integers of a tensor exist between the two, operators
compute in float on dequantized values. Scales are rounded to float32, as ONNX has them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, ChannelQuant, Quant, Tensor
from mcuq.onnx_io.channels_first import keep_channels_first
from mcuq.onnx_io.writer import IR_VERSION, OPSET, OnnxWriter
from mcuq.ops.weighted import unfolded_bias

# ONNX's own QuantizeLinear takes 16 bits from opset 21 on; this domain's, which ONNX Runtime has, at any.
WIDE_DOMAIN = "com.microsoft"


def quantized_name(tensor: str) -> str:
    """What the exported model calls the integers of a tensor of the graph."""
    return f"{tensor}.quantized"


def export_qdq(graph: Graph) -> onnx.ModelProto:
    """The model with float32 inputs and outputs of the graph's names and shapes.

    ONNX Runtime without optimizations gives the simulator's integers, but for values within float32 rounding of half a
    step, and for Softmax and tables within their stated errors. Layers whose input is quantized on the device have
    DynamicQuantizeLinear before them, whose uint8 codes are mcuq's less 128. An input with scales per channel is
    shifted and divided by them before its one QuantizeLinear.
    """
    writer = _QdqWriter(graph.tensors)
    readable = {name: name for name in graph.tensors}
    for name in graph.inputs:
        # Channels of their own scales are rounded where they have one for all.
        if _is_rounded(graph.tensors[name]):
            readable[name] = writer.round_trip(graph.tensors[name], name, f"{name}.dequantized")
    for layer in graph.layers():
        _write_layer(writer, layer, readable)
    read = {name for node in writer.nodes for name in node.input}
    constants = _QdqWriter((*graph.tensors, *read))
    for tensor in graph.tensors.values():
        if tensor.is_constant and tensor.name in read:
            constants.constant_tensor(tensor)
    initializers = constants.initializers + writer.initializers
    nodes = keep_channels_first(
        constants.nodes + writer.nodes,
        writer.elementwise,
        {t.name for t in initializers},
        {t.name for t in initializers if prod(t.dims) == 1},
        graph.outputs,
    )
    domains = {node.domain for node in nodes} - {""}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            [_value_info(graph.tensors[name]) for name in graph.inputs],
            [_value_info(graph.tensors[name]) for name in graph.outputs],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))],
        ir_version=IR_VERSION,
        producer_name="mcuq",
    )
    onnx.checker.check_model(model)
    return model


def _write_layer(writer: _QdqWriter, layer: Layer, readable: dict[str, str]) -> None:
    begin = len(writer.nodes)
    inputs = tuple(replace(t, name=readable[t.name]) for t in layer.inputs)
    if len(inputs) == 3 and inputs[2].dtype == "int32":
        # Other layers may share the bias, whose offset is of this layer's input.
        inputs = (*inputs[:2], writer.bias(layer))
    elif len(inputs) == 3 and inputs[0].quant is None and inputs[1].quant is not None:
        inputs = (replace(inputs[0], name=writer.dynamic_round_trip(inputs[0].name)), *inputs[1:])
    output = layer.output
    # Parts of an output are rounded before they are joined.
    is_rounded = _is_rounded(output)
    real = replace(output, name=f"{output.name}.real") if is_rounded else output
    layer.op.to_onnx(replace(layer, inputs=inputs, output=real), writer)
    if layer.op.is_elementwise:
        writer.elementwise |= {name for node in writer.nodes[begin:] for name in node.output}
    if is_rounded:
        writer.round_trip(output, real.name, output.name)


def _is_rounded(tensor: Tensor) -> bool:
    """Whether it has one scale, and is of real values: integers of the file are floats that hold them."""
    return tensor.quant is not None and tensor.integers is None and not isinstance(tensor.quant, ChannelQuant)


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.shape)


def _domain(dtype: str) -> dict[str, Any]:
    """The attribute of nodes that quantize to the type."""
    return {"domain": WIDE_DOMAIN} if dtype == "int16" else {}


class _QdqWriter(OnnxWriter):
    """Writes constants as integers behind DequantizeLinear."""

    def __init__(self, taken: Collection[str]) -> None:
        super().__init__(taken)
        self._taken = taken

    def constant_tensor(self, tensor: Tensor) -> str:
        """A constant of the graph under its own name, as floats for operators to read."""
        if tensor.quant is None:
            self.initializers.append(numpy_helper.from_array(tensor.values.astype(np.float32), tensor.name))
            return tensor.name
        return self._dequantized(tensor.values, tensor.quant, tensor.name)

    def permuted(self, tensor: Tensor, perm: Sequence[int]) -> str:
        if tensor.quant is None:
            return self.constant(tensor.values.transpose(perm).astype(np.float32))
        return self._dequantized(tensor.values.transpose(perm), tensor.quant, f"{tensor.name}.{len(self.nodes)}")

    def bias(self, layer: Layer) -> Tensor:
        """The layer's bias as other runtimes have it: before the input's zero point was folded into it."""
        bias = layer.inputs[2]
        name = f"{layer.output.name}.bias"
        while name in self._taken:
            name += "_"
        self._dequantized(unfolded_bias(layer), bias.quantization, name)
        return replace(bias, name=name)

    def round_trip(self, tensor: Tensor, real: str, output: str) -> str:
        """QuantizeLinear and DequantizeLinear of `real` in the tensor's quantization; returns `output`."""
        quant = tensor.quantization
        parameters = self._parameters(quant, quant.dtype)
        q = self.each("QuantizeLinear", [real, *parameters], quantized_name(tensor.name), **_domain(quant.dtype))
        return self.each("DequantizeLinear", [q, *parameters], output, **_domain(quant.dtype))

    def dynamic_round_trip(self, real: str) -> str:
        """DynamicQuantizeLinear and DequantizeLinear of `real`, which stays within the range that it has."""
        output = self.node(
            "DequantizeLinear", parts := [f"{real}.{len(self.nodes)}.{part}" for part in ("y", "s", "z")]
        )
        self.nodes.insert(-1, helper.make_node("DynamicQuantizeLinear", [real], parts))
        return output

    def _dequantized(self, values: Array, quant: Quant, output: str) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), quantized_name(output)))
        parameters = self._parameters(quant, values.dtype.name)
        options = _domain(values.dtype.name) | ({"axis": 0} if len(quant.scale) > 1 else {})
        return self.node("DequantizeLinear", [quantized_name(output), *parameters], output, **options)

    def _parameters(self, quant: Quant, dtype: str) -> tuple[str, str]:
        """Names of scale and zero point: scalars, or one value for each channel."""
        scale = np.array(quant.scale if len(quant.scale) > 1 else quant.scale[0], np.float32)
        return self.constant(scale), self.constant(np.full(scale.shape, quant.zero_point, dtype))
