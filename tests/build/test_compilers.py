"""GCC and clang take the C of every scheme for every board and goal, at any level and standard, without a word."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support import model_of

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.lower import GOALS
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window
from mcuq.quantize import NAMED, Scheme, float_tensors, insert_conversions, quantize_graph
from mcuq.quantize.calibrate import scaled_tensors

# The constants of kernels are enumerators, of which C++ says with -Wextra that they are mixed with other integers.
WARNINGS = {"c": ("-Wall", "-Wextra", "-Wconversion", "-Werror"), "c++": ("-Wall", "-Wconversion", "-Werror")}
# One of the generic boards, which are named after their core, for each set of kernels.
CORES = [name for name in board_names() if name == load_board(name).cpu.core]
BOARDS = sorted({load_board(name).cpu.features: name for name in CORES}.values())
FACTORS: dict[str, tuple[str, ...]] = {
    "board": tuple(BOARDS),
    "scheme": tuple(NAMED),
    "goal": tuple(GOALS),
    "level": ("-O0", "-O1", "-O2", "-O3", "-Os"),
    "language": ("-std=c99", "-std=c11", "-std=c17", "-std=c++11", "-std=c++17"),
    "lto": ("", "-flto"),
    "compiler": ("gcc", "clang"),
}
Choice = tuple[str, ...]


def covering(factors: Sequence[Sequence[str]]) -> list[Choice]:
    """Rows in which any two values of any two factors meet: each row is, of some that are made greedily, one of those
    that cover the most pairs which have not met."""
    columns = list(itertools.combinations(range(len(factors)), 2))
    open_pairs = {(i, j, a, b) for i, j in columns for a in factors[i] for b in factors[j]}
    rng = np.random.default_rng(0)
    rows = []

    def met(row: dict[int, str]) -> int:
        return sum((i, j, row[i], row[j]) in open_pairs for i, j in columns if i in row and j in row)

    while open_pairs:
        i, j, a, b = min(open_pairs)
        best: dict[int, str] = {}
        for _ in range(8):
            row = {i: a, j: b}
            for column in rng.permutation(len(factors)).tolist():
                if column not in row:
                    row[column] = max(factors[column], key=lambda value, c=column, r=row: met({**r, c: value}))
            if not best or met(row) > met(best):
                best = row
        open_pairs -= {(i, j, best[i], best[j]) for i, j in columns}
        rows.append(tuple(best[k] for k in range(len(factors))))
    return rows


ROWS = covering(list(FACTORS.values()))


def network() -> Graph:
    """A few layers of sizes that leave a rest behind every unroll, each kind of weighted kernel among them."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")

    def constants(*shape: int) -> list[str]:
        values: list[Array] = [rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])), rng.normal(size=shape[0]) / 10]
        return [builder.constant(v.astype(np.float32), f"c{len(builder.tensors)}") for v in values]

    x = builder.input("x", (1, 7, 6, 3))
    x = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1)), minimum=0.0), [x, *constants(13, 3, 3, 3)])
    x = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1)), 13, minimum=0.0), [x, *constants(13, 3, 3, 1)])
    y = builder.add(Conv2d(Window((1, 1))), [x, *constants(13, 1, 1, 13)])
    x = builder.add(Add(), [x, y])
    x = builder.add(MaxPool(Window((2, 2), (1, 1))), [x])
    x = builder.add(Sigmoid(), [builder.add(AveragePool(Window((2, 2), (2, 2))), [x])])
    size = builder.tensors[x].elements
    x = builder.add(Reshape((1, size)), [x])
    x = builder.add(FullyConnected(), [x, *constants(5, size)])
    builder.outputs.append(builder.add(Softmax(), [x]))
    return builder.graph()


def sources(board: Board, scheme: str, goal: str) -> dict[str, str]:
    own = Scheme(NAMED[scheme])
    graph = insert_conversions(network(), own)
    names = scaled_tensors(graph, float_tensors(graph, own))
    model = FloatModel(write_onnx(graph, names)) if names else None
    sample = {"x": np.random.default_rng(1).normal(size=(1, 7, 6, 3)).astype(np.float32)}
    values = {} if model is None else {**sample, **model.run(sample, [n for n in names if n != "x"])}
    ranges = {name: (float(values[name].min()), float(values[name].max())) for name in names}
    return dict(model_of(quantize_graph(graph, ranges, own), board, "net", goal).files)


def command(board: Board, compiler: str, language: str) -> list[str]:
    """The compiler for the board's CPU."""
    gcc = "gcc" if board.name == "host" else board.cpu.gcc
    if compiler == "gcc":
        return [gcc if language == "c" else gcc.removesuffix("gcc") + "g++", *board.cpu.gcc_flags]
    target = {"arm-none-eabi-gcc": "arm-none-eabi", "riscv64-unknown-elf-gcc": "riscv32-unknown-elf"}
    return ["clang", *([f"--target={target[gcc]}"] if gcc in target else []), *board.cpu.gcc_flags]


def run(folder: Path, *arguments: str) -> None:
    ended = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), " ".join(arguments)


@pytest.mark.toolchain
@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(v for v in row if v))
def test_compilers_take_the_c_at_any_level_and_standard(row: Choice, tmp_path: Path) -> None:
    board_name, scheme, goal, level, standard, lto, compiler = row
    board = load_board(board_name)
    for name, text in sources(board, scheme, goal).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    language = "c++" if "c++" in standard else "c"
    cc = [*command(board, compiler, language), *WARNINGS[language], level, *([lto] if lto else [])]
    run(tmp_path, *cc, "-ffreestanding", standard, "-c", "-x", language, "net.c", "-o", "net.o")
    if lto and compiler == "gcc":
        # Code is made, and looked at once more, when objects are linked.
        run(tmp_path, *cc, "-r", "-nostdlib", "-flinker-output=nolto-rel", "net.o", "-o", "linked.o")


def test_the_rows_are_far_fewer_than_the_product_and_every_pair_meets() -> None:
    assert len(ROWS) < 100
    for (i, first), (j, second) in itertools.combinations(enumerate(FACTORS.values()), 2):
        assert {(row[i], row[j]) for row in ROWS} == set(itertools.product(first, second))


@pytest.mark.toolchain
@pytest.mark.parametrize("level", FACTORS["level"])
@pytest.mark.parametrize("board", ["cortex-m55", "rv32imc"])
def test_gcc_sees_no_end_of_a_codebook_that_is_not_there(board: str, level: str, tmp_path: Path) -> None:
    # The rest of a part of 120 weights: GCC 12 took the eighth turn of its loop for one that can come.
    builder = GraphBuilder("net")
    values = [np.random.default_rng(0).normal(size=(8, 3, 5, 8)).astype(np.float32), np.zeros(8, np.float32)]
    constants = [builder.constant(value, name) for value, name in zip(values, "wb", strict=True)]
    x = builder.input("x", (1, 3, 1, 64))
    builder.outputs.append(builder.add(Conv2d(Window((3, 5), pads=(1, 2, 1, 2)), 8), [x, *constants], "y"))
    graph = quantize_graph(builder.graph(), {"x": (-1.0, 1.0), "y": (-9.0, 9.0)}, Scheme(NAMED["codebook"]))
    for name, text in model_of(graph, board, "net", "speed").files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    cc = command(load_board(board), "gcc", "c")
    run(tmp_path, *cc, *WARNINGS["c"], level, "-ffreestanding", "-std=c99", "-c", "net.c")
