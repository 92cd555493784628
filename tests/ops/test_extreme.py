"""Max and Min: the simulator against float. What they share with Add is tested there."""

from __future__ import annotations

import numpy as np
import pytest
from binary_cases import SHAPES, binary_cases
from support import check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.errors import QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.kernels.portable.extreme import EXTREME_KERNELS
from mcuq.lower import choose_kernel, lower
from mcuq.ops.extreme import Max, Min


def steps(layer: Layer) -> float:
    return 0.5 + 128 * 2.0 ** -layer.op.parameters(layer).shift


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(16):
        check_float(integer_branches(binary_cases([Max, Min], seed), seed), steps)


def test_kernel_without_strides_takes_just_operands_of_one_shape() -> None:
    for a, b in SHAPES:
        (layer,) = integer_graph(Max(), [a, b]).layers()
        assert choose_kernel(layer, frozenset()) is EXTREME_KERNELS[a != b]


@pytest.mark.parametrize("op", [Max(), Min()])
def test_it_is_exact_where_scales_are_equal(op: Max) -> None:
    graph = integer_graph(op, [(2, 300), (1, 300)])
    x = random_inputs(graph, 20)
    wanted = (np.maximum if op.is_max else np.minimum)(x["x0"], x["x1"])
    assert np.array_equal(simulate(graph, x)["y"], wanted)


@pytest.mark.parametrize("op", [Max(), Min()])
def test_a_constant_has_the_outputs_steps_and_may_lie_far_beyond_its_range(op: Max) -> None:
    sign = 1 if op.is_max else -1
    constant = sign * np.array([-1e30, -2.0, 0.25, 0.5])
    graph = integer_graph(op, [(4,), constant], {"x0": (-1, 1), "y": (-1, 1)})
    assert graph.tensors["c1"].quant == graph.tensors["y"].quant
    x = random_inputs(graph, 20)
    real = graph.tensors["x0"].quantization.dequantize(x["x0"])
    got = graph.tensors["y"].quantization.dequantize(simulate(graph, x)["y"])
    wanted = np.clip((np.maximum if op.is_max else np.minimum)(real, constant), -1, 1)
    assert np.abs(got - wanted).max() <= 0.51 * graph.tensors["y"].scale
    check_portable_c(graph, "host")


def test_stated_bound_is_the_largest_magnitude_of_a_term() -> None:
    graph = integer_graph(Min(), [(3,), (3,)], {"x0": (-3, 1), "x1": (-1, 7), "y": (-4, 8)})
    ((call,),) = (step.calls for step in lower(graph).steps)
    p = call.constants.numbers()
    ends = [q * p[f"factor_{side}"] + p[f"constant_{side}"] for q in (-128, 127) for side in "ab"]
    assert max(map(abs, ends)) <= call.bound < 2**31


def test_scales_too_far_apart_are_refused() -> None:
    graph = integer_graph(Max(), [(2,), (2,)], {"x0": (-1e8, 1e8), "x1": (-1, 1), "y": (-1, 1)})
    with pytest.raises(QuantizationError) as caught:
        lower(graph)
    assert str(caught.value) == (
        "Max 'layer': input scales are 1e+08 and 1 times the output's, too far apart for int32; check the "
        "calibration data"
    )
