"""What is read back from emitted C, and that equal constants are emitted once."""

from __future__ import annotations

import numpy as np
from support import check_c, model_of, with_ranges

from mcuq.emit.emitted import emitted_arrays, emitted_calls, with_functions_apart
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.lower import lower
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.reshape import Reshape


def _twins() -> Graph:
    """Two equal fully connected layers one after the other, joined with their input."""
    weight = np.linspace(-1, 1, 49, dtype=np.float32).reshape(7, 7)
    builder = GraphBuilder("twins")
    x = builder.input("x", (1, 7))
    constants = [builder.constant(weight), builder.constant(np.zeros(7, np.float32))]
    a = builder.add(FullyConnected(), [x, *constants], name="a")
    b = builder.add(FullyConnected(), [x, *constants], name="b", output="b")
    z = builder.add(Reshape((7, 1)), [builder.add(HardSwish(), [a], name="swish")], name="view")
    builder.outputs += [z, builder.add(Concat(1), [x, b], name="join")]
    return with_ranges(builder.graph())


def test_calls_are_read_back_in_order_without_views() -> None:
    model = model_of(_twins(), "host", "net")
    calls = emitted_calls(model.files["net.c"], "net")
    assert [call.layer for call in calls] == ["a", "swish", "b", "join_2", "join_2"]
    assert calls[1].function == "net_swish"
    assert calls[1].arguments[1] == "net_swish_table"


def test_arrays_are_read_back_with_their_bytes() -> None:
    model = model_of(_twins(), "host", "net")
    arrays = emitted_arrays(model.files["net.c"])
    assert arrays["net_swish_table"] == 256
    assert sum(arrays.values()) == model.constant_bytes


def test_a_text_that_is_no_model_has_no_calls() -> None:
    assert emitted_calls("int main(void)\n{\n}\n", "net") == ()
    assert emitted_arrays("") == {}


def test_functions_are_kept_apart() -> None:
    text = "static void net_a(int x)\n{\n}\n\nstatic void net_ab(int x)\n{\n}\n"
    apart = with_functions_apart(text, {"net_a"})
    assert apart.endswith("static MCUQ_APART void net_a(int x)\n{\n}\n\nstatic void net_ab(int x)\n{\n}\n")
    assert apart.startswith("#if defined(__clang__)\n#define MCUQ_APART __attribute__((noinline))\n")


def test_equal_constants_are_emitted_once_and_counted_once() -> None:
    graph = _twins()
    model = model_of(graph, "host", "net")
    text = model.files["net.c"]
    assert "net_a_weight[" in text
    assert "net_b_weight[" not in text
    calls = emitted_calls(text, "net")
    assert calls[2].arguments[1] == "net_a_weight"
    everything = sum(a.nbytes for s in lower(graph).steps for c in s.calls for a in c.arrays.values())
    assert model.constant_bytes < everything
    check_c(graph, "host")


def test_equal_bytes_of_another_type_stay_apart() -> None:
    zeros = GraphBuilder("zeros")
    x = zeros.input("x", (1, 4))
    weight, bias = zeros.constant(np.zeros((1, 4), np.float32)), zeros.constant(np.zeros(1, np.float32))
    zeros.outputs.append(zeros.add(FullyConnected(), [x, weight, bias], name="y"))
    text = model_of(with_ranges(zeros.graph()), "host", "net").files["net.c"]
    assert "static const int8_t net_y_weight[4]" in text
    assert "static const int32_t net_y_bias[1]" in text
