"""How images are resized: for each place of a line the source's places that it is made of, and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Resize = Literal["nearest", "bilinear", "antialias", "area"]
Coordinates = Literal["half_pixel", "asymmetric", "align_corners"]

WEIGHT_BITS = 14  # the weights of a place come to 2^14


@dataclass(frozen=True, eq=False)
class Taps:
    """Place i of a line is the sum of `weights[i]` (places, taps), in 2^-WEIGHT_BITS, times the source's places from
    `starts[i]` on, which never fall and all lie within the source."""

    starts: NDArray[np.int64]
    weights: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Of each place."""
        return int(self.weights.shape[1])


def centres(source: int, places: int, coordinates: Coordinates) -> NDArray[np.float64]:
    """Where the places of a line lie in the source, as ONNX's Resize names it (coordinate_transformation_mode)."""
    x = np.arange(places, dtype=np.float64)
    if coordinates == "half_pixel":
        return ((2 * x + 1) * source - places) / (2 * places)
    if coordinates == "asymmetric":
        return x * source / places
    return x * (source - 1) / (places - 1) if places > 1 else np.zeros(1)


def nearest(source: int, places: int, coordinates: Coordinates) -> NDArray[np.int64]:
    """The source's place of each: halves up, but towards 0 where coordinates are asymmetric, as OpenCV and TensorFlow
    have it. Whole numbers, so that no rounding of reals decides."""
    x = np.arange(places)
    if coordinates == "half_pixel":
        found = (2 * x + 1) * source // (2 * places)
    elif coordinates == "asymmetric":
        found = x * source // places
    else:
        found = (2 * x * (source - 1) + places - 1) // (2 * max(places - 1, 1))
    return found.clip(0, source - 1)


def real_weights(source: int, places: int, method: Resize, coordinates: Coordinates) -> NDArray[np.float64]:
    """(places, source): what each place is made of, before weights are integers."""
    at, own = centres(source, places, coordinates)[:, None], np.arange(source)[None, :]
    if method == "nearest":
        return np.asarray(own == nearest(source, places, coordinates)[:, None], np.float64)
    if method == "area":
        edges = np.arange(places + 1) * source / places
        found = (np.minimum(edges[1:, None], own + 1) - np.maximum(edges[:-1, None], own)).clip(0)
        return np.asarray(found * places / source, np.float64)
    reach = max(source / places, 1.0) if method == "antialias" else 1.0
    inside = at if method == "antialias" else at.clip(0, source - 1)
    found = (1 - np.abs(inside - own) / reach).clip(0)
    shares: NDArray[np.float64] = found / found.sum(1, keepdims=True)
    return shares


def taps(source: int, places: int, method: Resize, coordinates: Coordinates) -> Taps:
    """The same as integers whose sum is exact: what rounding leaves is the largest weight's."""
    shares = real_weights(source, places, method, coordinates)
    weights = np.floor(shares * (1 << WEIGHT_BITS) + 0.5).astype(np.int64)
    weights[np.arange(places), shares.argmax(1)] += (1 << WEIGHT_BITS) - weights.sum(1)
    first, last = (weights != 0).argmax(1), source - 1 - (weights[:, ::-1] != 0).argmax(1)
    count = int((last - first).max()) + 1
    starts = first.clip(0, source - count)
    return Taps(starts, np.take_along_axis(weights, starts[:, None] + np.arange(count), 1))
