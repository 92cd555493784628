"""Kernels of floats for each goal: functions that layers share, and what compilers are told."""

from __future__ import annotations

import pytest
from cases.conv2d import corners
from cases.moves import concats, pads, slices
from cases.pools import average_pools, max_pools
from float_cases import DYNAMIC, FLOAT, check_floats, float_layers

from mcuq.boards.find import load_board
from mcuq.compile import assemble
from mcuq.graph.ir import Graph
from mcuq.kernels.c_types import c_float
from mcuq.lower import Goal
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

pytestmark = pytest.mark.slow

SCHEMES = {"float32": FLOAT, "int8 by float16": Scheme(LayerScheme("float16", "int8")), "dynamic": DYNAMIC}


def graph(scheme: str) -> Graph:
    moves = [*concats()[-3:-1], *pads((0.0, -1.5))[2:6], *slices(0, 2)]
    return float_layers([*corners()[:12], *max_pools()[:4], *average_pools()[:4], *moves], SCHEMES[scheme])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("optimize", ["size", "speed"])
def test_c_on_the_host_gives_the_simulators_bits(optimize: Goal, scheme: str) -> None:
    check_floats(graph(scheme), optimize=optimize)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("optimize", ["size", "speed"])
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, optimize: Goal, scheme: str) -> None:
    check_floats(graph(scheme), "emulator", board, optimize=optimize)


def test_shared_function_keeps_the_floats_of_its_head() -> None:
    model = assemble(graph("dynamic"), load_board("cortex-m4"), "layer", b"", optimize="size")
    shared = model.files["layer.c"].partition("layer_conv2d_dynamic_shared(")[2].partition("/* plain C")[0]
    assert "const float minimum = -mcuq_infinity(), maximum = mcuq_infinity();" in shared
    assert "minimum = -" not in shared.partition("enum {")[2]


def test_c_with_floats_refuses_arithmetic_that_is_not_ieee_754() -> None:
    text = assemble(graph("float32"), load_board("cortex-m4"), "layer", b"").files["layer.c"]
    assert '#error "floats must be those of IEEE 754: compile without -ffast-math"' in text
    assert "no floating point" not in text
    assert "8-bit" not in text


@pytest.mark.parametrize(("value", "text"), [(float("inf"), "mcuq_infinity()"), (float("-inf"), "-mcuq_infinity()")])
def test_infinity_is_a_function_as_freestanding_c_has_no_name_for_it(value: float, text: str) -> None:
    assert c_float(value) == text
