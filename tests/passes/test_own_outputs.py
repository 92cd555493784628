"""Every output of the model gets memory of its own."""

from __future__ import annotations

import pytest
from networks import Network, assert_same_meaning
from support import check_portable_c, with_ranges

from mcuq.ops.reshape import Reshape
from mcuq.ops.tanh import Tanh
from mcuq.passes.own_outputs import own_outputs


def owned(net: Network, *outputs: str) -> str:
    before = net.finish(*outputs)
    after = own_outputs(before)
    assert_same_meaning(before, after)
    for on in ("host", "emulator"):
        check_portable_c(with_ranges(after), on)
    return after.text()


def test_view_of_an_input_is_copied() -> None:
    net = Network()
    assert owned(net, net.add(Reshape((6,)), [net.input("x", (2, 3))], "y")) == (
        "input x: float32[2,3]\n"
        "y.shared: float32[6] = Reshape(x) shape=6\n"
        "y: float32[6] = Identity(y.shared)\n"
        "output y\n"
    )


def test_two_views_of_an_input_are_copied_each() -> None:
    net = Network()
    x = net.input("x", (2, 3))
    y = net.add(Reshape((6,)), [x], "y")
    z = net.add(Reshape((3, 2)), [y], "z")
    assert owned(net, y, z) == (
        "input x: float32[2,3]\n"
        "y.shared: float32[6] = Reshape(x) shape=6\n"
        "y: float32[6] = Identity(y.shared)\n"
        "z.shared: float32[3,2] = Reshape(y.shared) shape=3,2\n"
        "z: float32[3,2] = Identity(z.shared)\n"
        "output y\n"
        "output z\n"
    )


def test_view_of_an_output_that_comes_first_is_copied() -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (2, 3))], "t")
    assert owned(net, t, net.add(Reshape((6,)), [t], "y")) == (
        "input x: float32[2,3]\n"
        "t: float32[2,3] = Tanh(x)\n"
        "y.shared: float32[6] = Reshape(t) shape=6\n"
        "y: float32[6] = Identity(y.shared)\n"
        "output t\n"
        "output y\n"
    )


def test_output_whose_view_comes_first_is_copied() -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (2, 3))], "t")
    assert owned(net, net.add(Reshape((6,)), [t], "y"), t) == (
        "input x: float32[2,3]\n"
        "t.shared: float32[2,3] = Tanh(x)\n"
        "y: float32[6] = Reshape(t.shared) shape=6\n"
        "t: float32[2,3] = Identity(t.shared)\n"
        "output y\n"
        "output t\n"
    )


def test_outputs_that_share_nothing_stay() -> None:
    net = Network()
    x = net.input("x", (2, 3))
    a, b = net.add(Tanh(), [x], "a"), net.add(Tanh(), [net.add(Reshape((6,)), [x])], "b")
    before = net.finish(a, net.add(Reshape((3, 2)), [b], "c"))
    assert own_outputs(before).text() == before.text()


@pytest.mark.parametrize("first", [True, False])
def test_output_that_other_layers_read_gives_them_the_same_values(first: bool) -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (2, 3))], "t")
    y = net.add(Reshape((6,)), [t], "y")
    z = net.add(Tanh(), [t if first else y], "z")
    owned(net, y, z, t)
