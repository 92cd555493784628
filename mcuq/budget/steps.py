"""In which order layers give up bits: those first whose bytes cost least noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.budget.sensitivity import Sensitivity


@dataclass(frozen=True)
class Step:
    """One layer goes down its ladder to `level`, an index of LADDER: frees `freed_bytes` for `noise`."""

    layer: str
    level: int
    noise: float
    freed_bytes: int


def steps_down(found: Sequence[Sensitivity]) -> tuple[Step, ...]:
    """All steps of all layers, each layer's in the order of its ladder, by noise for each byte freed.

    Errors of different layers are taken as independent, so that their noise adds up; a layer's levels that lie above
    the lower convex hull of (bytes, noise) are passed over, as the level behind them is the better bargain.
    """
    steps = [step for layer in found for step in _hull(layer)]
    return tuple(sorted(steps, key=lambda step: (step.noise / step.freed_bytes, step.layer, step.level)))


def _hull(layer: Sensitivity) -> list[Step]:
    """Steps along the hull: prices rise from one to the next."""
    steps: list[Step] = []
    level = 0
    while level < len(layer.noise) - 1:
        options = [
            Step(layer.layer, lower, max(0.0, layer.noise[lower] - layer.noise[level]), freed)
            for lower in range(level + 1, len(layer.noise))
            if (freed := layer.weight_bytes[level] - layer.weight_bytes[lower]) > 0
        ]
        if not options:
            break
        best = min(options, key=lambda step: (step.noise / step.freed_bytes, -step.level))
        steps.append(best)
        level = best.level
    return steps
