import re
from dataclasses import replace

import numpy as np
import pytest

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node, verify
from mcuq.graph.tensor import Tensor
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Chain
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import scaled_tensors


def two_branches() -> Graph:
    """conv -> (sigmoid, conv again) -> add, with a second output."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4, 4, 2))
    weight = builder.constant(np.ones((2, 1, 1, 2), np.float32), "w")
    bias = builder.constant(np.zeros(2, np.float32), "b")
    a = builder.add(Conv2d(Window((1, 1))), [x, weight, bias], "a", "conv")
    s = builder.add(Sigmoid(), [a], "s")
    c = builder.add(Add(minimum=0.0), [a, s], "c", "sum")
    builder.outputs += [c, s]
    return builder.graph()


def test_text_has_a_line_for_each_input_node_and_output() -> None:
    assert two_branches().text() == (
        "input x: float32[1,4,4,2]\n"
        "a: float32[1,4,4,2] = Conv2d(x, w:float32[2,1,1,2], b:float32[2]) "
        "window=Window(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), ceil_mode=False)\n"
        "s: float32[1,4,4,2] = Sigmoid(a)\n"
        "c: float32[1,4,4,2] = Add(a, s) minimum=0.0\n"
        "output c\n"
        "output s\n"
    )


def test_text_of_an_integer_graph_shows_scale_and_zero_point() -> None:
    graph = two_branches()
    ranges = {"x": (-1.0, 1.55), "a": (0.0, 2.55), "s": (0.0, 1.0), "c": (-2.55, 0.0)}
    assert quantize_graph(graph, ranges).text() == (
        "input x: int8[1,4,4,2] 0.01*(q+28)\n"
        "a: int8[1,4,4,2] 0.01*(q+128) = Conv2d(x, w:int8[2,1,1,2], b:int32[2]) "
        "window=Window(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), ceil_mode=False)\n"
        "s: int8[1,4,4,2] 0.00392157*(q+128) = Sigmoid(a)\n"
        "c: int8[1,4,4,2] 0.00784314*(q+0) = Add(a, s) minimum=0.0\n"
        "output c\n"
        "output s\n"
    )


def test_text_leaves_out_attributes_that_have_their_defaults() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (2, 3))
    builder.outputs.append(builder.add(Chain((Sigmoid(), Tanh())), [builder.add(Reshape((3, 2)), [x], "r")], "y"))
    assert builder.graph().text() == (
        "input x: float32[2,3]\n"
        "r: float32[3,2] = Reshape(x) shape=3,2\n"
        "y: float32[3,2] = Chain(r) functions=Sigmoid(),Tanh()\n"
        "output y\n"
    )


def test_consumers_name_each_reader_once() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (2,))
    doubled = builder.add(Add(), [x, x], "doubled")
    builder.outputs.append(builder.add(Sigmoid(), [doubled], "y"))
    graph = builder.graph()
    assert {name: [n.name for n in nodes] for name, nodes in graph.consumers().items()} == {
        "x": ["doubled"],
        "doubled": ["y"],
    }


def test_producers_are_nodes_not_inputs_or_constants() -> None:
    assert {name: node.name for name, node in two_branches().producers().items()} == {
        "a": "conv",
        "s": "s",
        "c": "sum",
    }


def test_macs_are_those_of_all_layers() -> None:
    assert two_branches().macs() == 16 * 2 * 2


def test_a_graph_is_integer_once_it_is_quantized() -> None:
    graph = two_branches()
    assert not graph.is_integer
    assert quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-1.0, 1.0))).is_integer


def test_the_tensors_of_a_graph_cannot_be_changed() -> None:
    given = dict(two_branches().tensors)
    graph = Graph("net", (), given, ("x",), ("x",))
    given.clear()
    assert "x" in graph.tensors
    with pytest.raises(TypeError):
        graph.tensors["x"] = Tensor("x", ())  # type: ignore[index]


def test_a_whole_graph_is_returned_as_it_is() -> None:
    graph = two_branches()
    assert verify(graph) is graph


def broken(graph: Graph, **tensors: Tensor) -> Graph:
    return replace(graph, tensors={**graph.tensors, **tensors})


def renamed(node: Node, **changes: object) -> Node:
    return replace(node, **changes)  # type: ignore[arg-type]


GRAPH = two_branches()
CONV, SIGMOID, SUM = GRAPH.nodes


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (broken(GRAPH, x=Tensor("y", (1, 4, 4, 2))), "tensor 'x': inconsistent entry y: float32"),
        (broken(GRAPH, x=Tensor("x", (1, 4, 4, 2), "int64")), "tensor 'x': inconsistent entry x: int64"),
        (
            broken(GRAPH, b=Tensor("b", (2,), "float32", np.zeros(3, np.float32))),
            "tensor 'b': data is float32[3], stated is float32[2]",
        ),
        (
            broken(GRAPH, b=Tensor("b", (2,), "float32", np.zeros(2, np.int32))),
            "tensor 'b': data is int32[2], stated is float32[2]",
        ),
        (replace(GRAPH, nodes=(SIGMOID, CONV, SUM)), "Sigmoid 's': input 'a' is used before it is computed"),
        (replace(GRAPH, nodes=(CONV, SUM, SIGMOID)), "Add 'sum': input 's' is used before it is computed"),
        (
            replace(GRAPH, nodes=(*GRAPH.nodes, renamed(SIGMOID, name="again"))),
            "Sigmoid 'again': output 's' is computed twice",
        ),
        (
            replace(GRAPH, nodes=(CONV, renamed(SIGMOID, output="x"), SUM)),
            "Sigmoid 's': output 'x' is computed twice",
        ),
        (
            broken(GRAPH, s=Tensor("s", (1, 4, 4, 1))),
            "Sigmoid 's': output 's' has shape [1, 4, 4, 1], its inputs give [1, 4, 4, 2]",
        ),
        (replace(GRAPH, nodes=(CONV, SIGMOID)), "graph 'net': output 'c' is never computed"),
        (replace(GRAPH, outputs=("nowhere",)), "graph 'net': tensor 'nowhere' has no entry"),
        (replace(GRAPH, inputs=("nowhere",)), "graph 'net': tensor 'nowhere' has no entry"),
        (
            replace(GRAPH, nodes=(CONV, renamed(SIGMOID, inputs=("nowhere",)), SUM)),
            "graph 'net': tensor 'nowhere' has no entry",
        ),
    ],
)
def test_verify_names_what_is_wrong(graph: Graph, message: str) -> None:
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        verify(graph)


def test_verify_passes_on_what_an_operator_says_of_its_inputs() -> None:
    graph = replace(GRAPH, nodes=(CONV, SIGMOID, Node("join", Concat(3), ("a", "b"), "c")))
    with pytest.raises(ModelError, match=r"^shapes \[\[1, 4, 4, 2\], \[2\]\] do not join along axis 3$"):
        verify(graph)
