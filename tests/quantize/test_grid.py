import numpy as np
import pytest

from mcuq.quantize.grid import GRIDS, INT8, Codebook, Grid

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("int8", list(range(-127, 128))),
        ("int4", list(range(-7, 8))),
        ("int3", list(range(-3, 4))),
        ("int2", [-2, -1, 0, 1]),
        ("ternary", [-1, 0, 1]),
        ("binary", [-1, 1]),
    ],
)
def test_each_grid_has_its_levels_and_fits_its_bits(name: str, levels: list[int]) -> None:
    assert list(GRIDS[name].levels) == levels
    assert len(levels) <= 2 ** GRIDS[name].bits


def test_the_nearest_level_is_taken_and_ends_saturate() -> None:
    u = np.array([-9.0, -2.4, -0.6, -0.4, 0.4, 0.6, 9.0])
    assert GRIDS["int2"].nearest(u).tolist() == [-2, -2, -1, 0, 0, 1, 1]
    assert GRIDS["ternary"].nearest(u).tolist() == [-1, -1, -1, 0, 0, 1, 1]
    assert GRIDS["binary"].nearest(u).tolist() == [-1, -1, -1, -1, 1, 1, 1]
    assert Grid("gaps", (-10, 0, 4), 8).nearest(np.array([-6.0, -4.0, 1.9, 2.1, 50])).tolist() == [-10, 0, 0, 4, 4]


def test_the_largest_weight_of_a_channel_lies_on_the_largest_level() -> None:
    np.testing.assert_allclose(INT8.scales(np.array([[1.27, -0.5], [0.1, -2.54]])), [0.01, 0.02])


def test_the_scale_of_binary_weights_is_their_mean_magnitude() -> None:
    real = RNG.normal(size=(5, 40))
    np.testing.assert_allclose(GRIDS["binary"].scales(real), np.abs(real).mean(axis=1))


def test_the_scale_of_ternary_weights_is_that_of_least_error() -> None:
    real = RNG.normal(size=(3, 200))
    for row, scale in zip(real, GRIDS["ternary"].scales(real), strict=True):
        tried = [((row - np.clip(np.rint(row / s), -1, 1) * s) ** 2).sum() for s in np.linspace(0.1, 4, 2000)]
        assert ((row - np.clip(np.rint(row / scale), -1, 1) * scale) ** 2).sum() <= 1.002 * min(tried)


def test_clipping_costs_less_than_coarse_steps_on_few_levels() -> None:
    real = RNG.normal(size=(4, 300))
    grid = GRIDS["int4"]

    def error(scale: np.ndarray) -> float:
        return float(((real - grid.nearest(real / scale[:, None]) * scale[:, None]) ** 2).sum())

    assert error(grid.scales(real)) < 0.8 * error(np.abs(real).max(axis=1) / 7)


def test_weights_that_matter_more_are_fitted_better() -> None:
    real = np.array([[1.0, 0.3, -0.3, 0.31]])
    importance = np.array([[1e-6, 1.0, 1.0, 1.0]])
    assert GRIDS["ternary"].scales(real, importance)[0] == pytest.approx(0.3033, abs=1e-3)


def test_a_channel_of_zeros_has_the_scale_zero() -> None:
    assert [GRIDS[name].scales(np.zeros((2, 4))).tolist() for name in GRIDS] == [[0.0, 0.0]] * len(GRIDS)


def test_a_codebook_has_a_level_for_each_cluster_of_weights() -> None:
    clusters = np.array([-1.0, -0.5, 0.25, 0.75])
    real = (clusters[RNG.integers(0, 4, (8, 50))]).astype(np.float64)
    real[:, 0] = -1.0
    grid = Codebook(4).fit(real)
    assert grid.levels == (-127, -64, 32, 95)
    assert grid.bits == 2


def test_a_codebook_errs_less_than_even_levels_on_weights_that_are_not_even() -> None:
    real = RNG.laplace(size=(6, 400))
    book, even = Codebook().fit(real), GRIDS["int4"]
    assert len(book.levels) <= 16
    errors = []
    for grid in (book, even):
        scale = grid.scales(real)[:, None]
        errors.append(((real - grid.nearest(real / scale) * scale) ** 2).sum())
    assert errors[0] < 0.9 * errors[1]


def test_a_codebook_of_zeros_still_has_a_level() -> None:
    assert Codebook().fit(np.zeros((2, 3))).levels == (0,)
