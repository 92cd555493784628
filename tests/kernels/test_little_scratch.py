"""Kernels that take less scratch than a CPU's fastest: C against the simulator, and when they are chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases.conv2d import SAME, clamped
from cases.every import drawn_weighted
from row_networks import row_by_row
from selections import quick
from support import Case, integer_branches, random_inputs, with_ranges
from test_operators import check, sizes_for

from mcuq.boards.find import load_board
from mcuq.compile import Aim, assemble_for
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.kernels.dsp import conv2d_taps
from mcuq.kernels.kernel import LITTLE_SCRATCH
from mcuq.lower import Goal, Program, alternatives
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window
from mcuq.validate import check_bits

DSP = load_board("cortex-m4").cpu.features
# Programs of a test, and how many of their steps were lowered for little scratch.
lowered: list[int] = []


@pytest.fixture
def as_little_as_there_is(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def least(graph: Graph, features: Set[str], goal: Goal, by_rows: bool = False) -> list[Program]:
        program = alternatives(graph, features, "ram", by_rows)[-1]
        lowered.append(sum(LITTLE_SCRATCH in step.asks for step in program.steps))
        return [replace(program, goal=goal)]

    compiler: Any = sys.modules["mcuq.compile"]
    monkeypatch.setattr(compiler, "alternatives", least)
    monkeypatch.setattr(compiler, "may_take", lambda *known: True)
    lowered.clear()
    yield


def around_blocks() -> list[Case]:
    """Four pixels, two channels, 64 inputs at a time: sizes around each, with padding on each side and none, strides,
    dilations, several images, and limits inside the grid."""
    rng = np.random.default_rng(50)
    cases = [
        clamped(rng, (1, 3, pixels, 8), (3, 3), outputs, pads=SAME)
        for pixels, outputs in ((1, 1), (2, 3), (3, 2), (4, 5), (5, 4), (7, 1), (8, 2), (9, 3))
    ]
    return [
        *cases,
        clamped(rng, (2, 7, 5, 8), (3, 2), 4, strides=(2, 1), pads=(1, 0, 0, 1)),
        clamped(rng, (1, 9, 9, 12), (3, 3), 2, dilations=(3, 2), pads=(3, 0, 0, 4)),
        clamped(rng, (1, 2, 2, 8), (5, 5), 3, pads=(2, 2, 2, 2)),  # a kernel larger than the image
        clamped(rng, (1, 3, 2, 8), (3, 3), 5, pads=(4, 5, 4, 5)),  # windows in the padding alone
        clamped(rng, (1, 1, 33, 16), (1, 9), 6, strides=(1, 2), pads=(0, 4, 0, 4)),
        clamped(rng, (3, 29, 1, 12), (7, 1), 5, pads=(3, 0, 3, 0)),
    ]


def of_many_inputs() -> list[Case]:
    """Some taps of all, channels around those of one tap and of one call, and a last call of fewer taps."""
    rng = np.random.default_rng(51)
    return [
        clamped(rng, (1, 3, 4, channels), (3, 3), 3, pads=SAME if channels % 8 else (0, 0, 0, 0))
        for channels in (12, 16, 20, 28, 32, 36, 60, 64, 68, 128)
    ]


def drawn_of_words() -> list[Case]:
    return [case for case in drawn_weighted(3, 40) if isinstance(case[0], Conv2d)]


@pytest.mark.usefixtures("as_little_as_there_is")
@pytest.mark.parametrize(
    ("scheme", "on", "inputs"),  # `inputs` are multiplied at a time
    quick(
        [
            ("s8", "emulator", 4),
            ("s8", "host", 24),
            ("s16", "emulator", 24),
            ("s16", "host", 4),
            ("s8 to s16", "emulator", 4),
            ("s16 to s8", "emulator", 4),
        ],
        2,
    ),
)
def test_kernels_of_little_scratch_give_the_simulators_bits(
    scheme: str, on: str, inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conv2d_taps, "INPUTS_AT_ONCE", inputs)
    check(around_blocks(), inputs, "cortex-m4", on, scheme)
    # One is of one pixel; where outputs are finer than the products of inputs, which half of these are, none is asked.
    assert min(lowered) >= (len(around_blocks()) - 1 if "to" not in scheme else 6)


@pytest.mark.usefixtures("as_little_as_there_is")
def test_those_that_read_many_inputs_at_a_time_do() -> None:
    check(of_many_inputs(), 0, "cortex-m4", "emulator")
    assert lowered == [len(of_many_inputs()) - 1]  # the first has one call


@pytest.mark.slow
@pytest.mark.usefixtures("as_little_as_there_is")
@pytest.mark.parametrize("scheme", ["s8", "s16"])
def test_all_sizes_give_the_simulators_bits(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv2d_taps, "INPUTS_AT_ONCE", 4)
    cases = [case for case in sizes_for("cortex-m4", scheme) if isinstance(case[0], Conv2d)]
    check([*cases[::3], *drawn_of_words()[::2]], 3, "cortex-m4", "emulator", scheme)
    assert sum(lowered) > 10


def wide_network() -> Graph:
    """Three convolutions of many channels of few pixels: windows of four take more than tensors do."""
    rng = np.random.default_rng(4)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 12, 6, 4))
    for inputs, channels in ((4, 32), (32, 64), (64, 32)):
        weight = builder.constant(rng.normal(0, 0.1, (channels, 3, 3, inputs)).astype(np.float32), "w")
        bias = builder.constant(rng.normal(0, 0.1, channels).astype(np.float32), "b")
        x = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1)), minimum=0.0), [x, weight, bias])
    builder.outputs.append(x)
    return with_ranges(builder.graph())


@pytest.mark.usefixtures("as_little_as_there_is")
@pytest.mark.parametrize("band", [1, 2, 3])
def test_bands_of_rows_give_the_simulators_bits(band: int) -> None:
    graph = wide_network()
    with row_by_row(band):
        model = assemble_for(graph, load_board("cortex-m4"), "net", Aim())
    assert lowered == [2]  # the first has few inputs
    assert "mcuq_dsp_sums_4" in model.files["net.c"]
    assert check_bits(model, iter([random_inputs(graph, 3)]), "emulator").first_mismatch is None


def test_they_are_chosen_where_memory_is_short_and_within_the_work_that_a_goal_allows() -> None:
    graph, board = wide_network(), load_board("cortex-m4")
    plain, *others = alternatives(graph, DSP, "ram")
    assert [program.more for program in others] == sorted(program.more for program in others)
    assert 0.02 < others[0].more / graph.macs() < 0.6  # by default they are too slow
    default, least = (assemble_for(graph, board, "net", Aim(goal)) for goal in ("balanced", "ram"))
    assert least.arena_bytes < default.arena_bytes
    assert "mcuq_dsp_sums_4" not in default.files["net.c"]
    assert "mcuq_dsp_sums_4" in least.files["net.c"]
    # A bound that the faster ones do not meet takes them, whatever the goal.
    bound = assemble_for(graph, board, "net", Aim(max_ram_bytes=least.arena_bytes))
    assert "mcuq_dsp_sums_4" in bound.files["net.c"]
    assert len(alternatives(graph, DSP, "speed")) == 1
    assert plain.more == 0
    for model in (least, bound):
        assert check_bits(model, iter([random_inputs(graph, 3)]), "emulator").first_mismatch is None


def test_a_layer_that_would_save_nothing_is_not_asked() -> None:
    rng = np.random.default_rng(5)
    small = integer_branches([clamped(rng, (1, 4, 4, 4), (1, 3), 32)], 0)
    assert len(alternatives(small, DSP, "ram")) == 1
    odd = integer_branches([clamped(rng, (1, 4, 4, 18), (3, 3), 4)], 0)
    assert len(alternatives(odd, DSP, "ram")) == 1
