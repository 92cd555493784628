"""Tanh: its table."""

from __future__ import annotations

import numpy as np
from unary_cases import check_unary, codes, table_of

from mcuq.ops.tanh import Tanh


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    check_unary(Tanh())


def test_table_is_the_hyperbolic_tangent() -> None:
    want = np.tanh(codes((-3, 2)))
    assert np.abs(table_of(Tanh(), (-3, 2), (-1, 1)) - want).max() <= 1 / 255 + 1e-7
