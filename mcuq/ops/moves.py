"""What only moves values: the trait by which passes and quantize know which element goes where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.ops.dtypes import MOVED


@dataclass(frozen=True)
class Moves(Operator):
    """Each element is one of an input's, or one of `fills`. Exact.

    What `simulate` does with the numbers of elements tells the rest; operators that can say it faster do so.
    """

    shares_scale = True
    is_monotone = True
    passes_channels = True
    dtypes = MOVED

    # Each element of its one input stands once in its output.
    permutes: ClassVar[bool] = False

    @property
    def keeps_dtype(self) -> bool:
        return True

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        found = [t.integers for index, t in enumerate(inputs) if index not in self.choosing]
        known = [i for i in found if i is not None]
        if len(known) < len(found):
            return None
        fills = [int(value) for value in self.fills]
        return Integers.of(min([*fills, *(i.low for i in known)]), max([*fills, *(i.high for i in known)]))

    def places(self, layer: Layer, index: int) -> Array:
        """The number of the element of input `index` that each element of the output is, in the output's shape; -1
        for those that are none of it."""
        inputs = tuple(replace(t, quant=None, dtype="int64", data=None) for t in layer.inputs)
        plain = replace(layer, inputs=inputs, output=replace(layer.output, quant=None, dtype="int64"))
        size = inputs[index].elements
        # What is moved grows by as much as it does in the input.
        first, second = (
            self.simulate(
                plain,
                [
                    np.arange(start, start + size).reshape(1, *t.shape) if i == index else np.zeros((1, *t.shape), int)
                    for i, t in enumerate(inputs)
                ],
            )[0]
            for start in (0, size)
        )
        return np.where(second - first == size, first, -1)

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        source = self._along(layer, index, axis)
        for candidate, size in enumerate(source.shape):
            # What comes from elsewhere, -1, is no index.
            if size == layer.inputs[index].shape[axis] and (source == _indices(source.shape, candidate)).all():
                return candidate
        return None

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        x, y = layer.inputs[index].shape, layer.output.shape
        source = self._along(layer, index, a)
        pairs = np.unique((source * y[b] + _indices(y, b))[source >= 0])
        return None if len(pairs) == x[a] * y[b] > 1 else (pairs // y[b], pairs % y[b])

    def _along(self, layer: Layer, index: int, axis: int) -> Array:
        """The index along `axis` of input `index` that each element of the output comes from; -1 for others."""
        places, shape = self.places(layer, index), layer.inputs[index].shape
        return np.where(places < 0, -1, places // prod(shape[axis + 1 :]) % shape[axis])

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return () if any(self.fills) else range(len(layer.inputs))


def _indices(shape: Shape, axis: int) -> Array:
    """The index along `axis`, in a shape that broadcasts against `shape`."""
    return np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])


def is_selection(layer: Layer) -> bool:
    """Whether all elements of the output are elements of the one input."""
    return isinstance(layer.op, Moves) and len(layer.inputs) == 1 and not layer.op.fills
