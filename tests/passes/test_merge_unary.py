"""Functions of one value, one behind the other, become one table."""

from __future__ import annotations

from networks import RELU, Network, assert_same_meaning

from mcuq.graph.tensor import Quant
from mcuq.ops.add import Add
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Chain
from mcuq.passes.merge_unary import merge_unary


def merged(net: Network, *outputs: str) -> str:
    before = net.finish(*outputs)
    after = merge_unary(before)
    assert_same_meaning(before, after)
    return after.text()


def test_functions_in_a_row_become_one_chain() -> None:
    net = Network()
    a = net.add(Sigmoid(), [net.input("x", (1, 4))], "a")
    assert merged(net, net.add(RELU, [net.add(Tanh(), [a], "b")], "y")) == (
        "input x: float32[1,4]\n"
        "y: float32[1,4] = Chain(x) functions=Sigmoid(),Tanh(),Clip(minimum=0.0, maximum=inf)\n"
        "output y\n"
    )


def test_chains_join_into_a_flat_one() -> None:
    net = Network()
    a = net.add(Chain((Sigmoid(), Tanh())), [net.input("x", (1, 4))], "a")
    assert merged(net, net.add(Chain((Tanh(), RELU)), [a], "y")) == (
        "input x: float32[1,4]\n"
        "y: float32[1,4] = Chain(x) functions=Sigmoid(),Tanh(),Tanh(),Clip(minimum=0.0, maximum=inf)\n"
        "output y\n"
    )


def test_function_stays_when_its_input_is_also_an_output() -> None:
    net = Network()
    a = net.add(Sigmoid(), [net.input("x", (1, 4))], "a")
    before = net.finish(net.add(Tanh(), [a], "y"), a)
    assert merge_unary(before).text() == before.text()


def test_function_stays_when_its_input_has_another_reader() -> None:
    net = Network()
    a = net.add(Sigmoid(), [net.input("x", (1, 4))], "a")
    before = net.finish(net.add(Add(), [net.add(Tanh(), [a], "b"), a], "y"))
    assert merge_unary(before).text() == before.text()


def test_function_alone_or_behind_something_else_stays() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    before = net.finish(net.add(Tanh(), [net.add(Reshape((4,)), [net.add(Sigmoid(), [x])])], "y"))
    assert merge_unary(before).text() == before.text()


def test_a_quantization_between_two_functions_goes_into_the_chain() -> None:
    net = Network()
    a = net.add(Sigmoid(), [net.input("x", (1, 64))], "a")
    net.give(a, Quant((1 / 64,), -128))
    assert merged(net, net.add(Tanh(), [a], "y")) == (
        "input x: float32[1,64]\n"
        "y: float32[1,64] = Chain(x) "
        "functions=Sigmoid(),FakeQuantize(scale=0.015625, zero_point=-128, dtype='int8'),Tanh()\n"
        "output y\n"
    )


def test_what_fixes_its_scale_joins_no_chain() -> None:
    net = Network()
    a = net.add(Sigmoid(), [net.input("x", (1, 4))], "a")
    before = net.finish(net.add(FakeQuantize(0.25, 0), [a], "y"))
    assert merge_unary(before).text() == before.text()
