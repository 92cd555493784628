"""Names that nothing else has."""

from __future__ import annotations


def fresh(stem: str, taken: set[str]) -> str:
    """`stem`, or else stem_2, stem_3, ...: the first that is not taken, which it then is."""
    name, n = stem, 1
    while name in taken:
        n += 1
        name = f"{stem}_{n}"
    taken.add(name)
    return name
