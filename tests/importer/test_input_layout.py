"""Images given with their channels last: the values are those of the file's own order, and no layer turns them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, original_outputs, random

import mcuq
from mcuq.errors import ModelError
from mcuq.importer import import_model, read_model, selection
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize

LAST = selection(None, None, layout="nhwc")
LAST_ALREADY = "model: --input-layout nhwc: input 'x' has its channels last in the file; leave it out"
CONSTANTS = {"s": np.float32(0.1), "z": np.int8(3), "k": random(2, 1, 2, 2), "first": np.array([-1, 1, 4, 5])}
WEIGHTS = {"w": random(4, 3, 3, 3), "v": random(2, 4, 3, 3)}


def network(image: tuple[int | str, ...] = (1, 3, 8, 9)) -> onnx.ModelProto:
    """Two convolutions of an image."""
    nodes = [node("Conv", ["x", "w"], "c", pads=[1, 1, 1, 1]), node("Relu", ["c"], "r"), node("Conv", ["r", "v"], "a")]
    return model([*nodes, node("GlobalAveragePool", ["a"], "y")], {"x": list(image)}, ("y",), WEIGHTS)


def test_no_layer_turns_the_image_and_the_outputs_are_the_files() -> None:
    proto = network()
    x = np.random.default_rng(0).normal(0, 1, (40, 3, 8, 9)).astype(np.float32)
    given = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    own = mcuq.compile(proto, "host", x, judged=False)
    last = mcuq.compile(proto, "host", given, judged=False, input_layout="nhwc")
    assert own.graph.tensors["x"].shape == (1, 3, 8, 9)
    assert last.graph.tensors["x"].shape == (1, 8, 9, 3)
    assert any(isinstance(n.op, Transpose) for n in own.graph.nodes)
    assert not any(isinstance(n.op, Transpose) for n in last.graph.nodes)
    assert last.arena_bytes < own.arena_bytes
    got = mcuq.simulate(last, given).outputs["y"]
    assert np.array_equal(got, mcuq.simulate(own, x).outputs["y"])
    wanted = np.stack([original_outputs(proto, {"x": sample[None]})["y"] for sample in x])
    assert ((got.reshape(wanted.shape) - wanted) ** 2).sum() < 1e-3 * (wanted**2).sum()
    assert mcuq.run(last, given[:4]).report.bit_exact
    assert "images given with channels last" in last.files["model.c"]


def test_sizes_are_given_in_the_files_order() -> None:
    graph, _ = import_model(network((1, 3, "h", "w")), {"h": 6, "w": 5}, LAST)
    assert graph.tensors["x"].shape == (1, 6, 5, 3)
    graph, _ = import_model(network((1, 3, "h", "w")), {"x": (1, 3, 6, 5)}, LAST)
    assert graph.tensors["x"].shape == (1, 6, 5, 3)


def test_other_inputs_stay_and_branches_read_the_image_too() -> None:
    then = helper.make_graph([node("Mul", ["x", "k"], "t")], "then", [], [onnx.ValueInfoProto(name="t")])
    other = helper.make_graph([node("Add", ["x", "k"], "e")], "else", [], [onnx.ValueInfoProto(name="e")])
    chosen = helper.make_node("If", ["c"], ["y"], "if", then_branch=then, else_branch=other)
    proto = model([chosen], {"x": [1, 3, 4, 5], "k": [1]}, ("y",), {})
    proto.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    graph, turned = import_model(proto, None, LAST)
    assert {name: graph.tensors[name].shape for name in graph.inputs} == {"x": (1, 4, 5, 3), "k": (1,)}
    x, k = random(1, 3, 4, 5), random(1)
    got = original_outputs(turned, {"x": np.moveaxis(x, 1, -1), "k": k})["y"]
    np.testing.assert_array_equal(got, original_outputs(proto, {"x": x, "k": k})["y"])


def test_a_branch_that_gives_out_the_image_gives_it_in_the_files_order() -> None:
    then = helper.make_graph([], "then", [], [onnx.ValueInfoProto(name="x")])
    other = helper.make_graph([node("Relu", ["x"], "e")], "else", [], [onnx.ValueInfoProto(name="e")])
    chosen = helper.make_node("If", ["c"], ["y"], "if", then_branch=then, else_branch=other)
    proto = model([chosen], {"x": [1, 3, 4, 5]}, ("y",), {})
    proto.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    turned = read_model(proto, None, LAST)
    assert [n.op_type for n in turned.graph.node] == ["Transpose", "If"]
    (kept,) = (a.g for a in turned.graph.node[1].attribute if a.name == "then_branch")
    assert [value.name for value in kept.output] == list(turned.graph.node[0].output) == ["x.channels_first"]


def test_states_stay_as_the_outputs_that_come_back_in_them() -> None:
    proto = model(
        [node("Add", ["x", "h"], "g"), node("Relu", ["g"], "y")], {n: [1, 2, 3, 4] for n in "xh"}, ("y", "g"), {}
    )
    graph, _ = import_model(proto, None, selection(None, None, {"h": "g"}, layout="nhwc"))
    assert {name: graph.tensors[name].shape for name in graph.inputs} == {"x": (1, 3, 4, 2), "h": (1, 2, 3, 4)}
    assert graph.tensors["g"].shape == (1, 2, 3, 4)


def test_a_name_that_is_taken_is_left_alone() -> None:
    nodes = [node("Relu", ["x"], "x.channels_first"), node("Neg", ["x.channels_first"], "y")]
    turned = read_model(model(nodes, {"x": [1, 2, 3, 4]}, ("y",), {}), None, LAST)
    x = random(1, 3, 4, 2)
    got = original_outputs(turned, {"x": x})["y"]
    np.testing.assert_array_equal(got, -np.maximum(np.moveaxis(x, -1, 1), 0))


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        (
            [node("Relu", ["x"], "y")],
            [1, 3, 4],
            "model: --input-layout nhwc: no input has four dimensions, as images have; leave it out",
        ),
        (
            [node("Transpose", ["x"], "t", perm=[0, 3, 1, 2]), node("Relu", ["t"], "y")],
            [1, 4, 5, 3],
            LAST_ALREADY,
        ),
        (
            [
                node("QuantizeLinear", ["x", "s", "z"], "q"),
                node("DequantizeLinear", ["q", "s", "z"], "d"),
                node("Transpose", ["d"], "t", perm=[0, 3, 1, 2]),
                node("Relu", ["t"], "y"),
            ],
            [1, 4, 5, 3],
            LAST_ALREADY,
        ),
        ([node("Reshape", ["x", "first"], "t"), node("Conv", ["t", "k"], "y")], [1, 4, 5, 1], LAST_ALREADY),
    ],
)
def test_what_has_no_channels_first_is_refused(nodes: list[onnx.NodeProto], shape: list[int], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        import_model(model(nodes, {"x": shape}, ("y",), CONSTANTS), None, LAST)
    assert str(caught.value) == said


def test_a_layout_of_no_name_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        mcuq.compile(network(), "host", input_layout="nchw")  # type: ignore[arg-type]
    assert str(caught.value) == "input_layout: 'nchw' is none; there are 'model', 'nhwc'"


def test_a_transpose_of_the_files_own_is_one_with_that_of_the_option() -> None:
    nodes = [node("Transpose", ["x"], "t", perm=[0, 2, 3, 1]), node("Relu", ["t"], "y")]
    graph, _ = import_model(model(nodes, {"x": [1, 2, 3, 4]}, ("y",), {}), None, LAST)
    assert not any(isinstance(n.op, Transpose) for n in optimize(graph).nodes)
