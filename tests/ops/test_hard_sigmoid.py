"""HardSigmoid: its table."""

from __future__ import annotations

import numpy as np
import pytest
from unary_cases import check_unary

from mcuq.ops.hard_sigmoid import HardSigmoid


@pytest.mark.parametrize("op", [HardSigmoid(), HardSigmoid(1 / 6, 0.5), HardSigmoid(-0.3, 0.1)], ids=str)
def test_simulator_is_within_half_a_step_of_the_float_meaning(op: HardSigmoid) -> None:
    check_unary(op)


def test_function_has_three_straight_pieces() -> None:
    x = np.array([-100, -3.0, -1.5, 0, 1.5, 3.0, 100])
    assert HardSigmoid(1 / 6, 0.5).function(x).tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1]
