"""PRelu: C against the simulator, the simulator against float, slopes as files have them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from binary_cases import ONTO_THE_FIRST
from cases.binary import slopes
from float_cases import FLOAT, check_floats
from onnx_models import check_import, imported, model, node, random, refusal
from support import check_c, check_float, check_portable_c, integer_branches, integer_graph, run_float

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.kernels.portable.prelu import PRELU_KERNELS
from mcuq.lower import choose_kernel
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.prelu import PRelu
from mcuq.passes import optimize
from mcuq.quantize import INT8_SCHEME, Scheme, insert_conversions, quantize_on_samples
from mcuq.quantize.scheme import parse_scheme

STEPS = 0.5
IMAGE = (1, 3, 6, 5)


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(16):
        check_float(integer_branches(slopes(seed), seed), STEPS)


def test_kernel_without_strides_takes_just_operands_of_one_shape() -> None:
    for a, b in ONTO_THE_FIRST:
        (layer,) = integer_graph(PRelu(), [a, b]).layers()
        assert choose_kernel(layer, frozenset()) is PRELU_KERNELS[a != b]


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("y_range", [(-1e-4, 1e-4), (-0.1, 0.2), (-1, 1), (-1e6, 1e5)])
@pytest.mark.parametrize("x_range", [(-3, 0), (0, 3), (-1, 5)])
def test_factors_far_below_and_far_above_one_are_exact_to_half_a_step(
    on: str, x_range: tuple[float, float], y_range: tuple[float, float]
) -> None:
    """Zero points at the far ends: the product reaches 255 * 255, and one side is empty."""
    graph = integer_graph(PRelu(), [(9,), (9,)], {"x0": x_range, "x1": (-300, 0), "y": y_range})
    check_float(graph, STEPS, samples=50)
    check_portable_c(graph, on)


def test_slope_of_another_shape_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        integer_graph(PRelu(), [(1, 3, 4), (2, 3, 4)])
    assert str(caught.value) == "PRelu 'layer': slopes of shape [2, 3, 4] do not broadcast to [1, 3, 4]"


def one(slope: Array, opset: int = 16) -> onnx.ModelProto:
    """A file of one PRelu."""
    return model([node("PRelu", ["x", "slope"], "y", "act")], {"x": IMAGE}, constants={"slope": slope}, opset=opset)


@pytest.mark.parametrize("opset", [7, 9, 16])
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), (1,), (), (1, 1, 1), (3, 6, 5), (5,)], ids=str)
def test_slopes_of_a_file_mean_what_they_mean_in_onnx_runtime(opset: int, shape: tuple[int, ...]) -> None:
    slope = np.asarray(random(*shape) if shape else np.float32(0.3), np.float32)
    check_import(one(slope, opset))
    (op,) = (type(n.op) for n in imported(one(slope, opset)).nodes if type(n.op) in (PRelu, LeakyRelu))
    assert op is (LeakyRelu if slope.size == 1 else PRelu)


@pytest.mark.parametrize("shape", [(3,), (1, 1, 3, 6, 5), (2, 3, 1, 1)], ids=str)
def test_slopes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    assert refusal(one(random(*shape))) == (
        f"PRelu 'act': slope 'slope' has shape {list(shape)}, which does not broadcast to the input's "
        "[1, 3, 6, 5]; use one number, or one a channel of shape [C, 1, 1]"
    )


def network() -> Graph:
    """A convolution, a slope a channel, a convolution, as a file has them: channels first."""
    layers = [
        node("Conv", ["x", "w0", "b0"], "a", "first", pads=[1, 1, 1, 1]),
        node("PRelu", ["a", "slope"], "b", "act"),
        node("Conv", ["b", "w1"], "y", "last"),
    ]
    constants = {
        "w0": random(8, 3, 3, 3),
        "b0": random(8),
        "slope": np.array([0.25, 0.1, 0.02, 0.3, -0.2, 1.5, 0.0, 0.4], np.float32).reshape(8, 1, 1),
        "w1": random(4, 8, 1, 1),
    }
    return optimize(imported(model(layers, {"x": (1, 3, 10, 9)}, constants=constants)))


def test_it_runs_channels_last_between_convolutions() -> None:
    graph = network()
    kinds = [type(n.op) for n in graph.nodes if type(n.op) in (Conv2d, PRelu)]
    assert kinds == [Conv2d, PRelu, Conv2d]
    (layer,) = (layer for layer in graph.layers() if isinstance(layer.op, PRelu))
    assert [t.shape for t in layer.inputs] == [(1, 10, 9, 8), (1, 1, 1, 8)]


@pytest.mark.parametrize(
    ("scheme", "decibels"),
    [(INT8_SCHEME, 30), (parse_scheme("int16"), 40), (FLOAT, 120)],
    ids=["int8", "int16", "float32"],
)
def test_network_is_onnx_runtimes_and_bit_for_bit(scheme: Scheme, decibels: float) -> None:
    rng = np.random.default_rng(4)
    graph = insert_conversions(network(), scheme)
    data = [{"x": rng.normal(0, 1, (1, 3, 10, 9)).astype(np.float32)} for _ in range(32)]
    quantized = quantize_on_samples(graph, data, scheme=scheme).graph
    x = {"x": np.stack([rng.normal(0, 1, (1, 3, 10, 9)).astype(np.float32) for _ in range(16)])}
    ours = dequantize_outputs(quantized, simulate(quantized, quantize_inputs(quantized, x)))["y"]
    wanted = run_float(write_onnx(network()), x)["y"]
    assert (wanted**2).sum() > 10 ** (decibels / 10) * ((wanted - ours) ** 2).sum()
    for on in ("host", "emulator"):
        (check_floats if scheme is FLOAT else check_c)(quantized, on)


@pytest.mark.parametrize("shape", [IMAGE, (3, 1, 1), (1,), (1, 3, 6, 1)])
def test_slopes_may_be_computed(shape: tuple[int, ...]) -> None:
    nodes = [node("Tanh", ["s"], "slope"), node("PRelu", ["x", "slope"], "y")]
    graph = check_import(model(nodes, {"x": IMAGE, "s": shape}))
    samples = [{"x": random(*IMAGE, seed=i), "s": random(*shape, seed=i + 9)} for i in range(8)]
    integer = quantize_on_samples(insert_conversions(optimize(graph), INT8_SCHEME), samples).graph
    data = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    ours = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, data)))["y"]
    wanted = run_float(write_onnx(graph), data)["y"]
    assert (wanted**2).sum() > 3000 * ((wanted - ours) ** 2).sum()  # 35 dB


def test_computed_slopes_of_more_elements_are_refused() -> None:
    nodes = [node("Tanh", ["s"], "slope"), node("PRelu", ["x", "slope"], "y", "n")]
    assert refusal(model(nodes, {"x": (1, 3, 1, 1), "s": IMAGE})) == (
        "PRelu 'n': slopes of shape [1, 3, 6, 5] do not broadcast to [1, 3, 1, 1]"
    )
