"""What the cases of all operators are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
from support import Case

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.ops.window import Window

Make = Callable[[np.random.Generator], Case]

BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0, 6), (-0.5, 0.7))


def bounds(rng: np.random.Generator) -> dict[str, float]:
    """Limits of an operator that clamps."""
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    return {"minimum": low, "maximum": high}


def near(rng: np.random.Generator, *unrolls: int) -> int:
    """L-1, L or L+1 of one of the unrolled lengths, 1 at least."""
    return max(1, int(rng.choice(unrolls)) + int(rng.integers(-1, 2)))


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """Weights (outputs, ...): all at one extreme, the extremes in turn, or random ones of channels of several sizes: of
    one small channel, of one large weight and small others (long groups in kernels that add up in half words), of few
    that are not zero, or any."""
    kind = rng.integers(10)
    if kind == 0:
        return np.full(shape, rng.choice([-1.0, 1.0]), np.float32)
    if kind == 1:
        return np.where(np.arange(np.prod(shape)).reshape(shape) % 2, 1.0, -1.0).astype(np.float32)
    w = rng.normal(size=shape) * rng.uniform(0.3, 1, (shape[0], *(1,) * (len(shape) - 1)))
    if kind == 2:
        w[rng.integers(shape[0])] *= 2.0**-6
    if kind == 3:
        w[..., 1:] *= 2.0**-8
    if kind == 4:
        w *= rng.uniform(size=shape) < 0.1
    return w.astype(np.float32)


def bias(rng: np.random.Generator, channels: int) -> Array:
    return rng.normal(size=channels).astype(np.float32)


def windowed(rng: np.random.Generator, largest: int, dilated: bool) -> tuple[Window, int, int]:
    """A window with the height and width, below `largest`, of an image that it fits."""
    while True:
        kernel, strides = (tuple(int(v) for v in rng.integers(1, top, 2)) for top in (6, 4))
        dilations = tuple(int(v) for v in rng.integers(1, 4, 2)) if dilated and not rng.integers(3) else (1, 1)
        pads = tuple(int(v) for v in rng.integers(0, 4, 4)) if rng.integers(3) else (0, 0, 0, 0)
        height, width = (int(v) for v in rng.integers(1, largest, 2))
        window = Window(kernel, strides, pads, dilations)
        try:
            window.output_size(height, width)
        except ModelError:
            continue
        return window, height, width
