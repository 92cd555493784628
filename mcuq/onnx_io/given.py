"""Scales and zero points as ONNX states them: what QuantizeLinear and DequantizeLinear say of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from onnx import helper

from mcuq.graph.tensor import Array, Integers, LostQuant, Quant, Shape
from mcuq.onnx_io.given_quant import INTEGER_TYPES, SIGNED, GivenQuant
from mcuq.onnx_io.reader import OnnxNode, normalized_axis

CONSTANT_TYPES = (*INTEGER_TYPES, "int32")


def read_given(node: OnnxNode, shape: Shape, element_type: str | None = None) -> tuple[GivenQuant, Array]:
    """The quantization that a QuantizeLinear or DequantizeLinear states, and its zero points as int64.

    `shape` is the tensor's, `element_type` that of the integers where it is known (a constant's). Raises ModelError
    for scales that are not constant, positive and finite, for types other than int8 and uint8 (constants: int32
    too), for blocks, and for scales that do not fit the axis.
    """
    block = node.attribute("block_size", 0)
    if block:
        raise node.error(f"block_size={block} is not supported; use one scale a tensor, or one a channel")
    scale = node.constant(1, "scale")
    if scale.dtype != np.float32:
        raise node.error(f"scale is {scale.dtype}; supported is float32")
    zero_points = (
        node.constant(2, "zero_point") if node.has(2) else np.zeros(scale.shape, _default_type(node, element_type))
    )
    found = zero_points.dtype.name
    if element_type is None and found not in INTEGER_TYPES:
        raise node.error(f"quantizes to {found}; supported are {listed(INTEGER_TYPES)}")
    if element_type is not None and element_type not in CONSTANT_TYPES:
        raise node.error(f"reads a constant of type {element_type}; supported are {listed(CONSTANT_TYPES)}")
    if element_type not in (None, found):
        raise node.error(f"zero_point is {found}, but its tensor is {element_type}; give both one type")
    if zero_points.size != scale.size:
        raise node.error(f"has {scale.size} scales and {zero_points.size} zero points; give as many of each")
    values = scale.reshape(-1)
    for index, value in enumerate(values):
        if not 0 < value < np.inf:
            place = f"[{index}]" if values.size > 1 else ""
            raise node.error(f"scale{place} is {value:g}; it must be positive and finite")
    axis = None
    if values.size != 1:
        axis = normalized_axis(node.attribute("axis", 1), len(shape), node)
        if scale.ndim != 1 or values.size != shape[axis]:
            raise node.error(f"scale of shape {list(scale.shape)} does not fit axis {axis} of {list(shape)}")
    zeros = zero_points.reshape(-1).astype(np.int64)
    if found == "int32" and zeros.any():
        raise node.error(f"zero_point of an int32 tensor is {zeros[zeros != 0][0]}; it must be 0")
    shifted = int(zeros[0]) + INTEGER_TYPES.get(found, 0) if axis is None else 0
    return GivenQuant(tuple(values.astype(np.float64).tolist()), shifted, axis, SIGNED.get(found, "int8")), zeros


def listed(names: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}"


def _default_type(node: OnnxNode, element_type: str | None) -> str:
    """That of integers whose zero point is left out."""
    stated = node.attribute("output_dtype", 0)
    if element_type is None and stated:
        return str(helper.tensor_dtype_to_np_dtype(stated).name)
    return element_type or "uint8"


def weight_quant(node: OnnxNode, index: int, axis: int) -> Quant | None:
    """The given scales of a layer's weights, one or one for each output channel, which lie along `axis`.

    None where the input has no given quantization. The zero point is 0: the weight's integers are q - zero_point.
    Raises ModelError for scales along another axis, which integer sums cannot keep apart.
    """
    given = node.given(index)
    if given is None:
        return None
    if given.lost:
        return LostQuant(given.scale, came_with=given.lost)
    if given.axis not in (None, axis):
        raise node.error(
            f"weight '{node.inputs[index]}' has scales along axis {given.axis}; supported are one scale, or one for "
            f"each output channel, which are along axis {axis}"
        )
    return Quant(given.scale)


def operand_quant(node: OnnxNode, index: int) -> Quant | None:
    """The given quantization of a constant operand with one scale; None where it has none, or several. Of integers that
    are with computed ones, that they are such."""
    value = node.constant(index, "operand")
    if node.reads_integers and value.dtype.kind in "iub":
        return given_integers(node, index)
    given = node.given(index)
    return None if given is None or given.lost or given.axis is not None else given.quant


def given_integers(node: OnnxNode, index: int) -> Integers:
    """Which integers a constant input holds. Raises ModelError for those that float32, as constants are, does not."""
    value = node.constant(index, "operand")
    whole, held = (np.clip(value.astype(dtype).astype(np.float64), -(2**31), 2**31 - 1) for dtype in ("f8", "f4"))
    if (whole != held).any():
        raise node.error(
            f"constant '{node.inputs[index]}' holds {value[whole != held][0]}; supported are integers up to 2^24, and "
            "beyond those that float32 has"
        )
    return integers_of(value)


def integers_of(value: Array) -> Integers:
    """Which integers the constant holds."""
    return Integers.of(int(value.min(initial=0)), int(value.max(initial=0)))


def same_dimension(shape: Shape, axis: int, other: Shape) -> int | None:
    """The dimension of `other` that has the same size and distance between elements as `shape`'s `axis`."""
    inner = prod(shape[axis + 1 :])
    for candidate, size in enumerate(other):
        if size == shape[axis] and prod(other[candidate + 1 :]) == inner:
            return candidate
    return None
