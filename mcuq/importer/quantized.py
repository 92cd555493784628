"""Integers in an ONNX file: constants behind DequantizeLinear, and operators that move int8 values as they are."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import onnx
from onnx import TensorProto, helper

from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.blocks import blocked_constant
from mcuq.onnx_io.given import read_given, same_dimension
from mcuq.onnx_io.given_quant import INTEGER_TYPES, WEIGHT_TYPES, GivenQuant
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops import OPS
from mcuq.ops.clip import Clip
from mcuq.ops.composed import MOVES
from mcuq.ops.reshape import Reshape

_RESHAPES = (*Reshape.from_onnx, "Identity")
# They limit integers, which then are still those of the quantization.
LIMITS = ("Clip", *Clip.from_onnx)
# What may read integers, besides DequantizeLinear: it gives integers of the same quantization.
MOVERS = (
    *(kind for op in OPS.values() if op.shares_scale and not op.choosing for kind in vars(op).get("from_onnx", {})),
    *MOVES,
    *LIMITS,
)


def dequantized_constant(node: OnnxNode) -> tuple[Array, GivenQuant | None]:
    """Real values, float32, of the constant that a DequantizeLinear reads, and their quantization.

    Of an int32 constant, a bias, it is None: its scale follows from its layer's. Of 16 bits, and of blocks, it is lost.
    """
    q = node.constant(0, "x")
    if node.attribute("block_size", 0) and q.dtype.name in INTEGER_TYPES:
        return blocked_constant(node, q)
    given, zero_points = read_given(node, q.shape, q.dtype.name)
    scale = np.array(given.scale, np.float32)
    if given.axis is not None:
        column = [-1 if axis == given.axis else 1 for axis in range(q.ndim)]
        scale, zero_points = scale.reshape(column), zero_points.reshape(column)
    else:
        scale, zero_points = scale.reshape(()), zero_points.reshape(())
    real = (q.astype(np.int64) - zero_points).astype(np.float32) * scale
    if q.dtype.name == "int32":
        return real.astype(np.float32), None
    return real.astype(np.float32), given if q.dtype.name in WEIGHT_TYPES else replace(given, axis=None, lost="16 bits")


def moved_quant(node: onnx.NodeProto, given: GivenQuant, before: Shape, after: Shape) -> GivenQuant | None:
    """The quantization of a constant behind a node that moves it; None where values change, or its axis is split."""
    if given.axis is None:
        return given if node.op_type in (*_RESHAPES, "Transpose", "Slice", "Gather", "Split") else None
    if node.op_type == "Transpose":
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        perm = attributes.get("perm", list(reversed(range(len(before)))))
        return given.moved(list(perm).index(given.axis))
    if node.op_type in _RESHAPES:
        axis = same_dimension(before, given.axis, after)
        return None if axis is None else given.moved(axis)
    return None


def integer_inputs(node: OnnxNode) -> dict[str, GivenQuant]:
    """The node's computed inputs that are integers in the file."""
    return {name: given for name, given in node.quants.items() if name not in node.constants}


def keeps_type(node: OnnxNode, element_type: str) -> bool:
    """Whether the node is a Cast to the type that its input has in the file: PyTorch puts one before every
    DequantizeLinear."""
    kinds = TensorProto.DataType
    return node.op_type == "Cast" and node.attribute("to") == dict(kinds.items()).get(element_type.upper())


def moves_integers(node: OnnxNode, element_type: str) -> tuple[OnnxNode, GivenQuant]:
    """The node on real values, and the quantization of its output, where it moves integers as they are, which are of
    `element_type` in the file.

    A Pad that does not say its value pads with the integer 0.

    Raises ModelError for an operator that computes with integers, for inputs of several quantizations, and for a Relu
    whose zero is no integer 0.
    """
    integers = integer_inputs(node)
    given = next(iter(integers.values()))
    if keeps_type(node, element_type):
        return node, given
    if node.op_type not in MOVERS:
        raise node.error(
            f"computes with the integers '{next(iter(integers))}' of a QuantizeLinear; put a DequantizeLinear before "
            f"it: only {', '.join(sorted(MOVERS))} may read integers"
        )
    if any(other != given for other in integers.values()):
        raise node.error("joins integers of several quantizations; give its inputs one scale and zero point")
    if node.op_type == "Relu" and given.zero_point != 0:
        raise node.error(
            f"limits integers at 0, but their zero point is {given.zero_point}; put it before the QuantizeLinear"
        )
    real = {
        name: ((value.astype(np.float64) + INTEGER_TYPES[value.dtype.name] - given.zero_point) * given.scale[0]).astype(
            np.float32
        )
        if value.dtype.name in INTEGER_TYPES
        else value
        for name, value in node.constants.items()
    }
    quants = {**node.quants, **{name: given for name in node.constants if real[name] is not node.constants[name]}}
    attributes = dict(node.attributes)
    if node.op_type == "Pad" and not node.has(2):
        attributes["value"] = (INTEGER_TYPES[element_type] - given.zero_point) * given.scale[0]
    return replace(node, constants=real, quants=quants, attributes=attributes), given


def with_zero_point(node: OnnxNode, element_type: str) -> OnnxNode:
    """A DequantizeLinear of computed integers that states its zero point: without, it is the 0 of their own type."""
    if node.has(2) or not node.is_constant(1) or element_type not in INTEGER_TYPES:
        return node
    zero = f"{node.name}.zero_point"
    zeros = np.zeros(node.constant(1, "scale").shape, element_type)
    return replace(node, inputs=(*node.inputs[:2], zero), constants={**node.constants, zero: zeros})


def limits_nothing(node: OnnxNode, given: GivenQuant) -> bool:
    """Whether it is a Clip, on real values, that has room for all integers: exporters write one behind each
    QuantizeLinear."""
    if node.op_type != "Clip":
        return False
    low, high = ((bound - given.zero_point) * given.scale[0] for bound in given.quant.bounds)
    tolerance = given.scale[0] / 2
    return node.real("min", 1, -inf) <= low + tolerance and node.real("max", 2, inf) >= high - tolerance
