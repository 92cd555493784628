"""Operators without weights on floats: bits on the host and the emulated CPUs, and their errors."""

from __future__ import annotations

import numpy as np
import pytest
import test_normalize
from binary_cases import ONTO_THE_FIRST, binary_cases
from float_cases import check_floats, float_layer, float_layers, float_meaning, real_outputs, wild_inputs
from support import Case
from windows import window_cases

from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.prelu import PRelu
from mcuq.ops.rescale import Rescale
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain
from mcuq.ops.window import Window

pytestmark = pytest.mark.slow


def pool_cases() -> list[Case]:
    cases: list[Case] = []
    for x, window in window_cases():
        cases += [(MaxPool(window), [x]), (AveragePool(window, maximum=1.0), [x])]
        if not window.ceil_mode:
            cases.append((AveragePool(window, True), [x]))
    cases += [(Mean((1, 2)), [(2, 4, 5, 3)]), (Mean((3,), minimum=0.0), [(1, 4, 5, 3)]), (Mean((1,)), [(2, 1)])]
    return cases


def move_cases() -> list[Case]:
    return [
        (Concat(1), [(1, 3, 2), (1, 2, 2)]),
        (Concat(2), [(1, 2, 3), np.array([[[0.5, -2.0], [3.0, 0.0]]])]),
        (Slice((0, 1), (2, 3), (1, 2)), [(2, 8)]),
        (Pad((0, 1), (1, 2), 0.0), [(2, 3)]),
        (Pad((1, 1), (1, 2), -1.5), [(2, 3)]),
        (Transpose((0, 2, 1)), [(2, 3, 4)]),
        (Identity(), [(7,)]),
        (Rescale(), [(7,)]),
    ]


def function_cases() -> list[Case]:
    functions = [
        Clip(),
        Clip(0.0, 6.0),
        Clip(0.0),
        Sigmoid(),
        Tanh(),
        HardSwish(),
        HardSigmoid(),
        HardSigmoid(0.3, -0.1),
    ]
    functions += [LeakyRelu(), LeakyRelu(-2.0), Chain((Sigmoid(), Tanh(), Clip(0.2, 0.5)))]
    cases: list[Case] = [(op, [(1, 300)]) for op in functions]
    return [*cases, *((op, [shape]) for op in (Softmax(), LogSoftmax()) for shape in ((3, 10), (2, 1)))]


CASES = {
    "binary": lambda: [*binary_cases([Add, Sub, Mul]), *binary_cases([PRelu], 0, ONTO_THE_FIRST)],
    "div": lambda: binary_cases([Div], 3),
    "extreme": lambda: binary_cases([Max, Min], 3),
    "pool": pool_cases,
    "move": move_cases,
    "function": function_cases,
    "normalize": lambda: list(test_normalize.CASES),
}


@pytest.mark.parametrize("cases", CASES)
def test_c_on_the_host_gives_the_simulators_bits(cases: str) -> None:
    check_floats(float_layers(CASES[cases]()))


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, cases: str) -> None:
    check_floats(float_layers(CASES[cases]()), "emulator", board)


@pytest.mark.toolchain
@pytest.mark.parametrize("cases", CASES)
def test_c_on_the_emulated_cortex_m55_gives_the_simulators_bits(cases: str) -> None:
    check_floats(float_layers(CASES[cases]()), "emulator", "cortex-m55")


@pytest.mark.parametrize("cases", ["binary", "extreme", "pool", "move", "function", "normalize"])
def test_float_layers_are_onnx_runtimes_within_float_rounding(cases: str) -> None:
    chosen = CASES[cases]()
    graph = float_layers(chosen)
    inputs = wild_inputs(graph, 1)
    want = float_meaning(chosen, inputs)
    for name, got in real_outputs(graph, inputs).items():
        assert graph.tensors[name].dtype == "float32"
        assert np.allclose(got, want[name], rtol=1e-5, atol=1e-6), graph.producers()[name]


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
