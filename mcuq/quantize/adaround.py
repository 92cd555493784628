"""AdaRound: learns for each weight whether to round it up or down.

Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020: weights are
floor(w / scale) + h(v), h a sigmoid stretched over [0, 1] (their equation 23), and v minimizes the layer's squared
output error plus a term that drives h to 0 or 1, whose exponent beta falls (equation 24). The output error is
taken before the activation function, as d H d' with the inputs' covariance H, so that its gradient is a matrix
product and no sample is needed twice. On grids other than runs of integers, the two neighbouring levels take the
places of floor and floor + 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.quantize.exact_product import exact_factor
from mcuq.quantize.gptq import damped
from mcuq.quantize.grid import Grid
from mcuq.quantize.round_parts import round_in_parts
from mcuq.quantize.second_moments import SecondMoments

STEPS = 800
# Adam (Kingma & Ba, ICLR 2015) with its usual averages.
RATE, FIRST, SECOND, EPSILON = 0.02, 0.9, 0.999, 1e-8
# Stretch of the sigmoid, weight of the term and its exponents from first to last: the paper's values, the weight
# per weight and in units of the error of rounding to nearest.
LOW, HIGH = -0.1, 1.1
PRESSURE = 0.01
BETAS = (20.0, 2.0)
# The share of steps without the term, in which the error alone decides.
WARM_UP = 0.2
# Taps beyond are in a block of their own: a matrix of 32 MB, and work that grows as its square.
MOST_TAPS = 2048


def round_adaround(weight: Array, scale: Array, moments: SecondMoments, grid: Grid) -> Array:
    """Levels of the grid (int8) for weights (groups, outputs, taps) with scales (groups, outputs).

    `moments` are those of the inputs. Taps of one block are neighbours, which are the most alike.
    """

    def rounder(covariance: Array, diagonal: Array) -> Callable[[Array], Array]:
        h_matrix = damped(covariance, diagonal)
        h_matrix /= np.einsum("gkk->gk", h_matrix).mean(axis=1)[:, None, None]
        h_matrix = exact_factor(h_matrix, h_matrix.shape[1])
        return lambda u: _learned(u, h_matrix, grid)

    order = np.broadcast_to(np.arange(weight.shape[2]), moments.variance.shape)
    return round_in_parts(weight, scale, moments, order, MOST_TAPS, rounder)


def _learned(u: Array, h_matrix: Array, grid: Grid) -> Array:
    """Levels for u (groups, outputs, taps) in units of the scale, for covariances whose diagonal is 1 on average."""
    levels = np.array(grid.levels, np.float64)
    lower = np.clip(np.searchsorted(levels, u, side="right") - 1, 0, max(len(levels) - 2, 0))
    down, up = levels[lower], levels[np.minimum(lower + 1, len(levels) - 1)]
    span = np.where(up > down, up - down, 1.0)
    part = np.clip((u - down) / span, 0.001, 0.999)
    v = np.log((part - LOW) / (HIGH - part))
    average, square = np.zeros_like(v), np.zeros_like(v)
    error_unit = np.maximum((span**2 / 12).mean(), 1e-30)
    for step in range(STEPS):
        sigmoid = 1 / (1 + np.exp(-v))
        stretched = LOW + (HIGH - LOW) * sigmoid
        h = np.clip(stretched, 0.0, 1.0)
        gradient = 2 * (exact_factor(down + h * span - u, u.shape[2]) @ h_matrix) * span
        done = (step / STEPS - WARM_UP) / (1 - WARM_UP)
        if done > 0:
            beta = BETAS[1] + (BETAS[0] - BETAS[1]) * (1 + np.cos(done * np.pi)) / 2
            centred = 2 * h - 1
            pressure = -2 * beta * np.sign(centred) * np.abs(centred) ** (beta - 1)
            gradient = gradient + PRESSURE * 12 * error_unit * pressure
        inside = (stretched > 0) & (stretched < 1)
        gradient = gradient * np.where(inside, (HIGH - LOW) * sigmoid * (1 - sigmoid), 0.0)
        average = FIRST * average + (1 - FIRST) * gradient
        square = SECOND * square + (1 - SECOND) * gradient**2
        unbiased = average / (1 - FIRST ** (step + 1))
        v -= RATE * unbiased / (np.sqrt(square / (1 - SECOND ** (step + 1))) + EPSILON)
    chosen = LOW + (HIGH - LOW) / (1 + np.exp(-v)) >= 0.5
    return np.where(chosen, up, down)
