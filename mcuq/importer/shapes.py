"""Gives every input dimension a size: a symbolic batch becomes 1, other symbols must be told."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import onnx
from onnx import TensorProto, helper

from mcuq.errors import ModelError, did_you_mean
from mcuq.graph.tensor import Shape
from mcuq.importer.constants import data_type_name

MOST_DIMENSIONS = 31  # arrays of NumPy 1 have 32, the first of which counts samples

# Constants that shapes are made of have an entry a dimension; larger ones are weights.
_LONGEST_SHAPE = 64


def fix_shapes(model: onnx.ModelProto, sizes: Mapping[str, int], name: str) -> onnx.ModelProto:
    """A copy of the model whose inputs are float32 with fixed shapes.

    `sizes` maps symbolic dimension names to their sizes. Raises ModelError for a symbol that has none.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    inputs = _inputs(fixed)
    for value in inputs:
        _fix_input(value, sizes, name)
    del fixed.graph.input[:]
    fixed.graph.input.extend(inputs)
    del fixed.graph.value_info[:]
    # Stated output shapes may still hold symbols; ONNX Runtime infers them.
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return fixed


def check_sizes(model: onnx.ModelProto, sizes: Mapping[str, int], name: str) -> None:
    """Raise ModelError for a symbol in `sizes` that no input has, and for what is no size."""
    symbols = {d.dim_param for value in _inputs(model) for d in value.type.tensor_type.shape.dim if d.dim_param}
    for symbol, size in sizes.items():
        if symbol not in symbols:
            known = f"; its symbols are {', '.join(sorted(symbols))}" if symbols else "; all its dimensions are fixed"
            raise ModelError(f"{name}: no input has a dimension '{symbol}'{did_you_mean(symbol, symbols) or known}")
        if size < 1:
            raise ModelError(f"{name}: dimension '{symbol}' cannot be {size}; give a size of 1 or more")


def inferred_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """What ONNX infers of the shapes of the model's computed float32 tensors; those that it can tell, by name."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    light.graph.name = "shapes"
    light.graph.node.extend(model.graph.node)
    light.graph.input.extend(model.graph.input)
    light.graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= _LONGEST_SHAPE:
            light.graph.initializer.append(tensor)
        else:
            light.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    try:
        found = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError):
        return {}
    shapes = {}
    for value in (*found.graph.value_info, *found.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.elem_type == TensorProto.FLOAT and all(d.dim_value > 0 for d in dims):
            shapes[value.name] = tuple(d.dim_value for d in dims)
    return shapes


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """What is given when the model runs: before IR version 4 weights had to be listed as inputs too."""
    weights = {t.name for t in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


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
    if len(tensor.shape.dim) > MOST_DIMENSIONS:
        raise ModelError(
            f"{name}: input '{value.name}' has {len(tensor.shape.dim)} dimensions; supported are {MOST_DIMENSIONS}"
        )
    fix_dimensions(value, sizes, name)


def fix_dimensions(value: onnx.ValueInfoProto, sizes: Mapping[str, int], name: str) -> None:
    """Give the input's dimensions their sizes. Raises ModelError for one that has none."""
    for axis, dim in enumerate(value.type.tensor_type.shape.dim):
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
