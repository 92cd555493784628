"""Clips that end inside of the grid on both sides, in every kernel that clamps: a Concat with something wider gives
each layer's output a scale beyond its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from support import Case, model_of, random_inputs, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Clamped
from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.extreme import Max
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.prelu import PRelu
from mcuq.ops.window import Window
from mcuq.quantize import parse_scheme
from mcuq.validate import check_bits

BOUNDS = {"minimum": -0.4, "maximum": 0.5}
SAME = (1, 1, 1, 1)
BOARDS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc")
# Ten seconds each.
MOST_SLOW = [board if board == "rv32imc" else pytest.param(board, marks=pytest.mark.slow) for board in BOARDS]


def weighted_cases() -> list[Case]:
    """Blocks of pixels, channels and outputs with their rests; dense, pointwise, depthwise, of groups, of images."""
    rng = np.random.default_rng(7)

    def conv(x: tuple[int, ...], window: Window, outputs: int, groups: int = 1) -> Case:
        weight = rng.normal(size=(outputs, *window.kernel, x[3] // groups)).astype(np.float32)
        bias = rng.normal(size=outputs).astype(np.float32)
        return Conv2d(window, groups, **BOUNDS), [x, weight, bias]

    def dense(rows: int, inputs: int, outputs: int) -> Case:
        weight = rng.normal(size=(outputs, inputs)).astype(np.float32)
        return FullyConnected(**BOUNDS), [(rows, inputs), weight, rng.normal(size=outputs).astype(np.float32)]

    return [
        conv((1, 5, 7, 3), Window((3, 3), pads=SAME), 5),
        conv((1, 5, 9, 4), Window((3, 3), pads=SAME), 8),
        conv((1, 5, 5, 16), Window((3, 3), pads=SAME), 17),
        conv((1, 1, 9, 8), Window((1, 1)), 9),
        conv((1, 3, 7, 5), Window((1, 1)), 6),
        conv((1, 7, 9, 6), Window((3, 3), pads=SAME), 6, 6),
        conv((1, 9, 9, 16), Window((3, 3), (2, 2), pads=SAME), 16, 16),
        conv((1, 9, 9, 5), Window((5, 5), pads=(2, 2, 2, 2)), 5, 5),
        conv((1, 14, 1, 6), Window((4, 1), (2, 1)), 6, 6),
        conv((1, 5, 5, 4), Window((3, 3), pads=SAME), 6, 2),
        conv((1, 5, 5, 3), Window((3, 3), pads=SAME), 6, 3),
        dense(1, 9, 5),
        dense(2, 16, 21),
        dense(1, 40, 16),
    ]


def other_cases() -> list[Case]:
    """What clamps without weights."""
    return [
        (Add(**BOUNDS), [(1, 3, 5, 4), (1, 3, 5, 4)]),
        (Add(**BOUNDS), [(1, 3, 5, 4), (1, 1, 1, 4)]),
        (Sub(**BOUNDS), [(1, 37), (1, 37)]),
        (Mul(**BOUNDS), [(1, 3, 5, 4), (1, 3, 5, 4)]),
        (Mul(**BOUNDS), [(1, 3, 5, 4), (1, 1, 1, 4)]),
        (Max(**BOUNDS), [(1, 3, 5, 4), (1, 1, 1, 4)]),
        (PRelu(**BOUNDS), [(1, 3, 5, 4), (1, 3, 5, 4)]),
        (PRelu(**BOUNDS), [(1, 3, 5, 4), (1, 1, 1, 4)]),
        (Mean((1, 2), **BOUNDS), [(1, 3, 5, 6)]),
        (Mean((3,), **BOUNDS), [(1, 3, 5, 6)]),
        (AveragePool(Window((2, 2), (2, 2)), **BOUNDS), [(1, 6, 6, 5)]),
        (AveragePool(Window((3, 3), pads=SAME), **BOUNDS), [(1, 5, 5, 8)]),
        (AveragePool(Window((5, 5)), **BOUNDS), [(1, 5, 5, 6)]),
        # Products of inputs of several ranges, so that some reach both ends.
        *((Mul(**BOUNDS), [(1, size), (1, size)]) for size in (37, 38, 39, 40)),
    ]


def joined(cases: list[Case], scheme: str = "int8") -> Graph:
    """The layers side by side, each before a Concat with values of twice its bounds and more."""
    builder = GraphBuilder("layers")
    for i, (op, inputs) in enumerate(cases):
        names = [
            builder.constant(value, f"c{i}_{k}") if isinstance(value, np.ndarray) else builder.input(f"x{i}_{k}", value)
            for k, value in enumerate(inputs)
        ]
        y = builder.add(op, names, name=f"layer{i}")
        shape = builder.tensors[y].shape
        wide = np.resize(np.array([-1.1, 1.3], np.float32), (*shape[:-1], 2))
        builder.outputs.append(builder.add(Concat(len(shape) - 1), [y, builder.constant(wide)], f"y{i}"))
    return with_ranges(builder.graph(), scheme=parse_scheme(scheme))


def check(graph: Graph, board: str, on: str) -> None:
    for layer in graph.layers():
        if isinstance(layer.op, Clamped):
            (low, high), (least, most) = layer.op.output_bounds(layer.output), layer.output.quantization.bounds
            assert least < low < high < most
    report = check_bits(model_of(graph, board, "layers"), iter([random_inputs(graph, 5)]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == 5


@pytest.mark.parametrize("board", MOST_SLOW)
def test_both_ends_of_a_clip_inside_of_the_grid_give_the_simulators_bits(board: str) -> None:
    check(joined([*weighted_cases(), *other_cases()]), board, "emulator")


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_the_twins_for_the_host_clamp_alike(board: str) -> None:
    check(joined([*weighted_cases(), *other_cases()]), board, "host")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int16", "int4"])
@pytest.mark.parametrize("board", BOARDS)
def test_kernels_of_other_numbers_clamp_alike(board: str, scheme: str) -> None:
    check(
        joined([*weighted_cases(), *other_cases()] if scheme == "int16" else weighted_cases(), scheme),
        board,
        "emulator",
    )
