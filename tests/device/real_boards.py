"""The boards whose firmware only models of their registers run: every board file that has firmware and no QEMU."""

from __future__ import annotations

from collections.abc import Collection
from math import isqrt

from mcuq.boards.find import board_names, load_board

# From here on most of the RAM is the model's, whatever the firmware needs besides.
LARGE_RAM_BYTES = 200_000


def real_boards(families: Collection[str] | None = None) -> tuple[str, ...]:
    """Names of all of them, or of those with chips of these families."""
    found = []
    for name in board_names():
        board = load_board(name)
        if board.driver is not None and board.qemu is None and (families is None or board.driver.family in families):
            found.append(name)
    return tuple(found)


def large_boards(families: Collection[str]) -> tuple[str, ...]:
    """Those with RAM for a large model."""
    return tuple(name for name in real_boards(families) if _ram_bytes(name) >= LARGE_RAM_BYTES)


def side_of_large_model(name: str) -> int:
    """Of two inputs (side, side, 4) and their sum that take 95 % of the board's RAM."""
    return isqrt(_ram_bytes(name) * 95 // 100 // (3 * 4))


def _ram_bytes(name: str) -> int:
    memory = load_board(name).memory
    assert memory is not None
    return memory.ram_bytes
