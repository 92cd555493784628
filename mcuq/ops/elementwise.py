"""What works element by element: the trait by which passes and quantize know functions of one value, sums and their
like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Shape, Tensor


def broadcast_shape(inputs: Sequence[Tensor]) -> Shape:
    """The shape of tensors of one rank that broadcast as in NumPy; ModelError where they do not."""
    shapes = [t.shape for t in inputs]
    sizes = list(zip(*shapes, strict=True)) if len({len(shape) for shape in shapes}) == 1 else None
    if sizes is None or any(len({*along} - {1}) > 1 for along in sizes):
        raise ModelError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not broadcast")
    return tuple(max(along) if 0 not in along else 0 for along in sizes)


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
