"""LpPool: C against the simulator, the simulator against ONNX Runtime, windows as files state them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from float_cases import check_floats, float_layers, float_meaning, real_outputs
from onnx_models import check_import, model, node, refusal
from support import Case, check_float, check_portable_c, integer_branches
from windows import random_window, window_cases

from mcuq.errors import QuantizationError
from mcuq.graph.simulate import simulate
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.window import Window
from mcuq.quantize.scheme import parse_scheme

BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0.2, 0.7))


def cases(seed: int, count: int, powers: tuple[int, ...] = (1, 2, 3)) -> list[Case]:
    rng = np.random.default_rng(seed)
    windows = window_cases()
    while len(windows) < count:
        windows.append(random_window(rng))
    return [
        (LpPool(window, powers[(i + seed) % len(powers)], minimum=low, maximum=high), [x])
        for i, (x, window) in enumerate(windows)
        for low, high in [BOUNDS[i % len(BOUNDS)]]
    ]


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(scheme: str) -> None:
    check_portable_c(integer_branches(cases(0, 20), scheme=parse_scheme(scheme)), "host")


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_simulator_is_within_half_a_step_of_onnx_runtime(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(cases(seed, 24), seed, parse_scheme(scheme)), 0.51)


@pytest.mark.parametrize("power", [4, 5, 6])
def test_higher_powers_of_int8_are_within_what_their_root_has(power: int) -> None:
    graph = integer_branches(cases(power, 20, (power,)), power)
    check_portable_c(graph, "host")
    tensors = [(graph.layer(node).op, graph.layer(node)) for node in graph.nodes]
    root = max(
        2.0 ** -op.sums(layer).root_bits * layer.inputs[0].scale / layer.output.scale
        for op, layer in tensors
        if isinstance(op, LpPool)
    )
    check_float(graph, 0.51 + root)


def test_more_powers_than_64_bits_hold_are_refused() -> None:
    graph = integer_branches([(LpPool(Window((2, 2)), 4), [(1, 4, 4, 3)])], scheme=parse_scheme("int16"))
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, {name: np.zeros((1, *graph.tensors[name].shape), np.int16) for name in graph.inputs})
    assert str(caught.value) == (
        "LpPool 'layer0': adds up powers p=4 of 4 values, more than the 3 that int16 supports; use int8 or float32 for "
        "it"
    )


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    graph = float_layers(cases(1, 20, (1, 2, 3, 7)))
    check_floats(graph)
    rng = np.random.default_rng(0)
    x = {n: rng.normal(size=(2, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    want, got = float_meaning(cases(1, 20, (1, 2, 3, 7)), x), real_outputs(graph, x)
    for name in graph.outputs:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("power", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("shape", "attributes", "opset"),
    [
        ((2, 3, 9), {"kernel_shape": [3], "strides": [2], "pads": [1, 0]}, 11),
        ((1, 3, 7, 6), {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 2]}, 17),
        ((1, 3, 7, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
        ((1, 3, 7, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "dilations": [2, 3]}, 18),
        ((1, 3, 7, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, 18),
        ((2, 3, 5, 4, 6), {"kernel_shape": [2, 3, 2], "strides": [1, 2, 1], "pads": [1, 1, 0, 0, 1, 1]}, 18),
    ],
)
def test_windows_are_onnx_runtimes(
    shape: tuple[int, ...], attributes: dict[str, object], opset: int, power: int
) -> None:
    check_import(model([node("LpPool", ["x"], "y", p=power, **attributes)], {"x": shape}, opset=opset), samples=1)


@pytest.mark.parametrize(
    ("shape", "attributes", "message"),
    [
        ((1, 3, 6, 6), {"kernel_shape": [2, 2], "p": 33}, "p=33 is not supported; use a whole number from 1 to 32"),
        ((1, 3, 6, 6), {"kernel_shape": [2, 2], "p": 0}, "p=0 is not supported; use a whole number from 1 to 32"),
    ],
)
def test_what_is_not_supported_is_refused(shape: tuple[int, ...], attributes: dict[str, object], message: str) -> None:
    assert refusal(model([node("LpPool", ["x"], "y", "n", **attributes)], {"x": shape})) == f"LpPool 'n': {message}"
