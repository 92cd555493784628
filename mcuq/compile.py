"""The main job: ONNX model + calibration data + board -> integer graph, plan and C files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcuq.boards import Board, load_board
from mcuq.dataset import Dataset, from_arrays, open_dataset
from mcuq.emit import emit
from mcuq.errors import ModelError
from mcuq.fit import check_fit
from mcuq.identifiers import KEYWORDS, identifier
from mcuq.importer import dynamic_layers, import_model
from mcuq.ir import Graph
from mcuq.lower import Goal, lower, parse_goal
from mcuq.passes import optimize as simplify
from mcuq.plan import plan_memory
from mcuq.quantize import (
    DEFAULT_METHOD,
    UNPRUNED,
    CalibrationMethod,
    GivenQuantization,
    Pruned,
    Scheme,
    calibrate,
    correct_biases,
    given_quantization,
    input_specs,
    insert_conversions,
    parse_scheme,
    prune_graph,
    quantize_graph,
    synthetic_dataset,
)
from mcuq.tensor import Array

Ranges = Literal["given", "calibrated", "guessed"]
Data = str | Path | Array | Mapping[str, Array]
# Called with a task and how many steps it has; what it returns is called after each.
Progress = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A quantized model with its C.

    `graph` is the int8 graph, `onnx_model` the float model with fixed shapes (serialized), `files` the C file and
    header by name. `ranges` says where scales are from: "given" with a quantized model, "calibrated" on data (what was
    not given of them), or "guessed" from made-up inputs, so that accuracy is unknown; `calibration_samples` is 0 but
    for "calibrated". `notes` are what else the user should know of the quantization. `pruned` says what was taken out
    of the graph as no output depends on it. `optimize` is what kernels were chosen and compilers told for.
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
    ranges: Ranges = "calibrated"
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.graph.macs()


@dataclass(frozen=True, eq=False)
class QuantizedModel:
    """A float graph and what quantization made of it, node by node under the same names, before channels are pruned.

    `onnx_model`, `ranges`, `calibration_samples` and `notes` as in CompiledModel.
    """

    float_graph: Graph
    graph: Graph
    onnx_model: bytes
    ranges: Ranges
    calibration_samples: int
    notes: tuple[str, ...]


def compile_model(
    path: str | Path,
    board: str | Board = "cortex-m4",
    calibration: Data | None = None,
    name: str | None = None,
    method: CalibrationMethod = DEFAULT_METHOD,
    shapes: Mapping[str, int] | None = None,
    progress: Progress = lambda task, total: lambda: None,
    prune: bool = True,
    optimize: Goal = "balanced",
    scheme: Scheme | str = "int8",
) -> CompiledModel:
    """Quantize an ONNX model, as `quantize_model` does, and emit C for a board.

    `name` begins every C symbol (default: the file's). `prune` takes out channels that no output depends on; outputs
    are the same bytes either way, and whatever `optimize` is: "size" takes the least flash, "speed" the fewest
    instructions. Raises McuqError for whatever the user can mend.
    """
    board = load_board(board) if isinstance(board, str) else board
    optimize = parse_goal(optimize)
    model_id = model_identifier(name, Path(path))
    quantized = quantize_model(path, calibration, method, shapes, progress, scheme)
    return compile_quantized(quantized, board, model_id, prune, optimize)


def quantize_model(
    path: str | Path,
    calibration: Data | None = None,
    method: CalibrationMethod = DEFAULT_METHOD,
    shapes: Mapping[str, int] | None = None,
    progress: Progress = lambda task, total: lambda: None,
    scheme: Scheme | str = "int8",
) -> QuantizedModel:
    """Read an ONNX model and quantize it.

    `calibration` is what `open_dataset` reads, or NumPy arrays in the model's layout with a leading sample
    dimension; without it ranges are guessed from made-up inputs. A model that came quantized keeps its scales and
    integers, and needs data only for what it has no scales of. `method` finds ranges, `shapes` gives sizes to symbolic
    dimensions. `progress(task, total)` returns what is called after each of `total` samples. `scheme` says in which
    numbers the layers compute: what `parse_scheme` takes, or a Scheme. Raises McuqError for whatever the user can mend.
    """
    graph, onnx_model = import_model(path, shapes)
    scheme = parse_scheme(scheme) if isinstance(scheme, str) else scheme
    graph = insert_conversions(simplify(graph), scheme)
    given = given_quantization(graph)
    dataset = dataset_for(graph, calibration) if calibration is not None else None
    if given.needs_data:
        samples = synthetic_dataset(graph) if dataset is None else dataset
        tick = progress("calibrating", len(samples))
        integer = quantize_graph(graph, calibrate(graph, samples, method, tick), scheme)
        integer = correct_biases(graph, integer, samples)
    else:
        integer = quantize_graph(graph, {}, scheme)
    ranges: Ranges = "given" if not given.needs_data else "guessed" if dataset is None else "calibrated"
    return QuantizedModel(
        float_graph=graph,
        graph=integer,
        onnx_model=onnx_model.SerializeToString(deterministic=True),
        ranges=ranges,
        calibration_samples=len(dataset) if dataset is not None and ranges == "calibrated" else 0,
        notes=quantization_notes(given, dynamic_layers(onnx_model)),
    )


def compile_quantized(
    quantized: QuantizedModel, board: Board, name: str, prune: bool = True, optimize: Goal = "balanced"
) -> CompiledModel:
    """The quantized model's C for a board. Raises BoardError where it does not fit."""
    graph, pruned = prune_graph(quantized.graph) if prune else (quantized.graph, UNPRUNED)
    samples, ranges = quantized.calibration_samples, quantized.ranges
    return assemble(graph, board, name, quantized.onnx_model, samples, pruned, optimize, ranges, quantized.notes)


def quantization_notes(given: GivenQuantization, dynamic: Sequence[str]) -> tuple[str, ...]:
    """What a user who gives a quantized model should know; nothing where all of it is kept."""
    notes = []
    if given.requantized:
        notes.append(
            f"weights of {_listed(given.requantized)} have a zero point that leaves them no int8 about zero: they are "
            "rounded anew, to int8 without zero point; quantize weights symmetrically to keep them"
        )
    if dynamic:
        notes.append(
            f"{_listed(dynamic)} ask for activation ranges found at run time: their weights are kept, their ranges are "
            "those of the calibration data"
        )
    elif given.activations and given.calibrated:
        notes.append(
            f"the model gives no scale for {_listed(given.calibrated)}: calibrated like those of a float model"
        )
    return tuple(notes)


def _listed(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def assemble(
    graph: Graph,
    board: Board,
    name: str,
    onnx_model: bytes,
    calibration_samples: int,
    pruned: Pruned = UNPRUNED,
    optimize: Goal = "balanced",
    ranges: Ranges = "calibrated",
    notes: tuple[str, ...] = (),
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
        ranges,
        notes,
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
        model.ranges,
        model.notes,
    )


def dataset_for(graph: Graph, data: Data, labels: Array | None = None) -> Dataset:
    """Samples for the graph's inputs from a file or folder, or from arrays with `labels`."""
    specs = input_specs(graph)
    return open_dataset(data, specs) if isinstance(data, str | Path) else from_arrays(data, specs, labels)


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
