"""The erase units of a chip's flash, as [flash] sectors of a board file gives them: "4x16K 1x64K 7x128K"."""

from __future__ import annotations

import re
from itertools import accumulate

from mcuq.errors import BoardError

_RUN = re.compile(r"([1-9]\d*)x([1-9]\d*)K")


def parse_sectors(text: str) -> tuple[int, ...]:
    """Bytes of each sector, in order from the start of flash. Raises BoardError for a text of another form."""
    runs = [_RUN.fullmatch(word) for word in text.split()]
    if not runs or None in runs:
        raise BoardError(f"[flash] sectors = '{text}': is not of the form '4x16K 1x64K 7x128K'")
    return tuple(int(run[2]) * 1024 for run in runs if run for _ in range(int(run[1])))


def sectors_under(sectors: tuple[int, ...], n_bytes: int) -> tuple[int, ...]:
    """Numbers of the sectors that the first `n_bytes` of flash lie in. Raises BoardError where they do not suffice."""
    ends = list(accumulate(sectors))
    if n_bytes > ends[-1]:
        raise BoardError(f"[flash] sectors end at {ends[-1]:,} bytes, the program has {n_bytes:,}; complete the list")
    return tuple(range(next(i for i, end in enumerate(ends) if end >= n_bytes) + 1))
