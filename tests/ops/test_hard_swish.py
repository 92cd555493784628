"""HardSwish: its table."""

from __future__ import annotations

import numpy as np
from unary_cases import check_unary

from mcuq.ops.hard_swish import HardSwish


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    check_unary(HardSwish())


def test_function_is_zero_far_below_and_the_identity_far_above() -> None:
    assert HardSwish().function(np.array([-100, -3.0, -1.5, 0, 3, 100])).tolist() == [0, 0, -0.375, 0, 3, 100]
