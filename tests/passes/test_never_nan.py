"""What looks for NaN goes from where integers are computed."""

from __future__ import annotations

import numpy as np
from networks import Network, assert_same_meaning

from mcuq.graph.tensor import Integers
from mcuq.ops.compare import Compare
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.tanh import Tanh
from mcuq.ops.where import Where
from mcuq.passes.never_nan import never_nan

NOTE = (
    "'y' says what becomes of missing numbers (NaN), which integers do not have: fill them in before the network, or "
    "use --scheme float32"
)


def filled(relation: str = "==") -> Network:
    """y = Where(IsNaN(x), 5, x), where the relation is ==."""
    net = Network()
    x = net.input("x", (2, 3))
    equal = net.add(Compare(relation), [x, x], "equal")
    one = net.constant(np.ones((1, 1), np.float32), "one", Integers.of(1, 1))
    missing = net.add(IntegerArithmetic("Xor"), [equal, one], "missing")
    net.add(Where(), [missing, net.constant(np.full((1, 1), 5, np.float32), "five"), x], "y")
    return net


def test_what_fills_in_for_nan_is_left_out_of_integers() -> None:
    net = filled()
    net.add(Tanh(), ["y"], "z")
    before = net.finish("z")
    after, notes = never_nan(before, ())
    assert_same_meaning(before, after)
    assert after.text() == "input x: float32[2,3]\nz: float32[2,3] = Tanh(x)\noutput z\n"
    assert notes == (NOTE,)


def test_an_output_stays_one() -> None:
    after, notes = never_nan(filled().finish("y"), ())
    assert after.text() == "input x: float32[2,3]\ny: float32[2,3] = Identity(x)\noutput y\n"
    assert notes == (NOTE,)


def test_floats_keep_it_and_so_does_what_asks_for_something_else() -> None:
    for graph, floats in ((filled().finish("y"), {"x"}), (filled("<=").finish("y"), set())):
        after, notes = never_nan(graph, floats)
        assert after is graph
        assert notes == ()
