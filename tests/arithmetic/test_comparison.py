"""The integers by which two scales are compared: exact for all codes, and small."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from mcuq.arithmetic.comparison import comparable


@pytest.mark.parametrize("reach", [1, 2, 5, 40, 255])
def test_every_pair_of_codes_is_told_apart(reach: int) -> None:
    rng = np.random.default_rng(reach)
    ratios = [*np.exp(rng.normal(0, 3, 60)), 1.0, 0.5, 1 / 3, 2 / 255, 254 / 255, 1e-9, 1e9, 255.0, 255.5]
    ratios += [r * (1 + sign * 2.0**-35) for r in (1.0, 0.4, 3 / 7, 200 / 199) for sign in (1, -1)]
    for ratio in map(float, ratios):
        p, q = comparable(ratio, reach)
        assert 0 < max(p, q) <= 2 * reach + 1
        exact = Fraction(ratio)
        # Of all b those next to a * ratio: others are told apart if these are.
        for a in range(reach + 1):
            for b in {min(max(floor(a * exact) + k, 0), reach) for k in (-1, 0, 1, 2)}:
                difference = a * exact - b
                want = 0 if abs(difference) <= b * Fraction(1, 2**39) else 1 if difference > 0 else -1
                assert np.sign(a * p - b * q) == want, (ratio, a, b)


def test_ratios_that_are_rounded_are_taken_for_what_they_are_meant_to_be() -> None:
    assert comparable(0.1 * 3 / 0.1, 255) == (3, 1)
    assert comparable((6 / 255) / (3 / 255), 255) == (2, 1)
    assert comparable(1 / 3 * (1 + 2.0**-50), 32768) == (1, 3)
