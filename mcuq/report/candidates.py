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
    compile_quantized,
    dataset_for,
    model_identifier,
    quantize_as,
)
from mcuq.errors import BoardError
from mcuq.options import Options
from mcuq.quantize import DEFAULT_METHOD, DEFAULT_RECOVERY, INT8_SCHEME, CalibrationMethod, Recovery, Scheme
from mcuq.validate import check_bits, compare_with_float, probe_inputs


@dataclass(frozen=True)
class Candidate:
    """One way to quantize; `title` is what it is called in tables."""

    title: str
    scheme: Scheme = INT8_SCHEME
    method: CalibrationMethod = DEFAULT_METHOD
    recovery: Recovery = DEFAULT_RECOVERY

    def options(self, others: Options) -> Options:
        """This way in all that it states, and the others'."""
        return replace(others, scheme=self.scheme, method=self.method, recovery=self.recovery)


@dataclass(frozen=True)
class Figures:
    """What a candidate gives, over the data measured on, and takes on the board.

    `flash_bytes` is constants and code (constants alone where no compiler for the board is installed); it and
    `arena_bytes` are None where the model does not fit the board. `accuracy` is None without labels, `instructions`
    where they were not counted. `samples` is how many it was measured on, `notes` are warnings for the user.
    """

    sqnr_db: float
    agreement: float | None
    accuracy: float | None
    flash_bytes: int | None
    arena_bytes: int | None
    instructions: int | None
    samples: int = 0
    notes: tuple[str, ...] = ()

    def is_as_good_as(self, other: Figures) -> bool:
        """Whether it gives no less and takes no more than the other."""
        pairs = (
            (self.flash_bytes, other.flash_bytes),
            (self.arena_bytes, other.arena_bytes),
            (self.instructions, other.instructions),
        )
        cheaper = all(other is None or (own is not None and own <= other) for own, other in pairs)
        return self.sqnr_db >= other.sqnr_db and cheaper


@dataclass(frozen=True)
class Workbench:
    """A model, the board that it is for, and the data that it is calibrated and measured on.

    `data` is what `compare_with_float` runs over. `options` are those of all candidates, but for what these change.
    `counts` says whether instructions are counted on the emulated board.
    """

    path: str | Path
    board: Board
    calibration: Data | Part
    data: Data | Part
    options: Options
    counts: bool = True

    def quantize(self, candidate: Candidate) -> QuantizedModel:
        """Raises McuqError as quantize_as does."""
        return quantize_as(self.path, self.calibration, candidate.options(self.options))

    def measure(self, candidate: Candidate, quantized: QuantizedModel | None = None) -> Figures:
        """Quantize, unless that is done, compare with the float model, build and run. Raises McuqError as these do."""
        quantized = quantized or self.quantize(candidate)
        report = compare_with_float(quantized.graph, quantized.onnx_model, dataset_for(quantized.graph, self.data))
        flash_bytes = arena_bytes = instructions = None
        try:
            name = model_identifier(None, Path(self.path))
            options = self.options
            made = (options.prune, options.optimize)
            model = compile_quantized(quantized, self.board, name, *made, weights=options.weights)
            flash_bytes, arena_bytes = measure_footprint(model).flash_bytes, model.arena_bytes
            if self.counts and self.board.cpu.is_emulated:
                instructions = count_instructions(model)
        except BoardError:
            pass  # it does not fit: the accuracy is worth knowing all the same
        return Figures(
            report.sqnr_db,
            report.agreement,
            report.accuracy,
            flash_bytes,
            arena_bytes,
            instructions,
            report.samples,
            report.notes,
        )


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
