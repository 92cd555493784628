"""Layers for the kernels of Cortex-M0 and M3: sizes around every block, one and three channels, both extremes."""

from __future__ import annotations

from math import inf

import numpy as np
from support import Case, integer_branches

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window

# Of the slow tests: 640 layers, of which more than 500 take the kernels of the instruction sets.
SEEDS = range(2, 18)
PER_SEED = 40

BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0, 6), (-0.5, 0.7))


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """Random ones, small ones (long groups), all at one extreme (groups of two), or the extremes in turn."""
    kind = rng.integers(8)
    if kind == 0:
        return np.full(shape, rng.choice([-1.0, 1.0]), np.float32)
    if kind == 1:
        return np.where(np.arange(np.prod(shape)).reshape(shape) % 2, 1.0, -1.0).astype(np.float32)
    w = rng.normal(size=shape)
    if kind == 2:
        w[..., 1:] *= 2.0**-8
    if kind == 3:
        w *= rng.uniform(size=shape) < 0.1
    return w.astype(np.float32)


def conv(
    rng: np.random.Generator,
    x: tuple[int, ...],
    kernel: tuple[int, int],
    out_channels: int,
    groups: int = 1,
    **window: object,
) -> Case:
    """A convolution with random weights and bounds."""
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    weight = weights(rng, out_channels, *kernel, x[3] // groups)
    bias = rng.normal(size=out_channels).astype(np.float32)
    return Conv2d(Window(kernel, **window), groups, minimum=low, maximum=high), [x, weight, bias]


def fully_connected(rng: np.random.Generator, rows: int, in_features: int, out_features: int) -> Case:
    """A matrix of random weights."""
    weight = weights(rng, out_features, in_features)
    return FullyConnected(), [(rows, in_features), weight, rng.normal(size=out_features).astype(np.float32)]


def corner_cases() -> list[Case]:
    """Every length of the last block of pixels, outputs below each other and features; padding on every side."""
    rng = np.random.default_rng(0)
    same = {"pads": (1, 1, 1, 1)}
    cases = [conv(rng, (1, 1, pixels, 5), (1, 1), 3) for pixels in (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17)]
    cases += [fully_connected(rng, 1, 9, outputs) for outputs in range(1, 10)]
    cases += [fully_connected(rng, rows, n, 17) for rows, n in ((1, 1), (2, 3), (3, 4), (1, 5), (1, 40))]
    cases += [conv(rng, (1, height, 3, 3), (3, 3), 3, 3, **same) for height in (1, 2, 3, 4, 5, 8, 9)]
    cases += [
        conv(rng, (1, 1, 1, 1), (1, 1), 1),
        conv(rng, (1, 1, 1, 1), (3, 3), 1, **same),
        conv(rng, (1, 1, 1, 3), (5, 4), 2, pads=(4, 3, 0, 0)),
        conv(rng, (2, 5, 7, 3), (1, 1), 5),
        conv(rng, (2, 5, 7, 3), (1, 1), 4, strides=(2, 3)),
        conv(rng, (1, 4, 5, 2), (3, 3), 3, pads=(0, 1, 2, 0)),
        conv(rng, (2, 7, 5, 3), (3, 2), 4, strides=(2, 1), pads=(1, 0, 0, 1)),
        conv(rng, (1, 9, 9, 1), (2, 3), 2, dilations=(3, 2), pads=(3, 0, 0, 4)),
        conv(rng, (1, 4, 4, 3), (2, 2), 2, pads=(3, 3, 3, 3), strides=(3, 3)),  # windows in the padding alone
        conv(rng, (1, 2, 2, 200), (3, 3), 2, **same),  # accumulators beyond 2^20, groups of 127
        conv(rng, (2, 1, 9, 4), (1, 3), 4, 4, dilations=(1, 3), pads=(0, 3, 0, 3)),
        conv(rng, (1, 1, 20, 2), (1, 10), 4, 2),  # 1-D, two outputs a channel
        conv(rng, (1, 20, 1, 2), (15, 1), 2, 2),
        conv(rng, (1, 8, 7, 5), (3, 3), 5, 5, strides=(2, 2), pads=(0, 0, 1, 1)),
        conv(rng, (1, 4, 6, 2), (3, 1), 6, 2, pads=(1, 0, 1, 0)),
        conv(rng, (1, 9, 6, 4), (5, 5), 4, 4, strides=(1, 2), pads=(2, 2, 2, 2)),
        conv(rng, (1, 4, 4, 3), (2, 2), 3, 3, pads=(3, 3, 3, 3), strides=(4, 4)),
        (AveragePool(Window((3, 5))), [(2, 3, 5, 3)]),
        (AveragePool(Window((25, 5), (25, 5))), [(1, 25, 5, 9)]),
    ]
    return cases


def random_cases(seed: int, count: int) -> list[Case]:
    """Convolutions, depthwise ones and matrices of random sizes."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < count:
        kind = rng.integers(5)
        if kind == 0:
            rows, in_features, out_features = (int(v) for v in rng.integers(1, (4, 70, 20)))
            cases.append(fully_connected(rng, rows, in_features, out_features))
            continue
        is_depthwise = kind < 3
        channels = int(rng.choice([2, 3, 5, 8]) if is_depthwise else rng.choice([1, 2, 3, 4, 8, 17]))
        x = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, 12, 2)), channels)
        kernel = tuple(int(v) for v in (rng.integers(1, 6, 2) if rng.integers(3) else (1, 1)))
        strides, dilations = (tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2)) for _ in range(2))
        pads = tuple(int(v) for v in rng.integers(0, 3, 4))
        try:
            Window(kernel, strides, pads, dilations).output_size(*x[1:3])
        except ModelError:
            continue
        outputs = channels * int(rng.choice([1, 1, 2])) if is_depthwise else int(rng.integers(1, 10))
        window = {"strides": strides, "pads": pads, "dilations": dilations}
        cases.append(conv(rng, x, kernel, outputs, channels if is_depthwise else 1, **window))
    return cases


def random_graph(seed: int, count: int) -> Graph:
    """Random layers side by side."""
    return integer_branches(random_cases(seed, count), seed)
