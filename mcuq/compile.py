"""The main job: ONNX model + calibration data + board -> integer graph, plan and C files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcuq.boards import Board, load_board
from mcuq.dataset import Dataset, from_arrays, open_dataset
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
    DEFAULT_RECOVERY,
    INT8_SCHEME,
    UNPRUNED,
    CalibrationMethod,
    Pruned,
    Recovery,
    Scheme,
    input_specs,
    prune_graph,
    quantize_model,
    synthetic_dataset,
)
from mcuq.tensor import Array

Data = str | Path | Array | Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A quantized model with its C.

    `graph` is the int8 graph, `onnx_model` the float model with fixed shapes (serialized), `files` the C file and
    header by name. `calibration_samples` is 0 where ranges were guessed from made-up inputs, so that accuracy
    is unknown. `pruned` says what was taken out of the graph as no output depends on it. `optimize` is what kernels
    were chosen and compilers told for.
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

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.graph.macs()


def compile_model(
    path: str | Path,
    board: str | Board = "cortex-m4",
    calibration: Data | None = None,
    name: str | None = None,
    method: CalibrationMethod = DEFAULT_METHOD,
    shapes: Mapping[str, int] | None = None,
    progress: Callable[[str, int], Callable[[], None]] = lambda task, total: lambda: None,
    prune: bool = True,
    optimize: Goal = "balanced",
    scheme: Scheme = INT8_SCHEME,
    recovery: Recovery = DEFAULT_RECOVERY,
) -> CompiledModel:
    """Quantize an ONNX model to int8 and emit C for a board.

    `calibration` is what `open_dataset` reads, or NumPy arrays in the model's layout with a leading sample
    dimension; without it ranges are guessed from made-up inputs. `name` begins every C symbol (default: the
    file's). `method` finds ranges, `shapes` gives sizes to symbolic dimensions. `progress(task, total)` returns
    what is called after each of `total` samples. `prune` takes out channels that no output depends on; outputs
    are the same bytes either way, and whatever `optimize` is: "size" takes the least flash, "speed" the fewest
    instructions. `scheme` gives grids to weights, `recovery` is what is done for accuracy. Raises McuqError for
    whatever the user can mend.
    """
    board = load_board(board) if isinstance(board, str) else board
    optimize = parse_goal(optimize)
    model_id = model_identifier(name, Path(path))
    graph, onnx_model = import_model(path, shapes)
    graph = simplify(graph)
    dataset = synthetic_dataset(graph) if calibration is None else dataset_for(graph, calibration)
    tick = progress("calibrating", len(dataset))
    integer = quantize_model(graph, dataset, method, scheme, recovery, tick).graph
    samples = 0 if calibration is None else len(dataset)
    integer, pruned = prune_graph(integer) if prune else (integer, UNPRUNED)
    onnx_bytes = onnx_model.SerializeToString(deterministic=True)
    return assemble(integer, board, model_id, onnx_bytes, samples, pruned, optimize)


def assemble(
    graph: Graph,
    board: Board,
    name: str,
    onnx_model: bytes,
    calibration_samples: int,
    pruned: Pruned = UNPRUNED,
    optimize: Goal = "balanced",
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
    )


def with_goal(model: CompiledModel, optimize: Goal) -> CompiledModel:
    """The same int8 graph for the same board, optimized for another goal. Raises BoardError where it does not fit."""
    if optimize == model.optimize:
        return model
    return assemble(
        model.graph, model.board, model.name, model.onnx_model, model.calibration_samples, model.pruned, optimize
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
