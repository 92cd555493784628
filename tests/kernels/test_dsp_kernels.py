"""Kernels for the DSP extension against the simulator: every tail length, both compilers, host and emulated CPU."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from support import Case, check_c, integer_branches, integer_graph

from mcuq.arithmetic.int8 import Requantization
from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.order import pack_channel_fours, pack_channels, pack_fours, pack_pairs
from mcuq.lower import choose_kernel
from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.window import Window

DSP = frozenset({"dsp"})
WAYS = [("host", "gcc"), pytest.param("emulator", "gcc", marks=pytest.mark.toolchain), ("emulator", "zig")]
BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0, 6), (-0.5, 0.7))

Make = Callable[[np.random.Generator], Case]


def bounds(rng: np.random.Generator) -> dict[str, float]:
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    return {"minimum": low, "maximum": high}


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """Random weights, or all at one extreme, or the extremes in turn."""
    kind = rng.integers(6)
    if kind == 0:
        return np.full(shape, rng.choice([-1.0, 1.0]), np.float32)
    if kind == 1:
        return np.where(np.arange(np.prod(shape)).reshape(shape) % 2, 1.0, -1.0).astype(np.float32)
    return (rng.normal(size=shape) * rng.uniform(0.3, 1, (shape[0], *(1,) * (len(shape) - 1)))).astype(np.float32)


def bias(rng: np.random.Generator, channels: int) -> Array:
    return rng.normal(size=channels).astype(np.float32)


def near(rng: np.random.Generator, *unrolls: int) -> int:
    """L-1, L or L+1 of one of the unrolled lengths."""
    return max(1, int(rng.choice(unrolls)) + int(rng.integers(-1, 2)))


def pointwise(rng: np.random.Generator) -> Case:
    channels, outputs = 4 * near(rng, 1, 2, 4, 8), near(rng, 2, 4, 8)
    strides = (1, 1) if rng.integers(3) else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    x = (int(rng.choice([1, 1, 2])), int(rng.integers(1, 5)), near(rng, 1, 4, 8), channels)
    weight = weights(rng, outputs, 1, 1, channels)
    return Conv2d(Window((1, 1), strides), 1, **bounds(rng)), [x, weight, bias(rng, outputs)]


def windowed(rng: np.random.Generator, largest: int, dilated: bool) -> tuple[Window, int, int]:
    """A window with the height and width of an image that it fits."""
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


def convolution(rng: np.random.Generator) -> Case:
    window, height, width = windowed(rng, 10, True)
    channels, outputs = int(rng.choice([1, 2, 3, 4, 4, 5, 8, 12])), near(rng, 2, 4)
    x = (int(rng.choice([1, 1, 2])), height, width, channels)
    return (
        Conv2d(window, 1, **bounds(rng)),
        [x, weights(rng, outputs, *window.kernel, channels), bias(rng, outputs)],
    )


def depthwise(rng: np.random.Generator) -> Case:
    if rng.integers(2):
        stride = int(rng.integers(1, 3))
        window, height, width = (
            Window((3, 3), (stride, stride), (1, 1, 1, 1)),
            *(int(v) for v in rng.integers(1, 12, 2)),
        )
    else:
        window, height, width = windowed(rng, 14, False)
    channels = max(2, near(rng, 2, 4, 8))
    x = (int(rng.choice([1, 1, 2])), height, width, channels)
    weight = weights(rng, channels, *window.kernel, 1)
    return Conv2d(window, channels, **bounds(rng)), [x, weight, bias(rng, channels)]


def column(rng: np.random.Generator) -> Case:
    """Depthwise over one spatial dimension, along either axis."""
    length, taps, channels = near(rng, 8, 16), near(rng, 2, 4, 8), max(2, near(rng, 4, 8))
    taps = min(taps, length)
    stride = int(rng.integers(1, 4))
    x, kernel, strides = (1, length, 1, channels), (taps, 1), (stride, 1)
    if rng.integers(2):
        x, kernel, strides = (1, 1, length, channels), (1, taps), (1, stride)
    weight = weights(rng, channels, *kernel, 1)
    return Conv2d(Window(kernel, strides), channels, **bounds(rng)), [x, weight, bias(rng, channels)]


def fully_connected(rng: np.random.Generator) -> Case:
    inputs, outputs = near(rng, 4, 8, 16, 32, 64), near(rng, 2, 4, 8)
    x = (int(rng.integers(1, 3)), inputs)
    return FullyConnected(**bounds(rng)), [x, weights(rng, outputs, inputs), bias(rng, outputs)]


def add(rng: np.random.Generator) -> Case:
    shape = (1, near(rng, 4, 8, 16), int(rng.integers(1, 4)))
    op = (Add, Sub)[rng.integers(2)](**bounds(rng))
    return op, [shape, rng.normal(size=shape).astype(np.float32) if rng.integers(4) == 0 else shape]


def average_pool(rng: np.random.Generator) -> Case:
    window, height, width = windowed(rng, 8, False)
    while max(window.pads) >= min(window.kernel):
        window, height, width = windowed(rng, 8, False)
    x = (int(rng.choice([1, 1, 2])), height, width, near(rng, 4, 8))
    return AveragePool(window, bool(rng.integers(2)), **bounds(rng)), [x]


def max_pool(rng: np.random.Generator) -> Case:
    window, height, width = windowed(rng, 8, True)
    while max(window.pads) >= min(window.kernel):
        window, height, width = windowed(rng, 8, True)
    return MaxPool(window), [(int(rng.choice([1, 1, 2])), height, width, near(rng, 4, 8))]


def mean(rng: np.random.Generator) -> Case:
    x = (int(rng.integers(1, 3)), int(rng.integers(1, 8)), int(rng.choice([1, 5, 40])), near(rng, 4, 8))
    return Mean((1, 2), **bounds(rng)), [x]


MAKERS: tuple[Make, ...] = (
    pointwise, convolution, depthwise, column, fully_connected, add, average_pool, max_pool, mean,
)  # fmt: skip


def corners() -> list[Case]:
    """What random layers seldom are: one channel, three channels of odd images, one feature; and layers that are left
    to portable kernels."""
    rng = np.random.default_rng(1)
    same = (1, 1, 1, 1)
    cases: list[Case] = []
    for x, window, outputs, groups in (
        ((1, 9, 9, 3), Window((3, 3), (2, 2), same), 8, 1),
        ((1, 7, 11, 3), Window((3, 3), pads=same), 3, 1),
        ((1, 7, 9, 3), Window((3, 3), dilations=(2, 3)), 5, 1),
        ((1, 11, 7, 3), Window((5, 4), (3, 2), (2, 1, 2, 2)), 1, 1),
        ((2, 5, 5, 3), Window((1, 1)), 4, 1),
        ((1, 9, 9, 1), Window((3, 3), (2, 2), same), 4, 1),
        ((1, 25, 7, 1), Window((10, 4), (2, 2), (4, 1, 5, 1)), 5, 1),
        ((1, 9, 9, 1), Window((2, 3), dilations=(3, 2), pads=(3, 0, 0, 4)), 2, 1),
        ((1, 1, 1, 1), Window((1, 1)), 1, 1),
        ((1, 1, 1, 3), Window((5, 4), pads=(4, 3, 0, 0)), 2, 1),
        ((1, 5, 7, 4), Window((1, 1)), 3, 1),
        ((2, 7, 5, 3), Window((3, 3), (2, 2), same), 3, 3),
        ((1, 7, 5, 3), Window((3, 3), pads=same), 6, 3),
        ((1, 9, 7, 3), Window((3, 3), dilations=(2, 2), pads=same), 3, 3),
    ):
        weight = weights(rng, outputs, *window.kernel, x[3] // groups)
        cases.append((Conv2d(window, groups, **bounds(rng)), [x, weight, bias(rng, outputs)]))
    for rows, inputs, outputs in ((1, 1, 1), (1, 1, 5), (2, 3, 1), (3, 2, 4)):
        weight = weights(rng, outputs, inputs)
        cases.append((FullyConnected(**bounds(rng)), [(rows, inputs), weight, bias(rng, outputs)]))
    return cases


def cases(seed: int, count: int) -> list[Case]:
    """`count` layers of each kind."""
    rng = np.random.default_rng(seed)
    return [make(rng) for make in MAKERS for _ in range(count)]


@pytest.mark.parametrize(("on", "compiler"), WAYS)
def test_c_gives_the_simulators_bits(on: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    check_c(integer_branches([*corners(), *cases(0, 4)]), on, samples=4)


# 648 layers from one compiler in the emulator, a sixth of them from the other and on the host under sanitizers.
SEEDS = range(1, 13)
PER_SEED = 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "on", "compiler"),
    [(seed, "emulator", "gcc") for seed in SEEDS]
    + [(seed, *way) for seed in (1, 2) for way in (("host", "gcc"), ("emulator", "zig"))],
)
def test_c_gives_the_simulators_bits_for_many_random_layers(
    seed: int, on: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    check_c(integer_branches(cases(seed, PER_SEED), seed), on)


def test_most_random_layers_take_kernels_for_dsp() -> None:
    layers = [layer for seed in SEEDS for layer in integer_branches(cases(seed, PER_SEED), seed).layers()]
    assert sum(choose_kernel(layer, DSP).needs == DSP for layer in layers) >= 500


def test_depthwise_image_larger_than_the_scratch_is_done_in_bands() -> None:
    rng = np.random.default_rng(3)
    for stride, width in ((1, 61), (2, 80), (1, 300)):
        window = Window((3, 3), (stride, stride), (1, 1, 1, 1))
        inputs = [(1, 23, width, 5), weights(rng, 5, 3, 3, 1), bias(rng, 5)]
        graph = integer_branches([(Conv2d(window, 5), inputs)])
        (layer,) = graph.layers()
        (call,) = choose_kernel(layer, DSP).lower(layer.op, layer)
        assert call.constants.band_rows < 23  # type: ignore[attr-defined]
        check_c(graph, "emulator", samples=4)


def test_layers_finer_than_their_products_stay_with_the_portable_kernels() -> None:
    rng = np.random.default_rng(4)
    inputs = [(1, 3, 3, 4), weights(rng, 4, 1, 1, 4), bias(rng, 4)]
    for largest, is_dsp in ((1.0, True), (1e-3, False)):
        graph = integer_graph(Conv2d(Window((1, 1))), inputs, {"y": (-largest, largest)})
        (layer,) = graph.layers()
        assert (choose_kernel(layer, DSP).needs == DSP) == is_dsp
        check_c(graph, "emulator")


def test_weights_are_packed_as_the_loops_read_them() -> None:
    weight = np.arange(15, dtype=np.int8).reshape(3, 5) + 1
    words = pack_pairs(weight).view(np.int8).reshape(2, 2, 2, 4)
    assert words[0, 0].tolist() == [[1, 6, 3, 8], [2, 7, 4, 9]]
    assert words[0, 1].tolist() == [[5, 10, 0, 0], [0, 0, 0, 0]]
    assert words[1, 0].tolist() == [[11, 0, 13, 0], [12, 0, 14, 0]]
    assert pack_fours(weight)[0].tolist() == [
        [1, 6, 11, 0],
        [2, 7, 12, 0],
        [3, 8, 13, 0],
        [4, 9, 14, 0],
        [5, 10, 15, 0],
    ]


def test_channels_are_packed_behind_offset_and_shift() -> None:
    requant = Requantization((7, 8, 9), 3, 0)
    values = np.array([1, 2, 3], np.int32)
    assert pack_channels(values, requant, -5).tolist() == [-36, 3, 1, 2, 7, 8, 3, 0, 9, 0]
    assert pack_channel_fours(values, requant, -5).tolist() == [-36, 3, 1, 2, 3, 0, 7, 8, 9, 0]
