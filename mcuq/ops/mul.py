"""Mul: the product of two tensors, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Kernel, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.binary import (
    Binary,
    BroadcastConstants,
    broadcast_loops,
    from_binary,
    is_flat,
    operand_inputs,
    operands,
)
from mcuq.ops.binary_float import lower_mul_float, simulate_mul_float
from mcuq.ops.float_weights import FLOAT32
from mcuq.ops.mul_wide import lower_mul_wide
from mcuq.ops.requantized import (
    INT16,
    MIXED,
    RequantizedConstants,
    largest_difference,
    requantize_output,
    requantized,
)


@dataclass(frozen=True)
class _ProductConstants(RequantizedConstants):
    a_zero_point: int
    b_zero_point: int
    multiplier: int


@dataclass(frozen=True)
class MulConstants(_ProductConstants):
    """Operands of one shape."""

    template = "mul"

    elements: int


@dataclass(frozen=True)
class MulBroadcastConstants(BroadcastConstants, _ProductConstants):
    """Operands that repeat along some dimensions."""

    template = "mul_broadcast"


def lower_mul(op: Mul, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    constants = MulConstants(**op.common_constants(layer), elements=layer.output.elements)
    return (Call(constants, *operand_inputs(layer), bound=op.bound(layer)),)


def lower_mul_broadcast(op: Mul, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides."""
    constants = MulBroadcastConstants(**op.common_constants(layer), **broadcast_loops(layer))
    return (Call(constants, *operand_inputs(layer), bound=op.bound(layer)),)


@dataclass(frozen=True)
class Mul(Binary):
    """y = clamp(a * b) from (a - a_zero_point) * (b - b_zero_point). Largest error half a step."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Mul": from_binary(lambda: Mul())}
    dtypes = frozenset({*MIXED, "float32"})
    kernels = (
        Kernel(lower_mul_float, activations=FLOAT32, constants=FLOAT32),
        Kernel(lower_mul, accepts=lambda op, layer: is_flat(layer)),
        Kernel(lower_mul_wide, activations=INT16),
        Kernel(lower_mul_broadcast),
    )

    def bound(self, layer: Layer) -> int:
        """Largest product of (a - a_zero_point) and (b - b_zero_point); int32 holds it."""
        a, b = layer.inputs
        return largest_difference(a) * largest_difference(b)

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: the product of the input scales over the output's."""
        a, b = layer.inputs
        return requantization([a.scale * b.scale / layer.output.scale], self.bound(layer), layer.where)

    def common_constants(self, layer: Layer) -> dict[str, int]:
        """What both kernels need."""
        a, b = (layer.inputs[i] for i in operands(layer))
        requant = self.requantization(layer)
        return {
            **requantized(self, requant, layer.output),
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "multiplier": requant.multiplier[0],
        }

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Mul", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_mul_float(self, inputs)
        a, b = (x.astype(np.int32) - t.zero_point for x, t in zip(inputs, layer.inputs, strict=True))
        y = layer.output
        return requantize_output(self, a * b, self.requantization(layer), self.bound(layer), y)
