"""FullyConnected in float and with inputs quantized on the device: bits everywhere, and its error."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from float_cases import DYNAMIC, FLOAT, HALF, check_floats, float_layers, float_meaning, real_outputs, wild_inputs
from support import Case

from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

pytestmark = pytest.mark.slow

SCHEMES = {
    "float32": FLOAT,
    "float16": HALF,
    "dynamic": DYNAMIC,
    "int8 by float32": Scheme(LayerScheme("float32", "int8")),
    "int16 by float16": Scheme(LayerScheme("float16", "int16")),
}
SIZES = [(1, 1, 1), (1, 7, 2), (1, 8, 3), (2, 9, 4), (3, 5, 5), (1, 64, 7), (2, 3, 8), (1, 17, 9)]


def cases() -> list[Case]:
    """(rows, inputs, outputs) around the blocks of four outputs, with limits or without."""
    rng = np.random.default_rng(0)
    limits = ((-inf, inf), (0, inf), (-0.5, 0.7))
    return [
        (
            FullyConnected(minimum=limits[i % 3][0], maximum=limits[i % 3][1]),
            [(rows, inputs), rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)],
        )
        for i, (rows, inputs, outputs) in enumerate(SIZES)
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_c_on_the_host_gives_the_simulators_bits(scheme: str) -> None:
    check_floats(float_layers(cases(), SCHEMES[scheme]))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, scheme: str) -> None:
    check_floats(float_layers(cases(), SCHEMES[scheme]), "emulator", board)


@pytest.mark.toolchain
@pytest.mark.parametrize("scheme", SCHEMES)
def test_c_on_the_emulated_cortex_m55_gives_the_simulators_bits(scheme: str) -> None:
    check_floats(float_layers(cases(), SCHEMES[scheme]), "emulator", "cortex-m55")


@pytest.mark.parametrize(("scheme", "error"), [("float32", 1e-5), ("float16", 1e-2), ("dynamic", 0.2)])
def test_layer_is_onnx_runtimes_within_its_rounding(scheme: str, error: float) -> None:
    graph = float_layers(cases(), SCHEMES[scheme])
    inputs = {name: x[:1] for name, x in wild_inputs(graph, 1).items()}
    want = float_meaning(cases(), inputs)
    for name, got in real_outputs(graph, inputs).items():
        assert np.abs(got - want[name]).max() <= error


def test_a_range_that_is_zero_gives_the_bias() -> None:
    graph = float_layers(cases(), DYNAMIC)
    inputs = {name: np.zeros((1, *graph.tensors[name].shape), np.float32) for name in graph.inputs}
    for layer in graph.layers():
        y = real_outputs(graph, inputs)[layer.output.name][0]
        assert isinstance(layer.op, FullyConnected)
        bias = np.clip(layer.inputs[2].values, layer.op.minimum, layer.op.maximum)
        assert (y == bias.astype(np.float32)).all()
