"""Layers that run row by row give the bytes of whole ones, make no row twice, and read none that is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from float_cases import check_floats
from row_networks import CPUS, SCHEMES, row_by_row, row_network
from support import check_c, integer_branches, with_ranges

from mcuq.boards.find import load_board
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.lower import lower
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.total import Total
from mcuq.ops.window import Window
from mcuq.plan.segments import MOST_ROWS, Finder, Segment


@pytest.fixture
def found() -> Iterator[list[Segment]]:
    segments: list[Segment] = []
    yield segments
    assert segments


@pytest.mark.parametrize("seed", range(10))
def test_rows_give_the_simulators_bits(seed: int, found: list[Segment]) -> None:
    with row_by_row(1 + seed % 4, found):
        check_c(with_ranges(row_network(seed), seed), "host", board=CPUS[seed % len(CPUS)])


@pytest.mark.parametrize("board", CPUS)
def test_rows_give_the_simulators_bits_on_emulated_cpus(board: str, found: list[Segment]) -> None:
    with row_by_row(2, found):
        check_c(with_ranges(row_network(21), 21), "emulator", board=board)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rows_of_each_scheme_give_the_simulators_bits(scheme: str, found: list[Segment]) -> None:
    with row_by_row(2, found):
        check_floats(SCHEMES[scheme](row_network(22), 22), "host", load_board("cortex-m4"), 4)


def three_summands() -> Graph:
    builder = GraphBuilder("sum")
    x = builder.input("x", (1, 9, 4, 4))
    same = Window((3, 3), pads=(1, 1, 1, 1))
    late = builder.add(MaxPool(same), [builder.add(Sigmoid(), [x])])
    later = builder.add(MaxPool(same), [late])
    builder.outputs.append(builder.add(Sigmoid(), [builder.add(Total(), [x, late, later])]))
    return with_ranges(builder.graph(), 1)


def test_a_sum_of_three_is_of_whole_tensors(found: list[Segment]) -> None:
    with row_by_row(1, found):
        check_c(three_summands(), "host")
    assert all(len(stage.inputs) <= 2 for segment in found for stage in segment.stages)


def test_layers_may_be_called_as_tables_of_rows_are(found: list[Segment]) -> None:
    builder = GraphBuilder("names")
    x = builder.input("x", (1, 8, 4, 4))
    for name in ("rows", "rows_2", "rows_3"):
        x = builder.add(Sigmoid(), [builder.add(MaxPool(Window((2, 2))), [x], name=name)])
        x = builder.add(Reshape((1, *builder.tensors[x].shape[1:])), [x])
    builder.outputs.append(builder.add(Sigmoid(), [x]))
    with row_by_row(1, found):
        check_c(with_ranges(builder.graph()), "host")
    assert len(found) > 1


@pytest.mark.parametrize(("rows", "runs"), [(MOST_ROWS, True), (MOST_ROWS + 1, False)])
def test_rows_are_as_many_as_sixteen_bits_count(rows: int, runs: bool) -> None:
    builder = GraphBuilder("long")
    x = builder.add(Sigmoid(), [builder.input("x", (1, 1, rows, 1))])
    builder.outputs.append(builder.add(MaxPool(Window((1, 8), (1, 8))), [x]))
    program = lower(with_ranges(builder.graph()), frozenset())
    segment = Finder(program, frozenset()).segment(0, 1, (1, 1), 2**30)
    assert (segment is not None) == runs


@pytest.mark.slow
@pytest.mark.parametrize("board", CPUS)
@pytest.mark.parametrize("seed", range(100, 112))
def test_more_rows_give_the_simulators_bits(seed: int, board: str) -> None:
    with row_by_row(1 + seed % 3):
        check_c(with_ranges(row_network(seed), seed), "emulator" if seed % 2 else "host", board=board)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(200, 205))
def test_more_rows_of_each_scheme_give_the_simulators_bits(seed: int, scheme: str) -> None:
    with row_by_row(1 + seed % 3):
        check_floats(SCHEMES[scheme](row_network(seed), seed), "host", load_board(CPUS[seed % len(CPUS)]), 4)


def test_the_mean_of_a_vector_may_stand_behind_an_image_that_it_does_not_read() -> None:
    """The rows of that image have an axis that the vector has not."""
    cases = [(MaxPool(Window((2, 2), (2, 2))), [(1, 8, 8, 4)]), (Mean((0,)), [(1,)])]
    check_c(integer_branches(cases), "host")
