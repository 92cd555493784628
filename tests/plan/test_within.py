"""The fastest plan within a bound of RAM, against all choices of segments of small networks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

import pytest
from row_networks import EVERYTHING, row_network
from selections import quick
from support import random_inputs, with_ranges

from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, QuantizedModel, compile_quantized, with_goal
from mcuq.graph.ir import Graph
from mcuq.lower import Goal, Program, lower
from mcuq.plan import Plan, plan_rows, plan_within
from mcuq.plan.fit import ArenaTooLarge, DoesNotFit
from mcuq.plan.memory import _ways, banded
from mcuq.plan.segments import BANDS, Finder, Segment
from mcuq.quantize import UNKNOWN_ORIGIN
from mcuq.validate import check_bits


def every_choice(finder: Finder, steps: int, first: int = 0) -> Iterator[tuple[Segment, ...]]:
    """All ways to run any stretches of the steps from `first` on row by row."""
    if first == steps:
        yield ()
        return
    for rest in every_choice(finder, steps, first + 1):
        yield rest
    ends = [end for start, end in finder.stretches() if start <= first <= end]
    for last in range(first, ends[0] + 1) if ends else ():
        for band in BANDS if finder.is_joined(first, last) else ():
            segment = finder.segment(first, last, band, EVERYTHING)
            if segment is not None:
                for rest in every_choice(finder, steps, last + 1):
                    yield (segment, *rest)


def work_of_rows(plan: Plan) -> float:
    return sum(placed.segment.more for placed in plan.segments)


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("seed", quick([43, 67, 114, 5, 46, 85], 3))
def test_no_choice_of_segments_that_fits_takes_less_work(seed: int, board: str) -> None:
    features = load_board(board).cpu.features
    program = lower(with_ranges(row_network(seed), seed), features)
    found = [
        (min(way.quick_bytes for way in _ways(banded(program, segments), segments)), sum(s.more for s in segments))
        for segments in every_choice(Finder(program, features), len(program.steps))
    ]
    sizes = sorted({size_bytes for size_bytes, _ in found})
    assert len(sizes) > 1
    for bound in sizes:
        _, plan = plan_within(program, features, bound)
        assert plan.arena_bytes <= bound
        assert work_of_rows(plan) <= min(more for size_bytes, more in found if size_bytes <= bound)


def curve(program: Program, features: Set[str]) -> list[Plan]:
    """The plans of bounds that each are a byte less than the arena before, down to the smallest."""
    plans = [plan_within(program, features, EVERYTHING)[1]]
    while True:
        _, plan = plan_within(program, features, plans[-1].arena_bytes - 1)
        if plan.arena_bytes >= plans[-1].arena_bytes:
            assert plan.arena_bytes == plans[-1].arena_bytes
            return plans
        plans.append(plan)


@pytest.mark.parametrize("seed", quick([67, 5, 11, 7], 1))
def test_less_memory_takes_more_work_down_to_what_is_least(seed: int) -> None:
    features = load_board("cortex-m4").cpu.features
    program = lower(with_ranges(row_network(seed), seed), features)
    plans = curve(program, features)
    assert work_of_rows(plans[0]) == 0
    assert [work_of_rows(plan) for plan in plans] == sorted(work_of_rows(plan) for plan in plans)
    assert len(plans) > 1
    _, least = plan_rows(lower(program.graph, features, "ram"), features)
    assert plans[-1].arena_bytes <= least.arena_bytes


def model_within(graph: Graph, max_ram_bytes: int | None, goal: Goal = "balanced") -> CompiledModel:
    quantized = QuantizedModel(graph, graph, b"", UNKNOWN_ORIGIN)
    return compile_quantized(quantized, load_board("cortex-m4"), "rows", False, goal, max_ram_bytes)


def test_what_fits_gives_the_simulators_bits_whatever_it_is_optimized_for() -> None:
    graph = with_ranges(row_network(5), 5)
    bound = model_within(graph, None).arena_bytes - 1
    goals: tuple[Goal, ...] = ("balanced", "speed", "ram")
    for goal in goals:
        model = model_within(graph, bound, goal)
        assert model.arena_bytes <= bound
        assert check_bits(model, iter([random_inputs(graph, 4)]), "host").first_mismatch is None
    assert with_goal(model, "speed").arena_bytes <= bound


def least_arena(graph: Graph) -> int:
    """The smallest that is found, as the error says that is refused."""
    with pytest.raises(ArenaTooLarge) as caught:
        model_within(graph, 100)
    found = re.fullmatch(
        r"--max-ram 100: the smallest arena that was found for model 'rows' takes (\d+) bytes, (\d+) more; allow "
        r"--max-ram (\d+), or use a smaller model",
        str(caught.value),
    )
    assert found is not None
    least, more, allowed = map(int, found.groups())
    assert least == allowed == 100 + more
    return least


def test_a_bound_below_the_smallest_arena_is_refused_with_what_would_do() -> None:
    graph = with_ranges(row_network(67), 67)
    least = least_arena(graph)
    assert model_within(graph, least).arena_bytes == least
    with pytest.raises(DoesNotFit):
        model_within(graph, least - 1)


def test_where_functions_are_shared_no_rows_make_it_smaller_and_another_goal_is_told() -> None:
    graph = with_ranges(row_network(5), 5)
    least = least_arena(graph)
    with pytest.raises(DoesNotFit) as caught:
        model_within(graph, least, "size")
    assert re.fullmatch(
        rf"--max-ram {least}: the smallest arena that was found for model 'rows' takes [\d,]+ bytes, [\d,]+ more; it "
        rf"fits with --optimize ram, which needs {least} bytes of RAM; or allow --max-ram \d+, or use a smaller model",
        str(caught.value),
    )
