"""What is done behind a network, bound to it: a twin of each kind's C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mcuq.after.after import After
from mcuq.after.anomaly import anomaly_for
from mcuq.after.boxes import Boxes, Decoder, boxes_for
from mcuq.after.classes import classes_for
from mcuq.after.decision import decision_for
from mcuq.after.floats import floats_for
from mcuq.after.fomo import fomo_for
from mcuq.after.ssd import ssd_for
from mcuq.after.yolo import yolo_for
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


def _boxes(decoder_for: Callable[[After, Graph], Decoder]) -> Callable[[After, Graph], Boxes]:
    return lambda after, graph: boxes_for(after, decoder_for(after, graph))


_TWINS: Mapping[str, Callable[[After, Graph], Twin]] = {
    "anomaly": anomaly_for,
    "classes": classes_for,
    "decision": decision_for,
    "floats": floats_for,
    "fomo": _boxes(fomo_for),
    "ssd": _boxes(ssd_for),
    "yolov5": _boxes(yolo_for),
    "yolov8": _boxes(yolo_for),
}


def twin_of(after: After, graph: Graph) -> Twin:
    """Raises ModelError where the model does not give what is read, DataError where calibration data are missing."""
    return _TWINS[after.kind](after, graph)
