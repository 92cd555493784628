"""What the inputs of a weighted layer look like to its weights: means and second moments over taps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcuq.operator import Layer
from mcuq.ops.conv2d import Conv2d
from mcuq.tensor import Array

# Values of one block of columns: its float64 copy stays at 16 MB.
_BLOCK_VALUES = 2 * 2**20


@dataclass(frozen=True)
class SecondMoments:
    """Of x - zero_point in steps: `mean` (groups, taps), `covariance` (groups, taps, taps) over windows and samples.

    Taps run as in a row of the layer's weights. All sums are of integers below 2^53 and so exact in float64, in
    whatever order and on however many threads a matrix product runs.
    """

    mean: Array
    covariance: Array


def second_moments(layer: Layer, x: Array) -> SecondMoments:
    """For the layer's int8 inputs (samples, *shape)."""
    zero_point = layer.inputs[0].zero_point
    count = 0
    total: Array = np.zeros(0)
    products: Array = np.zeros(0)
    for block in _columns(layer, x):
        centred = block.astype(np.float64) - zero_point
        new_total, new_products = centred.sum(axis=2), centred @ centred.transpose(0, 2, 1)
        total, products = (new_total, new_products) if count == 0 else (total + new_total, products + new_products)
        count += centred.shape[2]
    mean = total / count
    return SecondMoments(mean, products / count - mean[:, :, None] * mean[:, None, :])


def group_rows(layer: Layer, weight: Array) -> Array:
    """Weights (outputs, ...) as (groups, outputs of a group, taps)."""
    groups = layer.op.groups if isinstance(layer.op, Conv2d) else 1
    return weight.reshape(groups, len(weight) // groups, -1)


def _columns(layer: Layer, x: Array) -> Iterator[Array]:
    """(groups, taps, windows) of a few samples at a time."""
    op = layer.op
    if not isinstance(op, Conv2d):
        rows = x.reshape(-1, x.shape[-1])
        for start in range(0, len(rows), step := max(1, _BLOCK_VALUES // rows.shape[1])):
            yield rows[start : start + step].T[None]
        return
    images = x.reshape(-1, *x.shape[-3:])
    step = max(1, _BLOCK_VALUES // (layer.output.elements // layer.output.shape[3] * _taps_of_all_groups(layer)))
    for start in range(0, len(images), step):
        yield op.columns(images[start : start + step], layer.output.shape, layer.inputs[0].zero_point)


def _taps_of_all_groups(layer: Layer) -> int:
    weight = layer.inputs[1]
    return weight.elements // weight.shape[0] * (layer.op.groups if isinstance(layer.op, Conv2d) else 1)
