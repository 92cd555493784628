"""The least layout against one that tries every offset of every block."""

from __future__ import annotations

import random
from itertools import count

import pytest
from selections import quick

from mcuq.plan.blocks import end_of
from mcuq.plan.layout import Block, Layout, lay_out, lower_bound

Problem = tuple[list[Block], dict[tuple[int, int], int]]


def may_lie(problem: Problem, i: int, at: int, j: int, other: int) -> bool:
    """Whether blocks i and j may lie at these offsets."""
    blocks, over = problem
    if blocks[i].last < blocks[j].first or blocks[j].last < blocks[i].first:
        return True
    if at + blocks[i].size_bytes <= other or other + blocks[j].size_bytes <= at:
        return True
    return other - at >= over.get((i, j), 10**9) or at - other >= over.get((j, i), 10**9)


def fits(problem: Problem, capacity: int) -> bool:
    """Whether a layout takes no more: every word is tried for each block, in the order in which they begin to live."""
    blocks, _ = problem
    order = sorted(range(len(blocks)), key=lambda i: blocks[i].first)
    failed = set()

    def rest_fits(n: int, placed: tuple[tuple[int, int], ...]) -> bool:
        if n == len(order):
            return True
        i = order[n]
        alive = tuple((j, at) for j, at in placed if blocks[j].last >= blocks[i].first)
        if (n, alive) in failed:
            return False
        for at in range(0, capacity - blocks[i].size_bytes + 1, 4):
            if all(may_lie(problem, i, at, j, other) for j, other in alive) and rest_fits(n + 1, (*alive, (i, at))):
                return True
        failed.add((n, alive))
        return False

    return rest_fits(0, ())


def least_by_trying(problem: Problem) -> int:
    return next(capacity for capacity in count(0, 4) if fits(problem, capacity))


def assert_valid(problem: Problem, layout: Layout) -> None:
    blocks, over = problem
    assert layout.size_bytes == end_of(blocks, layout.offsets)
    assert all(at >= 0 and at % 4 == 0 for at in layout.offsets)
    for i, at in enumerate(layout.offsets):
        for j, other in enumerate(layout.offsets[:i]):
            assert may_lie(problem, i, at, j, other), (i, at, j, other)
    assert lower_bound(blocks, over) <= layout.least_bytes <= layout.size_bytes


def random_problem(seed: int) -> Problem:
    """Of three seeds, one has tensors of a graph with few branches, one such with outputs that may lie over an input
    that lives last with them, and one any blocks of which some may overlap by any number."""
    rng = random.Random(seed)
    kind = seed % 3
    n = rng.randint(2, 12)
    blocks: list[Block] = []
    while len(blocks) < n:
        first = rng.randrange(n)
        block = Block(4 * rng.choice([1, 2, 3, 4, 5]), first, first + rng.choice([0, 1, 1, 2, 3]))
        alive = [[b for b in blocks if b.meets(Block(0, step, step))] for step in range(block.first, block.last + 1)]
        if max(map(len, alive)) < 5:
            blocks.append(block)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    over: dict[tuple[int, int], int] = {}
    if kind == 1:
        pairs = [(i, j) for i, j in pairs if blocks[j].first < blocks[i].first == blocks[j].last]
        for i, j in rng.sample(pairs, len(pairs) // 2):
            over[i, j] = rng.randint(min(0, blocks[i].size_bytes - blocks[j].size_bytes), blocks[i].size_bytes)
    if kind == 2:
        for i, j in rng.sample(pairs, n // 2):
            over[i, j] = rng.randint(-20, 20)
    return blocks, over


@pytest.mark.parametrize("tenth", quick(range(10)))
def test_a_random_graph_takes_no_more_than_the_least_of_all_layouts(tenth: int) -> None:
    for seed in range(100 * tenth, 100 * tenth + 100):
        problem = random_problem(seed)
        layout = lay_out(*problem)
        assert_valid(problem, layout)
        assert layout.is_least, seed
        assert layout.size_bytes == least_by_trying(problem), seed


# Problems whose least layout takes more than what is alive at any step.
ABOVE_THE_BOUND = [1033, 1096, 1141, 1156, 1186, 1189, 1192, 1270, 1301, 1364, 1417, 1510, 1747, 1972, 2021, 2050, 2051]


@pytest.mark.parametrize("some", quick([ABOVE_THE_BOUND[:5], ABOVE_THE_BOUND[5:]]))
def test_the_least_layout_may_take_more_than_is_alive_at_any_step(some: list[int]) -> None:
    for seed in some:
        problem = random_problem(seed)
        layout = lay_out(*problem)
        assert_valid(problem, layout)
        assert layout.size_bytes == layout.least_bytes == least_by_trying(problem) > lower_bound(*problem), seed


def crowd(seed: int, n: int, steps: int, longest: int) -> Problem:
    rng = random.Random(seed)
    firsts = [rng.randrange(steps) for _ in range(n)]
    return [Block(4 * rng.randint(1, 500), first, first + rng.randint(1, longest)) for first in firsts], {}


@pytest.mark.parametrize(("steps", "longest"), quick([(20, 10), (40, 4), (30, 8), (12, 6)]))
def test_the_least_layout_of_forty_blocks_is_proved(steps: int, longest: int) -> None:
    for seed in range(12):
        problem = crowd(seed, 40, steps, longest)
        layout = lay_out(*problem)
        assert_valid(problem, layout)
        assert layout.is_least, seed


def layers(seed: int, n: int) -> Problem:
    """Layers, some of which are read later again, with scratch; most may lie over an input that lives last with them,
    some of these anywhere inside it."""
    rng = random.Random(seed)
    last = [min(n, i + rng.choice([1, 1, 1, 1, 1, 1, 2, 3, 4, 6])) for i in range(n)]
    sizes = [4 * rng.choice([64, 128, 200, 256, 300, 512, 777, 1024]) for _ in range(n)]
    over = {}
    for i in range(1, n):
        inputs = [j for j in range(i) if last[j] == i]
        if inputs and rng.random() < 0.7:
            j = rng.choice(inputs)
            more = sizes[i] - sizes[j]
            over[i, j] = max(more, 0) + 4 * rng.randrange(30) if rng.random() < 0.7 else min(0, more)
    blocks = [Block(sizes[i], i, last[i]) for i in range(n)]
    return blocks + [Block(4 * rng.randint(1, 300), i, i) for i in range(n) if rng.random() < 0.5], over


@pytest.mark.parametrize("n", quick([20, 27]))
def test_outputs_over_inputs_are_proved(n: int) -> None:
    for seed in range(20):
        problem = layers(seed, n)
        layout = lay_out(*problem)
        assert_valid(problem, layout)
        assert layout.is_least, seed


def test_a_search_that_is_cut_off_says_what_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = crowd(0, 40, 20, 10)
    monkeypatch.setattr("mcuq.plan.layout.SEARCH_ROUNDS", 0)
    monkeypatch.setattr("mcuq.plan.layout.MORE_ROUNDS", 0)
    proved = lay_out(*problem)
    monkeypatch.setattr("mcuq.plan.layout.SEARCH_NODES", 0)
    cut_off = lay_out(*problem)
    assert_valid(problem, cut_off)
    assert proved.is_least
    assert cut_off.least_bytes == lower_bound(*problem) <= proved.size_bytes < cut_off.size_bytes


def test_what_may_overlap_in_a_circle_is_laid_out_without_a_search() -> None:
    problem = [Block(40, 0, 2) for _ in range(3)], {(0, 1): -12, (1, 2): -12, (2, 0): -12}
    layout = lay_out(*problem)
    assert_valid(problem, layout)
    assert layout.size_bytes == 40


def cut_box(seed: int, n: int) -> list[Block]:
    """Blocks that fill a box of 1 MiB and 1,024 steps without a gap, cut along time or across it again and again."""
    rng = random.Random(seed)
    parts = [(0, 1024, 1024)]
    while len(parts) < n:
        at = max(
            rng.sample(range(len(parts)), min(3, len(parts))), key=lambda i: (parts[i][1] - parts[i][0]) * parts[i][2]
        )
        first, end, kib = parts[at]
        if rng.random() < 0.5 and end - first > 1:
            middle = rng.randrange(first + 1, end)
            parts[at : at + 1] = [(first, middle, kib), (middle, end, kib)]
        elif kib > 1:
            below = rng.randrange(1, kib)
            parts[at : at + 1] = [(first, end, below), (first, end, kib - below)]
    rng.shuffle(parts)  # in the order of the cuts the first fit puts them together again
    return [Block(1024 * kib, first, end - 1) for first, end, kib in parts]


@pytest.mark.slow
@pytest.mark.parametrize("n", range(150, 451, 30))
def test_hundreds_of_blocks_without_a_gap_between_them_come_near_their_bound(n: int) -> None:
    blocks = cut_box(n, n)
    layout = lay_out(blocks)
    assert_valid((blocks, {}), layout)
    assert layout.least_bytes == 1 << 20
    assert layout.size_bytes < 1.4 * (1 << 20)


@pytest.mark.parametrize("is_over", [False, True])
def test_five_hundred_layers_come_to_their_bound(is_over: bool) -> None:
    rng = random.Random(1)
    blocks = [Block(4 * rng.randint(100, 5000), i, i + rng.choice([1, 1, 1, 1, 2, 3, 5, 20])) for i in range(500)]
    over = {(i + 1, i): 4 * rng.randrange(50) for i in range(499) if is_over and blocks[i].last == i + 1}
    blocks += [Block(4 * rng.randint(10, 2000), i, i) for i in range(500)]  # scratch
    layout = lay_out(blocks, over)
    assert_valid((blocks, over), layout)
    assert layout.is_least
