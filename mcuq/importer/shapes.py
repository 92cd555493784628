"""Gives every input dimension a size: a symbolic batch becomes 1, other symbols must be told."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import TensorProto

from mcuq.errors import ModelError, did_you_mean
from mcuq.importer.constants import data_type_name


def fix_shapes(model: onnx.ModelProto, sizes: Mapping[str, int], name: str) -> onnx.ModelProto:
    """A copy of the model whose inputs are float32 with fixed shapes.

    `sizes` maps symbolic dimension names to their sizes. Raises ModelError for a symbol that has none, and for
    a name in `sizes` that no input has.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    weights = {t.name for t in fixed.graph.initializer}
    # Before IR version 4 weights had to be listed as inputs too.
    inputs = [value for value in fixed.graph.input if value.name not in weights]
    symbols = {d.dim_param for value in inputs for d in value.type.tensor_type.shape.dim if d.dim_param}
    for symbol, size in sizes.items():
        if symbol not in symbols:
            known = f"; its symbols are {', '.join(sorted(symbols))}" if symbols else "; all its dimensions are fixed"
            raise ModelError(f"{name}: no input has a dimension '{symbol}'{did_you_mean(symbol, symbols) or known}")
        if size < 1:
            raise ModelError(f"{name}: dimension '{symbol}' cannot be {size}; give a size of 1 or more")
    for value in inputs:
        _fix_input(value, sizes, name)
    del fixed.graph.input[:]
    fixed.graph.input.extend(inputs)
    del fixed.graph.value_info[:]
    # Stated output shapes may still hold symbols; ONNX Runtime infers them.
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return fixed


def _fix_input(value: onnx.ValueInfoProto, sizes: Mapping[str, int], name: str) -> None:
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", None):
        kind = kind.removesuffix("_type").replace("_", " ")
        raise ModelError(f"{name}: input '{value.name}' is a {kind}; only float32 tensors are supported")
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        type_name = data_type_name(tensor.elem_type)
        raise ModelError(
            f"{name}: input '{value.name}' is {type_name}; only float32 inputs are supported, mcuq quantizes them"
        )
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise ModelError(f"{name}: input '{value.name}' has no shape; export the model with input shapes")
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            continue
        symbol = dim.dim_param
        if symbol in sizes:
            dim.dim_value = sizes[symbol]
        elif axis == 0:
            dim.dim_value = 1
        elif symbol:
            raise ModelError(
                f"{name}: input '{value.name}' has the unknown dimension '{symbol}' at axis {axis}; "
                f"give its size with --shape {symbol}=N"
            )
        else:
            raise ModelError(
                f"{name}: input '{value.name}' has an unknown, unnamed dimension at axis {axis}; "
                "export the model with a fixed size there"
            )
