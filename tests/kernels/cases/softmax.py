"""Softmax and LogSoftmax: of one class, a few, and hundreds; one row and several."""

from __future__ import annotations

from support import Case

from cases.values import Make
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.softmax import Softmax


def fixed() -> list[Case]:
    return [(op, [shape]) for op in (Softmax(), LogSoftmax()) for shape in ((1, 10), (3, 7), (2, 1), (2, 300))]


MAKERS: tuple[Make, ...] = ()
