"""Zero padding in a node of its own goes into the window that reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from networks import Network, assert_same_meaning

from mcuq.graph.operator import Operator
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.pad import Pad
from mcuq.ops.window import Window
from mcuq.passes.fold_pad import fold_pad

PAD = Pad((0, 1, 2, 0), (0, 0, 1, 0))


def padded(op: Operator, *pads: Pad, extra_output: bool = False) -> Network:
    """`op` behind pads of x (1, 5, 5, 3)."""
    net = Network()
    x = net.input("x", (1, 5, 5, 3))
    for pad in pads:
        x = net.add(pad, [x])
    constants = [net.constant(net.normal(2, 3, 3, 3), "w"), net.constant(net.normal(2), "b")]
    y = net.add(op, [x, *constants] if isinstance(op, Conv2d) else [x], "y")
    net.outputs += [y, x] if extra_output else [y]
    return net


def folded(net: Network) -> str:
    before = net.graph()
    after = fold_pad(before)
    assert_same_meaning(before, after)
    return after.text()


def test_pad_before_a_convolution_adds_to_its_window() -> None:
    window = Window((3, 3), (2, 1), (1, 1, 1, 1))
    net = padded(Conv2d(window), PAD)
    assert net.graph().text() == (
        "input x: float32[1,5,5,3]\n"
        "pad: float32[1,6,8,3] = Pad(x) before=0,1,2,0 after=0,0,1,0\n"
        f"y: float32[1,3,8,2] = Conv2d(pad, w:float32[2,3,3,3], b:float32[2]) window={window}\n"
        "output y\n"
    )
    assert folded(net) == (
        "input x: float32[1,5,5,3]\n"
        "y: float32[1,3,8,2] = Conv2d(x, w:float32[2,3,3,3], b:float32[2]) "
        f"window={replace(window, pads=(2, 3, 1, 2))}\n"
        "output y\n"
    )


def test_pads_in_a_row_all_add_to_the_window() -> None:
    assert folded(padded(Conv2d(Window((3, 3))), PAD, PAD)) == (
        "input x: float32[1,5,5,3]\n"
        "y: float32[1,5,9,2] = Conv2d(x, w:float32[2,3,3,3], b:float32[2]) "
        f"window={Window((3, 3), pads=(2, 4, 0, 2))}\n"
        "output y\n"
    )


def test_pad_before_average_pooling_is_counted() -> None:
    assert folded(padded(AveragePool(Window((3, 3))), PAD)) == (
        "input x: float32[1,5,5,3]\n"
        f"y: float32[1,4,6,3] = AveragePool(x) window={Window((3, 3), pads=(1, 2, 0, 1))} count_include_pad=True\n"
        "output y\n"
    )


@pytest.mark.parametrize(
    "op",
    [
        AveragePool(Window((3, 3), pads=(1, 1, 1, 1))),
        AveragePool(Window((3, 3), (2, 2), ceil_mode=True)),
        MaxPool(Window((3, 3))),
    ],
    ids=["padding of its own", "sizes rounded up", "maximum"],
)
def test_pad_stays_before_pooling_that_does_not_count_it(op: Operator) -> None:
    net = padded(op, PAD)
    assert fold_pad(net.graph()).text() == net.graph().text()


@pytest.mark.parametrize("pad", [Pad((0, 2, 0, 0), (0, 0, 0, 0)), Pad((0, 0, 0, 0), (0, 0, 3, 0))], ids=str)
def test_pad_as_large_as_the_pooling_window_stays(pad: Pad) -> None:
    net = padded(AveragePool(Window((2, 3))), pad)
    assert fold_pad(net.graph()).text() == net.graph().text()


@pytest.mark.parametrize(
    "pad",
    [Pad((0, 1, 1, 0), (0, 1, 1, 0), 0.5), Pad((0, 1, 0, 0), (1, 0, 0, 0))],
    ids=["another value", "another dimension"],
)
def test_pad_of_other_values_or_dimensions_stays(pad: Pad) -> None:
    net = padded(Conv2d(Window((3, 3))), pad)
    assert folded(net) == net.graph().text()


def test_pad_of_channels_stays() -> None:
    net = Network()
    x = net.add(Pad((0, 0, 0, 1), (0, 0, 0, 0)), [net.input("x", (1, 5, 5, 2))])
    constants = [net.constant(net.normal(2, 3, 3, 3), "w"), net.constant(net.normal(2), "b")]
    before = net.finish(net.add(Conv2d(Window((3, 3))), [x, *constants], "y"))
    assert fold_pad(before).text() == before.text()


def test_pad_that_is_also_an_output_is_computed_and_folded() -> None:
    assert folded(padded(Conv2d(Window((3, 3))), PAD, extra_output=True)) == (
        "input x: float32[1,5,5,3]\n"
        "y: float32[1,4,6,2] = Conv2d(x, w:float32[2,3,3,3], b:float32[2]) "
        f"window={Window((3, 3), pads=(1, 2, 0, 1))}\n"
        "pad: float32[1,6,8,3] = Pad(x) before=0,1,2,0 after=0,0,1,0\n"
        "output y\n"
        "output pad\n"
    )
