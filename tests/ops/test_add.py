"""Add and Sub: the simulator against float, broadcasts, constants on either side."""

from __future__ import annotations

import numpy as np
import pytest
from binary_cases import SHAPES, binary_cases
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.kernels.portable.add import ADD_KERNELS
from mcuq.lower import choose_kernel, lower
from mcuq.ops.add import Add, Sub
from mcuq.ops.binary import Binary
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.mul import Mul


def steps(layer: Layer) -> float:
    """Half a step, and of a sum 256 * 2^-shift steps of factor rounding."""
    return 0.5 + (256 * 2.0 ** -layer.op.parameters(layer).shift if isinstance(layer.op, Add) else 0)


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(16):
        check_float(integer_branches(binary_cases([Add, Sub], seed), seed), steps)


def test_kernel_without_strides_takes_just_operands_of_one_shape() -> None:
    for a, b in SHAPES:
        (layer,) = integer_graph(Add(), [a, b]).layers()
        assert choose_kernel(layer, frozenset()) is ADD_KERNELS[a != b]


def test_stated_bound_is_the_largest_magnitude_of_the_sum() -> None:
    for op in (Add(), Sub()):
        graph = integer_graph(op, [(3,), (3,)], {"x0": (-3, 1), "x1": (-1, 7), "y": (-4, 8)})
        ((call,),) = (step.calls for step in lower(graph).steps)
        p = call.constants.numbers()
        ends = [a * p["factor_a"] + b * p["factor_b"] + p["constant"] for a in (-128, 127) for b in (-128, 127)]
        assert max(map(abs, ends)) <= call.bound < 2**31


@pytest.mark.parametrize("op", [Add(), Sub(), Mul()], ids=lambda op: type(op).__name__)
def test_scales_hundreds_of_times_apart_cost_no_more_than_stated(op: Binary) -> None:
    ranges = {"x0": (-300, 200), "x1": (-0.4, 0.9), "y": (-1, 1)}
    check_float(integer_graph(op, [(50,), (50,)], ranges), steps, samples=50)


def test_sum_and_product_do_not_depend_on_the_order_of_operands() -> None:
    for op in (Add(), Mul(), Max(), Min()):
        for a, b in SHAPES:
            one = integer_graph(op, [a, b], {"x0": (-3, 1), "x1": (0, 2), "y": (-2, 2)})
            two = integer_graph(op, [b, a], {"x1": (-3, 1), "x0": (0, 2), "y": (-2, 2)})
            x = random_inputs(one, 10)
            swapped = {"x0": x["x1"], "x1": x["x0"]}
            assert np.array_equal(simulate(one, x)["y"], simulate(two, swapped)["y"])


@pytest.mark.parametrize("op", [Add(), Sub(), Mul(), Div(), Max(), Min()], ids=lambda op: type(op).__name__)
def test_repeated_operand_gives_what_a_broadcast_one_gives(op: Binary) -> None:
    for a, b in SHAPES:
        y = np.broadcast_shapes(a, b)
        broadcast, repeated = integer_graph(op, [a, b]), integer_graph(op, [y, y])
        x = random_inputs(broadcast, 4)
        whole = {name: np.broadcast_to(value, (4, *y)) for name, value in x.items()}
        assert np.array_equal(simulate(broadcast, x)["y"], simulate(repeated, whole)["y"])


def test_constant_operand_uses_the_whole_of_int8_and_is_within_half_a_step() -> None:
    values = np.array([-0.3, 0.0, 0.1, 2.2])
    for op in (Add(), Sub(), Mul()):
        for inputs in ([(4,), values], [values, (4,)]):
            graph = integer_graph(op, inputs)
            constant = next(t for t in graph.tensors.values() if t.is_constant)
            assert (constant.values.min(), constant.values.max()) == (-128, 127)
            assert constant.values[1] == constant.zero_point
            error = constant.quantization.dequantize(constant.values) - values
            assert np.abs(error).max() <= constant.scale * 0.5001


def test_constant_operand_of_zeros_adds_nothing() -> None:
    graph = integer_graph(Add(), [(4,), np.zeros(4)])
    x = random_inputs(graph, 3)
    assert np.array_equal(simulate(graph, x)["y"], x["x0"])


def test_output_may_take_over_either_operand_that_has_its_shape_and_is_computed() -> None:
    def places(*inputs: object) -> tuple[int, ...]:
        (layer,) = integer_graph(Add(), inputs).layers()
        return layer.op.in_place(layer)

    assert places((2, 3), (2, 3)) == (0, 1)
    assert places((2, 3), (1, 3)) == (0,)
    assert places((1, 3), (2, 1)) == ()
    assert places(np.ones((2, 3)), (2, 3)) == (1,)


@pytest.mark.parametrize("op", [Add(), Sub(), Mul(), Div(), Max(), Min()], ids=lambda op: type(op).__name__)
def test_shapes_that_do_not_broadcast_are_refused(op: Binary) -> None:
    for a, b in [((1, 3), (1, 4)), ((3,), (1, 3)), ((2, 3, 1), (3, 3, 1))]:
        with pytest.raises(ModelError) as caught:
            float_graph(op, [a, b])
        assert str(caught.value) == f"{type(op).__name__} 'layer': shapes {list(a)} and {list(b)} do not broadcast"


@pytest.mark.parametrize("op", [Add(), Mul()], ids=lambda op: type(op).__name__)
def test_more_nested_loops_than_kernels_have_are_refused(op: Binary) -> None:
    a, b = tuple(2 if i % 2 else 1 for i in range(7)), tuple(1 if i % 2 else 2 for i in range(7))
    graph = integer_graph(op, [a, b])
    with pytest.raises(ModelError) as caught:
        lower(graph)
    assert str(caught.value) == (f"{type(op).__name__} 'layer': broadcasts in 7 nested loops; at most 6 are supported")


def test_scales_too_far_apart_are_refused() -> None:
    graph = integer_graph(Sub(), [(2,), (2,)], {"x0": (-1e8, 1e8), "x1": (-1, 1), "y": (-1, 1)})
    with pytest.raises(QuantizationError) as caught:
        lower(graph)
    assert str(caught.value) == (
        "Sub 'layer': input scales are 1e+08 and 1 times the output's, too far apart for int32; check the "
        "calibration data"
    )
