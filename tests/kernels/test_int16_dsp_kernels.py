"""Kernels of int16 for the DSP extension: which layers they take, bands of images, limits, how weights lie."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from cases.every import drawn_weighted
from cases.values import bias, weights
from scheme_cases import INT16, NARROWING
from support import check_c, check_float, integer_branches, integer_graph
from test_dsp_kernels import DSP

from mcuq.kernels.dsp.order import pack_neighbours
from mcuq.lower import choose_kernel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.quantize import Scheme

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", [INT16, NARROWING], ids=["int16", "int16 to int8"])
def test_most_random_layers_take_kernels_for_dsp(scheme: Scheme) -> None:
    layers = list(integer_branches(drawn_weighted(1, 10), 1, scheme).layers())
    if scheme is NARROWING:
        layers = [layer for layer in layers if isinstance(layer.op, Conv2d)]
    assert sum(choose_kernel(layer, DSP).needs == DSP for layer in layers) >= 0.8 * len(layers)


def test_depthwise_image_larger_than_the_scratch_is_done_in_bands() -> None:
    rng = np.random.default_rng(3)
    inputs = [(1, 23, 80, 5), weights(rng, 5, 3, 3, 1), bias(rng, 5)]
    graph = integer_branches([(Conv2d(Window((3, 3), (2, 2), (1, 1, 1, 1)), 5), inputs)], scheme=INT16)
    (layer,) = graph.layers()
    (call,) = choose_kernel(layer, DSP).lower(layer.op, layer)
    assert call.constants.band_rows < 23  # type: ignore[attr-defined]
    check_c(graph, "emulator", samples=4)


def test_layers_with_sums_of_64_bits_stay_with_the_portable_kernels() -> None:
    for taps, is_dsp in ((500, True), (600, False)):  # 32768 * 127 * 517 < 2^31 < 32768 * 127 * 518
        inputs = [(1, taps), np.ones((2, taps)), np.zeros(2)]
        graph = integer_graph(FullyConnected(), inputs, {"y": (-500.0, 500.0)}, INT16)
        (layer,) = graph.layers()
        assert (choose_kernel(layer, DSP).needs == DSP) == is_dsp
        check_c(graph, "emulator", samples=3)


@pytest.mark.parametrize("limits", [(0.0, inf), (-0.3, 0.4), (-inf, 0.1)])
def test_limits_hold_in_pairs_and_in_a_last_element(limits: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    for outputs in (1, 2, 3, 5):
        op = Conv2d(Window((1, 1)), minimum=limits[0], maximum=limits[1])
        inputs = [(1, 1, 3, 4), rng.normal(size=(outputs, 1, 1, 4)), np.zeros(outputs)]
        graph = integer_graph(op, inputs, {"y": (-1.0, 1.0)}, INT16)
        assert choose_kernel(next(graph.layers()), DSP).needs == DSP
        check_c(graph, "emulator")
        check_c(graph, "host")
        check_float(graph, 0.51)


def test_weights_are_packed_as_the_loops_read_them() -> None:
    weight = np.arange(15, dtype=np.int8).reshape(3, 5) + 1
    words = pack_neighbours(weight).view(np.int8).reshape(2, 2, 2, 4)
    assert words[0, 0].tolist() == [[1, 6, 2, 7], [3, 8, 4, 9]]
    assert words[0, 1].tolist() == [[5, 10, 0, 0], [0, 0, 0, 0]]
    assert words[1, 0].tolist() == [[11, 0, 12, 0], [13, 0, 14, 0]]
