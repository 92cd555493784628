"""The verbs of the command line as Python functions: NumPy arrays in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.build.footprint import Choice, measure_choices
from mcuq.compile import Calibration, CompiledModel, Data, calibration_samples, calls_for, on_board, quantize_model
from mcuq.dataset import Source
from mcuq.described import Described
from mcuq.device.find import board_baud, find_port
from mcuq.diagnose.report import Diagnosis, diagnose_model
from mcuq.errors import DataError
from mcuq.graph.simulate import dequantize_outputs
from mcuq.graph.tensor import Array
from mcuq.importer import Model
from mcuq.options import Asked
from mcuq.quantize import sqnr_text
from mcuq.report.candidates import count_instructions
from mcuq.validate import AccuracyReport, BitsReport, check_bits, integer_batches, measure_accuracy
from mcuq.validate.after import Results
from mcuq.validate.device import DeviceReport
from mcuq.validate.fleet import validate_port
from mcuq.validate.inputs import int8_inputs


@dataclass(frozen=True, repr=False)
class Simulation(Described):
    """What the simulator gave: `integers` are the int8 outputs by name, `outputs` their real values (float32),
    each (samples, *shape); `report` compares them with the float model. `after` has what is done with those of each
    sample (mcuq/after), where the model was compiled so."""

    integers: Mapping[str, Array]
    outputs: Mapping[str, Array]
    report: AccuracyReport
    after: Sequence[Any] = ()

    def described(self) -> tuple[str, dict[str, str]]:
        """For `repr` and notebooks."""
        report = self.report
        facts = {"samples": f"{report.samples:,}"}
        if report.accuracy is not None and report.float_accuracy is not None:
            facts["accuracy"] = f"{100 * report.accuracy:.2f} % (float {100 * report.float_accuracy:.2f} %)"
        if report.agreement is not None:
            facts["agreement"] = f"{100 * report.agreement:.2f} %"
        return "Simulation", {**facts, "SQNR": ", ".join(sqnr_text(quality.sqnr_db) for quality in report.outputs)}


@dataclass(frozen=True, repr=False)
class Run(Described):
    """What the C gave, as in Simulation; `report` says whether every byte was the simulator's."""

    integers: Mapping[str, Array]
    outputs: Mapping[str, Array]
    report: BitsReport
    after: Sequence[Any] = ()

    def described(self) -> tuple[str, dict[str, str]]:
        """For `repr` and notebooks."""
        report = self.report
        facts = {"on": report.on, "samples": f"{report.samples:,}", "bit-exact": "yes" if report.bit_exact else "NO"}
        if report.instructions is not None:
            facts["instructions"] = f"{report.instructions:,}"
        return "Run", facts


def boards() -> dict[str, Board]:
    """All boards that come with mcuq, by name."""
    return {name: load_board(name) for name in board_names()}


def simulate(model: CompiledModel, data: Data | Source, labels: Array | None = None) -> Simulation:
    """Run the bit-exact simulator over inputs, next to the float model.

    `data` is a file or folder as for compile, float32 arrays with a leading sample dimension, one for a model of one
    input, else a dictionary by input name, or what makes samples as for compile, read once, whose items may have labels
    behind their inputs. `labels` (samples,) go with arrays, as in (arrays, labels). For a model with states it is of
    sequences, as for compile, and the result has all calls in order.
    Raises DataError for data that does not fit.
    """
    dataset = calls_for(model.graph, model.heard(data), labels)
    calls = model.calls()
    parts, results = [], Results(model)
    for batch in integer_batches(model.graph, dataset):
        parts.append(calls.run(batch))
        results.add(batch, parts[-1])
    integers = {name: np.concatenate([part[name] for part in parts]) for name in model.graph.given_outputs}
    real = dequantize_outputs(model.graph, integers)
    return Simulation(integers, real, measure_accuracy(model, dataset), results.found)


def run(model: CompiledModel, data: Data | Source, on: str | None = None) -> Run:
    """Build the model's C, run it on inputs, and compare every output byte with the simulator.

    `on` is "host" or "emulator" (default: the emulator where the board has one). `data` as for simulate. Raises
    BuildError where a compiler or emulator is missing.
    """
    dataset = calls_for(model.graph, model.heard(data))
    seen: list[Mapping[str, Array]] = []
    results = Results(model)

    def observe(sample: int, outputs: Mapping[str, Array]) -> None:
        seen.append(outputs)
        results.see(sample, outputs)

    report = check_bits(model, results.watch(integer_batches(model.graph, dataset)), on, observe)
    integers = {name: np.stack([outputs[name] for outputs in seen]) for name in model.graph.given_outputs}
    return Run(integers, dequantize_outputs(model.graph, integers), report, results.found)


def validate(
    model: CompiledModel,
    port: str,
    data: Data | None = None,
    *,
    samples: int | None = None,
    board: str | Board | None = None,
    baud: int | None = None,
) -> DeviceReport:
    """Run inputs on the device at a serial port, which has the model, and compare every output byte with the simulator.

    `port` is a serial port, a URL of pyserial, or "auto". `data` as for simulate, made up and reaching both extremes by
    default, the first `samples` of it. `board` is the one that was flashed, if another than the model's; `baud` its
    bits a second, if other than its file says. Raises DeviceError where no device answers, or one with another model.
    """
    model = on_board(model, board)
    port = find_port(model.board) if port == "auto" else port
    _, batches = int8_inputs(model, data, samples)
    mend = f"mcuq flash DIR --port {port}" + (f" --board {model.board.name}" if board else "")
    return validate_port(model, batches, port, baud or board_baud(model.board), mend)


def compare(model: CompiledModel, count: bool = True) -> tuple[Choice, ...]:
    """What the model takes with each choice of `optimize`: flash, arena and, with `count`, instructions.

    Instructions are those of one made-up inference on the emulated board, as `profile` counts them; every choice is
    None in what its board cannot tell. Raises BuildError where an emulator is missing.
    """
    return measure_choices(model, count_instructions if count and model.board.cpu.is_emulated else None)


def diagnose(
    path: Model,
    board: str | Board = "cortex-m4",
    calibration: Calibration | None = None,
    data: Calibration | None = None,
    **asked: Unpack[Asked],
) -> Diagnosis:
    """Quantize a model as `compile` does, and measure the error that each of its layers adds.

    Measured on `data` (default: the calibration data). Raises DataError where there is none, and as compile does.
    """
    measured = data if data is not None else calibration
    if measured is None:
        raise DataError("diagnose: needs inputs to measure errors on; give calibration or data")
    board = load_board(board) if isinstance(board, str) else board
    quantized = quantize_model(path, calibration, **asked)
    return diagnose_model(quantized, board, calibration_samples(quantized.float_graph, measured))
