"""In which order rows are made, and how many of each tensor are held, for networks that are counted by hand."""

from __future__ import annotations

import pytest

from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.plan.schedule import Schedule, Stage, schedule

SAME = RowWindow(3, 1, 1)  # 3 rows of a window, padded so that there are as many outputs as inputs
HALF = RowWindow(3, 2, 1)


def rows(found: Schedule | None) -> dict[str, int]:
    assert found is not None
    return {ring.tensor: ring.rows for ring in found.rings}


def test_a_window_of_three_rows_keeps_three() -> None:
    stages = [
        Stage(("x",), (SAME,), "a", 8, 1),
        Stage(("a",), (SAME,), "b", 8, 1),
        Stage(("b",), (OWN_ROW,), "y", 8, 1),
    ]
    found = schedule(stages, dict.fromkeys("xaby", 8), dict.fromkeys("xaby", 10), ["y"])
    assert rows(found) == {"a": 3, "b": 1}


def test_each_row_is_made_once_and_of_rows_that_are_there() -> None:
    stages = [Stage(("x",), (SAME,), "a", 9, 2), Stage(("a",), (HALF,), "y", 5, 1)]
    found = schedule(stages, {"x": 9, "a": 9, "y": 5}, dict.fromkeys("xay", 1), ["y"])
    assert found is not None
    done = {"a": 0, "y": 0}
    for made in found.made:
        stage = stages[made.stage]
        assert made.first == done[stage.output]
        if stage.output == "y":
            assert made.start + made.band.in_rows <= done["a"]
        done[stage.output] += made.band.out_rows
    assert done == {"a": 9, "y": 5}


def test_more_rows_at_a_time_are_held() -> None:
    stages = [Stage(("x",), (SAME,), "a", 8, 4), Stage(("a",), (SAME,), "y", 8, 4)]
    found = schedule(stages, dict.fromkeys("xay", 8), dict.fromkeys("xay", 1), ["y"])
    assert rows(found) == {"a": 8}  # 5 to begin with, then all from the fourth on
    stages = [Stage(("x",), (SAME,), "a", 16, 4), Stage(("a",), (SAME,), "y", 16, 4)]
    found = schedule(stages, dict.fromkeys("xay", 16), dict.fromkeys("xay", 1), ["y"])
    assert rows(found) == {"a": 9}  # of 8 to 15 the row above is read too


def test_the_short_way_round_a_residual_keeps_the_delay_of_the_long_one() -> None:
    stages = [
        Stage(("x",), (OWN_ROW,), "a", 8, 1),
        Stage(("a",), (SAME,), "b", 8, 1),
        Stage(("b",), (SAME,), "c", 8, 1),
        Stage(("a", "c"), (OWN_ROW, OWN_ROW), "y", 8, 1),
    ]
    found = schedule(stages, dict.fromkeys("xabcy", 8), dict.fromkeys("xabcy", 1), ["y"])
    assert found is not None
    assert rows(found) == {"a": 3, "b": 3, "c": 1}
    assert {ring.tensor: ring.keeper for ring in found.rings} == {"a": 3, "b": 2, "c": 3}


def test_an_output_lies_over_rows_that_are_used_up() -> None:
    stages = [Stage(("x",), (SAME,), "y", 8, 1)]
    found = schedule(stages, {"x": 8, "y": 8}, {"x": 10, "y": 10}, ["y"])
    assert found is not None
    # Row r is written while rows r - 1 and on are read: two rows below.
    assert found.distances == {("y", "x"): 20}


def test_a_sum_of_all_rows_takes_them_as_they_come() -> None:
    stages = [Stage(("x",), (SAME,), "a", 6, 1), Stage(("a",), (OWN_ROW,), "y", 6, 1, folds=True)]
    found = schedule(stages, {"x": 6, "a": 6, "y": 6}, {"x": 5, "a": 5, "y": 4}, ["y"])
    assert found is not None
    assert rows(found) == {"a": 1}
    assert found.distances["y", "x"] == -26  # it is written when all rows of x are read


def test_what_two_layers_read_at_different_speeds_is_kept_for_the_slower_or_refused() -> None:
    # One needs 5 rows from 4 above on, the other one row: the former is behind, but for the rows at the end.
    wide = RowWindow(5, 1, 4)
    stages = [
        Stage(("x",), (OWN_ROW,), "a", 6, 1),
        Stage(("a",), (wide,), "b", 6, 1),
        Stage(("a",), (OWN_ROW,), "c", 6, 1),
    ]
    found = schedule(stages, dict.fromkeys("xabc", 6), dict.fromkeys("xabc", 1), ["b", "c"])
    assert rows(found) == {"a": 5}


@pytest.mark.parametrize("most", [29, 30])
def test_rings_that_take_too_much_are_given_up(most: int) -> None:
    stages = [Stage(("x",), (SAME,), "a", 8, 1), Stage(("a",), (SAME,), "y", 8, 1)]
    found = schedule(stages, dict.fromkeys("xay", 8), dict.fromkeys("xay", 10), ["y"], most)
    assert (found is None) == (most < 30)


def test_a_band_of_padding_alone_is_given_up() -> None:
    stages = [Stage(("x",), (RowWindow(1, 1, 1),), "y", 4, 1)]
    assert schedule(stages, {"x": 2, "y": 4}, {"x": 1, "y": 1}, ["y"]) is None
