"""Layers of floats against ONNX Runtime, and at numbers that floats alone have."""

from __future__ import annotations

import numpy as np
import pytest
from binary_cases import binary_cases
from cases import binary, conv2d, fully_connected, functions, moves, normalize, pools, recurrent, softmax
from float_cases import (
    DYNAMIC,
    HALF,
    check_floats,
    float_layer,
    float_layers,
    float_meaning,
    real_outputs,
    wild_inputs,
)
from support import Case

from mcuq.ops.add import Add, Sub
from mcuq.ops.clip import Clip
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mul import Mul
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window
from mcuq.quantize import Scheme

pytestmark = pytest.mark.slow


def sums_and_products() -> list[Case]:
    """Not Div, whose quotients by what is nearly zero are as far off as their divisors."""
    return [*binary.sums(), *binary_cases([Add, Sub, Mul, Max, Min]), *binary.slopes()]


CASES = {
    "conv2d": lambda: [*conv2d.corners(), *conv2d.channels()],
    "fully_connected": fully_connected.fixed,
    "pools": pools.fixed,
    "moves": moves.fixed,
    "binary": sums_and_products,
    "functions": functions.fixed,
    "softmax": softmax.fixed,
    "normalize": normalize.fixed,
    "recurrent": recurrent.fixed,
}


@pytest.mark.parametrize("cases", CASES)
def test_float_layers_are_onnx_runtimes_within_float_rounding(cases: str) -> None:
    chosen = CASES[cases]()
    graph = float_layers(chosen)
    inputs = wild_inputs(graph, 1)
    want = float_meaning(chosen, inputs)
    for name, got in real_outputs(graph, inputs).items():
        assert graph.tensors[name].dtype == "float32"
        assert np.allclose(got, want[name], rtol=1e-5, atol=1e-5 if cases == "conv2d" else 1e-6), graph.producers()[
            name
        ]


@pytest.mark.parametrize(("scheme", "error"), [(HALF, 1e-2), (DYNAMIC, 0.2)], ids=["float16", "dynamic"])
def test_matrices_are_onnx_runtimes_within_the_rounding_of_their_scheme(scheme: Scheme, error: float) -> None:
    cases = [(op, [x, weight / np.abs(weight).max(), bias]) for op, (x, weight, bias) in fully_connected.fixed()]
    graph = float_layers(cases, scheme)
    inputs = wild_inputs(graph, 1)
    want = float_meaning(cases, inputs)
    for name, got in real_outputs(graph, inputs).items():
        assert np.abs(got - want[name]).max() <= error


def test_the_error_of_dynamic_is_that_of_a_step_of_the_input_and_half_a_step_of_each_weight() -> None:
    cases = conv2d.corners()
    graph = float_layers(cases, DYNAMIC)
    inputs = wild_inputs(graph, 1)
    want, got = float_meaning(cases, inputs), real_outputs(graph, inputs)
    for (op, arguments), layer in zip(cases, graph.layers(), strict=True):
        x = inputs[layer.inputs[0].name]
        step = (max(float(x.max()), 0) - min(float(x.min()), 0)) / 255
        weight = np.abs(np.asarray(arguments[1]))
        taps = weight[0].size
        bound = step * weight.reshape(len(weight), -1).sum(axis=1).max() + np.abs(x).max() * weight.max() / 254 * taps
        off = np.abs(got[layer.output.name] - want[layer.output.name]).max()
        assert off <= bound * 1.01 + 1e-6, type(op).__name__


def test_each_sample_of_dynamic_has_a_range_of_its_own() -> None:
    graph = float_layers(conv2d.corners(), DYNAMIC)
    inputs = wild_inputs(graph, 3)
    together = real_outputs(graph, inputs)
    alone = [real_outputs(graph, {name: x[i : i + 1] for name, x in inputs.items()}) for i in range(3)]
    for name, y in together.items():
        assert np.array_equal(y, np.concatenate([part[name] for part in alone]), equal_nan=True)


def test_a_range_of_dynamic_that_is_zero_gives_the_bias() -> None:
    graph = float_layers(fully_connected.fixed()[::5], DYNAMIC)
    inputs = {name: np.zeros((1, *graph.tensors[name].shape), np.float32) for name in graph.inputs}
    outputs = real_outputs(graph, inputs)
    for layer in graph.layers():
        assert isinstance(layer.op, FullyConnected)
        bias = np.clip(layer.inputs[2].values, layer.op.minimum, layer.op.maximum)
        assert (outputs[layer.output.name][0] == bias.astype(np.float32)).all()


def test_padding_is_left_out_of_the_sums() -> None:
    weight = np.ones((1, 3, 3, 1), np.float32)
    weight[0, 1, 1] = -1
    op, (x, _, bias) = conv2d.conv(np.random.default_rng(0), (1, 1, 1, 1), (3, 3), 1, pads=(1, 1, 1, 1))
    graph = float_layer(op, [x, weight, np.full_like(bias, -0.0)])
    (name,) = graph.inputs
    y = real_outputs(graph, {name: np.zeros((1, 1, 1, 1, 1), np.float32)})["y0"]
    assert np.signbit(y).all()  # a product 0 * 1 of the padding would have made it 0.0
    check_floats(graph)


def test_softmax_of_large_differences_is_zero_and_one() -> None:
    graph = float_layer(Softmax(), [(1, 3)])
    y = real_outputs(graph, {"x0_0": np.array([[[-3e38, 0.0, 3e38]]], np.float32)})["y0"]
    assert np.array_equal(y, [[[0.0, 0.0, 1.0]]])


def test_nan_makes_its_row_of_a_softmax_nan_and_no_other() -> None:
    graph = float_layer(Softmax(), [(2, 2)])
    y = real_outputs(graph, {"x0_0": np.array([[[np.nan, 0.0], [1.0, 1.0]]], np.float32)})["y0"]
    assert np.isnan(y[0, 0]).all()
    assert np.array_equal(y[0, 1], [0.5, 0.5])


@pytest.mark.parametrize(("classes", "size"), [(1, 3.0), (2, 1e-3), (10, 2.0), (1000, 30.0), (5000, 1e4)])
def test_log_softmax_is_onnx_runtimes_within_float_rounding(classes: int, size: float) -> None:
    """Of a value, or of the logarithm of the sum, whichever is larger: sums are rounded in another order."""
    x = (size * np.random.default_rng(classes).normal(size=(20, 1, classes))).astype(np.float32)
    cases: list[Case] = [(LogSoftmax(), [(1, classes)])]
    want = float_meaning(cases, {"x0_0": x})["y0"]
    got = real_outputs(float_layers(cases), {"x0_0": x})["y0"]
    assert np.abs(got - want).max() <= 4 * np.spacing(np.float32(np.abs(want).max() + 1)) + classes * 2.0**-26


def test_log_softmax_of_large_differences_is_their_negative() -> None:
    graph = float_layer(LogSoftmax(), [(1, 3)])
    y = real_outputs(graph, {"x0_0": np.array([[[-3e38, 0.0, 100.0]]], np.float32)})["y0"]
    assert np.array_equal(y, np.array([[[-3e38, -100.0, 0.0]]], np.float32))
    y = real_outputs(graph, {"x0_0": np.array([[[-np.inf, 1.0, 1.0]]], np.float32)})["y0"]
    assert np.array_equal(y, np.array([[[-np.inf, -np.log(2), -np.log(2)]]], np.float32))


def test_nan_makes_its_row_of_a_log_softmax_nan_and_no_other() -> None:
    graph = float_layer(LogSoftmax(), [(2, 2)])
    y = real_outputs(graph, {"x0_0": np.array([[[np.nan, 0.0], [-1.0, -np.inf]]], np.float32)})["y0"]
    assert np.isnan(y[0, 0]).all()
    assert np.array_equal(y[0, 1], [0.0, -np.inf])


def test_max_pooling_leaves_nan_out() -> None:
    graph = float_layer(MaxPool(Window((1, 2), (1, 2))), [(1, 1, 4, 1)])
    x = np.array([np.nan, -3.0, np.nan, np.nan], np.float32).reshape(1, 1, 1, 4, 1)
    assert np.array_equal(real_outputs(graph, {"x0_0": x})["y0"].reshape(-1), [-3.0, -np.inf])


def test_clip_leaves_nan_nan() -> None:
    graph = float_layer(Clip(0.0, 6.0), [(1, 3)])
    y = real_outputs(graph, {"x0_0": np.array([[[np.nan, -np.inf, np.inf]]], np.float32)})["y0"]
    assert np.array_equal(y, [[[np.nan, 0.0, 6.0]]], equal_nan=True)
