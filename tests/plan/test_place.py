import random
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selections import quick

from mcuq.plan.blocks import Extent, distances, meeting
from mcuq.plan.first_fit import FirstFit
from mcuq.plan.layout import Block, lay_out_quickly, lower_bound, place

BLOCKS = st.lists(
    st.builds(
        lambda words, first, life: Block(4 * words, first, first + life),
        st.integers(1, 40),
        st.integers(-1, 12),
        st.integers(0, 6),
    ),
    max_size=14,
)


def end_of(blocks: list[Block], offsets: list[int]) -> int:
    return max((offset + block.size_bytes for block, offset in zip(blocks, offsets, strict=True)), default=0)


def touch(a: Block, at: int, b: Block, bt: int) -> bool:
    """Whether bytes that both need at some step have a byte in common."""
    return any(
        min(own.size_bytes, other.size_bytes) > 0
        and own.first <= other.last
        and other.first <= own.last
        and at + own.offset < bt + other.end
        and bt + other.offset < at + own.end
        for own in a.all_extents()
        for other in b.all_extents()
    )


def assert_valid(blocks: list[Block], offsets: list[int], over: dict[tuple[int, int], int] | None = None) -> None:
    over = over or {}
    assert len(offsets) == len(blocks)
    assert all(offset >= 0 and offset % 4 == 0 for offset in offsets)
    for (i, a), (j, b) in combinations(enumerate(blocks), 2):
        at, bt = offsets[i], offsets[j]
        is_apart = not touch(a, at, b, bt)
        is_over = any(pair in over and offsets[pair[1]] - offsets[pair[0]] >= over[pair] for pair in ((i, j), (j, i)))
        assert is_apart or is_over, (a, at, b, bt)
    assert end_of(blocks, offsets) >= lower_bound(blocks, over)


@st.composite
def over_pairs(draw: st.DrawFn) -> tuple[list[Block], dict[tuple[int, int], int]]:
    """Blocks, and for some pairs of them the bytes that one lies above the other at least, any number."""
    blocks = draw(BLOCKS)
    indices = st.integers(0, max(0, len(blocks) - 1))
    pairs = st.tuples(indices, indices).filter(lambda pair: pair[0] != pair[1])
    over = draw(st.dictionaries(pairs, st.integers(-90, 170), max_size=6)) if len(blocks) > 1 else {}
    return blocks, over


@st.composite
def changing_blocks(draw: st.DrawFn) -> tuple[list[Block], dict[tuple[int, int], int]]:
    """The same, where some need other bytes at other times."""
    blocks, over = draw(over_pairs())
    return [draw(changing(block)) if block.last > block.first else block for block in blocks], over


@st.composite
def changing(draw: st.DrawFn, block: Block) -> Block:
    """The block, whose bytes are needed by parts of its life."""
    starts = sorted(draw(st.sets(st.integers(block.first + 1, block.last), max_size=3)))
    extents = []
    for first, behind in zip([block.first, *starts], [*starts, block.last + 1], strict=True):
        ends = sorted(draw(st.tuples(*[st.integers(0, block.size_bytes // 4)] * 2)))
        extents.append(Extent(4 * ends[0], 4 * (ends[1] - ends[0]), first, behind - 1))
    return replace(block, extents=tuple(extents))


def random_blocks(seed: int, count: int, steps: int, longest: int) -> list[Block]:
    rng = random.Random(seed)
    firsts = [rng.randrange(steps) for _ in range(count)]
    return [Block(4 * rng.randint(1, 500), first, first + rng.randint(1, longest)) for first in firsts]


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_blocks_that_live_at_one_time_never_overlap(blocks: list[Block]) -> None:
    assert_valid(blocks, place(blocks))


@settings(max_examples=80, deadline=None)
@given(over_pairs())
def test_blocks_overlap_only_as_far_as_they_may(problem: tuple[list[Block], dict[tuple[int, int], int]]) -> None:
    blocks, over = problem
    assert_valid(blocks, place(blocks, over), over)


@settings(max_examples=100, deadline=None)
@given(changing_blocks())
def test_blocks_overlap_where_their_bytes_are_not_needed(
    problem: tuple[list[Block], dict[tuple[int, int], int]],
) -> None:
    blocks, over = problem
    assert_valid(blocks, list(lay_out_quickly(blocks, over).offsets), over)


@pytest.mark.parametrize("seed", quick(range(24), 4))
def test_the_least_layout_of_what_needs_other_bytes_at_other_times_is_found(seed: int) -> None:
    """As all orders of all blocks find it, each at the lowest offset that is free."""
    rng = random.Random(seed)
    blocks = []
    for own in random_blocks(seed, 6, 6, 4):
        turn = rng.randint(own.first + 1, own.last) if own.last > own.first else own.last
        less = 4 * rng.randint(0, own.size_bytes // 4)
        both = (
            Extent(0, own.size_bytes, own.first, turn - 1),
            Extent(rng.choice([0, own.size_bytes - less]), less, turn, own.last),
        )
        blocks.append(replace(own, extents=both if rng.random() < 0.7 and turn > own.first else ()))
    first_fit = FirstFit(blocks, meeting(blocks), distances(blocks, {}))
    least = min(end for order in permutations(range(len(blocks))) for _, end in [first_fit.place(order)])
    offsets = place(blocks)
    assert_valid(blocks, offsets)
    assert end_of(blocks, offsets) == least


def test_what_a_block_needs_no_more_is_free_for_others() -> None:
    upper = Block(100, 0, 5, (Extent(40, 60, 0, 1), Extent(0, 100, 2, 2), Extent(0, 32, 3, 5)))
    others = [Block(40, 1, 1), Block(72, 4, 4)]
    assert place([upper, *others]) == [0, 0, 32]
    assert lower_bound([upper, *others]) == 104
    assert lower_bound([upper, Block(8, 2, 3), Block(80, 4, 4)]) == 112
    shrinking = Block(100, 0, 5, (Extent(0, 100, 0, 3), Extent(60, 40, 4, 5)))
    assert place([shrinking, others[1]]) == [12, 0]
    growing = Block(80, 4, 8, (Extent(0, 20, 4, 5), Extent(0, 80, 6, 8)))
    assert place([upper, growing]) == [0, 32]


def test_a_block_lies_over_as_much_of_another_as_it_may() -> None:
    blocks = [Block(100, 0, 1), Block(60, 1, 2), Block(40, 2, 3)]
    assert end_of(blocks, place(blocks)) == 160
    assert place(blocks, {(1, 0): 17}) == [20, 0, 60]
    assert end_of(blocks, place(blocks, {(1, 0): -40})) == 100
    assert end_of(blocks, place(blocks, {(0, 1): 0})) == 100


def test_the_lower_bound_knows_what_may_overlap() -> None:
    blocks = [Block(100, 0, 1), Block(60, 1, 2), Block(40, 1, 1)]
    assert lower_bound(blocks) == 200
    assert lower_bound(blocks, {(1, 0): 18}) == 160
    assert lower_bound(blocks, {(1, 0): 60}) == lower_bound(blocks, {(1, 0): 900}) == 200
    assert lower_bound(blocks, {(1, 0): -8}) == lower_bound(blocks, {(1, 0): -8, (0, 1): 50}) == 140
    assert lower_bound(blocks, {(1, 0): 0, (2, 0): 0, (2, 1): 0}) == 100


@settings(max_examples=30, deadline=None)
@given(BLOCKS)
def test_the_same_blocks_get_the_same_offsets(blocks: list[Block]) -> None:
    assert place(blocks) == place(list(blocks))


def test_blocks_meet_where_they_share_a_step() -> None:
    assert Block(4, 0, 2).meets(Block(4, 2, 3))
    assert Block(4, 2, 3).meets(Block(4, 0, 2))
    assert Block(4, 0, 9).meets(Block(4, 3, 4))
    assert not Block(4, 0, 2).meets(Block(4, 3, 3))


def test_the_lower_bound_is_the_most_bytes_alive_at_one_step() -> None:
    assert lower_bound([]) == 0
    assert lower_bound([Block(8, 0, 1), Block(16, 1, 2), Block(32, 2, 3), Block(4, 5, 5)]) == 48


def test_no_block_and_one_block_are_placed() -> None:
    assert place([]) == []
    assert place([Block(12, -1, 4)]) == [0]


def test_a_chain_of_blocks_alternates_between_two_places() -> None:
    blocks = [Block(100, i, i + 1) for i in range(20)]
    assert end_of(blocks, place(blocks)) == 200


def test_a_block_moves_into_the_gap_that_two_others_leave() -> None:
    blocks = [Block(8, 0, 3), Block(8, 0, 1), Block(8, 0, 3), Block(8, 2, 3)]
    offsets = place(blocks)
    assert_valid(blocks, offsets)
    assert end_of(blocks, offsets) == 24


def test_the_search_finds_what_no_greedy_order_does(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = random_blocks(seed=12, count=24, steps=16, longest=5)
    assert end_of(blocks, place(blocks)) == lower_bound(blocks) == 8904
    for what in ("SEARCH_ROUNDS", "MORE_ROUNDS", "SEARCH_NODES"):
        monkeypatch.setattr(f"mcuq.plan.layout.{what}", 0)
    assert end_of(blocks, place(blocks)) == 9140


@pytest.mark.parametrize(("count", "steps"), [(60, 50), (100, 80)])
@pytest.mark.parametrize("seed", range(12))
def test_random_blocks_come_to_their_lower_bound(count: int, steps: int, seed: int) -> None:
    blocks = random_blocks(seed, count, steps, longest=4)
    offsets = place(blocks)
    assert_valid(blocks, offsets)
    assert end_of(blocks, offsets) == lower_bound(blocks)


def lowest(block: Block, placed: list[tuple[Block, int]]) -> int:
    """The first offset at which it overlaps none that it meets: 0 or the end of one of them."""
    taken = [(at, at + other.size_bytes) for other, at in placed if block.meets(other)]
    return min(
        offset
        for offset in (0, *(end for _, end in taken))
        if all(offset + block.size_bytes <= start or end <= offset for start, end in taken)
    )


@pytest.mark.parametrize("longest", [2, 8, 40])  # few meet, some, nearly all
def test_each_block_of_an_order_has_the_lowest_free_offset_however_many_stay(longest: int) -> None:
    blocks = random_blocks(3, 40, 40, longest)
    order = random.Random(4).sample(range(40), 40)
    first_fit = FirstFit(blocks, meeting(blocks), [{}] * 40)
    offsets, end = first_fit.place(order)
    for n, i in enumerate(order):
        assert offsets[i] == lowest(blocks[i], [(blocks[j], offsets[j]) for j in order[:n]])
    assert end == end_of(blocks, offsets)
    for kept in (1, 20, 40):
        assert first_fit.place(order, offsets, kept) == (offsets, end) == first_fit.place(order, offsets, kept, end)
        assert first_fit.place(order, offsets, kept, end - 4) is None
