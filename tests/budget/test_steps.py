"""The order in which layers give up bits."""

from __future__ import annotations

from mcuq.budget.sensitivity import Sensitivity
from mcuq.budget.steps import Step, steps_down


def test_the_layer_whose_bytes_cost_least_noise_goes_first() -> None:
    cheap = Sensitivity("cheap", (0.0, 1.0, 100.0), (1000, 500, 250))
    dear = Sensitivity("dear", (0.0, 10.0, 1000.0), (1000, 500, 250))
    assert [(step.layer, step.level) for step in steps_down([dear, cheap])] == [
        ("cheap", 1),
        ("dear", 1),
        ("cheap", 2),
        ("dear", 2),
    ]


def test_a_large_layer_goes_before_a_small_one_of_the_same_noise() -> None:
    small = Sensitivity("small", (0.0, 1.0, 2.0), (100, 50, 25))
    large = Sensitivity("large", (0.0, 1.0, 2.0), (1000, 500, 250))
    assert steps_down([small, large])[0].layer == "large"


def test_a_step_states_what_it_frees_and_costs() -> None:
    assert steps_down([Sensitivity("a", (1.0, 4.0, 50.0), (1000, 500, 250))]) == (
        Step("a", 1, 3.0, 500),
        Step("a", 2, 46.0, 250),
    )


def test_a_level_above_the_hull_is_passed_over() -> None:
    # 4 bits cost 9 for 500 bytes, 2 bits 10 for 750: nobody would stop at 4.
    assert steps_down([Sensitivity("a", (0.0, 9.0, 10.0), (1000, 500, 250))]) == (Step("a", 2, 10.0, 750),)


def test_a_level_that_frees_nothing_is_no_step() -> None:
    assert [step.level for step in steps_down([Sensitivity("tiny", (0.0, 1.0, 2.0), (1, 1, 1))])] == []


def test_noise_that_falls_counts_as_none() -> None:
    assert steps_down([Sensitivity("a", (5.0, 4.0, 9.0), (100, 50, 25))])[0].noise == 0.0


def test_ties_are_broken_by_name_so_that_the_order_is_always_the_same() -> None:
    pair = [Sensitivity(name, (0.0, 1.0, 9.0), (100, 50, 25)) for name in ("b", "a")]
    assert steps_down(pair) == steps_down(pair[::-1])
