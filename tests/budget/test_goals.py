"""Which goal and how many bits a budget leads to, with figures that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from mcuq.budget import Budget, BudgetError, search
from mcuq.budget.search import _Finder
from mcuq.budget.steps import Step
from mcuq.options import Options
from mcuq.report.candidates import Candidate, Figures, Workbench

STEPS = tuple(Step(f"layer{i}", 1, 0.1, 1000) for i in range(4))
# Flash with all bits and ms, by goal; each layer of fewer bits takes 1,000 bytes less, and 1 ms more.
COSTS = {None: (20_000, 50.0), "speed": (22_000, 40.0), "size": (15_000, 400.0)}


@dataclass
class MadeUp:
    """A Workbench without a model."""

    options: Options = Options()  # noqa: RUF009
    built: list[str] = field(default_factory=list)

    def quantize(self, candidate: Candidate) -> str:
        return candidate.title

    def judge(self, quantized: str) -> None:
        return None

    def figures(self, candidate: Candidate, quantized: str, report: None) -> Figures:
        self.built.append(candidate.title)
        layers = len(candidate.scheme.layers)
        flash_bytes, ms = COSTS[candidate.optimize]
        ms += layers
        return Figures(40.0 - 5 * layers, 1.0, None, flash_bytes - 1000 * layers, 8000, int(ms * 1000), 25, ms=ms)


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Finder, "_steps", lambda self: STEPS)
    monkeypatch.setattr(_Finder, "given", frozenset())


def chosen(budget: Budget) -> str:
    return search(cast(Workbench, MadeUp()), Candidate(""), budget).chosen.title


@pytest.mark.parametrize(
    ("budget", "title"),
    [
        # Costs alone: all bits, by the goal that does; the first one where RAM is no matter.
        (Budget(max_flash_bytes=30_000), "all int8 weights"),
        (Budget(max_ms=60.0), "all int8 weights"),
        (Budget(max_ms=45.0), "all int8 weights, speed"),
        (Budget(max_ram_bytes=9_000), "all int8 weights, speed"),
        (Budget(max_ram_bytes=9_000, max_flash_bytes=21_000), "all int8 weights"),
        # Fewer bits where flash asks for it, as few as it asks.
        (Budget(max_flash_bytes=18_500), "2 of int4 weights"),
        # One goal fits the flash with more bits, but not the time.
        (Budget(max_flash_bytes=20_500, max_ms=45.0), "2 of int4 weights, speed"),
        (Budget(max_flash_bytes=19_500, max_ms=43.0), "3 of int4 weights, speed"),
        # The smallest kernels only where nothing else is accurate or small enough.
        (Budget(max_flash_bytes=15_500), "all int8 weights, size"),
        (Budget(max_flash_bytes=18_500, min_sqnr_db=35.0), "all int8 weights, size"),
        (Budget(max_flash_bytes=12_000), "3 of int4 weights, size"),
        # Accuracy alone: the smallest.
        (Budget(min_sqnr_db=29.0), "2 of int4 weights"),
    ],
)
def test_what_is_chosen(budget: Budget, title: str) -> None:
    assert chosen(budget) == title


@pytest.mark.parametrize(
    ("budget", "tried"),
    [
        (Budget(max_ram_bytes=7_000), True),
        (Budget(max_ram_bytes=9_000, max_ms=30.0), True),
        # RAM is met, and more of it saves no flash.
        (Budget(max_ram_bytes=9_000, max_flash_bytes=1_000), False),
    ],
)
def test_any_ram_is_tried_where_ram_or_what_saves_it_is_in_the_way(budget: Budget, tried: bool) -> None:
    with pytest.raises(BudgetError) as caught:
        chosen(budget)
    assert any("any RAM" in candidate.title for candidate in caught.value.measured) is tried


def test_bits_are_not_taken_where_that_does_not_help() -> None:
    bench = MadeUp()
    with pytest.raises(BudgetError) as caught:
        search(cast(Workbench, bench), Candidate(""), Budget(max_ms=30.0))
    assert str(caught.value) == (
        "budget: nothing meets it (2 choices tried), nearest is 'all int8 weights, speed': --max-ms 30 is missed by "
        "10.00 (40.00 ms); --max-ms 40.00 would be met"
    )
    assert len(bench.built) == len(set(bench.built))


def test_each_limit_that_is_offered_alone_is_met() -> None:
    budget: dict[str, Any] = {"max_flash_bytes": 18_500, "max_ms": 41.0}
    with pytest.raises(BudgetError) as caught:
        chosen(Budget(**budget))
    offers = str(caught.value).partition("; ")[2].removesuffix(" would be met").split(" or ")
    assert len(offers) == 2
    for offer in offers:
        option, bound = offer.split()
        key = {"--max-flash": "max_flash_bytes", "--max-ms": "max_ms"}[option]
        assert chosen(Budget(**{**budget, key: float(bound)}))
