"""Layers run row by row by default where that is worth the flash that it takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from reference_cases import reference_folder

from mcuq.boards.find import load_board
from mcuq.build.footprint import measure_footprint
from mcuq.compile import CompiledModel, assemble, compile_model
from mcuq.lower import Program, lower
from mcuq.plan import Plan, plan_rows
from mcuq.plan.flash import is_worth_flash

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits.onnx"
BOARDS = ("cortex-m0", "cortex-m4", "cortex-m55", "rv32imc")


@contextmanager
def whole_layers() -> Iterator[None]:
    """None runs row by row meanwhile."""
    with mock.patch.object(sys.modules["mcuq.plan.memory"], "choose", lambda *_: []):
        yield


def by_default_and_whole(model: CompiledModel, board: str) -> tuple[CompiledModel, CompiledModel]:
    parts = (model.graph, load_board(board), model.name, model.onnx_model)
    with whole_layers():
        whole = assemble(*parts)
    return assemble(*parts), whole


@pytest.mark.parametrize(
    ("more", "flash", "saved", "is_worth"),
    [(30, 1000, 0, True), (31, 1000, 0, False), (31, 1000, 30, False), (500, 1000, 500, True), (-8, 1000, -100, True)],
)
def test_rows_are_worth_three_hundredths_of_flash_or_as_much_as_they_save(
    more: int, flash: int, saved: int, is_worth: bool
) -> None:
    assert is_worth_flash(more, flash, saved) == is_worth


@pytest.fixture(scope="module")
def digits() -> CompiledModel:
    return compile_model(DIGITS, "rv32imc")


@pytest.mark.parametrize("board", ["cortex-m4", "rv32imc"])
def test_a_small_network_runs_whole_where_rows_save_less_ram_than_their_code_takes(
    board: str, digits: CompiledModel
) -> None:
    by_default, whole = by_default_and_whole(digits, board)
    assert by_default.files == whole.files
    rows = assemble(digits.graph, by_default.board, "digits", digits.onnx_model, optimize="ram")
    assert rows.arena_bytes < whole.arena_bytes


def test_rows_are_worth_any_flash_where_whole_layers_have_no_room(digits: CompiledModel) -> None:
    features = digits.board.cpu.features
    program = lower(digits.graph, features)

    def planned(room_bytes: int) -> tuple[Program, Plan]:
        return plan_rows(program, features, room_bytes=room_bytes)

    _, plan = planned(2 * digits.arena_bytes)
    assert (plan.arena_bytes, plan.segments) == (digits.arena_bytes, ())
    _, plan = planned(digits.arena_bytes - 4)
    assert plan.arena_bytes < digits.arena_bytes
    assert plan.segments


@pytest.mark.reference
@pytest.mark.toolchain
@pytest.mark.slow
@pytest.mark.parametrize("network", ["kws", "ic", "vww", "sww", "ad", "digits"])
def test_flash_rises_by_three_hundredths_at_most(network: str) -> None:
    """What compilers make of the C: code and constants."""
    path = DIGITS if network == "digits" else reference_folder() / "models" / f"{network}_int8_qdq.onnx"
    model = compile_model(path, "cortex-m4")
    for board in BOARDS:
        by_default, whole = by_default_and_whole(model, board)
        assert by_default.arena_bytes <= whole.arena_bytes
        if by_default.files != whole.files:
            flash_bytes = [measure_footprint(own).flash_bytes for own in (by_default, whole)]
            assert flash_bytes[0] <= 1.03 * flash_bytes[1], (board, flash_bytes)
