from fractions import Fraction

import numpy as np
import pytest

from mcuq.quantize.exact_product import exact_factor

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("terms", [1, 3, 8192, 8193, 200_000])
def test_products_add_up_without_rounding_in_any_order(terms: int) -> None:
    # All of one sign and near the largest, where sums grow fastest.
    a, b = (exact_factor(RNG.uniform(0.9, 1, terms), terms) for _ in range(2))
    exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    assert Fraction(float(a @ b)) == exact
    assert float(a[::-1] @ b[::-1]) == float(a @ b)


@pytest.mark.parametrize("terms", [1, 8192, 200_000])
def test_values_move_by_little_of_the_largest(terms: int) -> None:
    values = RNG.normal(size=1000)
    assert np.abs(exact_factor(values, terms) - values).max() <= np.abs(values).max() * 2.0**-17


def test_zeros_and_no_values_stay() -> None:
    assert np.array_equal(exact_factor(np.zeros(3), 3), np.zeros(3))
    assert exact_factor(np.zeros((0, 4)), 4).shape == (0, 4)
