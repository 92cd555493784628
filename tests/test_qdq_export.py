"""The quantized graph as QDQ ONNX: ONNX Runtime computes the simulator's integers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from golden.graphs import digits
from passes.networks import random_network
from support import random_inputs, with_ranges

from mcuq.artifact import save_qdq
from mcuq.compile import CompiledModel, compile_model
from mcuq.errors import ArtifactError
from mcuq.ir import Graph
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.softmax import Softmax
from mcuq.passes import optimize
from mcuq.qdq_export import export_qdq, quantized_name
from mcuq.resources import resource_dir
from mcuq.simulate import dequantize_outputs, run_layers, simulate
from mcuq.tensor import Array

SEEDS = range(24)
SAMPLES = 6


def runtime_integers(graph: Graph, sample: dict[str, Array]) -> dict[str, Array]:
    """What ONNX Runtime, not optimizing, has between QuantizeLinear and DequantizeLinear, by the graph's names."""
    model = export_qdq(graph)
    wanted = {quantized_name(name): name for name in graph.tensors if not graph.tensors[name].is_constant}
    names = [o for node in model.graph.node for o in node.output if o in wanted]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    found = {}
    for name, value in zip(names, session.run(names, sample), strict=True):
        tensor = graph.tensors[wanted[name]]
        # Between two operators over images a tensor has its channels first.
        found[tensor.name] = value if value.shape == tensor.shape else value.transpose(0, 2, 3, 1)
        assert found[tensor.name].shape == tensor.shape
    return found


def compare_layers(graph: Graph, sample: dict[str, Array]) -> tuple[int, int]:
    """(elements, those that differ) of all layers, each given ONNX Runtime's own inputs; at most 1 step apart."""
    theirs = runtime_integers(graph, sample)
    elements = different = 0
    for layer in graph.layers():
        inputs = [t.values if t.is_constant else theirs[t.name][None] for t in layer.inputs]
        steps = np.abs(layer.op.simulate(layer, inputs)[0].astype(int) - theirs[layer.output.name].astype(int))
        assert steps.max() <= 1, layer.where
        if not isinstance(layer.op, Softmax | LogSoftmax):
            elements += steps.size
            different += int(np.count_nonzero(steps))
    return elements, different


def real_samples(graph: Graph, seed: int) -> list[dict[str, Array]]:
    """Real inputs of the graph that are exactly its integers."""
    integers = random_inputs(graph, SAMPLES, seed)
    return [{name: graph.tensors[name].decode(x[i]) for name, x in integers.items()} for i in range(SAMPLES)]


def test_each_layer_is_within_one_step_of_onnx_runtime_and_nearly_always_equal() -> None:
    elements = different = 0
    for seed in SEEDS:
        graph = with_ranges(optimize(random_network(seed)), seed)
        for sample in real_samples(graph, seed):
            n, wrong = compare_layers(graph, sample)
            elements, different = elements + n, different + wrong
    assert elements > 20_000
    assert different <= elements / 1000


def test_names_shapes_and_types_of_inputs_and_outputs_are_the_models() -> None:
    graph = digits()
    model = export_qdq(graph)
    assert [v.name for v in model.graph.input] == list(graph.inputs)
    assert [v.name for v in model.graph.output] == list(graph.outputs)
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        assert shape == graph.tensors[value.name].shape


def test_layers_over_images_stand_next_to_each_other_without_transposes() -> None:
    count = Counter(node.op_type for node in export_qdq(digits()).graph.node)
    assert count["Conv"] >= 2
    assert count["Transpose"] <= 2, "where images come in, and where they become a row"


def test_weights_are_int8_behind_dequantize_linear_with_a_scale_for_each_channel() -> None:
    graph = digits()
    model = export_qdq(graph)
    initializers = {t.name: t for t in model.graph.initializer}
    producers = {node.output[0]: node for node in model.graph.node}
    for conv in (node for node in model.graph.node if node.op_type == "Conv"):
        weight = producers[conv.input[1]]
        assert weight.op_type == "DequantizeLinear"
        data, scale, zero_point = (onnx.numpy_helper.to_array(initializers[name]) for name in weight.input)
        assert data.dtype == zero_point.dtype == np.int8
        assert scale.shape == (data.shape[0],)
        assert not zero_point.any()
        assert onnx.numpy_helper.to_array(initializers[producers[conv.input[2]].input[0]]).dtype == np.int32


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    folder = resource_dir("examples") / "digits"
    return compile_model(folder / "digits.onnx", "cortex-m4", folder / "digits_calibration.npz")


def test_the_saved_file_gives_the_simulators_outputs(model: CompiledModel, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = save_qdq(model, tmp_path / "new")
    assert path.name == "digits_qdq.onnx"
    session = onnxruntime.InferenceSession(path)
    graph = model.graph
    inputs = random_inputs(graph, 20)
    want = dequantize_outputs(graph, simulate(graph, inputs))
    for i in range(20):
        got = session.run(None, {name: graph.tensors[name].decode(x[i]) for name, x in inputs.items()})
        for name, value in zip(graph.outputs, got, strict=True):
            assert np.abs(value - want[name][i]).max() <= 1.001 * graph.tensors[name].scale
    assert save_qdq(model, tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_written_is_an_error(model: CompiledModel, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError) as caught:
        save_qdq(model, tmp_path / "file")
    assert str(caught.value).startswith(f"{tmp_path / 'file' / 'digits_qdq.onnx'}: cannot be written: ")
    assert str(caught.value).endswith("; choose another folder with -o")


def test_layers_of_a_graph_keep_all_names(model: CompiledModel) -> None:
    names = {o for node in export_qdq(model.graph).graph.node for o in node.output}
    values = run_layers(model.graph, random_inputs(model.graph, 1), keep_all=True)
    assert {quantized_name(name) for name in values} <= names
