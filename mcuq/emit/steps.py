"""An inference by steps in C: the cases of its switch, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from mcuq.emit.text import COLUMNS, wrap
from mcuq.lower import Program
from mcuq.plan import Plan
from mcuq.plan.steps import Unit


@dataclass(frozen=True)
class Cases:
    """`first` says of each step with code, a segment's first one for all, which case it begins with; `behind` of these
    what follows them takes; `costs` are those of the cases, 0 of what begins a segment."""

    first: Mapping[int, int]
    behind: Mapping[int, int]
    costs: tuple[int, ...]

    @property
    def text(self) -> str:
        """The lines of the C's table of costs."""
        return wrap([str(cost) for cost in self.costs], ", ", COLUMNS - 4, "    ")


NO_CASES = Cases({}, {}, ())


def cases_of(program: Program, plan: Plan) -> Cases:
    """The cases: one for each call, and for a segment one that begins it and one for each stage."""
    if plan.steps is None:
        return NO_CASES
    segment_at = {placed.segment.first: placed.segment for placed in plan.segments}
    units = iter(plan.steps.units)
    first: dict[int, int] = {}
    taken: dict[int, int] = {}
    costs: list[int] = []
    index = 0
    while index < len(program.steps):
        segment = segment_at.get(index)
        own: list[Unit] = [next(units) for _ in (program.steps[index].calls if segment is None else segment.stages)]
        first[index] = len(costs)
        taken[index] = sum(unit.cycles * unit.count for unit in own)
        costs += [*([] if segment is None else [0]), *(unit.cycles for unit in own)]
        index = index + 1 if segment is None else segment.last + 1
    before = dict(zip(taken, accumulate(taken.values()), strict=True))
    return Cases(first, {i: plan.steps.total_cycles - done for i, done in before.items()}, tuple(costs))
