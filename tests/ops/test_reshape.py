"""Reshape: a view, so that no code is emitted; C of what surrounds it, errors."""

from __future__ import annotations

import numpy as np
import pytest
from support import check_float, check_portable_c, float_graph, integer_graph, random_inputs, with_ranges

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.lower import lower
from mcuq.ops.add import Add
from mcuq.ops.reshape import Reshape
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.passes.own_outputs import own_outputs


def between_layers() -> Graph:
    """Views of an input, of a computed tensor read twice, of a view, and as an output."""
    builder = GraphBuilder("views")
    x = builder.input("x", (2, 3, 4))
    flat = builder.add(Reshape((24,)), [x])
    a = builder.add(Tanh(), [flat])
    b = builder.add(Reshape((4, 6)), [a])
    c = builder.add(Reshape((1, 4, 6)), [b])
    t = builder.add(Transpose((0, 2, 1)), [c])
    d = builder.add(Reshape((1, 4, 6)), [t])
    s = builder.add(Add(), [c, d])
    builder.outputs += [builder.add(Reshape((24,)), [s], "out"), builder.add(Reshape((2, 12)), [x], "same")]
    return builder.graph()


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(with_ranges(own_outputs(between_layers())), on)


def test_simulator_keeps_elements_in_their_order() -> None:
    for source, target in [((2, 3), (3, 2)), ((6,), (1, 2, 3)), ((2, 1, 3), (6,)), ((1, 1), ()), ((), (1,))]:
        graph = integer_graph(Reshape(target), [source])
        x = random_inputs(graph, 3)["x0"]
        assert np.array_equal(simulate(graph, {"x0": x})["y"], x.reshape(3, *target))
        check_float(graph, 0.0)


def test_no_code_is_emitted() -> None:
    (step,) = lower(integer_graph(Reshape((3, 2)), [(2, 3)])).steps
    assert step.calls == ()


def test_other_number_of_elements_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(Reshape((4, 2)), [(2, 3)])
    assert str(caught.value) == "Reshape 'layer': [2, 3] does not reshape to [4, 2]"
