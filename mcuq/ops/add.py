"""Add and Sub: a weighted sum of two tensors in their own scales, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.int8 import WeightedSum, weighted_sum, weighted_sum_parameters
from mcuq.arithmetic.int16 import WideSum, weighted_sum_wide, wide_sum_parameters
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Constants, Kernel, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.add_dsp import lower_add_dsp
from mcuq.ops.add_mve import ADD_KERNELS
from mcuq.ops.add_wide import lower_add_wide
from mcuq.ops.binary import (
    Binary,
    BroadcastConstants,
    broadcast_loops,
    from_binary,
    is_flat,
    operand_inputs,
    operands,
)
from mcuq.ops.binary_float import lower_add_float, simulate_add_float
from mcuq.ops.float_weights import FLOAT32
from mcuq.ops.requantized import INT16, MIXED


@dataclass(frozen=True)
class _WeightedSumConstants(Constants):
    factor_a: int
    factor_b: int
    constant: int
    shift: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class AddConstants(_WeightedSumConstants):
    """Operands of one shape."""

    template = "add"

    elements: int


@dataclass(frozen=True)
class AddBroadcastConstants(BroadcastConstants, _WeightedSumConstants):
    """Operands that repeat along some dimensions."""

    template = "add_broadcast"


def _lower(op: Add, layer: Layer, constants: Constants) -> tuple[Call, ...]:
    inputs, arrays = operand_inputs(layer)
    p = op.parameters(layer, operands(layer))
    bound = 128 * (abs(p.factor_a) + abs(p.factor_b)) + abs(p.constant)
    return (Call(constants, inputs, arrays, bound=bound),)


def lower_add(op: Add, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return _lower(op, layer, AddConstants(**op.common_constants(layer), elements=layer.output.elements))


def lower_add_broadcast(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides."""
    constants = AddBroadcastConstants(**op.common_constants(layer), **broadcast_loops(layer))
    return _lower(op, layer, constants)


@dataclass(frozen=True)
class Add(Binary):
    """y = clamp(a + b). Largest error half a step, and 256 * 2^-shift steps of factor rounding; of int16 operands
    2^(15-shift), where shift is 30 unless an operand's step is twice the output's or more."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Add": from_binary(lambda: Add())}
    dtypes = frozenset({*MIXED, "float32"})
    kernels = (
        Kernel(lower_add_float, activations=FLOAT32, constants=FLOAT32),
        *ADD_KERNELS,
        Kernel(lower_add_dsp, needs=frozenset({"dsp"}), accepts=lambda op, layer: is_flat(layer)),
        Kernel(lower_add, accepts=lambda op, layer: is_flat(layer)),
        Kernel(lower_add_wide, activations=INT16),
        Kernel(lower_add_broadcast),
    )
    onnx_type: ClassVar[str] = "Add"
    signs: ClassVar[tuple[int, int]] = (1, 1)

    def parameters(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> WeightedSum:
        """The integer factors, for the operands in the order given."""
        a, b = (layer.inputs[i] for i in order)
        points = (a.zero_point, b.zero_point)
        return weighted_sum_parameters(self.factors(layer, order), points, layer.output.zero_point, layer.where)

    def wide_parameters(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> WideSum:
        """Those of int16 operands."""
        return wide_sum_parameters(self.factors(layer, order), layer.where)

    def factors(self, layer: Layer, order: tuple[int, int]) -> tuple[float, float]:
        """What an operand's step is in steps of the output, negative for a subtrahend."""
        first, second = (self.signs[i] * layer.inputs[i].scale / layer.output.scale for i in order)
        return first, second

    def common_constants(self, layer: Layer) -> dict[str, int]:
        """What both kernels need."""
        p = self.parameters(layer, operands(layer))
        output_min, output_max = self.output_bounds(layer.output)
        return {**vars(p), "output_min": output_min, "output_max": output_max}

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node(self.onnx_type, [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_add_float(self, inputs)
        bounds = self.output_bounds(layer.output)
        if layer.output.dtype == "int16":
            return weighted_sum_wide(inputs[0], inputs[1], self.wide_parameters(layer), *bounds).astype(np.int16)
        return weighted_sum(inputs[0], inputs[1], self.parameters(layer), *bounds)


@dataclass(frozen=True)
class Sub(Add):
    """y = clamp(a - b), as Add."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sub": from_binary(lambda: Sub())}
    onnx_type: ClassVar[str] = "Sub"
    signs: ClassVar[tuple[int, int]] = (1, -1)
