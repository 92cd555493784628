"""What is done behind a network, bound to it: a twin of each kind's C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mcuq.after.after import After
from mcuq.after.classes import classes_for
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


_TWINS: Mapping[str, Callable[[After, Graph, Any], Twin]] = {"classes": classes_for, "floats": floats_for}


def twin_of(after: After, graph: Graph, learned: Any = None) -> Twin:
    """`learned` is what calibration found. Raises ModelError where the model does not give what is read."""
    return _TWINS[after.kind](after, graph, learned)
