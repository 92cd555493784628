"""Transpose and Reshape sink until they meet, cancel or go into weights: each rule's text before and after."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from networks import RELU, Network, assert_same_meaning

from mcuq.graph.operator import Operator
from mcuq.ops.add import Add
from mcuq.ops.affine import Affine
from mcuq.ops.concat import Concat
from mcuq.ops.identity import Identity
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.passes.sink_layout import sink_layout

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def sunk(net: Network, *outputs: str) -> list[str]:
    """Lines of the text after, without the inputs; the meaning must stay."""
    before = net.finish(*outputs)
    after = sink_layout(before)
    assert_same_meaning(before, after)
    return [line for line in after.text().splitlines() if not line.startswith("input")]


def transposed(shape: tuple[int, ...] = (2, 5, 4, 3), perm: tuple[int, ...] = FIRST) -> tuple[Network, str]:
    net = Network()
    return net, net.add(Transpose(perm), [net.input("x", shape)], "t")


# Simplification.


def test_transposes_that_undo_each_other_vanish() -> None:
    net, t = transposed()
    y = net.add(Tanh(), [net.add(Transpose(LAST), [t])], "y")
    assert sunk(net, y) == ["y: float32[2,5,4,3] = Tanh(x)", "output y"]


def test_transposes_in_a_row_are_one() -> None:
    net, t = transposed()
    y = net.add(Transpose((1, 0, 2, 3)), [t], "y")
    assert sunk(net, y) == ["y: float32[3,2,5,4] = Transpose(x) perm=3,0,1,2", "output y"]


def test_transpose_of_dimensions_of_one_element_is_a_reshape() -> None:
    net, t = transposed((2, 1, 1, 3))
    assert sunk(net, t) == ["t: float32[2,3,1,1] = Reshape(x) shape=2,3,1,1", "output t"]


def test_reshapes_in_a_row_are_one() -> None:
    net = Network()
    y = net.add(Reshape((2, 12)), [net.add(Reshape((24,)), [net.input("x", (2, 3, 4))])], "y")
    assert sunk(net, y) == ["y: float32[2,12] = Reshape(x) shape=2,12", "output y"]


def test_reshape_to_the_same_shape_vanishes_and_its_output_keeps_its_name() -> None:
    net = Network()
    y = net.add(Reshape((2, 3)), [net.add(Tanh(), [net.input("x", (2, 3))], "a")], "y")
    assert sunk(net, y) == ["y: float32[2,3] = Tanh(x)", "output y"]


def test_reshape_to_the_same_shape_stays_between_an_input_and_an_output() -> None:
    net = Network()
    y = net.add(Reshape((2, 3)), [net.input("x", (2, 3))], "y")
    assert sunk(net, y) == ["y: float32[2,3] = Reshape(x) shape=2,3", "output y"]


def test_reshape_to_the_same_shape_stays_between_two_outputs() -> None:
    net = Network()
    a = net.add(Tanh(), [net.input("x", (2, 3))], "a")
    y = net.add(Reshape((2, 3)), [a], "y")
    assert sunk(net, a, y) == [
        "a: float32[2,3] = Tanh(x)",
        "y: float32[2,3] = Reshape(a) shape=2,3",
        "output a",
        "output y",
    ]


# Transpose below what works element by element, or on named dimensions.


@pytest.mark.parametrize(
    ("op", "line"),
    [
        (RELU, "y_2: float32[2,5,4,3] = Clip(x) minimum=0.0"),
        (Identity(), "y_2: float32[2,5,4,3] = Identity(x)"),
        (Mean((2, 3)), "y_2: float32[2,1,1,3] = Mean(x) axes=1,2"),
        (Mean((1,)), "y_2: float32[2,5,4,1] = Mean(x) axes=3"),
        (
            Pad((0, 1, 2, 3), (0, 0, 1, 0), 0.5),
            "y_2: float32[2,8,7,4] = Pad(x) before=0,2,3,1 after=0,1,0,0 value=0.5",
        ),
        (
            Slice((0, 1, 4, 0), (2, 2, 3, 2), (1, 1, -2, 3)),
            "y_2: float32[2,3,2,2] = Slice(x) begin=0,4,0,1 sizes=2,3,2,2 steps=1,-2,3,1",
        ),
    ],
    ids=lambda p: type(p).__name__ if isinstance(p, Operator) else "",
)
def test_transpose_sinks_below(op: Operator, line: str) -> None:
    net, t = transposed()
    y = net.add(op, [t], "y", "y")
    first, second, last = sunk(net, y)
    assert first == line
    shape = ",".join(map(str, net.shape(y)))
    # Where the mean leaves one element, the Transpose is a Reshape.
    assert second in (
        f"y: float32[{shape}] = Transpose(y_2) perm=0,3,1,2",
        f"y: float32[{shape}] = Reshape(y_2) shape={shape}",
    )
    assert last == "output y"


@pytest.mark.parametrize(("axis", "moved"), [(0, 0), (1, 3), (2, 1), (3, 2)])
def test_transpose_sinks_below_affine_and_concat_of_any_dimension(axis: int, moved: int) -> None:
    net, t = transposed()
    assert sunk(net, net.batch_norm(t, axis))[0].endswith(f" axis={moved}")
    net, t = transposed()
    first, *rest = sunk(net, net.add(Concat(axis), [t, t], "y"))
    assert first.endswith(f"Concat(x, x) axis={moved}")
    assert len(rest) == 2


def test_transpose_does_not_sink_below_what_names_the_last_dimension() -> None:
    net, t = transposed()
    y = net.add(Softmax(), [t], "y")
    assert [line.split(" = ")[-1] for line in sunk(net, y)] == ["Transpose(x) perm=0,3,1,2", "Softmax(t)", "output y"]


def test_transposes_of_both_operands_become_one_of_the_sum() -> None:
    net, t = transposed()
    u = net.add(Transpose(FIRST), [net.input("z", (2, 5, 4, 3))], "u")
    assert sunk(net, net.add(Add(), [t, u], "y")) == [
        "y_2: float32[2,5,4,3] = Add(x, z)",
        "y: float32[2,3,5,4] = Transpose(y_2) perm=0,3,1,2",
        "output y",
    ]


def test_transposes_of_another_order_stay() -> None:
    net, t = transposed((2, 4, 4, 4))
    u = net.add(Transpose((0, 2, 1, 3)), [net.input("z", (2, 4, 4, 4))], "u")
    before = net.finish(net.add(Add(), [t, u], "y"))
    assert sink_layout(before).text() == before.text()


def test_transpose_stays_where_the_other_operand_would_need_one() -> None:
    net, t = transposed()
    before = net.finish(net.add(Add(), [t, net.input("z", (2, 3, 5, 4))], "y"))
    assert sink_layout(before).text() == before.text()


def test_operand_that_is_had_in_the_other_order_already_is_taken_from_there() -> None:
    net, t = transposed()
    z = net.input("z", (2, 3, 5, 4))
    back = net.add(Softmax(), [net.add(Transpose(LAST), [z], "u")], "s")
    assert sunk(net, net.add(Add(), [t, z], "y"), back) == [
        "u: float32[2,5,4,3] = Transpose(z) perm=0,2,3,1",
        "y_2: float32[2,5,4,3] = Add(x, u)",
        "y: float32[2,3,5,4] = Transpose(y_2) perm=0,3,1,2",
        "s: float32[2,5,4,3] = Softmax(u)",
        "output y",
        "output s",
    ]


def test_constant_operand_is_transposed_at_compile_time() -> None:
    net, t = transposed()
    k = net.constant(net.normal(1, 3, 5, 1), "k")
    assert sunk(net, net.add(Mul(), [t, k], "y")) == [
        "y_2: float32[2,5,4,3] = Mul(x, k_2:float32[1,5,1,3])",
        "y: float32[2,3,5,4] = Transpose(y_2) perm=0,3,1,2",
        "output y",
    ]


def test_gate_of_one_value_a_channel_is_reshaped() -> None:
    net, t = transposed()
    gate = net.input("gate", (2, 3, 1, 1))
    assert sunk(net, net.add(Mul(), [t, gate], "y")) == [
        "transpose: float32[2,1,1,3] = Reshape(gate) shape=2,1,1,3",
        "y_2: float32[2,5,4,3] = Mul(x, transpose)",
        "y: float32[2,3,5,4] = Transpose(y_2) perm=0,3,1,2",
        "output y",
    ]


def test_transpose_that_is_an_output_stays_above_its_reader() -> None:
    net, t = transposed()
    y = net.add(Tanh(), [t], "y")
    before = net.finish(y, t)
    assert sink_layout(before).text() == before.text()


# Reshape.


@pytest.mark.parametrize("op", [RELU, Identity()], ids=lambda op: type(op).__name__)
def test_reshape_sinks_below_functions_of_one_value(op: Operator) -> None:
    net = Network()
    r = net.add(Reshape((6, 4)), [net.input("x", (2, 3, 4))])
    lines = sunk(net, net.add(op, [r], "y", "y"))
    assert [line.split(" = ")[0] for line in lines] == ["y_2: float32[2,3,4]", "y: float32[6,4]", "output y"]


def test_reshape_sinks_below_a_sum_of_operands_that_had_one_shape() -> None:
    net = Network()
    a, b = (net.add(Reshape((6, 4)), [net.input(name, (2, 3, 4))]) for name in "xz")
    assert sunk(net, net.add(Add(), [a, b], "y")) == [
        "y_2: float32[2,3,4] = Add(x, z)",
        "y: float32[6,4] = Reshape(y_2) shape=6,4",
        "output y",
    ]


def test_reshape_stays_above_a_sum_that_repeats_an_operand() -> None:
    net = Network()
    a, b = (net.add(Reshape(shape), [net.input(name, (4,))]) for name, shape in (("x", (4, 1)), ("z", (1, 4))))
    before = net.finish(net.add(Add(), [a, b], "y"))
    assert sink_layout(before).text() == before.text()


def test_reshape_sinks_below_an_affine_whose_dimension_stays_whole() -> None:
    net = Network()
    r = net.add(Reshape((2, 4, 9)), [net.input("x", (2, 4, 1, 9))])
    assert sunk(net, net.batch_norm(r, 1))[0] == (
        "affine_2: float32[2,4,1,9] = Affine(x, bn.scale:float32[4], bn.bias:float32[4]) axis=1"
    )


def test_reshape_stays_above_an_affine_whose_dimension_it_splits() -> None:
    net = Network()
    r = net.add(Reshape((2, 12)), [net.input("x", (2, 4, 3))])
    before = net.finish(net.batch_norm(r, 1))
    assert sink_layout(before).text() == before.text()


# Weights.


@pytest.mark.parametrize("rows", [1, 2])
def test_transpose_before_a_flatten_goes_into_the_weights_behind_it(rows: int) -> None:
    net, t = transposed((rows, 5, 4, 3))
    assert sunk(net, net.linear(net.flatten(t), 7)) == [
        f"reshape_2: float32[{rows},60] = Reshape(x) shape={rows},60",
        f"fc: float32[{rows},7] = FullyConnected(reshape_2, fc.w_2:float32[7,60], fc.b:float32[7])",
        "output fc",
    ]


def test_transpose_that_moves_the_batch_stays() -> None:
    net, t = transposed((5, 2, 4, 3), (1, 0, 2, 3))
    before = net.finish(net.linear(net.flatten(t), 7))
    assert sink_layout(before).text() == before.text()


def test_flatten_that_joins_the_batch_with_others_stays() -> None:
    net, t = transposed()
    before = net.finish(net.linear(net.add(Reshape((10, 12)), [t]), 7))
    assert sink_layout(before).text() == before.text()


def test_long_chain_of_everything_keeps_one_transpose_at_its_end() -> None:
    net, t = transposed((1, 5, 4, 3))
    k = net.constant(np.full((1, 3, 1, 1), 2, np.float32))
    for op, others in [(RELU, []), (Mul(), [k]), (Pad((0, 0, 1, 1), (0, 0, 0, 0)), []), (Tanh(), []), (Add(), [k])]:
        t = net.add(op, [t, *others])
    lines = sunk(net, net.add(Affine(1), [t, net.constant(net.normal(3)), net.constant(net.normal(3))], "y"))
    assert [line.split(" = ")[-1].split("(")[0] for line in lines] == [
        "Clip",
        "Mul",
        "Pad",
        "Tanh",
        "Add",
        "Affine",
        "Transpose",
        "output y",
    ]


@pytest.mark.parametrize("perm", [FIRST, LAST])
def test_layouts_that_a_join_could_have_either_way_are_settled(perm: tuple[int, ...]) -> None:
    """Both orders of both inputs are there: either would cost the join nothing, and it must not go back and forth."""
    net = Network()
    x = net.input("x", (2, 5, 4, 3))
    there = net.add(Transpose(perm), [x], "there")
    soft = net.add(Softmax(), [there], "soft")
    back = net.add(Transpose(tuple(perm.index(i) for i in range(4))), [soft], "back")
    net.add(Concat(1), [x, back], "joined")
    net.add(Softmax(), [back], "z")
    sunk(net, "joined", "z")


def test_rules_that_undo_each_other_are_an_error_of_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    net, t = transposed()
    graph = net.finish(t)
    monkeypatch.setattr(sys.modules[sink_layout.__module__], "RULES", (lambda builder, node: True,))
    with pytest.raises(RuntimeError, match=r"^pass sink_layout: graph '\w+' still changes after 10 rounds$"):
        sink_layout(graph)
