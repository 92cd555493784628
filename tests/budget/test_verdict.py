"""What is said of figures beside their bounds, with made-up figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcuq.budget import Budget, BudgetError, budget_json, budget_lines
from mcuq.errors import QuantizationError
from mcuq.report.candidates import Candidate, Figures

FIGURES = Figures(24.96, 1.0, 0.8999, 40_000, 9_000, 3_000_000, 25, ms=30.001)
ALL = Budget(48 * 1024, 20.0, 0.85, 16 * 1024, 40.0)
A, B = Candidate("all int8 weights"), Candidate("2 of int4 weights")


def error(budget: Budget, **measured: Figures) -> str:
    return str(BudgetError(budget, {{"a": A, "b": B}[name]: figures for name, figures in measured.items()}))


def test_each_figure_is_told_beside_its_bound() -> None:
    assert [*budget_lines(ALL, FIGURES)] == [
        "  budget  --max-ram      9,000 bytes, at most 16,384",
        "          --max-flash    40,000 bytes, at most 49,152",
        "          --max-ms       30.01 ms, at most 40.00",
        "          --min-sqnr     24.96 dB, at least 20.00",
        "          --min-accuracy 89.99 %, at least 85.00",
    ]
    assert budget_json(Budget(max_ms=30.0), FIGURES) == [
        {"option": "--max-ms", "bound": 30.0, "value": 30.001, "is_met": False}
    ]


@pytest.mark.parametrize("name", ["max_flash_bytes", "min_sqnr_db", "min_accuracy", "max_ram_bytes", "max_ms"])
@pytest.mark.parametrize("bound", [float("nan"), float("inf"), float("-inf")])
def test_a_bound_that_is_not_finite_is_refused(name: str, bound: float) -> None:
    with pytest.raises(QuantizationError) as caught:
        Budget(**{name: bound})
    assert str(caught.value) == f"budget: {name} {bound} is not finite; give a number, or None for no limit"


def test_the_largest_bounds_are_told_too() -> None:
    assert [*budget_lines(Budget(max_ms=1e308), FIGURES)] == ["  budget  --max-ms       30.01 ms, at most 1e+308"]


def test_an_exact_model_meets_any_sqnr() -> None:
    exact = replace(FIGURES, sqnr_db=float("inf"))
    budget = Budget(min_sqnr_db=300.0)
    assert budget.is_met_by(exact)
    assert [*budget_lines(budget, exact)] == ["  budget  --min-sqnr     exact, at least 300.00"]


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(max_ram_bytes=8_192), "--max-ram 8,192 is missed by 808 (9,000 bytes); --max-ram 9000 would be met"),
        (Budget(39_936), "--max-flash 39,936 is missed by 64 (40,000 bytes); --max-flash 40000 would be met"),
        (Budget(max_ms=30.0), "--max-ms 30 is missed by 0.01 (30.01 ms); --max-ms 30.01 would be met"),
        (Budget(None, 25.0), "--min-sqnr 25 is missed by 0.04 (24.96 dB); --min-sqnr 24.96 would be met"),
        (
            Budget(None, None, 0.9),
            "--min-accuracy 90 is missed by 0.01 (89.99 %); --min-accuracy 89.99 would be met",
        ),
        (
            Budget(48 * 1024, None, 0.9),
            "--min-accuracy 90 is missed by 0.01 (89.99 %), --max-flash 49,152 is met; --min-accuracy 89.99 would be "
            "met",
        ),
        (
            Budget(2 * 1024 * 1024, 20.0, 0.9, 4_096),
            "--max-ram 4,096 is missed by 4,904 (9,000 bytes), --min-accuracy 90 is missed by 0.01 (89.99 %), "
            "--max-flash 2,097,152 and --min-sqnr 20 are met; --max-ram 9000 with --min-accuracy 89.99 would be met",
        ),
    ],
)
def test_what_is_missed_is_told_with_by_how_much_and_what_would_be_met(budget: Budget, said: str) -> None:
    assert (
        error(budget, a=FIGURES) == f"budget: nothing meets it (1 choice tried), nearest is 'all int8 weights': {said}"
    )


def test_each_limit_that_alone_would_do_is_told() -> None:
    small = replace(FIGURES, flash_bytes=20_000, sqnr_db=15.0)
    assert error(Budget(30_000, 20.0), a=FIGURES, b=small) == (
        "budget: nothing meets it (2 choices tried), nearest is '2 of int4 weights': --min-sqnr 20 is missed by 5.00 "
        "(15.00 dB), --max-flash 30,000 is met; --max-flash 40000 or --min-sqnr 15.00 would be met"
    )


def test_what_is_said_to_be_met_is() -> None:
    assert not Budget(max_ms=30.0).is_met_by(FIGURES)
    assert Budget(max_ms=30.01).is_met_by(FIGURES)
    assert Budget(None, 24.96, 0.8999).is_met_by(FIGURES)


def test_a_figure_that_is_not_known_is_said_to_be_none() -> None:
    none = Figures(30.0, 1.0, None, None, None, None, 25)
    assert error(Budget(max_ram_bytes=100), a=none) == (
        "budget: nothing meets it (1 choice tried), nearest is 'all int8 weights': --max-ram 100: it does not fit the "
        "board; see mcuq diagnose"
    )
    note = "labels: they run from 1 to 10, the classes of output 'logits' from 0 to 9: accuracy is not counted"
    assert error(Budget(min_accuracy=0.5), a=replace(none, notes=(note,))) == (
        f"budget: nothing meets it (1 choice tried), nearest is 'all int8 weights': --min-accuracy 50: {note}; see "
        "mcuq diagnose"
    )
