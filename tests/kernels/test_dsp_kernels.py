"""Kernels for the DSP extension: bands of images, which layers they take, how weights lie."""

from __future__ import annotations

import numpy as np
from cases.values import bias, weights
from support import check_c, integer_branches, integer_graph

from mcuq.arithmetic.int8 import Requantization
from mcuq.kernels.dsp.order import pack_channel_fours, pack_channels, pack_fours, pack_pairs
from mcuq.lower import choose_kernel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window

DSP = frozenset({"dsp"})


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


def test_a_window_that_is_the_whole_image_needs_no_copy_of_it() -> None:
    rng = np.random.default_rng(5)
    for image, window, channels, is_taken in (
        ((15, 1), Window((15, 1)), 128, True),
        ((3, 3), Window((3, 3)), 4, True),
        ((3, 3), Window((3, 3)), 6, False),
        ((3, 3), Window((3, 3), pads=(1, 0, 0, 0)), 4, False),
        ((4, 3), Window((3, 3), (2, 2)), 4, False),
    ):
        inputs = [(1, *image, channels), weights(rng, channels, *window.kernel, 1), bias(rng, channels)]
        (layer,) = integer_branches([(Conv2d(window, channels), inputs)]).layers()
        (call,) = choose_kernel(layer, DSP).lower(layer.op, layer)
        assert (call.constants.template == "dsp/depthwise_pixel") == is_taken
        assert (call.scratch_bytes == 0) == is_taken


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
