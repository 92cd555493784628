"""The quantized graph as QDQ ONNX: ONNX Runtime computes the simulator's integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from golden.graphs import digits
from onnx_models import unoptimized
from passes.networks import random_network
from selections import quick
from support import random_inputs, with_ranges

from mcuq.artifact import save_qdq
from mcuq.compile import CompiledModel, compile_model
from mcuq.emit.qdq_export import export_qdq, quantized_name
from mcuq.errors import ArtifactError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, run_layers, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops import OPS
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.extreme import Max
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.function import Function
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.identity import Identity
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mul import Mul
from mcuq.ops.regrid import Regrid
from mcuq.ops.rescale import Rescale
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, insert_conversions, quantize_graph
from mcuq.resources import resource_dir

SEEDS = range(24)
SAMPLES = 6


def runtime_integers(graph: Graph, sample: dict[str, Array]) -> dict[str, Array]:
    """What ONNX Runtime, not optimizing, has between QuantizeLinear and DequantizeLinear, and what it has of floats, by
    the graph's names."""
    model = export_qdq(graph)
    computed = [t for t in graph.tensors.values() if not t.is_constant]
    wanted = {t.name if t.quant is None else quantized_name(t.name): t.name for t in computed}
    names = [o for node in model.graph.node for o in node.output if o in wanted]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in graph.outputs)
    session = unoptimized(model)
    found = {name: value for name, value in sample.items() if graph.tensors[name].quant is None}
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
        ours = layer.op.simulate(layer, inputs)[0]
        if layer.output.name not in theirs:
            assert isinstance(layer.op, Transpose), "the export leaves out nothing else"
            theirs[layer.output.name] = ours
        elif layer.output.quant is None:
            check_float_layer(layer, ours, theirs)
        else:
            steps = np.abs(ours.astype(int) - theirs[layer.output.name].astype(int))
            assert steps.max() <= 1, layer.where
            if not isinstance(layer.op, Softmax | LogSoftmax):
                elements += steps.size
                different += int(np.count_nonzero(steps))
    return elements, different


def check_float_layer(layer: Layer, ours: Array, theirs: Mapping[str, Array]) -> None:
    """Sums of float32 in another order; where integers are found on the device, halves may round to either side."""
    want = theirs[layer.output.name]
    is_dynamic = len(layer.inputs) == 3 and layer.inputs[1].quant is not None
    share = 0.02 if is_dynamic else 2e-5
    assert np.abs(ours - want).max() <= share * max(float(np.abs(want).max()), 1e-3), layer.where


def real_samples(graph: Graph, seed: int) -> list[dict[str, Array]]:
    """Real inputs of the graph that are exactly its integers, where it has some."""
    rng = np.random.default_rng(seed)
    inputs = {name: graph.tensors[name] for name in graph.inputs}
    stacked = {
        name: rng.normal(size=(SAMPLES, *t.shape)).astype(np.float32)
        if t.quant is None
        else t.decode(rng.integers(*t.quant.bounds, (SAMPLES, *t.shape), endpoint=True))
        for name, t in inputs.items()
    }
    return [{name: x[i] for name, x in stacked.items()} for i in range(SAMPLES)]


def test_each_layer_is_within_one_step_of_onnx_runtime_and_nearly_always_equal() -> None:
    elements = different = 0
    for seed in SEEDS:
        graph = with_ranges(optimize(random_network(seed)), seed)
        for sample in real_samples(graph, seed):
            n, wrong = compare_layers(graph, sample)
            elements, different = elements + n, different + wrong
    assert elements > 20_000
    assert different <= elements / 1000


@pytest.mark.parametrize("mixed", quick([True, False]))
@pytest.mark.parametrize("name", NAMED)
def test_exports_of_all_schemes_give_what_the_simulator_gives(name: str, mixed: bool) -> None:
    """Every second layer in int8 where schemes are mixed; types of their own at the edges."""
    elements = 0
    for seed in range(6):
        graph = optimize(random_network(seed))
        layers = {node.name: NAMED["int8"] for node in graph.nodes[::2]} if mixed else {}
        ports = [("int16", "float32"), ("uint8", "uint8"), ("float32", "int16")][seed % 3] if mixed else (None, None)
        scheme = Scheme(NAMED[name], layers, *ports)
        graph = with_ranges(insert_conversions(graph, scheme), seed, scheme=scheme)
        for sample in real_samples(graph, seed)[:2]:
            elements += compare_layers(graph, sample)[0]
    assert elements > 100 or name in ("float32", "float16", "dynamic")


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


def conv(builder: GraphBuilder, x: str, name: str) -> str:
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 4)).astype(np.float32)
    constants = [builder.constant(weight), builder.constant(np.zeros(4, np.float32))]
    return builder.add(Conv2d(Window((3, 3))), [x, *constants], name, name)


FUNCTIONS = (Sigmoid(), Tanh(), HardSwish(), HardSigmoid(), LeakyRelu(), Clip(0.1, 0.5), FakeQuantize(0.05, 3))


@pytest.mark.parametrize("scheme", ["int8", "int16", "float32"])
@pytest.mark.parametrize("op", [*FUNCTIONS, Chain((HardSwish(), Tanh())), Rescale(), Identity()], ids=repr)
def test_functions_between_layers_over_images_need_no_transposes(op: Operator, scheme: str) -> None:
    builder = GraphBuilder("net")
    y = builder.add(op, [conv(builder, builder.input("x", (1, 9, 9, 4)), "first")], "function", "function")
    builder.outputs.append(conv(builder, y, "second"))
    numbers = Scheme(NAMED[scheme])
    graph = with_ranges(insert_conversions(builder.graph(), numbers), scheme=numbers)
    count = Counter(node.op_type for node in export_qdq(graph).graph.node)
    assert count["Transpose"] == 2, "where images come in and where they go out"
    compare_layers(graph, real_samples(graph, 0)[0])


@pytest.mark.parametrize("scheme", ["int8", "float32"])
@pytest.mark.parametrize("kind", [op for op in OPS.values() if issubclass(op, Function)], ids=lambda op: op.__name__)
def test_no_function_between_layers_over_images_needs_transposes(kind: type[Function], scheme: str) -> None:
    for example in kind.examples():
        builder = GraphBuilder("net")
        low, high = example.op.domain
        within = Clip(max(0.5, low + 0.25), min(2.0, high - 0.1))
        x = builder.add(within, [conv(builder, builder.input("x", (1, 5, 5, 4)), "first")])
        builder.outputs.append(conv(builder, builder.add(example.op, [x], "function"), "second"))
        numbers = Scheme(NAMED[scheme])
        graph = with_ranges(insert_conversions(builder.graph(), numbers), scheme=numbers)
        count = Counter(node.op_type for node in export_qdq(graph).graph.node)
        assert count["Transpose"] == 2, example.op


@pytest.mark.parametrize("op", [Add(), Mul(), Max()], ids=repr)
def test_branches_over_images_need_no_transposes(op: Operator) -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 9, 9, 4))
    y = builder.add(op, [conv(builder, x, "first"), conv(builder, x, "second")], "joined", "joined")
    builder.outputs.append(conv(builder, y, "third"))
    graph = with_ranges(builder.graph())
    assert Counter(node.op_type for node in export_qdq(graph).graph.node)["Transpose"] == 3, (
        "two reads of x, one output"
    )


def test_an_output_with_its_channels_first_is_exported_in_floats() -> None:
    """The Transposes behind the convolution undo each other, and the output is what was between them."""
    builder = GraphBuilder("net")
    y = builder.add(Transpose((0, 3, 1, 2)), [conv(builder, builder.input("x", (1, 5, 6, 4)), "conv")], "y", "y")
    builder.outputs += [y, builder.add(Sigmoid(), [y], "z", "z")]
    scheme = Scheme(NAMED["float32"])
    graph = with_ranges(insert_conversions(builder.graph(), scheme), scheme=scheme)
    x = np.random.default_rng(1).normal(size=(1, 5, 6, 4)).astype(np.float32)
    want = simulate(graph, {"x": x[None]})
    got = FloatModel(export_qdq(graph)).run({"x": x})
    for name in ("y", "z"):
        assert np.allclose(got[name], want[name][0], rtol=1e-5, atol=1e-6)


def test_constants_of_int16_run_in_onnx_runtime() -> None:
    builder = GraphBuilder("net")
    factor = builder.constant(np.random.default_rng(0).normal(size=(1, 3, 1)).astype(np.float32))
    y = builder.add(Mul(), [builder.input("x", (1, 3, 5)), factor], "scaled", "scaled")
    builder.outputs.append(builder.add(Concat(1), [y, builder.constant(np.ones((1, 1, 5), np.float32))], "y", "y"))
    scheme = Scheme(NAMED["int16"])
    graph = with_ranges(insert_conversions(builder.graph(), scheme), scheme=scheme)
    for sample in real_samples(graph, 0):
        compare_layers(graph, sample)


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
    session = unoptimized(onnx.load(path))
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


def test_input_with_scales_per_channel_is_divided_by_them() -> None:
    builder = GraphBuilder("raw")
    scale = np.array([1e-3, 20, 5e4], np.float32)
    shift = (scale / 127.5 * [-510, 1912, 0]).astype(np.float32)
    names = [builder.input("x", (1, 3)), builder.constant(scale, "scale"), builder.constant(shift, "shift")]
    weights = [builder.constant(np.eye(3, dtype=np.float32), "w"), builder.constant(np.zeros(3, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), [builder.add(Regrid(1), names, "u"), *weights], "y"))
    graph = quantize_graph(builder.graph(), dict.fromkeys(("x", "u", "y"), (-1.0, 1.0)))
    session = onnxruntime.InferenceSession(export_qdq(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    x = (np.random.default_rng(0).uniform(-1.3, 1.3, (20, 1, 3)) * scale + shift).astype(np.float32)
    want = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": x})))["y"]
    got = np.stack([session.run(None, {"x": sample})[0] for sample in x])
    np.testing.assert_allclose(got, want, atol=graph.tensors["y"].scale / 100)
