"""ReLU and Clip become bounds of the layer before them."""

from __future__ import annotations

import pytest
from networks import RELU, Network, assert_same_meaning

from mcuq.graph.operator import Operator
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.tanh import Tanh
from mcuq.ops.window import Window
from mcuq.passes.fuse_clip import fuse_clip

TWO = Window((2, 2))


def fused(net: Network, *outputs: str) -> str:
    before = net.finish(*outputs)
    after = fuse_clip(before)
    assert_same_meaning(before, after)
    return after.text()


def test_relu_becomes_a_bound_of_the_sum_before_it() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    y = net.add(RELU, [net.add(Add(), [x, x], "a", "residual")], "y", "relu")
    text = fused(net, y)
    assert text == "input x: float32[1,4]\ny: float32[1,4] = Add(x, x) minimum=0.0\noutput y\n"
    # The layer keeps its name, the tensor that of the ReLU's output.
    assert [node.name for node in fuse_clip(net.graph()).nodes] == ["residual"]


@pytest.mark.parametrize("op", [Mean((1,)), AveragePool(TWO)], ids=lambda op: type(op).__name__)
def test_relu_becomes_a_bound_of_what_requantizes(op: Operator) -> None:
    net = Network()
    y = net.add(RELU, [net.add(op, [net.input("x", (1, 4, 4, 2))], "a")], "y")
    text = fused(net, y)
    assert "Clip" not in text
    assert "minimum=0.0" in text


@pytest.mark.parametrize(
    ("clips", "bounds"),
    [
        ([RELU, Clip(maximum=6.0)], "minimum=0.0 maximum=6.0"),
        ([Clip(-1.0, 1.0), Clip(0.0, 6.0)], "minimum=0.0 maximum=1.0"),
        ([Clip(0.0, 1.0), Clip(2.0, 3.0)], "minimum=2.0 maximum=2.0"),
        ([Clip(2.0, 3.0), Clip(0.0, 1.0)], "minimum=1.0 maximum=1.0"),
        ([Clip(-3.0, -2.0), RELU], "minimum=0.0 maximum=0.0"),
    ],
)
def test_clips_in_a_row_leave_the_bounds_of_both(clips: list[Clip], bounds: str) -> None:
    net = Network()
    x = net.input("x", (1, 4))
    y = net.add(Add(), [x, x])
    for clip in clips:
        y = net.add(clip, [y])
    assert fused(net, y).splitlines()[1].endswith(f" = Add(x, x) {bounds}")


def test_relu_stays_when_its_input_is_also_an_output() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    a = net.add(Add(), [x, x], "a")
    y = net.add(RELU, [a], "y")
    assert fused(net, y, a) == (
        "input x: float32[1,4]\n"
        "a: float32[1,4] = Add(x, x)\n"
        "y: float32[1,4] = Clip(a) minimum=0.0\n"
        "output y\n"
        "output a\n"
    )


def test_relu_stays_when_its_input_has_another_reader() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    a = net.add(Add(), [x, x], "a")
    y = net.add(Mul(), [net.add(RELU, [a], "r"), a], "y")
    assert fused(net, y) == (
        "input x: float32[1,4]\n"
        "a: float32[1,4] = Add(x, x)\n"
        "r: float32[1,4] = Clip(a) minimum=0.0\n"
        "y: float32[1,4] = Mul(r, a)\n"
        "output y\n"
    )


def test_relu_stays_behind_an_input_and_behind_what_does_not_requantize() -> None:
    net = Network()
    x = net.input("x", (1, 4))
    before = net.finish(net.add(RELU, [x]), net.add(RELU, [net.add(Tanh(), [x])]))
    assert fuse_clip(before).text() == before.text()


def test_relu_passes_maximum_pooling_on_its_way_to_a_layer() -> None:
    net = Network()
    x = net.input("x", (1, 4, 4, 2))
    m = net.add(MaxPool(TWO), [net.add(MaxPool(TWO), [net.add(Add(), [x, x], "a")], "m")], "n")
    assert fused(net, net.add(RELU, [m], "y", "relu")) == (
        "input x: float32[1,4,4,2]\n"
        "relu_2: float32[1,4,4,2] = Add(x, x) minimum=0.0\n"
        f"relu: float32[1,3,3,2] = MaxPool(relu_2) window={TWO}\n"
        f"y: float32[1,2,2,2] = MaxPool(relu) window={TWO}\n"
        "output y\n"
    )


def test_relu_stays_behind_maximum_pooling_of_an_input() -> None:
    net = Network()
    before = net.finish(net.add(RELU, [net.add(MaxPool(TWO), [net.input("x", (1, 4, 4, 2))])]))
    assert fuse_clip(before).text() == before.text()


def test_relu_stays_behind_maximum_pooling_of_what_has_another_reader() -> None:
    net = Network()
    x = net.input("x", (1, 4, 4, 2))
    a = net.add(Add(), [x, x], "a")
    before = net.finish(net.add(RELU, [net.add(MaxPool(TWO), [a])]), net.add(MaxPool(Window((3, 3))), [a]))
    assert fuse_clip(before).text() == before.text()
