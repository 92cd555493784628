"""Kernels for RV32IM against the simulator: sizes around every block, each window, both extremes, two compilers."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import pytest
from support import Case, integer_branches, model_of, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.operator import Operator
from mcuq.graph.tensor import Array
from mcuq.kernels.rv32.conv2d import Conv2dRv32Constants, blocked
from mcuq.kernels.rv32.fully_connected import in_blocks
from mcuq.lower import choose_kernel, lower
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.validate import check_bits

COMPILERS = ["zig", pytest.param("gcc", marks=pytest.mark.toolchain)]
BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0, 6), (-0.5, 0.7))


def weights(rng: np.random.Generator, *shape: int) -> Array:
    """Random, or all at one extreme, or at both in turn."""
    kind = rng.integers(6)
    if kind == 0:
        return np.full(shape, rng.choice([-1.0, 1.0]), np.float32)
    if kind == 1:
        return np.where(np.arange(np.prod(shape)).reshape(shape) % 2, 1.0, -1.0).astype(np.float32)
    return (rng.normal(size=shape) * rng.uniform(0.3, 1, (shape[0], *(1,) * (len(shape) - 1)))).astype(np.float32)


def weighted(op: Operator, rng: np.random.Generator, x: tuple[int, ...], weight: Array) -> Case:
    return op, [x, weight, rng.normal(size=len(weight)).astype(np.float32)]


def conv(rng: np.random.Generator, x: tuple[int, ...], window: Window, out_channels: int, groups: int = 1) -> Case:
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    weight = weights(rng, out_channels, *window.kernel, x[3] // groups)
    return weighted(Conv2d(window, groups, minimum=low, maximum=high), rng, x, weight)


def fully_connected(rng: np.random.Generator, rows: int, in_features: int, out_features: int) -> Case:
    low, high = BOUNDS[rng.integers(len(BOUNDS))]
    weight = weights(rng, out_features, in_features)
    return weighted(FullyConnected(minimum=low, maximum=high), rng, (rows, in_features), weight)


def random_conv(rng: np.random.Generator, depthwise: bool) -> Case:
    while True:
        channels = int(rng.choice([1, 2, 3, 3, 4, 5, 8, 9]))
        x = (int(rng.choice([1, 1, 1, 2])), *(int(v) for v in rng.integers(1, 14, 2)), channels)
        kernel = tuple(int(v) for v in rng.integers(1, 6, 2)) if rng.integers(2) else (3, 3)
        strides = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
        dilations = tuple(int(v) for v in rng.choice([1, 1, 1, 2], 2))
        window = Window(kernel, strides, tuple(int(v) for v in rng.integers(0, 4, 4)), dilations)
        try:
            window.output_size(*x[1:3])
        except ModelError:
            continue
        if depthwise:
            return conv(rng, x, window, channels * int(rng.choice([1, 1, 2, 3])), channels)
        return conv(rng, x, window, int(rng.integers(1, 10)))


def random_cases(seed: int, count: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(count):
        kind = i % 5
        if kind < 2:
            cases.append(random_conv(rng, depthwise=bool(kind)))
        elif kind == 2:
            x = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, 5, 2)), int(rng.integers(1, 20)))
            cases.append(conv(rng, x, Window((1, 1)), int(rng.integers(1, 18))))
        elif kind == 3:
            cases.append(fully_connected(rng, int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, 40, 2))))
        else:
            size = int(rng.integers(3, 12))
            cases.append(conv(rng, (1, size, int(rng.integers(3, 12)), 3), Window((3, 3), (2, 2), (1, 1, 1, 1)), 3, 3))
    return cases


def pointwise_cases() -> list[Case]:
    """Pixels and channels around the blocks of four, and input channels even and odd."""
    rng = np.random.default_rng(0)
    sizes = [(pixels, 5, out) for pixels in (1, 3, 4, 5, 8) for out in (1, 3, 4, 5, 9)]
    sizes += [(5, inputs, 5) for inputs in (1, 2, 3, 4)]
    cases = [conv(rng, (1, 1, pixels, inputs), Window((1, 1)), out) for pixels, inputs, out in sizes]
    return [*cases, conv(rng, (2, 3, 3, 3), Window((1, 1)), 5)]


def conv2d_cases() -> list[Case]:
    """Rows of outputs around the block of four, runs even and odd, and padding on each side, also alone."""
    rng = np.random.default_rng(1)
    same = (1, 1, 1, 1)
    cases = [
        conv(rng, (1, 4, width, channels), Window((3, 3), pads=same), out)
        for width, channels, out in ((1, 1, 1), (3, 3, 4), (4, 3, 5), (5, 2, 3), (8, 4, 4), (9, 1, 9))
    ]
    return [
        *cases,
        conv(rng, (2, 9, 9, 3), Window((3, 3), (2, 2), same), 8),
        conv(rng, (1, 8, 8, 4), Window((3, 3), (2, 2), (0, 0, 1, 1)), 4),
        conv(rng, (1, 6, 6, 4), Window((1, 1), (2, 2)), 5),
        conv(rng, (1, 25, 7, 1), Window((10, 4), (2, 2), (4, 1, 5, 1)), 5),
        conv(rng, (1, 1, 17, 4), Window((1, 5), (1, 2), (0, 2, 0, 2)), 3),
        conv(rng, (1, 17, 1, 4), Window((5, 1), (2, 1), (2, 0, 2, 0), (2, 3)), 3),
        conv(rng, (2, 17, 1, 4), Window((5, 1), (2, 1), (2, 0, 1, 0)), 3),
        conv(rng, (1, 4, 4, 3), Window((2, 2), (3, 3), (3, 3, 3, 3)), 5),
        conv(rng, (1, 1, 1, 3), Window((5, 4), pads=(4, 3, 0, 0)), 4),
        conv(rng, (1, 2, 2, 2), Window((2, 2), (5, 5), (4, 4, 0, 0)), 4),
        conv(rng, (1, 2, 2, 2), Window((1, 1), (5, 1), (3, 9, 0, 2)), 4),
    ]


def depthwise_cases() -> list[Case]:
    """Rows of outputs around the block of four, planes with padding on each side, several outputs a channel."""
    rng = np.random.default_rng(2)
    same = (1, 1, 1, 1)
    cases = [
        conv(rng, (1, 5, width, 3), Window((3, 3), (stride, stride), same), 3, 3)
        for width in (1, 2, 3, 4, 5, 7, 8, 9, 10, 17)
        for stride in (1, 2)
    ]
    return [
        *cases,
        conv(rng, (2, 6, 5, 2), Window((3, 3), pads=(0, 2, 1, 0)), 6, 2),
        conv(rng, (1, 30, 1, 5), Window((3, 1)), 5, 5),
        conv(rng, (1, 15, 1, 3), Window((15, 1)), 3, 3),
        conv(rng, (2, 14, 1, 3), Window((4, 1), (3, 1), (2, 0, 3, 0)), 6, 3),
        conv(rng, (1, 1, 15, 3), Window((1, 5), (1, 2), (0, 2, 0, 2)), 3, 3),
        conv(rng, (1, 7, 9, 4), Window((5, 5), pads=(2, 2, 2, 2)), 4, 4),
        conv(rng, (1, 7, 9, 4), Window((3, 3), (1, 2), (2, 2, 2, 2), (2, 2)), 8, 4),
        conv(rng, (1, 2, 2, 2), Window((3, 3), (4, 4), (5, 5, 0, 1)), 2, 2),
    ]


def fully_connected_cases() -> list[Case]:
    """Outputs around the blocks of sixteen and four, inputs around the four that are unrolled."""
    rng = np.random.default_rng(3)
    sizes = [(1, inputs, 17) for inputs in (1, 3, 4, 5, 8)]
    sizes += [(2, 7, outputs) for outputs in (1, 3, 4, 5, 15, 16, 18, 20, 32, 37)]
    return [fully_connected(rng, *size) for size in sizes]


def templates(cases: Sequence[Case]) -> set[str]:
    program = lower(integer_branches(cases), {"rv32m"})
    return {call.constants.template for step in program.steps for call in step.calls}


def check(cases: Sequence[Case], on: str, seed: int = 0) -> None:
    graph = integer_branches(cases, seed)
    report = check_bits(model_of(graph, "rv32imc", "layers"), iter([random_inputs(graph, 5, seed)]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == 5


GROUPS = {
    "rv32/pointwise": pointwise_cases,
    "rv32/conv2d": conv2d_cases,
    "depthwise": depthwise_cases,
    "rv32/fully_connected": fully_connected_cases,
}


@pytest.mark.parametrize("group", GROUPS)
def test_sizes_around_every_block_give_the_simulators_bits(group: str) -> None:
    check(GROUPS[group](), "emulator")


def test_the_kernels_twin_for_the_host_gives_the_simulators_bits() -> None:
    check([case for group in GROUPS.values() for case in group()[4::14]], "host")


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_sizes_around_every_block_give_the_simulators_bits_on_the_host(group: str) -> None:
    check(GROUPS[group](), "host")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_both_compilers_give_the_simulators_bits(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    check(random_cases(0, 20), "emulator")


SEEDS = range(1, 11)
PER_SEED = 60


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "compiler"), [(seed, "gcc") for seed in SEEDS] + [(seed, "zig") for seed in (1, 2)])
def test_random_layers_give_the_simulators_bits(seed: int, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    check(random_cases(seed, PER_SEED), "emulator", seed)


def test_most_random_layers_take_kernels_for_rv32() -> None:
    layers = [layer for seed in SEEDS for layer in integer_branches(random_cases(seed, PER_SEED), seed).layers()]
    assert sum(choose_kernel(layer, {"rv32m"}).needs == {"rv32m"} for layer in layers) >= 500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 3))
def test_random_layers_give_the_simulators_bits_on_the_host(seed: int) -> None:
    check(random_cases(seed, PER_SEED), "host", seed)


def test_layers_take_the_kernel_meant_for_them() -> None:
    assert templates(pointwise_cases()) == {"rv32/pointwise"}
    assert templates(conv2d_cases()) == {"rv32/conv2d"}
    assert templates(depthwise_cases()) == {"rv32/depthwise_3x3", "rv32/depthwise"}
    assert templates(fully_connected_cases()) == {"rv32/fully_connected"}


def test_images_of_width_one_are_laid_down_so_that_blocks_have_four_pixels() -> None:
    rng = np.random.default_rng(0)
    cases = [
        conv(rng, (1, 9, 1, 2), Window((4, 1), (2, 1), (1, 0, 2, 0)), out, groups) for out, groups in ((3, 1), (2, 2))
    ]
    for step in lower(integer_branches(cases), {"rv32m"}).steps:
        constants = step.calls[0].constants
        assert isinstance(constants, Conv2dRv32Constants)
        assert (constants.in_height, constants.in_width, constants.out_height, constants.out_width) == (1, 9, 1, 5)
        assert (constants.kernel_height, constants.kernel_width) == (1, 4)
        assert (constants.stride_x, constants.pad_top, constants.pad_left) == (2, 0, 1)


def test_groups_and_gaps_along_x_are_left_to_the_portable_kernel() -> None:
    rng = np.random.default_rng(0)
    assert templates([conv(rng, (1, 5, 5, 4), Window((3, 3)), 4, 2)]) == {"portable/conv2d"}
    assert templates([conv(rng, (1, 5, 5, 4), Window((2, 2), dilations=(1, 2)), 4)]) == {"portable/conv2d"}


def test_weights_of_four_output_channels_lie_together_and_the_rest_as_it_was() -> None:
    weight = np.arange(12, dtype=np.int8).reshape(6, 1, 1, 2)
    assert blocked(weight).tolist() == [0, 2, 4, 6, 1, 3, 5, 7, 8, 9, 10, 11]


def test_weights_of_sixteen_then_four_then_single_outputs() -> None:
    weight = np.arange(42, dtype=np.int8).reshape(21, 2)
    order = [*range(0, 32, 2), *range(1, 32, 2), 32, 34, 36, 38, 33, 35, 37, 39, 40, 41]
    assert in_blocks(weight).tolist() == order
