"""Erase units of a chip's flash."""

from __future__ import annotations

import pytest

from mcuq.device.flash.sectors import parse_sectors, sectors_under
from mcuq.errors import BoardError


def test_runs_of_equal_sectors_are_written_out() -> None:
    assert parse_sectors("4x16K 1x64K 2x128K") == (16384,) * 4 + (65536,) + (131072,) * 2


@pytest.mark.parametrize(
    ("n_bytes", "numbers"),
    [(1, (0,)), (1024, (0,)), (1025, (0, 1)), (2048, (0, 1)), (2049, (0, 1, 2)), (6144, (0, 1, 2))],
)
def test_a_sector_is_erased_from_its_first_byte_on(n_bytes: int, numbers: tuple[int, ...]) -> None:
    assert sectors_under(parse_sectors("2x1K 1x4K"), n_bytes) == numbers


@pytest.mark.parametrize("text", ["", "16K", "4x16", "0x16K", "4x16K,1x64K"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(BoardError) as error:
        parse_sectors(text)
    assert str(error.value) == f"[flash] sectors = '{text}': is not of the form '4x16K 1x64K 7x128K'"


def test_a_program_behind_the_last_sector_is_refused() -> None:
    with pytest.raises(BoardError) as error:
        sectors_under((1024,), 1025)
    assert str(error.value) == "[flash] sectors end at 1,024 bytes, the program has 1,025; complete the list"
