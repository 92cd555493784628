"""Functions of one float: a loop around a function of firmware/mcuq_float.h each."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Constants


@dataclass(frozen=True)
class FloatLoopConstants(Constants):
    """y[i] = function(x[i])."""

    computes_in_float = True

    elements: int


class CopyFloatConstants(FloatLoopConstants):
    """x as it is."""

    template = "copy_float"


class SigmoidFloatConstants(FloatLoopConstants):
    """mcuq_sigmoid."""

    template = "sigmoid_float"


class TanhFloatConstants(FloatLoopConstants):
    """mcuq_hyperbolic_tangent."""

    template = "tanh_float"


class HardSwishFloatConstants(FloatLoopConstants):
    """mcuq_hard_swish."""

    template = "hard_swish_float"


@dataclass(frozen=True)
class HardSigmoidFloatConstants(FloatLoopConstants):
    """mcuq_hard_sigmoid."""

    template = "hard_sigmoid_float"

    alpha: float
    beta: float


@dataclass(frozen=True)
class LeakyReluFloatConstants(FloatLoopConstants):
    """mcuq_leaky_relu."""

    template = "leaky_relu_float"

    alpha: float


@dataclass(frozen=True)
class ClipFloatConstants(FloatLoopConstants):
    """mcuq_clamp_float."""

    template = "clip_float"

    minimum: float
    maximum: float
