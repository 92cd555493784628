"""What makes one value of all along some dimensions: the trait of means, and of what else is taken over dimensions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Self

from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Shape, Tensor


@dataclass(frozen=True)
class Reduction(Operator):
    """One value for all along `axes`, which stay with size 1, in whatever order."""

    axes: tuple[int, ...]

    passes_channels = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(inputs[0].shape))

    def span(self, shape: Shape) -> tuple[int, int]:
        """[first, last) of the reduced dimensions; ValueError where kept ones lie between."""
        reduced = [axis for axis in self.axes if shape[axis] != 1]
        if not reduced:
            return 0, 0
        first, last = min(reduced), max(reduced) + 1
        if any(shape[axis] != 1 and axis not in self.axes for axis in range(first, last)):
            raise ValueError(f"axes {self.axes} of {shape} are not neighbours")
        return first, last

    def count(self, layer: Layer) -> int:
        """How many values become one."""
        return prod(layer.inputs[0].shape[axis] for axis in self.axes)

    def over(self, axes: tuple[int, ...]) -> Self:
        """The same over other dimensions."""
        return replace(self, axes=axes)

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return self.over(tuple(sorted(perm[axis] for axis in self.axes)))

    def mixed_axes(self, rank: int) -> Collection[int]:
        return self.axes

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return None if len(y) - 1 in self.axes else self
