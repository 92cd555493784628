"""Boxes of what is seen: candidates by score, and those that overlap a better one left out; twin of ID_boxes.

Coordinates are in 2^-4 pixels of the input, which boxes are clipped to. Scores are integers in 2^-15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mcuq.after.after import After
from mcuq.after.scores import ONE
from mcuq.graph.tensor import Array, Tensor

Integers = NDArray[np.int64]
# Bits behind the point of coordinates, and of those that they are rounded from.
PIXEL_BITS, FINE_BITS = 4, 8
MOST_PIXELS = 2047


@dataclass(frozen=True)
class Box:
    """Edges in 2^-4 pixels; `score` in 2^-15; `label` is "" where classes have none."""

    left: int
    top: int
    right: int
    bottom: int
    index: int
    score: int
    label: str = ""

    def __str__(self) -> str:
        x, y = (f"{v / 2**PIXEL_BITS:.0f}" for v in (self.left, self.top))
        width, height = self.right - self.left, self.bottom - self.top
        return (
            f"{self.label or self.index} {self.score / ONE:.3f} at {x},{y} "
            f"{width / 2**PIXEL_BITS:.0f}x{height / 2**PIXEL_BITS:.0f}"
        )


@dataclass(frozen=True, eq=False)
class Candidates:
    """`edges` (n, 4) in 2^-4 pixels: left, top, right, bottom; `classes` and `scores` (n,); in the order in which the C
    meets them."""

    edges: Integers
    classes: Integers
    scores: Integers

    @staticmethod
    def of(edges: Integers, classes: Integers, scores: Integers, threshold: int) -> Candidates:
        """Those whose scores reach the threshold."""
        kept = scores >= threshold
        return Candidates(edges[kept], classes[kept], scores[kept])


class Decoder(Protocol):
    """What makes candidates of a network's outputs."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The outputs that it reads."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""

    def candidates(self, outputs: Mapping[str, Array], threshold: int) -> Candidates:
        """Of one sample: outputs by name, flat."""

    def described(self) -> str:
        """In a few words."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """The `room` candidates of the highest scores, of equal ones the first. In this order each is given that overlaps
    none that was given before, of its own class unless `any_class`, by more than `overlap` (in 2^-15; 1: none is left
    out) of their union; `most` at most."""

    after: After
    decoder: Decoder
    threshold: int
    overlap: int
    any_class: bool
    most: int
    room: int

    def begin(self) -> None:
        """Nothing goes on from one inference to the next."""

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[list[Box]]:
        """Of each sample."""
        flat = {t.name: outputs[t.name].reshape(len(outputs[t.name]), -1) for t in self.decoder.tensors}
        count = len(next(iter(flat.values())))
        return [self._chosen({name: x[i] for name, x in flat.items()}) for i in range(count)]

    def _chosen(self, outputs: Mapping[str, Array]) -> list[Box]:
        found = self.decoder.candidates(outputs, self.threshold)
        order = np.argsort(-found.scores, kind="stable")[: self.room]
        given: list[Box] = []
        for i in order.tolist():
            index = int(found.classes[i])
            label = self.after.labels[index] if self.after.labels else ""
            left, top, right, bottom = found.edges[i].tolist()
            box = Box(left, top, right, bottom, index, int(found.scores[i]), label)
            if len(given) < self.most and not any(self._overlap(box, other) for other in given):
                given.append(box)
        return given

    def _overlap(self, a: Box, b: Box) -> bool:
        if not self.any_class and a.index != b.index:
            return False
        width = max(0, min(a.right, b.right) - max(a.left, b.left))
        height = max(0, min(a.bottom, b.bottom) - max(a.top, b.top))
        both = width * height
        union = sum((box.right - box.left) * (box.bottom - box.top) for box in (a, b)) - both
        return both * ONE > self.overlap * union

    def described(self) -> str:
        """In a few words."""
        return f"{self.most} boxes at most, {self.decoder.described()}, scores from {self.threshold / ONE:.3g}"


def edges_of(center: Integers, extent: Integers, size: tuple[int, int]) -> Integers:
    """(n, 4) of centers and extents (n, 2), x and y, in 2^-8 pixels; `size` is the image's width and height."""
    half = extent >> 1
    return rounded(np.concatenate([center - half, center - half + extent], -1), size)


def rounded(edges: Integers, size: tuple[int, int]) -> Integers:
    """(n, 4) in 2^-8 pixels to 2^-4 pixels, halves up, in the image."""
    whole = (edges + (1 << (FINE_BITS - PIXEL_BITS - 1))) >> (FINE_BITS - PIXEL_BITS)
    return whole.clip(0, np.array(size * 2, np.int64) << PIXEL_BITS)


def boxes_for(after: After, decoder: Decoder) -> Boxes:
    """What `after` says of boxes of all kinds; those of FOMO do not overlap, and are given."""
    values = after.values
    threshold, overlap = (round(values.get(key, 1.0) * ONE) for key in ("threshold", "overlap"))
    any_class = values.get("nms") == "any"
    return Boxes(after, decoder, threshold, overlap, any_class, values["max_boxes"], values["candidates"])
