"""Div: the simulator against float. What it shares with Add is tested there."""

from __future__ import annotations

import numpy as np
import pytest
from binary_cases import SHAPES
from support import check_portable_c, integer_graph, random_inputs, run_float

from mcuq.emit.qdq_export import export_qdq
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.kernels.portable.div import DIV_KERNELS
from mcuq.lower import choose_kernel
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.abs import Abs
from mcuq.ops.div import Div
from mcuq.ops.mean import Mean
from mcuq.quantize import insert_conversions, quantize_on_samples
from mcuq.quantize.scheme import parse_scheme

STEPS = 0.5 + 2.0**-15


@pytest.mark.parametrize("scheme", ["int8", "int16"])
@pytest.mark.parametrize("b_range", [(-1, 1), (0, 3), (-300, 0), (0.0, 1e-4)])
@pytest.mark.parametrize("y_range", [(-1, 1), (0, 40), (-1e-4, 1e-5), (-1e6, 1e6)])
def test_simulator_is_within_half_a_step_of_the_quotient(
    b_range: tuple[float, float], y_range: tuple[float, float], scheme: str
) -> None:
    ranges = {"x0": (-2, 5), "x1": b_range, "y": y_range}
    graph = integer_graph(Div(), [(256, 1), (1, 256)], ranges, parse_scheme(scheme))
    if scheme == "int8":
        every = np.arange(-128, 128, dtype=np.int8)
        x = {"x0": every.reshape(1, 256, 1), "x1": every.reshape(1, 1, 256)}
    else:
        x = random_inputs(graph, 4)
    a, b = (x[name].astype(np.float64) - graph.tensors[name].zero_point for name in ("x0", "x1"))
    y, scales = graph.tensors["y"], [graph.tensors[name].scale for name in ("x0", "x1", "y")]
    bounds = y.quantization.bounds
    with np.errstate(divide="ignore", invalid="ignore"):
        real = a / b * (scales[0] / scales[1] / scales[2]) + y.zero_point
    real = np.where((a == 0) & (b == 0), y.zero_point, real)
    assert np.abs(simulate(graph, x)["y"] - np.clip(real, *bounds)).max() <= STEPS + 1e-9


def test_over_zero_it_saturates_on_the_side_of_the_dividends_sign() -> None:
    graph = integer_graph(Div(minimum=-0.5), [(3,), np.zeros(3)], {"y": (-1, 1)})
    x = graph.tensors["x0"].quantization.quantize(np.array([[-1.0, 0.0, 1.0]]))
    y = graph.tensors["y"].quantization.dequantize(simulate(graph, {"x0": x})["y"])
    assert np.abs(y - [[-0.5, 0, 1]]).max() <= 0.01
    check_portable_c(graph, "host")


def test_kernel_without_strides_takes_just_operands_of_one_shape() -> None:
    for a, b in SHAPES:
        (layer,) = integer_graph(Div(), [a, b]).layers()
        assert choose_kernel(layer, frozenset()) is DIV_KERNELS[a != b]


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_a_normalized_tensor_is_calibrated_run_and_exported(scheme: str) -> None:
    """Each row over the sum of its magnitudes."""
    builder = GraphBuilder("net")
    x = builder.input("x", (6, 10))
    total = builder.add(Mean((1,)), [builder.add(Abs(), [x])])
    builder.outputs.append(builder.add(Div(), [x, total], "y", "layer"))
    rng = np.random.default_rng(2)
    data = [{"x": rng.normal(0, 1, (6, 10)).astype(np.float32)} for _ in range(64)]
    graph = insert_conversions(builder.graph(), parse_scheme(scheme))
    integer = quantize_on_samples(graph, data[:32], scheme=parse_scheme(scheme)).graph
    others = {"x": np.stack([sample["x"] for sample in data[32:]])}
    codes = quantize_inputs(integer, others)
    ours = dequantize_outputs(integer, simulate(integer, codes))["y"]
    wanted = run_float(write_onnx(graph), others)["y"]
    assert (wanted**2).sum() > 1000 * ((wanted - ours) ** 2).sum()  # 30 dB
    exported = FloatModel(export_qdq(integer))
    theirs = np.stack([exported.run({"x": value})["y"] for value in others["x"]])
    assert np.abs(theirs - ours).max() <= 1.001 * integer.tensors["y"].scale
    if scheme == "int8":  # of int16, float32 takes more values near halves for the next one
        assert (np.abs(theirs - ours) > 0.5 * integer.tensors["y"].scale).mean() < 0.01
    check_portable_c(integer, "host")
