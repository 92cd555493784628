"""Weights of channels with one tap: BatchNormalization that no layer took in is such a layer."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array


def single_tap_scale(weight: Array, bias: Array, x_scale: float) -> Array:
    """The scale of each channel, float64 (channels), of `weight` (channels): |weight| / n for an n from 64 to 127.

    A single weight is exact with any n, as n * scale. The bias is not: its steps are x_scale * scale. Of all n, that
    which brings `bias` (channels) nearest to a whole number of steps leaves some 14 times less error than 127.
    """
    n = np.arange(127, 63, -1.0)
    magnitude = np.abs(weight.astype(np.float64))
    step = np.maximum(x_scale * magnitude[:, None] / n, np.finfo(np.float64).tiny)
    steps = bias.astype(np.float64)[:, None] / step
    error = np.abs(steps - np.rint(steps)) * step
    # The first of equals, the finest: exact biases, 0 among them, need no other than 127.
    scale: Array = magnitude / n[error.argmin(axis=1)]
    return scale
