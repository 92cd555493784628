"""LSTM: states between calls, how far cells go, weights that came as integers, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from cases.recurrent import SIGMOID, TANH, case, plain
from onnx_models import refusal
from recurrent_networks import onnx_model, quantized
from support import check_c, float_graph, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.lstm import Lstm
from mcuq.ops.recurrent_activation import Activation, exponent_of
from mcuq.quantize import quantize_graph


def test_what_is_computed_of_states_step_by_step_is_that_of_all_steps() -> None:
    """The cell of one call begins the next; states between calls have 16 bits, as they have inside."""
    op, inputs = case(plain(Lstm, has_initial=True), 3, 2, 4, 5)
    whole, _, _ = quantized((op, inputs), "int16")
    one = (replace(op, with_cell=True), [(1, 2, 4), *inputs[1:]])
    step, _, _ = quantized(one, "int16")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 3, 2, 4)).astype(np.float32) / 3
    start = np.zeros((1, 2, 5), np.float32)
    y = dequantize_outputs(whole, simulate(whole, quantize_inputs(whole, {"x0": x, "x4": start, "x5": start})))["y"]
    h = c = start
    for t in range(3):
        fed = quantize_inputs(step, {"x0": x[:, t : t + 1], "x4": h, "x5": c})
        found = dequantize_outputs(step, simulate(step, fed))["y"]
        h, c = found[:, 0], found[:, 1]
        assert np.abs(h - y[:, t]).max() < 1e-3


def test_calibration_finds_how_far_cells_go() -> None:
    """Of an integrator: forget and input gates of 1, a candidate of 1, so that each step adds 1."""
    bias = np.zeros((2, 4), np.float32)
    bias[0] = (20, 20, 20, 20)
    inputs = [(40, 1, 1), np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32), bias]
    op = Lstm((SIGMOID, TANH, Activation("Affine", 0.02, 0.0)), with_cell=True)
    graph, fed, _ = quantized((op, inputs), "int8")
    assert simulate(graph, fed)["y"].dtype == np.int16
    layer = next(graph.layers())
    assert isinstance(layer.op, Lstm)
    assert layer.op.exponents(layer).states[1] == exponent_of(2 * 40) == 7
    assert dict(layer.op.held)["cell"] == pytest.approx(40, abs=0.1)
    unknown = quantize_graph(float_graph(op, inputs), {"x0": (-1, 1), "y": (-50, 50)})
    y = dequantize_outputs(unknown, simulate(unknown, fed))["y"]
    assert y[:, -1].max() == pytest.approx(16, abs=0.01)  # where nothing was seen, cells end


def test_integers_of_weights_that_came_so_are_kept() -> None:
    rng = np.random.default_rng(0)
    op, inputs = case(plain(Lstm), 2, 1, 3, 4)
    builder = GraphBuilder("given")
    scale = 0.01
    q = [rng.integers(-128, 128, np.shape(w)) for w in inputs[1:3]]
    names = [builder.input("x0", (2, 1, 3))]
    names += [builder.constant((w * scale).astype(np.float32), "w", Quant((scale,) * 16)) for w in q]
    names.append(builder.constant(np.asarray(inputs[3]), "b"))
    builder.outputs.append(builder.add(op, names, "y", "layer"))
    layer = next(quantize_graph(builder.graph(), {"x0": (-1, 1), "y": (-1, 1)}).layers())
    assert all(np.array_equal(t.values, w) for t, w in zip(layer.inputs[1:3], q, strict=True))


def test_a_peephole_that_does_not_fit_is_refused() -> None:
    proto = onnx_model("LSTM", given=("P",))
    (tensor,) = (t for t in proto.graph.initializer if t.name == "P")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((1, 5), np.float32), "P"))
    assert refusal(proto) == "LSTM 'layer': P [1, 5] must be [1, 15]"


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
def test_what_is_left_of_one_may_take_more_than_16_bits(board: str) -> None:
    """Gates of a tenth at most have steps of which one takes 2^18: times a cell that is more than 32 bits hold."""
    rng = np.random.default_rng(3)
    builder = GraphBuilder("lstm")
    x = builder.input("x", (6, 1, 4))
    shapes = ((32, 4), (32, 8), (2, 32))
    constants = [builder.constant(rng.normal(0, 1, shape).astype(np.float32), "c") for shape in shapes]
    activations = (Activation("ScaledTanh", 0.1, 1.0), Activation("Tanh"), Activation("Tanh"))
    op = Lstm(activations, coupled=True, whole=True, held=(("cell", 0.06),))
    builder.outputs.append(builder.add(op, [x, *constants]))
    check_c(with_ranges(builder.graph(), 1), "host", board=board)
