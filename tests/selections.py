"""Which of many alike cases run by default: CI runs all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

# pytest says nowhere else what `pytest.param` gives.
_Set = type(pytest.param(None))


def quick(values: Iterable[Any], count: int = 1) -> list[Any]:
    """Values for `parametrize`, of which all but the first `count` are for tests that are `slow`."""
    sets = [v if isinstance(v, _Set) else pytest.param(*(v if isinstance(v, tuple) else (v,))) for v in values]
    slow = [pytest.param(*s.values, marks=(*s.marks, pytest.mark.slow), id=s.id) for s in sets[count:]]
    return [*sets[:count], *slow]
