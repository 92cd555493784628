"""The integers that a layer's weights may take, rounding to them, and the scale that fits them best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mcuq.graph.tensor import PACKINGS, Array

Fit = Literal["max", "mse"]

# Fractions of the largest weight that a clipping search tries: below 0.3, every grid here has lost its tails.
_FRACTIONS = np.linspace(1.0, 0.3, 36)


@dataclass(frozen=True)
class Grid:
    """Integers that weights of one layer take, in rising order, all of them int8.

    `fit` is how a channel's scale is found: "max" puts its largest weight on the largest level, "mse" finds the
    least squared error of rounding to nearest. `bits` is what one weight takes in flash.
    """

    name: str
    levels: tuple[int, ...]
    bits: int
    fit: Fit = "max"

    @property
    def packing(self) -> str | None:
        """How its integers lie in flash; None where each has a byte."""
        return self.name if self.name in PACKINGS else None

    @property
    def reach(self) -> int:
        """The largest magnitude of a level; 1 for a codebook of zeros alone, which any scale serves."""
        return max(-self.levels[0], self.levels[-1], 1)

    def nearest(self, u: Array) -> Array:
        """The nearest level (float64) to each of `u` = weight / scale, of any shape; a tie goes to the even level.

        Ties between levels that are no neighbouring integers go to the lower one.
        """
        low, high = self.levels[0], self.levels[-1]
        if len(self.levels) == high - low + 1:
            return np.asarray(np.clip(np.rint(u), low, high), np.float64)
        levels = np.array(self.levels, np.float64)
        found: Array = np.take(levels, np.searchsorted((levels[1:] + levels[:-1]) / 2, u, side="left"))
        return found

    def scales(self, real: Array, importance: Array | None = None) -> Array:
        """A positive scale (channels,) for weights (channels, taps); 0 for a channel of zeros.

        `importance` (channels or 1, taps) weighs squared errors in a search by "mse".
        """
        largest: Array = np.abs(real).max(axis=1) / self.reach
        if self.fit == "max":
            return largest
        weight = np.ones((1, real.shape[1])) if importance is None else importance
        best, best_error = largest, np.full(len(real), np.inf)
        for fraction in _FRACTIONS:
            scale = np.where(largest > 0, largest * fraction, 1.0)
            q = self.nearest(real / scale[:, None])
            # The scale of least error for these integers, in closed form.
            power = (weight * q**2).sum(axis=1)
            fitted = np.where(power > 0, (weight * q * real).sum(axis=1) / np.where(power > 0, power, 1.0), scale)
            error = (weight * (real - q * fitted[:, None]) ** 2).sum(axis=1)
            better = (error < best_error) & (fitted > 0)
            best, best_error = np.where(better, fitted, best), np.where(better, error, best_error)
        return np.where(largest > 0, best, 0.0)


def _symmetric(bits: int) -> tuple[int, ...]:
    most = 2 ** (bits - 1) - 1
    return tuple(range(-most, most + 1))


# Without the lowest code, grids are symmetric: a channel and its negative round alike, and no scale is spent on a
# level that only one sign can use. int2 has all four of its codes, as three would be ternary: the lowest one buys
# a second magnitude for one sign. Ternary: Li et al., "Ternary Weight Networks", 2016; the scale of least squared
# error is what its equation 5 approximates. Binary: Rastegari et al., "XNOR-Net", ECCV 2016, equation 6: the
# optimal scale is the mean magnitude, which the search finds in closed form as all |q| = 1.
INT8 = Grid("int8", _symmetric(8), 8)
GRIDS: dict[str, Grid] = {
    grid.name: grid
    for grid in (
        INT8,
        Grid("int4", _symmetric(4), 4, "mse"),
        Grid("int3", _symmetric(3), 3, "mse"),
        Grid("int2", (-2, -1, 0, 1), 2, "mse"),
        Grid("ternary", (-1, 0, 1), 2, "mse"),
        Grid("binary", (-1, 1), 1, "mse"),
    )
}


@dataclass(frozen=True)
class Codebook:
    """A grid of `size` int8 levels fitted to each layer's weights: k-means in one dimension (Lloyd 1982).

    Weights are taken in units in which each channel's largest magnitude is 127, so that one table serves all of a
    layer's channels, whose scales differ. Han et al., "Deep Compression", ICLR 2016, share weights in this way.
    """

    size: int = 16
    name: str = "codebook"

    def fit(self, real: Array, importance: Array | None = None) -> Grid:
        """The grid for weights (channels, taps), whose squared errors count by `importance` (channels or 1, taps).

        The first centres are quantiles, so that the result is the same each time.
        """
        largest = np.abs(real).max(axis=1, keepdims=True)
        u = (real / np.where(largest > 0, largest, 1.0) * INT8.reach).ravel()
        few = np.unique(np.rint(u))
        if len(few) <= self.size:  # as of weights that came from a codebook
            return self._grid(few)
        weight = np.ones_like(u) if importance is None else np.broadcast_to(importance, real.shape).ravel()
        # An error counts in real units: a channel's scale squared. Counts keep far-out weights in view.
        weight = weight * np.broadcast_to(largest**2, real.shape).ravel()
        order = np.argsort(u, kind="stable")
        u, weight = u[order], weight[order] + max(float(weight.max()), 1e-30) * 1e-9
        centres = np.unique(np.quantile(u, np.linspace(0, 1, self.size)))
        for _ in range(_LLOYD_ROUNDS):
            bounds = np.searchsorted(u, (centres[1:] + centres[:-1]) / 2)
            starts = np.concatenate([[0], bounds])
            mass = np.add.reduceat(np.append(weight, 0.0), starts)
            moment = np.add.reduceat(np.append(weight * u, 0.0), starts)
            filled = np.diff(np.append(starts, len(u))) > 0
            moved = np.unique(moment[filled] / mass[filled])
            if len(moved) == len(centres) and np.allclose(moved, centres, rtol=0, atol=1e-3):
                break
            centres = moved
        levels = np.unique(np.clip(np.rint(centres), -INT8.reach, INT8.reach)).astype(int).tolist()
        return self._grid(np.array(levels))

    def _grid(self, levels: Array) -> Grid:
        levels = levels.astype(int).tolist()
        return Grid(self.name, tuple(levels), max(1, (self.size - 1).bit_length()), "mse")


_LLOYD_ROUNDS = 60
