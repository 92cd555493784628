"""Expressions: what they evaluate to, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from mcuq.arithmetic.expression import LIBRARY, Expression, X, call, clamp, evaluate, logarithm, nodes, where

POINTS = np.array([-2.5, -1, -0.0, 0, 0.5, 3], np.float32)


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        (X + 1, POINTS + 1),
        (1 - X, 1 - POINTS),
        (X - 1.5, POINTS - np.float32(1.5)),
        (2 * X * X, 2 * POINTS * POINTS),
        (1 / (X * X + 1), 1 / (POINTS * POINTS + 1)),
        (X / 3, POINTS / np.float32(3)),
        (-X, -POINTS),
        (abs(X), np.abs(POINTS)),
        (where(X > 0, X, 7), np.where(POINTS > 0, POINTS, 7)),
        (clamp(X, -1, 2), np.clip(POINTS, -1, 2)),
        (call("round_down", X), np.floor(POINTS)),
        (X * 0.1, POINTS * np.float32(0.1)),
    ],
)
def test_an_expression_is_its_operations_each_rounded_to_float32(expression: Expression, want: np.ndarray) -> None:
    found = evaluate(expression, POINTS)
    assert found.dtype == np.float32
    assert np.array_equal(found, want.astype(np.float32))


def test_constants_are_not_rounded_to_float32_for_float64() -> None:
    assert evaluate(X * 0.1, np.array([1.0]))[0] == 0.1
    assert evaluate(X * 0.1, np.array([1.0], np.float32))[0] == np.float32(0.1)


def test_a_factor_of_one_is_no_operation() -> None:
    assert X * 1 is X


def test_nodes_come_once_and_behind_their_operands() -> None:
    square = X * X
    found = list(nodes(square + square))
    assert [node.op for node in found] == ["x", "*", "+"]


@pytest.mark.parametrize("name", LIBRARY)
def test_library_functions_are_the_same_in_both_precisions_but_for_rounding(name: str) -> None:
    """Each value within a few units in the last place: tests of the functions themselves say how many."""
    single, double = LIBRARY[name]
    x = np.linspace(0.85, 5, 1000).astype(np.float32)
    if name == "exponential_minus_one":
        x = -x
    more = (1.0, 2.0) if name == "clamp_float" else ()
    assert np.allclose(single(x, *more), double(x.astype(np.float64), *more), rtol=1e-6, atol=1e-7)


def test_logarithm_of_every_kind_of_number() -> None:
    x = np.array([1, 2.0**-130, 0, -0.0, -1, np.inf, -np.inf, np.nan], np.float32)
    want = np.array([0, -130 * np.log(2), -np.inf, -np.inf, np.nan, np.inf, np.nan, np.nan], np.float32)
    assert np.allclose(evaluate(logarithm(X), x), want, rtol=1e-6, equal_nan=True)
