"""Conv2d with float weights: bits on the host and the emulated CPUs for all types around it, and its error."""

from __future__ import annotations

import numpy as np
import pytest
from cases.conv2d import blocks, borders, conv, corners
from float_cases import FLOAT, HALF, check_floats, float_layer, float_layers, float_meaning, real_outputs, wild_inputs
from support import Case

from mcuq.kernels.portable.conv2d_float32 import CONVERTED_CHANNELS
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

pytestmark = pytest.mark.slow

SCHEMES = {
    "float32 to float32": FLOAT,
    "float32 by float16 to float32": HALF,
    "int8 to int8": Scheme(LayerScheme("float32", "int8")),
    "int8 by float16 to int16": Scheme(LayerScheme("float16", "int16"), input="int8"),
    "int16 to float32": Scheme(LayerScheme("float32", "float32"), input="int16"),
    "float32 by float16 to int8": Scheme(LayerScheme("float16", "int8"), input="float32"),
}


def channel_cases() -> list[Case]:
    """Output channels around the blocks of four and of those whose float16 weights are converted at once."""
    rng = np.random.default_rng(5)
    counts = (1, 2, 3, 4, 5, CONVERTED_CHANNELS - 1, CONVERTED_CHANNELS, CONVERTED_CHANNELS + 1, 2 * CONVERTED_CHANNELS)
    cases = [conv(rng, (1, 2, 3, 3), (2, 2), n, pads=(1, 0, 0, 1)) for n in counts]
    return cases + [conv(rng, (1, 2, 3, 4), (1, 1), 2 * n, groups=2) for n in counts]


CASES = {"corner": corners, "border": borders, "block": blocks, "channel": channel_cases}


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("scheme", [FLOAT, HALF], ids=["float32", "float16"])
def test_c_on_the_host_gives_the_simulators_bits(cases: str, scheme: Scheme) -> None:
    half = scheme is HALF
    check_floats(float_layers(CASES[cases]()[half::2], scheme))  # each case in one of the two


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, scheme: str) -> None:
    check_floats(float_layers([*corners()[:8], *channel_cases()[2:6]], SCHEMES[scheme]), "emulator", board)


@pytest.mark.toolchain
@pytest.mark.parametrize("scheme", SCHEMES)
def test_c_on_the_emulated_cortex_m55_gives_the_simulators_bits(scheme: str) -> None:
    check_floats(float_layers([*corners()[:8], *channel_cases()[2:6]], SCHEMES[scheme]), "emulator", "cortex-m55")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_types_around_a_layer_do_not_matter_to_its_bits_on_the_host(scheme: str) -> None:
    check_floats(float_layers(corners()[::3], SCHEMES[scheme]))


def test_float_layer_is_onnx_runtimes_within_float_rounding() -> None:
    cases = corners()
    graph = float_layers(cases)
    inputs = {name: x[:1] for name, x in wild_inputs(graph, 1).items()}
    want = float_meaning(cases, inputs)
    for name, got in real_outputs(graph, inputs).items():
        assert np.allclose(got, want[name], rtol=1e-5, atol=1e-5)


def test_padding_is_left_out_of_the_sums() -> None:
    weight = np.ones((1, 3, 3, 1), np.float32)
    weight[0, 1, 1] = -1
    op, (x, _, bias) = conv(np.random.default_rng(0), (1, 1, 1, 1), (3, 3), 1, pads=(1, 1, 1, 1))
    graph = float_layer(op, [x, weight, np.full_like(bias, -0.0)])
    (name,) = graph.inputs
    y = real_outputs(graph, {name: np.zeros((1, 1, 1, 1, 1), np.float32)})["y0"]
    assert np.signbit(y).all()  # a product 0 * 1 of the padding would have made it 0.0
    check_floats(graph)
