"""What the inputs of a weighted layer look like to its weights: means and second moments over taps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import Weighted, weight_groups

# Values of one block of columns, and of the covariances that are held at once: 2,048 taps of a layer without groups.
_BLOCK_VALUES = 2 * 2**20
MOST_COVARIANCES = 2**22
# Windows whose products add up without rounding: 255^2 * 256 < 2^24 of int8 inputs in float32, and of int16 inputs
# 65535^2 * 2^16 < 2^53 in float64. Sums of those are of integers below 2^53, exact in float64, in whatever order and
# on however many threads a matrix product runs.
_EXACT = {"int8": (np.float32, 256), "int16": (np.float64, 2**16)}


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Of x - zero_point in steps: `mean` and `variance` (groups, taps) over windows and samples.

    Taps run as in a row of the layer's weights. `whole` (groups, taps, taps) is the covariance where it is small; of
    larger layers a part is found at a time, from all inputs `x` (samples, *shape) anew.
    """

    layer: Layer
    x: Array
    mean: Array
    variance: Array
    windows: int
    whole: Array | None

    def covariance(self, groups: slice, taps: Array) -> Array:
        """(groups, n, n) of some `taps` (groups, n) of some groups."""
        if self.whole is not None:
            group = np.arange(len(self.mean))[groups, None, None]
            found: Array = self.whole[group, taps[:, :, None], taps[:, None, :]]
            return found
        products = np.zeros((*taps.shape, taps.shape[1]))
        for columns in _columns(self.layer, self.x):
            for centred in _centred(self.layer, np.take_along_axis(columns[groups], taps[:, :, None], axis=1)):
                products += centred @ centred.transpose(0, 2, 1)
        return _central(products, np.take_along_axis(self.mean[groups], taps, axis=1), self.windows)


def second_moments(layer: Layer, x: Array) -> SecondMoments:
    """For the layer's inputs (samples, *shape), of 8 or 16 bits."""
    groups, taps = weight_groups(layer), _taps(layer)
    is_whole = groups * taps**2 <= MOST_COVARIANCES
    windows, total = 0, np.zeros((groups, taps))
    products = np.zeros((groups, taps, taps) if is_whole else (groups, taps))
    for columns in _columns(layer, x):
        for centred in _centred(layer, columns):
            windows += centred.shape[2]
            total += centred.sum(axis=2)
            products += centred @ centred.transpose(0, 2, 1) if is_whole else np.einsum("gkn,gkn->gk", centred, centred)
    mean = total / windows
    if not is_whole:
        return SecondMoments(layer, x, mean, products / windows - mean * mean, windows, None)
    covariance = _central(products, mean, windows)
    return SecondMoments(layer, x, mean, np.einsum("gkk->gk", covariance).copy(), windows, covariance)


def _central(products: Array, mean: Array, windows: int) -> Array:
    """Covariance (groups, n, n) from sums of products, which it takes the place of, and means (groups, n)."""
    products /= windows
    products -= mean[:, :, None] * mean[:, None, :]
    return products


def group_rows(layer: Layer, weight: Array) -> Array:
    """Weights (outputs, ...) as (groups, outputs of a group, taps)."""
    groups = weight_groups(layer)
    return weight.reshape(groups, len(weight) // groups, -1)


def _centred(layer: Layer, columns: Array) -> Iterator[Array]:
    """Columns less the zero point, in floats, of as many windows as are summed without rounding."""
    dtype, windows = _EXACT[layer.inputs[0].dtype]
    for start in range(0, columns.shape[2], windows):
        yield columns[:, :, start : start + windows].astype(dtype) - dtype(layer.inputs[0].zero_point)


def _columns(layer: Layer, x: Array) -> Iterator[Array]:
    """(groups, taps, windows) of a few samples at a time."""
    op, one = layer.op, layer.inputs[0].shape[1:]
    assert isinstance(op, Weighted)
    values = x.reshape(-1, *one)
    step = max(1, _BLOCK_VALUES // (prod(layer.output.shape[1:-1]) * op.groups * _taps(layer)))
    for start in range(0, len(values), step):
        yield op.columns(layer, values[start : start + step])


def _taps(layer: Layer) -> int:
    weight = layer.inputs[1]
    return weight.elements // weight.shape[0]
