"""LpPool: C against the simulator, the simulator against ONNX Runtime, windows as files state them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from float_cases import check_floats, float_layers, float_meaning, real_outputs
from onnx_models import check_import, model, node, refusal
from support import Case, check_float, check_portable_c, integer_branches
from windows import random_window, window_cases

from mcuq.ops.lp_pool import LpPool
from mcuq.quantize.scheme import parse_scheme

BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (0.2, 0.7))


def cases(seed: int, count: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    windows = window_cases()
    while len(windows) < count:
        windows.append(random_window(rng))
    return [
        (LpPool(window, 1 + (i + seed) % 2, minimum=low, maximum=high), [x])
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


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    graph = float_layers(cases(1, 20))
    check_floats(graph)
    rng = np.random.default_rng(0)
    x = {n: rng.normal(size=(2, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    want, got = float_meaning(cases(1, 20), x), real_outputs(graph, x)
    for name in graph.outputs:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(
    ("shape", "attributes", "opset"),
    [
        ((2, 3, 9), {"kernel_shape": [3], "strides": [2], "pads": [1, 0]}, 11),
        ((1, 3, 7, 6), {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 2]}, 17),
        ((1, 3, 7, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
        ((1, 3, 7, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "dilations": [2, 3]}, 18),
        ((1, 3, 7, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, 18),
    ],
)
def test_windows_are_onnx_runtimes(
    shape: tuple[int, ...], attributes: dict[str, object], opset: int, power: int
) -> None:
    check_import(model([node("LpPool", ["x"], "y", p=power, **attributes)], {"x": shape}, opset=opset), samples=1)


@pytest.mark.parametrize(
    ("shape", "attributes", "message"),
    [
        ((1, 3, 6, 6), {"kernel_shape": [2, 2], "p": 3}, "p=3 is not supported; use p=1 or p=2"),
        (
            (1, 3, 6, 6, 4),
            {"kernel_shape": [2, 2, 2]},
            "input of shape [1, 3, 6, 6, 4]; supported are 1-D (N, C, L) and 2-D (N, C, H, W)",
        ),
    ],
)
def test_what_is_not_supported_is_refused(shape: tuple[int, ...], attributes: dict[str, object], message: str) -> None:
    assert refusal(model([node("LpPool", ["x"], "y", "n", **attributes)], {"x": shape})) == f"LpPool 'n': {message}"
