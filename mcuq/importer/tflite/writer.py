"""The ONNX model under construction: real values of the file's tensors by index, constants, and nodes.

A quantized tensor is its operator's result behind QuantizeLinear and DequantizeLinear, whose output has the tensor's
name. Tensors keep TensorFlow Lite's layout, with channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuq.errors import ModelError
from mcuq.graph.names import fresh
from mcuq.graph.tensor import Array, Shape
from mcuq.importer.tflite.network import INT4, RESOURCE, Network, Quantization, Tensor

OPSET, IR_VERSION = 21, 10
# ONNX's names of types.
TYPES = {
    "float32": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "float64": onnx.TensorProto.DOUBLE,
    "int8": onnx.TensorProto.INT8,
    "uint8": onnx.TensorProto.UINT8,
    "int16": onnx.TensorProto.INT16,
    "uint16": onnx.TensorProto.UINT16,
    "int32": onnx.TensorProto.INT32,
    "uint32": onnx.TensorProto.UINT32,
    "int64": onnx.TensorProto.INT64,
    "uint64": onnx.TensorProto.UINT64,
    "bool": onnx.TensorProto.BOOL,
}
_QUANTIZED = ("int8", "uint8", "int16", INT4)
# Above this, constants are larger than the file accounts for: its tensors share their bytes.
_SMALL_BYTES = 2**26


class Writer:
    """Collects what the model is made of."""

    def __init__(self, network: Network, name: str, file_bytes: int) -> None:
        self.tensors = list(network.tensors)
        self.nodes: list[onnx.NodeProto] = []
        self._file = name
        self._left = _SMALL_BYTES + 4 * file_bytes
        self._initializers: list[onnx.TensorProto] = []
        # ONNX has no tensors for what names variables, which have these names themselves.
        self._taken = {t.name for t in self.tensors if t.type != RESOURCE}
        self._real: dict[int, str] = {}
        self._known: set[str] = set()  # names of real values, which nodes read
        self._more_outputs: list[onnx.ValueInfoProto] = []
        self._inputs = [self._input(index) for index in network.inputs]

    def _input(self, index: int) -> onnx.ValueInfoProto:
        tensor = self.tensors[index]
        if index in self._real:
            raise ModelError(f"{self._file}: invalid graph: input '{tensor.name}' is listed twice")
        self._know(index, tensor.name)
        if is_quantized(tensor):
            self._know(index, self.quantized(tensor.name, tensor, self.fresh(f"{tensor.name}.real")))
        return value_info(tensor, tensor.shape)

    def _know(self, index: int, name: str) -> None:
        self._real[index] = name
        self._known.add(name)

    def fresh(self, stem: str) -> str:
        """A name that no tensor has."""
        return fresh(stem, self._taken)

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        domain: str = "",
        **attributes: Any,
    ) -> onnx.NodeProto:
        """Add a node."""
        made = helper.make_node(kind, list(inputs), list(outputs), name, domain=domain, **attributes)
        self.nodes.append(made)
        return made

    def constant(self, data: Array, stem: str) -> str:
        """Add constant values; returns their name."""
        self._left -= data.nbytes
        if self._left < 0:
            raise ModelError(
                f"{self._file}: its operators read more constants than it has bytes for; convert it again, so that "
                "each has its own"
            )
        name = self.fresh(stem)
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(data).reshape(data.shape), name))
        return name

    def constant_real(self, data: Array, kind: Tensor, axis: int | None = None) -> str:
        """Add a constant's values, in whatever layout, with the quantization that they have in the file, whose scales
        now lie along `axis`."""
        quantization = kind.quantization
        stored = self.constant(data, f"{kind.name}.values")
        if quantization is None or not is_quantized(kind):
            return stored
        return self._dequantized(stored, quantization, data.dtype, axis, f"{kind.name}.real")

    def _dequantized(self, x: str, quantization: Quantization, dtype: Any, axis: int | None, stem: str) -> str:
        one = quantization.scale.size == 1
        scale, zero_point = quantization.scale, quantization.zero_point.astype(dtype)
        if one:
            scale, zero_point = scale.reshape(()), zero_point.reshape(())
        inputs = [x, self.constant(scale, f"{stem}.scale"), self.constant(zero_point, f"{stem}.zero_point")]
        output = self.fresh(stem)
        attributes: dict[str, Any] = {} if one else {"axis": axis}
        self.node("DequantizeLinear", inputs, [output], output, **attributes)
        return output

    def quantized(self, x: str, tensor: Tensor, output: str) -> str:
        """Add QuantizeLinear and DequantizeLinear behind `x`, with the quantization of `tensor`; returns `output`."""
        quantization = tensor.quantization
        assert quantization is not None
        if quantization.scale.size != 1:
            raise ModelError(
                f"{self._file}: tensor '{tensor.name}' has {quantization.scale.size} scales; a computed tensor takes "
                "one for all of it"
            )
        parameters = [
            self.constant(quantization.scale.reshape(()), f"{tensor.name}.scale"),
            self.constant(quantization.zero_point.reshape(()).astype(tensor.type), f"{tensor.name}.zero_point"),
        ]
        integers = self.fresh(f"{tensor.name}.integers")
        self.node("QuantizeLinear", [x, *parameters], [integers], integers)
        self.node("DequantizeLinear", [integers, *parameters], [output], self.fresh(f"{tensor.name}.dequantize"))
        return output

    def is_known(self, index: int) -> bool:
        """Whether the file's tensor has values by now: those of a variable come from elsewhere."""
        return index in self._real or self.tensors[index].data is not None

    def real(self, index: int) -> str:
        """The ONNX tensor that has the real values of the file's tensor."""
        if index not in self._real:
            tensor = self.tensors[index]
            if tensor.data is None:
                raise ModelError(f"{self._file}: invalid graph: tensor '{tensor.name}' is read before it is computed")
            axis = None if tensor.quantization is None else tensor.quantization.axis
            self._know(index, self.constant_real(tensor.data, tensor, axis))
        return self._real[index]

    def stand_for(self, index: int, value: str) -> None:
        """Let the file's tensor be another name of real values."""
        self._know(index, value)

    def give(self, index: int, value: str) -> None:
        """Take `value` for the result that is the file's tensor."""
        tensor = self.tensors[index]
        if index in self._real:
            raise ModelError(f"{self._file}: invalid graph: tensor '{tensor.name}' is computed twice")
        if tensor.data is not None:
            return  # it is known
        if is_quantized(tensor):
            self.quantized(value, tensor, tensor.name)
        elif self.nodes and list(self.nodes[-1].output) == [value] and value not in self._known:
            self.nodes[-1].output[0] = tensor.name
        else:
            self.node("Identity", [value], [tensor.name], self.fresh(f"{tensor.name}.identity"))
        self._know(index, tensor.name)

    def give_input(self, index: int, source: Tensor) -> None:
        """Take an input of the model, of its own name, for the file's tensor."""
        self._inputs.append(value_info(source, source.shape))
        self._known.add(source.name)
        self.give(index, source.name)

    def give_output(self, index: int, stem: str) -> str:
        """Make the file's tensor an output of the model by another name, which is returned."""
        name = self.fresh(stem)
        self.node("Identity", [self.real(index)], [name], self.fresh(f"{name}.identity"))
        self._more_outputs.append(value_info(replace(self.tensors[index], name=name), None))
        return name

    def model(self, outputs: Sequence[int], description: str) -> onnx.ModelProto:
        """The model that gives these tensors. No two nodes have one name, which ONNX Runtime may refuse."""
        names: set[str] = set()
        for node in self.nodes:
            node.name = fresh(node.name, names)
        for index in outputs:
            self.real(index)
        given = [*(value_info(self.tensors[i], None) for i in outputs), *self._more_outputs]
        graph = helper.make_graph(self.nodes, "tflite", self._inputs, given, self._initializers)
        domains = sorted({node.domain for node in self.nodes} - {""})
        imports = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name=description)


def is_quantized(tensor: Tensor) -> bool:
    """Whether its integers stand for real values."""
    return tensor.quantization is not None and tensor.type in _QUANTIZED


def value_info(tensor: Tensor, shape: Shape | None) -> onnx.ValueInfoProto:
    """What ONNX is told of a tensor: float32 where its values are real."""
    kind = onnx.TensorProto.FLOAT if is_quantized(tensor) else TYPES.get(tensor.type, onnx.TensorProto.UNDEFINED)
    return helper.make_tensor_value_info(tensor.name, kind, shape)
