"""LSTM, GRU and RNN: the simulator against ONNX Runtime, imports of all attributes, relations, what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from cases.recurrent import GATES, case, fixed, plain
from onnx_models import check_import, imported, original_outputs, refusal
from recurrent_networks import KINDS, OUTPUTS, onnx_model, quantized
from support import Case, dequantized, float_graph, run_float

from mcuq.compile import quantize_model
from mcuq.errors import ModelError
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.recurrent import Recurrent
from mcuq.ops.recurrent_activation import FUNCTIONS
from mcuq.ops.rnn import Rnn
from mcuq.quantize import NAMED, Scheme, quantize_graph


def off(case: Case, scheme: str, seed: int = 0) -> float:
    """How far beyond half a step the simulator is from ONNX Runtime on the same real numbers."""
    graph, inputs, reals = quantized(case, scheme, seed)
    (name,) = graph.outputs
    quant = graph.tensors[name].quantization
    want = np.clip(run_float(write_onnx(dequantized(graph)), reals)[name], *quant.real_bounds)
    return float(np.abs(quant.dequantize(simulate(graph, inputs)[name]) - want).max()) - quant.step / 2


@pytest.mark.parametrize("scheme", ["int8", pytest.param("int16", marks=pytest.mark.slow)])
def test_integers_are_within_half_a_step_and_a_thousandth_of_onnx_runtime(scheme: str) -> None:
    for index, found in enumerate(fixed()):
        assert off(found, scheme, index) <= 1e-3, found[0]


def test_integers_of_sigmoid_and_tanh_are_within_what_the_operators_state() -> None:
    for kind in GATES:
        assert off(case(plain(kind), 1, 4, 8, 16), "int16") <= 2.0**-12


FORMS: list[tuple[str, Mapping[str, object]]] = [
    *((kind, {"direction": "reverse", "given": ()}) for kind in KINDS),
    *((kind, {"directions": 2, "given": ("B", "initial_h"), "lengths": (4, 2)}) for kind in KINDS),
    *((kind, {"computed": ("initial_h",), "clip": 0.4}) for kind in KINDS),
    *((kind, {"outputs": ("Y_h",), "lengths": (3, 1), "direction": "reverse"}) for kind in KINDS),
    *((kind, {"outputs": ("Y",), "steps": 1, "batch": 1}) for kind in KINDS),
    ("GRU", {"linear_before_reset": 1, "directions": 2}),
    ("GRU", {"activations": ["HardSigmoid", "Softsign"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
    ("LSTM", {"outputs": OUTPUTS, "given": ("B", "P", "initial_c"), "directions": 2, "input_forget": 1}),
    ("LSTM", {"outputs": ("Y_c",), "given": ("P",)}),
    ("LSTM", {"outputs": ("Y", "Y_c"), "computed": ("initial_h", "initial_c"), "directions": 2}),
    (
        "LSTM",
        {
            "activations": ["Affine", "ScaledTanh", "Elu"],
            "activation_alpha": [0.2, 1.5, 0.6],
            "activation_beta": [0.4, 0.7],
        },
    ),
    ("LSTM", {"directions": 2, "activations": ["HardSigmoid", "LeakyRelu", "Tanh", "Sigmoid", "Softplus", "Relu"]}),
    ("RNN", {"activations": ["ThresholdedRelu"], "activation_alpha": [0.3]}),
]


@pytest.mark.parametrize(("op_type", "form"), FORMS, ids=lambda value: value if isinstance(value, str) else "")
def test_an_import_means_what_the_file_means(op_type: str, form: Mapping[str, object]) -> None:
    check_import(onnx_model(op_type, **form))  # type: ignore[arg-type]


def test_clip_is_for_what_gates_add_up_and_not_for_the_cell() -> None:
    """Cells that begin beyond it are shown as they are, as ONNX Runtime has it."""
    proto = onnx_model("LSTM", computed=("initial_h", "initial_c"), clip=0.1)
    graph = imported(proto)
    rng = np.random.default_rng(0)
    sample = {name: rng.uniform(-2, 2, graph.tensors[name].shape).astype(np.float32) for name in graph.inputs}
    floats = quantize_graph(graph, {}, Scheme(NAMED["float32"]))
    found = simulate(floats, {name: value[None] for name, value in sample.items()})
    for name, want in original_outputs(proto, sample).items():
        assert np.abs(found[name][0] - want).max() < 1e-5


@pytest.mark.parametrize("op_type", KINDS)
@pytest.mark.parametrize("batch", [1, 2])
def test_layout_1_is_layout_0_with_the_batch_first(op_type: str, batch: int) -> None:
    """ONNX Runtime refuses it."""
    form = {"directions": 2, "batch": batch, "computed": ("initial_h",)}
    first, second = (onnx_model(op_type, **form, layout=layout) for layout in (0, 1))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(4, batch, 3)).astype(np.float32), rng.normal(size=(2, batch, 5)).astype(np.float32)
    want = original_outputs(first, {"X": x, "initial_h": h})
    turned = {"X": x.transpose(1, 0, 2)[None], "initial_h": h.transpose(1, 0, 2)[None]}
    got = run_float(write_onnx(imported(second)), turned)
    assert np.allclose(got["Y"][0], want["Y"].transpose(2, 0, 1, 3), atol=1e-6)
    assert np.allclose(got["Y_h"][0], want["Y_h"].transpose(1, 0, 2), atol=1e-6)


@pytest.mark.parametrize("op_type", KINDS)
def test_a_hundred_steps_keep_30_db(op_type: str) -> None:
    proto = onnx_model(op_type, steps=100, batch=1, features=10, hidden=32, outputs=("Y",), size=32**-0.5)
    x = np.random.default_rng(1).normal(size=(24, 100, 1, 10)).astype(np.float32)
    graph = quantize_model(proto, x[:16]).graph
    want = np.stack([original_outputs(proto, {"X": one})["Y"] for one in x[16:]])
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"X": x[16:]})))["Y"]
    assert 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()) >= 30


def test_every_activation_has_a_case() -> None:
    used = {a.name for op, _ in fixed() if isinstance(op, Recurrent) for a in op.activations}
    assert used == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (plain(Rnn), [(3, 1), (4, 1), (4, 4), (2, 4)], "input [3, 1] (steps, batch, features) does not fit W [4, 1]"),
        (
            plain(Rnn),
            [(3, 1, 2), (4, 1), (4, 4), (2, 4)],
            "input [3, 1, 2] (steps, batch, features) does not fit W [4, 1]",
        ),
        (
            plain(Gru),
            [(3, 1, 1), (4, 1), (4, 4), (2, 4)],
            "W of 4 rows, R [4, 4] and B [2, 4] are not those of 3 gates",
        ),
        (
            plain(Rnn, lengths=(4,)),
            [(3, 1, 1), (4, 1), (4, 4), (2, 4)],
            "sequence_lens=[4] must be 1 numbers from 1 to the 3 steps of x",
        ),
        (
            plain(Rnn, has_initial=True),
            [(3, 1, 1), (4, 1), (4, 4), (2, 4), (4,)],
            "initial states [[4]] must be [1, 4]",
        ),
        (
            plain(Lstm, has_peephole=True),
            [(3, 1, 1), (4, 1), (4, 1), (2, 4), (1, 3)],
            "P [1, 3] must be [3, 1]",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op: Recurrent, shapes: list[tuple[int, ...]], message: str) -> None:
    x, *constants = shapes
    with pytest.raises(ModelError) as caught:
        float_graph(op, [x, *(np.zeros(shape, np.float32) for shape in constants)])
    assert str(caught.value) == f"{type(op).__name__} 'layer': {message}"


@pytest.mark.parametrize(
    ("op_type", "form", "message"),
    [
        ("LSTM", {"direction": "sideways"}, "direction=sideways is not known; use forward, reverse, bidirectional"),
        ("RNN", {"activations": ["Tanh", "Tanh"]}, "activations=['Tanh', 'Tanh'] must be 1"),
        ("RNN", {"activations": ["Gelu"]}, f"activation Gelu is not supported; use {', '.join(FUNCTIONS)}"),
        ("RNN", {"activations": ["Affine"]}, "activation Affine needs activation_alpha"),
        (
            "RNN",
            {"activations": ["ScaledTanh"], "activation_alpha": [1.0]},
            "activation ScaledTanh needs activation_beta",
        ),
        ("RNN", {"lengths": (0, 4)}, "sequence_lens=[0, 4] must be 2 numbers from 1 to the 4 steps of X"),
        ("RNN", {"lengths": (4, 4, 4)}, "sequence_lens=[4, 4, 4] must be 2 numbers from 1 to the 4 steps of X"),
        ("RNN", {"computed": ("W",)}, "W must be a constant; export the model with fixed weights and shapes"),
    ],
)
def test_what_is_not_supported_is_refused(op_type: str, form: Mapping[str, object], message: str) -> None:
    assert refusal(onnx_model(op_type, **form)) == f"{op_type} 'layer': {message}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"W": (1, 5, 3, 1)}, "X [4, 2, 3], W [1, 5, 3, 1] and R [1, 5, 5] must have 3 dimensions"),
        ({"W": (1, 5, 4)}, "W [1, 5, 4] and R [1, 5, 5] are not those of 1 direction, 3 features and hidden_size=5"),
        ({"W": (2, 5, 3)}, "W [2, 5, 3] and R [1, 5, 5] are not those of 1 direction, 3 features and hidden_size=5"),
        ({"B": (1, 5)}, "B [1, 5] must be [1, 10]"),
        ({"initial_h": (1, 2, 4)}, "initial_h [1, 2, 4] must be [1, 2, 5]"),
    ],
)
def test_constants_that_do_not_fit_are_refused(changed: Mapping[str, tuple[int, ...]], message: str) -> None:
    proto = onnx_model("RNN", given=("B", "initial_h"))
    for tensor in proto.graph.initializer:
        if tensor.name in changed:
            values = np.ones(changed[tensor.name], np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    assert refusal(proto) == f"RNN 'layer': {message}"


def test_computed_lengths_are_refused() -> None:
    proto = onnx_model("RNN", lengths=(4, 2))
    (tensor,) = (t for t in proto.graph.initializer if t.name == "sequence_lens")
    proto.graph.initializer.remove(tensor)
    proto.graph.input.append(onnx.helper.make_tensor_value_info("sequence_lens", onnx.TensorProto.INT32, [2]))
    assert refusal(proto) == (
        "RNN 'layer': sequence_lens must be a constant; export the model with fixed weights and shapes"
    )
