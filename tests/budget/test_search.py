"""Choosing bits for the digits network under budgets."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mcuq.boards.find import load_board
from mcuq.budget import Budget, BudgetError, Plan, search
from mcuq.budget.search import _Finder
from mcuq.budget.sensitivity import weighted_nodes
from mcuq.compile import QuantizedModel
from mcuq.errors import DataError
from mcuq.options import Options
from mcuq.quantize import Scheme
from mcuq.report.candidates import Candidate, Figures, Workbench, best_of
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"
BENCH = Workbench(
    DIGITS / "digits.onnx",
    load_board("cortex-m4"),
    DIGITS / "digits_calibration.npz",
    DIGITS / "digits_calibration.npz",
    Options(judged=False),
    counts=False,
)
NOW = Candidate("")


def plan(budget: Budget) -> Plan:
    return search(BENCH, NOW, budget)


def chosen(found: Plan) -> Figures:
    return found.measured[found.chosen]


@pytest.fixture(scope="module")
def everything() -> Figures:
    """All layers at 8 bits."""
    return BENCH.measure(Candidate("all", Scheme()))


def test_the_most_accurate_that_fits_the_flash_is_chosen(everything: Figures) -> None:
    assert everything.flash_bytes is not None
    limit = everything.flash_bytes - 800
    found = plan(Budget(max_flash_bytes=limit))
    figures = chosen(found)
    assert figures.flash_bytes is not None
    assert figures.flash_bytes <= limit
    others = [f for f in found.measured.values() if f.flash_bytes is not None and f.flash_bytes <= limit]
    assert figures.sqnr_db == max(f.sqnr_db for f in others)
    assert figures.sqnr_db < everything.sqnr_db


def test_a_flash_that_holds_all_of_int8_leaves_it_as_it_is() -> None:
    found = plan(Budget(max_flash_bytes=10**9))
    assert found.chosen.scheme == Scheme()
    assert found.chosen.title == "all int8 weights"


def test_no_candidate_is_quantized_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    quantized: list[Candidate] = []
    quantize = Workbench.quantize

    def counted(bench: Workbench, candidate: Candidate) -> QuantizedModel:
        quantized.append(replace(candidate, title=""))
        return quantize(bench, candidate)

    monkeypatch.setattr(Workbench, "quantize", counted)
    found = plan(Budget(max_flash_bytes=10**9))
    assert len(quantized) == len(found.measured)
    assert all(quantized.count(candidate) == 1 for candidate in quantized)


@pytest.mark.slow
def test_the_smallest_that_is_accurate_enough_is_chosen(everything: Figures) -> None:
    found = plan(Budget(min_sqnr_db=everything.sqnr_db - 8))
    figures = chosen(found)
    assert figures.sqnr_db >= everything.sqnr_db - 8
    assert figures.flash_bytes is not None
    assert everything.flash_bytes is not None
    assert figures.flash_bytes < everything.flash_bytes
    assert re.fullmatch(r"\d+ of int4 weights|.*int2 weights", found.chosen.title)


@pytest.mark.slow
def test_int16_activations_are_the_way_to_more_than_int8_reaches(everything: Figures) -> None:
    found = plan(Budget(min_sqnr_db=everything.sqnr_db + 3))
    assert "int16 activations" in found.chosen.title
    assert chosen(found).sqnr_db >= everything.sqnr_db + 3


@pytest.mark.slow
def test_accuracy_is_counted_on_labels() -> None:
    labelled = replace(BENCH, data=DIGITS / "digits_test.npz")
    found = search(labelled, NOW, Budget(min_accuracy=0.9))
    assert (chosen(found).accuracy or 0) >= 0.9


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_says_what_came_nearest() -> None:
    with pytest.raises(BudgetError) as caught:
        plan(Budget(max_flash_bytes=1000))
    assert re.fullmatch(
        r"budget: nothing meets it \(\d choices tried\), nearest is '[^']+ weights, size': --max-flash 1,000 is "
        r"missed by \d,\d{3} \(\d,\d{3} bytes\); --max-flash \d{4} would be met",
        str(caught.value),
    )
    with pytest.raises(BudgetError) as caught:
        plan(Budget(min_sqnr_db=200))
    assert re.fullmatch(
        r"budget: nothing meets it \(\d choices tried\), nearest is 'int16 activations of \d layers': --min-sqnr 200 "
        r"is missed by \d+\.\d\d \(\d+\.\d\d dB\); --min-sqnr \d+\.\d\d would be met",
        str(caught.value),
    )


def test_an_accuracy_without_labels_is_refused_before_anything_is_quantized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Workbench, "quantize")
    unlabelled = replace(BENCH, data=np.load(DIGITS / "digits_calibration.npz")["x"])
    for bench in (unlabelled, replace(BENCH, data=None)):
        with pytest.raises(DataError) as caught:
            search(bench, NOW, Budget(min_accuracy=0.5))
        assert str(caught.value) == (
            "--min-accuracy 50: the data has no labels `y`; give --data DATA with `y`, a class for each sample"
        )


def test_layers_whose_weights_came_quantized_give_up_no_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = _Finder(BENCH, NOW, Budget(max_flash_bytes=1000), lambda: None)
    names = [node.name for node in weighted_nodes(finder._quantized.float_graph)]
    monkeypatch.setattr(_Finder, "given", frozenset(names[:2]))
    assert finder._title() == "given and int8 weights"
    assert {step.layer for step in finder._steps()} == {*names[2:]}


RAM = Workbench(DIGITS / "digits.onnx", load_board("cortex-m4"), None, None, Options(max_ram_bytes=2000))


def test_where_ram_is_limited_the_fastest_that_fits_is_chosen_and_no_data_is_needed() -> None:
    found = search(RAM, NOW, Budget(max_ram_bytes=2000))
    assert [c.title for c in found.measured] == ["all int8 weights, speed", "all int8 weights"]
    speed, balanced = (found.measured[c].instructions or 0 for c in found.measured)
    assert found.chosen.optimize == ("speed" if speed < balanced else None)
    assert all((figures.arena_bytes or 9999) <= 2000 for figures in found.measured.values())
    assert {figures.sqnr_db for figures in found.measured.values()} == {None}


def test_a_goal_that_was_asked_for_stays() -> None:
    asked = replace(RAM, options=replace(RAM.options, optimize="ram"))
    found = search(asked, NOW, Budget(max_ram_bytes=2000), is_goal_open=False)
    assert {c: c.options(asked.options).optimize for c in found.measured} == {found.chosen: "ram"}


@pytest.mark.slow
def test_what_would_be_met_is_told_for_each_limit_alone_and_is_met() -> None:
    timed = replace(RAM, times=True)
    with pytest.raises(BudgetError) as caught:
        search(timed, NOW, Budget(max_ram_bytes=2000, max_ms=0.01))
    ms: dict[bool, list[float]] = {True: [], False: []}
    for figures in caught.value.measured.values():
        ms[(figures.arena_bytes or 0) <= 2000].append(figures.ms or 0.0)
    between = round((min(ms[True]) + min(ms[False])) / 2, 3)
    with pytest.raises(BudgetError) as caught:
        search(timed, NOW, Budget(max_ram_bytes=2000, max_ms=between))
    found = re.search(r"; --max-ram (\d+) or --max-ms (\d\.\d\d) would be met$", str(caught.value))
    assert found is not None, str(caught.value)
    ram, slower = int(found[1]), float(found[2])
    assert "any RAM" in " ".join(c.title for c in caught.value.measured)
    wider = replace(timed, options=replace(timed.options, max_ram_bytes=ram))
    chosen = search(wider, NOW, Budget(max_ram_bytes=ram, max_ms=between))
    assert chosen.measured[chosen.chosen].arena_bytes == ram
    chosen = search(timed, NOW, Budget(max_ram_bytes=2000, max_ms=slower))
    assert between < (chosen.measured[chosen.chosen].ms or 0) <= slower


def test_a_tick_follows_each_model_that_is_measured() -> None:
    ticks: list[None] = []
    found = search(BENCH, NOW, Budget(max_flash_bytes=10**9), lambda: ticks.append(None))
    assert len(ticks) == len(found.measured)


def test_the_best_are_those_that_no_other_is_as_good_as() -> None:
    figures = Figures(30.0, 1.0, None, 1000, 500, None)
    measured = {
        Candidate("good"): figures,
        Candidate("dearer"): replace(figures, flash_bytes=2000),
        Candidate("better and dearer"): replace(figures, sqnr_db=40.0, flash_bytes=2000),
        Candidate("does not fit"): replace(figures, sqnr_db=20.0, flash_bytes=None),
    }
    assert {candidate.title for candidate in best_of(measured)} == {"good", "better and dearer"}
