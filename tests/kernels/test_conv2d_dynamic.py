"""Conv2d that quantizes its input on the device: bits on the host and the emulated CPUs, and its error."""

from __future__ import annotations

import numpy as np
import pytest
from cases.conv2d import blocks, borders, corners
from float_cases import DYNAMIC, check_floats, float_layers, float_meaning, real_outputs, wild_inputs
from support import Case
from test_conv2d_float import channel_cases

pytestmark = pytest.mark.slow

CASES = {"corner": corners, "border": borders, "block": blocks, "channel": channel_cases}


def few_cases() -> list[Case]:
    return [*corners()[:8], *borders()[:4], *channel_cases()[2:6]]


@pytest.mark.parametrize("cases", CASES)
def test_c_on_the_host_gives_the_simulators_bits(cases: str) -> None:
    check_floats(float_layers(CASES[cases]()[::3], DYNAMIC))


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str) -> None:
    check_floats(float_layers(few_cases(), DYNAMIC), "emulator", board)


@pytest.mark.toolchain
def test_c_on_the_emulated_cortex_m55_gives_the_simulators_bits() -> None:
    check_floats(float_layers(few_cases(), DYNAMIC), "emulator", "cortex-m55")


def test_error_is_that_of_a_step_of_the_input_and_half_a_step_of_each_weight() -> None:
    cases = corners()
    graph = float_layers(cases, DYNAMIC)
    inputs = {name: x[:1] for name, x in wild_inputs(graph, 1).items()}
    want, got = float_meaning(cases, inputs), real_outputs(graph, inputs)
    for (op, arguments), layer in zip(cases, graph.layers(), strict=True):
        x = inputs[layer.inputs[0].name]
        step = (max(float(x.max()), 0) - min(float(x.min()), 0)) / 255
        weight = np.abs(np.asarray(arguments[1]))
        taps = weight[0].size
        bound = step * weight.reshape(len(weight), -1).sum(axis=1).max() + np.abs(x).max() * weight.max() / 254 * taps
        off = np.abs(got[layer.output.name] - want[layer.output.name]).max()
        assert off <= bound * 1.01 + 1e-6, type(op).__name__


def test_each_sample_has_a_range_of_its_own() -> None:
    graph = float_layers(corners(), DYNAMIC)
    inputs = wild_inputs(graph, 3)
    together = real_outputs(graph, inputs)
    alone = [real_outputs(graph, {name: x[i : i + 1] for name, x in inputs.items()}) for i in range(3)]
    for name, y in together.items():
        assert np.array_equal(y, np.concatenate([part[name] for part in alone]), equal_nan=True)
