"""Objects in a grid of cells, as FOMO networks see them: cells of a class that touch, also at a corner, become one box,
whose middle is where the object is; boxes that touch then become one, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.after.after import After
from mcuq.after.boxes import PIXEL_BITS, Candidates, Integers
from mcuq.after.port import check_labels, integer_port, output_of
from mcuq.after.scores import Scores, scores_of
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor


@dataclass(frozen=True, eq=False)
class Fomo:
    """A grid of `cells` (width, height), each with scores of `classes`, of which 0 is the background. `is_planar` says
    that each class has a plane of its own. `room` boxes are held: cells that would make more are passed over."""

    output: Tensor
    scores: Scores
    cells: tuple[int, int]
    classes: int
    is_planar: bool
    size: tuple[int, int]
    room: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The outputs that it reads."""
        return (self.output,)

    def described(self) -> str:
        """In a few words."""
        return f"FOMO, {self.cells[0]}x{self.cells[1]} cells, {self.classes} classes ({self.scores.kind})"

    def candidates(self, outputs: Mapping[str, Array], threshold: int) -> Candidates:
        """Of one sample: boxes of cells that touch, from the top, of equally high ones from the left."""
        q = outputs[self.output.name]
        q = q.reshape(self.classes, -1).T if self.is_planar else q.reshape(-1, self.classes)
        scores = self.scores.of(q)
        best = 1 + q[:, 1:].astype(np.int64).argmax(-1)
        own = scores[np.arange(len(best)), best]
        held: list[tuple[int, ...]] = []  # left, top, right, bottom in cells, class, score
        for cell in np.flatnonzero(own >= threshold).tolist():
            x, y = cell % self.cells[0], cell // self.cells[0]
            new: tuple[int, ...] = (x, y, x + 1, y + 1, int(best[cell]), int(own[cell]))
            while (at := next((i for i, other in enumerate(held) if _touch(new, other)), -1)) >= 0:
                other, last = held[at], held.pop()
                if at < len(held):
                    held[at] = last
                low, high = (tuple(f(a, b) for a, b in zip(new, other, strict=True)) for f in (min, max))
                new = (*low[:2], *high[2:])
            if len(held) < self.room:
                held.append(new)
        held.sort(key=lambda box: (box[1], box[0], box[4]))
        rows = np.array(held, np.int64).reshape(-1, 6)
        pixels, cells = np.array(self.size * 2), np.array(self.cells * 2)
        edges: Integers = (rows[:, :4] * pixels << PIXEL_BITS) // cells
        return Candidates(edges, rows[:, 4], rows[:, 5])


def _touch(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[4] == b[4] and a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def fomo_for(after: After, graph: Graph) -> Fomo:
    """Raises ModelError where the output is no grid of classes."""
    tensor = integer_port(graph, output_of(graph, after), after)
    values, shape = after.values, tensor.shape
    if len(shape) != 4 or shape[0] != 1:
        raise ModelError(
            f"{after.where}: output '{tensor.name}' of shape {'x'.join(map(str, shape))} is no grid of classes; give "
            "one of four dimensions, the first of them 1"
        )
    is_planar = values["layout"] == "nchw"
    classes, height, width = (shape[1], shape[2], shape[3]) if is_planar else (shape[3], shape[1], shape[2])
    if classes < 2:
        raise ModelError(f"{after.where}: output '{tensor.name}' has {classes} class; the first is the background")
    check_labels(after, tensor, classes)
    size = values["width"], values["height"]
    scores = scores_of(values["scores"], tensor)
    return Fomo(tensor, scores, (width, height), classes, is_planar, size, values["candidates"])
