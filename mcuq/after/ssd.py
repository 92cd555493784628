"""Boxes of SSD: offsets from anchors and scores of classes.

Center = offset variance extent(anchor) + center(anchor), extent = extent(anchor) exp(offset variance): "SSD: Single
Shot MultiBox Detector", arXiv 1512.02325, with the variances of its implementation; TensorFlow's box coder divides by
scales, 10 and 5, which are variances of 0.1 and 0.2, and has y before x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, isfinite, log2

import numpy as np

from mcuq.after.after import After
from mcuq.after.boxes import FINE_BITS, Candidates, Integers, edges_of
from mcuq.after.port import check_labels, integer_port, output_of
from mcuq.after.scores import MOST_FACTOR, Scores, power_below, scores_of
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor

MOST_MOVE = (1 << 27) - 1
# An extent is 2^10 times its anchor's at most, and none below 2^-31.
LOW_POWER, HIGH_POWER = -31 << 24, 10 << 24


@dataclass(frozen=True, eq=False)
class Ssd:
    """`anchors` (n, 4) are x, y, width, height in 2^-8 pixels. An offset is (q - zero) moves[i] in 2^-move_bits for
    x and y, and (q - zero) grows[i] >> 16 in 2^-24 of log2 for width and height; `places` are those of x, y, width,
    height in four codes. `background` is a class that is no box, -1 none."""

    boxes: Tensor
    classes: Tensor
    scores: Scores
    anchors: Integers
    moves: tuple[int, int]
    move_bits: int
    grows: tuple[int, int]
    places: tuple[int, ...]
    background: int
    size: tuple[int, int]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The outputs that it reads."""
        return (self.boxes, self.classes)

    @property
    def count(self) -> int:
        """How many classes, the background included."""
        return self.classes.elements // len(self.anchors)

    def described(self) -> str:
        """In a few words."""
        return f"SSD, {len(self.anchors):,} anchors, {self.count} classes ({self.scores.kind})"

    def candidates(self, outputs: Mapping[str, Array], threshold: int) -> Candidates:
        """Of one sample, anchor by anchor."""
        q = outputs[self.classes.name].reshape(-1, self.count)
        scores = self.scores.of(q)
        seen = q.astype(np.int64)
        if self.background >= 0:
            seen[:, self.background] = np.iinfo(np.int64).min
        best = seen.argmax(-1)
        own = scores[np.arange(len(best)), best]
        return Candidates.of(self.edges(outputs[self.boxes.name]), best, own, threshold)

    def edges(self, flat: Array) -> Integers:
        """(anchors, 4) in 2^-4 pixels."""
        q = flat.reshape(-1, 4).astype(np.int64)[:, list(self.places)] - self.boxes.zero_point
        center = self.anchors[:, :2] + ((q[:, :2] * np.array(self.moves) * self.anchors[:, 2:]) >> self.move_bits)
        power = ((q[:, 2:] * np.array(self.grows)) >> 16).clip(LOW_POWER, HIGH_POWER)
        n = (power + 0xFFFFFF) >> 24
        extent = (self.anchors[:, 2:] * power_below((n << 24) - power)) >> (29 - n)
        return edges_of(center, extent, self.size)


def ssd_for(after: After, graph: Graph) -> Ssd:
    """Raises ModelError where outputs and anchors do not fit one another."""
    values = after.values
    boxes, classes = (integer_port(graph, output_of(graph, after, key), after) for key in ("boxes", "classes"))
    size = values["width"], values["height"]
    anchors = np.floor(_anchors(after) * np.array(size * 2) * 2.0**FINE_BITS + 0.5).astype(np.int64)
    if boxes.elements != 4 * len(anchors) or classes.elements % len(anchors) or boxes.shape[-1] != 4:
        shapes = " and ".join(f"'{t.name}' of shape {'x'.join(map(str, t.shape))}" for t in (boxes, classes))
        raise ModelError(
            f"{after.where}: anchors: are {len(anchors):,}; {shapes} must have four offsets and scores "
            "of classes for each"
        )
    count = classes.elements // len(anchors)
    check_labels(after, classes, count)
    if count < 2 and values["background"] >= 0:
        raise ModelError(
            f"{after.where}: output '{classes.name}' has 1 class and background = {values['background']}; "
            "give -1 where none is the background"
        )
    if not -1 <= values["background"] < count:
        raise ModelError(f"{after.where}: background = {values['background']}: there are {count} classes; -1 is none")
    places = (1, 0, 3, 2) if values["order"] == "yxhw" else (0, 1, 2, 3)
    moves, grows = values["variances"][:2], values["variances"][2:]
    # of 27 bits at most: times a code of 17 and an anchor of 19 it fits into 64
    move_bits = max(24, min(48, 26 - floor(log2(boxes.scale * max(moves)))))
    return Ssd(
        boxes,
        classes,
        scores_of(values["scores"], classes),
        anchors,
        (_factor(boxes.scale * moves[0], move_bits, MOST_MOVE), _factor(boxes.scale * moves[1], move_bits, MOST_MOVE)),
        move_bits,
        (_factor(boxes.scale * grows[0] * log2(np.e), 40), _factor(boxes.scale * grows[1] * log2(np.e), 40)),
        places,
        values["background"],
        size,
    )


def _factor(value: float, bits: int, most: int = MOST_FACTOR) -> int:
    return int(min(np.floor(value * 2.0**bits + 0.5), most))


def _anchors(after: After) -> Array:
    """(n, 4): x, y of the middle, width and height, as fractions of the image."""
    name = after.values["anchors"]
    rows = []
    for number, line in enumerate(after.files[name].splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != 4 or not all(isfinite(v) and -4 <= v <= 4 for v in row) or min(row[2:]) <= 0:
            raise ModelError(
                f"{after.where}: anchors = '{name}': line {number} is no anchor; give x and y of its middle, width "
                "and height, as fractions of the image"
            )
        rows.append(row)
    if not rows:
        raise ModelError(f"{after.where}: anchors = '{name}': has none; give one a line")
    return np.array(rows)
