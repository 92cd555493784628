"""Scales of weights under a scheme's limits, and rounding to nearest on its grids."""

from __future__ import annotations

import numpy as np
import pytest
from support import float_graph

from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import LayerScheme, Scheme, quantize_graph
from mcuq.quantize.grid import GRIDS


def quantized_weight(weight: Array, scheme: Scheme) -> Tensor:
    """The weight (outputs, inputs) of a fully connected layer, quantized."""
    graph = float_graph(FullyConnected(), [(1, weight.shape[1]), weight, np.zeros(len(weight))])
    integer = quantize_graph(graph, {"x0": (-1.0, 1.0), "y": (-4.0, 4.0)}, scheme)
    (layer,) = integer.layers()
    return layer.inputs[1]


def real(weight: Tensor) -> Array:
    return weight.values * np.array(weight.quantization.scale)[:, None]


def spread(rows: int = 6, columns: int = 40) -> Array:
    """Channels of different size, with tails."""
    rng = np.random.default_rng(0)
    return (rng.standard_t(4, (rows, columns)) * np.geomspace(0.1, 2, rows)[:, None]).astype(np.float32)


def test_each_channel_has_its_own_scale_unless_asked_otherwise() -> None:
    weight = spread()
    own = quantized_weight(weight, Scheme())
    assert np.allclose(own.quantization.scale, np.abs(weight).max(axis=1) / 127)
    one = quantized_weight(weight, Scheme(per_channel=False))
    assert set(one.quantization.scale) == {float(np.abs(weight.astype(np.float64)).max() / 127)}


def test_scales_of_powers_of_two_are_the_next_above() -> None:
    weight = spread()
    scales = np.array(quantized_weight(weight, Scheme(power_of_two=True)).quantization.scale)
    assert np.array_equal(np.exp2(np.rint(np.log2(scales))), scales)
    free = np.array(quantized_weight(weight, Scheme()).quantization.scale)
    assert ((scales >= free) & (scales < 2 * free)).all()


def test_clipped_int8_weights_have_less_squared_error() -> None:
    weight = spread(3, 4000)  # 8 bits clip where few are far out of many
    whole, clipped = (quantized_weight(weight, Scheme(clip_weights=c)) for c in (False, True))
    errors = [((real(w) - weight) ** 2).sum() for w in (whole, clipped)]
    assert errors[1] < errors[0]
    assert min(np.array(clipped.quantization.scale) / np.array(whole.quantization.scale)) < 0.99


@pytest.mark.parametrize("name", ["int4", "int2", "ternary", "binary"])
def test_weights_take_the_levels_of_their_grid_and_say_how_they_are_packed(name: str) -> None:
    weight = quantized_weight(spread(), Scheme(LayerScheme(name)))
    assert set(np.unique(weight.values)) <= set(GRIDS[name].levels)
    assert weight.packing == name
    assert weight.dtype == "int8"


def test_a_codebook_has_at_most_16_values_a_layer() -> None:
    weight = quantized_weight(spread(30, 60), Scheme(LayerScheme("codebook")))
    assert weight.packing == "codebook"
    assert 8 < len(np.unique(weight.values)) <= 16


def test_int8_is_not_packed() -> None:
    assert quantized_weight(spread(), Scheme()).packing is None
