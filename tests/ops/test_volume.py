"""A network over volumes, of every kind of numbers: C against the simulator."""

from __future__ import annotations

import pytest
from float_cases import DYNAMIC, FLOAT, check_floats, with_scheme
from onnx_models import imported, model, node, random
from support import INT8, check_c, with_ranges

from mcuq.graph.ir import Graph
from mcuq.passes import optimize
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def network() -> Graph:
    constants = {
        "w": random(6, 4, 3, 3, 3),
        "flat": random(8, 6, 1, 2, 2),
        "own": random(8, 1, 3, 3, 3),
        "up": random(8, 4, 3, 3, 3),
    }
    nodes = [
        node("Conv", ["x", "w"], "a", pads=[1] * 6),
        node("Relu", ["a"], "b"),
        node("MaxPool", ["b"], "c", kernel_shape=[2, 2, 2], strides=[2, 2, 2]),
        node("Conv", ["c", "flat"], "d", strides=[1, 1, 2]),
        node("Conv", ["d", "own"], "e", group=8, pads=[1] * 6),
        node("ConvTranspose", ["e", "up"], "f", strides=[2, 2, 2], pads=[1] * 6, output_padding=[1, 1, 1]),
        node("AveragePool", ["f"], "y", kernel_shape=[3, 2, 2], pads=[1, 0, 1] * 2, strides=[2, 2, 2]),
    ]
    return optimize(imported(model(nodes, {"x": (1, 4, 4, 6, 6)}, constants=constants)))


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
@pytest.mark.parametrize("scheme", [INT8, pytest.param(INT16, marks=pytest.mark.slow)], ids=["int8", "int16"])
def test_c_gives_the_simulators_bits(scheme: Scheme, on: str) -> None:
    check_c(with_ranges(network(), scheme=scheme), on, samples=3)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [FLOAT, DYNAMIC], ids=["float32", "dynamic"])
def test_c_of_floats_gives_the_simulators_bits(scheme: Scheme) -> None:
    check_floats(with_scheme(network(), scheme), samples=3)
