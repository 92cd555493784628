"""Blocks in several memories: what fits, and what lies in the fastest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import pytest
from golden.graphs import digits
from selections import quick

from mcuq.boards.find import load_board
from mcuq.errors import BoardError, ModelError
from mcuq.lower import lower
from mcuq.lower.memories import RamUse, parse_memories
from mcuq.plan.accesses import accesses
from mcuq.plan.arena_part import ArenaPart, Room, part_at
from mcuq.plan.blocks import Block, Over
from mcuq.plan.layout import lay_out
from mcuq.plan.rooms import rooms_of
from mcuq.plan.split import SplitLayout, split


def random_case(seed: int) -> tuple[list[Block], Over, list[int]]:
    """Up to eight blocks of a few steps, some of which may lie over the one before, and how often each is used."""
    rng = random.Random(seed)
    blocks = []
    for _ in range(rng.randint(2, 8)):
        first = rng.randint(0, 5)
        blocks.append(Block(4 * rng.randint(1, 12), first, first + rng.randint(0, 3)))
    over = {(i + 1, i): -4 * rng.randint(0, 3) for i in range(len(blocks) - 1) if rng.random() < 0.3}
    return blocks, over, [rng.randint(0, 1000) for _ in blocks]


def rooms_for(blocks: Sequence[Block], over: Over, seed: int) -> list[int]:
    """Two rooms, neither of which holds all."""
    rng = random.Random(seed)
    least = lay_out(blocks, over).size_bytes
    return [4 * rng.randint(1, max(1, least // 5)), 4 * rng.randint(1, max(1, least // 5))]


def some_choice_fits(blocks: Sequence[Block], over: Over, rooms: Sequence[int]) -> bool:
    """Whether any choice of a room for each block does, by trying all."""
    for choice in product(range(len(rooms)), repeat=len(blocks)):
        fits = True
        for room, size_bytes in enumerate(rooms):
            held = [i for i, own in enumerate(choice) if own == room]
            number = {i: n for n, i in enumerate(held)}
            own_over = {(number[i], number[j]): n for (i, j), n in over.items() if i in number and j in number}
            fits &= lay_out([blocks[i] for i in held], own_over).size_bytes <= size_bytes
            if not fits:
                break
        if fits:
            return True
    return False


def room_of(found: SplitLayout, offset: int) -> int:
    start = 0
    for room, size_bytes in enumerate(found.sizes):
        start += size_bytes
        if offset < start:
            return room
    raise AssertionError(offset)


def check_parts(blocks: Sequence[Block], over: Over, rooms: Sequence[int], found: SplitLayout) -> None:
    """No block reaches from one part into the next, none lies on another, and parts are no larger than rooms."""
    offsets = found.layout.offsets
    assert all(size <= room for size, room in zip(found.sizes, rooms, strict=True))
    assert found.layout.size_bytes == sum(found.sizes)
    for i, a in enumerate(blocks):
        assert room_of(found, offsets[i]) == room_of(found, offsets[i] + a.size_bytes - 1)
        for j, b in enumerate(blocks[:i]):
            if not a.meets(b) or room_of(found, offsets[i]) != room_of(found, offsets[j]):
                continue
            apart = offsets[i] + a.size_bytes <= offsets[j] or offsets[j] + b.size_bytes <= offsets[i]
            may = [offsets[q] - offsets[p] >= over[p, q] for p, q in ((i, j), (j, i)) if (p, q) in over]
            assert apart or any(may)


@pytest.mark.parametrize("part", quick(list(range(5)), 1))
def test_parts_are_found_where_there_are_any(part: int) -> None:
    found_in_all = there = refused = 0
    for seed in range(60 * part, 60 * part + 60):
        blocks, over, uses = random_case(seed)
        rooms = rooms_for(blocks, over, seed)
        found = split(blocks, over, uses, rooms)
        if found is not None:
            check_parts(blocks, over, rooms, found)
        fits = some_choice_fits(blocks, over, rooms)
        assert fits or found is None
        there += fits
        found_in_all += found is not None
        refused += not fits
    assert found_in_all == there
    assert there > 10 and refused > 10


def test_what_is_used_most_for_its_size_lies_in_the_first_room() -> None:
    blocks = [Block(size, 0, 3) for size in (40, 20, 20, 40)]
    found = split(blocks, {}, [400, 1000, 100, 800], [60, 80])
    assert found is not None
    assert [room_of(found, offset) for offset in found.layout.offsets] == [1, 0, 1, 0]
    assert found.sizes == (60, 60)


def test_what_lives_at_other_times_shares_the_first_room() -> None:
    blocks = [Block(40, 0, 1), Block(40, 2, 3), Block(40, 0, 3)]
    found = split(blocks, {}, [10, 10, 1], [40, 40])
    assert found is not None
    assert [room_of(found, offset) for offset in found.layout.offsets] == [0, 0, 1]
    assert found.sizes == (40, 40)


def test_a_block_larger_than_each_room_fits_nowhere() -> None:
    assert split([Block(44, 0, 0)], {}, [1], [40, 40]) is None


def test_uses_of_a_network_grow_with_products_and_working_memory() -> None:
    program = lower(digits(), load_board("cortex-m4").cpu.features)
    tensors, scratch = accesses(program)
    assert set(scratch) == {i for i, step in enumerate(program.steps) if step.scratch_bytes}
    for step in program.steps:
        for x in step.layer.activations if step.calls else ():
            assert tensors[x.name] >= x.size_bytes
    kinds = set()
    for i, step in enumerate(program.steps):
        macs = step.layer.op.macs(step.layer)
        if macs and len(step.layer.activations) == 1:
            kinds.add(step.scratch_bytes > 0)
            x = step.layer.activations[0]
            assert (scratch[i] if step.scratch_bytes else tensors[x.name]) >= macs
            assert not step.scratch_bytes or tensors[x.name] < macs
    assert kinds == {True, False}


def test_a_place_belongs_to_the_last_part_that_begins_before_it() -> None:
    parts = [ArenaPart("dtcm", 0, 40), ArenaPart("", 40, 8)]
    assert [part_at(parts, offset).pointer for offset in (0, 36, 40, 44)] == ["arena_dtcm"] * 2 + ["arena"] * 2


def test_rooms_are_the_memories_without_the_stack() -> None:
    board = load_board("nucleo-h743zi")
    assert rooms_of(board) == (
        Room("dtcm", "dtcm", 131_072),
        Room("", "axi", 524_288 - 4096),
        Room("sram123", "sram123", 294_912),
        Room("sram4", "sram4", 65_536),
    )
    assert rooms_of(board, parse_memories("axi:1001,dtcm")) == (Room("dtcm", "dtcm", 131_072), Room("", "axi", 1000))
    assert rooms_of(load_board("host")) == ()


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("dtcm", [RamUse("dtcm")]),
        ("dtcm:64k,axi", [RamUse("dtcm", 65_536), RamUse("axi")]),
        ("a:1000,b:1M", [RamUse("a", 1000), RamUse("b", 1_048_576)]),
    ],
)
def test_memories_are_named_with_bounds_or_without(text: str, uses: list[RamUse]) -> None:
    assert parse_memories(text) == tuple(uses)
    assert parse_memories(",".join(use.text for use in uses)) == tuple(uses)


@pytest.mark.parametrize("text", ["", "a,", ":4", "a:", "a:0", "a:1.5", "a:-4", "a:4kk"])
def test_what_names_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_memories(text)
    assert str(caught.value) == f"memory '{text}': is not of the form NAME[:BYTES],..., as in dtcm:64k,axi"


def test_a_memory_is_named_once() -> None:
    with pytest.raises(ModelError) as caught:
        parse_memories("a:4,b,a")
    assert str(caught.value) == "memory 'a:4,b,a': names 'a' twice; name each memory once"


def test_a_memory_that_the_board_does_not_have_is_refused() -> None:
    with pytest.raises(BoardError) as caught:
        rooms_of(load_board("nucleo-h743zi"), parse_memories("dctm"))
    assert str(caught.value) == (
        "memory 'dctm': board 'nucleo-h743zi' has dtcm, axi, sram123, sram4; another is named in a board file of "
        "your own, below [memory.more]; did you mean 'dtcm'?"
    )
    with pytest.raises(BoardError) as caught:
        rooms_of(load_board("cortex-m4"), parse_memories("dtcm"))
    assert str(caught.value) == (
        "memory 'dtcm': board 'cortex-m4' has ram; another is named in a board file of your own, below [memory.more]"
    )
    with pytest.raises(BoardError) as caught:
        rooms_of(load_board("host"), parse_memories("ram"))
    assert str(caught.value) == "memory 'ram': board 'host' names no memories; leave out --memory"
