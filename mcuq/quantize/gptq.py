"""GPTQ: rounds weights one after another, and lets those not yet rounded make up for the error so far.

Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR
2023 (arXiv 2210.17323), with its "act-order": taps with the largest inputs first. The error of a row of weights w
rounded to q is d H d' with d = w - q * scale and H the covariance of the layer's inputs (its mean is left to the
bias). With H = R R', R upper triangular, that is the square of d R, whose element k holds d[0..k] alone: so each
weight in turn is rounded to what makes its element smallest. The paper's update by rows of the inverse of H gives
the same integers; this form needs no inverse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.quantize.grid import Grid
from mcuq.quantize.round_parts import round_in_parts
from mcuq.quantize.second_moments import SecondMoments

# Added to the diagonal of H, as a share of its mean. The paper has 1 %; SQNR on the reference networks' test inputs
# moved by less than 0.7 dB between 1 % and 10 %, up on some and down on others: see docs/accuracy.md.
DAMPING = 0.1
# Taps beyond are in a block of their own, whose errors others do not make up for: work grows as its third power.
MOST_TAPS = 1024


def round_gptq(weight: Array, scale: Array, moments: SecondMoments, grid: Grid) -> Array:
    """Levels of the grid (int8) for weights (groups, outputs, taps) with scales (groups, outputs).

    `moments` are those of the inputs; taps without any variance are rounded to nearest.
    """
    order = np.argsort(-moments.variance, axis=1, kind="stable")

    def rounder(covariance: Array, diagonal: Array) -> Callable[[Array], Array]:
        r = upper_factor(damped(covariance, diagonal))
        r /= np.einsum("gkk->gk", r)[:, None, :]
        return lambda u: _round_in_order(u, r, grid)

    return round_in_parts(weight, scale, moments, order, MOST_TAPS, rounder)


def damped(covariance: Array, diagonal: Array) -> Array:
    """Positive definite even where inputs are constant or all alike; `diagonal` (groups, taps) is the whole layer's."""
    added = DAMPING * diagonal.mean(axis=1)
    eye = np.eye(covariance.shape[1])
    damped: Array = covariance + np.where(added > 0, added, 1.0)[:, None, None] * eye
    return damped


def _round_in_order(u: Array, r: Array, grid: Grid) -> Array:
    """Integers for u (groups, outputs, taps) in units of the scale; `r` (groups, taps, taps) has a diagonal of 1."""
    q = np.empty_like(u)
    carried = np.zeros_like(u)
    moved = np.empty_like(u)
    for k in range(u.shape[2]):
        q[:, :, k] = grid.nearest(u[:, :, k] + carried[:, :, k])
        error = u[:, :, k] - q[:, :, k]
        carried[:, :, k + 1 :] += np.multiply(error[:, :, None], r[:, None, k, k + 1 :], out=moved[:, :, k + 1 :])
    return q


def upper_factor(h: Array, block: int = 48) -> Array:
    """Upper triangular R (groups, n, n) with R R' = h, which is symmetric and positive definite.

    Columns from the last to the first, in blocks. No call of a linear algebra library, so that the bits do not
    depend on its threads.
    """
    rest = h.copy()
    r = np.zeros_like(h)
    for end in range(h.shape[1], 0, -block):
        start = max(0, end - block)
        for k in range(end - 1, start - 1, -1):
            r[:, : k + 1, k] = rest[:, : k + 1, k] / np.sqrt(rest[:, k, k])[:, None]
            rest[:, :k, start:k] -= r[:, :k, k, None] * r[:, None, start:k, k]
        panel = np.ascontiguousarray(r[:, :start, start:end])
        rest[:, :start, :start] -= np.einsum("gik,gjk->gij", panel, panel)
    return r
