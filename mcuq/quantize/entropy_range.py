"""Finds the range that loses least information over a histogram (KL divergence), for ranges.py.

The idea is Migacz's ("8-bit Inference with TensorRT", GTC 2017): P, the values clipped to a range, is compared with
Q, the values within it after quantization. As it is usually written, over 2048 bins and 128 levels, it narrows ranges
until networks fail. What makes it do so, and what is done here instead:

- A narrow range has as many bins as levels, Q equals P, and narrowing is free. Here masses are integrals over real
  steps, which may end between the edges of bins.
- bins // levels leaves bins over, which join the last level or none. Not so with integrals.
- Ranges are symmetric: half the levels of a ReLU's output are wasted, which favours narrow ranges. Here each side
  moves.
- Zeros, half of a ReLU's output, stand in one bin; finer steps tell it from its neighbours, and that outweighs what is
  clipped. Zero is a level of every range, so here zeros are left out.
- Other values that repeat (a bias where a layer's inputs are 0, pixels) stand in one bin each and do the same. Here P
  is smoothed over a few steps of the whole range.
- Empty bins are left out of Q, so that sparse tails are free to clip. Here none are.
"""

from __future__ import annotations

import numpy as np

from mcuq.quantize.range_search import Counts, Floats, cheapest_range

# Shares add up to 1 up to rounding.
_NOTHING = 1e-12
# Half the base of the triangle that P is smoothed with, in steps of the whole range. At 2 and less, repeated values
# still narrow ranges (mnist_cnn loses 2.5 dB); at 4 and 8 the reference networks come out alike.
_SMOOTHING_STEPS = 4


def least_divergence_range(
    edges: Floats, counts: Counts, zeros: int, low: float, high: float, levels: int
) -> tuple[float, float]:
    """Return the (low', high') within low <= low' <= 0 <= high' <= high that `divergence` is least for.

    `edges` (n + 1,) of equal widths and `counts` (n,) are the histogram, in which `zeros` values are exactly 0 but
    not all; low < high. A side that is 0 stays 0.
    """
    width = edges[1] - edges[0]
    if high - low <= width:  # numbers near float32's least, whose bins have a width of their own
        return low, high
    others = counts.copy()
    if zeros:
        others[np.searchsorted(edges, 0.0)] -= zeros
    density = smoothed(others, _SMOOTHING_STEPS * (high - low) / (levels - 1) / width)
    return cheapest_range(low, high, lambda lows, highs: divergence(edges, density, lows, highs, levels))


def smoothed(counts: Counts, bins: float) -> Floats:
    """Return the shares (n,) of all counts, each spread over a triangle whose half base is `bins`, at least one.

    What would reach beyond the ends is reflected, so that the shares still add up to 1.
    """
    width = max(1, round(bins))
    box = np.full(width, 1 / width)
    padded = np.pad(counts / counts.sum(), width - 1, mode="symmetric")
    shares: Floats = np.convolve(padded, np.convolve(box, box), "valid")
    return shares


def divergence(edges: Floats, shares: Floats, lows: Floats, highs: Floats, levels: int) -> Floats:
    """Return KL(P || Q) (k,) in nats for each range (lows[i], highs[i]), both (k,).

    `shares` (n,) is the histogram, evenly spread within each of its bins, of one width. The range's steps are those
    of `expected_error`. P is the histogram within them, what lies beyond an end being added to the end's step in
    proportion; Q is evenly spread over each step, with what the histogram has there, over the share within the range.
    Infinite where values lie beyond an end whose step is empty.
    """
    cumulative = np.append(0.0, np.cumsum(shares))
    log_density = np.log(np.where(shares > 0, shares / (edges[1] - edges[0]), 1.0))
    cumulative_log = np.append(0.0, np.cumsum(shares * log_density))
    steps = np.arange(levels + 1) - levels // 2 - 0.5

    def one(low: float, high: float) -> float:
        scale = (high - low) / (levels - 1)
        bounds = np.clip((steps - np.rint(-(levels // 2) - low / scale)) * scale, edges[0], edges[-1])
        below = np.interp(bounds, edges, cumulative)
        inside, widths = np.diff(below), np.diff(bounds)
        total = 0.0
        for beyond, step in ((below[0], inside[0]), (1 - below[-1], inside[-1])):
            if beyond > _NOTHING:
                if step <= 0:
                    return np.inf
                total += (step + beyond) * np.log((step + beyond) / step)
        some = inside > 0
        total -= (inside[some] * np.log(inside[some] / widths[some])).sum()
        first, last = np.interp(bounds[[0, -1]], edges, cumulative_log)
        return max(float(total + last - first + np.log(inside.sum())), 0.0)

    return np.array([one(low, high) for low, high in zip(lows, highs, strict=True)])
