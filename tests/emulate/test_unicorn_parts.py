"""Counts divided at arrivals at functions, and how often jumps leave a block, whichever counter is used."""

from __future__ import annotations

from collections import Counter

import pytest

from mcuq.boards.find import load_board
from mcuq.build.target import build_target
from mcuq.emulate import block_counts
from mcuq.emulate.unicorn_cpu import CallResult, UnicornCpu
from mcuq.errors import BuildError

# `work` loops r0 times, 2 instructions a turn, and returns; `steps` calls it twice and ends with a jump to `last`.
SOURCE = """
#define ASM(name, text) void name(void); __attribute__((naked)) void name(void) { __asm__(text); }
ASM(work, "0: subs r0, #1\\n bne 0b\\n bx lr")
ASM(last, "movs r0, #7\\n bx lr")
ASM(steps, "push {r4, lr}\\n movs r0, #5\\n bl work\\n movs r0, #3\\n bl work\\n pop {r4, lr}\\n b last")
"""


@pytest.fixture(params=["native", "python"])
def cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> UnicornCpu:
    def fail() -> None:
        raise BuildError("no compiler")

    if request.param == "python":
        monkeypatch.setattr(block_counts, "_native_hook", fail)
    board = load_board("cortex-m4")
    return UnicornCpu(build_target({"steps.c": SOURCE}, "steps", ("work", "last"), board).elf, board)


def _instructions(result: CallResult) -> list[int]:
    return [sum(b.instructions * b.count for b in part.blocks.values()) for part in result.parts]


def test_parts_begin_at_the_call_and_at_each_arrival(cpu: UnicornCpu) -> None:
    result = cpu.call("steps", count=True, marks=("work", "last"))
    functions = [cpu.address_of(name) for name in ("steps", "work", "work", "last")]
    assert [part.address for part in result.parts] == functions
    # What follows a function's return, up to the next arrival, is its part too.
    assert _instructions(result) == [3, 5 * 2 + 1 + 2, 3 * 2 + 1 + 2, 2]
    assert sum(_instructions(result)) == result.instructions


def test_a_function_that_is_not_reached_divides_nothing(cpu: UnicornCpu) -> None:
    result = cpu.call("last", count=True, marks=("work",))
    assert [part.address for part in result.parts] == [cpu.address_of("last")]
    assert _instructions(result) == [2]


def test_marks_of_one_call_are_gone_at_the_next(cpu: UnicornCpu) -> None:
    first = cpu.call("steps", count=True, marks=("work",))
    plain = cpu.call("steps", count=True)
    assert plain.parts == ()
    assert plain.blocks == first.blocks
    assert cpu.call("steps", count=True, marks=("work",)) == first
    assert cpu.call("steps", marks=("work",)).instructions is None


def test_jumps_that_are_taken_are_told_from_those_that_are_not(cpu: UnicornCpu) -> None:
    result = cpu.call("work", 10, count=True)
    assert result.blocks is not None
    loop = cpu.address_of("work")
    assert (result.blocks[loop].count, result.blocks[loop].left) == (10, 9)
    left = Counter(block.left for block in result.blocks.values())
    assert left == {9: 1, 0: 1}


def test_an_unknown_mark_is_refused(cpu: UnicornCpu) -> None:
    with pytest.raises(BuildError) as error:
        cpu.call("steps", count=True, marks=("wrk",))
    assert str(error.value) == "emulated cortex-m4: 'wrk' is not in the program; did you mean 'work'?"
