"""Equal operators on equal inputs are computed once."""

from __future__ import annotations

from networks import Network, assert_same_meaning

from mcuq.ops.add import Add, Sub
from mcuq.ops.clip import Clip
from mcuq.ops.mul import Mul
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.passes.merge_duplicates import merge_duplicates


def merged(net: Network, *outputs: str) -> str:
    before = net.finish(*outputs)
    after = merge_duplicates(before)
    assert_same_meaning(before, after)
    return after.text()


def test_chains_of_equal_operators_are_computed_once() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    a, b = (net.add(Tanh(), [net.add(Sigmoid(), [x], f"{n}1")], f"{n}2") for n in "ab")
    assert merged(net, net.add(Mul(), [a, b], "y")) == (
        "input x: float32[1,4]\n"
        "a1: float32[1,4] = Sigmoid(x)\n"
        "a2: float32[1,4] = Tanh(a1)\n"
        "y: float32[1,4] = Mul(a2, a2)\n"
        "output y\n"
    )


def test_duplicate_that_is_an_output_stays() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    a, b = (net.add(Sigmoid(), [x], name) for name in "ab")
    assert merged(net, net.add(Tanh(), [a], "y"), b) == (
        "input x: float32[1,4]\n"
        "a: float32[1,4] = Sigmoid(x)\n"
        "y: float32[1,4] = Tanh(a)\n"
        "b: float32[1,4] = Sigmoid(x)\n"
        "output y\n"
        "output b\n"
    )


def test_readers_of_a_duplicate_read_the_output_that_comes_first() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    a, b = (net.add(Sigmoid(), [x], name) for name in "ab")
    assert merged(net, a, net.add(Tanh(), [b], "y")) == (
        "input x: float32[1,4]\na: float32[1,4] = Sigmoid(x)\ny: float32[1,4] = Tanh(a)\noutput a\noutput y\n"
    )


def test_other_operators_attributes_inputs_or_orders_stay() -> None:
    net = Network()
    x, z = net.input("x", (1, 4)), net.input("z", (1, 4))
    ops = [(Add(), [x, z]), (Sub(), [x, z]), (Sub(), [z, x]), (Add(), [x, x]), (Add(minimum=0.0), [x, z])]
    ops += [(Clip(0.0, 1.0), [x]), (Clip(0.0, 2.0), [x]), (Clip(0.0, 1.0), [z])]
    sums = [net.add(op, inputs) for op, inputs in ops]
    while len(sums) > 1:
        sums = [net.add(Mul(), sums[:2]), *sums[2:]]
    before = net.finish(*sums)
    assert merge_duplicates(before).text() == before.text()
