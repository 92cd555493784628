"""Numbers of TOML files."""

from __future__ import annotations

from math import isfinite
from typing import TypeGuard

_LARGEST = 2**63  # of whole numbers, which TOML asks for no more of


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number that a float holds."""
    if type(value) is int:
        return abs(value) < _LARGEST
    return type(value) is float and isfinite(value)
