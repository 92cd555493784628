"""Every function of one value, chains of them, and Rescale: C against the simulator, the simulator against float."""

from __future__ import annotations

import numpy as np
import pytest
from support import RANGES, check_portable_c, integer_branches, integer_graph, random_inputs
from unary_cases import check_unary

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.ops import OPS
from mcuq.ops.clip import Clip
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.function import Function
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.rescale import Rescale
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Chain, Unary

FUNCTIONS: tuple[Unary, ...] = (
    Clip(minimum=0.0),
    Clip(-0.5, 0.5),
    FakeQuantize(0.03125, -7),
    HardSigmoid(),
    HardSwish(),
    LeakyRelu(0.1),
    Rescale(),
    Sigmoid(),
    Tanh(),
)
CHAINS = (
    Chain((Tanh(), Sigmoid())),
    Chain((HardSwish(), LeakyRelu(0.3), Clip(-0.1, 0.8))),
    Chain((Clip(minimum=0.0), Rescale())),
    Chain((Sigmoid(), FakeQuantize(0.03125, -128), Tanh())),
)
SHAPES = ((), (1,), (3,), (2, 5, 7, 3), (1, 64), (65,))


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    cases = [(op, [SHAPES[i % len(SHAPES)]]) for i, op in enumerate((*FUNCTIONS, *CHAINS) * 3)]
    check_portable_c(integer_branches(cases), on)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits_for_every_code(on: str) -> None:
    graph = integer_branches([(op, [(4096,)]) for op in FUNCTIONS])
    assert all(len(np.unique(x)) == 256 for x in random_inputs(graph, 3).values())
    check_portable_c(graph, on, samples=3)


def test_every_function_of_one_value_is_tested() -> None:
    unary = {op for op in OPS.values() if issubclass(op, Unary)}
    by_examples = {op for op in unary if issubclass(op, Function) and op.examples()}  # in test_function.py
    assert {type(op) for op in (*FUNCTIONS, *CHAINS)} | by_examples == unary


@pytest.mark.parametrize("op", [*CHAINS, Rescale()], ids=str)
def test_simulator_is_within_half_a_step_of_the_float_meaning(op: Unary) -> None:
    check_unary(op)


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_chain_is_its_parts_one_after_the_other_without_rounding_between(chain: Chain) -> None:
    x = np.linspace(-4, 4, 1001)
    want = x
    for part in chain.functions:
        want = part.function(want)
    assert np.array_equal(chain.function(x), want)


def test_rescale_to_the_same_range_is_the_identity() -> None:
    for low, high in RANGES:
        graph = integer_graph(Rescale(), [(256,)], {"x0": (low, high), "y": (low, high)})
        x = np.arange(-128, 128).astype(np.int8)[None]
        assert np.array_equal(simulate(graph, {"x0": x})["y"], x)


def test_output_takes_over_the_inputs_memory() -> None:
    builder = GraphBuilder("two")
    x = builder.input("x", (4,))
    builder.add(Tanh(), [builder.add(Sigmoid(), [x])], "y")
    builder.outputs.append("y")
    assert [layer.op.in_place(layer) for layer in builder.graph().layers()] == [(0,), (0,)]
