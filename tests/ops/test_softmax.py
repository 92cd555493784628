"""Softmax: the simulator against float, relations."""

from __future__ import annotations

import numpy as np
import pytest
from support import RANGES, check_float, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.softmax import Softmax, exponential_bits, exponential_table

STEPS = 1.0

SHAPES = ((1,), (2,), (1, 1), (3, 7), (1, 10), (2, 3, 5), (1, 2, 4, 3), (5, 1))
WIDE = ((1, 256), (1, 257), (2, 1000))


def test_simulator_is_within_one_step_of_the_float_meaning() -> None:
    for seed in range(len(RANGES)):
        graph = integer_branches([(Softmax(), [shape]) for shape in (*SHAPES, *WIDE)], seed)
        check_float(graph, STEPS, samples=20)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize("step", [1e-6, 0.001, 0.01, 0.05, 0.2, 1.0, 20.0])
def test_one_value_above_equal_others_is_within_one_step(classes: int, step: float) -> None:
    """Where the largest term is neither alone nor one of many, rounding of the terms has most weight."""
    graph = integer_graph(Softmax(), [(1, classes)], {"x0": (-128 * step, 127 * step)})
    scale = graph.tensors["x0"].scale
    for above in range(-128, 128, 5):
        x = np.full((1, 1, classes), -128, np.int8)
        x[..., 0] = above
        terms = np.exp(scale * (x[0, 0] - float(x.max())))
        want = terms / terms.sum() * 256 - 128
        got = simulate(graph, {"x0": x})["y"][0, 0]
        assert np.abs(got - np.clip(want, -128, 127)).max() <= STEPS


def test_output_has_a_scale_of_its_own() -> None:
    graph = integer_graph(Softmax(), [(1, 3)])
    assert graph.tensors["y"].quant == Quant((1 / 256,), -128)


def test_equal_inputs_share_what_there_is() -> None:
    for classes in (1, 2, 3, 4, 10, 256, 600):
        graph = integer_graph(Softmax(), [(classes,)])
        for value in (-128, 0, 127):
            y = simulate(graph, {"x0": np.full((1, classes), value, np.int8)})["y"]
            assert np.unique(y).tolist() == [min(127, int(256 / classes + 0.5) - 128)]


def test_adding_the_same_to_all_inputs_changes_nothing() -> None:
    graph = integer_graph(Softmax(), [(2, 9)], {"x0": (-4, 4)})
    x = np.random.default_rng(0).integers(-100, 100, (20, 2, 9)).astype(np.int8)
    y = simulate(graph, {"x0": x})["y"]
    for added in (-28, 13, 27):
        assert np.array_equal(simulate(graph, {"x0": (x + np.int8(added))})["y"], y)


def test_permuted_classes_commute_and_rows_are_independent() -> None:
    graph, one = integer_graph(Softmax(), [(3, 7)]), integer_graph(Softmax(), [(1, 7)])
    x = random_inputs(graph, 5)["x0"]
    y = simulate(graph, {"x0": x})["y"]
    assert np.array_equal(simulate(graph, {"x0": x[..., ::-1]})["y"], y[..., ::-1])
    parts = [simulate(one, {"x0": x[:, i : i + 1]})["y"] for i in range(3)]
    assert np.array_equal(np.concatenate(parts, axis=1), y)


def test_larger_inputs_have_outputs_that_are_no_smaller() -> None:
    graph = integer_graph(Softmax(), [(1, 12)], {"x0": (-3, 5)})
    x = np.sort(random_inputs(graph, 50)["x0"], axis=-1)
    assert (np.diff(simulate(graph, {"x0": x})["y"].astype(int), axis=-1) >= 0).all()


def test_sum_of_exponentials_stays_below_31_bits() -> None:
    for classes in (1, 2, 255, 256, 257, 511, 512, 513, 1000, 2**16, 2**20 + 1):
        bits = exponential_bits(classes)
        assert classes * 2**bits < 2**31
        assert bits == 22 or classes * 2 ** (bits + 1) > 2**30
        # The kernel's numerator: 256 times a term and half of the sum, in 32 bits without sign.
        assert 256 * 2**bits + classes * 2**bits // 2 < 2**32
        assert exponential_table(0.1, classes)[0] == 2**bits
