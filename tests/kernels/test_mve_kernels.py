"""Kernels for Armv8.1-M with MVE against the simulator: their plain C on the host under sanitizers, and QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from support import Case, integer_branches, model_of, random_inputs

from mcuq.graph.ir import Graph
from mcuq.lower import choose_kernel
from mcuq.ops.add import Add, Sub
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.validate import check_bits

BOARD = "cortex-m55"
FEATURES = frozenset({"dsp", "fpu", "mve"})
TARGETS = ("host", pytest.param("emulator", marks=pytest.mark.toolchain))


def conv(
    rng: np.random.Generator,
    x: tuple[int, int, int],
    outputs: int,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    depthwise: bool = False,
    batch: int = 1,
    clip: bool = False,
) -> Case:
    """A convolution of random weights over (batch, *x); `clip` bounds its output."""
    weight = rng.normal(size=(outputs, *kernel, 1 if depthwise else x[2]))
    op = Conv2d(Window(kernel, strides, pads), x[2] if depthwise else 1)
    if clip:
        op = replace(op, minimum=-0.5, maximum=0.75)
    return op, [(batch, *x), weight, rng.normal(size=outputs)]


def dense(rng: np.random.Generator, rows: int, inputs: int, outputs: int) -> Case:
    """A fully connected layer of random weights."""
    return FullyConnected(), [(rows, inputs), rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)]


def edges(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes below, at and above each block: 16 taps and lanes, 2 channels, 3 pixels, 4 columns, 2 and 3 rows."""
    for taps in (1, 3, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129):
        yield conv(rng, (1, 4, taps), 5, (1, 1))
    for outputs in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 18, 31, 32, 33, 34):
        yield conv(rng, (2, 2, 20), outputs, (1, 1))
    for pixels in (1, 2, 3, 5, 6, 7):
        yield conv(rng, (1, pixels, 9), 6, (1, 1), clip=pixels % 2 == 0)
    for kernel, strides, pads in (
        ((3, 3), (1, 1), (1, 1, 1, 1)),
        ((3, 3), (2, 2), (0, 0, 1, 1)),
        ((1, 1), (2, 2), (0, 0, 0, 0)),
        ((2, 5), (1, 3), (1, 4, 0, 2)),
        ((10, 4), (2, 2), (4, 1, 5, 1)),
        ((5, 5), (1, 1), (4, 4, 4, 4)),
    ):
        for channels in (1, 3, 4):
            yield conv(rng, (6, 7, channels), 7, kernel, strides, pads, batch=2)
            yield conv(rng, (6, 7, channels + 1), channels + 1, kernel, strides, pads, depthwise=True, batch=2)
    for columns in (3, 4, 5, 7, 8, 9):
        for rows in (1, 2, 3, 4, 5, 6):
            yield conv(rng, (rows, columns, 2), 2, (3, 3), pads=(1, 1, 1, 1), depthwise=True)
        yield conv(rng, (5, columns, 2), 2, (3, 3), (2, 2), (1, 1, 1, 1), depthwise=True)
        yield conv(rng, (5, columns, 2), 2, (3, 3), (3, 3), (1, 1, 1, 1), depthwise=True)
        yield conv(rng, (5, columns, 2), 2, (3, 3), pads=(1, 1, 1, 1), depthwise=True, clip=True)
        yield conv(rng, (1, columns + 16, 2), 2, (1, columns), pads=(0, 1, 0, 2), depthwise=True)
        yield conv(rng, (columns + 16, 1, 2), 2, (columns + 8, 1), (2, 1), depthwise=True)
    yield from edges_of_strips(rng)
    yield from edges_of_pixels(rng)
    for inputs in (1, 15, 16, 17, 33):
        for outputs in (1, 2, 3, 4, 5, 8, 9):
            yield dense(rng, 1, inputs, outputs)
    yield dense(rng, 2, 20, 5)
    yield dense(rng, 5, 7, 16)
    for elements in (1, 3, 4, 5, 8, 9):
        yield Add(), [(1, elements), (1, elements)]
        yield Sub(), [(1, elements), (1, elements)]


def edges_of_strips(rng: np.random.Generator) -> Iterator[Case]:
    """Depthwise 3x3 around 16 channels, 2 rows, 4 columns; each side with and without padding."""
    for stride in (1, 2):
        for channels in (2, 3, 15, 16, 17, 33):
            yield conv(rng, (5, 9, channels), channels, (3, 3), (stride, stride), (1, 1, 1, 1), depthwise=True)
        for rows in (3, 4, 5, 6):
            for columns in (6, 7, 8, 9, 10, 11, 12, 13):
                yield conv(rng, (rows, columns, 2), 2, (3, 3), (stride, stride), depthwise=True)
        for pads in ((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0), (0, 0, 0, 2), (2, 2, 2, 2), (1, 0, 0, 2)):
            yield conv(rng, (3, 9, 3), 3, (3, 3), (stride, stride), pads, depthwise=True, batch=2)
            yield conv(rng, (9, 4, 3), 3, (3, 3), (stride, stride), pads, depthwise=True)
        yield conv(rng, (1, 8, 3), 3, (3, 3), (stride, stride), (2, 2, 2, 2), depthwise=True)


def edges_of_pixels(rng: np.random.Generator) -> Iterator[Case]:
    """Up to 32 taps and more around 4 channels, 2 and 3 pixels, 16 windows in a row."""
    for taps in (1, 15, 16, 17, 31, 32):
        for outputs in (3, 4, 5, 6, 7, 8, 9):
            yield conv(rng, (1, 5, taps), outputs, (1, 1))
        for pixels in (1, 2, 3, 4, 5, 6, 7, 8):
            yield conv(rng, (1, pixels, taps), 5, (1, 1))
    for taps in (33, 48, 49, 63, 65, 80, 81, 96, 112, 129, 144):
        for outputs, pixels in ((3, 3), (4, 1), (4, 2), (5, 3), (6, 4), (7, 5), (8, 6), (9, 7)):
            yield conv(rng, (1, pixels, taps), outputs, (1, 1))
    for taps in (15, 16, 17, 32, 33):
        for strides in ((1, 2), (2, 1), (3, 2)):
            yield conv(rng, (4, 6, taps), 6, (1, 1), strides, batch=2)
    for channels, kernel in ((1, (3, 3)), (1, (4, 4)), (3, (3, 3)), (2, (1, 8)), (8, (2, 2)), (5, (3, 2)), (4, (8, 1))):
        for columns in (8, 9, 15, 16, 17, 18, 33, 34, 36):
            pads = (kernel[0] // 2, kernel[1] // 2, kernel[0] // 2, (kernel[1] - 1) // 2)
            yield conv(rng, (kernel[0], columns, channels), 5, kernel, pads=pads)
        yield conv(rng, (9, 37, channels), 6, kernel, (2, 2), (0, 0, 1, 1), batch=2)
        yield conv(rng, (9, 8, channels), 4, kernel, (1, 3), tuple(k - 1 for k in kernel * 2))


def random_case(rng: np.random.Generator) -> Case:
    """Any layer that these kernels may take."""
    kind = rng.integers(7)
    if kind == 0:
        return dense(rng, int(rng.integers(1, 5)), int(rng.integers(1, 80)), int(rng.integers(1, 40)))
    if kind == 1:
        shape = (1, *(int(v) for v in rng.integers(1, 8, 2)))
        return Add(), [shape, shape]
    if kind == 5:
        return random_strip(rng)
    if kind == 6:
        return random_pixels(rng)
    depthwise = kind >= 3
    while True:
        kernel = tuple(int(v) for v in rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 10, 17], 2))
        strides = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
        pads = tuple(int(rng.integers(k)) for k in kernel * 2)
        channels = int(rng.choice([1, 2, 3, 4, 5, 8, 15, 16, 17, 21]))
        x = (*(int(v) for v in rng.integers(1, 15, 2)), channels + int(depthwise and channels == 1))
        if x[0] + pads[0] + pads[2] < kernel[0] or x[1] + pads[1] + pads[3] < kernel[1]:
            continue
        outputs = x[2] if depthwise else int(rng.integers(1, 36))
        clip = bool(rng.integers(4) == 0)
        return conv(rng, x, outputs, kernel, strides, pads, depthwise, int(rng.choice([1, 1, 2])), clip)


def random_strip(rng: np.random.Generator) -> Case:
    """A depthwise 3x3 layer with padding on any side."""
    stride = int(rng.integers(1, 3))
    channels = int(rng.choice([2, 3, 15, 16, 17, 24, 31, 32, 33, 48, 53]))
    rows, columns = (int(v) for v in rng.integers(3, 20, 2))
    pads = tuple(int(v) for v in rng.integers(0, 3, 4))
    x = (rows, columns, channels)
    return conv(rng, x, channels, (3, 3), (stride, stride), pads, True, int(rng.choice([1, 1, 2])))


def random_pixels(rng: np.random.Generator) -> Case:
    """A convolution of up to 32 taps, or of up to 160."""
    kernel = ((1, 1), (1, 3), (2, 2), (3, 1), (3, 3), (4, 2), (1, 16))[int(rng.integers(7))]
    channels = int(rng.integers(1, int(rng.choice([32, 32, 160])) // (kernel[0] * kernel[1]) + 1))
    strides = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
    pads = tuple(int(rng.integers(k)) for k in kernel * 2)
    x = (kernel[0] + int(rng.integers(6)), kernel[1] + int(rng.integers(40)), channels)
    return conv(rng, x, int(rng.integers(4, 40)), kernel, strides, pads, batch=int(rng.choice([1, 1, 2])))


def check(cases: list[Case], on: str, seed: int) -> None:
    """Each byte of each layer is the simulator's, for random inputs and both extremes."""
    graph = integer_branches(cases, seed)
    report = check_bits(model_of(graph, BOARD), iter([random_inputs(graph, 4, seed)]), on)
    assert report.first_mismatch is None, f"{_layer(graph, report.first_mismatch.output)}{report.first_mismatch}"
    assert report.samples == 4


def _layer(graph: Graph, output: str) -> str:
    layer = graph.layer(graph.producers()[output])
    return f"{layer.op} {[t.shape for t in layer.inputs]} -> {layer.output.shape}\n"


def packed(cases: list[Case], models: int) -> list[list[Case]]:
    """The cases spread over so many models."""
    return [cases[i::models] for i in range(models)]


@pytest.mark.parametrize("on", TARGETS)
def test_some_sizes_around_every_block_give_the_simulators_bits(on: str) -> None:
    check(packed(list(edges(np.random.default_rng(1))), 7)[0], on, 0)


@pytest.mark.slow
@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("part", range(7))
def test_sizes_around_every_block_give_the_simulators_bits(part: int, on: str) -> None:
    check(packed(list(edges(np.random.default_rng(1))), 7)[part], on, part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "on"), [(part, "emulator") for part in range(16)] + [(part, "host") for part in range(2)]
)
def test_random_layers_give_the_simulators_bits(part: int, on: str) -> None:
    rng = np.random.default_rng(100 + part)
    check([random_case(rng) for _ in range(40)], on, part)


def test_most_layers_have_vector_kernels() -> None:
    cases = list(edges(np.random.default_rng(1)))
    layers = list(integer_branches(cases).layers())
    vector = [layer for layer in layers if "mve" in choose_kernel(layer, FEATURES).needs]
    assert len(vector) > 0.9 * len(layers)


@pytest.mark.toolchain
def test_outputs_as_far_apart_as_offsets_reach_give_the_simulators_bits() -> None:
    rng = np.random.default_rng(3)
    check([conv(rng, (4, 7, 6500), 6500, (3, 3), pads=(1, 1, 1, 1), depthwise=True)], "emulator", 3)


def test_outputs_farther_apart_take_another_kernel() -> None:
    rng = np.random.default_rng(3)
    templates = []
    for channels in (6553, 6554):
        graph = integer_branches([conv(rng, (4, 7, channels), channels, (3, 3), pads=(1, 1, 1, 1), depthwise=True)])
        (layer,) = graph.layers()
        (call,) = choose_kernel(layer, FEATURES).lower(layer.op, layer)
        templates.append(call.constants.template)
    assert templates == ["mve/depthwise_3x3", "dsp/depthwise"]


def test_dilation_falls_back() -> None:
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(3, 3, 3, 2))
    graph = integer_branches([(Conv2d(Window((3, 3), dilations=(2, 2))), [(1, 7, 7, 2), weight, np.zeros(3)])])
    (layer,) = graph.layers()
    assert "mve" not in choose_kernel(layer, FEATURES).needs
