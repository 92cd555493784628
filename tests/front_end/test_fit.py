"""A board has to have room for a model and its front end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_compiled import TEXT as SOUND
from test_compiled import network
from test_image_models import TEXT as IMAGE
from test_image_models import looking

from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, compile_model
from mcuq.errors import BoardError
from mcuq.front_end.read import parse_front_end
from mcuq.plan.fit import STACK_BYTES


def board_of(ram_bytes: int, flash_bytes: int) -> Board:
    board = load_board("cortex-m4")
    assert board.memory is not None
    return replace(board, name="small", memory=replace(board.memory, ram_bytes=ram_bytes, flash_bytes=flash_bytes))


@pytest.mark.parametrize("kind", ["sound", "image"])
def test_a_model_and_its_front_end_fit_or_are_refused(kind: str, tmp_path: Path) -> None:
    proto, text = (network(1, 6, 13), SOUND) if kind == "sound" else (looking(), IMAGE)

    def compiled(board: Board) -> CompiledModel:
        return compile_model(proto, board, name="fed", front_end=parse_front_end(text))

    large = load_board("cortex-m4")
    assert large.memory is not None
    model = compiled(large)
    made = model.front_end_files()
    assert made is not None
    assert made.state_bytes > 0
    ram = model.arena_bytes + made.state_bytes + STACK_BYTES
    flash = model.constant_bytes + made.table_bytes
    assert compiled(board_of(ram, flash)).arena_bytes == model.arena_bytes
    with pytest.raises(BoardError) as error:
        compiled(board_of(ram - 1, flash))
    assert str(error.value).split(";")[0] == (
        f"model 'fed' needs {ram:,} bytes of RAM (arena {model.arena_bytes:,} + front end {made.state_bytes:,} + stack "
        f"4,096), small has {ram - 1:,}"
    )
    with pytest.raises(BoardError) as error:
        compiled(board_of(ram, flash - 1))
    assert str(error.value).split(";")[0] == (
        f"model 'fed' needs {flash:,} bytes of flash (constants {model.constant_bytes:,} + the front end's tables "
        f"{made.table_bytes:,} without code), small has {flash - 1:,}"
    )
