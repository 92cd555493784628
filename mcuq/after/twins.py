"""What is done behind a network, bound to it: a twin of each kind's C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mcuq.after.after import After
from mcuq.after.anomaly import anomaly_for
from mcuq.after.classes import classes_for
from mcuq.after.decision import decision_for
from mcuq.after.floats import floats_for
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array


class Twin(Protocol):
    """What the C behind a model gives, bit for bit."""

    @property
    def after(self) -> After:
        """What was asked for."""

    def begin(self) -> None:
        """A stream of inferences begins."""

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Sequence[Any]:
        """A result for each of the samples (samples, *shape) of inputs and outputs in integers, in order."""

    def described(self) -> str:
        """In a few words."""


_TWINS: Mapping[str, Callable[[After, Graph], Twin]] = {
    "anomaly": anomaly_for,
    "classes": classes_for,
    "decision": decision_for,
    "floats": floats_for,
}


def twin_of(after: After, graph: Graph) -> Twin:
    """Raises ModelError where the model does not give what is read, DataError where calibration data are missing."""
    return _TWINS[after.kind](after, graph)
