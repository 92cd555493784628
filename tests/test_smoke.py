"""The quick selection misses no room."""

from __future__ import annotations

import pytest
from smoke import SMOKE, TESTS, mark_smoke

# Networks that pip does not bring, and what is no test.
LEFT_OUT = {"golden", "reference"}
ROOMS = sorted(path.name for path in TESTS.iterdir() if path.is_dir() and any(path.glob("*.py")))


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in LEFT_OUT])
def test_smoke_touches_every_room(room: str) -> None:
    assert any(name.startswith(f"{room}/") for name in SMOKE), f"tests/smoke.py names no test of tests/{room}"


@pytest.mark.parametrize("name", SMOKE)
def test_what_smoke_names_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert (TESTS / path).exists()
    assert f"def {test}" in (TESTS / path).read_text() if test else True


def test_smoke_leaves_out_what_is_slow() -> None:
    class Item:
        def __init__(self, nodeid: str, marker: str = "") -> None:
            self.nodeid, self.marker = nodeid, marker

        def get_closest_marker(self, name: str) -> bool:
            return name == self.marker

        def add_marker(self, name: str) -> None:
            self.marker += f" {name}"

    items = [Item("tests/graph/test_ir.py::test_a"), Item("tests/graph/test_ir.py::test_b", "slow"), Item("tests/x.py")]
    mark_smoke(items)  # type: ignore[arg-type]
    assert [item.marker for item in items] == [" smoke", "slow", ""]
