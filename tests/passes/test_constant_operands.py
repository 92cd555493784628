"""Constant scalars and channel vectors become Affine; the text before and after, and the values."""

from __future__ import annotations

import numpy as np
import pytest
from networks import Network, assert_same_meaning

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.binary import Binary
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.mul import Mul
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize
from mcuq.passes.constant_operands import constant_operands_to_affine


def rewritten(op: Binary, constant: tuple[int, ...], first: bool = False) -> tuple[Graph, Graph]:
    """Before and after, for x (1, 4, 3, 3) and a constant."""
    net = Network()
    x, k = net.input("x", (1, 4, 3, 3)), net.constant(net.normal(*constant), "k")
    before = net.finish(net.add(op, [k, x] if first else [x, k], "y"))
    after = constant_operands_to_affine(before)
    assert_same_meaning(before, after)
    return before, after


def affine(axis: int, size: int) -> str:
    return (
        "input x: float32[1,4,3,3]\n"
        f"y: float32[1,4,3,3] = Affine(x, y.scale:float32[{size}], y.bias:float32[{size}]) axis={axis}\n"
        "output y\n"
    )


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("op", [Add(), Sub(), Mul()], ids=lambda op: type(op).__name__)
def test_channel_vector_becomes_an_affine_of_its_dimension(op: Binary, first: bool) -> None:
    before, after = rewritten(op, (1, 4, 1, 1), first)
    inputs = "k:float32[1,4,1,1], x" if first else "x, k:float32[1,4,1,1]"
    assert before.text() == (
        f"input x: float32[1,4,3,3]\ny: float32[1,4,3,3] = {type(op).__name__}({inputs})\noutput y\n"
    )
    assert after.text() == affine(1, 4)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("op", [Add(), Sub(), Mul()], ids=lambda op: type(op).__name__)
def test_scalar_becomes_an_affine_of_the_last_dimension(op: Binary, first: bool) -> None:
    assert rewritten(op, (1, 1, 1, 1), first)[1].text() == affine(3, 3)


def test_scalar_behind_a_layer_in_another_layout_goes_into_its_channels() -> None:
    """As behind a convolution of channels first: it is no pass of its own."""
    net = Network()
    x = net.input("x", (1, 3, 6, 5))
    y = net.add(Mul(), [net.conv(x, 4), net.constant(np.full((1, 1, 1, 1), 0.37, np.float32))], "y")
    before = net.finish(y)
    after = constant_operands_to_affine(before)
    assert_same_meaning(before, after)
    (found,) = [node.op for node in after.nodes if isinstance(node.op, Affine)]
    assert found.axis == 1
    layers = [layer for layer in optimize(before).layers() if not layer.op.shares_scale]
    assert [type(layer.op) for layer in layers] == [Conv2d]


def test_scale_and_bias_are_what_the_operator_does() -> None:
    net = Network()
    x, k = net.input("x", (1, 2)), net.constant(np.array([[3.0, -2.0]], np.float32), "k")
    outputs = [net.add(Add(), [x, k], "x+k"), net.add(Sub(), [x, k], "x-k"), net.add(Sub(), [k, x], "k-x")]
    tensors = constant_operands_to_affine(net.finish(*outputs, net.add(Mul(), [x, k], "x*k"))).tensors
    found = {n: (tensors[f"{n}.scale"].values.tolist(), tensors[f"{n}.bias"].values.tolist()) for n in net.outputs}
    assert found == {
        "x+k": ([1, 1], [3, -2]),
        "x-k": ([1, 1], [-3, 2]),
        "k-x": ([-1, -1], [3, -2]),
        "x*k": ([3, -2], [0, 0]),
    }


@pytest.mark.parametrize("constant", [(1, 4, 3, 1), (1, 4, 3, 3), (2, 1, 1, 1), (2, 4, 3, 3)], ids=str)
def test_constant_that_varies_along_more_dimensions_or_repeats_the_input_stays(constant: tuple[int, ...]) -> None:
    before, after = rewritten(Add(), constant)
    assert after.text() == before.text()


def test_operator_with_fused_bounds_stays() -> None:
    before, after = rewritten(Add(minimum=0.0), (1, 4, 1, 1))
    assert after.text() == before.text()


def test_two_computed_operands_stay() -> None:
    net = Network()
    x, z = net.input("x", (1, 4)), net.input("z", (1, 4))
    before = net.finish(net.add(Add(), [x, z], "y"))
    assert constant_operands_to_affine(before).text() == before.text()


def test_scalar_input_stays() -> None:
    net = Network()
    before = net.finish(net.add(Add(), [net.input("x", ()), net.constant(np.float32(2).reshape(()))], "y"))
    assert constant_operands_to_affine(before).text() == before.text()


def test_quantized_operands_of_a_quantized_tensor_stay() -> None:
    for quantized_x, stays in ((True, True), (False, False)):
        net = Network()
        x = net.input("x", (1, 4, 3, 3))
        if quantized_x:
            x = net.add(Transpose((0, 2, 1, 3)), [net.add(FakeQuantize(0.1, 0), [x])])
        k = net.constant(
            np.float32([0.5, 1, -2]).reshape(1, 3, 1, 1) if quantized_x else np.float32([[[[0.5]]]]),
            "k",
            Quant((0.5,), 3),
        )
        before = net.finish(net.add(Add(), [x, k], "y"))
        assert (constant_operands_to_affine(before).text() == before.text()) == stays
