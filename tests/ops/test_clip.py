"""Clip: its table, and bounds fused into operators that requantize."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from support import check_float, check_portable_c, integer_branches, integer_graph, random_inputs
from unary_cases import check_unary

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Quant, Tensor
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.mean import Mean

RELU = Clip(minimum=0.0)
RELU6 = Clip(0.0, 6.0)


@pytest.mark.parametrize("op", [RELU, RELU6, Clip(), Clip(-0.3, 0.2), Clip(maximum=-0.1), Clip(0.5, 0.5)], ids=str)
def test_simulator_is_within_half_a_step_of_the_float_meaning(op: Clip) -> None:
    check_unary(op)


def test_output_range_is_what_the_limits_leave_of_the_calibrated_one() -> None:
    assert RELU6.clip_range(-3, 4) == (0, 4)
    assert RELU6.clip_range(-3, 9) == (0, 6)
    assert Clip().clip_range(-3, 9) == (-3, 9)
    graph = integer_graph(RELU6, [(4,)], {"x0": (-10, 10), "y": (-10, 10)})
    assert graph.tensors["y"].quant == Quant((6 / 255,), -128)


@pytest.mark.parametrize(
    ("low", "high", "output_min", "output_max"),
    [
        (-inf, inf, -128, 127),
        (0.0, inf, -28, 127),
        (0.0, 6.0, -28, -22),
        (-50.0, -0.5, -78, -28),  # -28.5, halves up
        (0.5, 1000.0, -27, 127),
        (-1e38, 1e38, -128, 127),
    ],
)
def test_fused_bounds_are_codes_of_the_output(low: float, high: float, output_min: int, output_max: int) -> None:
    output = Tensor("y", (1,), "int8", quant=Quant((1.0,), -28))
    assert Add(minimum=low, maximum=high).output_bounds(output) == (output_min, output_max)


@pytest.mark.parametrize("low, high", [(0, 1), (0, 6), (-0.5, 0.7), (0.3, 0.6), (-0.7, -0.2)])
def test_fused_bounds_cut_what_the_operator_gives_without_them(low: float, high: float) -> None:
    kept = (max(low, -1.0), min(high, 1.0))
    fused = integer_graph(Mean((1,), minimum=low, maximum=high), [(1, 7)])
    plain = integer_graph(Mean((1,)), [(1, 7)], {"y": kept})
    assert fused.tensors["y"].quant == plain.tensors["y"].quant
    x = random_inputs(fused, 200)
    bounds = fused.nodes[0].op.output_bounds(fused.tensors["y"])
    assert np.array_equal(simulate(fused, x)["y"], np.clip(simulate(plain, x)["y"], *bounds))
    check_float(fused, 0.5, samples=200)


def test_relu_with_the_lowest_zero_point_needs_no_bounds() -> None:
    graph = integer_graph(Add(minimum=0.0), [(4,), (4,)])
    (layer,) = graph.layers()
    assert layer.output.zero_point == -128
    assert layer.op.output_bounds(layer.output) == (-128, 127)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits_where_bounds_cut_the_output(on: str) -> None:
    check_portable_c(integer_branches([(Add(minimum=low, maximum=0.6), [(9,), (9,)]) for low in (-0.5, 0.3)]), on)
