"""FakeQuantize goes behind a Clip and before zero padding."""

from __future__ import annotations

import pytest
from networks import Network, assert_same_meaning

from mcuq.graph.ir import Graph
from mcuq.ops.clip import Clip
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.tanh import Tanh
from mcuq.passes.order_quantization import order_quantization

QUANTIZE = FakeQuantize(0.0625, 3)


def ordered(before: Graph) -> str:
    after = order_quantization(before)
    assert_same_meaning(before, after)
    return after.text()


@pytest.mark.parametrize("clip", [Clip(minimum=0.0), Clip(-0.5, 0.25), Clip(maximum=1.0)])
def test_clip_at_values_of_the_quantization_goes_before_it(clip: Clip) -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (1, 64))], "t")
    before = net.finish(net.add(clip, [net.add(QUANTIZE, [t], "q")], "y"))
    assert "Clip(t)" in ordered(before)


def test_an_input_keeps_its_quantization() -> None:
    net = Network()
    q = net.add(QUANTIZE, [net.add(Reshape((8, 8)), [net.input("x", (1, 64))])], "q")
    before = net.finish(net.add(Clip(minimum=0.0), [q], "y"))
    assert ordered(before) == before.text()


def test_clip_between_values_of_the_quantization_stays() -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (1, 64))], "t")
    before = net.finish(net.add(Clip(maximum=0.3), [net.add(QUANTIZE, [t], "q")], "y"))
    assert ordered(before) == before.text()


def test_quantization_of_padding_goes_before_it() -> None:
    net = Network()
    p = net.add(Pad((0, 1), (0, 2)), [net.input("x", (1, 8))], "p")
    assert ordered(net.finish(net.add(QUANTIZE, [p], "y"))) == (
        "input x: float32[1,8]\n"
        "y_2: float32[1,8] = FakeQuantize(x) scale=0.0625 zero_point=3\n"
        "y: float32[1,11] = Pad(y_2) before=0,1 after=0,2\n"
        "output y\n"
    )


def test_both_stay_where_somebody_else_reads_between() -> None:
    net = Network()
    q = net.add(QUANTIZE, [net.add(Tanh(), [net.input("x", (1, 8))])], "q")
    p = net.add(Pad((0, 1), (0, 2)), [q], "p")
    before = net.finish(
        net.add(Clip(minimum=0.0), [q], "y"), net.add(QUANTIZE, [p], "z"), net.add(Tanh(), [q]), net.add(Tanh(), [p])
    )
    assert ordered(before) == before.text()
