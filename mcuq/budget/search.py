"""Finds bits for each layer: the most accurate model that fits the flash, or the smallest that is accurate enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mcuq.budget.sensitivity import LADDER, measure_sensitivities
from mcuq.budget.steps import Step, steps_down
from mcuq.compile import QuantizedModel, calibration_samples
from mcuq.dataset import spread_samples
from mcuq.diagnose.remedies import exactly
from mcuq.diagnose.report import diagnose_model
from mcuq.errors import QuantizationError
from mcuq.quantize import LayerScheme, Scheme, sqnr_text
from mcuq.report.candidates import Candidate, Figures, Workbench

# Samples that sensitivities are measured on: their order settles with few.
SENSITIVITY_SAMPLES = 32


@dataclass(frozen=True)
class Budget:
    """What the model must keep to: bytes of flash (code and constants), dB of SQNR, the share of labels met; None where
    there is no limit."""

    max_flash_bytes: int | None = None
    min_sqnr_db: float | None = None
    min_accuracy: float | None = None

    def is_met_by(self, figures: Figures) -> bool:
        """Whether all limits are."""
        return self.fits(figures) and self.is_accurate(figures)

    def fits(self, figures: Figures) -> bool:
        """Whether the flash is enough."""
        if self.max_flash_bytes is None:
            return True
        return figures.flash_bytes is not None and figures.flash_bytes <= self.max_flash_bytes

    def is_accurate(self, figures: Figures) -> bool:
        """Whether it is accurate enough."""
        enough = self.min_sqnr_db is None or figures.sqnr_db >= self.min_sqnr_db
        if self.min_accuracy is None:
            return enough
        return enough and figures.accuracy is not None and figures.accuracy >= self.min_accuracy


@dataclass(frozen=True)
class Plan:
    """`chosen` meets the budget; `measured` is all that was tried, the largest weights first."""

    chosen: Candidate
    measured: Mapping[Candidate, Figures]


def search(bench: Workbench, now: Candidate, budget: Budget, tick: Callable[[], None] = lambda: None) -> Plan:
    """Choose the bits of each layer's weights, and int16 activations where int8 is not accurate enough.

    Layers give up bits in the order that their sensitivities say (`steps_down`); where in that order to stop is found
    by bisection over models that are quantized, built and measured. `now` states all else. `tick` is called after each
    model. Raises QuantizationError where no candidate meets the budget, with what came nearest.
    """
    finder = _Finder(bench, now, tick)
    steps = finder.steps()
    candidates = [_with_bits(now, steps[:count]) for count in range(len(steps) + 1)]
    if not budget.is_accurate(finder.measure(candidates[0])):
        candidates = [*finder.finer(), *candidates]
    if budget.max_flash_bytes is not None:
        # The finest that fits.
        index = _first(candidates, lambda candidate: budget.fits(finder.measure(candidate)))
    else:
        # The coarsest that is accurate enough.
        index = _first(candidates, lambda candidate: not budget.is_accurate(finder.measure(candidate))) - 1
    chosen = candidates[min(max(index, 0), len(candidates) - 1)]
    if not budget.is_met_by(finder.measure(chosen)):
        raise QuantizationError(_shortfall(budget, finder.measured))
    order = sorted(finder.measured, key=lambda c: -(finder.measured[c].flash_bytes or 0))
    return Plan(chosen, {candidate: finder.measured[candidate] for candidate in order})


class _Finder:
    """Measures candidates once each, and quantizes none twice."""

    def __init__(self, bench: Workbench, now: Candidate, tick: Callable[[], None]) -> None:
        self._bench, self._now, self._tick = bench, now, tick
        self.measured: dict[Candidate, Figures] = {}

    def measure(self, candidate: Candidate) -> Figures:
        if candidate not in self.measured:
            is_now = replace(candidate, title=self._now.title) == self._now
            self.measured[candidate] = self._bench.measure(candidate, self._quantized if is_now else None)
            self._tick()
        return self.measured[candidate]

    @cached_property
    def _quantized(self) -> QuantizedModel:
        """What the search starts from: sensitivities, advice and the first figures are its."""
        return self._bench.quantize(self._now)

    def steps(self) -> Sequence[Step]:
        quantized = self._quantized
        samples = calibration_samples(quantized.float_graph, self._bench.calibration)
        return steps_down(measure_sensitivities(quantized.float_graph, spread_samples(samples, SENSITIVITY_SAMPLES)))

    def finer(self) -> list[Candidate]:
        """int16 activations of all layers, then of half as many of the worst each time."""
        quantized = self._quantized
        samples = calibration_samples(quantized.float_graph, self._bench.calibration)
        found = diagnose_model(quantized, self._bench.board, samples)
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
    title = f"{lowered} weights" if lowered else f"all {now.scheme.default.weights} weights"
    return replace(now, title=title, scheme=_with_layers(now.scheme, own))


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


def _why_no_accuracy(measured: Iterable[Figures]) -> str:
    notes = (note for figures in measured for note in figures.notes if note.startswith("labels: "))
    return next(notes, "the data has no labels `y`")


def _shortfall(budget: Budget, measured: Mapping[Candidate, Figures]) -> str:
    best = max(measured.values(), key=lambda f: f.sqnr_db)
    least = min((f.flash_bytes for f in measured.values() if f.flash_bytes is not None), default=None)
    parts = []
    if budget.max_flash_bytes is not None:
        parts.append(
            f"--max-flash {budget.max_flash_bytes:,}: the least is {least:,}" if least is not None else "flash"
        )
    if budget.min_sqnr_db is not None:
        parts.append(f"--min-sqnr {budget.min_sqnr_db:g}: the best is {sqnr_text(best.sqnr_db)}")
    if budget.min_accuracy is not None:
        most = max((f.accuracy for f in measured.values() if f.accuracy is not None), default=None)
        parts.append(
            f"--min-accuracy {100 * budget.min_accuracy:g}: "
            + (_why_no_accuracy(measured.values()) if most is None else f"the best is {100 * most:.2f} %")
        )
    return (
        f"budget: no choice of bits meets it ({'; '.join(parts)}, {len(measured)} models tried); allow more, or see "
        "mcuq diagnose"
    )
