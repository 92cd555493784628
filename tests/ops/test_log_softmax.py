"""LogSoftmax: the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from support import RANGES, check_float, integer_branches, integer_graph, random_inputs

from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.lower import lower
from mcuq.ops.log_softmax import LogSoftmax

STEPS = 1.0

SHAPES = ((1,), (2,), (1, 1), (3, 7), (1, 10), (2, 3, 5), (1, 2, 4, 3), (5, 1))
WIDE = ((1, 256), (1, 257), (2, 1000))


def test_simulator_is_within_one_step_of_the_float_meaning() -> None:
    for seed in range(len(RANGES)):
        graph = integer_branches([(LogSoftmax(), [shape]) for shape in (*SHAPES, *WIDE)], seed)
        check_float(graph, STEPS, samples=20)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("step", [1e-6, 0.001, 0.01, 0.05, 0.2, 1.0, 20.0])
def test_one_value_above_equal_others_is_within_one_step(classes: int, step: float) -> None:
    """The finest output step that a calibrated range has: some output is at most -ln(classes)."""
    lowest = -(np.log(classes) + 255 * step)
    graph = integer_graph(LogSoftmax(), [(1, classes)], {"x0": (-128 * step, 127 * step), "y": (lowest, 0.0)})
    check_one_above(graph, classes)
    finest = integer_graph(
        LogSoftmax(), [(1, classes)], {"x0": (-128 * step, 127 * step), "y": (-float(np.log(classes)), 0.0)}
    )
    check_one_above(finest, classes)


def check_one_above(graph: Graph, classes: int) -> None:
    x_quant, y_quant = graph.tensors["x0"].quantization, graph.tensors["y"].quantization
    for above in range(-128, 128, 5):
        x = np.full((1, 1, classes), -128, np.int8)
        x[..., 0] = above
        real = x_quant.step * (x[0, 0] - float(x.max()))
        want = (real - np.log(np.exp(real).sum())) / y_quant.step + y_quant.zero_point
        got = simulate(graph, {"x0": x})["y"][0, 0]
        assert np.abs(got - np.clip(want, -128, 127)).max() <= STEPS


def test_adding_the_same_to_all_inputs_changes_nothing() -> None:
    graph = integer_graph(LogSoftmax(), [(2, 9)], {"x0": (-4, 4), "y": (-9, 0)})
    x = np.random.default_rng(0).integers(-100, 100, (20, 2, 9)).astype(np.int8)
    y = simulate(graph, {"x0": x})["y"]
    for added in (-28, 13, 27):
        assert np.array_equal(simulate(graph, {"x0": (x + np.int8(added))})["y"], y)


def test_permuted_classes_commute_and_rows_are_independent() -> None:
    graph, one = (integer_graph(LogSoftmax(), [(rows, 7)], {"y": (-3, 0)}) for rows in (3, 1))
    x = random_inputs(graph, 5)["x0"]
    y = simulate(graph, {"x0": x})["y"]
    assert np.array_equal(simulate(graph, {"x0": x[..., ::-1]})["y"], y[..., ::-1])
    parts = [simulate(one, {"x0": x[:, i : i + 1]})["y"] for i in range(3)]
    assert np.array_equal(np.concatenate(parts, axis=1), y)


def test_kernel_never_leaves_int32() -> None:
    """The terms of its sum at their extremes, for input and output scales of all ratios."""
    for ratio in 10.0 ** np.arange(-9, 6):
        for classes in (1, 2, 1000):
            graph = integer_graph(LogSoftmax(), [(classes,)], {"x0": (-1.0, 1.0), "y": (-1.0 / ratio, 0.0)})
            (layer,) = graph.layers()
            try:
                factor, ln2, constant, _, logarithms = layer.op.parameters(layer)
            except QuantizationError:
                assert ratio > 1e3
                continue
            largest_logarithm = int(logarithms[-1]) + classes.bit_length() * ln2
            assert abs(constant) + 255 * factor + largest_logarithm < 2**31
            assert np.diff(logarithms.astype(np.int64)).max() * 255 < 2**31


def test_scales_too_far_apart_are_refused() -> None:
    graph = integer_graph(LogSoftmax(), [(4,)], {"x0": (-1e7, 1e7), "y": (-1, 0)})
    with pytest.raises(QuantizationError) as caught:
        lower(graph)
    assert str(caught.value) == (
        "LogSoftmax 'layer': input scale 78431.4 and output scale 0.00392157 are too far apart for int32; check the "
        "calibration data"
    )
