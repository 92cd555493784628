"""Mul: the simulator against float. What it shares with Add is tested there."""

from __future__ import annotations

import pytest
from binary_cases import SHAPES, binary_cases
from support import check_float, check_portable_c, integer_branches, integer_graph

from mcuq.errors import QuantizationError
from mcuq.kernels.portable.mul import MUL_KERNELS
from mcuq.lower import choose_kernel, lower
from mcuq.ops.mul import Mul

STEPS = 0.5


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(16):
        check_float(integer_branches(binary_cases([Mul], seed), seed), STEPS)


def test_kernel_without_strides_takes_just_operands_of_one_shape() -> None:
    for a, b in SHAPES:
        (layer,) = integer_graph(Mul(), [a, b]).layers()
        assert choose_kernel(layer, frozenset()) is MUL_KERNELS[a != b]


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("y_range", [(-1e-4, 1e-4), (-0.1, 0.2), (-1, 1), (-1e6, 1e5)])
def test_factors_far_below_and_far_above_one_are_exact_to_half_a_step(on: str, y_range: tuple[float, float]) -> None:
    """With zero points at the far ends the product reaches 255 * 255."""
    graph = integer_graph(Mul(), [(9,), (9,)], {"x0": (0, 3), "x1": (-300, 0), "y": y_range})
    assert (graph.tensors["x0"].zero_point, graph.tensors["x1"].zero_point) == (-128, 127)
    check_float(graph, STEPS, samples=50)
    check_portable_c(graph, on)


def test_output_range_that_no_shift_reaches_is_refused() -> None:
    graph = integer_graph(Mul(), [(2,), (2,)], {"x0": (-1e6, 1e6), "x1": (-1e6, 1e6), "y": (-1e-3, 1e-3)})
    with pytest.raises(QuantizationError) as caught:
        lower(graph)
    assert str(caught.value) == (
        "Mul 'layer': requantization factor 7.84314e+12 is outside (0, 2^30); check the calibration data"
    )
