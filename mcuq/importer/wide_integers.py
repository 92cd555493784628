"""Quantization in 16 bits in files of opsets that have none, as tf2onnx writes TensorFlow Lite's 16x8: in ONNX
Runtime's own domain, where it is the same in any opset; and biases of 64 bits beside it in 32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIRST_WITH_16_BITS = 21
_WIDE = (TensorProto.INT16, TensorProto.UINT16)
_DOMAIN = "com.microsoft"


def in_known_types(model: onnx.ModelProto, version: int) -> None:
    """Change the model where QuantizeLinear or DequantizeLinear of `version` do not take its integers, and another form
    does. Biases that 32 bits do not hold stay as they are, and are refused for that."""
    if version >= FIRST_WITH_16_BITS:
        return
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear") and not n.domain]
    for node in nodes:
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is not None and zero.data_type in _WIDE:
            node.domain = _DOMAIN
    if any(node.domain for node in nodes) and all(entry.domain != _DOMAIN for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    for node in nodes:
        for place in (0, 2) if node.op_type == "DequantizeLinear" else ():
            tensor = constants.get(node.input[place]) if place < len(node.input) else None
            if tensor is not None and tensor.data_type == TensorProto.INT64:
                node.input[place] = _in_32_bits(model, constants, tensor)


def _in_32_bits(model: onnx.ModelProto, constants: dict[str, TensorProto], tensor: TensorProto) -> str:
    """The name of the same numbers in int32, where they fit."""
    values = numpy_helper.to_array(tensor)
    if not np.array_equal(values, values.astype(np.int32)):
        return tensor.name
    name = f"{tensor.name}.int32"
    if name not in constants:
        constants[name] = numpy_helper.from_array(values.astype(np.int32), name)
        model.graph.initializer.append(constants[name])
    return name
