"""Programs for tests of flashing: an image of random bytes for a board of the given method."""

from __future__ import annotations

import random

from mcuq.boards.find import load_board
from mcuq.build.firmware import Firmware


def firmware(n_bytes: int, address: int = 0x0800_0000, board: str = "mps2-an386", seed: int = 3) -> Firmware:
    """No method looks at anything but the image, its address and the board."""
    return Firmware(
        board=load_board(board),
        elf=b"",
        image=random.Random(seed).randbytes(n_bytes),
        address=address,
        entry=address,
        build="none",
        ram_bytes=0,
        stack_bytes=0,
        payload_bytes=0,
        window_bytes=0,
    )
