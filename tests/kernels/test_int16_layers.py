"""Layers that read or write 16 bits: the simulator against float, sums beyond 32 bits, what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from binary_cases import binary_cases
from cases import conv2d, fully_connected
from cases.functions import FUNCTIONS
from cases.moves import TRANSPOSES, concats, pads, slices
from cases.pools import average_pools, max_pools, means
from scheme_cases import INT16, NARROWING, WIDENING
from support import (
    RANGES,
    check_c,
    check_float,
    check_portable_c,
    float_graph,
    integer_branches,
    integer_graph,
    random_inputs,
)

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Unary
from mcuq.ops.weighted import accumulator_bound
from mcuq.ops.window import Window
from mcuq.quantize import Scheme, quantize_graph

pytestmark = pytest.mark.slow

SCHEMES = {"int16": INT16, "int8 to int16": WIDENING, "int16 to int8": NARROWING}


def multiplier_steps(layer: Layer) -> float:
    """Half a step, and of int16 outputs the multiplier's rounding: 2^-31 of it at least where its channel has the
    layer's largest scale, 2^-18 below that 2^-13."""
    scale = np.array(layer.inputs[1].quantization.scale)
    return 0.5 + 32768 * 2.0**-31 * float(scale.max() / scale.min())


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_weighted_sums_are_within_half_a_step_and_the_multipliers_rounding(scheme: Scheme) -> None:
    check_float(
        integer_branches([*conv2d.any_groups(50, 20), *fully_connected.fixed()[::2]], 5, scheme), multiplier_steps
    )


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_means_are_within_half_a_step(scheme: Scheme) -> None:
    check_float(integer_branches([*average_pools(50, 15), *means(50)], 6, scheme), 0.5)


def test_sums_and_products_are_within_half_a_step() -> None:
    check_float(integer_branches([*binary_cases([Add, Sub], 50), *binary_cases([Mul], 50)], 7, INT16), 0.5)


def test_moved_values_are_exact() -> None:
    exact = [*max_pools(50, 20), *TRANSPOSES, *concats()[:9], *pads((0.0,)), *slices(50, 10), (Identity(), [(2, 3)])]
    check_float(integer_branches(exact, 8, INT16), 0.0)
    check_float(integer_branches([*concats(), *pads((0.0, 0.5))], 8, INT16), 0.5)


@pytest.mark.parametrize("scheme", [INT16, NARROWING], ids=["int16", "int16 to int8"])
@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda op: type(op).__name__)
def test_functions_of_all_65536_codes_are_within_the_steps_stated(op: Unary, scheme: Scheme) -> None:
    stated = 0.5 if op.limits is not None else 0.75
    for index, span in enumerate(RANGES):
        for width in (0.3, 1.0, 2.5):
            reach = op.function(np.linspace(2 * span[0], 2 * span[1], 1001))
            y = (float(reach.min()) * width, float(reach.max()) * width)
            graph = integer_graph(op, [(1,)], {"x0": span, "y": y}, scheme)
            x = np.arange(-32768, 32768).astype(np.int16)[:, None, None]
            x_tensor, y_tensor = graph.tensors["x0"], graph.tensors["y"]
            got = simulate(graph, {"x0": x})["y"]
            assert got.dtype == y_tensor.quantization.dtype
            steps = op.function(x * x_tensor.scale) / y_tensor.scale + y_tensor.zero_point
            exact = np.clip(steps, *y_tensor.quantization.bounds)
            off = np.abs(got - exact)
            assert off.max() <= stated + 1e-3, (index, span, y, int(x.ravel()[off.argmax()]))


def test_a_relu_is_exact_where_scales_are_equal() -> None:
    graph = integer_graph(Clip(minimum=0.0), [(1,)], {"x0": (-1, 1), "y": (0, 1)}, INT16)
    x = np.arange(-32768, 32768).astype(np.int16)[:, None, None]
    assert np.array_equal(simulate(graph, {"x0": x})["y"], np.maximum(x, 0))


def test_tables_of_smooth_functions_are_small() -> None:
    for op in (Sigmoid(), Tanh(), HardSwish()):
        graph = integer_graph(
            op, [(1,)], {"x0": (-8, 8), "y": (-1, 1) if not isinstance(op, HardSwish) else (-1, 8)}, INT16
        )
        pieces, values = op.pieces(next(graph.layers()))
        assert pieces.nbytes + values.nbytes <= 6144, op


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("op", [Softmax(), LogSoftmax()], ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("step", [1e-6, 1e-4, 0.001, 0.05])
def test_softmax_is_within_one_step(op: Softmax | LogSoftmax, classes: int, step: float) -> None:
    reach = 32767 * step / 2
    graph = integer_graph(op, [(1, classes)], {"x0": (-reach, reach), "y": (-max(0.4, reach), 0)}, INT16)
    x_tensor, y_tensor = graph.tensors["x0"], graph.tensors["y"]
    rng = np.random.default_rng(classes)
    x = rng.integers(-32768, 32768, (40, 1, classes)).astype(np.int16)
    x[:10] >>= 6
    x[10], x[11, :, 1:], x[12] = 0, -32768, 32767
    real = (x - x.max(axis=-1, keepdims=True).astype(np.float64)) * x_tensor.scale
    total = np.exp(real).sum(axis=-1, keepdims=True)
    exact = np.exp(real) / total if isinstance(op, Softmax) else real - np.log(total)
    steps = np.clip(exact / y_tensor.scale, -32768, 32767)
    assert np.abs(simulate(graph, {"x0": x})["y"] - steps).max() <= 1


def test_softmax_of_int16_has_a_scale_of_its_own() -> None:
    graph = integer_graph(Softmax(), [(1, 3)], scheme=INT16)
    assert graph.tensors["y"].quant == Quant((1 / 32768,), 0, "int16")


def long_layer(op: Conv2d | FullyConnected) -> Graph:
    """Whose accumulators leave int32: 3000 products of up to 32768 * 127."""
    taps = (1, 3, 1000) if isinstance(op, Conv2d) else (3000,)
    x = (1, 2, 4, 1000) if isinstance(op, Conv2d) else (2, 3000)
    weight = np.random.default_rng(0).choice([-1.0, 1.0], (3, *taps))
    weight[0] = 1
    ranges = {"x0": (-1.0, 1.0), "y": (-2000.0, 2000.0)}
    graph = integer_graph(op, [x, weight, np.array([0.5, -100, 0])], ranges, INT16)
    assert accumulator_bound(next(graph.layers())) > INT32_MAX
    return graph


LONG = (Conv2d(Window((1, 3), pads=(0, 1, 0, 1))), FullyConnected(), FullyConnected(minimum=0.0))


@pytest.mark.parametrize("op", LONG, ids=["conv2d", "fully_connected", "fully_connected with relu"])
def test_accumulators_beyond_int32_are_summed_in_64_bits(op: Conv2d | FullyConnected) -> None:
    graph = long_layer(op)
    check_float(graph, 0.5)
    check_portable_c(graph, "host")
    for board in ("cortex-m0", "cortex-m4"):
        check_c(graph, "emulator", samples=3, board=board)


def test_depthwise_accumulators_beyond_int32_are_summed_in_64_bits() -> None:
    weight = np.ones((4, 30, 20, 1))
    ranges = {"x0": (-1.0, 1.0), "y": (-500.0, 500.0)}
    graph = integer_graph(Conv2d(Window((30, 20)), 4), [(1, 30, 21, 4), weight, np.zeros(4)], ranges, INT16)
    assert accumulator_bound(next(graph.layers())) > INT32_MAX
    check_float(graph, 0.5)
    check_portable_c(graph, "host")
    check_c(graph, "emulator", samples=3)


@pytest.mark.parametrize("op", [Mean((1, 2)), AveragePool(Window((257, 256)))], ids=["mean", "average_pool"])
def test_means_of_more_than_65535_values_are_summed_in_64_bits(op: Mean | AveragePool) -> None:
    graph = integer_graph(op, [(1, 257, 256, 1)], scheme=INT16)
    inputs = random_inputs(graph, 3)
    got = simulate(graph, inputs)["y"].reshape(-1)
    want = inputs["x0"].reshape(3, -1).mean(axis=1, dtype=np.float64)  # both scales are one
    assert np.abs(got - want).max() <= 0.5 + 1e-3
    check_portable_c(graph, "host", samples=3)


NARROW = [
    (FullyConnected(), [(1, 3000), np.ones((1, 3000)), np.zeros(1)]),
    (MatMul(), [(1, 3, 5), (1, 5, 4)]),
    (MatMul(), [(1, 3, 5), np.linspace(-1, 1, 20).reshape(1, 5, 4)]),
]


@pytest.mark.parametrize(("op", "inputs"), NARROW, ids=["weights", "computed", "constant"])
@pytest.mark.parametrize("power_of_two", [False, True])
def test_outputs_with_finer_steps_than_long_sums_have_get_wider_ones(op, inputs, power_of_two: bool) -> None:
    """Sums of 46 bits are multiplied by less than 1: the step is their own unit then, and nothing is lost."""
    scheme = replace(INT16, power_of_two=power_of_two)
    graph = integer_graph(op, inputs, {"y": (-1e-7, 1e-7)}, scheme)
    (layer,) = graph.layers()
    unit = layer.inputs[0].scale * layer.inputs[1].quantization.scale[0]
    assert unit < layer.output.scale <= (4 if power_of_two else 1.00001) * unit
    x = {name: (values // 4096).astype(np.int16) for name, values in random_inputs(graph, 6).items()}
    check_float(graph, 0.51)
    operands = [x[t.name].astype(int) if not t.is_constant else t.values.astype(int) for t in layer.inputs[:2]]
    sums = operands[0] @ (operands[1].T if isinstance(op, FullyConnected) else operands[1])
    want = np.clip(np.floor(sums * (unit / layer.output.scale) + 0.5), -32768, 32767)
    assert np.abs(simulate(graph, x)["y"] - want).max() <= 1
    check_portable_c(graph, "host")
    check_c(graph, "emulator", samples=3)


@pytest.mark.parametrize(("op", "inputs"), NARROW[:2], ids=["weights", "computed"])
def test_a_factor_of_one_or_more_beyond_int32_that_is_given_is_refused(op, inputs) -> None:
    builder = GraphBuilder(float_graph(op, inputs))
    builder.give("y", Quant((1e-9,), 0, "int16"))
    graph = builder.graph()
    with pytest.raises(QuantizationError) as error:
        check_portable_c(quantize_graph(graph, dict.fromkeys(graph.inputs, (-1.0, 1.0)), INT16), "host")
    assert re.fullmatch(
        r"(FullyConnected|MatMul) 'layer': requantization factor [0-9.]+ is outside \(0, 1\) for an accumulator that "
        r"can reach [0-9]+; check the calibration data",
        str(error.value),
    )


def test_softmax_over_more_classes_than_its_totals_hold_is_refused() -> None:
    graph = integer_graph(Softmax(), [(1, 2**17 + 1)], scheme=INT16)
    with pytest.raises(QuantizationError) as error:
        simulate(graph, {"x0": np.zeros((1, 1, 2**17 + 1), np.int16)})
    assert str(error.value) == (
        "Softmax 'layer': is over 131073 classes, more than the 131072 that int16 supports; use int8 activations for it"
    )


def test_scales_too_far_apart_for_a_sum_are_refused() -> None:
    with pytest.raises(QuantizationError) as error:
        graph = integer_graph(Add(), [(1,), (1,)], {"x0": (-3e10, 3e10), "y": (-1, 1)}, INT16)
        simulate(graph, {name: np.zeros((1, 1), np.int16) for name in graph.inputs})
    assert str(error.value) == (
        "Add 'layer': input scales are 3e+10 and 1 times the output's, too far apart for int32; check the calibration "
        "data"
    )


def test_scales_too_far_apart_for_log_softmax_are_refused() -> None:
    with pytest.raises(QuantizationError) as error:
        graph = integer_graph(LogSoftmax(), [(1, 4)], {"y": (-1e-6, 0)}, INT16)
        simulate(graph, {"x0": np.zeros((1, 1, 4), np.int16)})
    assert str(error.value) == (
        "LogSoftmax 'layer': input scale 6.1037e-05 and output scale 6.1037e-11 are too far apart for int32; check "
        "the calibration data"
    )


def test_fused_limits_hold_in_int16() -> None:
    for limits in ((-inf, inf), (0.0, inf), (-0.25, 0.5)):
        op = FullyConnected(minimum=limits[0], maximum=limits[1])
        weight = np.random.default_rng(1).normal(size=(5, 9))
        graph = integer_graph(op, [(2, 9), weight, np.zeros(5)], {"y": (-2.0, 2.0)}, INT16)
        check_float(graph, 0.51)
