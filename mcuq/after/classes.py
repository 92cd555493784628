"""The likeliest classes: twin of ID_classify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.after.after import After
from mcuq.after.port import classes_of, integer_port, output_of
from mcuq.after.scores import ONE, Scores, scores_of
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor


@dataclass(frozen=True)
class Class:
    """A class and its score, an integer in 2^-15; `label` is "" where classes have none."""

    index: int
    score: int
    label: str = ""

    def __str__(self) -> str:
        return f"{self.label or self.index} {self.score / ONE:.3f}"


@dataclass(frozen=True, eq=False)
class Classes:
    """The `top` classes of the largest codes, of equal ones the first, whose scores reach `threshold` (in 2^-15)."""

    after: After
    output: Tensor
    scores: Scores
    top: int
    threshold: int

    def begin(self) -> None:
        """Nothing goes on from one inference to the next."""

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[list[Class]]:
        """Of each sample."""
        codes = outputs[self.output.name].reshape(-1, self.output.elements)
        found = []
        for own in codes:
            scores = self.scores.of(own)
            order = np.argsort(-own.astype(np.int64), kind="stable")[: self.top]
            found.append([self._class(int(i), int(scores[i])) for i in order if scores[i] >= self.threshold])
        return found

    def _class(self, index: int, score: int) -> Class:
        return Class(index, score, self.after.labels[index] if self.after.labels else "")

    def described(self) -> str:
        """In a few words."""
        top = "the likeliest" if self.top == 1 else f"the {self.top} likeliest"
        return f"{top} of {self.output.elements} classes of '{self.output.name}' ({self.scores.kind})"


def classes_for(after: After, graph: Graph) -> Classes:
    """Raises ModelError where the model has no such output."""
    tensor = integer_port(graph, output_of(graph, after), after)
    count, values = classes_of(tensor, after), after.values
    scores = scores_of(values["scores"], tensor, values["temperature"])
    return Classes(after, tensor, scores, min(values["top"], count), fixed(values["threshold"]))


def fixed(value: float) -> int:
    """A number from 0 to 1 in 2^-15."""
    return round(value * ONE)
