"""Decisions of a stream of inferences: averages, thresholds with hysteresis, a pause behind each; twin of ID_decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.after.after import After
from mcuq.after.classes import fixed
from mcuq.after.port import classes_of, integer_port, output_of
from mcuq.after.scores import ONE, Scores, scores_of
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor

NOTHING = -1


@dataclass(frozen=True)
class Decided:
    """What one inference decided: `index` is the class that became on, -1 if none did; `on` are those that are.
    `average` is that of the class that became on, else the largest, in 2^-15."""

    index: int
    average: int
    on: tuple[int, ...]
    label: str = ""

    def __str__(self) -> str:
        what = "-" if self.index == NOTHING else self.label or str(self.index)
        return f"{what} {self.average / ONE:.3f}"


@dataclass(eq=False)
class Decision:
    """Scores are averaged over the last `average` inferences of a stream; before there are as many, nothing is decided.

    Of the classes in `watched` one that is off and whose average reaches `threshold` becomes on, the one of the largest
    average and of equal ones the first, and for `refractory` inferences after that none does. One that is on stays so
    until its average is below `release`. Both are in 2^-15; averages are compared as sums, which are exact.
    """

    after: After
    output: Tensor
    scores: Scores
    watched: tuple[int, ...]

    def __post_init__(self) -> None:
        values = self.after.values
        self.average: int = values["average"]
        self.refractory: int = values["refractory"]
        self.threshold = fixed(values["threshold"])
        self.release = self.threshold if values["release"] < 0 else fixed(values["release"])
        self.begin()

    def begin(self) -> None:
        """Nothing was seen, and nothing is on."""
        self._held: list[Array] = []
        self._on = dict.fromkeys(self.watched, False)
        self._pause = 0

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[Decided]:
        """Of each inference in order."""
        codes = outputs[self.output.name].reshape(-1, self.output.elements)
        return [self._decide(own) for own in self.scores.of(codes)]

    def _decide(self, scores: Array) -> Decided:
        self._held = [*self._held[-self.average + 1 :], scores] if self.average > 1 else [scores]
        sums = np.sum(self._held, axis=0)
        found = NOTHING
        if len(self._held) == self.average:
            for c in self.watched:
                if self._on[c] and sums[c] < self.release * self.average:
                    self._on[c] = False
            if self._pause:
                self._pause -= 1
            else:
                found = self._heard(sums)
        best = max(self.watched, key=lambda c: (int(sums[c]), -c)) if found == NOTHING else found
        label = self.after.labels[found] if self.after.labels and found != NOTHING else ""
        average = (int(sums[best]) + self.average // 2) // self.average
        return Decided(found, average, tuple(c for c in self.watched if self._on[c]), label)

    def _heard(self, sums: Array) -> int:
        """The class that becomes on."""
        ready = [c for c in self.watched if not self._on[c] and sums[c] >= self.threshold * self.average]
        if not ready:
            return NOTHING
        found = max(ready, key=lambda c: (int(sums[c]), -c))
        self._on[found], self._pause = True, self.refractory
        return found

    def described(self) -> str:
        """In a few words."""
        few = f"{len(self.watched)} of {self.output.elements} classes of '{self.output.name}' ({self.scores.kind})"
        return f"decisions about {few}, averages of {self.average}, {self.refractory} inferences of pause"


def decision_for(after: After, graph: Graph) -> Decision:
    """Raises ModelError where the model has no such output or classes."""
    tensor = integer_port(graph, output_of(graph, after), after)
    count, values = classes_of(tensor, after), after.values
    if values["release"] > values["threshold"]:
        raise ModelError(
            f"{after.where}: release = {values['release']:g}: is above threshold, {values['threshold']:g}; give less"
        )
    watched = []
    for named in values["watch"] or range(count):
        index = after.labels.index(named) if named in after.labels else named
        if isinstance(index, str) or index >= count:
            known = f", labels are {', '.join(after.labels)}" if after.labels else ", labels are not given"
            raise ModelError(f"{after.where}: watch: has {named!r}; there are {count} classes{known}")
        watched.append(index)
    scores = scores_of(values["scores"], tensor, values["temperature"])
    return Decision(after, tensor, scores, tuple(sorted(set(watched))))
