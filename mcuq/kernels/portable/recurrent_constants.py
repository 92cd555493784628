"""The template of recurrent operators: loops over sequences and steps, around C that is pasted."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.kernel import Constants, Fragment


@dataclass(frozen=True)
class RecurrentConstants(Constants):
    """x (steps, batch, inputs) -> y (rows, batch, hidden); states lie `pitch` elements apart.

    `begin` sets the states h and c and declares `count`, the steps of sequence n; `before` stands before the units of a
    step, `units` assigns next; `stored` assigns y[to] of `state`; `end` writes what comes behind the steps.
    """

    template = "portable/recurrent"

    x_type: str
    y_type: str
    state_type: str
    initial: str
    arrays: str
    steps: int
    batch: int
    inputs: int
    hidden: int
    pitch: int
    is_reverse: int
    is_whole: int
    begin: Fragment
    before: Fragment
    units: Fragment
    stored: Fragment
    end: Fragment


@dataclass(frozen=True)
class RecurrentFloat32Constants(RecurrentConstants):
    """Of floats."""

    computes_in_float = True
