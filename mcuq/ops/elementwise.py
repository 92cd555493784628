"""What works element by element: the trait by which passes and quantize know functions of one value, sums and their
like."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Shape


@dataclass(frozen=True)
class Elementwise(Operator):
    """Each element is a function of those in its place in the inputs, which have one rank and broadcast as in NumPy."""

    is_elementwise = True
    passes_channels = True

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return self

    # Also of what moves elements to their own places.
    moved_axis = Operator.moved_axis
    tie = Operator.tie

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self
