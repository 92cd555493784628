"""The main job: ONNX model + calibration data + board -> integer graph, plan and C files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import onnx

from mcuq.boards import Board, load_board
from mcuq.dataset import Dataset, Sample, Source, Spread, from_arrays, from_generator, is_source, open_dataset
from mcuq.emit import emit
from mcuq.errors import ModelError
from mcuq.fit import check_fit
from mcuq.identifiers import KEYWORDS, identifier
from mcuq.importer import import_model
from mcuq.ir import Graph
from mcuq.lower import Goal, lower, parse_goal
from mcuq.passes import optimize as simplify
from mcuq.plan import plan_memory
from mcuq.quantize import (
    DEFAULT_METHOD,
    MOST_SAMPLES,
    UNPRUNED,
    CalibrationMethod,
    Pruned,
    Range,
    calibrate,
    correct_biases,
    input_specs,
    prune_graph,
    quantize_graph,
    scaled_tensors,
    synthetic_dataset,
    trained_outputs,
    trained_twin,
    widened,
)
from mcuq.tensor import Array

Data = str | Path | Array | Mapping[str, Array]
Calibration = Data | Source
# What is called with a task and its number of steps, or None where that is not known, and gives what each step calls.
Progress = Callable[[str, int | None], Callable[[], None]]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A quantized model with its C.

    `graph` is the int8 graph, `onnx_model` the float model with fixed shapes (serialized), `files` the C file and
    header by name. `calibration_samples` is 0 where ranges were guessed from made-up inputs, so that accuracy
    is unknown; `batch_normalizations` is then the number of those whose statistics helped. `pruned` says what was
    taken out of the graph as no output depends on it. `optimize` is what kernels were chosen and compilers told for.
    """

    name: str
    board: Board
    graph: Graph
    onnx_model: bytes
    files: Mapping[str, str]
    arena_bytes: int
    constant_bytes: int
    calibration_samples: int
    pruned: Pruned = UNPRUNED
    optimize: Goal = "balanced"
    batch_normalizations: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.graph.macs()


def compile_model(
    path: str | Path,
    board: str | Board = "cortex-m4",
    calibration: Calibration | None = None,
    name: str | None = None,
    method: CalibrationMethod = DEFAULT_METHOD,
    shapes: Mapping[str, int] | None = None,
    progress: Progress = lambda task, total: lambda: None,
    prune: bool = True,
    optimize: Goal = "balanced",
) -> CompiledModel:
    """Quantize an ONNX model to int8 and emit C for a board.

    `calibration` is what `open_dataset` reads, or NumPy arrays in the model's layout with a leading sample
    dimension, or what `from_generator` takes, read once; without it ranges are guessed from the statistics of
    BatchNormalizations and made-up inputs. `name` begins every C symbol (default: the
    file's). `method` finds ranges, `shapes` gives sizes to symbolic dimensions. `progress(task, total)` returns
    what is called after each of `total` samples. `prune` takes out channels that no output depends on; outputs
    are the same bytes either way, and whatever `optimize` is: "size" takes the least flash, "speed" the fewest
    instructions. Raises McuqError for whatever the user can mend.
    """
    board = load_board(board) if isinstance(board, str) else board
    optimize = parse_goal(optimize)
    model_id = model_identifier(name, Path(path))
    imported, onnx_model = import_model(path, shapes)
    graph = simplify(imported)
    if calibration is None:
        samples_seen = 0
        ranges, batch_normalizations = _guessed_ranges(imported, graph, onnx_model, method)
        # What quantization errs by on made-up inputs says nothing of real ones: biases stay.
        integer = quantize_graph(graph, ranges)
    else:
        batch_normalizations = 0
        data = _calibration_samples(graph, calibration)
        samples = Spread(data, MOST_SAMPLES)
        tick = progress("calibrating", len(data) if isinstance(data, Sized) else None)
        integer = quantize_graph(graph, calibrate(graph, samples, method, tick))
        integer = correct_biases(graph, integer, samples.kept)
        samples_seen = samples.seen
    integer, pruned = prune_graph(integer) if prune else (integer, UNPRUNED)
    onnx_bytes = onnx_model.SerializeToString(deterministic=True)
    return assemble(integer, board, model_id, onnx_bytes, samples_seen, pruned, optimize, batch_normalizations)


def assemble(
    graph: Graph,
    board: Board,
    name: str,
    onnx_model: bytes,
    calibration_samples: int,
    pruned: Pruned = UNPRUNED,
    optimize: Goal = "balanced",
    batch_normalizations: int = 0,
) -> CompiledModel:
    """The compiled model of an int8 graph: kernels, memory plan and C. Raises BoardError where it does not fit."""
    program = lower(graph, board.cpu.features, optimize)
    plan = plan_memory(program)
    check_fit(name, program, plan, board)
    return CompiledModel(
        name,
        board,
        graph,
        onnx_model,
        emit(program, plan, name),
        plan.arena_bytes,
        program.constant_bytes,
        calibration_samples,
        pruned,
        optimize,
        batch_normalizations,
    )


def with_goal(model: CompiledModel, optimize: Goal) -> CompiledModel:
    """The same int8 graph for the same board, optimized for another goal. Raises BoardError where it does not fit."""
    if optimize == model.optimize:
        return model
    return assemble(
        model.graph,
        model.board,
        model.name,
        model.onnx_model,
        model.calibration_samples,
        model.pruned,
        optimize,
        model.batch_normalizations,
    )


def dataset_for(graph: Graph, data: Data, labels: Array | None = None) -> Dataset:
    """Samples for the graph's inputs from a file or folder, or from arrays with `labels`."""
    specs = input_specs(graph)
    return open_dataset(data, specs) if isinstance(data, str | Path) else from_arrays(data, specs, labels)


def _calibration_samples(graph: Graph, data: Calibration) -> Iterable[Sample]:
    return from_generator(data, input_specs(graph)) if is_source(data) else dataset_for(graph, cast(Data, data))


def _guessed_ranges(
    imported: Graph, graph: Graph, onnx_model: onnx.ModelProto, method: CalibrationMethod
) -> tuple[dict[str, Range], int]:
    """Ranges without data, and the number of BatchNormalizations that helped; `graph` is `imported` simplified."""
    trained = trained_outputs(onnx_model, imported)
    if trained:
        twin, samples = trained_twin(imported, trained)
        twin = simplify(twin)
        # Passes look at values too: what is 1 or 0 in the one may not be in the other.
        if scaled_tensors(twin) == scaled_tensors(graph):
            return widened(twin, calibrate(twin, samples, CalibrationMethod("minmax"))), len(trained)
    return calibrate(graph, synthetic_dataset(graph), method), 0


def model_identifier(name: str | None, path: Path) -> str:
    """The C identifier of the model: `name` as it is, or the file's name made into one."""
    if name is None:
        return identifier(path.stem, "model").lower()
    if identifier(name) != name or name.lower() in KEYWORDS:
        raise ModelError(
            f"--name '{name}': is no C identifier of 40 characters at most; use letters, digits and single "
            f"underscores, as in '{identifier(name, 'model').lower()}'"
        )
    return name
