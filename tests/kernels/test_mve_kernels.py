"""Kernels for Armv8.1-M with MVE: which layers they take, and how far apart outputs may lie."""

from __future__ import annotations

import numpy as np
import pytest
from cases import binary, conv2d, fully_connected
from support import check_c, integer_branches

from mcuq.lower import choose_kernel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window

FEATURES = frozenset({"dsp", "fpu", "mve"})


def test_most_layers_have_vector_kernels() -> None:
    layers = list(integer_branches([*conv2d.vectors(), *fully_connected.fixed(), *binary.sums()]).layers())
    vector = [layer for layer in layers if "mve" in choose_kernel(layer, FEATURES).needs]
    assert len(vector) > 0.9 * len(layers)


@pytest.mark.toolchain
def test_outputs_as_far_apart_as_offsets_reach_give_the_simulators_bits() -> None:
    wide = conv2d.conv(np.random.default_rng(3), (1, 4, 7, 6500), (3, 3), 6500, 6500, pads=conv2d.SAME)
    check_c(integer_branches([wide], 3), "emulator", samples=4, seed=3, board="cortex-m55")


def test_outputs_farther_apart_take_another_kernel() -> None:
    rng = np.random.default_rng(3)
    templates = []
    for channels in (6553, 6554):
        wide = conv2d.conv(rng, (1, 4, 7, channels), (3, 3), channels, channels, pads=conv2d.SAME)
        graph = integer_branches([wide])
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
