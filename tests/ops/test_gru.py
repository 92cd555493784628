"""GRU: steps of sums that are coarse, and gates at their ends."""

from __future__ import annotations

import numpy as np
import pytest
from cases.recurrent import GATES, case, plain
from recurrent_networks import quantized
from support import check_c, float_graph

from mcuq.graph.simulate import dequantize_outputs, simulate
from mcuq.ops.gru import Gru
from mcuq.quantize import quantize_graph


def test_large_inputs_and_weights_are_exact_c() -> None:
    """Products whose steps are coarser than those of gates: the guard bits of a reset product are fewer."""
    op, inputs = case(Gru(GATES[Gru], resets_product=True), 3, 1, 3, 4)
    scaled = [inputs[0], *(np.asarray(w) * np.float32(30) for w in inputs[1:3]), inputs[3]]
    graph = quantize_graph(float_graph(op, scaled), {"x0": (-40, 40), "y": (-1, 1)})
    layer = next(graph.layers())
    assert isinstance(layer.op, Gru)
    assert layer.op.sums(layer).shift < 30
    check_c(graph, "host")


@pytest.mark.parametrize("resets_product", [False, True])
def test_an_update_gate_of_1_keeps_the_state_and_one_of_0_takes_the_candidate(resets_product: bool) -> None:
    op = plain(Gru, has_initial=True, resets_product=resets_product)
    _, inputs = case(op, 6, 1, 3, 4)
    for bias, keeps in ((40.0, True), (-40.0, False)):
        shifted = np.array(inputs[3])
        shifted[0, :4] = bias
        graph, fed, reals = quantized((op, [*inputs[:3], shifted, *inputs[4:]]), "int16")
        y = dequantize_outputs(graph, simulate(graph, fed))["y"]
        start = reals["x4"]
        assert (np.abs(y[:, -1] - start).max() < 1e-3) == keeps
