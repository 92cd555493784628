"""Rows of images: which of an input's an operator needs for a row of its output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RowWindow:
    """Row r of the output is made of the input's rows [r * stride - begin, r * stride - begin + extent), as far as it
    has them."""

    extent: int = 1
    stride: int = 1
    begin: int = 0

    def needs(self, first: int, count: int, height: int) -> tuple[int, int]:
        """The rows of an input of `height` that `count` rows from `first` on read: from one to before another."""
        top = first * self.stride - self.begin
        return max(0, top), max(0, min(height, top + (count - 1) * self.stride + self.extent))


OWN_ROW = RowWindow()


@dataclass(frozen=True)
class Band:
    """`out_rows` of a layer's output, made of `in_rows` of its input, `begin` rows of padding above them and `end`
    below."""

    in_rows: int
    out_rows: int
    begin: int
    end: int


def of_shape(shape: Iterable[int], axis: int, rows: int) -> tuple[int, ...]:
    """The shape with so many rows."""
    sizes = list(shape)
    sizes[axis] = rows
    return tuple(sizes)
