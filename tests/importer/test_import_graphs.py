"""What the importer makes of whole models: names, outputs, order, functions, symbols, external weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, imported, ints, model, node, random, refusal, saved

from mcuq.errors import ModelError
from mcuq.importer import import_model

X = {"x": [1, 3, 6, 6]}


def conv_relu(prefix: str = "") -> list[onnx.NodeProto]:
    return [node("Conv", ["x", f"{prefix}w"], f"{prefix}c"), node("Relu", [f"{prefix}c"], f"{prefix}y")]


def test_a_tensor_may_be_two_outputs():
    nodes = [node("Relu", ["x"], "t"), node("Identity", ["t"], "a"), node("Identity", ["t"], "b")]
    for outputs in (["a", "b"], ["b", "a"], ["a", "t"], ["t", "a"], ["b", "t", "a"]):
        check_import(model(nodes, X, outputs))


def test_a_tensor_that_is_an_output_may_be_read_on():
    nodes = [node("Conv", ["x", "w"], "c"), node("Relu", ["c"], "r"), node("Identity", ["r"], "i")]
    nodes += [node("Sigmoid", ["i"], "s"), node("MaxPool", ["c"], "m", kernel_shape=[2, 2])]
    for outputs in (["c", "s"], ["s", "c", "r"], ["i", "s"], ["r", "i", "s", "m"], ["m", "c"]):
        check_import(model(nodes, X, outputs, {"w": random(4, 3, 3, 3)}))


def test_two_inputs_and_two_outputs_keep_their_order():
    nodes = [node("Concat", ["b", "a"], "j", axis=1), node("Relu", ["j"], "z"), node("Tanh", ["a"], "q")]
    for inputs in ({"a": [1, 2], "b": [1, 3]}, {"b": [1, 3], "a": [1, 2]}):
        for outputs in (["z", "q"], ["q", "z"]):
            check_import(model(nodes, inputs, outputs))


def test_an_input_that_nothing_reads_stays():
    graph = imported(model([node("Relu", ["x"], "y")], {"unused": [1, 2], "x": [1, 3]}))
    assert graph.inputs == ("unused", "x")


def test_an_output_that_is_an_input_too_is_refused():
    proto = model([node("Relu", ["x"], "y")], X, ["y", "x"])
    assert refusal(proto) == "net.onnx: output 'x' is an input too; leave it out, or copy it with Identity"


def test_an_output_listed_twice_is_refused():
    proto = model([node("Relu", ["x"], "y")], X)
    proto.graph.output.append(proto.graph.output[0])
    assert refusal(proto) == "net.onnx: output 'y' is listed twice; leave one out, or copy it with Identity"


def test_nodes_that_no_output_needs_are_ignored():
    unused = [node("NonMaxSuppression", ["c", "c"], "boxes"), node("Custom", ["x"], "z", domain="mine")]
    graph = check_import_ignoring(unused)
    assert [type(n.op).__name__ for n in graph.nodes] == ["Transpose", "Conv2d", "Transpose", "Clip"]


def check_import_ignoring(unused: list[onnx.NodeProto]):
    """Import with unused nodes gives what the model without them gives; ONNX Runtime cannot load the former."""
    constants = {"w": random(4, 3, 3, 3)}
    graph = imported(model([*unused, *conv_relu()], X, constants=constants))
    return check_import(model(conv_relu(), X, constants=constants), graph=graph)


def test_nodes_may_come_in_any_order():
    constants = {"w": random(4, 3, 3, 3)}
    graph = imported(model(conv_relu()[::-1], X, constants=constants))
    check_import(model(conv_relu(), X, constants=constants), graph=graph)


def test_names_may_hold_anything():
    names = ["/features/0;conv:0", "a b", "12", "é\n", "y/" * 50, "mcuq", "conv2d", "transpose"]
    nodes = [node("Conv", ["in put:0", "w/é"], names[0], "the conv; fused")]
    nodes += [node("Relu", [a], b, f"{a} ") for a, b in pairwise(names)]
    graph = check_import(model(nodes, {"in put:0": [1, 3, 6, 6]}, [names[-1]], {"w/é": random(4, 3, 3, 3)}))
    assert graph.nodes[1].name == "the conv; fused"


def test_names_of_tensors_never_clash_with_those_the_importer_makes():
    nodes = [
        node("Conv", ["transpose", "conv2d"], "reshape"),
        node("Reshape", ["reshape", "transpose_2"], "conv2d_2"),
        node("Gemm", ["conv2d_2", "fully_connected"], "transpose_3"),
        node("Softmax", ["transpose_3"], "fullyconnected", axis=0),
    ]
    constants = {"conv2d": random(2, 3, 6, 6), "transpose_2": ints(1, -1), "fully_connected": random(2, 5)}
    check_import(model(nodes, {"transpose": [1, 3, 6, 6]}, ["fullyconnected"], constants))


def test_a_node_without_a_name_is_called_by_its_output():
    graph = imported(model([node("Sigmoid", ["x"], "the output")], X, ["the output"]))
    assert graph.nodes[0].name == "the output"


def test_initializers_may_be_listed_as_inputs():
    proto = model(conv_relu(), X | {"w": [4, 3, 3, 3]}, constants={"w": random(4, 3, 3, 3)}, opset=8, ir_version=3)
    graph = check_import(proto)
    assert graph.inputs == ("x",)


def test_local_functions_are_inlined():
    block = helper.make_function(
        "mine",
        "Block",
        ["a", "k"],
        ["b"],
        [
            node("Conv", ["a", "k"], "c"),
            helper.make_node("Activation", ["c"], ["b"], domain="mine"),
        ],
        [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
    )
    activation = helper.make_function(
        "mine", "Activation", ["a"], ["b"], [node("LeakyRelu", ["a"], "b")], [helper.make_opsetid("", 17)]
    )
    nodes = [
        node("Block", ["x", "w"], "m", "first", domain="mine"),
        node("Block", ["m", "v"], "y", "second", domain="mine"),
    ]
    proto = model(
        nodes,
        X,
        constants={"w": random(4, 3, 2, 2), "v": random(3, 4, 2, 2)},
        functions=[block, activation],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
    )
    graph = check_import(proto)
    assert [type(n.op).__name__ for n in graph.nodes].count("Conv2d") == 2


def test_local_functions_that_cannot_be_inlined_are_refused():
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]

    def calling(inner: onnx.NodeProto, arguments: list[str]) -> onnx.ModelProto:
        function = helper.make_function("mine", "F", ["a"], ["b"], [inner], imports)
        return model([node("F", arguments, "y", domain="mine")], X, functions=[function], opset_imports=imports)

    assert refusal(calling(node("F", ["a"], "b", domain="mine"), ["x"])) == (
        "net.onnx: its local functions are invalid: Cycle detected in model-local function references: "
        "mine::F -> mine::F. Model-local functions must not be recursive; export it again, without "
        "them"
    )
    assert refusal(calling(node("Relu", ["a"], "b"), ["x", "x"])) == (
        "net.onnx: its local functions are invalid: Number of actual parameters cannot exceed number of formal "
        "parameters; export it again, without them"
    )


def test_operators_of_the_default_set_may_name_it():
    nodes = [node("Relu", ["x"], "y", domain="ai.onnx")]
    for domains in (["ai.onnx"], ["", "ai.onnx"]):
        imports = [helper.make_opsetid(domain, 17) for domain in domains]
        assert imported(model(nodes, X, opset_imports=imports)).outputs == ("y",)


def external(folder, constants=None, location: str = "weights.bin"):
    """net.onnx with all weights in another file; returns its path and the model with its weights inside."""
    proto = model(conv_relu(), X, constants=constants or {"w": random(4, 3, 3, 3)})
    inside = onnx.ModelProto()
    inside.CopyFrom(proto)
    onnx.save_model(
        proto,
        folder / "net.onnx",
        save_as_external_data=True,
        location=location,
        size_threshold=0,
        convert_attribute=True,
    )
    return folder / "net.onnx", inside


def test_external_weights_are_read_from_the_models_folder(tmp_path, monkeypatch):
    path, inside = external(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    graph, whole = import_model(path)
    check_import(inside, graph=graph)
    assert not any(t.external_data for t in whole.graph.initializer)


def test_external_weights_cut_short_are_refused(tmp_path):
    path, _ = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes((tmp_path / "weights.bin").read_bytes()[:40])
    with pytest.raises(ModelError) as caught:
        import_model(path)
    assert str(caught.value) == (
        "net.onnx: external weights 'weights.bin' are missing or unreadable; keep them in the model's folder"
    )


def test_a_symbolic_batch_is_one_and_other_symbols_are_told():
    nodes = [node("Conv", ["x", "w"], "c"), node("GlobalAveragePool", ["c"], "y")]
    inputs = {"x": ["N", 3, "height", "width"]}
    proto = model(nodes, inputs, constants={"w": random(4, 3, 3, 3)})
    graph = check_import(proto, {"height": 7, "width": 5})
    assert graph.tensors["x"].shape == (1, 3, 7, 5)
    graph = check_import(proto, {"height": 7, "width": 5, "N": 2})
    assert graph.tensors["x"].shape == (2, 3, 7, 5)


def test_an_unknown_or_zero_batch_is_one():
    for batch in (None, 0, -1):
        proto = model([node("Relu", ["x"], "y")], {"x": [batch, 4]})
        assert imported(proto).tensors["x"].shape == (1, 4)


def test_stated_output_shapes_may_be_symbolic():
    proto = model([node("Relu", ["x"], "y")], {"x": ["batch", 4]})
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4]))
    check_import(proto)


def test_the_model_returned_runs_with_the_shapes_given(tmp_path):
    path = saved(model([node("Relu", ["x"], "y")], {"x": ["batch", "length"]}), tmp_path)
    _, fixed = import_model(path, {"length": 3})
    assert [d.dim_value for d in fixed.graph.input[0].type.tensor_type.shape.dim] == [1, 3]


def with_sparse_weight(indices, values, shape=(4, 3, 3, 3)):
    proto = model(conv_relu(), X, constants={})
    own = numpy_helper.from_array(np.array(values, np.float32), "w")
    places = numpy_helper.from_array(np.array(indices, np.int64), "w_indices")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(own, places, list(shape)))
    return proto


@pytest.mark.parametrize("indices", [[[0, 1, 2, 0], [3, 2, 1, 1]], [15, 103]], ids=["tuples", "numbers"])
def test_sparse_weights_are_read_as_dense_ones(indices):
    dense = np.zeros((4, 3, 3, 3), np.float32)
    dense[0, 1, 2, 0], dense[3, 2, 1, 1] = 1.5, -2
    graph = imported(with_sparse_weight(indices, [1.5, -2]))
    (weight,) = (t.data for t in graph.tensors.values() if t.is_constant and t.shape == (4, 3, 3, 3))
    assert np.array_equal(weight, dense.transpose(0, 2, 3, 1))


def test_sparse_weights_that_are_damaged_are_refused():
    damaged = "net.onnx: weight 'w': is damaged: its indices do not fit shape [4, 3, 3, 3]; export the model again"
    assert refusal(with_sparse_weight([[0, 1, 3, 0]], [1])) == damaged
    assert refusal(with_sparse_weight([108], [1])) == damaged
    assert refusal(with_sparse_weight([1, 2], [1])) == damaged
    assert refusal(with_sparse_weight([1], [1], (2**20, 2**20))) == (
        "net.onnx: weight 'w': is sparse, of 1,099,511,627,776 elements; supported are 67,108,864"
    )


def test_a_model_of_a_thousand_layers_is_read():
    names = ["x", *(f"t{i}" for i in range(1, 1000)), "y"]
    nodes = [node("Relu", [a], b) for a, b in pairwise(names)]
    graph = imported(model(nodes, {"x": [1, 2]}))
    assert len(graph.nodes) == 1000


def test_weights_are_damaged_where_their_data_do_not_fill_their_shape():
    proto = model(conv_relu(), X, constants={"w": random(4, 3, 3, 3)})
    proto.graph.initializer[0].dims[0] = 5
    assert refusal(proto) == (
        "weight 'w': is damaged: its data do not make float of shape [5, 3, 3, 3]; export the model again"
    )
    proto.graph.initializer[0].data_type = 77
    assert refusal(proto) == (
        "weight 'w': is damaged: its data do not make data type 77 of shape [5, 3, 3, 3]; export the model again"
    )


def test_importing_leaves_the_graph_in_float32():
    nodes = [node("Cast", ["stored"], "w", to=TensorProto.FLOAT), *conv_relu()]
    graph = imported(model(nodes, X, constants={"stored": random(4, 3, 3, 3).astype(np.float64)}))
    assert {t.dtype for t in graph.tensors.values()} == {"float32"}


def test_what_has_as_many_rows_as_the_data_says_is_computed_of_constants_alone():
    boxes = np.float32([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 10, 1, 11]]])
    constants = {"c": np.float32([[1, 0, 2], [0, 0, 3]]), "u": np.float32([3, 1, 3, 2]), "b": boxes}
    constants |= {"s": np.float32([[[0.9, 0.75, 0.6]]]), "most": np.array([3]), "overlap": np.float32([0.5])}
    nodes = [
        node("NonZero", ["c"], "places"),
        node("Transpose", ["places"], "pairs", perm=[1, 0]),
        node("GatherND", ["x", "pairs"], "y"),
        node("Unique", ["u"], "different"),
        node("Add", ["x", "different"], "z"),
        node("NonMaxSuppression", ["b", "s", "most", "overlap"], "kept"),
        node("Cast", ["kept"], "numbers", to=TensorProto.FLOAT),
        node("ReduceMax", ["numbers"], "last", keepdims=1),
        node("Add", ["x", "last"], "w"),
    ]
    check_import(model(nodes, {"x": (2, 3)}, ["y", "z", "w"], constants=constants))


@pytest.mark.parametrize(
    ("nodes", "instead"),
    [
        ([node("NonMaxSuppression", ["x", "x"], "y", "n")], "--outputs to end before it, at boxes and scores"),
        ([node("NonZero", ["x"], "y", "n")], "Mul by a mask, which keeps the shape, or --outputs to end before it"),
        (
            [node("Unique", ["x"], "y", "n")],
            "inputs that are told apart before the network, or --outputs to end before it",
        ),
    ],
)
def test_what_has_as_many_rows_as_the_data_says_is_refused(nodes: list[onnx.NodeProto], instead: str) -> None:
    text = refusal(model(nodes, {"x": (1, 3, 4)}))
    assert text.startswith(
        f"net.onnx: operators that are not supported: {nodes[0].op_type} ('n'), use {instead}, as the data says how "
        "many it gives, and the C has fixed sizes; supported: Abs, "
    )
