"""A Rescale stands between an operator that fixes its scale and one that joins several tensors in one."""

from __future__ import annotations

import pytest
from networks import Network, assert_same_meaning
from support import INT8, check_float, check_portable_c, with_ranges

from mcuq.graph.tensor import Quant
from mcuq.ops.concat import Concat
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.passes.separate_fixed_scales import separate_fixed_scales
from mcuq.quantize import Scheme, parse_scheme


def joined() -> Network:
    """Concat of a Softmax, seen through views, and an input."""
    net = Network()
    s = net.add(Softmax(), [net.input("x", (2, 3))], "s")
    r = net.add(Reshape((3, 2)), [s], "r")
    net.outputs.append(net.add(Concat(1), [r, net.input("z", (3, 2))], "y"))
    return net


def test_softmax_is_rescaled_before_a_concatenation() -> None:
    before = joined().graph()
    after = separate_fixed_scales(before)
    assert_same_meaning(before, after)
    assert after.text() == (
        "input x: float32[2,3]\n"
        "input z: float32[3,2]\n"
        "s: float32[2,3] = Softmax(x)\n"
        "r: float32[3,2] = Reshape(s) shape=3,2\n"
        "rescale: float32[3,2] = Rescale(r)\n"
        "y: float32[3,4] = Concat(rescale, z) axis=1\n"
        "output y\n"
    )


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_concatenation_keeps_values_beyond_the_range_of_softmax(on: str) -> None:
    # Softmax errs by one step of 1/256, the Rescale by half a step of the shared scale, which is wider.
    graph = with_ranges(separate_fixed_scales(joined().graph()))
    assert graph.tensors["s"].scale == 1 / 256
    assert graph.tensors["y"].scale > 1 / 256
    check_float(graph, 1.5)
    check_portable_c(graph, on)


def test_softmax_that_nothing_joins_stays() -> None:
    net = Network()
    s = net.add(Softmax(), [net.input("x", (2, 3))], "s")
    before = net.finish(net.add(Reshape((6,)), [s], "y"))
    assert separate_fixed_scales(before).text() == before.text()


def test_function_of_softmax_has_a_scale_of_its_own_and_stays() -> None:
    net = Network()
    s = net.add(Softmax(), [net.input("x", (2, 3))], "s")
    before = net.finish(net.add(Concat(0), [net.add(Tanh(), [s], "t"), net.input("z", (2, 3))], "y"))
    assert separate_fixed_scales(before).text() == before.text()


def test_an_input_of_a_given_quantization_is_rescaled_where_the_others_have_none() -> None:
    net = Network()
    x = net.input("x", (2, 3))
    net.give(x, Quant((0.5,), 0))
    after = separate_fixed_scales(net.finish(net.add(Concat(1), [x, net.input("z", (2, 3))], "y")))
    assert "rescale: float32[2,3] = Rescale(x)\n" in after.text()
    assert "Concat(rescale, z)" in after.text()


def test_a_concatenation_of_a_given_quantization_stays() -> None:
    net = Network()
    x = net.input("x", (2, 3))
    y = net.add(Concat(1), [x, x], "y")
    for name in (x, y):
        net.give(name, Quant((0.5,), 0))
    before = net.finish(y)
    assert separate_fixed_scales(before).text() == before.text()


@pytest.mark.parametrize("scheme", [INT8, parse_scheme("int16")])
def test_pads_that_softmax_cannot_have_are_kept(scheme: Scheme) -> None:
    # Softmax errs by one step, the Rescale by half a step of its own scale, and the constant by half of one.
    net = Network()
    r = net.add(Reshape((6,)), [net.add(Softmax(), [net.input("x", (2, 3))], "s")], "r")
    before = net.finish(net.add(Pad((1,), (2,), -3.0), [r], "y"))
    after = separate_fixed_scales(before)
    assert_same_meaning(before, after)
    assert "rescale: float32[6] = Rescale(r)\n" in after.text()
    graph = with_ranges(after, scheme=scheme)
    assert graph.tensors["y"].quant is not None and graph.tensors["y"].scale > graph.tensors["s"].scale
    check_float(graph, 1.5)
    check_portable_c(graph, "host")


def test_pads_that_softmax_can_have_share_its_scale() -> None:
    net = Network()
    s = net.add(Softmax(), [net.input("x", (2, 3))], "s")
    for fill in (0.0, 0.5):
        s = net.add(Pad((0, 1), (1, 0), fill), [s])
    before = net.finish(s)
    assert separate_fixed_scales(before).text() == before.text()


def test_pads_that_a_given_quantization_cannot_have_are_kept() -> None:
    net = Network()
    net.give(net.input("x", (2, 3)), Quant((0.5,), 0))
    after = separate_fixed_scales(net.finish(net.add(Pad((0, 1), (1, 0), 1.2), ["x"], "y")))
    assert "rescale: float32[2,3] = Rescale(x)\n" in after.text()
