"""Gives every input dimension a size: a symbolic batch becomes 1, other symbols must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import onnx
from onnx import TensorProto, helper

from mcuq.errors import ModelError, did_you_mean
from mcuq.graph.tensor import Shape
from mcuq.importer.constants import data_type_name
from mcuq.importer.integers import INTEGER_RANGES

MOST_DIMENSIONS = 31  # arrays of NumPy 1 have 32, the first of which counts samples

# Sizes as users give them: that of a symbolic dimension, or those of all dimensions of an input.
Sizes = Mapping[str, int | Sequence[int]]

# Constants that shapes are made of have an entry a dimension; larger ones are weights.
_LONGEST_SHAPE = 64


def fix_shapes(model: onnx.ModelProto, sizes: Mapping[str, int], name: str) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """A copy of the model whose inputs are float32 or integers with fixed shapes, and what keeps them from that.

    `sizes` maps symbolic dimension names to their sizes.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    inputs = _inputs(fixed)
    problems = []
    for value in inputs:
        try:
            _fix_input(value, sizes, name)
        except ModelError as error:
            problems.append(str(error))
    del fixed.graph.input[:]
    fixed.graph.input.extend(inputs)
    del fixed.graph.value_info[:]
    # Stated output shapes may still hold symbols; ONNX Runtime infers them.
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return fixed, tuple(problems)


def give_sizes(model: onnx.ModelProto, given: Sizes, name: str) -> tuple[onnx.ModelProto, dict[str, int]]:
    """The model with the shapes that are given for whole inputs, a copy where it changes, and the sizes of symbols.

    A symbol of an input whose shape is given has that size in other inputs too. Raises ModelError for names that are
    neither symbols nor inputs, for what is no size, and for sizes that contradict the file or each other.
    """
    inputs = {value.name: value for value in _inputs(model)}
    symbols = {d.dim_param for value in inputs.values() for d in value.type.tensor_type.shape.dim if d.dim_param}
    sizes: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for key, size in given.items():
        if isinstance(size, int) and (key in symbols or key not in inputs):
            _check_size(f"{name}: dimension '{key}'", size)
            if key not in symbols:
                known = f"its symbols are {', '.join(sorted(symbols))}" if symbols else "all its dimensions are fixed"
                known = did_you_mean(key, symbols) or f"; {known}"
                raise ModelError(f"{name}: no input has a dimension '{key}'{known}")
            sizes[key] = size
            continue
        if key not in inputs:
            known = f"; its inputs are {', '.join(map(repr, inputs))}"
            raise ModelError(f"{name}: no input is named '{key}'{did_you_mean(key, inputs) or known}")
        shapes[key] = (size,) if isinstance(size, int) else tuple(size)
    if not shapes:
        return model, sizes
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    for value in shaped.graph.input:
        if value.name in shapes:
            _give_shape(value, shapes[value.name], sizes, name)
    return shaped, sizes


def _give_shape(value: onnx.ValueInfoProto, shape: tuple[int, ...], sizes: dict[str, int], name: str) -> None:
    where = f"{name}: input '{value.name}'"
    tensor = value.type.tensor_type
    said = ",".join(map(str, shape))
    if value.type.WhichOneof("value") not in ("tensor_type", None):
        return  # refused as what it is
    if not tensor.HasField("shape"):
        tensor.shape.SetInParent()
        for _ in shape:
            tensor.shape.dim.add()
    if len(tensor.shape.dim) != len(shape):
        raise ModelError(f"{where} has {len(tensor.shape.dim)} dimensions; the shape {said} has {len(shape)}")
    for axis, (dim, size) in enumerate(zip(tensor.shape.dim, shape, strict=True)):
        _check_size(f"{where}: axis {axis}", size)
        stated = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else sizes.get(dim.dim_param, size)
        if stated != size and not (dim.dim_param and is_unnamed(dim.dim_param)):
            raise ModelError(f"{where} has {stated} at axis {axis}; the shape {said} has {size}")
        # What is not said of other inputs is the same there.
        if dim.dim_param and not is_unnamed(dim.dim_param):
            sizes[dim.dim_param] = size
        dim.dim_value = size


def is_unnamed(symbol: str) -> bool:
    """Whether a dimension's symbol is what exporters write where they know none, so that it names nothing: "?"."""
    return not symbol.strip("?-1 ")


def _check_size(where: str, size: int) -> None:
    if size < 1:
        raise ModelError(f"{where} cannot be {size}; give a size of 1 or more")


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
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if tensor.elem_type == TensorProto.FLOAT and tensor.HasField("shape") and all(d.dim_value > 0 for d in dims):
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
        raise ModelError(f"{name}: input '{value.name}' is a {kind}; only tensors are supported")
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT and data_type_name(tensor.elem_type) not in INTEGER_RANGES:
        type_name = data_type_name(tensor.elem_type)
        raise ModelError(
            f"{name}: input '{value.name}' is {type_name}; supported are float32, which mcuq quantizes, and "
            f"{', '.join(INTEGER_RANGES)}"
        )
    if not tensor.HasField("shape"):
        raise ModelError(f"{name}: input '{value.name}' has no shape; give one with --shape {value.name}=N,N")
    if len(tensor.shape.dim) > MOST_DIMENSIONS:
        raise ModelError(
            f"{name}: input '{value.name}' has {len(tensor.shape.dim)} dimensions; supported are {MOST_DIMENSIONS}"
        )
    fix_dimensions(value, sizes, name)


def fix_dimensions(value: onnx.ValueInfoProto, sizes: Mapping[str, int], name: str) -> None:
    """Give the input's dimensions their sizes. Raises ModelError for those that have none."""
    symbols: dict[str, int] = {}
    for axis, dim in enumerate(value.type.tensor_type.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            continue
        symbol = dim.dim_param
        if symbol in sizes:
            dim.dim_value = sizes[symbol]
        elif axis == 0:
            dim.dim_value = 1
        elif symbol and not is_unnamed(symbol):
            symbols.setdefault(symbol, axis)
        elif dim.HasField("dim_value") and dim.dim_value == 0:
            raise ModelError(
                f"{name}: input '{value.name}' has a size of 0 at axis {axis}, and so no elements; leave it out, or "
                "where that stands for a size that was not known, give its shape with --shape "
                f"{value.name}={_example(value)}"
            )
        else:
            raise ModelError(
                f"{name}: input '{value.name}' has an unknown, unnamed dimension at axis {axis}; "
                f"give the input's shape with --shape {value.name}={_example(value)}"
            )
    if symbols:
        unknown = ", ".join(f"'{symbol}' at axis {axis}" for symbol, axis in symbols.items())
        what, whose = ("dimension", "its size") if len(symbols) == 1 else ("dimensions", "their sizes")
        given = " ".join(f"--shape {symbol}=N" for symbol in symbols)
        raise ModelError(f"{name}: input '{value.name}' has the unknown {what} {unknown}; give {whose} with {given}")


def _example(value: onnx.ValueInfoProto) -> str:
    """The input's shape as far as it is known, an N where it is not: 1,3,N,N."""
    stated = [max(d.dim_value, 0) for d in value.type.tensor_type.shape.dim]  # 0 where it is a symbol
    return ",".join(str(size or ("N" if axis else 1)) for axis, size in enumerate(stated))
