"""Mean of floats."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.mean import Mean, mean_sizes


@dataclass(frozen=True)
class MeanFloat32Constants(Constants):
    """x (outer, reduced, inner) -> y (outer, inner)."""

    template = "portable/mean_float32"
    computes_in_float = True

    outer: int
    reduced: int
    inner: int
    inverse_count: float
    minimum: float
    maximum: float


def lower_mean_float32(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """The reduced dimensions are neighbours: a pass has seen to it."""
    outer, reduced, inner = mean_sizes(op, layer)
    constants = MeanFloat32Constants(
        outer, reduced, inner, float32(1 / reduced), float32(op.minimum), float32(op.maximum)
    )
    return (Call(constants),)
