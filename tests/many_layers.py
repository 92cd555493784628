"""What makes tests of many layers side by side quick: fixtures for the conftest.py of tests/kernels, tests/ops
and tests/importer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from build_cache import compile_hardly_optimized, compiling_by

# Slow ones that are about what compilers do at -O2.
AS_USERS_COMPILE = ("test_trapped_unaligned", "test_optimized_layers")


@pytest.fixture(autouse=True)
def unsearched_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is laid out without a search for a smaller layout."""
    for what in ("SEARCH_ROUNDS", "MORE_ROUNDS", "SEARCH_NODES"):
        monkeypatch.setattr(f"mcuq.plan.layout.{what}", 0)


@pytest.fixture(autouse=True)
def hardly_optimized_sweeps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Slow tests compile in little time."""
    if request.node.get_closest_marker("slow") is None or request.node.module.__name__ in AS_USERS_COMPILE:
        yield
        return
    with compiling_by(compile_hardly_optimized):
        yield
