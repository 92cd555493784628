"""Finds what keeps to a budget: numbers for each layer, the goal that kernels are chosen for, and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from mcuq.budget.limits import Budget, excess_of
from mcuq.budget.sensitivity import LADDER, measure_sensitivities, weighted_nodes
from mcuq.budget.steps import Step, steps_down
from mcuq.budget.verdict import BudgetError
from mcuq.compile import QuantizedModel, calibration_samples
from mcuq.dataset import Sample, spread_samples
from mcuq.diagnose.remedies import exactly
from mcuq.diagnose.report import diagnose_model
from mcuq.errors import DataError
from mcuq.lower import Goal
from mcuq.ops.given_weights import has_given_weights
from mcuq.quantize import LayerScheme, Scheme
from mcuq.report.candidates import Candidate, Figures, Workbench
from mcuq.validate import AccuracyReport

# Samples that sensitivities are measured on: their order settles with few.
SENSITIVITY_SAMPLES = 32


@dataclass(frozen=True)
class Plan:
    """`chosen` meets the budget; `measured` is all that was tried, the largest first."""

    chosen: Candidate
    measured: Mapping[Candidate, Figures]


def search(
    bench: Workbench,
    now: Candidate,
    budget: Budget,
    tick: Callable[[], None] = lambda: None,
    is_goal_open: bool = True,
) -> Plan:
    """Choose the bits of each layer's weights, int16 activations where int8 is not accurate enough, and with
    `is_goal_open` the goal that kernels are chosen for.

    Layers give up bits in the order that their sensitivities say (`steps_down`); where in that order to stop is found
    by bisection over models that are quantized, built and measured. Of those that meet the budget the most accurate is
    chosen, and of its goals the fastest where RAM is limited, as kernels for speed need more of it, else the first of
    `_goals`; the smallest goal only where no bits meet the budget otherwise. Without limits of what it takes, the
    smallest is chosen. `now` states all else. `tick` is called after each model that is measured. Raises BudgetError
    where nothing meets the budget, DataError for an accuracy without labels.
    """
    if budget.min_accuracy is not None and not bench.has_labels:
        asked = budget.quality[-1].asked
        raise DataError(f"{asked}: the data has no labels `y`; give --data DATA with `y`, a class for each sample")
    finder = _Finder(bench, now, budget, tick)
    tiers = _goals(budget) if is_goal_open else [(now.optimize or bench.options.optimize,)]
    for goals in tiers:
        found = finder.best(goals)
        if found is not None:
            break
    if found is None and finder.may_gain_by_ram():
        finder.measure_with_any_ram(tiers[0])
    order = sorted(finder.measured, key=lambda c: -(finder.measured[c].flash_bytes or 0))
    measured = {candidate: finder.measured[candidate] for candidate in order}
    found = found or next((candidate for candidate in measured if budget.is_met_by(measured[candidate])), None)
    if found is None:
        raise BudgetError(budget, measured, len(finder.given))
    return Plan(found, measured)


def _goals(budget: Budget) -> list[tuple[Goal, ...]]:
    """Goals that may help, in tiers; `size` takes many times as long."""
    first: tuple[Goal, ...] = ("balanced",)
    if budget.max_ram_bytes is not None:
        first = ("speed", "balanced")
    elif budget.max_ms is not None:
        first = ("balanced", "speed")
    return [first, ("size",)] if budget.max_ram_bytes or budget.max_flash_bytes else [first]


class _Finder:
    """Measures candidates once each, and quantizes none twice."""

    def __init__(self, bench: Workbench, now: Candidate, budget: Budget, tick: Callable[[], None]) -> None:
        self._bench, self._now, self._budget, self._tick = bench, now, budget, tick
        self._judged: dict[Candidate, tuple[QuantizedModel, AccuracyReport | None]] = {}
        self.measured: dict[Candidate, Figures] = {}

    def best(self, goals: Sequence[Goal]) -> Candidate | None:
        """The most accurate that meets the budget, with one of the goals; None where none does."""
        budget = self._budget
        first = replace(self._now, title=self._title())
        line = [first]
        if not budget.is_accurate(self._figures(first, goals)):
            line = [*self._finer, first]
        if not budget.costs:
            # The coarsest that is accurate enough.
            line += self._coarser
            count = _first(line, lambda c: not budget.is_accurate(self._figures(c, goals)))
            return self._meeting(line[max(count - 1, 0)], goals)
        found = self._finest(line, goals)
        if found is None and not all(budget.fits_flash(figures) for figures in self._of(first, goals).values()):
            found = self._finest([*line, *self._coarser], goals)
        return found

    def _finest(self, line: Sequence[Candidate], goals: Sequence[Goal]) -> Candidate | None:
        """Of candidates, those of more bits first, the first that meets the budget; what one goal needs fewer bits
        for, another may take too much time or RAM for, so that each is looked for on its own."""
        coarser = self._coarser if "_coarser" in vars(self) else []

        def fits(candidate: Candidate, goal: Goal) -> bool:
            """Fewer bits of weights save flash alone."""
            enough = self._budget.fits_flash if candidate in coarser else self._budget.fits
            return enough(self._measure(candidate, goal)[1])

        places = {_first(line, partial(fits, goal=goal)) for goal in goals}
        wanted = [line[place] for place in sorted(places) if place < len(line)] or [line[-1]]
        tried = [c for c in line if c not in wanted and any(self._named(c, goal) in self.measured for goal in goals)]
        found = (self._meeting(candidate, goals) for candidate in (*wanted, *tried))
        return next((candidate for candidate in found if candidate is not None), None)

    def may_gain_by_ram(self) -> bool:
        """Whether RAM is limited, and what is nearest to the budget takes too much of it or, by what is done to save
        it, of time."""
        if self._budget.max_ram_bytes is None:
            return False
        nearest = min(self.measured.values(), key=lambda figures: excess_of(self._budget.limits, figures))
        missed = {limit.figure for limit in self._budget.costs if not limit.is_met_by(nearest)}
        return not missed.isdisjoint(("arena_bytes", "ms"))

    def measure_with_any_ram(self, goals: Sequence[Goal]) -> None:
        """What is nearest to the budget, with the goals, as if RAM were not limited: less work of rows may do."""
        limits = self._budget.limits
        nearest = min(self.measured, key=lambda c: excess_of(limits, self.measured[c]))
        title, _, _ = nearest.title.partition(f", {nearest.optimize}")
        candidate = replace(nearest, title=f"{title}, any RAM", optimize=None, takes_any_ram=True)
        for goal in goals:
            self._measure(candidate, goal)

    def _meeting(self, candidate: Candidate, goals: Sequence[Goal]) -> Candidate | None:
        """The candidate with the goal that is to be preferred of those that meet the budget."""
        found = [c for c, figures in self._of(candidate, goals).items() if self._budget.is_met_by(figures)]
        if self._budget.max_ram_bytes is None:
            return next(iter(found), None)

        def slowness(candidate: Candidate) -> tuple[int, int]:
            figures = self.measured[candidate]
            return (figures.instructions, figures.flash_bytes or 0) if figures.instructions else (0, 0)

        return min(found, key=slowness, default=None)

    def _figures(self, candidate: Candidate, goals: Sequence[Goal]) -> Figures:
        """With the first of the goals."""
        return self._measure(candidate, goals[0])[1]

    def _of(self, candidate: Candidate, goals: Sequence[Goal]) -> dict[Candidate, Figures]:
        return dict(self._measure(candidate, goal) for goal in goals)

    def _named(self, candidate: Candidate, goal: Goal) -> Candidate:
        """The candidate with the goal."""
        if goal == self._bench.options.optimize:
            return candidate
        return replace(candidate, title=f"{candidate.title}, {goal}", optimize=goal)

    def _measure(self, candidate: Candidate, goal: Goal) -> tuple[Candidate, Figures]:
        own = self._named(candidate, goal)
        if own not in self.measured:
            self.measured[own] = self._bench.figures(own, *self._judge(candidate))
            self._tick()
        return own, self.measured[own]

    def _judge(self, candidate: Candidate) -> tuple[QuantizedModel, AccuracyReport | None]:
        key = replace(candidate, title="", takes_any_ram=False)
        if key not in self._judged:
            is_now = key == replace(self._now, title="")
            quantized = self._quantized if is_now else self._bench.quantize(candidate)
            self._judged[key] = quantized, self._bench.judge(quantized)
        return self._judged[key]

    @cached_property
    def _quantized(self) -> QuantizedModel:
        """What the search starts from: sensitivities, advice and the first figures are its."""
        return self._bench.quantize(self._now)

    @cached_property
    def _coarser(self) -> list[Candidate]:
        """With fewer bits of weights, step by step."""
        steps = self._steps()
        return [_with_bits(self._now, steps[:count]) for count in range(1, len(steps) + 1)]

    @cached_property
    def given(self) -> frozenset[str]:
        """Layers whose weights came quantized: they keep their integers, unless the scheme makes them floats."""
        return frozenset(
            layer.name
            for layer in self._quantized.float_graph.layers()
            if has_given_weights(layer) and not self._now.scheme.of(layer.name).weights.startswith("float")
        )

    def _title(self) -> str:
        """What the search starts from is called."""
        weights = self._now.scheme.default.weights
        if not self.given:
            return f"all {weights} weights"
        nodes = weighted_nodes(self._quantized.float_graph)
        return "given weights" if self.given.issuperset(node.name for node in nodes) else f"given and {weights} weights"

    def _samples(self, quantized: QuantizedModel) -> Iterable[Sample]:
        data = self._bench.data if self._bench.calibration is None else self._bench.calibration
        if data is None:
            raise DataError("a budget needs inputs to measure on; give --calibration DATA")
        return calibration_samples(quantized.float_graph, data)

    def _steps(self) -> Sequence[Step]:
        graph = self._quantized.float_graph
        layers = [node for node in weighted_nodes(graph) if node.name not in self.given]
        if not layers:
            return ()
        samples = spread_samples(self._samples(self._quantized), SENSITIVITY_SAMPLES)
        return steps_down(measure_sensitivities(graph, samples, layers=layers))

    @cached_property
    def _finer(self) -> list[Candidate]:
        """int16 activations of all layers, then of half as many of the worst each time."""
        quantized = self._quantized
        found = diagnose_model(quantized, self._bench.board, self._samples(quantized))
        targets = list(dict.fromkeys(n for layer in found.layers for n in layer.advice.producers or (layer.name,)))
        counts = [len(targets)]
        while counts[-1] > 1:
            counts.append(counts[-1] // 2)
        finer = LayerScheme(self._now.scheme.default.weights, "int16")
        return [
            replace(
                self._now,
                title=f"int16 activations of {count} layer{'s' * (count != 1)}",
                scheme=_with_layers(self._now.scheme, dict.fromkeys(targets[:count], finer)),
            )
            for count in counts
        ]


def _with_bits(now: Candidate, steps: Sequence[Step]) -> Candidate:
    """`now` after these steps, called after how many layers have which weights."""
    levels = {step.layer: step.level for step in steps}
    own = {name: replace(now.scheme.of(name), weights=LADDER[level]) for name, level in levels.items()}
    counts = Counter(LADDER[level] for level in levels.values())
    lowered = ", ".join(f"{counts[name]} of {name}" for name in LADDER if counts[name])
    return replace(now, title=f"{lowered} weights", scheme=_with_layers(now.scheme, own))


def _with_layers(scheme: Scheme, own: Mapping[str, LayerScheme]) -> Scheme:
    return replace(scheme, layers={**{exactly(name): layer for name, layer in own.items()}, **scheme.layers})


def _first(candidates: Sequence[Candidate], is_true: Callable[[Candidate], bool]) -> int:
    """The least index at which a predicate holds that stays true once it is; their number where it never is."""
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if is_true(candidates[middle]):
            high = middle
        else:
            low = middle + 1
    return low
