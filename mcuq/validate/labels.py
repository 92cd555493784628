"""The answers of a classifier against labels: how many are met, and whether the labels can be right at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from mcuq.graph.tensor import Array

# Of this many standard deviations answers that have nothing to do with the labels stay below in 98 of 100 data sets.
_DEVIATIONS = 2.0


@dataclass
class Labels:
    """Counts answers, batch by batch, against `given` (samples,) or None; `classes` is the number of values of the
    output of that name.

    Accuracies are None where there are no labels, or where they are no classes.
    """

    output: str
    classes: int
    given: Array | None
    _answers: list[Array] = field(default_factory=list)
    _float_answers: list[Array] = field(default_factory=list)

    def add(self, answers: Array, float_answers: Array) -> None:
        """Take in the classes that a batch was given, by the quantized model and the float one."""
        self._answers.append(answers)
        self._float_answers.append(float_answers)

    @property
    def accuracy(self) -> float | None:
        """The share of labels that the quantized model meets."""
        return self._met(self._answers)

    @property
    def float_accuracy(self) -> float | None:
        """The share of labels that the float model meets."""
        return self._met(self._float_answers)

    def notes(self) -> tuple[str, ...]:
        """Warnings for the user."""
        if self.given is None:
            return ()
        if self.classes == 1:
            return (f"labels: output '{self.output}' has one value, not one for each class: accuracy is not counted",)
        if not self._are_classes:
            low, high = int(self.given.min()), int(self.given.max())
            hint = "; subtract 1?" if (low, high) == (1, self.classes) else "; give class numbers that begin with 0"
            reach = f"run from {low} to {high}" if low < high else f"are {low}"
            return (
                f"labels: they {reach}, the classes of output '{self.output}' from 0 to "
                f"{self.classes - 1}: accuracy is not counted{hint}",
            )
        met = self.float_accuracy
        if met is None or np.unique(self.given).size < 2 or met > self._chance():
            return ()
        return (
            f"labels: the float model meets {100 * met:.1f} % of them, no more than by chance; check the labels, and "
            "that inputs are scaled as in training",
        )

    @property
    def _are_classes(self) -> bool:
        return (
            self.given is not None
            and self.classes > 1
            and bool(np.all((self.given >= 0) & (self.given < self.classes)))
        )

    def _met(self, answers: list[Array]) -> float | None:
        if not self._are_classes or not answers:
            return None
        return float((np.concatenate(answers) == self.given).mean())

    def _chance(self) -> float:
        """The most that answers meet which are as frequent as the float model's and know nothing of the labels.

        Their mean and standard deviation: Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and
        weighted kappa", Psychological Bulletin 72, 1969.
        """
        assert self.given is not None
        answers = np.concatenate(self._float_answers)
        p = np.bincount(self.given, minlength=self.classes) / len(answers)
        q = np.bincount(answers, minlength=self.classes) / len(answers)
        mean = float(p @ q)
        variance = mean + mean**2 - float((p * q) @ (p + q))
        return mean + _DEVIATIONS * sqrt(max(variance, 0.0) / len(answers)) + 1e-12
