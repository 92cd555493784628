"""OR-tools' CP-SAT beside the own search: each finds what the other does, and CP-SAT closes the gaps that are left."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from golden.graphs import digits
from selections import quick
from test_place import assert_valid, end_of, random_blocks

from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.cli import main
from mcuq.compile import Aim, assemble_for, with_goal
from mcuq.errors import ModelError
from mcuq.plan import layout
from mcuq.plan.blocks import Block, Extent, distances
from mcuq.plan.cp_sat import MISSING, solve
from mcuq.plan.layout import lay_out, lay_out_quickly, lower_bound


def problem(seed: int, count: int = 12) -> tuple[list[Block], dict[tuple[int, int], int]]:
    """Blocks of which some shrink, and some may lie over another that ends where they begin."""
    rng = random.Random(seed)
    blocks = []
    for own in random_blocks(seed, count, count, 4):
        turn = rng.randint(own.first + 1, own.last)
        less = 4 * rng.randint(1, own.size_bytes // 4)
        extents = Extent(0, own.size_bytes, own.first, turn - 1), Extent(own.size_bytes - less, less, turn, own.last)
        blocks.append(replace(own, extents=extents if rng.random() < 0.4 else ()))
    pairs = [(i, j) for i, a in enumerate(blocks) for j, b in enumerate(blocks) if i != j and b.last == a.first]
    return blocks, {pair: 4 * rng.randint(-20, 60) for pair in pairs if rng.random() < 0.5}


@pytest.mark.parametrize("seed", quick(range(40), 6))
def test_the_least_is_the_same(seed: int) -> None:
    blocks, over = problem(seed)
    own = lay_out(blocks, over)
    known = lay_out_quickly(blocks, over)
    offsets, bound = solve(blocks, distances(blocks, over), known.offsets, known.size_bytes, lower_bound(blocks, over))
    assert_valid(blocks, offsets, over)
    assert end_of(blocks, offsets) == bound <= own.size_bytes
    assert own.least_bytes <= bound
    if own.is_least:
        assert bound == own.size_bytes


def test_what_a_search_leaves_open_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEARCH_ROUNDS", "MORE_ROUNDS", "SEARCH_NODES", "NODES_OF_A_PART"):
        monkeypatch.setattr(layout, name, 1)
    left = 0
    for seed in range(8):
        blocks, over = problem(seed, 20)
        own, both = lay_out(blocks, over), lay_out(blocks, over, solver="cp-sat")
        left += not own.is_least
        assert both.is_least
        assert own.least_bytes <= both.size_bytes <= own.size_bytes
        assert_valid(blocks, list(both.offsets), over)
    assert left > 3


def test_an_end_that_comes_too_soon_leaves_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["mcuq.plan.cp_sat"], "SECONDS", 0.0)
    blocks, over = problem(1, 30)
    known = lay_out_quickly(blocks, over)
    offsets, bound = solve(blocks, distances(blocks, over), known.offsets, known.size_bytes, known.least_bytes)
    assert_valid(blocks, offsets, over)
    assert known.least_bytes <= bound <= end_of(blocks, offsets) <= known.size_bytes


def test_without_or_tools_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["mcuq.plan.cp_sat"], "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        lay_out([Block(4, 0, 1)], solver="cp-sat")
    assert str(caught.value) == MISSING == "--solver cp-sat: OR-tools is not installed; pip install 'mcuq[solver]'"


def test_a_model_keeps_its_solver(tmp_path: Path) -> None:
    model = assemble_for(digits(), load_board("cortex-m4"), "digits", Aim(solver="cp-sat"))
    assert model.arena_map.size_bytes == model.arena_map.least_bytes
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.solver == "cp-sat"
    assert with_goal(again, "ram").solver == "cp-sat"


def test_the_command_line_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "buffers.csv"
    path.write_text("id,lower,upper,size\na,0,3,4\nb,3,9,4\nc,0,9,4\nd,9,21,4\ne,0,21,4\n")
    done = CliRunner().invoke(main, ["plan", str(path), "--solver", "cp-sat", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["is_least"]
    done = CliRunner().invoke(main, ["plan", str(path), "--solver", "sat"])
    assert done.exit_code == 2
    assert "'sat' is not one of 'search', 'cp-sat'" in done.stderr
