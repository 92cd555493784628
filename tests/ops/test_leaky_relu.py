"""LeakyRelu: its table."""

from __future__ import annotations

import numpy as np
import pytest
from unary_cases import check_unary

from mcuq.ops.leaky_relu import LeakyRelu


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0, 2.0, 0.0, -0.5])
def test_simulator_is_within_half_a_step_of_the_float_meaning(alpha: float) -> None:
    check_unary(LeakyRelu(alpha))


def test_function_has_a_slope_of_its_own_below_zero() -> None:
    assert LeakyRelu(0.25).function(np.array([-8.0, -1, 0, 1, 8])).tolist() == [-2, -0.25, 0, 1, 8]
