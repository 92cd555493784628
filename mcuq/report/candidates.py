"""Quantizes one model in different ways, and measures what each gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mcuq.boards.facts import Board
from mcuq.build.footprint import measure_footprint
from mcuq.compile import (
    CompiledModel,
    Data,
    Part,
    QuantizedModel,
    calls_for,
    compile_for,
    float_graph_of,
    model_identifier,
    quantize_as,
    with_features,
)
from mcuq.dataset import Dataset
from mcuq.dataset.sequences import Sequences
from mcuq.errors import BoardError
from mcuq.graph.ir import Graph
from mcuq.lower import Goal
from mcuq.options import Options
from mcuq.plan.fit import ArenaTooLarge
from mcuq.quantize import DEFAULT_METHOD, DEFAULT_RECOVERY, INT8_SCHEME, CalibrationMethod, Recovery, Scheme
from mcuq.report.profile import profile_model
from mcuq.validate import AccuracyReport, check_bits, compare_with_float, probe_inputs


@dataclass(frozen=True)
class Candidate:
    """One way to quantize; `title` is what it is called in tables. `optimize` is what the C is made for, where it is
    another goal than that of the others, and `takes_any_ram` says that its arena is not limited as theirs is."""

    title: str
    scheme: Scheme = INT8_SCHEME
    method: CalibrationMethod = DEFAULT_METHOD
    recovery: Recovery = DEFAULT_RECOVERY
    optimize: Goal | None = None
    takes_any_ram: bool = False

    def options(self, others: Options) -> Options:
        """This way in all that it states, and the others'."""
        return replace(
            others,
            scheme=self.scheme,
            method=self.method,
            recovery=self.recovery,
            optimize=self.optimize or others.optimize,
            max_ram_bytes=None if self.takes_any_ram else others.max_ram_bytes,
        )


@dataclass(frozen=True)
class Figures:
    """What a candidate gives, over the data measured on, and takes on the board.

    `flash_bytes` is constants and code (constants alone where no compiler for the board is installed); it and
    `arena_bytes` are None where the model does not fit the board. `accuracy` is None without labels, `instructions` and
    `ms` where they were not counted; all that is measured on data is None without any. `samples` is how many it was
    measured on, `notes` are warnings for the user.
    """

    sqnr_db: float | None
    agreement: float | None
    accuracy: float | None
    flash_bytes: int | None
    arena_bytes: int | None
    instructions: int | None
    samples: int = 0
    notes: tuple[str, ...] = ()
    ms: float | None = None

    def is_as_good_as(self, other: Figures) -> bool:
        """Whether it gives no less and takes no more than the other."""
        pairs = (
            (self.flash_bytes, other.flash_bytes),
            (self.arena_bytes, other.arena_bytes),
            (self.instructions, other.instructions),
        )
        cheaper = all(other is None or (own is not None and own <= other) for own, other in pairs)
        return (self.sqnr_db or 0.0) >= (other.sqnr_db or 0.0) and cheaper


@dataclass(frozen=True)
class Workbench:
    """A model, the board that it is for, and the data that it is calibrated and measured on.

    `data` is what `compare_with_float` runs over, None for nothing. `options` are those of all candidates, but for what
    these change. `counts` says whether instructions are counted on the emulated board, `times` whether ms are too.
    """

    path: str | Path
    board: Board
    calibration: Data | Part | None
    data: Data | Part | None
    options: Options
    counts: bool = True
    times: bool = False

    @property
    def has_labels(self) -> bool:
        """Whether there are labels to count accuracy by."""
        if self.data is None:
            return False
        return self._calls(float_graph_of(self.path, self.options)).labels is not None

    def quantize(self, candidate: Candidate) -> QuantizedModel:
        """Raises McuqError as quantize_as does."""
        return quantize_as(self.path, self.calibration, candidate.options(self.options))

    def judge(self, quantized: QuantizedModel) -> AccuracyReport | None:
        """What quantization costs, over the data; None without."""
        if self.data is None:
            return None
        return compare_with_float(quantized.graph, quantized.onnx_model, self._calls(quantized.graph))

    def _calls(self, graph: Graph) -> Dataset | Sequences:
        """The data as inputs of the graph."""
        assert self.data is not None
        return calls_for(graph, with_features(self.data, graph, self.options.front_end, graph.name))

    def measure(self, candidate: Candidate) -> Figures:
        """Quantize, compare with the float model, build and run. Raises McuqError as these do."""
        quantized = self.quantize(candidate)
        return self.figures(candidate, quantized, self.judge(quantized))

    def figures(self, candidate: Candidate, quantized: QuantizedModel, report: AccuracyReport | None) -> Figures:
        """The same of a model that is quantized and compared. An arena that is larger than asked for is as small as
        was found."""
        flash_bytes = arena_bytes = instructions = ms = None
        try:
            model = self._compiled(quantized, candidate.options(self.options))
            flash_bytes, arena_bytes = measure_footprint(model).flash_bytes, model.arena_bytes
            if self.times:
                profile = profile_model(model)
                instructions, ms = profile.instructions, profile.ms
            elif self.counts and self.board.cpu.is_emulated:
                instructions = count_instructions(model)
        except BoardError:
            pass  # it does not fit: the accuracy is worth knowing all the same
        costs = (flash_bytes, arena_bytes, instructions)
        if report is None:
            return Figures(None, None, None, *costs, ms=ms)
        return Figures(report.sqnr_db, report.agreement, report.accuracy, *costs, report.samples, report.notes, ms)

    def _compiled(self, quantized: QuantizedModel, options: Options) -> CompiledModel:
        name = model_identifier(None, Path(self.path))
        try:
            return compile_for(quantized, self.board, name, options)
        except ArenaTooLarge as error:
            return compile_for(quantized, self.board, name, replace(options, max_ram_bytes=error.arena_bytes))


def count_instructions(model: CompiledModel) -> int | None:
    """Of one made-up inference on the emulated board, as `profile` counts them."""
    probe = {name: x[2:3] for name, x in probe_inputs(model.graph).items()}
    return check_bits(model, iter([probe])).instructions


def best_of(measured: Mapping[Candidate, Figures]) -> set[Candidate]:
    """The Pareto front: candidates that no other one is as good as, in accuracy, flash, RAM and instructions."""
    return {
        candidate
        for candidate, figures in measured.items()
        if not any(
            other.is_as_good_as(figures) and not figures.is_as_good_as(other)
            for name, other in measured.items()
            if name is not candidate
        )
    }
