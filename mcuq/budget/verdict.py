"""What is said of a budget: each figure beside its bound, or which is missed, by how much, and what would be met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcuq.budget.limits import Budget, Limit, excess_of
from mcuq.errors import QuantizationError
from mcuq.report.candidates import Candidate, Figures

Measured = Mapping[Candidate, Figures]


class BudgetError(QuantizationError):
    """No choice meets the budget; `measured` is all that was tried, `nearest` what misses it by the least; `given` is
    how many layers' weights came quantized."""

    def __init__(self, budget: Budget, measured: Measured, given: int = 0) -> None:
        self.budget, self.measured = budget, measured
        self.nearest = min(measured, key=lambda candidate: excess_of(budget.limits, measured[candidate]))
        super().__init__(_why(budget, measured, self.nearest, given))


def budget_json(budget: Budget, figures: Figures) -> list[dict[str, Any]]:
    """Each limit with the figure, as `--json` prints it."""
    return [
        {
            "option": limit.option,
            "bound": limit.bound,
            "value": limit.value(figures),
            "is_met": limit.is_met_by(figures),
        }
        for limit in budget.limits
    ]


def budget_lines(budget: Budget, figures: Figures) -> Iterator[str]:
    """The same for people."""
    for index, limit in enumerate(budget.limits):
        value = limit.value(figures)
        assert value is not None
        word = "at most" if limit.is_most else "at least"
        bound = limit.text(limit.bound, with_unit=False)
        yield f"  {'' if index else 'budget':<7} {limit.option:<14} {limit.text(value)}, {word} {bound}"


def _why(budget: Budget, measured: Measured, nearest: Candidate, given: int) -> str:
    figures = measured[nearest]
    missed = [limit for limit in budget.limits if not limit.is_met_by(figures)]
    met = [limit for limit in budget.limits if limit.is_met_by(figures)]
    parts = [_missed(limit, figures) for limit in missed]
    if met:
        *some, last = (limit.asked for limit in met)
        parts.append(f"{', '.join(some)} and {last} are met" if some else f"{last} is met")
    count = f"{len(measured)} choice{'s' * (len(measured) != 1)} tried"
    if given:
        count += f", and weights of {given} layer{'s' * (given != 1)} came quantized and keep their integers"
    near = f"nearest is '{nearest.title}': {', '.join(parts)}"
    return f"budget: nothing meets it ({count}), {near}; {_remedy(budget, measured)}"


def _missed(limit: Limit, figures: Figures) -> str:
    value = limit.value(figures)
    if value is not None:
        return f"{limit.asked} is missed by {limit.missed_by(figures)} ({limit.text(value)})"
    if limit.figure == "accuracy":
        labels = (note for note in figures.notes if note.startswith("labels: "))
        return f"{limit.asked}: {next(labels, 'the data has no labels `y`')}"
    return f"{limit.asked}: it does not fit the board"


def _remedy(budget: Budget, measured: Measured) -> str:
    """What would be met: each limit alone as far as the others hold, else the nearest's figures."""
    found = []
    for limit in budget.limits:
        others = [other for other in budget.limits if other is not limit and other != limit]
        kept = [f for f in measured.values() if limit.value(f) is not None and all(o.is_met_by(f) for o in others)]
        if kept:
            found.append(limit.allowing(min(kept, key=limit.excess)))
    if found:
        return f"{' or '.join(found)} would be met"
    known = [f for f in measured.values() if all(limit.value(f) is not None for limit in budget.limits)]
    if not known:
        return "see mcuq diagnose"
    nearest = min(known, key=lambda figures: excess_of(budget.limits, figures))
    options = [limit.allowing(nearest) for limit in budget.limits if not limit.is_met_by(nearest)]
    return f"{' with '.join(options)} would be met"
