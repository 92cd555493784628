"""Functions of one float: a loop around a function of mcuq_float.h each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.clip import Clip
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Rescale, Unary


@dataclass(frozen=True)
class FloatLoopConstants(Constants):
    """y[i] = function(x[i])."""

    computes_in_float = True

    elements: int


class CopyFloat32Constants(FloatLoopConstants):
    """x as it is."""

    template = "portable/copy_float32"


class SigmoidFloat32Constants(FloatLoopConstants):
    """mcuq_sigmoid."""

    template = "portable/sigmoid_float32"


class TanhFloat32Constants(FloatLoopConstants):
    """mcuq_hyperbolic_tangent."""

    template = "portable/tanh_float32"


class HardSwishFloat32Constants(FloatLoopConstants):
    """mcuq_hard_swish."""

    template = "portable/hard_swish_float32"


@dataclass(frozen=True)
class HardSigmoidFloat32Constants(FloatLoopConstants):
    """mcuq_hard_sigmoid."""

    template = "portable/hard_sigmoid_float32"

    alpha: float
    beta: float


@dataclass(frozen=True)
class LeakyReluFloat32Constants(FloatLoopConstants):
    """mcuq_leaky_relu."""

    template = "portable/leaky_relu_float32"

    alpha: float


@dataclass(frozen=True)
class ClipFloat32Constants(FloatLoopConstants):
    """mcuq_clamp_float."""

    template = "portable/clip_float32"

    minimum: float
    maximum: float


FUNCTIONS: Mapping[type[Unary], Callable[[Any, int], Constants]] = {
    Clip: lambda op, elements: ClipFloat32Constants(elements, float32(op.minimum), float32(op.maximum)),
    HardSigmoid: lambda op, elements: HardSigmoidFloat32Constants(elements, float32(op.alpha), float32(op.beta)),
    HardSwish: lambda op, elements: HardSwishFloat32Constants(elements),
    LeakyRelu: lambda op, elements: LeakyReluFloat32Constants(elements, float32(op.alpha)),
    Rescale: lambda op, elements: CopyFloat32Constants(elements),
    Sigmoid: lambda op, elements: SigmoidFloat32Constants(elements),
    Tanh: lambda op, elements: TanhFloat32Constants(elements),
}
"""Operator -> the constants of its loop, from it and the number of elements."""


def lower_unary_float32(op: Unary, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return (Call(FUNCTIONS[type(op)](op, layer.output.elements)),)
