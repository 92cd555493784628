"""Sigmoid: its table."""

from __future__ import annotations

import numpy as np
from unary_cases import check_unary, codes, table_of

from mcuq.ops.sigmoid import Sigmoid


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    check_unary(Sigmoid())


def test_table_is_the_logistic_function() -> None:
    want = 1 / (1 + np.exp(-codes((-8, 8))))
    assert np.abs(table_of(Sigmoid(), (-8, 8), (0, 1)) - want).max() <= 0.5 / 255 + 1e-7


def test_inputs_far_from_zero_neither_overflow_nor_leave_the_limits() -> None:
    with np.errstate(all="raise", under="ignore"):
        y = Sigmoid().function(np.array([-1e300, -1000.0, 0.0, 1000.0, 1e300]))
    assert y.tolist() == [0, 0, 0.5, 1, 1]
