"""RNN: sums that int32 holds, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from cases.recurrent import case, plain
from recurrent_networks import quantized
from support import float_graph, random_inputs

from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.rnn import Rnn
from mcuq.quantize import quantize_graph


def test_sums_of_long_rows_fit_int32_by_coarser_weights() -> None:
    hidden = 1100
    recurrent = np.full((hidden, hidden), 0.02, np.float32)
    inputs = [(1, 1, 1), np.ones((hidden, 1), np.float32), recurrent, np.zeros((2, hidden), np.float32)]
    graph, fed, _ = quantized((plain(Rnn), inputs), "int8")
    layer = next(graph.layers())
    assert isinstance(layer.op, Rnn)
    assert layer.op.sums(layer).bound < 2**31
    assert layer.inputs[2].values.max() < 127
    assert simulate(graph, fed)["y"].any()


def test_given_integers_beyond_int32_are_refused() -> None:
    hidden = 1100
    builder = GraphBuilder("given")
    names = [builder.input("x0", (1, 1, 1)), builder.constant(np.ones((hidden, 1), np.float32), "w")]
    names.append(builder.constant(np.full((hidden, hidden), 1.27, np.float32), "r", Quant((0.01,) * hidden)))
    names.append(builder.constant(np.zeros((2, hidden), np.float32), "b"))
    builder.outputs.append(builder.add(plain(Rnn), names, "y", "layer"))
    graph = quantize_graph(builder.graph(), {"x0": (-1, 1), "y": (-1, 1)})
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, random_inputs(graph, 1))
    assert str(caught.value) == (
        "Rnn 'layer': an accumulator can reach 4577689600, more than int32 holds (2147483647); quantize its weights "
        "anew, from floats"
    )


def test_steps_of_products_beyond_those_of_gates_are_refused() -> None:
    op, inputs = case(plain(Rnn), 1, 1, 2, 2)
    graph = quantize_graph(float_graph(op, inputs), {"x0": (-1e9, 1e9), "y": (-1, 1)})
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, random_inputs(graph, 1))
    assert str(caught.value).startswith("Rnn 'layer': a step of a product is ")
    assert str(caught.value).endswith(" times that of what activations read; check the calibration data")
