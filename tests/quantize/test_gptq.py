from collections.abc import Callable

import numpy as np
import pytest

from mcuq.graph.tensor import Array
from mcuq.quantize.adaround import round_adaround
from mcuq.quantize.gptq import round_gptq, upper_factor
from mcuq.quantize.grid import GRIDS, INT8, Grid
from mcuq.quantize.second_moments import SecondMoments

RNG = np.random.default_rng(5)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _numbers_that_do_not_depend_on_other_tests() -> None:
    RNG.bit_generator.state = START


def correlated(taps: int, groups: int = 1) -> Array:
    """Covariance of inputs that share most of what they say."""
    x = RNG.normal(size=(groups, taps, 400)) + 3 * RNG.normal(size=(groups, 1, 400))
    product: Array = x @ x.transpose(0, 2, 1) / 400
    return product


def output_error(weight: Array, q: Array, scale: Array, covariance: Array) -> float:
    d = weight - q * scale[:, :, None]
    return float(np.einsum("goi,gij,goj->", d, covariance, d))


def moments(covariance: Array) -> SecondMoments:
    """Those of inputs of mean 0 with the covariance (groups, taps, taps)."""
    variance = np.einsum("gkk->gk", covariance).copy()
    return SecondMoments(None, np.zeros(0), np.zeros_like(variance), variance, 1, covariance)


def case(grid: Grid, taps: int = 32, groups: int = 2) -> tuple[Array, Array, Array]:
    weight = RNG.normal(size=(groups, 6, taps))
    scale = np.stack([grid.scales(rows) for rows in weight])
    return weight, scale, correlated(taps, groups)


@pytest.mark.parametrize("name", GRIDS)
def test_weights_make_up_for_each_others_errors_where_inputs_are_correlated(name: str) -> None:
    grid = GRIDS[name]
    weight, scale, covariance = case(grid)
    nearest = output_error(weight, grid.nearest(weight / scale[:, :, None]), scale, covariance)
    q = round_gptq(weight, scale, moments(covariance), grid)
    assert set(np.unique(q)) <= set(grid.levels)
    assert output_error(weight, q, scale, covariance) < 0.6 * nearest


@pytest.mark.parametrize("name", ["int8", "int4", "int2", "ternary"])
def test_adaround_errs_less_than_rounding_to_nearest(name: str) -> None:
    grid = GRIDS[name]
    # Of many groups: it may err more on one.
    weight, scale, covariance = case(grid, groups=12)
    nearest = grid.nearest(weight / scale[:, :, None])
    q = round_adaround(weight, scale, moments(covariance), grid)
    assert set(np.unique(q)) <= set(grid.levels)
    assert np.abs(q - np.clip(weight / scale[:, :, None], grid.levels[0], grid.levels[-1])).max() <= 1
    assert output_error(weight, q, scale, covariance) < output_error(weight, nearest, scale, covariance)


@pytest.mark.parametrize("rounder", [round_gptq, round_adaround])
def test_inputs_that_are_not_correlated_leave_rounding_to_nearest(rounder: object) -> None:
    assert callable(rounder)
    weight = RNG.normal(size=(1, 4, 9))
    scale = INT8.scales(weight[0])[None]
    q = rounder(weight, scale, moments(np.eye(9)[None] * 7.0), INT8)
    assert np.array_equal(q, INT8.nearest(weight / scale[:, :, None]))


def test_the_error_of_one_tap_is_carried_to_its_twin() -> None:
    # Two taps that always read the same: only the sum of their weights matters, 0.4 + 0.4 is nearer to 1 than to 0.
    weight, scale = np.array([[[0.4, 0.4]]]), np.ones((1, 1))
    covariance = np.array([[[100.0, 100.0], [100.0, 100.0]]])
    assert INT8.nearest(weight).sum() == 0
    assert round_gptq(weight, scale, moments(covariance), INT8).sum() == 1


def test_inputs_that_never_vary_are_rounded_to_nearest() -> None:
    weight, scale = RNG.normal(size=(1, 3, 5)), np.full((1, 3), 0.01)
    q = round_gptq(weight, scale, moments(np.zeros((1, 5, 5))), INT8)
    assert np.array_equal(q, INT8.nearest(weight / 0.01))


@pytest.mark.parametrize("size", [1, 5, 48, 97])
def test_the_factor_is_upper_triangular_and_gives_the_matrix_back(size: int) -> None:
    h = correlated(size, 2) + np.eye(size)
    r = upper_factor(h, block=16)
    assert np.array_equal(r, np.triu(r))
    np.testing.assert_allclose(r @ r.transpose(0, 2, 1), h, atol=1e-9)


@pytest.mark.parametrize("rounding", ["gptq", "adaround"])
def test_more_taps_than_are_worked_on_at_once_are_all_rounded(monkeypatch: pytest.MonkeyPatch, rounding: str) -> None:
    monkeypatch.setattr(f"mcuq.quantize.{rounding}.MOST_TAPS", 10)
    weight, scale, covariance = case(GRIDS["int4"])
    rounder = {"gptq": round_gptq, "adaround": round_adaround}[rounding]
    q = rounder(weight, scale, moments(covariance), GRIDS["int4"])
    nearest = GRIDS["int4"].nearest(weight / scale[:, :, None])
    assert output_error(weight, q, scale, covariance) < output_error(weight, nearest, scale, covariance)
    assert np.abs(q).max() <= 7


@pytest.mark.parametrize("rounder", [round_gptq, round_adaround])
def test_groups_and_outputs_that_do_not_fit_at_once_are_rounded_alike(
    monkeypatch: pytest.MonkeyPatch, rounder: Callable[..., Array]
) -> None:
    weight, scale, covariance = case(GRIDS["int4"], taps=12, groups=5)
    whole = rounder(weight, scale, moments(covariance), GRIDS["int4"])
    monkeypatch.setattr("mcuq.quantize.round_parts.MOST_COVARIANCES", 2 * 12**2)
    monkeypatch.setattr("mcuq.quantize.round_parts._MOST_WEIGHTS", 2 * 2 * 12)
    assert np.array_equal(rounder(weight, scale, moments(covariance), GRIDS["int4"]), whole)
