"""In which memories of a board an arena is to lie, and how much of each it may take."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.errors import ModelError

_UNITS = {"": 1, "k": 2**10, "m": 2**20}


@dataclass(frozen=True)
class RamUse:
    """A memory by its name on the board, and the most bytes of it; None: as many as it has."""

    memory: str
    most_bytes: int | None = None

    @property
    def text(self) -> str:
        """As `parse_memories` reads it."""
        return self.memory if self.most_bytes is None else f"{self.memory}:{self.most_bytes}"


def parse_memories(text: str) -> tuple[RamUse, ...]:
    """Names with commas between, each with a bound behind a colon or without: `dtcm:64k,axi`. Raises ModelError for any
    other text."""
    uses: list[RamUse] = []
    for part in text.split(","):
        name, colon, most = part.partition(":")
        unit = most[-1:].lower() if most[-1:].lower() in _UNITS else ""
        digits = most.removesuffix(most[-1:]) if unit else most
        most_bytes = int(digits) * _UNITS[unit] if digits.isascii() and digits.isdecimal() else 0
        if not name or (colon and not most_bytes):
            raise ModelError(f"memory '{text}': is not of the form NAME[:BYTES],..., as in dtcm:64k,axi")
        if name in [use.memory for use in uses]:
            raise ModelError(f"memory '{text}': names '{name}' twice; name each memory once")
        uses.append(RamUse(name, most_bytes if colon else None))
    return tuple(uses)
