import re
from dataclasses import replace

import numpy as np
import pytest

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.add import Add
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh


def chain() -> GraphBuilder:
    """x -> a -> b -> c, which is the output; the nodes are called after their outputs."""
    builder = GraphBuilder("net")
    name = builder.input("x", (2, 3))
    for output in "abc":
        name = builder.add(Sigmoid(), [name], output)
    builder.outputs.append(name)
    return builder


def test_a_graph_is_built_node_by_node() -> None:
    assert chain().graph().text() == (
        "input x: float32[2,3]\n"
        "a: float32[2,3] = Sigmoid(x)\n"
        "b: float32[2,3] = Sigmoid(a)\n"
        "c: float32[2,3] = Sigmoid(b)\n"
        "output c\n"
    )


def test_a_builder_of_a_graph_gives_the_same_graph() -> None:
    graph = chain().graph()
    again = GraphBuilder(graph).graph()
    assert again.text() == graph.text()
    assert again.name == "net"
    assert again.nodes == graph.nodes


def test_nodes_are_ordered_however_they_were_added() -> None:
    builder = chain()
    builder.nodes = {name: builder.nodes[name] for name in "cab"}
    assert [node.output for node in builder.graph().nodes] == ["a", "b", "c"]


def test_what_no_output_needs_is_dropped_but_inputs_stay() -> None:
    builder = chain()
    builder.input("unread", (1,))
    builder.constant(np.zeros(3, np.float32), "unused")
    builder.add(Tanh(), ["a"], "dead")
    graph = builder.graph()
    assert [node.output for node in graph.nodes] == ["a", "b", "c"]
    assert list(graph.tensors) == ["x", "a", "b", "c", "unread"]
    assert graph.inputs == ("x", "unread")


def test_a_cycle_is_an_error_that_names_a_node_of_it() -> None:
    builder = chain()
    builder.redirect("x", "b")
    with pytest.raises(ModelError, match=r"^graph 'net': node 'a' is part of a cycle$"):
        builder.graph()


def test_a_node_that_reads_its_own_output_is_a_cycle() -> None:
    builder = chain()
    builder.redirect("b", "c")
    with pytest.raises(ModelError, match=r"^graph 'net': node 'c' is part of a cycle$"):
        builder.graph()


def test_a_tensor_read_along_two_paths_is_no_cycle() -> None:
    builder = chain()
    builder.outputs.append(builder.add(Add(), ["a", "c"], "sum"))
    assert [node.output for node in builder.graph().nodes] == ["a", "b", "c", "sum"]


def test_a_network_deeper_than_pythons_stack_is_ordered() -> None:
    builder = GraphBuilder("deep")
    name = builder.input("x", (1,))
    for _ in range(3000):
        name = builder.add(Sigmoid(), [name])
    builder.outputs.append(name)
    assert len(builder.graph().nodes) == 3000


def test_a_fresh_name_is_the_stem_or_the_stem_numbered() -> None:
    builder = chain()
    assert [builder.fresh("y"), builder.fresh("a")] == ["y", "a_2"]
    builder.add(Sigmoid(), ["x"], "a_2")
    assert builder.fresh("a") == "a_3"


def test_a_reserved_name_is_kept_for_the_tensor_that_is_to_come() -> None:
    builder = chain()
    builder.reserve(["tanh", "tanh_2"])
    assert builder.add(Tanh(), ["x"]) == "tanh_3"
    assert builder.add(Tanh(), ["x"], "tanh") == "tanh"


def test_constants_get_fresh_names_and_lie_densely() -> None:
    builder = GraphBuilder("net")
    data = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert [builder.constant(data, "w"), builder.constant(data, "w"), builder.constant(data)] == [
        "w",
        "w_2",
        "constant",
    ]
    assert builder.tensors["w"].values.flags.c_contiguous
    assert builder.tensors["w"].values.tolist() == data.tolist()


def test_a_scalar_constant_keeps_its_shape() -> None:
    builder = GraphBuilder("net")
    assert builder.tensors[builder.constant(np.array(1.5, np.float32))].shape == ()


def test_an_infer_error_has_operator_and_node_in_front() -> None:
    with pytest.raises(ModelError, match=re.escape("Reshape 'flat': [2, 3] does not reshape to [7]") + "$"):
        chain().add(Reshape((7,)), ["c"], name="flat")


def test_an_infer_error_names_the_output_where_the_node_has_no_name() -> None:
    with pytest.raises(ModelError, match=re.escape("Reshape 'y': [2, 3] does not reshape to [7]") + "$"):
        chain().add(Reshape((7,)), ["c"], "y")


def test_a_redirect_lets_all_readers_read_another_tensor() -> None:
    builder = chain()
    builder.outputs.append(builder.add(Add(), ["a", "a"], "sum"))
    builder.redirect("a", "x")
    assert builder.graph().text() == (
        "input x: float32[2,3]\n"
        "b: float32[2,3] = Sigmoid(x)\n"
        "c: float32[2,3] = Sigmoid(b)\n"
        "sum: float32[2,3] = Add(x, x)\n"
        "output c\n"
        "output sum\n"
    )


def test_a_renamed_tensor_keeps_its_node_readers_and_place_among_the_outputs() -> None:
    builder = chain()
    builder.outputs.append("a")
    builder.rename("c", "result")
    builder.rename("a", "first")
    graph = builder.graph()
    assert graph.text() == (
        "input x: float32[2,3]\n"
        "first: float32[2,3] = Sigmoid(x)\n"
        "b: float32[2,3] = Sigmoid(first)\n"
        "result: float32[2,3] = Sigmoid(b)\n"
        "output result\n"
        "output first\n"
    )
    assert [node.name for node in graph.nodes] == ["a", "b", "c"]


def test_a_removed_nodes_output_can_be_computed_by_another() -> None:
    builder = chain()
    builder.remove(builder.nodes["b"])
    builder.add(Tanh(), ["a"], "b")
    assert "b: float32[2,3] = Tanh(a)" in builder.graph().text()


def test_a_removed_node_that_is_still_read_is_an_error() -> None:
    builder = chain()
    builder.remove(builder.nodes["b"])
    with pytest.raises(ModelError, match=r"^Sigmoid 'c': input 'b' is used before it is computed$"):
        builder.graph()


def test_a_tensor_is_private_if_one_node_and_no_output_reads_it() -> None:
    builder = chain()
    assert builder.is_private("a")
    assert not builder.is_private("c")
    builder.add(Tanh(), ["a"], "t")
    assert not builder.is_private("a")
    assert not builder.is_private("t")


def test_producer_consumers_and_layer_see_the_graph_as_it_is_now() -> None:
    builder = chain()
    node = builder.producer("b")
    assert node is not None
    assert (node.name, builder.producer("x")) == ("b", None)
    assert [reader.name for reader in builder.consumers("b")] == ["c"]
    assert builder.layer(node).where == "Sigmoid 'b'"
    assert [t.name for t in builder.layer(node).inputs] == ["a"]


def test_building_leaves_the_source_graph_as_it_was() -> None:
    graph: Graph = chain().graph()
    before = graph.text()
    builder = GraphBuilder(graph)
    builder.rename("c", "d")
    builder.redirect("a", "x")
    builder.graph()
    assert graph.text() == before


def test_readers_are_known_however_nodes_change_and_stay_in_order() -> None:
    builder = chain()
    builder.add(Tanh(), ["a"], "d")
    builder.nodes["b"] = replace(builder.nodes["b"], inputs=("x",))
    assert [node.output for node in builder.consumers("x")] == ["a", "b"]
    assert [node.output for node in builder.consumers("a")] == ["d"]
    builder.redirect("x", "d")
    builder.remove(builder.nodes["a"])
    builder.rename("d", "e")
    assert [node.output for node in builder.consumers("e")] == ["b"]
    assert builder.consumers("x") == []
    assert [node.output for node in builder.consumers("a")] == ["e"]
